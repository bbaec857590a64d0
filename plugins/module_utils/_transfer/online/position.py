# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the target knows of the stream: how far it has been applied, and under which snapshots tables were copied.

Both lie in the helper schema. The position is written in the transaction of the changes that it speaks of, so no change is
applied twice and none is left out, whoever dies when. A table's marker names the snapshot of its copy by a number, through
a setting of the worker's session, so a run that goes on after a crash need not copy again what an earlier one brought: the
stream has everything since.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..._postgres.connection import rows, transaction, value
from .. import marker
from .pgoutput import lsn_number, lsn_text

NUMBER_SETTING = f"{marker.SCHEMA}.snapshot"
CREATE = f"""
CREATE TABLE IF NOT EXISTS {marker.SCHEMA}.stream (
    migration text PRIMARY KEY, system text NOT NULL, slot text NOT NULL, publication text NOT NULL,
    first_xid bigint NOT NULL, position pg_lsn NOT NULL, commit_position pg_lsn NOT NULL, committed_at timestamptz,
    transactions bigint NOT NULL DEFAULT 0, changes bigint NOT NULL DEFAULT 0, proven boolean NOT NULL DEFAULT false);
CREATE TABLE IF NOT EXISTS {marker.SCHEMA}.snapshot (
    migration text NOT NULL, number integer NOT NULL, content text NOT NULL, position pg_lsn NOT NULL,
    PRIMARY KEY (migration, number));
ALTER TABLE {marker.SCHEMA}.unit ADD COLUMN IF NOT EXISTS
    snapshot integer DEFAULT NULLIF(pg_catalog.current_setting('{NUMBER_SETTING}', true), '')::integer;
"""
READ = f"""
SELECT system, slot, publication, first_xid, position::text AS position, commit_position::text AS commit_position,
       pg_catalog.date_part('epoch', committed_at) AS committed_at, transactions, changes, proven
  FROM {marker.SCHEMA}.stream WHERE migration = %s
"""
# Held until the end of the transaction: a commit of an earlier session that is still on its way comes first, and is seen.
CLAIM = f"SELECT position::text FROM {marker.SCHEMA}.stream WHERE migration = %s AND slot = %s FOR UPDATE"
MOVE = f"""
UPDATE {marker.SCHEMA}.stream SET position = %s::pg_lsn, commit_position = %s::pg_lsn,
       committed_at = pg_catalog.to_timestamp(%s), transactions = transactions + %s, changes = changes + %s
 WHERE migration = %s AND slot = %s
"""
XID_BITS = 32


@dataclass(frozen=True)
class Stream:
    """A row of C(azpg_migrate.stream).

    Positions are numbers, I(committed_at) is in seconds since 1970 or None. I(first_xid) is the first transaction that
    cannot have been open when the slot was made. I(proven) says that everything copied belongs to this stream; until then
    what an earlier stream has left has to be compared with the source.
    """

    system: str
    slot: str
    publication: str
    first_xid: int
    position: int
    commit_position: int
    committed_at: float | None
    transactions: int = 0
    changes: int = 0
    proven: bool = True


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of the source; I(position) is one that no transaction which it sees commits behind."""

    number: int
    least: int
    next: int
    running: frozenset
    position: int

    @classmethod
    def parse(cls, number: int, content: str, position: int) -> Snapshot:
        """Return the snapshot that the server writes as C(xmin:xmax:xip,xip)."""
        least, following, running = content.split(":")
        return cls(
            number, int(least), int(following), frozenset(int(one) for one in running.split(",") if one), position
        )

    def sees(self, xid: int) -> bool:
        """Return whether the work of a committed transaction, its number cut to 32 bits, was visible."""
        # The nearest number of 64 bits: transactions that matter are not two thousand million apart.
        distance = (xid - self.least) & 0xFFFFFFFF
        if distance >= 1 << (XID_BITS - 1):
            return True
        full = self.least + distance
        return full < self.next and full not in self.running


def prepare(session) -> None:
    """Create what the helper schema needs for the stream."""
    with transaction(session) as cursor:
        cursor.execute(CREATE)


def read(session, migration: str) -> Stream | None:
    """Return what is known of a migration's stream; None when there is none, or no such table yet."""
    if value(session, "SELECT pg_catalog.to_regclass(%s)", (f"{marker.SCHEMA}.stream",)) is None:
        return None
    found = rows(session, READ, (migration,))
    if not found:
        return None
    words = found[0]
    words.update({word: lsn_number(words[word]) for word in ("position", "commit_position")})
    return Stream(**words)


