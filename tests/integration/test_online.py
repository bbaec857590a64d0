# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Online migrations: the application goes on writing until the cutover, and nothing is lost."""

from __future__ import annotations

import contextlib
import re
import shutil

import psycopg2
import pytest
from support.online import CHANGES, make
from support.servers import USER, ask, contents, run, session
from support.waiting import wait_for

PASSABLE = {"without_identity": "full", "table_identity": {"app.left_out": "exclude"}}


@pytest.fixture
def online(clean, tmp_path):
    """Give a function that makes an online migration of a new database."""
    made = []

    def build(name: str, **options):
        made.append(make(clean, tmp_path, name, **options))
        return made[-1]

    yield build
    for one in made:
        one.close()
        for (slot,) in ask(clean.source, "SELECT slot_name FROM pg_replication_slots"):
            wait_for(lambda slot=slot: drop_slot(clean, slot), "the slot's end")


def drop_slot(lab, slot: str) -> bool:
    """Drop a slot whose reader has just been killed; return whether it is gone."""
    with contextlib.suppress(psycopg2.errors.ObjectInUse):
        ask(lab.source, f"SELECT pg_drop_replication_slot('{slot}')")
        return True
    return False


def equal(one, *, without: tuple = ()) -> None:
    """Compare all tables of both sides."""
    found = [contents(cluster, one.databases[0]) for cluster in (one.lab.source, one.lab.target)]
    source, target = ({name: sums for name, sums in side.items() if name not in without} for side in found)
    assert source == target


