# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: what is planned, begun and done, what was created, and the progress that is read from it."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import progress as progress_module
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.journal import Journal, open_reader
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.progress import (
    inventory,
    read_progress,
    slowest_tables,
)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "journal.sqlite")


@pytest.fixture
def journal(path):
    journal = Journal(path)
    yield journal
    journal.close()


@pytest.fixture
def time(monkeypatch):
    """Time that stands still until somebody moves it; the journal and its readers see the same."""

    class Clock:
        seconds = 1_000_000.0

        def time(self):
            return self.seconds

    clock = Clock()
    monkeypatch.setattr("ansible_collections.azpg.migrate.plugins.module_utils._transfer.journal.time", clock)
    monkeypatch.setattr("ansible_collections.azpg.migrate.plugins.module_utils._transfer.trace.time", clock)
    monkeypatch.setattr(progress_module, "time", clock)
    return clock


PLAN = [
    ("t1", "table", "app.a", 1000, 1000),
    ("t2", "table", "app.b", 3000, 3000),
    ("k1", "key", "index i", 0, 500),
]


def unit(path: str, name: str) -> dict:
    with open_reader(path) as connection:
        return progress_module.query(connection, "SELECT * FROM unit WHERE unit = ?", name)[0]


def test_file_is_private(path, journal):
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600


def test_nothing_without_a_journal(path):
    assert read_progress(path) is None
    assert inventory(path) == []
    assert slowest_tables(path) == []


def test_facts_are_kept(journal):
    journal.set(state="running", error={"msg": "ü"})
    journal.set(state="failed")
    assert journal.get("state") == "failed"
    assert journal.get("error") == {"msg": "ü"}
    assert journal.get("unknown") is None


def test_life_of_a_unit(path, journal):
    journal.plan("shop", PLAN)
    assert unit(path, "t1")["state"] == "pending"
    journal.started("shop", "t1")
    journal.progress("shop", "t1", 400)
    found = unit(path, "t1")
    assert (found["state"], found["bytes_done"], found["attempts"]) == ("running", 400, 1)
    journal.failed("shop", "t1", "lost")
    assert (unit(path, "t1")["state"], unit(path, "t1")["error"]) == ("failed", "lost")
    journal.started("shop", "t1")
    found = unit(path, "t1")
    assert (found["bytes_done"], found["attempts"], found["error"]) == (0, 2, None)
    journal.finished("shop", {"t1": (7, 990)})
    found = unit(path, "t1")
    assert (found["state"], found["rows"], found["bytes_done"]) == ("done", 7, 990)


def test_several_units_begin_and_end_together(path, journal):
    journal.plan("shop", PLAN)
    journal.started("shop", "t1", "k1")
    assert [unit(path, name)["state"] for name in ("t1", "t2", "k1")] == ["running", "pending", "running"]
    journal.finished("shop", {"t1": (7, 990), "k1": (None, None)})
    assert [unit(path, name)["state"] for name in ("t1", "t2", "k1")] == ["done", "pending", "done"]


def test_planning_again_keeps_what_is_done(path, journal):
    journal.plan("shop", PLAN)
    journal.finished("shop", {"t1": (7, 990)})
    journal.plan("shop", [("t1", "table", "app.a", 1200, 1200)])
    found = unit(path, "t1")
    assert (found["state"], found["rows"], found["bytes_total"]) == ("done", 7, 1200)


def test_units_of_two_databases_do_not_meet(path, journal):
    journal.plan("shop", PLAN)
    journal.plan("billing", PLAN)
    journal.finished("shop", {"t1": (None, None)})
    databases = {}
    for name in ("shop", "billing"):
        journal.database(name, "running")
    for row in read_progress(path)["databases"]:
        databases[row["name"]] = row["tables_done"]
    assert databases == {"shop": 1, "billing": 0}


def test_database_states(journal):
    assert journal.database_state("shop") is None
    for state in ("pending", "running", "done"):
        journal.database("shop", state)
        assert journal.database_state("shop") == state


