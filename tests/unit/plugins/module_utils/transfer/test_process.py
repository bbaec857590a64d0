# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's process: alive only if id, start time and boot agree; one at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import TransferFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.files import make_private_directory, write_json
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import process


@pytest.fixture
def layout(tmp_path):
    layout = Layout.create("shop", str(tmp_path))
    make_private_directory(layout.directory)
    return layout


@pytest.fixture
def no_systemd(monkeypatch):
    monkeypatch.setattr(process, "scope_command", lambda _name: [])


def engine(tmp_path, text: str) -> str:
    path = tmp_path / "engine.py"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_nobody_lives_without_a_file(layout):
    assert process.living(layout) is None


def test_oneself_is_alive(layout):
    process.record_self(layout)
    assert process.living(layout) == {"pid": os.getpid(), **process.describe_self()}


@pytest.mark.parametrize(
    "changes", [{"boot_id": "another boot"}, {"start_time": 1}, {"pid": 2**22 + 1}], ids=["boot", "reused", "gone"]
)
def test_a_stranger_with_the_same_number_is_not_the_engine(layout, changes):
    write_json(layout.process_file, {**process.describe_self(), **changes})
    assert process.living(layout) is None


def test_start_time_of_the_dead_and_of_odd_names(tmp_path):
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to(sys.executable)
    child = subprocess.Popen([str(odd), "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert process.start_time(child.pid) >= process.start_time(os.getpid())
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process.start_time(child.pid) is None, "a zombie does not work any more"
    finally:
        child.kill()
        child.communicate()
    assert process.start_time(child.pid) is None


def test_lock_keeps_a_second_one_out(layout):
    first, second = process.Lock(layout), process.Lock(layout)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    first.release()
    assert second.acquire()
    second.release()


ENGINE = f"""
import json, sys, time
sys.path[:0] = {sys.path!r}
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import process
secrets = json.load(sys.stdin)
print("got", len(secrets), sys.argv[1:], flush=True)
process.record_self(Layout.create("shop", sys.argv[-1].rpartition("/migrations/")[0]))
time.sleep(60)
"""


def test_start_hands_over_secrets_and_stop_ends_it(layout, tmp_path, no_systemd, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "of the shell")
    known = process.start_detached(layout, sys.executable, engine(tmp_path, ENGINE), {"source": {"password": "hush"}})
    try:
        assert known == process.living(layout)
        assert os.getsid(known["pid"]) != os.getsid(0), "a session of its own"
        assert "hush" not in Path(f"/proc/{known['pid']}/cmdline").read_text(encoding="utf-8")
        environment = Path(f"/proc/{known['pid']}/environ").read_text(encoding="utf-8")
        assert "hush" not in environment and "PGPASSWORD" not in environment
        assert f"got 1 ['run', '--directory', '{layout.directory}']" in process.log_tail(layout)
        assert process.stop(layout) is True
        assert process.stop(layout) is False
    finally:
        if process.living(layout):
            os.kill(known["pid"], 9)


def test_start_that_fails_shows_the_log(layout, tmp_path, no_systemd):
    write_json(layout.process_file, {**process.describe_self(), "boot_id": "another boot"})
    with pytest.raises(TransferFailed, match=r"exit status 7.*no such thing") as caught:
        process.start_detached(
            layout, sys.executable, engine(tmp_path, "import sys; print('no such thing', flush=True); sys.exit(7)"), {}
        )
    assert layout.log_file in caught.value.hint


def test_start_that_comes_second_gives_the_one_that_runs(layout, tmp_path, no_systemd):
    process.record_self(layout)
    text = f"import sys; sys.exit({process.ANOTHER_RUNS})"
    assert process.start_detached(layout, sys.executable, engine(tmp_path, text), {})["pid"] == os.getpid()


def test_log_tail_without_a_log(layout):
    assert process.log_tail(layout) == "it has no log"
