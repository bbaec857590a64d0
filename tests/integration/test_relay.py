# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipe between two sessions: whichever side fails, both end at once and the first cause is told."""

from __future__ import annotations

import time

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.relay import Throttle, relay

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
