# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine does to be quick loses no row and hides no error: parts, foreign keys taken over, psql, large objects."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.quoting import quote_literal
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import load_settings
from support.migrations import Migration, alive, children
from support.processes import Watch
from support.servers import HOLD, USER, ask, contents, drop_database, run, session
from support.waiting import wait_for

REPLICA = "PARAMETER session_replication_role"

# 41 MB, of which 40 lie out of line; a dropped column, a generated one, empty pages at the end, which no vacuum may take
# away (33 MB would be too little for parts), and two children.
WIDE = """
CREATE TABLE app.wide (gone integer, id integer PRIMARY KEY, twice integer GENERATED ALWAYS AS (id * 2) STORED, body text)
  WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE app.wide DROP COLUMN gone, ALTER body SET STORAGE EXTERNAL;
INSERT INTO app.wide (id, body) SELECT g, repeat(md5(g::text), 250) FROM generate_series(1, 5000) g;
DELETE FROM app.wide WHERE id > 4000;
CREATE TABLE app.wide_child (more integer) INHERITS (app.wide);
INSERT INTO app.wide_child (id, body, more) SELECT g, 'child', g FROM generate_series(10001, 10100) g;
CREATE TABLE app.wide_grandchild () INHERITS (app.wide_child);
INSERT INTO app.wide_grandchild (id, body, more) SELECT g, 'grandchild', g FROM generate_series(20001, 20050) g;
"""

# Names that mean something to psql, to format strings and to shells; 20 MB that go in one stream.
ODD_TABLE = '"sch:ema \\ \'x\'"."t""a:\'b\' \\q %s $$ 表;--"'
ODD = f"""
CREATE SCHEMA "sch:ema \\ 'x'";
CREATE TABLE {ODD_TABLE} ("c:ol ""u"" \\g %d ü" integer PRIMARY KEY, ":id" text, numbers integer[], flag boolean);
INSERT INTO {ODD_TABLE} SELECT g, repeat(md5(g::text), 50) || E'\\\\.\\n\\\\g \\t:id é', ARRAY[g, NULL, -g], g % 2 = 0
  FROM generate_series(1, 11000) g;
CREATE INDEX "first' index" ON {ODD_TABLE} (md5(":id"));
ALTER TABLE {ODD_TABLE} ADD CONSTRAINT "odd: ""key"" \\;" UNIQUE (flag, "c:ol ""u"" \\g %d ü") INCLUDE (numbers)
  WITH (fillfactor=70) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE {ODD_TABLE} CLUSTER ON "t""a:'b' \\q %s $$ 表;--_pkey";
ALTER TABLE {ODD_TABLE} ALTER numbers SET NOT NULL, REPLICA IDENTITY USING INDEX "t""a:'b' \\q %s $$ 表;--_pkey";
COMMENT ON CONSTRAINT "odd: ""key"" \\;" ON {ODD_TABLE} IS 'odd';
"""
KEYS = f"""
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indimmediate, i.indisclustered, i.indisreplident,
       k.contype::text, pg_get_constraintdef(k.oid), k.condeferred, obj_description(k.oid, 'pg_constraint')
  FROM pg_index i LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid
 WHERE i.indrelid = {quote_literal(ODD_TABLE)}::regclass ORDER BY 1
"""

STATISTICS = """
CREATE TABLE app.pairs (a integer, b integer);
INSERT INTO app.pairs SELECT g % 10, g % 20 FROM generate_series(1, 1000) g;
CREATE STATISTICS app.related (dependencies, ndistinct) ON a, b FROM app.pairs;
CREATE TABLE app.tree (id integer, at integer, note text) PARTITION BY RANGE (at);
CREATE TABLE app.tree_1 PARTITION OF app.tree FOR VALUES FROM (0) TO (100);
CREATE TABLE app.tree_2 PARTITION OF app.tree FOR VALUES FROM (100) TO (200);
INSERT INTO app.tree SELECT g, g % 200, 'note ' || g FROM generate_series(1, 1000) g;
CREATE TABLE app.middle (id integer PRIMARY KEY, note text);
INSERT INTO app.middle SELECT g, repeat(md5(g::text), 40) FROM generate_series(1, 2000) g;
CREATE MATERIALIZED VIEW app.summary AS SELECT a, count(*) AS many FROM app.pairs GROUP BY a;
"""

