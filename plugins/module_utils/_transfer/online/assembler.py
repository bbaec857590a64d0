# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From messages to batches: transactions are gathered until it is time to write, large ones are cut into parts.

What is done for each message costs more than anything else here. So a change is told from others by its first bytes, and goes
where others went that began alike; only the first of its kind in a batch is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable

from . import pgoutput
from .batch import CHANGE_WEIGHT, FULL_WEIGHT, TRANSACTION_WEIGHT, Batch, transaction
from .pgoutput import BEGIN, COMMIT, DELETE, INSERT, UPDATE, StreamError
from .spool import Spool

ROW_KINDS = frozenset((INSERT, UPDATE, DELETE))
HEAD = 6  # bytes: the kind of a message, the number of its table, and what its first row is
SPOOLED_AT_ONCE = 1 << 18  # bytes
NO_LANES: dict = {}


class Assembler:
    """Takes messages in and hands batches on.

    :param expected: how values come, BINARY_VALUE or TEXT_VALUE
    :param position: the end of the last transaction that has been applied; what is sent again is left out
    :param spool: keeps transactions in progress
    :param table_of: called with a M(pgoutput.Relation) and C({oid: (schema, name)}) of types, returns its M(tables.Table)
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
        self.begun: bytes | None = None
        self.filters: list = []
        self.skipped: frozenset = frozenset()
        self.is_open = False
        self.is_plain = False  # all that comes is new, and every table wants it
        self.streamed: int | None = None
        self.last: bytes | None = None
        self.early = None  # an M(early.Early), if transactions in progress may be applied

    @property
    def is_between(self) -> bool:
        """Whether no transaction is half taken in; one in progress on the spool does not count."""
        return self.begun is None and self.streamed is None

    @property
    def heard_position(self) -> int:
        """The end of the last transaction that came."""
        return pgoutput.COMMIT_FIELDS(self.last, 1)[2] if self.last else self.position

    def lanes(self) -> dict:
        """Return where changes may go without a look at them."""
        return self.batch.append if self.is_open and not self.skipped and self.streamed is None else NO_LANES

    def take(self, messages: Iterable[bytes]) -> None:
        """Take in messages.

        :raises StreamError: when one does not belong here
        :raises TransferFailed: when one speaks of a table that the target does not have like this
        """
        batch, lanes, full = self.batch, self.lanes(), FULL_WEIGHT
        log, weight = batch.log, batch.weight
        streamed, kept, size = self.streamed, [], 0
        for data in messages:
            if streamed is not None and data[0] in pgoutput.CONTENT:
                kept.append(data)
                size += len(data)
                if size >= SPOOLED_AT_ONCE:
                    self.keep(streamed, kept)
                    kept, size = [], 0
                    batch = self.batch
                    log, weight = batch.log, batch.weight
                continue
            add = lanes.get(data[:HEAD])
            if add is not None:
                add(data)
                log.append(data)
                weight += len(data) + CHANGE_WEIGHT
                if weight < full:
                    continue
                self.cut()
            elif data[0] == BEGIN and self.is_plain and self.begun is None:
                self.begun = data
                self.is_open = True
                batch.starts.append((len(log), data))
                lanes = batch.append
                continue
            elif data[0] == COMMIT and self.is_plain and self.begun is not None:
                self.last = batch.ended = data
                self.begun = None
                self.is_open = False
                batch.transactions += 1
                weight += TRANSACTION_WEIGHT
                lanes = NO_LANES
                if weight < self.close_weight:
                    continue
                self.close()
            else:
                batch.weight = weight
                if kept:
                    self.keep(streamed, kept)
                    kept, size = [], 0
                self.look(data)
                streamed = self.streamed
            batch, lanes = self.batch, self.lanes()
            log, weight = batch.log, batch.weight
        batch.weight = weight
        if kept:
            self.keep(streamed, kept)

    def keep(self, xid: int, messages: list) -> None:
        """Keep messages of a transaction in progress."""
        self.spool.add(xid, messages)
        if self.early is not None:
            self.early.take(xid, messages)

    def look(self, data: bytes) -> None:
        """Take in a message that needs a look."""
        kind = data[0]
        if kind in ROW_KINDS:
            self.change(data)
        elif kind == BEGIN:
            self.begin(data)
        elif kind == COMMIT:
            self.commit(data)
        elif kind == pgoutput.STREAM_COMMIT:
            self.stream_commit(data)
        else:
            self.control(pgoutput.parse(data, self.expected))

    def change(self, data: bytes) -> None:
        """Take in a change that is the first of its kind in the batch, or perhaps of a table that is left out."""
        if self.begun is None:
            raise StreamError("A change came outside of any transaction.")
        if not self.is_open:
            return
        table = self.described(data[1:5])
        if table.relation.oid in self.skipped:
            return
        batch, head = self.batch, data[:HEAD]
        (batch.append.get(head) or batch.lane(head, table))(data)
        batch.log.append(data)
        batch.weight += len(data) + CHANGE_WEIGHT
        if batch.weight >= FULL_WEIGHT:
            self.cut()

    def described(self, key: bytes):
        """Return the table that a change is about.

        :param key: its oid, as messages have it
        :raises StreamError: when the stream has not described it
        """
        try:
            return self.known[key]
        except KeyError:
            raise StreamError(f"A change of table {key.hex()} came before its description.") from None

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
            if message.first and self.early is not None:
                self.early.begin(message.xid)
        elif isinstance(message, pgoutput.StreamStop):
            self.streamed = None
        elif isinstance(message, pgoutput.StreamAbort):
            self.spool.abort(message.xid, message.subxid)
            if self.early is not None:
                self.early.abort(message.xid)
        elif not isinstance(message, pgoutput.Origin):
            raise StreamError(f"A message came that was not asked for: {type(message).__name__}.")

    def begin(self, data: bytes) -> None:
        """Take in that a transaction begins."""
        if self.begun is not None:
            raise StreamError("A transaction began within another one.")
        self.begun = data
        final_lsn, xid = transaction(data)
        self.is_open = final_lsn >= self.position
        if self.filters:
            self.skipped = self.skipped_by_snapshots(final_lsn, xid)
        self.is_plain = self.is_open and not self.filters  # transactions come in the order of their commits
        if self.is_open:
            self.batch.starts.append((len(self.batch.log), data))

    def skipped_by_snapshots(self, final_lsn: int, xid: int) -> frozenset:
        """Return the oids of the tables whose copies hold this transaction's changes already."""
        self.filters = [(snapshot, oids) for snapshot, oids in self.filters if final_lsn <= snapshot.position]
        return frozenset().union(*(oids for snapshot, oids in self.filters if snapshot.sees(xid)))

    def commit(self, data: bytes) -> None:
        """Take in that the transaction ends; a batch that is large enough ends with it."""
        if self.begun is None:
            raise StreamError("A transaction ended that had not begun.")
        self.begun = None
        self.last = data
        if self.is_open:
            self.is_open = False
            batch = self.batch
            batch.ended = data
            batch.transactions += 1
            batch.weight += TRANSACTION_WEIGHT
            if batch.weight >= self.close_weight:
                self.close()

    def relation(self, message: pgoutput.Relation) -> None:
        """Take in how a table looks from here on; changes of before are written as they were described."""
        key = message.oid.to_bytes(4, "big")
        if key in self.batch.tables:
            self.cut()
        self.known[key] = self.table_of(message, self.types)

    def truncate(self, message: pgoutput.Truncate) -> None:
        """Take in that tables were emptied: what came before is written first."""
        if not self.is_open:
            return
        tables = [self.described(oid.to_bytes(4, "big")) for oid in message.relations if oid not in self.skipped]
        if tables:
            self.batch.truncate = (tables, message.cascade, message.restart_identity)
            self.cut()

    def stream_commit(self, data: bytes) -> None:
        """Take in a transaction that was kept on the spool, now that it has been committed, as if it came whole.

        One that has been applied early need not be taken from there.
        """
        xid = pgoutput.owner(data)
        begun, ended = pgoutput.as_if_whole(data)
        if self.early is not None and self.early.commit(xid, begun, ended):
            self.spool.forget(xid)
            self.last = ended
            return
        self.begin(begun)
        for messages in self.spool.messages(xid):
            self.take(messages)
        self.spool.forget(xid)
        self.commit(ended)

    def cut(self) -> None:
        """Hand on what there is, though its last transaction goes on."""
        batch, self.batch = self.batch, Batch(self.expected)
        if self.begun is not None:
            self.batch.starts.append((0, self.begun))
        self.emit(batch)

    def close(self) -> None:
        """Hand on what there is, at the end of a transaction, if there is something."""
        if self.batch.transactions and self.begun is None:
            batch, self.batch = self.batch, Batch(self.expected)
            batch.whole = True
            self.emit(batch)
