# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From messages to batches: transactions are gathered until it is time to write, large ones are cut into parts."""

from __future__ import annotations

from typing import Callable

from . import pgoutput
from .batch import CHANGE_WEIGHT, FULL_WEIGHT, Batch, Position
from .netting import Unordered, changes_of
from .pgoutput import DELETE, INSERT, UPDATE, StreamError
from .spool import Spool

ROW_KINDS = frozenset((INSERT, UPDATE, DELETE))


class Assembler:
    """Takes messages in and hands batches on.

    :param expected: how values come, BINARY_VALUE or TEXT_VALUE
    :param position: the end of the last transaction that has been applied; what is sent again is left out
    :param spool: keeps transactions in progress
    :param table_of: called with a M(pgoutput.Relation) and C({oid: (schema, name)}) of types, returns its M(tables.Table),
        or None for one whose changes are of no interest
    :param emit: called with each M(Batch) that is to be written, in order
    """

    def __init__(self, expected: int, position: int, spool: Spool, table_of: Callable, emit: Callable):
        self.expected = expected
        self.position = position
        self.spool = spool
        self.table_of = table_of
        self.emit = emit
        self.close_weight = FULL_WEIGHT // 2
        self.batch = Batch(expected)
        self.known: dict = {}
        self.types: dict = {}
        self.begun: tuple | None = None
        self.filters: list = []
        self.skipped: frozenset = frozenset()
        self.is_open = False
        self.streamed: int | None = None
        self.heard_position = position

    @property
    def is_between(self) -> bool:
        """Whether no transaction is half taken in; one in progress on the spool does not count."""
        return self.begun is None and self.streamed is None

    def feed(self, data: bytes) -> None:
        """Take in a message.

        :raises StreamError: when it does not belong here
        :raises TransferFailed: when it speaks of a table that the target does not have like this
        """
        kind = data[0]
        if self.streamed is not None and kind in pgoutput.CONTENT:
            self.spool.add(self.streamed, data)
        elif kind in ROW_KINDS:
            if self.is_open:
                batch = self.batch
                changes = batch.changes.get(data[1:5])
                if changes is None or self.skipped:
                    changes = self.changes_of(data[1:5])
                    if changes is None:
                        return
                batch.log.append(data)
                batch.weight += len(data) + CHANGE_WEIGHT
                if not batch.ordered:
                    try:
                        if kind == UPDATE:
                            changes.update(data)
                        elif kind == INSERT:
                            changes.insert(data)
                        else:
                            changes.delete(data)
                    except Unordered:
                        batch.ordered = True
                if batch.weight >= FULL_WEIGHT:
                    self.cut()
            elif self.begun is None:
                raise StreamError("A change came outside of any transaction.")
        elif kind == pgoutput.BEGIN:
            self.begin(*pgoutput.BEGIN_FIELDS(data, 1))
        elif kind == pgoutput.COMMIT:
            _flags, commit_lsn, end_lsn, committed_at = pgoutput.COMMIT_FIELDS(data, 1)
            self.commit(end_lsn, commit_lsn, pgoutput.moment(committed_at))
        else:
            self.control(pgoutput.parse(data, self.expected))

    def changes_of(self, key: bytes):
        """Return where the batch gathers the changes of a table; None when this one's are of no interest."""
        try:
            table = self.known[key]
        except KeyError:
            raise StreamError(f"A change of table {key.hex()} came before its description.") from None
        if table is None or table.relation.oid in self.skipped:
            return None
        changes = self.batch.changes.get(key)
        if changes is None:
            changes = self.batch.changes[key] = changes_of(table, self.expected)
        return changes

    def control(self, message) -> None:
        """Take in a message that is no change of a row."""
        if isinstance(message, pgoutput.Relation):
            self.relation(message)
        elif isinstance(message, pgoutput.Type):
            self.types[message.oid] = (message.schema, message.name)
        elif isinstance(message, pgoutput.Truncate):
            self.truncate(message)
        elif isinstance(message, pgoutput.Message):
            if self.is_open or not message.transactional:
                self.batch.messages.append(message)
        elif isinstance(message, pgoutput.StreamStart):
            self.streamed = message.xid
        elif isinstance(message, pgoutput.StreamStop):
            self.streamed = None
        elif isinstance(message, pgoutput.StreamAbort):
            self.spool.abort(message.xid, message.subxid)
        elif isinstance(message, pgoutput.StreamCommit):
            self.stream_commit(message)
        elif not isinstance(message, pgoutput.Origin):
            raise StreamError(f"A message came that was not asked for: {type(message).__name__}.")

    def begin(self, final_lsn: int, _committed_at: float, xid: int) -> None:
        """Take in that a transaction begins."""
        if self.begun is not None:
            raise StreamError("A transaction began within another one.")
        self.begun = (final_lsn, xid)
        self.is_open = final_lsn >= self.position
        if self.filters:
            self.skipped = self.skipped_by_snapshots(final_lsn, xid)
        if self.is_open:
            self.batch.starts.append((len(self.batch.log), final_lsn, xid))

    def skipped_by_snapshots(self, final_lsn: int, xid: int) -> frozenset:
        """Return the oids of the tables whose copies hold this transaction's changes already."""
        self.filters = [(snapshot, oids) for snapshot, oids in self.filters if final_lsn <= snapshot.position]
        return frozenset().union(*(oids for snapshot, oids in self.filters if snapshot.sees(xid)))

    def commit(self, end_lsn: int, commit_lsn: int, committed_at: float) -> None:
        """Take in that the transaction ends; a batch that is large enough ends with it."""
        if self.begun is None:
            raise StreamError("A transaction ended that had not begun.")
        self.begun = None
        self.heard_position = end_lsn
        if self.is_open:
            self.is_open = False
            batch = self.batch
            batch.position = Position(end_lsn, commit_lsn, committed_at)
            batch.transactions += 1
            if batch.weight >= self.close_weight:
                self.close()

    def relation(self, message: pgoutput.Relation) -> None:
        """Take in how a table looks from here on; changes of before are written as they were described."""
        key = message.oid.to_bytes(4, "big")
        if key in self.batch.changes:
            self.cut()
        self.known[key] = self.table_of(message, self.types)

    def truncate(self, message: pgoutput.Truncate) -> None:
        """Take in that tables were emptied: what came before is written first."""
        if not self.is_open:
            return
        tables = [self.known.get(oid.to_bytes(4, "big")) for oid in message.relations]
        tables = [table for table in tables if table is not None and table.relation.oid not in self.skipped]
        if tables:
            self.batch.truncate = (tables, message.cascade, message.restart_identity)
            self.cut()

    def stream_commit(self, message: pgoutput.StreamCommit) -> None:
        """Take in a transaction that was kept on the spool, now that it has been committed."""
        self.begin(message.commit_lsn, message.committed_at, message.xid)
        for data in self.spool.messages(message.xid):
            self.feed(data)
        self.spool.forget(message.xid)
        self.commit(message.end_lsn, message.commit_lsn, message.committed_at)

    def cut(self) -> None:
        """Hand on what there is, though its last transaction goes on."""
        batch, self.batch = self.batch, Batch(self.expected)
        if self.begun is not None:
            self.batch.starts.append((0, *self.begun))
        self.emit(batch)

    def close(self) -> None:
        """Hand on what there is, at the end of a transaction, if there is something."""
        if self.batch.transactions and self.begun is None:
            batch, self.batch = self.batch, Batch(self.expected)
            batch.whole = True
            self.emit(batch)