# Sixteen leaves at two depths, half of them larger than what goes in a batch, and three indexes and a key over all of them;
# one index of the root is not whole on the source, and never was.
PARTITIONED = """
CREATE TABLE app.log (id integer, at integer, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
DO $do$ BEGIN
  FOR number IN 0..11 LOOP
    EXECUTE format('CREATE TABLE app.log_%s PARTITION OF app.log FOR VALUES FROM (%s) TO (%s) %s', number, number * 10,
                   number * 10 + 10, CASE WHEN number % 3 = 0 THEN 'PARTITION BY HASH (id)' ELSE '' END);
    FOR half IN 0..(CASE WHEN number % 3 = 0 THEN 1 ELSE -1 END) LOOP
      EXECUTE format('CREATE TABLE app.log_%s_%s PARTITION OF app.log_%s FOR VALUES WITH (MODULUS 2, REMAINDER %s)',
                     number, half, number, half);
    END LOOP;
  END LOOP;
END $do$;
INSERT INTO app.log SELECT g, CASE WHEN g % 20 = 0 THEN g / 20 % 120 ELSE 40 + g % 40 END, repeat(md5(g::text), 6)
  FROM generate_series(1, 30000) g;
CREATE INDEX log_note ON app.log (md5(note));
CREATE UNIQUE INDEX log_back ON app.log (at, id);
CREATE INDEX log_half ON ONLY app.log (id);
CREATE INDEX log_1_half ON app.log_1 (id);
ALTER INDEX app.log_half ATTACH PARTITION app.log_1_half;
"""
INDEXES = """
SELECT i.indexrelid::regclass::text, i.indisvalid, i.indisprimary, h.inhparent::regclass::text
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
 WHERE c.relname ~ '^log' ORDER BY 1
"""
INDEX_SPANS = (
    "SELECT worker, started, finished FROM span WHERE kind = 'key' AND outcome = 'done' AND unit LIKE ? ORDER BY 2"
)

OBJECTS = """
SELECT lo_create(0);
SELECT lo_from_bytea(0, 'x');
SELECT lo_from_bytea(0, convert_to(repeat(md5('a'), 262144), 'UTF8'));
SELECT lo_from_bytea(0, convert_to(repeat(md5('b'), 262144) || '!', 'UTF8'));
SELECT lo_from_bytea(0, convert_to(repeat(md5('c'), 655360), 'UTF8'));
"""
SIZES = [0, 1, 8 << 20, (8 << 20) + 1, 20 << 20]
OBJECT_IMAGES = """
SELECT oid::bigint, length(lo_get(oid)), md5(lo_get(oid)), pg_get_userbyid(lomowner) FROM pg_largeobject_metadata ORDER BY oid
"""

# A chain of three tables, a circle of two, and a table that refers to itself, all of more than 1 MB and copied alone.
CHAIN = """
CREATE TABLE app.a (id integer PRIMARY KEY, note text);
CREATE TABLE app.b (id integer PRIMARY KEY, a integer CONSTRAINT b_to_a REFERENCES app.a, note text);
CREATE TABLE app.c (id integer PRIMARY KEY, b integer CONSTRAINT c_to_b REFERENCES app.b, note text);
INSERT INTO app.a SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 1500) g;
INSERT INTO app.b SELECT g, 1 + g % 1500, repeat(md5(g::text), 30) FROM generate_series(1, 2000) g;
INSERT INTO app.c SELECT g, 1 + g % 2000, repeat(md5(g::text), 30) FROM generate_series(1, 4000) g;
"""
CIRCLES = """
CREATE TABLE app.x (id integer PRIMARY KEY, y integer, note text);
CREATE TABLE app.y (id integer PRIMARY KEY, x integer CONSTRAINT y_to_x REFERENCES app.x, note text);
INSERT INTO app.x SELECT g, g, repeat(md5(g::text), 30) FROM generate_series(1, 1500) g;
INSERT INTO app.y SELECT g, g, repeat(md5(g::text), 30) FROM generate_series(1, 1500) g;
ALTER TABLE app.x ADD CONSTRAINT x_to_y FOREIGN KEY (y) REFERENCES app.y;
CREATE TABLE app.self (id integer PRIMARY KEY, up integer CONSTRAINT self_to_self REFERENCES app.self, note text);
INSERT INTO app.self SELECT g, NULLIF(g - 1, 0), repeat(md5(g::text), 30) FROM generate_series(1, 1500) g;
"""
ORPHAN = """
SET session_replication_role = replica;
UPDATE app.c SET b = 999999 WHERE id = 77;
"""
FOREIGN_KEYS = "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1"


