# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction that is applied while it is in progress on the source arrives like any other: whole or not at all, and once."""

from __future__ import annotations

import contextlib
import time

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import TransferFailed
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import applier, assembler, beside

from tests.streams.suite import empty

TABLES = """
CREATE TABLE t (id int PRIMARY KEY, n int, note text);
CREATE TABLE bag (n int, note text); ALTER TABLE bag REPLICA IDENTITY FULL;
INSERT INTO t SELECT g, 0, 'before' FROM generate_series(1, 20) g; INSERT INTO bag SELECT 1, 'same' FROM generate_series(1, 2);
"""
ROWS = "INSERT INTO t SELECT g, 0, repeat('n', 100) FROM generate_series({}, {}) g"


@pytest.fixture
def pipe(stream_servers, tmp_path, monkeypatch):
    """Two databases with the same tables, and what carries changes between them in batches of some hundred rows."""
    monkeypatch.setattr(assembler, "FULL_WEIGHT", 200_000)
    found = empty(stream_servers, tmp_path)
    found.both(TABLES)
    found.begin()
    yield found
    found.end()


@pytest.fixture
def large(stream_servers):
    """A session of the source whose transaction is a large one."""
    with contextlib.closing(psycopg2.connect(**stream_servers[0].connection(dbname="stream"))) as session:
        yield session


class Seen:
    """What became of transactions in progress: how many batches were written early, and how often that was taken back."""

    def __init__(self, pipe, meanwhile=lambda follower: None):
        self.written = self.taken_back = 0
        self.meanwhile = meanwhile
        pipe.fitted = self.look_at

    def look_at(self, follower) -> None:
        """Look at what a follower does beside its ordinary session; I(meanwhile) is called after each batch."""
        write, take_back = follower.beside.write, follower.beside.take_back

        def written(batch) -> None:
            write(batch)
            self.written += follower.beside.is_open
            if follower.beside.is_open:
                self.meanwhile(follower)

        def taken_back(one) -> None:
            self.taken_back += follower.beside.is_open
            take_back(one)

        follower.beside.write, follower.beside.take_back = written, taken_back


def run(session, *statements: str) -> None:
    """Run statements in the session's transaction."""
    with session.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)


def test_it_arrives_between_others(pipe, large):
    seen = Seen(pipe)
    run(
        large,
        ROWS.format(100, 1500),
        "UPDATE t SET n = 1 WHERE id BETWEEN 5 AND 8",
        "DELETE FROM bag WHERE ctid = '(0,1)'",
    )
    pipe.run("source", "UPDATE t SET n = 2 WHERE id = 1; INSERT INTO t VALUES (50, 0, 'small')")
    # What rests on a small one that has been committed by then.
    run(
        large,
        "UPDATE t SET n = n + 10 WHERE id IN (1, 50)",
        ROWS.format(1501, 3000),
        "DELETE FROM t WHERE id IN (50, 200)",
    )
    pipe.run("source", "DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (2, 7, 'again')")
    run(large, "UPDATE t SET note = 'u' WHERE id > 1000", "INSERT INTO t VALUES (50, 1, 'mine')")
    large.commit()
    pipe.run("source", "UPDATE t SET n = 3 WHERE id = 50")
    follower = pipe.catch_up()
    assert pipe.differences() == {}
    assert (follower.counts.early, seen.taken_back) == (1, 0) and seen.written > 5
    assert follower.counts.kinds["inserts"] == 1401 + 1500 + 3 and follower.counts.kinds["deletes"] == 4
    assert follower.counts.transactions == 6
    assert follower.counts.spooled == 0 and pipe.spooled > 200_000


def test_what_is_taken_back_on_the_source_leaves_nothing(pipe, large):
    seen = Seen(pipe, lambda follower: large.rollback())
    run(large, ROWS.format(100, 2000))
    follower = pipe.follower()
    deadline = time.monotonic() + 60
    try:
        follower.run(lambda: seen.taken_back or time.monotonic() > deadline)
    finally:
        follower.close()
        follower.lookup.close()
    assert seen.written and seen.taken_back == 1
    pipe.run("source", "UPDATE t SET n = 1 WHERE id = 1")
    assert pipe.catch_up().counts.early == 0
    assert pipe.differences() == {}


def test_one_of_which_a_part_was_taken_back_comes_from_the_spool(pipe, large):
    seen = Seen(pipe)
    run(large, ROWS.format(100, 1500), "SAVEPOINT s", ROWS.format(1501, 3000), "ROLLBACK TO s", ROWS.format(3001, 4000))
    large.commit()
    assert pipe.catch_up().counts.early == 0 and seen.taken_back == 1
    assert pipe.differences() == {}


