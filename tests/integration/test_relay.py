# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What joins two sessions: whichever side fails, both end at once and the first cause is told."""

from __future__ import annotations

import time

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import TransferFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.quoting import quote_identifier
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import copying
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.copying import Reading
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.relay import Throttle, relay
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.source_program import SourceProgram, relay_program

IN_TIME = 20


@pytest.fixture
def cursors(lab):
    """A cursor on each side, outside transactions."""
    sessions = [psycopg2.connect(**cluster.connection()) for cluster in (lab.source, lab.target)]
    for session in sessions:
        session.autocommit = True
    source, target = (session.cursor() for session in sessions)
    target.execute("CREATE TEMP TABLE taken (id bigint CHECK (id <> 700000), text text)")
    yield source, target
    for session in sessions:
        session.close()


def carry(cursors, query: str, rate: float | None = None) -> tuple:
    source, target = cursors
    seen: list = []
    begun = time.monotonic()
    try:
        result = relay(
            source, f"COPY ({query}) TO STDOUT", target, "COPY taken FROM STDIN", Throttle(rate), seen.append
        )
    finally:
        assert time.monotonic() - begun < IN_TIME
    assert seen == sorted(seen)
    return result


def test_every_row_arrives(cursors):
    out, taken, size = carry(cursors, "SELECT g, repeat('x', 50) FROM generate_series(1, 200000) g")
    assert out == taken == 200000
    assert size > 10_000_000
    cursors[1].execute("SELECT count(*), sum(id) FROM taken")
    assert cursors[1].fetchone() == (200000, 200000 * 200001 // 2)


def test_no_row_is_no_trouble(cursors):
    assert carry(cursors, "SELECT 1, '' WHERE false") == (0, 0, 0)


def test_one_row_larger_than_the_pipe(cursors):
    out, taken, size = carry(cursors, "SELECT 1, repeat('x', 20000000)")
    assert (out, taken) == (1, 1)
    assert size > 20_000_000


@pytest.mark.parametrize("rows", [10, 800_000], ids=["before-anything-flows", "in-mid-stream"])
def test_source_fails(cursors, rows):
    with pytest.raises(psycopg2.errors.DivisionByZero):
        carry(cursors, f"SELECT 1 / ({rows} - g), repeat('x', 50) FROM generate_series(1, {rows}) g")
    cursors[1].execute("SELECT count(*) FROM taken")
    assert cursors[1].fetchone() == (0,)


@pytest.mark.parametrize(
    "query", ["SELECT g, 'x' FROM generate_series(1, 30000000) g", "SELECT 700000, pg_sleep(0)::text"]
)
def test_target_fails(cursors, query):
    with pytest.raises(psycopg2.errors.CheckViolation):
        carry(cursors, query)


def test_target_fails_while_the_source_is_silent(cursors):
    rows = "SELECT 700000, 'x' UNION ALL SELECT g, repeat('x', 1000) FROM generate_series(1, 5000) g"
    slow = f"{rows} UNION ALL SELECT 0, pg_sleep(600)::text"
    with pytest.raises(psycopg2.errors.CheckViolation):
        carry(cursors, slow)


def test_throttle_holds_the_stream_back(cursors):
    begun = time.monotonic()
    carry(cursors, "SELECT g, repeat('x', 100) FROM generate_series(1, 60000) g", rate=3_000_000)
    assert time.monotonic() - begun > 1.5


@pytest.fixture
def carry_by_psql(lab, cursors):
    """Return a function that runs a query in psql and copies what it gives, under a snapshot; psql is gone afterwards."""
    source, target = cursors
    words = lab.source.connection()
    words.pop("dbname")
    source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    source.execute("SELECT pg_export_snapshot()")
    snapshot = source.fetchone()[0]

    def carry(query: str, snapshot: str = snapshot, copy_out: str = "") -> tuple:
        psql = str(lab.target.prefix / "bin" / "psql")
        version = source.connection.server_version
        program = SourceProgram(psql, Endpoint.from_dict(words), "postgres", "test", snapshot, version)
        begun = time.monotonic()
        try:
            return relay_program(
                program,
                copy_out or f"COPY ({query}) TO STDOUT (FORMAT text)",
                target,
                "COPY taken FROM STDIN",
                Throttle(None),
                lambda _size: None,
            )
        finally:
            assert time.monotonic() - begun < IN_TIME
            assert program.process.returncode is not None

    return carry


def test_every_row_arrives_by_psql(carry_by_psql, cursors):
    out, taken, size = carry_by_psql("SELECT g, repeat('x', 50) FROM generate_series(1, 200000) g")
    assert out == taken == 200000
    assert size > 10_000_000
    assert carry_by_psql("SELECT 1, '' WHERE false") == (0, 0, 0)
    assert carry_by_psql("SELECT 1, repeat('x', 20000000)")[:2] == (1, 1)


NAMES = [
    'a"b',
    "c d  e",
    "to",
    "x,y)(",
    "täbl€",
    "back\\slash",
    "it's",
    ":v",
    "$1;--",
    "line\nend",
    "stdout (FORMAT text)",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_kind_go_through_psql(lab, cursors, carry_by_psql, name):
    source = cursors[0]
    source.execute("ROLLBACK")
    relation = f"public.{quote_identifier(name)}"
    columns = ", ".join(map(quote_identifier, (name, f"{name} too")))
    kinds = ", ".join(f"{quote_identifier(one)} {kind}" for one, kind in ((name, "bigint"), (f"{name} too", "text")))
    source.execute(f"CREATE TABLE {relation} ({kinds})")
    try:
        source.execute(f"INSERT INTO {relation} SELECT g, 'text ' || g FROM generate_series(1, 3) g")
        source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        source.execute("SELECT pg_export_snapshot()")
        snapshot = source.fetchone()[0]
        for what in (f"{relation} ({columns})", f"(SELECT {columns} FROM ONLY {relation} WHERE ctid >= '(0,0)'::tid)"):
            assert carry_by_psql("", snapshot, f"COPY {what} TO STDOUT (FORMAT text)")[:2] == (3, 3)
        source.execute("ROLLBACK")
        cursors[1].execute("SELECT count(*), sum(id), max(text) FROM taken")
        assert cursors[1].fetchone() == (6, 12, "text 3")
    finally:
        source.execute("ROLLBACK")
        source.execute(f"DROP TABLE {relation}")


def test_psql_sees_the_snapshot_and_not_what_came_later(lab, carry_by_psql):
    with psycopg2.connect(**lab.source.connection()) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE public.late AS SELECT 1 AS id, 'x' AS text")
    session.close()
    try:
        assert carry_by_psql("SELECT id, text FROM public.late") == (0, 0, 0)
    finally:
        lab.source.psql("DROP TABLE public.late")


@pytest.mark.parametrize("rows", [10, 800_000], ids=["before-anything-flows", "in-mid-stream"])
def test_source_fails_in_psql(carry_by_psql, cursors, rows):
    with pytest.raises(TransferFailed, match="division by zero") as caught:
        carry_by_psql(f"SELECT 1 / ({rows} - g), repeat('x', 50) FROM generate_series(1, {rows}) g")
    assert caught.value.details == {"transient": False, "sqlstate": "22012"}
    cursors[1].execute("SELECT count(*) FROM taken")
    assert cursors[1].fetchone() == (0,)


def test_psql_is_told_that_its_snapshot_is_gone(carry_by_psql):
    with pytest.raises(TransferFailed, match="snapshot") as caught:
        carry_by_psql("SELECT 1, 'x'", "00000099-00000001-1")
    assert caught.value.details["transient"], "the engine goes on with a new one"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT g, 'x' FROM generate_series(1, 30000000) g",
        "SELECT 700000, 'x' UNION ALL SELECT g, repeat('x', 1000) FROM generate_series(1, 5000) g"
        " UNION ALL SELECT 0, pg_sleep(600)::text",
    ],
    ids=["in-mid-stream", "while-the-source-is-silent"],
)
def test_target_fails_beside_psql(carry_by_psql, query):
    with pytest.raises(psycopg2.errors.CheckViolation):
        carry_by_psql(query)