def test_creations_are_known_before_and_after(path, journal):
    journal.creating("target", None, "role", "bob")
    journal.creating("target", "shop", "database", "shop")
    journal.created("target", None, "role", "bob")
    journal.creating("target", None, "role", "bob")
    assert [(thing["name"], thing["state"]) for thing in journal.creations()] == [
        ("shop", "intended"),
        ("bob", "created"),
    ]
    assert [thing["name"] for thing in journal.creations("target", "role")] == ["bob"]
    assert journal.creations("source") == []
    journal.removed("target", None, "role", "bob")
    assert inventory(path)[-1] == {"side": "target", "database": "", "kind": "role", "name": "bob", "state": "removed"}
    # A second migration of the same name makes it again.
    journal.creating("target", None, "role", "bob")
    assert inventory(path)[-1]["state"] == "intended"


def test_what_is_going_to_be_made_is_on_disk_before_it_is(journal):
    said: list = []
    journal.connection.set_trace_callback(said.append)
    journal.creating("target", None, "role", "anna")
    journal.created("target", None, "role", "anna")
    words = [" ".join(line.split()[:4]) for line in said]
    assert words == [
        "PRAGMA synchronous = FULL",
        "INSERT INTO created (side,",
        "PRAGMA synchronous = NORMAL",
        "UPDATE created SET state",
    ]
    assert journal.connection.execute("PRAGMA synchronous").fetchone() == (1,)


def test_reader_cannot_write(path, journal):
    with open_reader(path) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM unit")


def test_progress_adds_up(path, journal, time):
    journal.set(state="running", started_at="1970-01-12T13:46:40Z", source_version=140023, target_version=170011)
    journal.database("shop", "running", "00000003-0000001B-1")
    journal.plan("shop", PLAN)
    journal.set(jobs=2)
    journal.begin_run(2)
    journal.begin_span("shop", 2, "t2", "table", "app.b", 1, 3000, 3000)
    journal.started("shop", "t2")
    time.seconds += 10
    journal.progress("shop", "t2", 1000)
    journal.sample(1, None)
    journal.started("shop", "t1")
    journal.finished("shop", {"t1": (5, 900)})
    found = read_progress(path)
    assert found["state"] == "running"
    assert found["elapsed_seconds"] == 10
    assert (found["bytes_total"], found["bytes_done"]) == (4000, 2000)
    assert (found["tables_total"], found["tables_done"], found["rows_done"]) == (2, 1, 5)
    assert (found["units_total"], found["units_done"]) == (3, 1)
    assert found["bytes_per_second"] == 200
    assert found["recent_bytes_per_second"] == 100
    # A worker takes ten seconds per thousand; two thirds of the table are by themselves more than half of all.
    assert found["seconds_left"] == 20
    assert (found["keys_done"], found["indexes_total"], found["foreign_keys_total"]) == (0, 0, 0)
    assert found["current"] == [
        {
            "worker": 2, "database": "shop", "kind": "table", "label": "app.b", "bytes_total": 3000, "bytes_done": 1000,
            "since": "1970-01-12T13:46:40Z", "seconds": 10,
        }
    ]  # fmt: skip
    assert found["versions"] == {"source": 140023, "target": 170011, "client": None}
    assert found["error"] is None


def test_copy_rate_counts_the_time_of_copying_only(path, journal, time):
    # Two databases, one after the other, with something else in between.
    for database in ("shop", "billing"):
        journal.plan(database, PLAN)
        journal.started(database, "t2")
        time.seconds += 10
        journal.finished(database, {"t2": (1, 3000)})
        time.seconds += 1000
    assert read_progress(path)["bytes_per_second"] == 300


def test_progress_never_counts_more_of_a_table_than_it_has(path, journal):
    journal.plan("shop", PLAN)
    journal.started("shop", "t1")
    journal.progress("shop", "t1", 5000)
    assert read_progress(path)["bytes_done"] == 1000


