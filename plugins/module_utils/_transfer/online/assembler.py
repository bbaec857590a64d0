# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From messages to batches: transactions are gathered until it is time to write, large ones are cut into parts."""

from __future__ import annotations

from typing import Callable

from . import pgoutput
from .batch import FULL_WEIGHT, Batch, Position
from .pgoutput import StreamError
from .spool import Spool


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
        self.begun: pgoutput.Begin | None = None
        self.filters: list = []
        self.skipped: frozenset = frozenset()
        self.skip_all = False
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
        elif kind in (pgoutput.UPDATE, pgoutput.INSERT, pgoutput.DELETE):
            self.change(data)
        else:
            self.control(pgoutput.parse(data, self.expected))

    def change(self, data: bytes) -> None:
        """Take in a changed row."""
        if self.begun is None:
            raise StreamError("A change came outside of any transaction.")
        if self.skip_all:
            return
        try:
            table = self.known[data[1:5]]
        except KeyError:
            raise StreamError(f"A change of table {data[1:5].hex()} came before its description.") from None
        if table is None or table.relation.oid in self.skipped:
            return
        batch = self.batch
        batch.add(data, table)
        if batch.weight >= FULL_WEIGHT:
            self.cut()

    def control(self, message) -> None:
        """Take in a message that is no change of a row."""
        if isinstance(message, pgoutput.Begin):
            self.begin(message)
        elif isinstance(message, pgoutput.Commit):
            self.commit(message.end_lsn, message.commit_lsn, message.committed_at)
        elif isinstance(message, pgoutput.Relation):
            self.relation(message)
        elif isinstance(message, pgoutput.Type):
            self.types[message.oid] = (message.schema, message.name)
        elif isinstance(message, pgoutput.Truncate):
            self.truncate(message)
        elif isinstance(message, pgoutput.Message):
            if not self.skip_all:
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

    def begin(self, message: pgoutput.Begin) -> None:
        """Take in that a transaction begins."""
        if self.begun is not None:
            raise StreamError("A transaction began within another one.")
        self.begun = message
        self.skip_all = message.final_lsn < self.position
        self.skipped = self.skipped_by_snapshots(message)
        if not self.skip_all:
            self.batch.begin(message)

    def skipped_by_snapshots(self, message: pgoutput.Begin) -> frozenset:
        """Return the oids of the tables whose copies hold this transaction's changes already."""
        if not self.filters:
            return frozenset()
        self.filters = [(snapshot, oids) for snapshot, oids in self.filters if message.final_lsn <= snapshot.position]
        seen = [oids for snapshot, oids in self.filters if snapshot.sees(message.xid)]
        return frozenset().union(*seen)

    def commit(self, end_lsn: int, commit_lsn: int, committed_at: float) -> None:
        """Take in that the transaction ends; a batch that is large enough ends with it."""
        if self.begun is None:
            raise StreamError("A transaction ended that had not begun.")
        self.begun = None
        self.heard_position = end_lsn
        if self.skip_all:
            return
        batch = self.batch
        batch.commit(Position(end_lsn, commit_lsn, committed_at))
        if batch.weight >= self.close_weight:
            self.close()

    def relation(self, message: pgoutput.Relation) -> None:
        """Take in how a table looks from here on."""
        self.known[message.oid.to_bytes(4, "big")] = self.table_of(message, self.types)

    def truncate(self, message: pgoutput.Truncate) -> None:
        """Take in that tables were emptied: what came before is written first."""
        if self.skip_all:
            return
        tables = [self.known.get(oid.to_bytes(4, "big")) for oid in message.relations]
        tables = [table for table in tables if table is not None and table.relation.oid not in self.skipped]
        if tables:
            self.batch.truncate = (tables, message.cascade, message.restart_identity)
            self.batch.truncates += len(tables)
            self.cut()

    def stream_commit(self, message: pgoutput.StreamCommit) -> None:
        """Take in a transaction that was kept on the spool, now that it has been committed."""
        self.begin(pgoutput.Begin(message.commit_lsn, message.committed_at, message.xid))
        for data in self.spool.messages(message.xid):
            self.feed(data)
        self.spool.forget(message.xid)
        self.commit(message.end_lsn, message.commit_lsn, message.committed_at)

    def cut(self) -> None:
        """Hand on what there is, within a transaction."""
        batch, self.batch = self.batch, Batch(self.expected)
        if self.begun is not None:
            self.batch.begin(self.begun)
        self.emit(batch)

    def close(self) -> None:
        """Hand on what there is, at the end of a transaction, if there is something."""
        if self.batch.transactions and self.begun is None:
            batch, self.batch = self.batch, Batch(self.expected)
            batch.whole = True
            self.emit(batch)