def copies(*texts: str) -> list:
    return [f"COPY (SELECT {text}) TO STDOUT" for text in texts]


def test_small_tables_are_read_ahead_as_long_as_they_are_small(cursors, monkeypatch):
    monkeypatch.setattr(copying, "HELD_BYTES", 1000)
    source = cursors[0].connection
    found = []
    with Reading(source, copies(*(f"{n}, repeat('x', 600)" for n in range(6))), Throttle(None)) as reading:
        for rows, size, content in reading.rows():
            assert reading.held <= 2 * size, "so much was still to be taken"
            found.append((rows, content.read(2)))
            assert size > 600
    assert found == [(1, f"{n}\t".encode()) for n in range(6)]


def test_small_table_that_cannot_be_read_is_told_after_those_that_can(cursors):
    source = cursors[0].connection
    with Reading(source, copies("1", "1 / (random() * 0)::integer", "3"), Throttle(None)) as reading:
        rows = reading.rows()
        assert next(rows)[0] == 1
        with pytest.raises(psycopg2.errors.DivisionByZero):
            next(rows)


def test_reading_ends_with_who_wants_the_rows(cursors, monkeypatch):
    monkeypatch.setattr(copying, "HELD_BYTES", 1)
    source = cursors[0].connection
    with pytest.raises(KeyError), Reading(source, copies("1", "2", "3"), Throttle(None)) as reading:
        raise KeyError
    assert not reading.is_alive() and len(reading.found) <= 1
    cursors[0].execute("SELECT 1")
