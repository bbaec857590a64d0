# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's process: alive only if id, start time and boot agree; one at a time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import datetime, timezone
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


def test_second_runner_is_refused_with_the_first_ones_process_host_and_start(layout, tmp_path, no_systemd, monkeypatch):
    """The first one holds the lock and is not to be seen from here, as in another container or after its boot id says so."""
    monkeypatch.setattr(process, "START_SECONDS", 1)
    first = {
        "pid": 4711,
        "start_time": 99,
        "boot_id": "another host",
        "host": "runner-1",
        "started_at": "2026-01-01T00:00:00Z",
    }
    write_json(layout.process_file, first)
    path = engine(tmp_path, f"import sys; sys.exit({process.ANOTHER_RUNS})")
    with pytest.raises(TransferFailed) as caught:
        process.start_detached(layout, sys.executable, path, {})
    assert "process 4711 on host runner-1, started at 2026-01-01T00:00:00Z" in caught.value.msg
    assert caught.value.details["holder"] == first


def test_lock_of_another_boot_that_nobody_holds_is_taken(layout):
    write_json(layout.process_file, {**process.describe_self(), "boot_id": "another boot"})
    lock = process.Lock(layout)
    assert process.living(layout) is None and lock.acquire()
    second = process.Lock(layout)
    assert not second.acquire()
    lock.release()


def test_description_says_when_and_where_the_engine_was_started():
    facts = process.describe_self()
    began = datetime.strptime(facts["started_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert 0 <= (datetime.now(timezone.utc) - began).total_seconds() < 3600
    assert facts["host"] == socket.gethostname()