@pytest.fixture
def make(migration, clean):
    """Give a function that makes a migration of a new database, filled by SQL that its owner runs."""

    def new(name: str, *seeds: str) -> Migration:
        database = name.replace("-", "_")
        drop_database(clean.source, database)
        ask(clean.source, f"CREATE DATABASE {database} OWNER app_owner TEMPLATE template0")
        clean.source.psql("SET ROLE app_owner; CREATE SCHEMA app;" + "".join(seeds), dbname=database)
        return migration(name, databases=[database])

    return new


@pytest.fixture
def right(lab):
    """The target's user may load as a replica does, for as long as the test lasts."""
    ask(lab.target, f"GRANT SET ON {REPLICA} TO {USER}")
    yield
    ask(lab.target, f"REVOKE SET ON {REPLICA} FROM {USER}")


def proven(one: Migration) -> None:
    """Make sure that source and target hold the same, by row counts and sums of our own and by the verification."""
    name = one.databases[0]
    assert contents(one.lab.source, name) == contents(one.lab.target, name)
    result = one.module("verification").good()
    assert result["verification"]["verdict"] == "MATCH", result["verification"]["reason"]


def on_target(one: Migration, sql: str) -> list:
    return ask(one.lab.target, sql, one.databases[0])


def markers(one: Migration, like: str) -> list:
    """Return the markers that fit, none while there is no target database or helper schema."""
    name = one.databases[0]
    there = ask(one.lab.target, f"SELECT 1 FROM pg_database WHERE datname = '{name}'")
    if not there or not on_target(one, "SELECT 1 FROM pg_class WHERE relname = 'unit' AND relkind = 'r'"):
        return []
    return on_target(one, f"SELECT unit, rows FROM azpg_migrate.unit WHERE unit LIKE '{like}' ORDER BY 1")


def state_of(one: Migration, label: str) -> str:
    """Return the state of a table's copy in the journal."""
    found = one.journal("SELECT state FROM unit WHERE kind = 'table' AND label = ?", label)
    return found[0][0] if found else ""


def programs(one: Migration, name: str) -> list:
    """Return the processes below the engine that run a program."""
    engine = one.engine()
    found = []
    for pid in children(engine) if engine else ():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].rpartition(b"/")[2].decode() == name and alive(pid):
            found.append(pid)
    return found


def test_everything_arrives_by_every_way_of_copying(make):
    """Parts, psql with odd names, large objects of all sizes; statistics for everything; no password to be seen."""
    one = make("ways", WIDE, ODD, STATISTICS, PARTITIONED, OBJECTS)
    lab = one.lab
    secrets = [password.encode() for password in lab.passwords.values()]
    with Watch(lambda content: any(secret in content for secret in secrets)) as watch:
        one.migrate(jobs=4)
    assert watch.hits == set()
    assert "psql" in watch.seen and watch.rounds > 10

    spans = one.journal("SELECT label, rows, bytes FROM span WHERE label LIKE 'app.wide, part%' AND outcome = 'done'")
    assert len(spans) == 8 and sum(rows for _label, rows, _bytes in spans) == 4000
    assert sum(1 for _label, rows, _bytes in spans if rows) > 4, "the rows came in one part"
    assert markers(one, "table:app.wide:%") == [(markers(one, "table:app.wide:%")[0][0], 4000)], "parts are left"
    (unit,) = one.journal(
        "SELECT rows, bytes_done, state, attempts FROM unit WHERE kind = 'table' AND label = 'app.wide'"
    )
    assert unit == (4000, sum(size for _label, _rows, size in spans), "done", 1)
    assert on_target(one, "SELECT tableoid::regclass::text, count(*), sum(twice - 2 * id) FROM app.wide GROUP BY 1 ORDER BY 1") == [
        ("app.wide", 4000, 0), ("app.wide_child", 100, 0), ("app.wide_grandchild", 50, 0)
    ]  # fmt: skip
    work = one.journal("SELECT sum(work) FROM span WHERE unit LIKE 'table:app.wide:%'")[0][0]
    assert work == pytest.approx(
        one.journal("SELECT work FROM unit WHERE kind = 'table' AND label = 'app.wide'")[0][0]
    ), "counted twice"

    keys = on_target(one, KEYS)
    assert len(keys) == 3 and keys == ask(lab.source, KEYS, "ways")
    built = one.journal(INDEX_SPANS, "CONSTRAINT:sch%:index")
    assert len(built) == 2, "no index of a key was built by itself"
    indexes = on_target(one, INDEXES)
    assert indexes == ask(lab.source, INDEXES, "ways")
    assert [name for name, valid, _primary, _parent in indexes if not valid] == ["app.log_half"]
    assert len({worker for worker, _begun, _ended in one.journal(INDEX_SPANS, "%log%")}) > 1, "by one worker alone"
    attached = one.journal(INDEX_SPANS, "INDEX ATTACH:%log%")
    assert len(attached) == 20 * 3 + 1
    assert all(before[2] <= after[1] for before, after in zip(attached, attached[1:])), "two at once"

    images = ask(lab.source, OBJECT_IMAGES, "ways")
    assert sorted(size for _oid, size, _image, _owner in images) == SIZES
    assert on_target(one, OBJECT_IMAGES) == images

    missing = on_target(one, """
        SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname ~ '^(app|sch)'
           AND NOT EXISTS (SELECT 1 FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname)""")  # fmt: skip
    assert missing == [], "without statistics"
    assert on_target(one, "SELECT count(*) FROM pg_stats WHERE schemaname = 'app'")[0][0] > 15
    assert on_target(one, "SELECT n_distinct IS NOT NULL FROM pg_stats_ext WHERE statistics_name = 'related'") == [
        (True,)
    ]
    proven(one)


