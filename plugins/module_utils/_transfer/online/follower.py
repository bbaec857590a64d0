# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following one database: the stream is read by one thread, what it comes to is written by another."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Callable

from . import tables
from .applier import Applier
from .assembler import Assembler
from .batch import KINDS
from .beside import Beside
from .confirmation import Confirmation
from .early import Early, InProgress
from .pgoutput import BINARY_VALUE, TEXT_VALUE
from .spool import Spool
from .stream import FEEDBACK_SECONDS, ChangeStream

WAIT_SECONDS = 0.5  # for messages, before other things are looked at
BUSY_SECONDS = 0.02  # while the writer may come to an end at any moment
BATCHES_AHEAD = 2  # that wait for the writer, so that the source need not
GATHER_SECONDS = 0.05  # for which changes are gathered while the writer has nothing to do and more may come
MESSAGES_AT_ONCE = 500
PAYLOAD = attrgetter("payload")


@dataclass
class Counts:
    """What has been taken in and what has been applied."""

    applied: int = 0  # position up to which all commits are safe on the target
    committed_at: float | None = None
    received: int = 0
    transactions: int = 0
    kinds: dict = field(default_factory=lambda: dict.fromkeys((*KINDS.values(), "truncates"), 0))
    replayed: int = 0
    spooled: int = 0
    largest: int = 0
    barriers: list = field(default_factory=list)
    early: int = 0  # transactions that were applied before their ends were known


