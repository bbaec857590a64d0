# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is applied together: the changes of some transactions of the source, or a part of one that is large."""

from __future__ import annotations

from typing import NamedTuple

from . import pgoutput
from .netting import add, changes_of

# Weights are bytes; a change weighs more than its content, since it has to be kept and written.
CHANGE_WEIGHT = 600
TRANSACTION_WEIGHT = 200  # of tables that nobody wants there may be nothing else
FULL_WEIGHT = 14 << 20
KINDS = {pgoutput.INSERT: "inserts", pgoutput.UPDATE: "updates", pgoutput.DELETE: "deletes"}


class Position(NamedTuple):
    """How far the source's transactions have been taken in: the last one's end, commit and moment."""

    end_lsn: int
    commit_lsn: int
    committed_at: float


class Batch:
    """Gathers changes: in I(log) in order, and in I(lanes) by how they begin, which tells kind, table, and first row.

    I(tables) is C({number as it comes: M(tables.Table)}) of the tables that it is about, I(append) adds to a lane.
    I(ended) is the last transaction's COMMIT; I(whole) says that the batch ends there. I(truncate) is what
    empties tables after its changes. I(starts) tells at which places of the log transactions begin,
    C([(place, the transaction's BEGIN)]). I(early) is the M(early.InProgress) that it belongs to, if its end was not known.
    """

    def __init__(self, expected: int):
        self.expected = expected
        self.tables: dict = {}
        self.lanes: dict = {}
        self.append: dict = {}
        self.log: list = []
        self.starts: list = []
        self.weight = 0
        self.whole = False
        self.ended: bytes | None = None
        self.truncate: tuple | None = None
        self.transactions = 0
        self.messages: list = []
        self.early = None

    def lane(self, head: bytes, table):
        """Return what adds to the lane of the messages that begin with I(head)."""
        self.tables[head[1:5]] = table
        rows = self.lanes.setdefault(head, [])
        add = self.append[head] = rows.append
        return add

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing that needs the target."""
        return not self.log and self.truncate is None

    @property
    def position(self) -> Position | None:
        """That of the last transaction in it that is whole; None when there is none."""
        if self.ended is None:
            return None
        _flags, commit_lsn, end_lsn, committed_at = pgoutput.COMMIT_FIELDS(self.ended, 1)
        return Position(end_lsn, commit_lsn, pgoutput.moment(committed_at))

    @property
    def counts(self) -> dict:
        """How many changes of each kind it holds."""
        found = {**dict.fromkeys(KINDS.values(), 0), "truncates": len(self.truncate[0]) if self.truncate else 0}
        for head, rows in self.lanes.items():
            found[KINDS[head[0]]] += len(rows)
        return found

    def net(self) -> list:
        """Return what the changes of each table come to, of M(netting).

        :raises Unordered: when only their order tells what to do
        """
        found = {number: changes_of(table, self.expected) for number, table in self.tables.items()}
        lanes: dict = {number: {} for number in found}
        for head, rows in self.lanes.items():
            lanes[head[1:5]][head[0], head[5]] = rows
        open_ones = {}
        for number, changes in found.items():
            disputed = changes.take(lanes[number])
            if disputed is None or disputed:
                open_ones[number] = changes, disputed
        if open_ones:
            for data in self.log:
                one = open_ones.get(data[1:5])
                if one is not None and (one[1] is None or one[0].key_of(data) in one[1]):
                    add(one[0], data)
        return list(found.values())

    def table_of(self, data: bytes):
        """Return the table that a change of the log is about."""
        return self.tables[data[1:5]]

    def transaction_of(self, place: int) -> tuple:
        """Return C((final LSN, xid)) of the transaction that the log's entry I(place) belongs to."""
        found = None
        for start, begun in self.starts:
            if start > place:
                break
            found = begun
        return transaction(found) if found else (0, 0)

    @property
    def last_commit(self) -> int:
        """The position of the last commit that it has something of; 0 when there is none."""
        return transaction(self.starts[-1][1])[0] if self.starts else 0


def transaction(begun: bytes) -> tuple:
    """Return C((final LSN, xid)) of a BEGIN."""
    final_lsn, _at, xid = pgoutput.BEGIN_FIELDS(begun, 1)
    return final_lsn, xid