# On the target, and only there, the last rows (of one page, so of one part) wait for whoever holds the advisory lock 1.
LATE_ROWS_WAIT = """
CREATE FUNCTION app.twice(given integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $body$
BEGIN
  IF given > 3990 AND pg_catalog.current_setting('server_version_num')::integer >= 160000 THEN
    PERFORM pg_catalog.pg_advisory_xact_lock_shared(1);
  END IF;
  RETURN 2 * given;
END $body$;
"""


def test_engine_killed_while_some_parts_are_done(make):
    one = make("some-parts", LATE_ROWS_WAIT, WIDE.replace("AS (id * 2)", "AS (app.twice(id))"))
    lab, name = one.lab, one.databases[0]
    lab.empty_on_target(name)
    one.provision()
    with session(lab.target, name) as gate:
        run(gate, "SELECT pg_advisory_lock(1)")
        one.module("migration", wait=False, jobs=4).good()
        done = wait_for(
            lambda: [found for found in [markers(one, "%:part %")] if len(found) == 7], "all parts but one"
        )[0]
        one.kill_engine()
        run(gate, "SELECT pg_advisory_unlock(1)")
    assert 2000 < sum(rows for _unit, rows in done) < 4000
    assert state_of(one, "app.wide") == "running"
    # Rows move on the source meanwhile: a new version of every second row lies in other pages than the old one.
    ask(lab.source, "UPDATE app.wide SET body = body || '!' WHERE id % 2 = 0", name)
    assert one.module("migration", jobs=4).good()["state"] == "completed"
    ((_unit, rows),) = markers(one, "table:app.wide:%")
    assert rows == 4000
    assert on_target(one, "SELECT count(*), count(DISTINCT id) FROM ONLY app.wide") == [(4000, 4000)]
    proven(one)


def test_foreign_keys_are_taken_over_with_rows_that_a_check_would_refuse(make, right):
    one = make("taken-over", CHAIN, CIRCLES, ORPHAN.replace("SET session", "RESET ROLE; SET session"))
    one.migrate(jobs=2)
    names = ["b_to_a", "c_to_b", "self_to_self", "x_to_y", "y_to_x"]
    assert on_target(one, FOREIGN_KEYS) == [(name, True) for name in names]
    assert on_target(one, "SELECT b FROM app.c WHERE id = 77") == [(999999,)]
    with pytest.raises(Exception, match="c_to_b"):
        on_target(one, "INSERT INTO app.c VALUES (0, 888888)")
    proven(one)


