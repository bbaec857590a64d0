# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is applied together: the changes of some transactions of the source, or a part of one that is large."""

from __future__ import annotations

from typing import NamedTuple

from . import pgoutput
from .netting import Unordered, changes_of

# Weights are bytes; a change weighs more than its content, since it has to be kept and written.
CHANGE_WEIGHT = 600
FULL_WEIGHT = 14 << 20
KINDS = ("inserts", "updates", "deletes", "truncates")


class Position(NamedTuple):
    """How far the source's transactions have been taken in: the last one's end, commit and moment."""

    end_lsn: int
    commit_lsn: int
    committed_at: float


class Batch:
    """Gathers changes; I(log) holds them in order, C((message, table)), in case that they have to be replayed one by one.

    I(position) is that of the last transaction in it that is whole; I(whole) says that it ends there. I(truncate) is what
    empties tables after its changes. I(ordered) says that only the log tells what to do. I(starts) tells at which places
    of the log transactions begin, C([(place, final LSN, xid)]).
    """

    def __init__(self, expected: int):
        self.expected = expected
        self.changes: dict = {}
        self.log: list = []
        self.starts: list = []
        self.weight = 0
        self.ordered = False
        self.whole = False
        self.position: Position | None = None
        self.truncate: tuple | None = None
        self.transactions = 0
        self.messages: list = []
        self.inserts = self.updates = self.deletes = self.truncates = 0

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing that needs the target."""
        return not self.log and self.truncate is None

    @property
    def counts(self) -> dict:
        """How many changes of each kind it holds."""
        return {kind: getattr(self, kind) for kind in KINDS}

    def begin(self, begin: pgoutput.Begin) -> None:
        """Take in that a transaction begins."""
        self.starts.append((len(self.log), begin.final_lsn, begin.xid))

    def commit(self, position: Position) -> None:
        """Take in that it ends."""
        self.position = position
        self.transactions += 1

    def add(self, data: bytes, table) -> None:
        """Take in a change of I(table)."""
        self.log.append((data, table))
        self.weight += len(data) + CHANGE_WEIGHT
        if self.ordered:
            return
        changes = self.changes.get(table.relation.oid)
        if changes is None:
            changes = self.changes[table.relation.oid] = changes_of(table, self.expected)
        kind = data[0]
        try:
            if kind == pgoutput.UPDATE:
                self.updates += 1
                changes.update(data)
            elif kind == pgoutput.INSERT:
                self.inserts += 1
                changes.insert(data)
            else:
                self.deletes += 1
                changes.delete(data)
        except Unordered:
            self.ordered = True

    def transaction_of(self, place: int) -> tuple:
        """Return C((final LSN, xid)) of the transaction that the log's entry I(place) belongs to."""
        found = (0, 0)
        for start, lsn, xid in self.starts:
            if start > place:
                break
            found = (lsn, xid)
        return found
