# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proving tables equal around a cutover, as far as possible before anybody is kept from writing.

Before the fence each table is compared, the source under a snapshot, the target when it has everything that the snapshot
sees. A table that the stream has not touched from then on to the last change has rested: what was proven holds at the
cutover. The others have moved; they are proven after the last change, if that is wanted, while nobody writes.
"""

from __future__ import annotations

import time

from ..._core.errors import PreconditionFailed
from ..._postgres.connection import value
from .. import plan, resume

NONE, RESTING, ALL = CHOICES = ("none", "resting", "all")
WAL = "SELECT pg_catalog.pg_current_wal_insert_lsn()::text"
LOOKS = 3
NAMED = 10


class Proof:
    """The proof of one database's streamed tables.

    :param run: its M(final.FinalRun), I(following) the engine's followers
    """

    def __init__(self, run, following):
        self.run = run
        self.following = following
        late = {table.oid for table in run.unstreamed}
        self.units = [plan.table_unit(table) for table in run.tables if table.oid not in late]
        self.since = ""
        self.proven: dict = {}
        self.seconds = {"before": 0.0, "after": 0.0}

    def compare_resting(self, wait) -> None:
        """Compare all tables while the application writes.

        A transaction may have written its commit and be seen a moment later; so what differs is looked at once more.

        :param wait: called with a position, returns when the target has everything up to there
        :raises PreconditionFailed: when one differs that nothing has touched
        """
        begun = time.monotonic()
        left = self.units
        for _look in range(LOOKS):
            before = value(self.run.source, WAL)
            self.since = self.since or before
            self.run.take_snapshot()
            wait(value(self.run.source, WAL))
            answers = self.compare(left)
            moved = self.moved()
            rested = [unit for unit in left if not moved.intersection(numbers(unit))]
            self.proven.update({unit.name: unit for unit in rested if answers[unit.name]["equal"]})
            left = [unit for unit in rested if not answers[unit.name]["equal"]]
            if not left:
                break
        self.judge(left)
        self.seconds["before"] = time.monotonic() - begun

    def compare_moved(self) -> None:
        """Compare the others, after the last change; nobody writes.

        :raises PreconditionFailed: when one differs
        """
        begun = time.monotonic()
        self.forget_moved()
        left = [unit for unit in self.units if unit.name not in self.proven]
        if left:
            self.run.take_snapshot()
            answers = self.compare(left)
            self.judge([unit for unit in left if not answers[unit.name]["equal"]])
            self.proven.update({unit.name: unit for unit in left})
        self.seconds["after"] = time.monotonic() - begun

    def forget_moved(self) -> None:
        """Take back what was proven of tables that have moved since."""
        moved = self.moved()
        self.proven = {name: unit for name, unit in self.proven.items() if not moved.intersection(numbers(unit))}

    def moved(self) -> frozenset:
        """Return the oids of the tables that have been touched since the snapshot; all when that is not known."""
        found = self.following.touched_since(self.run.database, self.since)
        return frozenset(oid for unit in self.units for oid in numbers(unit)) if found is None else found

    def compare(self, units: list) -> dict:
        """Compare tables on all workers, which see the run's snapshot; return C({unit: {equal}})."""
        self.run.start_pool()
        try:
            self.run.begin_work()
            return self.run.pool.run([resume.proof(unit) for unit in units])
        finally:
            self.run.pool.close()
            self.run.pool = None

    def judge(self, differing: list) -> None:
        """Refuse to cut over with tables that differ."""
        if differing:
            names = ", ".join(unit.label for unit in differing[:NAMED])
            more = f" and {len(differing) - NAMED} more" if len(differing) > NAMED else ""
            raise PreconditionFailed(
                f"Database {self.run.database} cannot cut over: {names}{more} differ between source and target, though every "
                "change of the source has been applied.",
                "Find the rows with module verification, and who has changed them on the target. Put them right there, or give "
                "the migration up and begin anew.",
                {"database": self.run.database, "tables": [unit.label for unit in differing]},
            )

    def report(self) -> dict:
        """Return what has been proven, sizes in bytes."""
        left = [unit for unit in self.units if unit.name not in self.proven]
        return {
            "tables": len(self.units),
            "proven": len(self.proven),
            "bytes": sum(unit.bytes_total for unit in self.units),
            "proven_bytes": sum(unit.bytes_total for unit in self.proven.values()),
            "not_proven": [unit.label for unit in left[:NAMED]],
            "seconds_before": round(self.seconds["before"], 2),
            "seconds_after": round(self.seconds["after"], 2),
        }


def numbers(unit) -> tuple:
    """Return the oids of a unit's table, and of the leaves that are reached through it."""
    return tuple(oid for table in unit.tables for oid in (table.oid, *table.leaves))
