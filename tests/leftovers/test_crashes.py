# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine dies at each of its creations: once it has written down what it will make, and once it has made it.

Afterwards a rollback knows all that is there, on both servers, and nothing is left. Neither is when the rollback itself dies, at
any statement or file, and is run again.
"""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path

import pytest
from support.migrations import ANSIBLE, ROOT, Migration
from support.online import make
from support.servers import USER, ask, catalogue, contents, drop_database
from support.waiting import wait_for

# Runs at the start of every Python; only the engine writes to a journal. An entry is written before the thing is made, so
# that the process dies after it; any other change of the inventory comes after the thing has been made, or has gone.
DEADLY = """
import os, signal, sqlite3

class Connection(sqlite3.Connection):
    number = 0

    def execute(self, sql, *more):
        words = sql.split()[:3]
        entry, change = words == ["INSERT", "INTO", "created"], words[:2] == ["UPDATE", "created"]
        Connection.number += entry or change
        if Connection.number != int(os.environ["DIES_AT"]) or not (entry or change):
            return super().execute(sql, *more)
        if entry:
            super().execute(sql, *more)
        os.kill(os.getpid(), signal.SIGKILL)

connect = sqlite3.connect
sqlite3.connect = lambda *words, **more: connect(*words, **{"factory": Connection, **more})
"""
# The same for cleanup: before each statement that changes a server, and before each file that comes or goes.
DEADLY_CLEANUP = """
import os, shutil, signal, sys
import psycopg2, psycopg2.extensions

CHANGES = ("DROP", "REVOKE", "ALTER", "GRANT", "UPDATE", "DELETE", "INSERT", "COMMIT")
seen = 0

def step(words):
    global seen
    seen += 1
    with open(os.environ["STEPS"], "a") as stream:
        print(words, file=stream)
    if seen == int(os.environ["DIES_AT"]):
        os.kill(os.getpid(), signal.SIGKILL)

class Cursor(psycopg2.extensions.cursor):
    def execute(self, sql, *more):
        if str(sql).lstrip().startswith(CHANGES):
            step(" ".join(str(sql).split()[:2]))
        return super().execute(sql, *more)

def before(module, name):
    function = getattr(module, name)
    def deadly(path, *words, **more):
        if os.environ["PLACE"] in str(path):
            step(name)
        return function(path, *words, **more)
    setattr(module, name, deadly)

connect = psycopg2.connect
psycopg2.connect = lambda *words, **more: connect(*words, **{"cursor_factory": Cursor, **more})
for module, name in ((os, "replace"), (os, "unlink"), (os, "rmdir"), (shutil, "copy2"), (shutil, "rmtree")):
    before(module, name)
"""
KINDS = {
    "offline": {"database", "role", "membership", "schema"},
    "online": {"publication", "replication slot", "replica identity"},
}


def deadly(directory: Path, program: str, number: int, **more: str) -> tuple:
    """Return the words before a command that dies at step I(number)."""
    place = directory / "deadly"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(program, encoding="utf-8")
    places = os.pathsep.join((str(place), str(ROOT), str(ANSIBLE / "collections")))
    return ("env", f"PYTHONPATH={places}", f"DIES_AT={number}", *(f"{word}={text}" for word, text in more.items()))


def offline(lab, directory: Path, name: str) -> Migration:
    """Return an offline migration of a new database."""
    return Migration(lab, directory, name, [lab.new_database(name.replace("-", "_"))])


def online(lab, directory: Path, name: str) -> Migration:
    """Return an online migration of a new database with a table that has no key."""
    return make(lab, directory, name, without_identity="full")


def last(one: Migration) -> tuple:
    """Return kind and state of what the inventory was changed about last; nothing when the engine came to its end."""
    found = one.journal("SELECT kind, state FROM created WHERE state = 'intended' ORDER BY id DESC LIMIT 1")
    return found[0] if found else ()


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_a_rollback_knows_what_an_engine_that_died_at_a_creation_has_made(clean, tmp_path, mode):
    lab, died = clean, set()
    # Otherwise the role of the first one is on the source's catalogue only from then on.
    ask(lab.source, f"ALTER ROLE {USER} REPLICATION")
    for number in itertools.count(1):
        directory = tmp_path / str(number)
        directory.mkdir()
        one = {"offline": offline, "online": online}[mode](lab, directory, f"dies-{mode}-{number}")
        database = one.databases[0]
        before = catalogue(lab.source), contents(lab.source, database), catalogue(lab.target)
        one.provision()
        goal = {"online": "replicating", "offline": "completed"}[mode]
        prefix = deadly(tmp_path, DEADLY, number)
        # It may die before anybody has seen it alive, or while somebody looks.
        one.end(one.begin("migration", prefix=prefix, state=goal, wait=False))
        wait_for(lambda one=one: not one.engine() or one.module("migration_info")["state"] == "replicating", "its end")
        state = one.module("migration_info").good()["state"]
        if state in ("completed", "replicating"):
            break
        assert state == "interrupted", "it did not die"
        at = last(one)
        died.add(at[:1])
        there = ask(lab.target, "SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles")
        named = {
            kind: [name for (name,) in one.journal("SELECT name FROM created WHERE kind = ?", kind) if (name,) in there]
            for kind in ("database", "role")
        }
        done = one.module(
            "cleanup",
            outcome="rolled_back",
            confirm=one.name,
            drop_databases=named["database"],
            drop_roles=named["role"],
            keep=[],
        ).good()
        what = f"died at {number}, {at}; removed {done['removed']}"
        assert (catalogue(lab.source), contents(lab.source, database), catalogue(lab.target)) == before, what
        assert done["remaining"] == [], what
        assert not one.private.exists(), what
        drop_database(lab.source, database)
    one.module("migration", state="cancelled")
    one.module("cleanup", outcome="rolled_back", confirm=one.name)
    assert number > len(KINDS[mode])
    assert {kind for (kind,) in filter(None, died)} >= KINDS[mode]


def test_a_rollback_that_dies_is_completed_by_the_next(clean, tmp_path):
    lab, steps = clean, tmp_path / "steps"
    for number in itertools.count(1):
        directory = tmp_path / str(number)
        directory.mkdir()
        name = f"dies-undone-{number}"
        one = Migration(lab, directory, name, [lab.new_database(name.replace("-", "_"), "seed_bulk")])
        database = one.databases[0]
        before = catalogue(lab.source), contents(lab.source, database), catalogue(lab.target)
        one.half_way()
        one.module("migration", state="cancelled").good()
        words = {
            "outcome": "rolled_back",
            "confirm": one.name,
            "drop_databases": one.made("database"),
            "drop_roles": one.made("role"),
        }
        steps.write_text("", encoding="utf-8")
        prefix = deadly(tmp_path, DEADLY_CLEANUP, number, STEPS=str(steps), PLACE=str(directory))
        process = one.begin("cleanup", prefix=prefix, **words)
        with process:
            output = process.stdout.read()
        at = steps.read_text(encoding="utf-8").split("\n")[:-1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL and len(at) == number, output
        assert one.module("cleanup", **words).good()["state"] == "decommissioned", at
        assert (catalogue(lab.source), contents(lab.source, database), catalogue(lab.target)) == before, at
        assert not one.state.exists() and (one.archive / "final-record.html").exists(), at
        drop_database(lab.source, database)
    assert {"DROP DATABASE", "DROP ROLE", "replace", "rmtree", "copy2", "rmdir"} <= set(at), at
