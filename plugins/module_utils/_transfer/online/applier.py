# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing batches to the target, each exactly once: the position goes into the transaction of the changes."""

from __future__ import annotations

from ..._core.errors import TransferFailed
from ..._postgres.driver import psycopg2
from ..searching import UNRESOLVED
from . import position
from .conflict import explain
from .netting import Unordered
from .ordered import LOCK_NOT_AVAILABLE, Refused, replay
from .pgoutput import lsn_number, lsn_text
from .stage import Stages
from .writer import NotAsExpected, SetWriter

# What a statement over many rows may be refused for while the single changes, in order, are fine; or what has to be told
# row by row: violated constraints, values that cannot be read, an update of too many rows.
PER_ROW = ("21", "22", "23")
LOCK_TIME = "1s"  # for which a lock is waited for that an early transaction may hold
# Without statistics of its stages the planner would read whole tables instead of looking up keys.
SETTINGS = {
    "synchronous_commit": "on",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "temp_buffers": "64MB",
    "client_min_messages": "error",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
}


class Applier:
    """Writes batches over one session of the target, which is its own."""

    def __init__(
        self, session, migration: str, slot: str, known: int, expected: int, path: str = "", ordered: bool = False
    ):
        """Begin.

        :param known: the position from which the changes come: the target has to be just there
        :param path: the search path for functions that need one, see M(searching)
        :param ordered: replay every change in order instead of writing sets
        """
        self.session = session
        self.cursor = session.cursor()
        self.migration = migration
        self.slot = slot
        self.known = known
        self.expected = expected
        self.path = path
        self.lent = False
        self.ordered = ordered
        self.stages = Stages(self.cursor)
        self.writer = SetWriter(self.cursor, self.stages, expected)
        self.is_open = False
        self.transactions = 0
        self.changes = 0
        self.replayed = 0
        self.beside = None  # a M(beside.Beside), if there is one

    def apply(self, batch) -> bool:
        """Write a batch; return whether that ended a transaction of the target, and all before is safe now.

        :raises TransferFailed: when the target does not take a change; nothing of its transaction stays
        :raises psycopg2.Error: when the connection is lost, or the server cannot go on
        """
        if not self.is_open:
            self.begin()
            if self.lent:
                self.set_path()
            self.transactions = self.changes = 0
        if self.beside is not None and self.beside.is_open:
            self.write_beside(batch)
        else:
            self.write(batch)
        self.transactions += batch.transactions
        self.changes += len(batch.log)
        if not batch.whole:
            self.stages.empty()
            return False
        self.finish(batch)
        return True

    def begin(self) -> None:
        """Begin a transaction, if the target is where the changes go on.

        :raises TransferFailed: when it is elsewhere; C(details.transient) says that the stream has only to begin anew
        """
        self.cursor.execute(f"BEGIN; {position.CLAIM}", (self.migration, self.slot))
        self.is_open = True
        self.check(self.cursor.fetchone())

    def finish(self, batch) -> None:
        """Move the position to where the batch ends, and commit."""
        position.move(self.cursor, self.migration, self.slot, batch.position, self.transactions, self.changes)
        self.cursor.execute("COMMIT")
        self.is_open = False
        self.known = batch.position.end_lsn
        self.stages.filled.clear()

    def check(self, found: tuple | None) -> None:
        """Compare the position that was claimed with the one that is known.

        :raises TransferFailed: see M(begin)
        """
        if found is None:
            self.rollback()
            raise TransferFailed(
                f"The target knows another stream than {self.slot}.",
                "Another engine has begun this migration's stream anew; only one may go on.",
            )
        if lsn_number(found[0]) != self.known:
            self.rollback()
            raise TransferFailed(
                f"The target is at {found[0]}, expected {lsn_text(self.known)}: a commit of an earlier session came late.",
                "",
                {"transient": True},
            )

    def rollback(self) -> None:
        """Take back what is open."""
        self.cursor.execute("ROLLBACK")
        self.is_open = False
        self.stages.forget()

    def back_to_savepoint(self, name: str = "batch") -> None:
        """Take back the batch that is being written, and with it a search path that was set for it."""
        self.cursor.execute(f"ROLLBACK TO SAVEPOINT {name}")
        self.stages.forget()
        if self.lent:
            self.set_path()

    def write_beside(self, batch) -> None:
        """Write a batch while another transaction is applied early, which gives way when a lock is waited for."""
        self.cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIME}'; SAVEPOINT beside")
        try:
            self.write(batch)
            if batch.whole:  # otherwise COMMIT might have to wait
                self.cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            self.cursor.execute("RELEASE SAVEPOINT beside; SET LOCAL lock_timeout = 0")
        except psycopg2.Error as error:
            if error.pgcode != LOCK_NOT_AVAILABLE:
                raise
            self.beside.give_way()
            self.back_to_savepoint("beside")
            self.cursor.execute("SET LOCAL lock_timeout = 0")
            self.write(batch)

    def write(self, batch) -> None:
        """Write a batch, and empty what it empties."""
        if batch.log:
            self.write_rows(batch)
        if batch.truncate:
            self.empty(*batch.truncate)

    def write_rows(self, batch) -> None:
        """Write the changes of a batch: as sets if that can be done, else in order."""
        self.cursor.execute("SAVEPOINT batch")
        if not self.ordered and self.write_sets(batch):
            self.cursor.execute("RELEASE SAVEPOINT batch")
            return
        self.replayed += 1
        try:
            self.replay(batch)
        except Refused as refused:
            self.refuse(batch, refused)
        self.cursor.execute("RELEASE SAVEPOINT batch")

    def refuse(self, batch, refused: Refused) -> None:
        """Say which change the target does not take.

        :raises TransferFailed: always
        """
        self.back_to_savepoint()
        problem = explain(self.cursor, self.stages, batch, refused)
        self.rollback()
        raise problem from None

    def write_sets(self, batch) -> bool:
        """Write a batch as sets; return False, with nothing written, when it has to be replayed in order."""
        try:
            net = batch.net()
        except Unordered:
            return False
        try:
            try:
                self.writer.write(net)
            except psycopg2.Error as error:
                if error.pgcode not in UNRESOLVED or not self.lend_path():
                    raise
                self.writer.write(net)
        except NotAsExpected:
            self.back_to_savepoint()
            return False
        except psycopg2.Error as error:
            if (error.pgcode or "")[:2] not in PER_ROW or self.session.closed:
                raise
            self.back_to_savepoint()
            return False
        return True

    def replay(self, batch) -> None:
        """Replay a batch in order."""
        try:
            replay(self.cursor, self.stages, batch)
        except Refused as refused:
            if refused.error.pgcode not in UNRESOLVED or not self.lend_path():
                raise
            replay(self.cursor, self.stages, batch)

    def lend_path(self) -> bool:
        """Let functions that generated columns, checks and indexes call find what they look for, from now on."""
        if self.lent or not self.path:
            return False
        self.lent = True
        self.back_to_savepoint()
        return True

    def set_path(self) -> None:
        """Give the transaction the search path."""
        self.cursor.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (self.path,))

    def empty(self, tables: list, cascade: bool, restart_identity: bool) -> None:
        """Empty tables as the source did."""
        names = ", ".join(sorted({f"{table.only}{table.qualified}" for table in tables}))
        words = " RESTART IDENTITY" if restart_identity else ""
        self.cursor.execute(f"TRUNCATE {names}{words}{' CASCADE' if cascade else ''}")

    def close(self) -> None:
        """Close the session; what is open is taken back."""
        self.session.close()
