# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is killed in the middle, nothing is lost and nothing is done twice: the next run goes on."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest
from support.migrations import Migration, alive, children
from support.servers import ask, contents, run, session
from support.waiting import wait_for

RATE = 1600000
MIDDLE = (0.2, 0.8)


def reach_the_middle(one: Migration) -> None:
    """Wait until a good quarter of the bytes, and at least one whole table, has been carried."""
    done = "SELECT 1 FROM unit WHERE kind = 'table' AND state = 'done'"
    wait_for(lambda: one.share() >= 0.3 and one.journal(done), "the middle of the copy")


def in_the_middle(one: Migration) -> float:
    """Return how much has been carried, after making sure that it is neither the beginning nor the end."""
    share = one.share()
    assert MIDDLE[0] < share < MIDDLE[1], f"the journal says {share:.0%}"
    return share


def proven(one: Migration) -> None:
    """Make sure that source and target hold the same."""
    name = one.databases[0]
    assert contents(one.lab.source, name) == contents(one.lab.target, name)
    result = one.module("verification").good()
    assert result["verification"]["verdict"] == "MATCH", result["verification"]["reason"]


def test_controller_killed_in_the_middle_of_the_copy(migration):
    one = migration("controller", "seed_bulk")
    one.provision()
    controller = one.begin_play("migrate", azpg_max_bytes_per_second=RATE)
    reach_the_middle(one)
    for process in [controller.pid, *children(controller.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    killed_at = in_the_middle(one)
    with controller:
        assert controller.wait() == -signal.SIGKILL
    engine = one.engine()
    assert engine, "the transfer has ended with its controller"
    wait_for(lambda: one.share() > killed_at, "progress without a controller")
    assert one.engine() == engine
    again = one.begin_play("migrate", azpg_max_bytes_per_second=RATE)
    # For as long as an engine lives it is the first one.
    seen = set()
    while again.poll() is None:
        seen.add(one.engine())
    play = one.end_play(again).good()
    assert seen <= {engine, None} and play.changed == 0
    assert set(one.attempts().values()) == {1}
    proven(one)


def test_engine_killed_in_the_middle_of_the_copy(migration):
    one = migration("engine", "seed_bulk")
    one.provision()
    one.module("migration", wait=False, max_bytes_per_second=RATE).good()
    reach_the_middle(one)
    one.kill_engine()
    in_the_middle(one)
    labels = one.journal("SELECT label FROM unit WHERE kind = 'table' AND state = 'done'")
    finished = {label for (label,) in labels}
    assert finished
    assert one.module("migration_info").good()["state"] == "interrupted"
    result = one.module("migration").good()
    assert result["changed"] and result["state"] == "completed"
    attempts = one.attempts()
    assert {attempts[label] for label in finished} == {1}, "a table that was proven equal was copied again"
    assert max(attempts.values()) == 2
    assert "finished copies are compared with the source" in one.events()
    assert "copied again" not in one.events()
    proven(one)


def test_source_changed_while_the_engine_was_dead(migration):
    one = migration("changed", "seed_bulk")
    one.provision()
    one.module("migration", wait=False, max_bytes_per_second=RATE).good()
    reach_the_middle(one)
    one.kill_engine()
    ((label,),) = one.journal("SELECT label FROM unit WHERE kind = 'table' AND state = 'done' ORDER BY unit LIMIT 1")
    ask(one.lab.source, f"UPDATE {label} SET note = 'changed' WHERE id = 1", "changed")
    assert one.module("migration").good()["state"] == "completed"
    assert f"Changed on the source since, copied again: {label}." in one.events()
    assert one.attempts()[label] == 2
    proven(one)


def test_killed_again_before_the_second_copy(migration):
    one = migration("twice-dead", "seed_held")
    name = one.databases[0]
    lab = one.lab
    lab.empty_on_target(name)
    one.provision()
    with session(lab.target, name) as gate, session(lab.target, name) as lock:
        run(gate, "SELECT pg_advisory_lock(1)")
        one.module("migration", wait=False).good()
        done = "SELECT 1 FROM unit WHERE label LIKE '%quiet_pkey' AND state = 'done'"
        wait_for(lambda: one.journal(done), "the small tables and their keys")
        one.kill_engine()
        ask(lab.source, "DELETE FROM app.quiet WHERE id = 1", name)
        # The second copy has to empty the table first, and cannot.
        run(lock, "BEGIN; LOCK TABLE app.quiet IN ACCESS SHARE MODE")
        one.module("migration", wait=False).good()
        wait_for(lambda: "copied again: app.quiet." in one.events(), "the difference to be found")
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'TRUNCATE%app%quiet%'"
        wait_for(lambda: ask(lab.target, waits), "the second copy to wait")
        one.kill_engine()
        run(gate, "SELECT pg_advisory_unlock(1)")
    assert one.module("migration").good()["state"] == "completed"
    proven(one)


@pytest.mark.parametrize("kind", ["key", "foreign_key", "statistics"])
def test_engine_killed_after_the_copy(migration, kind):
    one = migration(f"late-{kind}", "seed_held")
    name = one.databases[0]
    lab = one.lab
    lab.empty_on_target(name)
    if kind == "statistics":  # of a table with heirs they are gathered in the end
        ask(lab.source, "SET ROLE app_owner; CREATE TABLE app.heir () INHERITS (app.quiet)", name)
    one.provision()

    def running(what: str) -> list:
        return one.journal("SELECT unit FROM unit WHERE kind = ? AND state = 'running'", what)

    def held_up() -> bool:
        # Others of the same kind go through.
        query = {"key": "%held_index%", "foreign_key": "%FOREIGN KEY%", "statistics": "ANALYZE%quiet%"}[kind]
        waits = f"SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '{query}'"
        return bool(running(kind) and ask(lab.target, waits))

    with session(lab.target, name) as gate, session(lab.target, name) as lock:
        # The index of app.held waits for this lock on the target, so there is time to set the stage.
        run(gate, "SELECT pg_advisory_lock(1)")
        one.module("migration", wait=False).good()
        wait_for(lambda: running("key"), "the index that waits")
        done = "SELECT 1 FROM unit WHERE label LIKE '%quiet_pkey' AND state = 'done'"
        wait_for(lambda: one.journal(done), "the small tables and their keys")
        if kind == "foreign_key":
            run(lock, "BEGIN; LOCK TABLE app.parent IN SHARE MODE")
        if kind == "statistics":
            run(lock, "BEGIN; LOCK TABLE app.quiet IN SHARE UPDATE EXCLUSIVE MODE")
        if kind != "key":
            run(gate, "SELECT pg_advisory_unlock(1)")
        wait_for(held_up, f"a unit of kind {kind} that is held up")
        one.kill_engine()
        assert running(kind)
    assert one.module("migration_info").good()["state"] == "interrupted"
    assert one.module("migration").good()["state"] == "completed"
    assert set(one.attempts().values()) == {1}
    proven(one)


CHECKED = """
SET ROLE app_owner;
CREATE TABLE app.heir () INHERITS (app.quiet);
CREATE TABLE app.known (id integer PRIMARY KEY);
CREATE FUNCTION app.is_known(integer) RETURNS boolean LANGUAGE sql
  AS 'SELECT EXISTS (SELECT 1 FROM app.known WHERE id = $1)';
CREATE TABLE app.uses (id integer PRIMARY KEY, known integer, note text,
  CONSTRAINT uses_known CHECK (app.is_known(known)));
INSERT INTO app.known SELECT generate_series(1, 100);
INSERT INTO app.uses SELECT g, 1 + g % 100, repeat('x', 200) FROM generate_series(1, 2000) g;
"""


def test_check_that_reads_another_table_is_off_for_the_second_copy(migration):
    one = migration("checked", "seed_held")
    name = one.databases[0]
    lab = one.lab
    ask(lab.source, CHECKED, name)
    lab.empty_on_target(name)
    one.provision()
    with session(lab.target, name) as gate, session(lab.target, name) as lock:
        run(gate, "SELECT pg_advisory_lock(1)")
        one.module("migration", wait=False).good()
        copied = "SELECT 1 FROM unit WHERE label = 'app.quiet' AND kind = 'table' AND state = 'done'"
        wait_for(lambda: one.journal(copied), "the small tables")
        run(lock, "BEGIN; LOCK TABLE app.quiet IN SHARE UPDATE EXCLUSIVE MODE")
        run(gate, "SELECT pg_advisory_unlock(1)")
        # Those of a table with heirs are gathered in the end.
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ANALYZE%quiet%'"
        wait_for(lambda: ask(lab.target, waits), "the statistics")
        one.kill_engine()
        valid = "SELECT convalidated FROM pg_constraint WHERE conname = 'uses_known'"
        assert ask(lab.target, valid, name) == [(True,)], "the check was not back yet"
        ask(lab.source, "INSERT INTO app.known VALUES (101); INSERT INTO app.uses VALUES (0, 101, 'new')", name)
    # One worker brings the larger table first, which needs rows of the smaller one.
    assert one.module("migration", jobs=1).good()["state"] == "completed"
    assert "Taken off the target for that, and made anew afterwards:" in one.events() and "uses_known" in one.events()
    assert ask(lab.target, valid, name) == [(True,)]
    assert {one.attempts()[label] for label in ("app.known", "app.uses")} == {2}
    proven(one)


def test_cancelled_transfer_ends_at_once_and_leaves_no_process(migration):
    one = migration("stopped", "seed_bulk")
    one.provision()
    one.module("migration", wait=False, max_bytes_per_second=RATE).good()
    reach_the_middle(one)
    engine = one.engine()
    workers = children(engine)
    assert workers
    assert one.module("migration", state="cancelled").good()["changed"]
    wait_for(lambda: not any(alive(process) for process in (engine, *workers)), "the end of all processes", 10)
    assert not one.module("migration", state="cancelled").good()["changed"]
