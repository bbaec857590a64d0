# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A short sample of how fast both servers are: rows read from the source, and rows and an index written to the target.

Both sides are measured at the same moment with as many sessions, as they will be at work. On the target everything
happens in temporary tables of one transaction that is rolled back, so that nothing of it is ever there for others.
"""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass

from .._core.errors import MigrationError
from .._postgres.connection import connect, quiet_settings, value
from .._postgres.driver import psycopg2
from .._postgres.quoting import qualified, quote_identifier
from .effort import index_work

SESSIONS = 2
SECONDS = 1.5  # of reading and writing; the index takes about as long again
PART_BYTES = 8 << 20  # of a table, as a sample
MOST_BYTES = 48 << 20  # into one temporary table
STATEMENT_SECONDS = 10
CHUNK_ROWS = 2000
NARROWEST, WIDEST = 40, 1500
TABLE = "azpg_migrate_sample"


@dataclass
class Speed:
    """What was measured on one side: bytes of tables, work of indexes, and the seconds that all sessions together took."""

    table_bytes: float = 0.0
    seconds: float = 0.0
    index_work: float = 0.0
    index_seconds: float = 0.0

    @property
    def rate(self) -> float | None:
        """Bytes of tables per second of all sessions; None when nothing was measured."""
        return self.table_bytes / self.seconds if self.table_bytes and self.seconds else None

    @property
    def index_rate(self) -> float | None:
        """Work (see M(effort)) of building indexes per second of all sessions; None when nothing was measured."""
        return self.index_work / self.index_seconds if self.index_work and self.index_seconds else None


class Rows:
    """A file of rows in COPY's text form that ends when its time or its bytes are up."""

    def __init__(self, width: int, deadline: float):
        numbers = random.Random(1)
        lines = [
            f"{numbers.getrandbits(40)}\t{number}\t{numbers.getrandbits(width * 4):0{width}x}\n"
            for number in range(CHUNK_ROWS)
        ]
        self.chunk = "".join(lines).encode("ascii")
        self.deadline = deadline
        self.given = 0

    def read(self, _size: int) -> bytes:
        """Return the next rows."""
        if self.given >= MOST_BYTES or time.monotonic() >= self.deadline:
            return b""
        self.given += len(self.chunk)
        return self.chunk


def session_to(endpoint, side: str, database: str | None):
    """Open a session that gives up a statement after some seconds."""
    settings = {**quiet_settings(), "statement_timeout": f"{STATEMENT_SECONDS}s", "lock_timeout": "1s"}
    return connect(endpoint, side, database, settings=settings)


def read_source(request, parts: list, speed: Speed, lock) -> None:
    """Read samples of I(parts), C([(database, table)]), taken from the end of the list, until the time is up."""
    deadline = time.monotonic() + SECONDS
    sessions: dict = {}
    try:
        while time.monotonic() < deadline:
            with lock:
                if not parts:
                    return
                database, table = parts.pop()
            if database not in sessions:
                sessions[database] = session_to(request.source, "source", database)
            share = min(100.0, 100.0 * PART_BYTES / max(table.bytes, 1))
            only = "" if table.tree else "ONLY "
            columns = ", ".join(map(quote_identifier, table.columns))
            text = f"SELECT {columns} FROM {only}{qualified(table.schema, table.name)} TABLESAMPLE SYSTEM ({share:.6f})"
            begun = time.monotonic()
            with sessions[database].cursor() as cursor, open(os.devnull, "wb") as nowhere:
                cursor.copy_expert(f"COPY ({text}) TO STDOUT (FORMAT {'binary' if table.binary else 'text'})", nowhere)
            with lock:
                speed.table_bytes += table.bytes * share / 100
                speed.seconds += (time.monotonic() - begun) / SESSIONS
    except (psycopg2.Error, MigrationError):
        return
    finally:
        for session in sessions.values():
            session.close()


def write_target(request, width: int, speed: Speed, lock) -> None:
    """Fill a temporary table and index it, and roll that back."""
    try:
        session = session_to(request.target, "target", None)
    except MigrationError:
        return
    try:
        with session.cursor() as cursor:
            cursor.execute(
                f"BEGIN; CREATE TEMPORARY TABLE {TABLE} (id bigint, place integer, content text) ON COMMIT DROP"
            )
            begun = time.monotonic()
            cursor.copy_expert(f"COPY pg_temp.{TABLE} FROM STDIN", Rows(width, begun + SECONDS), 1 << 18)
            copied = time.monotonic()
            cursor.execute(f"CREATE INDEX {TABLE}_index ON pg_temp.{TABLE} (id)")
            indexed = time.monotonic()
            size = value(session, "SELECT pg_catalog.pg_table_size(%s::regclass)", (f"pg_temp.{TABLE}",))
            index_size = value(session, "SELECT pg_catalog.pg_relation_size(%s::regclass)", (f"pg_temp.{TABLE}_index",))
            cursor.execute("ROLLBACK")
            with lock:
                speed.table_bytes += size
                speed.seconds += (copied - begun) / SESSIONS
                speed.index_work += index_work("btree", index_size, size)
                speed.index_seconds += (indexed - copied) / SESSIONS
    except psycopg2.Error:
        return
    finally:
        session.close()


def measure(request, tables: list, rows: int) -> tuple:
    """Return C((source, target)), what was measured of each as M(Speed); without figures where it could not be.

    :param tables: C([(database, table)]) of all databases
    :param rows: how many rows they have together, for the width of a row
    """
    width = int(min(max(sum(table.bytes for _database, table in tables) / max(rows, 1) - 40, NARROWEST), WIDEST))
    order = sorted((item for item in tables if item[1].columns and item[1].bytes), key=lambda item: item[1].bytes)
    # A large table gives many samples, so that few tables keep all sessions busy.
    parts = [item for item in order[-8:] if item[1].bytes > PART_BYTES] * 40 or order
    lock = threading.Lock()
    source, target = Speed(), Speed()
    threads = [
        threading.Thread(target=read_source, args=(request, parts, source, lock), daemon=True)
        for _number in range(SESSIONS)
    ]
    threads += [
        threading.Thread(target=write_target, args=(request, width, target, lock), daemon=True)
        for _number in range(SESSIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return source, target