class Follower:
    """Reads a stream and applies it until it is told to stop.

    :param stream: a M(stream.ChangeStream) that has been started
    :param applier: a M(applier.Applier)
    :param lookup: a session to the target, by which definitions are read
    :param position: the M(position.Stream) that the target knows
    :param filters: C([(Snapshot, oids of tables copied under it)])
    :param roots: see M(tables.read_table)
    :param open_session: see M(beside.Beside); without it transactions in progress wait for their ends
    """

    def __init__(
        self,
        stream: ChangeStream,
        applier: Applier,
        lookup,
        position,
        spool: Spool,
        binary: bool,
        filters: list,
        roots: dict,
        open_session: Callable | None = None,
    ):
        self.stream = stream
        self.applier = applier
        self.lookup = lookup
        self.roots = roots
        self.expected = BINARY_VALUE if binary else TEXT_VALUE
        self.assembler = Assembler(self.expected, position.position, spool, self.table_of, self.emit)
        self.assembler.filters = filters
        self.spool = spool
        self.confirmation = Confirmation()
        self.counts = Counts(applied=position.position, committed_at=position.committed_at)
        self.batches: queue.Queue = queue.Queue(maxsize=BATCHES_AHEAD)
        self.waiting = 0  # batches that have been handed on and not been written
        self.failure: BaseException | None = None
        self.changing = threading.Lock()
        self.ended = threading.Event()
        self.described: Callable = lambda before, after: None
        self.barriers: list = []
        self.touched: dict = {}
        self.gathered: object = None
        self.gathered_at = 0.0
        self.tick: Callable = lambda: None
        self.relations: dict = {}
        self.is_looking = False  # at definitions of the target
        self.beside = Beside(applier, open_session) if open_session else None
        if self.beside:
            applier.beside = self.beside
            self.assembler.early = Early(self)
        self.thread = threading.Thread(target=self.write, name="writer", daemon=True)

    # -- the thread that reads ----------------------------------------------------------------------------------------

    def run(self, until: Callable[[], bool], tick: Callable[[], None] = lambda: None) -> None:
        """Follow until I(until) says so; I(tick) is called at least once a second.

        :raises TransferFailed: when the target does not take a change, or a definition differs
        :raises psycopg2.Error: when a connection is lost
        """
        self.tick = tick
        self.thread.start()
        take, stream = self.assembler.take, self.stream
        try:
            while not until():
                found = stream.come()
                take(map(PAYLOAD, islice(found, MESSAGES_AT_ONCE)))
                self.look_after()
                following = next(found, None)
                if following is not None:
                    stream.heard = time.monotonic()
                    take((following.payload,))
                elif not stream.is_more():
                    self.rest()
        finally:
            self.ended.set()

    def rest(self) -> None:
        """Nothing is there at the moment: hand on what has been gathered, if the writer has time, and wait."""
        if self.waiting == 0 and self.assembler.is_between and self.is_enough():
            self.assembler.close()
        self.advance()
        if self.waiting or self.assembler.batch.transactions or not self.assembler.is_between:
            self.stream.wait(BUSY_SECONDS, much=True)
        else:
            self.stream.wait(WAIT_SECONDS)

    def is_enough(self) -> bool:
        """Whether what has been gathered is handed on: when the source says that it has no more, or after a moment."""
        batch, now = self.assembler.batch, time.monotonic()
        if self.gathered is not batch:
            self.gathered, self.gathered_at = batch, now
        return self.stream.walked > self.assembler.heard_position or now - self.gathered_at >= GATHER_SECONDS

    def advance(self) -> None:
        """When all that has come is safe, so is everything up to where the source has got, though there was nothing to do."""
        with self.changing:
            idle = self.waiting == 0 and self.assembler.is_between and not self.assembler.batch.transactions
            walked = self.stream.walked
            self.counts.received = max(self.counts.received, walked, self.assembler.heard_position)
            if idle and walked > self.counts.applied:
                self.counts.applied = walked

    def look_after(self) -> None:
        """Raise what the writer met with, let the source hear from here, and call the tick."""
        if self.failure is not None:
            raise self.failure
        with self.changing:
            self.counts.received = max(self.counts.received, self.assembler.heard_position)
            self.counts.spooled, self.counts.largest = self.spool.size, self.spool.largest
            confirmed = self.confirmation.safe(self.counts.applied)
        self.stream.feedback(confirmed, force=False)
        self.tick()

    def emit(self, batch) -> None:
        """Hand a batch to the writer, and remember what it is about."""
        self.touched.update(dict.fromkeys(batch.tables, batch.last_commit))
        if batch.truncate:
            numbers = (table.relation.oid.to_bytes(4, "big") for table in batch.truncate[0])
            self.touched.update(dict.fromkeys(numbers, batch.last_commit))
        self.hand_on(batch)

    def hand_on(self, batch) -> None:
        """Hand a batch to the writer; the source is told that this end lives while that takes time."""
        with self.changing:
            self.waiting += 1
        self.look_after()  # a transaction that was kept on the spool may come in one go
        while True:
            try:
                self.batches.put(batch, timeout=FEEDBACK_SECONDS / 5)
                return
            except queue.Full:
                self.look_after()

    def touched_since(self, position: int) -> list:
        """Return the oids of the tables that transactions behind I(position) have changed; called by the thread that reads."""
        found = {number for number, last in self.touched.items() if last >= position}
        found.update(self.assembler.batch.tables)
        return sorted(int.from_bytes(number, "big") for number in found)

    def wait_for(self, one: InProgress) -> None:
        """Wait until a transaction that is applied early is on the target, or has been given up."""
        while not one.ended.wait(FEEDBACK_SECONDS / 5):
            self.look_after()

    def table_of(self, relation, types: dict):
        """Return the target's counterpart of a table that the stream describes."""
        self.note(relation)
        return self.look_up(relation, types)

    def note(self, relation) -> None:
        """Remember how a table looks, and say so when that has changed."""
        known = self.relations.get(relation.oid)
        self.relations[relation.oid] = relation
        if known is not None and known != relation:
            self.described(known, relation)

    def look_up(self, relation, types: dict):
        """Return the target's counterpart of a table."""
        self.is_looking = True
        table = tables.read_table(self.lookup, relation, self.roots, types)
        self.is_looking = False
        if self.expected == BINARY_VALUE and not table.binary:
            raise NeedsText(table.label)
        return table

    # -- the thread that writes ---------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write batches as they come."""
        while not self.ended.is_set():
            try:
                batch = self.batches.get(timeout=WAIT_SECONDS)
            except queue.Empty:
                continue
            try:
                self.write_one(batch)
            except BaseException as error:
                self.failure = error
                return

    def write_early(self, batch) -> None:
        """Write a batch of a transaction whose end was not known; nothing of it counts before that has come."""
        one = batch.early
        self.beside.write(batch)
        with self.changing:
            if one.committed:
                self.count(one.kinds, batch.transactions, one.messages)
                self.settle(batch)
                self.counts.early += 1
            self.waiting -= 1
        if one.committed or one.given_up:
            one.ended.set()

    def write_one(self, batch) -> None:
        """Write a batch and count it."""
        if batch.early is not None:
            self.write_early(batch)
            return
        safe = True if batch.is_empty and batch.whole and not self.applier.is_open else self.applier.apply(batch)
        with self.changing:
            self.count(batch.counts, batch.transactions, batch.messages)
            if safe:
                self.settle(batch)
            self.waiting -= 1

    def count(self, kinds: dict, transactions: int, messages: list) -> None:
        """Count what has been written."""
        for kind, number in kinds.items():
            self.counts.kinds[kind] += number
        self.counts.transactions += transactions
        self.counts.replayed = self.applier.replayed + (self.beside.replayed if self.beside else 0)
        self.barriers += [message.content.decode("utf-8", "replace") for message in messages]

    def settle(self, batch) -> None:
        """Everything up to the end of this batch is safe."""
        self.counts.applied = max(self.counts.applied, batch.position.end_lsn)
        self.counts.committed_at = batch.position.committed_at
        self.counts.barriers += self.barriers
        self.barriers = []

    @property
    def target_sessions(self) -> list:
        """The sessions that are written to."""
        return [self.applier.session, *(self.beside.sessions if self.beside else ())]

    def close(self) -> None:
        """End both connections and wait for the writer."""
        self.ended.set()
        with contextlib.suppress(Exception):
            self.stream.close()
        for session in self.target_sessions if self.thread.is_alive() else ():
            with contextlib.suppress(Exception):
                session.cancel()
        if self.thread.ident is not None:
            self.thread.join()
        with contextlib.suppress(Exception):
            self.applier.close()
        if self.beside:
            self.beside.close()
        self.spool.close()


class NeedsText(Exception):
    """A table has columns whose binary images differ between the servers: values have to come as text."""