def test_a_row_that_is_not_there_is_named_as_ever(pipe, large):
    seen = Seen(pipe)
    pipe.run("target", "DELETE FROM t WHERE id = 3")
    run(large, ROWS.format(100, 1000), "UPDATE t SET n = 1 WHERE id = 3", ROWS.format(1001, 2000))
    large.commit()
    with pytest.raises(TransferFailed) as caught:
        pipe.catch_up()
    details = caught.value.details
    assert (details["table"], details["key"], details["operation"], details["target"]) == (
        "public.t", "(id) = (3)", "UPDATE", "no such row",
    )  # fmt: skip
    assert details["commit_lsn"] != "0/0" and seen.taken_back == 1
    assert pipe.run("target", "SELECT count(*) FROM t WHERE id >= 100").strip() == "0"
    pipe.run("target", "INSERT INTO t VALUES (3, 0, 'before')")
    assert pipe.catch_up().counts.early == 1
    assert pipe.differences() == {}


def test_a_table_that_is_emptied_or_altered_within_it_waits_for_its_end(pipe, large):
    seen = Seen(pipe)
    run(large, ROWS.format(100, 1000), "TRUNCATE bag", ROWS.format(1001, 2000))
    large.commit()
    run(large, ROWS.format(3000, 4000), "ALTER TABLE t ADD COLUMN more int", "UPDATE t SET more = 1 WHERE id > 3500")
    large.commit()
    pipe.run("target", "ALTER TABLE t ADD COLUMN more int")
    assert pipe.catch_up().counts.early == 0 and seen.taken_back == 2
    assert pipe.differences() == {}


class Died(Exception):
    """The reader has died."""


# At which statement of the early session, the how manieth of its kind, and whether before it or behind it.
MOMENTS = [("SAVEPOINT batch", 1, False), ("RELEASE SAVEPOINT batch", 3, True), ("FOR UPDATE", 1, True), ("COMMIT", 1, False), ("COMMIT", 1, True)]  # fmt: skip


def mortal(session, words: str, number: int, behind: bool):
    """Return a session that dies at a statement that ends with I(words)."""
    left = [number]

    class Cursor(psycopg2.extensions.cursor):
        def execute(self, sql, parameters=None):
            left[0] -= sql.endswith(words)
            if left[0] == 0 and not behind:
                raise Died
            super().execute(sql, parameters)
            if left[0] == 0:
                raise Died

    session.cursor_factory = Cursor
    return session


def test_a_reader_that_dies_at_any_moment_applies_it_once(pipe, large):
    run(large, "INSERT INTO bag SELECT g, repeat('n', 100) FROM generate_series(1, 1500) g")
    pipe.run("source", "INSERT INTO bag VALUES (0, 'small')")
    run(large, "INSERT INTO bag SELECT g, repeat('n', 100) FROM generate_series(1, 300) g")
    large.commit()
    for moment in MOMENTS:

        def fit(follower, moment: tuple = moment) -> None:
            real = follower.beside.open_session
            follower.beside.open_session = lambda more: mortal(real(more), *moment)

        pipe.fitted = fit
        with pytest.raises(Died):
            pipe.catch_up()
    pipe.fitted = None
    assert pipe.catch_up().counts.early == 0, "the last commit had gone out"
    assert pipe.differences() == {}


def test_an_early_session_that_is_lost_costs_nothing_but_time(pipe, large, stream_servers):
    def kill(follower) -> None:
        seen.meanwhile = lambda follower: None
        (session,) = follower.beside.sessions
        stream_servers[1].psql(f"SELECT pg_terminate_backend({session.info.backend_pid}, 10000)")

    seen = Seen(pipe, kill)
    for first in (100, 2000):
        run(large, ROWS.format(first, first + 1500))
        large.commit()
    assert pipe.catch_up().counts.early == 1 and seen.taken_back == 1
    assert pipe.differences() == {}


def test_it_gives_way_to_whoever_waits_for_its_locks(pipe, large, monkeypatch):
    monkeypatch.setattr(applier, "LOCK_TIME", "100ms")
    seen = Seen(pipe)
    # Each deletes one of two equal rows; the target cannot know which, and takes the same one for both.
    run(large, "DELETE FROM bag WHERE ctid = '(0,1)'", ROWS.format(100, 2000))
    pipe.run("source", "DELETE FROM bag WHERE ctid = '(0,2)'; UPDATE t SET n = 5 WHERE id = 5")
    run(large, ROWS.format(2001, 3000))
    large.commit()
    assert pipe.catch_up().counts.early == 0 and seen.taken_back == 1
    assert pipe.differences() == {}


def test_it_gives_up_when_somebody_else_holds_a_lock_for_long(pipe, large, stream_servers, monkeypatch):
    monkeypatch.setattr(beside, "SETTINGS", {"lock_timeout": "100ms"})
    with contextlib.closing(psycopg2.connect(**stream_servers[1].connection(dbname="stream"))) as holder:
        run(holder, "UPDATE t SET n = n WHERE id = 7")

        class Kept(Seen):
            def look_at(self, follower) -> None:
                super().look_at(follower)
                take_back = follower.beside.take_back

                def taken_back(one) -> None:
                    take_back(one)
                    holder.rollback()

                follower.beside.take_back = taken_back

        seen = Kept(pipe)
        run(large, ROWS.format(100, 2000), "UPDATE t SET n = 7 WHERE id = 7", ROWS.format(2001, 3000))
        large.commit()
        assert pipe.catch_up().counts.early == 0 and seen.taken_back == 1
    assert pipe.differences() == {}
