# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords are in no process list, no journal, no report, no output at -vvv and in no file but the user's own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from support.migrations import ANSIBLE, ROOT, Migration
from support.passwords import PASSWORDS, WRONG, set_password, spilled
from support.processes import Watch

NEVER = {"tree", "venv", "postgresql", "home", "build", "galaxy_cache", ".git", "__pycache__"}


@pytest.fixture
def odd(migration):
    """A migration whose users have odd passwords, and usual ones again afterwards."""
    one = migration("secrets", "seed_bulk")
    lab = one.lab
    for side, cluster in (("source", lab.source), ("target", lab.target)):
        set_password(cluster, PASSWORDS[side])
        one.ends[side] = {**one.ends[side], "password": PASSWORDS[side]}
    yield one
    for side, cluster in (("source", lab.source), ("target", lab.target)):
        set_password(cluster, lab.passwords[side])


def written_since(moment: float, tops: list) -> list:
    """Return the files below I(tops) that were written since a moment; foreign servers' data is not looked at."""
    found = []
    for top, mine in tops:
        for folder, folders, names in os.walk(top):
            foreign = not mine and "PG_VERSION" in names
            folders[:] = [] if foreign else [name for name in folders if name not in NEVER]
            for name in [] if foreign else names:
                path = Path(folder) / name
                try:
                    if path.is_file() and path.stat().st_mtime >= moment:
                        found.append(path)
                except OSError:
                    continue
    return found


def files_that_spill(one: Migration, moment: float) -> tuple:
    """Return the files that hold a secret, the user's own aside, and how many were looked at."""
    lab = one.lab
    tops = [(one.directory, True), (lab.source.directory, True), (lab.target.directory, True), (ROOT, False)]
    tops += [(ANSIBLE / "tmp", False), (ANSIBLE / "remote", False)]
    own = one.directory / "vault.yml"
    hits, files = [], set(written_since(moment, tops)) - {own}
    for path in files:
        try:
            if spilled(path.read_bytes()):
                hits.append(str(path))
        except OSError:
            continue
    return hits, files


def test_passwords_are_nowhere(odd):
    moment = time.time() - 1
    with Watch(spilled) as watch:
        good = odd.play("site", "-vvv", azpg_max_bytes_per_second=3000000)
        journal = odd.archive / "journal.sqlite"
        # Failures have more to say.
        odd.name = "mistaken"
        odd.ends["target"] = {**odd.ends["target"], "password": WRONG}
        bad = odd.play("site", "-vvv")
    good.good()
    assert bad.code == 2 and "password authentication failed" in bad.output
    assert watch.hits == set()
    assert watch.rounds > 50, "processes were hardly looked at"
    assert {"worker", "run", "pg_dump", "ansible-playbook"} <= watch.seen, watch.seen
    for play in (good, bad):
        assert "-vvv" not in play.output and "invocation" in play.output, "the output is not the talkative one"
        assert not spilled(play.output.encode())
    hits, files = files_that_spill(odd, moment)
    assert hits == []
    names = {path.name for path in files}
    assert journal in files
    assert {"final-record.json", "verification.json", "verification.html", "engine.log", "server.log"} <= names


def test_passwords_are_in_no_result_of_a_module(odd):
    """Even an error that libpq words, and an error of the engine, show no password."""
    odd.provision()
    odd.ends["target"] = {**odd.ends["target"], "password": WRONG}
    for module in ("runtime_server", "migration", "verification", "premigration_check"):
        result = odd.module(module)
        assert result.failed
        assert not spilled(result.output.encode()), module
