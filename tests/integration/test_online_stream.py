# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an application does to its rows arrives on the target, once, and what does not fit is named."""

from __future__ import annotations

import contextlib
import threading

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import TransferFailed
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import stream
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.spool import SpoolFull
from support.streams import MAJORS
from support.waiting import wait_for

from tests.streams.suite import carry, empty

TABLE = "CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE, note text)"


@pytest.fixture
def pipe(stream_servers, tmp_path):
    """Two empty databases and what carries changes from one to the other."""
    found = empty(stream_servers, tmp_path)
    yield found
    found.end()


def test_changes_arrive(pipe):
    seen = carry(pipe, "binary", MAJORS[0])  # the other ways between other majors: tests/matrix
    assert seen["replayed"], "some of the cases have to be replayed in order"
    assert seen["spooled"]


def test_a_reader_that_dies_at_any_moment_applies_everything_once(pipe):
    pipe.both(
        "CREATE TABLE t (n int, note text); ALTER TABLE t REPLICA IDENTITY FULL; CREATE TABLE k (id int PRIMARY KEY, n int)"
    )
    pipe.begin()
    pipe.run("source", "INSERT INTO k SELECT g, 0 FROM generate_series(1, 20) g")
    for number in range(60):
        pipe.run(
            "source",
            f"BEGIN; INSERT INTO t VALUES ({number}, 'x'); UPDATE k SET n = n + 1 WHERE id = {1 + number % 20}; COMMIT",
        )

    class Died(Exception):
        """The reader has died."""

    for number in range(1, 12):
        # Each time one statement further on, be it before or after the commit.
        def fit(follower, number: int = number) -> None:
            follower.assembler.close_weight = 4000
            real, left = follower.applier.cursor, [number]

            class Cursor:
                def __getattr__(self, name):
                    return getattr(real, name)

            def mortal(sql, *parameters):
                left[0] -= 1
                if left[0] == 0:
                    raise Died
                real.execute(sql, *parameters)
                left[0] -= 1
                if left[0] == 0:
                    raise Died

            proxy = Cursor()
            proxy.execute = mortal
            follower.applier.cursor = follower.applier.writer.cursor = follower.applier.stages.cursor = proxy

        pipe.fitted = fit
        with contextlib.suppress(Died):
            pipe.catch_up()
    pipe.fitted = None
    pipe.catch_up()
    assert pipe.differences() == {}


def test_a_commit_of_an_earlier_session_that_comes_late_is_not_applied_again(pipe, stream_servers):
    pipe.both(TABLE)
    pipe.begin()
    pipe.run("source", "INSERT INTO t VALUES (1, 1, 'a')")
    known = pipe.run("source", "SELECT pg_current_wal_insert_lsn()").strip()
    caught: list = []

    def follow() -> None:
        try:
            pipe.catch_up()
        except TransferFailed as error:
            caught.append(error)

    with contextlib.closing(psycopg2.connect(**stream_servers[1].connection(dbname="stream"))) as earlier:
        with earlier.cursor() as cursor:
            cursor.execute("UPDATE azpg_migrate.stream SET position = %s; INSERT INTO t VALUES (1, 1, 'a')", (known,))
            thread = threading.Thread(target=follow)
            thread.start()
            waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'stream'"
            wait_for(lambda: pipe.run("target", waiting).strip(), "the follower's wait for the position")
        earlier.commit()
        thread.join()
    (error,) = caught
    assert error.details["transient"] and "came late" in error.msg
    pipe.run("source", "INSERT INTO t VALUES (2, 2, 'b')")
    pipe.catch_up()
    assert pipe.differences() == {}


