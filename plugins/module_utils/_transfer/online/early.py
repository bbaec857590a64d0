# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathering the changes of a transaction whose end is not known yet, so that they need not wait for it.

They are kept on the spool as well. So whoever meets with anything out of the ordinary may give up at any moment: the transaction
then comes from there when it has been committed, as all others in progress do.
"""

from __future__ import annotations

import struct
import threading

from ..._core.errors import TransferFailed
from .assembler import Assembler
from .batch import Batch, transaction
from .pgoutput import BEGIN

BEGINNING = struct.Struct(">BQqI")


class Unfit(Exception):
    """A transaction cannot be applied before its end is known."""


class InProgress:
    """A transaction that is applied early, as the thread that reads and the one that writes both know it.

    Either of them may give it up. I(ended) says that nothing more of it will be written, I(committed) that the target has it.
    """

    def __init__(self, xid: int):
        self.xid = xid
        self.given_up = False
        self.committed = False
        self.ended = threading.Event()
        self.is_handed_on = False  # the thread that writes knows of it
        self.tables: set = set()
        self.kinds: dict = {}
        self.messages: list = []

    def count(self, batch) -> None:
        """Remember what a batch holds until it is known whether it counts."""
        for kind, number in batch.counts.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + number
        self.messages += batch.messages


class EarlyAssembler(Assembler):
    """Gathers the changes of one transaction, which have come to this end as if it had been sent whole."""

    def open(self, xid: int) -> EarlyAssembler:
        """Begin the transaction; the position of its commit is not known."""
        self.begun = BEGINNING.pack(BEGIN, 0, 0, xid)
        self.is_open = True
        self.batch.starts.append((0, self.begun))
        return self

    def relation(self, message) -> None:
        """Take in how a table looks.

        :raises Unfit: when the transaction has changed it, or the target has no such table
        """
        known = self.known.get(message.oid.to_bytes(4, "big"))
        if known is not None and known.relation != message:
            raise Unfit
        if known is None:
            try:
                super().relation(message)
            except TransferFailed:  # said at the commit, if there is one
                raise Unfit from None

    def truncate(self, message) -> None:
        """Refuse to empty tables: that locks out everybody until the end.

        :raises Unfit: always
        """
        raise Unfit

    def finish(self, ended: bytes) -> Batch:
        """Return what is left, now that the transaction has ended with this COMMIT."""
        self.batch.ended = ended
        self.batch.transactions = 1
        self.batch.whole = True
        return self.batch


class Early:
    """Lets one transaction in progress at a time be applied; called by the thread that reads.

    :param follower: the M(follower.Follower) that reads
    """

    def __init__(self, follower):
        self.follower = follower
        self.main: Assembler = follower.assembler
        self.one: InProgress | None = None
        self.assembler: EarlyAssembler | None = None

    def begin(self, xid: int) -> None:
        """Begin with a transaction of which the first piece comes, if there is no other one."""
        if self.one is not None and self.one.given_up:
            self.forget()
        main = self.main
        if self.one is not None or not self.follower.beside.is_possible:
            return
        # It will be committed behind everything that has been; copies that saw less than that have not seen it.
        floor = max(main.position, main.heard_position)
        main.filters = [(snapshot, oids) for snapshot, oids in main.filters if snapshot.position > floor]
        if not main.filters:
            self.one = InProgress(xid)
            self.assembler = EarlyAssembler(main.expected, main.position, main.spool, self.find_table, self.emit)
            self.assembler.types = dict(main.types)
            self.assembler.open(xid)

    def take(self, xid: int, messages: list) -> None:
        """Take in messages as they came within a piece of a transaction, each with its part's number behind its kind."""
        if self.one is None or self.one.xid != xid:
            return
        if self.one.given_up:
            self.forget()
            return
        try:
            self.assembler.take([data[:1] + data[5:] for data in messages])
        except Unfit:
            self.give_up()

    def find_table(self, relation, types: dict):
        """Return the target's counterpart of a table.

        :raises Unfit: when the table was another one when it came last
        """
        known = self.main.known.get(relation.oid.to_bytes(4, "big"))
        if known is None:
            return self.follower.look_up(relation, types)
        if known.relation != relation:
            raise Unfit
        return known

    def emit(self, batch: Batch) -> None:
        """Hand on a batch, after everything that has been committed so far: its changes may rest on that."""
        one = self.one
        self.main.close()
        batch.early = one
        one.is_handed_on = True
        one.tables.update(batch.tables)
        self.follower.hand_on(batch)

    def forget(self) -> None:
        """Have nothing more to do with the transaction."""
        self.one = self.assembler = None

    def give_up(self) -> None:
        """Have taken back what has been written."""
        one = self.one
        self.forget()
        one.given_up = True
        if one.is_handed_on:
            batch = Batch(self.main.expected)
            batch.early = one
            self.follower.hand_on(batch)

    def abort(self, xid: int) -> None:
        """Take in that a transaction, or a part of it, was taken back."""
        if self.one is not None and self.one.xid == xid:
            self.give_up()

    def commit(self, xid: int, begun: bytes, ended: bytes) -> InProgress | None:
        """Return a transaction that has been committed, and that is on the target; None for one that has to come from the spool.

        One that fits into a batch does: there it may be written together with others.
        """
        one, assembler = self.one, self.assembler
        if one is None or one.xid != xid:
            return None
        if not one.is_handed_on or transaction(begun)[0] < self.main.position:
            self.give_up()
            return None
        if not one.given_up:
            self.emit(assembler.finish(ended))
            self.follower.wait_for(one)
        self.forget()
        if not one.committed:
            return None
        self.learn(one, assembler, transaction(begun)[0])
        return one

    def learn(self, one: InProgress, assembler: EarlyAssembler, final_lsn: int) -> None:
        """Know of a transaction that was committed there what would be known if it had come whole."""
        for table in assembler.known.values():
            if table is not None:
                self.follower.note(table.relation)
        self.main.known.update(assembler.known)
        self.main.types.update(assembler.types)
        self.follower.touched.update(dict.fromkeys(one.tables, final_lsn))