def test_progress_of_an_empty_journal(path, journal):
    found = read_progress(path)
    assert found["state"] == "absent"
    assert found["bytes_total"] == found["units_total"] == 0
    assert found["bytes_per_second"] is None and found["seconds_left"] is None


def test_no_estimate_after_the_end(path, journal, time):
    journal.set(state="completed", started_at="1970-01-12T13:46:40Z", finished_at="1970-01-12T13:48:20Z")
    journal.plan("shop", PLAN)
    journal.started("shop", "t1")
    time.seconds += 500
    found = read_progress(path)
    assert found["elapsed_seconds"] == 100
    assert found["seconds_left"] is None


def test_newest_events_and_all_warnings(path, journal):
    for number in range(30):
        journal.event(f"event {number}", "warning" if number < 2 else "info", "shop")
    found = read_progress(path)
    assert [event["message"] for event in found["events"]] == [f"event {number}" for number in range(10, 30)]
    assert found["warnings"] == ["event 0", "event 1"]


def test_slowest_tables_first(path, journal, time):
    journal.plan("shop", PLAN)
    for name, seconds in (("t1", 3), ("t2", 8), ("k1", 20)):
        journal.started("shop", name)
        time.seconds += seconds
        journal.finished("shop", {name: (1, None)})
    assert [(item["label"], item["seconds"]) for item in slowest_tables(path)] == [("app.b", 8), ("app.a", 3)]


def test_indexes_and_keys_of_databases_to_come_are_counted_from_the_survey(path, journal):
    journal.expect(
        "shop", {"table": (1, 70, 1.0), "index": (3, None, 1.0), "key": (2, None, 1.0), "foreign_key": (1, None, 1.0)}
    )
    journal.expect("billing", {"table": (1, 30, 1.0), "index": (4, None, 1.0), "key": (1, None, 1.0)})
    journal.plan("shop", [(name, "key", name, 0, 1) for name in ("INDEX:a", "INDEX:b", "CONSTRAINT:c")])
    journal.finished("shop", {"INDEX:a": (None, None)})
    found = read_progress(path)
    assert (found["indexes_total"], found["indexes_done"]) == (2 + 4, 1)
    assert (found["keys_total"], found["keys_done"]) == (1 + 1, 0)
    assert (found["foreign_keys_total"], found["rows_total"]) == (1, 100)


def test_an_older_journal_gets_what_is_new(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE unit (database TEXT, unit TEXT, kind TEXT, state TEXT, bytes_total INTEGER)")
    connection.close()
    journal = Journal(path)
    columns = {row[1] for row in journal.connection.execute("PRAGMA table_info(unit)")}
    journal.close()
    assert {"work", "planned"} <= columns


def test_units_that_are_planned_no_more_are_forgotten(tmp_path):
    journal = Journal(str(tmp_path / "journal.sqlite"))
    portion, table = ("large objects:1-500", "large_objects", "a", 0, 1), ("table:t", "table", "t", 1, 1)
    journal.plan("shop", [portion, table])
    journal.plan("other", [portion])
    journal.plan("shop", [table], whole=True)
    left = journal.connection.execute("SELECT database, unit FROM unit ORDER BY 1, 2").fetchall()
    journal.close()
    assert left == [("other", "large objects:1-500"), ("shop", "table:t")]


def test_plan_that_breaks_off_leaves_the_journal_as_it_was(path, journal):
    def broken():
        yield "t9", "table", "app.z", 1, 1
        raise OSError

    journal.plan("shop", PLAN)
    with pytest.raises(OSError):
        journal.plan("shop", broken(), whole=True)
    with open_reader(path) as connection:
        known = progress_module.query(connection, "SELECT unit FROM unit WHERE planned ORDER BY 1")
    assert [row["unit"] for row in known] == ["k1", "t1", "t2"]
    journal.started("shop", "t1")