def test_the_whole_way(online):
    one = online("online-way", **PASSABLE)
    first = one.replicate()
    assert first["changed"] and first["state"] == "replicating"
    assert not one.replicate()["changed"]
    assert one.left_on_source() != []
    one.source(CHANGES)
    one.wait_until_applied()
    equal(one, without=("app.left_out", "app.unlogged"))
    (database,) = one.progress()["databases"]
    assert database["state"] == "replicating" and database["stream"]["slot"] == "kept"
    assert database["stream"]["applied_changes"]["inserts"] >= 150
    assert one.target("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == ""

    trial = one.module("migration", check_mode=True).good()
    assert trial["changed"] and trial["state"] == "replicating"
    assert "put up a fence" in trial["diff"]["after"]
    # As the playbook has it, which ends with what the cutover has cost and how the fence comes down.
    words = {"grace_seconds": 60, **one.options}
    with session(one.lab.source, one.databases[0]) as application:
        cutting = one.begin_play("cutover", azpg_mode="online", azpg_online=words, azpg_poll_interval=1)
        fence = [('"cutover: fence around the source"',)]
        wait_for(lambda: one.journal("SELECT value FROM meta WHERE key = 'phase'") == fence, "the fence")
        # Until it has left, the application takes numbers; the rest of the migration was prepared long before.
        run(application, "SELECT nextval('app.child_id_seq') FROM generate_series(1, 100)")
    cut = one.end_play(cutting).good()
    assert cut.changed == 1 and re.search(
        r"cut over: nobody could write for .*; the fence around the source stays", cut.output
    )
    result = one.module("migration").good()
    assert result["state"] == "completed" and not result["changed"]
    assert result["migration"]["cutover"]["write_downtime_seconds"] < 30
    assert one.left_on_source() == []
    equal(one)
    looks = (
        "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
        "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1",
        "SELECT n FROM app.sums",
        "SELECT count(*), sum(hashtext(lo_get(oid)::text)::bigint) FROM pg_largeobject_metadata",
        "SELECT relname, relreplident FROM pg_class WHERE relkind = 'r' AND relnamespace = 'app'::regnamespace ORDER BY 1",
    )
    for look in looks:
        assert one.source(look) == one.target(look), look
    (source, target) = (int(side("SELECT last_value FROM app.child_id_seq")) for side in (one.source, one.target))
    assert target == source + 32, "a source that crashes later may have come so much further"
    assert not one.module("migration")["changed"]
    # The source is fenced, so it can be compared at leisure; then the fence comes down.
    verified = one.module("verification").good()
    assert verified["verification"]["verdict"] == "MATCH", verified["verification"]["reason"]
    with pytest.raises(Exception, match="read-only"):
        one.lab.source.psql("INSERT INTO app.parent VALUES (-1, 'x')", dbname=one.databases[0])
    one.module("verification", fence="down").good()
    one.source("SET ROLE app_owner; INSERT INTO app.parent VALUES (-1, 'x'); DELETE FROM app.parent WHERE id = -1")


def test_tables_without_identity_stop_it_before_anything_is_done(online):
    one = online("online-undecided")
    one.provision()
    result = one.module("migration", state="replicating")
    assert result.failed and "app.keyless" in result["msg"] and "without_identity" in result["msg"]
    assert one.left_on_source() == []
    assert ask(one.lab.source, "SELECT 1 FROM pg_replication_slots") == []


def test_missing_rights_are_named(online):
    one = online("online-rights", **PASSABLE)
    one.provision()
    ask(one.lab.source, f"ALTER ROLE {USER} NOREPLICATION")
    result = one.module("migration", state="replicating")
    assert result.failed and "REPLICATION" in result["msg"]
    ask(one.lab.source, f"ALTER ROLE {USER} REPLICATION")
    one.source(f"CREATE TABLE app.others (id int PRIMARY KEY); GRANT SELECT ON app.others TO {USER}")
    result = one.module("migration", state="replicating")
    assert result.failed and "may publish every table" in result["msg"]
    assert one.left_on_source() == []


def test_changed_definitions_are_noticed_and_named(online):
    one = online("online-definitions", more="")
    one.replicate()
    one.source("ALTER TABLE app.quiet ADD more integer; INSERT INTO app.quiet VALUES (1000, 1, 1)")
    wait_for(lambda: one.progress()["state"] == "failed", "the end of the engine")
    error = one.progress()["error"]["msg"]
    assert "app.quiet" in error and "column more" in error
    one.target("ALTER TABLE app.quiet ADD more integer")
    one.source("SET ROLE app_owner; CREATE FUNCTION app.new() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert one.replicate()["state"] == "replicating"
    one.wait_until_applied()
    equal(one)
    refused = one.module("migration")
    assert refused.failed and "function app.new() is new on the source" in refused["msg"]
    assert one.progress()["state"] == "replicating"
    one.source("INSERT INTO app.quiet VALUES (1001, 1, 1)")  # nobody was kept out
    one.target("SET ROLE app_owner; CREATE FUNCTION app.new() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert one.module("migration").good()["state"] == "completed"
    equal(one)


def test_an_application_may_empty_tables_during_the_base_copy(online):
    one = online("online-emptied", seed="seed_bulk", more="")
    one.provision()
    one.module("migration", state="replicating", wait=False, max_bytes_per_second=1_500_000).good()
    done = "SELECT label FROM unit WHERE kind = 'table' AND state = 'done'"
    (copied,) = wait_for(lambda: one.journal(done), "a table that is copied")[0]
    waiting = one.journal("SELECT label FROM unit WHERE kind = 'table' AND state = 'pending' ORDER BY unit DESC")
    later = waiting[0][0]
    for table in (copied, later):
        one.source(f"SET lock_timeout = '3s'; TRUNCATE {table}; INSERT INTO {table} VALUES (1, 'after'), (2, 'after')")
    one.source(f"UPDATE {later} SET note = 'changed' WHERE id = 2")
    result = one.module("migration", state="replicating").good()
    assert result["state"] == "replicating"
    assert f"copied under a new snapshot: {later}" in one.events()
    # Its own one, which is younger than the run's.
    own = f"SELECT snapshot = (SELECT max(number) FROM azpg_migrate.snapshot) FROM azpg_migrate.unit WHERE unit LIKE 'table:{later}:%'"
    assert one.target(own).strip() == "t"
    one.wait_until_applied()
    equal(one)
    assert one.module("migration").good()["state"] == "completed"
    equal(one)


def test_a_conflict_stops_it_and_names_the_row(online):
    one = online("online-conflict", more="")
    one.replicate()
    one.target("DELETE FROM app.quiet WHERE id = 7")
    one.source("UPDATE app.quiet SET amount = -1 WHERE id = 7; UPDATE app.quiet SET amount = -2 WHERE id = 8")
    wait_for(lambda: one.progress()["state"] == "failed", "the end of the engine")
    error = one.progress()["error"]
    assert "(id) = (7)" in error["msg"] and "the target has no such row" in error["msg"]
    assert error["details"]["operation"] == "UPDATE" and "/" in error["details"]["commit_lsn"]
    one.target("INSERT INTO app.quiet VALUES (7, 0)")
    assert one.replicate()["state"] == "replicating"
    one.wait_until_applied()
    equal(one)


def test_giving_up_leaves_nothing_on_the_source(online):
    one = online("online-given-up", **PASSABLE)
    one.replicate()
    assert {kind for kind, _name in one.left_on_source()} == {"slot", "publication", "identity"}
    refused = one.module("cleanup", outcome="abandoned", confirm=one.name)
    assert refused.failed and "state=cancelled" in refused["msg"]
    assert one.module("migration", state="cancelled").good()["state"] == "cancelled"
    assert one.left_on_source() != []
    trial = one.module("cleanup", outcome="abandoned", confirm=one.name, check_mode=True).good()
    assert sum("replication slot" in line or "publication" in line for line in trial["removed"]) == 2
    # The runtime host may be lost by then: what was made is known from the servers.
    shutil.rmtree(one.state)
    again = one.module("cleanup", outcome="abandoned", confirm=one.name, check_mode=True).good()
    on_source = [{line for line in told["removed"] if line.startswith("source: ")} for told in (trial, again)]
    assert on_source[0] == on_source[1] and len(on_source[0]) > 2
    one.module("cleanup", outcome="abandoned", confirm=one.name).good()
    assert one.left_on_source() == []


def test_a_slot_that_holds_back_too_much_is_dropped_and_made_anew(online):
    one = online("online-limit", more="", max_retained_bytes=2_000_000)
    one.replicate()
    with session(one.lab.target, one.databases[0]) as blocker:
        run(blocker, "BEGIN; LOCK TABLE app.quiet IN ACCESS EXCLUSIVE MODE")
        one.source("UPDATE app.quiet SET amount = -1 WHERE id = 7")
        one.source("INSERT INTO app.parent SELECT g, repeat('x', 200) FROM generate_series(10000, 22000) g")
        wait_for(lambda: one.progress()["state"] == "failed", "the end of the engine", 60)
    assert "max_retained_bytes" in one.progress()["error"]["msg"]
    assert {kind for kind, _name in one.left_on_source()} == {"publication"}
    one.options = {}
    again = one.replicate()
    assert again["state"] == "replicating" and any("is gone" in warning for warning in again["migration"]["warnings"])
    assert one.attempts()["app.child"] == 1, "an equal table was copied again"
    one.source("UPDATE app.quiet SET amount = -3 WHERE id = 9")
    one.wait_until_applied()
    equal(one)