def test_foreign_keys_are_checked_without_the_right_to_take_them_over(make):
    one = make("checked", CHAIN, ORPHAN.replace("SET session", "RESET ROLE; SET session"))
    one.provision()
    result = one.module("migration")
    assert result.failed
    for word in ("c_to_b", '"c"', "app.c", "Key (b)=(999999) is not present"):
        assert word in result["msg"], result["msg"]
    assert "Complete or delete them there" in result["migration"]["error"]["hint"]
    assert one.journal("SELECT attempts FROM unit WHERE label LIKE '%c_to_b'") == [(1,)], "tried again in vain"
    ask(one.lab.source, "UPDATE app.c SET b = 1 WHERE id = 77", one.databases[0])
    assert one.module("migration").good()["state"] == "completed"
    assert on_target(one, FOREIGN_KEYS) == [("b_to_a", True), ("c_to_b", True)]
    proven(one)


def test_engine_killed_while_foreign_keys_wait_for_rows(make, right):
    """The parent of a foreign key that is in place changes before the next run: it comes down, and comes back."""
    one = make("early", CHAIN)
    one.provision()
    one.module("migration", wait=False, jobs=1, max_bytes_per_second=1500000).good()
    wait_for(lambda: state_of(one, "app.c") == "running", "the copy of the last table of the chain")
    wait_for(lambda: len(on_target(one, FOREIGN_KEYS)) == 2, "both foreign keys")
    one.kill_engine()
    assert state_of(one, "app.c") == "running" and on_target(one, "SELECT count(*) FROM app.c") == [(0,)]
    assert on_target(one, FOREIGN_KEYS) == [("b_to_a", True), ("c_to_b", True)], "created before the rows"
    name = one.databases[0]
    ask(one.lab.source, "UPDATE app.a SET note = 'changed' WHERE id = 5; DELETE FROM app.c WHERE b = 9", name)
    ask(one.lab.source, "DELETE FROM app.b WHERE id = 9", name)
    assert one.module("migration").good()["state"] == "completed"
    assert "Changed on the source since, copied again: app.a, app.b." in one.events()
    assert on_target(one, FOREIGN_KEYS) == [("b_to_a", True), ("c_to_b", True)]
    assert one.attempts() == {"app.a": 2, "app.b": 2, "app.c": 2}
    proven(one)


@pytest.mark.parametrize(("jobs", "memory"), [(1, "131072kB"), (2, "65536kB"), (16, "65536kB")])
def test_builds_share_as_much_memory_as_the_target_shares_among_all(lab, jobs, memory):
    """The target has 128 MB of shared buffers, and its own maintenance_work_mem is 64 MB."""
    with session(lab.target) as target:
        assert load_settings.build_memory(target, jobs) == memory


LARGE = """
CREATE TABLE app.large (id integer PRIMARY KEY, note text);
INSERT INTO app.large SELECT g, repeat(md5(g::text), 55) FROM generate_series(1, 11000) g;
"""


def test_engine_killed_between_the_index_of_a_key_and_the_key(make):
    one = make("between", LARGE, HOLD, "CREATE INDEX held_index ON app.large (app.hold(id));")
    lab, name = one.lab, one.databases[0]
    lab.empty_on_target(name)
    one.provision()
    key = "SELECT contype FROM pg_constraint WHERE conname = 'large_pkey'"
    with session(lab.target, name) as gate:
        run(gate, "SELECT pg_advisory_lock(1)")
        one.module("migration", wait=False).good()
        waits = f"SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = '{name}'"
        wait_for(lambda: ask(lab.target, waits), "the other index to wait")
        wait_for(lambda: markers(one, "CONSTRAINT:app:large %:index"), "the index of the key")
        assert not on_target(one, key), "the key wants the table for itself"
        one.kill_engine()
        before = on_target(one, "SELECT 'app.large_pkey'::regclass::oid")
        run(gate, "SELECT pg_advisory_unlock(1)")
    assert one.module("migration").good()["state"] == "completed"
    assert on_target(one, key) == [("p",)]
    assert on_target(one, "SELECT 'app.large_pkey'::regclass::oid") == before, "built a second time"
    assert one.attempts() == {"app.large": 1}
    proven(one)


TWO_STREAMS = """
CREATE TABLE app.first (id integer PRIMARY KEY, note text);
CREATE TABLE app.second (id integer PRIMARY KEY, note text);
INSERT INTO app.first SELECT g, repeat(md5(g::text), 55) FROM generate_series(1, 13000) g;
INSERT INTO app.second SELECT g, repeat(md5(g::text), 55) FROM generate_series(1, 10000) g;
"""
STREAM_OF_PSQL = """
SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'azpg.migrate source %% w%%' AND state = 'active'
   AND query ~ '^COPY +"app" *[.] *"first" ' AND datname = '{}'
"""


