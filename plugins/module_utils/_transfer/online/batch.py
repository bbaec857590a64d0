# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is applied together: the changes of some transactions of the source, or a part of one that is large."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from . import pgoutput

# Weights are bytes; a change weighs more than its content, since it has to be kept and written.
CHANGE_WEIGHT = 600
FULL_WEIGHT = 14 << 20
KINDS = {pgoutput.INSERT: "inserts", pgoutput.UPDATE: "updates", pgoutput.DELETE: "deletes"}


class Position(NamedTuple):
    """How far the source's transactions have been taken in: the last one's end, commit and moment."""

    end_lsn: int
    commit_lsn: int
    committed_at: float


class Batch:
    """Gathers changes, C({relation's number as it comes: changes of its table}).

    I(log) holds them in order, in case that they have to be replayed one by one.
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

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing that needs the target."""
        return not self.log and self.truncate is None

    @property
    def counts(self) -> dict:
        """How many changes of each kind it holds."""
        kinds = Counter([data[0] for data in self.log])
        found = {word: kinds.get(kind, 0) for kind, word in KINDS.items()}
        return {**found, "truncates": len(self.truncate[0]) if self.truncate else 0}

    def table_of(self, data: bytes):
        """Return the table that a change of the log is about."""
        return self.changes[data[1:5]].table

    def transaction_of(self, place: int) -> tuple:
        """Return C((final LSN, xid)) of the transaction that the log's entry I(place) belongs to."""
        found = (0, 0)
        for start, lsn, xid in self.starts:
            if start > place:
                break
            found = (lsn, xid)
        return found