def test_a_row_that_is_not_there_stops_the_stream_before_its_transaction(pipe):
    pipe.both(TABLE)
    pipe.begin()
    pipe.run("source", "INSERT INTO t SELECT g, g, 'a' FROM generate_series(1, 5) g")
    pipe.catch_up()
    pipe.run("target", "DELETE FROM t WHERE id = 3")
    pipe.run("source", "UPDATE t SET note = 'b' WHERE id = 1")
    pipe.run("source", "BEGIN; UPDATE t SET note = 'c' WHERE id = 2; DELETE FROM t WHERE id = 3; COMMIT")
    with pytest.raises(TransferFailed) as caught:
        pipe.catch_up()
    details = caught.value.details
    assert (details["table"], details["key"], details["operation"]) == ("public.t", "(id) = (3)", "DELETE")
    assert details["target"] == "no such row"
    assert "c" not in pipe.run("target", "SELECT note FROM t WHERE id = 2")
    pipe.run("target", "INSERT INTO t VALUES (3, 3, 'anything')")
    pipe.catch_up()
    assert pipe.differences() == {}


def test_a_row_that_is_there_already_is_named_with_what_differs(pipe):
    pipe.both(TABLE)
    pipe.begin()
    pipe.run("target", "INSERT INTO t VALUES (1, 1, 'theirs'), (7, 2, 'x')")
    pipe.run("source", "INSERT INTO t VALUES (1, 1, 'mine')")
    with pytest.raises(TransferFailed, match="differs in note") as caught:
        pipe.catch_up()
    assert "theirs" not in str(caught.value) and "mine" not in str(caught.value), "values are nobody's business"
    pipe.run("target", "DELETE FROM t WHERE id = 1")
    pipe.run("source", "INSERT INTO t VALUES (2, 2, 'mine')")
    with pytest.raises(TransferFailed, match="t_n_key") as caught:
        pipe.catch_up()
    assert caught.value.details["target"] == "another row" and caught.value.details["differing"] == ["id", "note"]


def test_a_full_spool_is_no_loss(pipe):
    pipe.both(TABLE)
    pipe.begin()
    pipe.spool_bytes = 100_000
    pipe.run("source", "INSERT INTO t SELECT g, g, repeat('n', 50) FROM generate_series(1, 5000) g")
    with pytest.raises(SpoolFull):
        pipe.catch_up()
    pipe.streaming = False
    pipe.catch_up()
    assert pipe.differences() == {}


def test_memory_stays_small_whatever_a_transaction_holds(pipe):
    pipe.both("CREATE TABLE t (id int PRIMARY KEY, note text)")
    pipe.begin()
    pipe.streaming = False
    largest = []

    def fit(follower) -> None:
        emit = follower.emit
        follower.assembler.emit = lambda batch: (largest.append(batch.weight), emit(batch))

    pipe.fitted = fit
    pipe.run(
        "source",
        "BEGIN; INSERT INTO t SELECT g, repeat('n', 500) FROM generate_series(1, 60000) g; UPDATE t SET note = 'u' WHERE id < 30000; COMMIT",
    )
    pipe.catch_up()
    assert pipe.differences() == {}
    assert len(largest) > 4 and max(largest) < 15 << 20


def test_confirmed_is_only_what_nothing_open_comes_before(pipe, stream_servers, monkeypatch):
    monkeypatch.setattr(stream, "FEEDBACK_SECONDS", 0.3)
    pipe.both("CREATE TABLE t (id int PRIMARY KEY)")
    pipe.begin()
    confirmed = "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'stream'"
    with contextlib.closing(psycopg2.connect(**stream_servers[0].connection(dbname="stream"))) as holder:
        holder.cursor().execute("INSERT INTO t VALUES (-1)")
        # As long as nothing has come, the driver confirms how far the source has got, which is not as far as here.
        pipe.run("source", "INSERT INTO t VALUES (0)")
        before = pipe.run("source", "SELECT pg_current_wal_insert_lsn()")
        for number in range(1, 40):
            pipe.run("source", f"INSERT INTO t VALUES ({number})")
        pipe.catch_up(least_seconds=3)
        held = pipe.run("source", f"SELECT ({confirmed}) <= '{before.strip()}'::pg_lsn")
        assert held.strip() == "t", "a position behind an open transaction's beginning was confirmed"
        holder.commit()
    pipe.run("source", "INSERT INTO t VALUES (1000)")
    pipe.catch_up(least_seconds=3)
    moved = pipe.run("source", f"SELECT ({confirmed}) > '{before.strip()}'::pg_lsn")
    assert moved.strip() == "t"
    assert pipe.differences() == {}