def test_psql_loses_its_session_or_its_rights_or_is_killed_or_missing(make, tmp_path):
    one = make("by-psql", TWO_STREAMS)
    lab, name = one.lab, one.databases[0]
    one.provision()
    rate = 40 << 20
    query = STREAM_OF_PSQL.format(name).replace("%%", "%")

    # The larger table's session is ended; the other table, which then comes first, may no longer be read.
    process = one.begin("migration", max_bytes_per_second=rate // 2, jobs=1)
    ((pid,),) = wait_for(lambda: ask(lab.source, query), "psql's session")
    assert programs(one, "psql")
    ask(lab.source, "ALTER TABLE app.second OWNER TO postgres", name)
    assert ask(lab.source, f"SELECT pg_terminate_backend({pid})") == [(True,)]
    result = one.end(process)
    assert result.failed
    said = [
        line for line in one.events().splitlines() if line.startswith("app.first: The source's stream broke off: psql")
    ]
    assert len(said) == 1 and said[0].endswith("tried again in 1 s."), one.events()
    error = result["migration"]["error"]
    assert "app.second: The source's stream broke off" in error["msg"]
    assert "permission denied for table second" in error["msg"]
    assert error["hint"].startswith("Put right what the source's server names")
    assert error["details"]["sqlstate"] == "42501"
    assert one.attempts()["app.second"] == 1, "tried again in vain"
    assert on_target(one, "SELECT count(*) FROM app.first") == [(0,)]

    # What the engine starts ends with it.
    ask(lab.source, "ALTER TABLE app.second OWNER TO app_owner", name)
    one.module("migration", wait=False, max_bytes_per_second=rate).good()
    wait_for(lambda: programs(one, "psql") and ask(lab.source, query), "psql at work")
    running = programs(one, "psql")
    one.kill_engine()
    wait_for(lambda: not any(alive(pid) for pid in running), "the end of psql", 5)
    wait_for(lambda: not ask(lab.source, query), "the end of its session", 10)

    # Without psql the driver does it.
    bare = tmp_path / "bare"
    bare.mkdir()
    for program in ("pg_dump", "pg_restore"):
        (bare / program).write_text(f'#!/bin/sh\nexec {shlex.quote(str(lab.target.prefix / "bin" / program))} "$@"\n')
        (bare / program).chmod(0o700)
    process = one.begin("migration", bin_directory=str(bare), max_bytes_per_second=rate)
    seen = {"psql": 0, "pg_dump": 0, "copying": 0}
    while process.poll() is None:
        for name in ("psql", "pg_dump"):
            seen[name] += bool(programs(one, name))
        seen["copying"] += state_of(one, "app.first") == "running"
        time.sleep(0.02)
    assert one.end(process).good()["state"] == "completed"
    assert not seen["psql"] and seen["pg_dump"] and seen["copying"] > 5, seen
    proven(one)


def test_psql_is_tried_again_after_its_session_was_ended(make):
    one = make("again", TWO_STREAMS)
    lab = one.lab
    one.provision()
    process = one.begin("migration", max_bytes_per_second=40 << 20)
    query = STREAM_OF_PSQL.format(one.databases[0]).replace("%%", "%")
    ((pid,),) = wait_for(lambda: ask(lab.source, query), "psql's session")
    assert ask(lab.source, f"SELECT pg_terminate_backend({pid})") == [(True,)]
    assert one.end(process).good()["state"] == "completed"
    assert one.attempts() == {"app.first": 2, "app.second": 1}
    assert contents(lab.source, "again") == contents(lab.target, "again")


def test_large_objects_arrive_without_the_right_to_temporary_tables(make):
    one = make("no-temporary", OBJECTS)
    lab, name = one.lab, one.databases[0]
    lab.empty_on_target(name)
    ask(lab.target, f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC, app_owner")
    assert ask(lab.target, f"SELECT has_database_privilege('{USER}', '{name}', 'TEMPORARY')") == [(False,)]
    one.migrate()
    assert on_target(one, OBJECT_IMAGES) == ask(lab.source, OBJECT_IMAGES, name)