def enter(session, migration: str, stream: Stream, snapshot: str, begun: list) -> int:
    """Enter a new stream in the place of any earlier one, with its first snapshot; return that one's number.

    :param snapshot: what the slot's own snapshot sees; the stream has nothing of that
    :param begun: markers that an earlier stream has set and that hold no more
    """
    with transaction(session) as cursor:
        cursor.execute(f"DELETE FROM {marker.SCHEMA}.stream WHERE migration = %s", (migration,))
        cursor.execute(f"DELETE FROM {marker.SCHEMA}.snapshot WHERE migration = %s", (migration,))
        marker.remove_markers(cursor, migration, begun)
        cursor.execute(
            f"INSERT INTO {marker.SCHEMA}.stream"
            " (migration, system, slot, publication, first_xid, position, commit_position, proven)"
            " VALUES (%s, %s, %s, %s, %s, %s::pg_lsn, %s::pg_lsn, %s)",
            (
                migration,
                stream.system,
                stream.slot,
                stream.publication,
                stream.first_xid,
                lsn_text(stream.position),
                lsn_text(stream.commit_position),
                stream.proven,
            ),
        )
        return insert_snapshot(cursor, migration, snapshot, stream.position)


def insert_snapshot(cursor, migration: str, content: str, position: int) -> int:
    """Enter a snapshot under which tables are about to be copied; return its number."""
    cursor.execute(
        f"INSERT INTO {marker.SCHEMA}.snapshot SELECT %s, COALESCE(pg_catalog.max(number), 0) + 1, %s, %s::pg_lsn"
        f" FROM {marker.SCHEMA}.snapshot WHERE migration = %s RETURNING number",
        (migration, content, lsn_text(position), migration),
    )
    return cursor.fetchone()[0]


def enter_snapshot(session, migration: str, content: str, position: int) -> int:
    """Do the same in a transaction of its own, one after another."""
    with transaction(session) as cursor:
        cursor.execute(f"LOCK TABLE {marker.SCHEMA}.snapshot IN SHARE ROW EXCLUSIVE MODE")
        return insert_snapshot(cursor, migration, content, position)


def prove(session, migration: str, number: int) -> None:
    """Enter that everything which is there is what snapshot I(number) sees."""
    with transaction(session) as cursor:
        cursor.execute(
            f"UPDATE {marker.SCHEMA}.unit SET snapshot = %s WHERE migration = %s AND snapshot IS NOT NULL",
            (number, migration),
        )
        cursor.execute(f"UPDATE {marker.SCHEMA}.stream SET proven = true WHERE migration = %s", (migration,))


def snapshots(session, migration: str) -> dict:
    """Return C({number: Snapshot})."""
    found = rows(
        session,
        f"SELECT number, content, position::text AS position FROM {marker.SCHEMA}.snapshot WHERE migration = %s",
        (migration,),
    )
    return {row["number"]: Snapshot.parse(row["number"], row["content"], lsn_number(row["position"])) for row in found}


def snapshots_of_units(session, migration: str) -> dict:
    """Return C({unit: number of the snapshot}) of everything that was brought under one."""
    found = rows(
        session,
        f"SELECT unit, snapshot FROM {marker.SCHEMA}.unit WHERE migration = %s AND snapshot IS NOT NULL",
        (migration,),
    )
    return {row["unit"]: row["snapshot"] for row in found}


def move(cursor, migration: str, slot: str, position, transactions: int, changes: int) -> None:
    """Write the position within the caller's transaction, which has claimed it.

    :param position: a M(batch.Position)
    """
    cursor.execute(
        MOVE,
        (
            lsn_text(position.end_lsn),
            lsn_text(position.commit_lsn),
            position.committed_at,
            transactions,
            changes,
            migration,
            slot,
        ),
    )
