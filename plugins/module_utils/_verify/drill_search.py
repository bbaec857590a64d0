# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the rows that differ between two ends of a table without moving them.

First 256 buckets of rows are compared by count and sum, then buckets within the bad ones when those hold too many
rows, then the rows of bad buckets by two hashes each. Nothing here depends on an index, an order or a collation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .drill_probe import BITS
from .pool import both_ends

# Rows whose two hashes are held per end at a time.
MOST_ROWS = 50_000
# Buckets that are taken apart together; each gives up to 256 groups.
MOST_BUCKETS = 64
# One less than there are, since 64 bits are no positive bigint.
DEEPEST = 64 // BITS - 1

MISSING, UNEXPECTED, CHANGED = "missing", "unexpected", "changed"


@dataclass
class Level:
    """Rows of differing buckets at one depth: looked at, found to differ, taken apart, what differs below, left over."""

    seen: int = 0
    found: int = 0
    split: int = 0
    below: int = 0
    left: int = 0


@dataclass
class Found:
    """The rows that differ: I(listed) is C([(kind, identity, (copies on the source, on the target))]), bounded.

    I(counts) are the numbers of rows by kind in what was looked at; I(complete) says that this was everything.
    """

    limit: int
    listed: list = field(default_factory=list)
    counts: dict = field(default_factory=lambda: {MISSING: 0, UNEXPECTED: 0, CHANGED: 0})
    complete: bool = True
    levels: dict = field(default_factory=lambda: {depth: Level() for depth in range(1, DEEPEST + 2)})

    @property
    def total(self) -> int:
        """How many rows were found to differ."""
        return sum(self.counts.values())

    @property
    def estimate(self) -> int:
        """How many rows differ in all, taking the buckets that were not looked at for like those that were."""
        share, guess = 0.0, float(self.total)
        for depth in sorted(self.levels, reverse=True):
            level = self.levels[depth]
            known = level.seen + level.split
            share = (level.found + share * level.below) / known if known else share
            guess += share * level.left
        return round(guess)

    def add(self, kind: str, identity: int, copies: tuple, number: int = 1) -> None:
        """Count a difference, and list it while there is room."""
        self.counts[kind] += number
        if len(self.listed) < self.limit:
            self.listed.append((kind, identity, copies))
        else:
            self.complete = False


def search(probes: dict, limit: int) -> Found:
    """Return the rows that differ between C(probes["source"]) and C(probes["target"]), I(limit) of them listed.

    It stops looking once I(limit) differences are known; the rest is estimated from the sizes of the buckets.

    :raises RowTooLarge: from a server whose row passes 1 GB
    :raises psycopg2.Error: what a server says
    """
    found = Found(limit)
    todo = [(1, _bad(both_ends(lambda side: probes[side].buckets(1))))]
    while todo:
        depth, bad = todo.pop()
        if not bad:
            continue
        if len(found.listed) >= limit:
            found.complete = False
            found.levels[depth].left += sum(bad.values())
            continue
        if sum(bad.values()) <= MOST_ROWS:
            _rows(probes, depth, bad, found)
        elif depth < DEEPEST and (depth == 1 or max(bad.values()) > MOST_ROWS):
            part, rest = _first(bad, lambda taken, _size: len(taken) < MOST_BUCKETS)
            todo.append((depth, rest))
            below = both_ends(lambda side: probes[side].buckets(depth + 1, list(part)))  # noqa: B023  called at once
            worse = _bad(below)
            found.levels[depth].split += sum(part.values())
            found.levels[depth].below += sum(worse.values())
            todo.append((depth + 1, worse))
        else:
            part, rest = _first(bad, lambda taken, size: not taken or sum(taken.values()) + size <= MOST_ROWS)
            todo.append((depth, rest))
            _rows(probes, depth, part, found)
    return found


def _bad(buckets: dict) -> dict:
    """Return C({path: rows}) of the buckets that differ in count or sum, the larger end's rows."""
    left, right = buckets["source"], buckets["target"]
    nothing = (0, None)
    return {
        path: max(left.get(path, nothing)[0], right.get(path, nothing)[0])
        for path in sorted({*left, *right})
        if left.get(path) != right.get(path)
    }


def _first(bad: dict, more) -> tuple:
    """Split buckets into those to take now, while C(more(taken, size)) holds, and the rest; the smallest come first."""
    taken, rest = {}, {}
    for path, size in sorted(bad.items(), key=lambda item: (item[1], item[0])):
        if not rest and more(taken, size):
            taken[path] = size
        else:
            rest[path] = size
    return taken, rest


def _rows(probes: dict, depth: int, bad: dict, found: Found) -> None:
    """Compare the rows of the buckets I(bad) one by one."""
    room = MOST_ROWS + 1
    ends = both_ends(lambda side: probes[side].rows(depth, list(bad), room))
    if any(len(rows) >= room for rows in ends.values()):
        # Only thousands of rows with one and the same key get here: which of them differ cannot be told.
        found.complete = False
        found.levels[depth].left += sum(bad.values())
        return
    before = found.total
    found.levels[depth].seen += sum(bad.values())
    left, right = _by_identity(ends["source"]), _by_identity(ends["target"])
    keyed = bool(probes["source"].key)
    for identity in sorted({*left, *right}):
        mine, theirs = left.get(identity, {}), right.get(identity, {})
        if mine == theirs:
            continue
        copies = (sum(mine.values()), sum(theirs.values()))
        if keyed and mine and theirs:
            found.add(CHANGED, identity, copies, max(copies))
        else:
            found.add(MISSING if copies[0] > copies[1] else UNEXPECTED, identity, copies, abs(copies[0] - copies[1]))

    found.levels[depth].found += found.total - before


def _by_identity(rows: list) -> dict:
    """Return C({identity: {row hash: copies}})."""
    result: dict = {}
    for identity, row, copies in rows:
        known = result.setdefault(identity, {})
        known[row] = known.get(row, 0) + copies
    return result
