# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told while a verification runs: what differs, as soon as it is known."""

from __future__ import annotations

from dataclasses import replace

from .formats import COUNTS
from .verdict import INCOMPLETE, MATCH, MISMATCH, judge, sum_up


class News:
    """Tells of tables that differ as soon as both ends are in; of a partitioned one when all of its leaves are.

    What will be read once more, because a server could not hash it, is not told of: it may be equal then.
    """

    def __init__(self, database: str, tables: dict, options):
        self.database, self.tables, self.options = database, tables, options
        self.counts_only = options.mode == COUNTS
        self.leaves: dict = {}
        for table in tables.values():
            if table.source and table.source["root_name"] and table.facts["kind"] != "p":
                self.leaves.setdefault(root_of(table), set()).add(table.full_name)

    def of(self, table) -> None:
        """Take note that the results of a table are in."""
        left = self.leaves.get(root_of(table))
        if left is None:
            self._tell(table)
            return
        left.discard(table.full_name)
        root = self.tables.get(root_of(table))
        if not left and root is not None and not root.problem:
            whole = replace(root, results={})
            sum_up(whole, [leaf for leaf in self.tables.values() if leaf.source and root_of(leaf) == root_of(table)])
            self._tell(whole)

    def _tell(self, table) -> None:
        verdict, msg, _remedy = judge(table, self.counts_only)
        if verdict == MISMATCH and table.facts["kind"] != "m":
            self.options.progress.differs(f"{self.database}: {table.full_name}: {msg}")


def root_of(table) -> tuple:
    """Return the key of the partitioned table that a table belongs to, C((None, None)) without one."""
    return (table.facts["root_schema"], table.facts["root_name"])


def tell_of_the_rest(entry: dict, options) -> None:
    """Tell of what is known only when everything has been read: what could not be, sequences and large objects."""
    for item in [*entry["tables"], *entry["sequences"]]:
        late = item["verdict"] == INCOMPLETE or (item["verdict"] == MISMATCH and "partition_of" not in item)
        if late:
            options.progress.differs(f"{entry['name']}: {item['name']}: {item['msg']}")
    if entry["large_objects"]["verdict"] != MATCH:
        options.progress.differs(f"{entry['name']}: large objects: {entry['large_objects']['msg']}")
