# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The publication that says which tables are streamed, and the slot that keeps their changes."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import NamedTuple

from ..._core.errors import PreconditionFailed
from ..._postgres.connection import rows, value
from ..._postgres.driver import psycopg2
from ..._postgres.quoting import qualified, quote_identifier, quote_literal
from ..subjects import shut
from .pgoutput import lsn_number

TABLES_AT_ONCE = 500
SLOT = """
SELECT s.slot_name, s.active, s.active_pid, s.plugin, s.database, s.restart_lsn::text AS restart,
       s.confirmed_flush_lsn::text AS confirmed, {status} AS status,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::bigint AS retained
  FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = %s
"""
# Whose transactions the making of a slot, or a new snapshot beside it, has to wait for.
OLDEST = """
SELECT 'process ' || a.pid || ' of user ' || COALESCE(a.usename, '?') || ' since ' || a.xact_start::timestamptz(0) AS name
  FROM pg_catalog.pg_stat_activity a WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
UNION ALL
SELECT 'prepared transaction ' || p.gid || ' of user ' || p.owner || ' since ' || p.prepared::timestamptz(0)
  FROM pg_catalog.pg_prepared_xacts p
 LIMIT 3
"""


class Made(NamedTuple):
    """A new slot: from I(position) on it has everything, and I(snapshot), exported, shows everything before."""

    position: int
    snapshot: str


class SlotState(NamedTuple):
    """What the source says of a slot; positions are numbers, I(retained) the bytes of log that it holds back."""

    active: bool
    restart: int
    confirmed: int
    lost: bool
    retained: int


def name_of(migration: str, request_hash: str, database: str) -> str:
    """Return the name of slot and publication for one database: letters, digits and underscores, as a slot wants it."""
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in migration.lower())
    tail = hashlib.sha256(f"{migration} {request_hash} {database}".encode()).hexdigest()[:10]
    return f"azpg_{plain[:40]}_{tail}"


def system_of(replication) -> str:
    """Return the identifier of the server behind a replication connection."""
    with replication.cursor() as cursor:
        cursor.execute("IDENTIFY_SYSTEM")
        return str(cursor.fetchone()[0])


def publish(source, name: str, tables: list) -> None:
    """Make the publication of I(tables), C([(schema, name)]), in the place of one that is left from an earlier attempt.

    Tables are named one by one: publishing all would need a superuser, and would break updates of tables without identity.
    """
    unpublish(source, name)
    publication = quote_identifier(name)
    truncate = ", truncate" if source.server_version >= 110000 else ""
    with source.cursor() as cursor:
        cursor.execute(f"CREATE PUBLICATION {publication} WITH (publish = 'insert, update, delete{truncate}')")
        for start in range(0, len(tables), TABLES_AT_ONCE):
            names = ", ".join(f"ONLY {qualified(*table)}" for table in tables[start : start + TABLES_AT_ONCE])
            cursor.execute(f"ALTER PUBLICATION {publication} ADD TABLE {names}")


def unpublish(source, name: str) -> None:
    """Drop the publication if it is there."""
    with source.cursor() as cursor:
        cursor.execute(f"DROP PUBLICATION IF EXISTS {quote_identifier(name)}")


def read_slot(source, name: str) -> SlotState | None:
    """Return the state of a slot, None when there is none."""
    status = "s.wal_status" if source.server_version >= 130000 else "NULL::text"
    found = rows(source, SLOT.format(status=status), (name,))
    if not found:
        return None
    row = found[0]
    return SlotState(
        row["active"],
        lsn_number(row["restart"] or "0/0"),
        lsn_number(row["confirmed"] or "0/0"),
        row["status"] == "lost" or row["restart"] is None,
        row["retained"] or 0,
    )


def create_slot(replication, name: str, tick) -> Made:
    """Make the slot over a replication connection, which has to stay open and idle for as long as the snapshot is wanted.

    The server waits for the end of all transactions that write at this moment, which may take any time; meanwhile I(tick)
    is called and may raise.
    """
    answer: list = []

    def ask() -> None:
        try:
            with replication.cursor() as cursor:
                cursor.execute(f"CREATE_REPLICATION_SLOT {quote_identifier(name)} LOGICAL pgoutput EXPORT_SNAPSHOT")
                answer.append(cursor.fetchone())
        except psycopg2.Error as error:
            answer.append(error)

    thread = threading.Thread(target=ask, name="slot", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.5)
            tick()
    except BaseException:
        shut(replication)
        thread.join()
        raise
    if isinstance(answer[0], BaseException):
        raise answer[0]
    _name, position, snapshot, _plugin = answer[0]
    return Made(lsn_number(position), snapshot)


def drop_slot(source, name: str, patience: float = 20) -> bool:
    """Drop the slot if it is there, after its reader's end, and return whether it was.

    :raises PreconditionFailed: when somebody goes on reading from it
    """
    deadline = time.monotonic() + patience
    while True:
        state = read_slot(source, name)
        if state is None:
            return False
        try:
            value(source, "SELECT pg_catalog.pg_drop_replication_slot(%s)", (name,))
            return True
        except psycopg2.errors.UndefinedObject:
            return False
        except psycopg2.errors.ObjectInUse as error:
            if time.monotonic() > deadline:
                raise PreconditionFailed(
                    f"Replication slot {name} cannot be dropped: {' '.join(str(error).split())}",
                    "End the process that reads from it, or wait until the source has noticed that it is gone; then repeat.",
                ) from None
        time.sleep(0.3)


def holders(source) -> str:
    """Return who has transactions open that write, in words; empty when nobody, or nobody that may be seen."""
    return ", ".join(row["name"] for row in rows(source, OLDEST))


def emit_barrier(source, content: str) -> None:
    """Write a message into the log that comes out of the stream in its place; needs 14 or newer to be seen there."""
    prefix, text = quote_literal("azpg_migrate"), quote_literal(content)
    value(source, f"SELECT pg_catalog.pg_logical_emit_message(true, {prefix}, {text})")
