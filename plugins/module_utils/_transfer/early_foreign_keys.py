# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign keys taken over from the source instead of being checked row by row a second time.

The source vouches for a validated foreign key at every moment, so also in the snapshot that is copied. Created while the
referencing table is still empty it costs nothing, and rows that are loaded under C(session_replication_role = replica) are
not looked up one by one. What the load brought is proven afterwards by fingerprints of both tables.

That needs the right to set the parameter, a referenced key that exists before the referencing table is loaded, and a
referencing table of some size; every other foreign key is checked by the target after the load.
"""

from __future__ import annotations

from dataclasses import replace

from .._postgres.connection import rows
from . import priority
from .effort import LEAST
from .plan import EVERYTHING

# Of and to partitioned tables, and within one table, foreign keys are left to the target's own check.
TAKEN_OVER = """
SELECT k.oid, k.conrelid AS child, k.confrelid AS parent
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid AND c.relkind = 'r' AND NOT c.relispartition
  JOIN pg_catalog.pg_class p ON p.oid = k.confrelid AND p.relkind = 'r' AND NOT p.relispartition
 WHERE k.contype = 'f' AND k.convalidated AND k.conparentid = 0 AND k.conrelid <> k.confrelid
"""
LIGHT = 0.5
WORTH_A_CHECK = 0.05  # of the time: a check on the target costs processor time that the estimate does not see


def read_candidates(source) -> dict:
    """Return C({constraint's oid: (referencing table's oid, referenced table's oid)}) of what may be taken over.

    Of servers before 11, which know no inherited foreign keys, none is.
    """
    if source.server_version < 110000:
        return {}
    enforced = " AND k.conenforced" if source.server_version >= 180000 else ""
    return {row["oid"]: (row["child"], row["parent"]) for row in rows(source, TAKEN_OVER + enforced)}


def arrange(graph: list, foreign_keys: list, oids: list, candidates: dict, workers: int) -> tuple:
    """Choose which foreign keys are created before their table is loaded, and put the others behind what they need.

    :param graph: the units that copy and build keys, batches made
    :param foreign_keys: the units of foreign keys, which wait for those units of the graph that build what they refer to
    :param oids: the numbers of the foreign keys on the source, in the same order
    :param candidates: see M(read_candidates); empty where the target does not allow it
    :return: C((graph with foreign keys, the foreign keys that have to wait for all of the graph))
    """
    tables = Tables(graph)
    chosen = [
        (unit, *candidates[oid])
        for unit, oid in zip(foreign_keys, oids)
        if oid in candidates and tables.is_loaded_alone(candidates[oid][0])
    ]
    weight_of = priority.critical_paths(graph)

    def is_light(choice: tuple) -> bool:
        _unit, child, parent = choice
        return weight_of.get(tables.load.get(parent), 0) <= LIGHT * tables.weight(child)

    best, best_time = None, None
    for selection in (chosen, [choice for choice in chosen if is_light(choice)], []):
        units, last = Arrangement(tables, selection).result(foreign_keys)
        needed = priority.duration(units, workers)
        if best is None or needed < (1 - WORTH_A_CHECK) * best_time:
            best, best_time = (units, last), needed
    return best


class Tables:
    """Which units of a graph bring a table: I(load) is C({oid: name of the unit that loads it})."""

    def __init__(self, graph: list):
        self.graph = graph
        self.units = {unit.name: unit for unit in graph}
        self.load: dict = {}
        self.about: dict = {}
        for unit in graph:
            for table in unit.tables:
                self.load[table.oid] = unit.name
            for oid in unit.locks | unit.shares:
                self.about.setdefault(oid, set()).add(unit.name)

    def is_loaded_alone(self, oid: int) -> bool:
        """Return whether a table has a unit of its own."""
        return oid in self.load and "table" in self.units[self.load[oid]].task

    def weight(self, oid: int) -> float:
        """Return the weight of a table's load."""
        return self.units[self.load[oid]].weight

    def ready(self, oid: int) -> set:
        """Return the names of the units after which a table has its rows, keys and statistics."""
        return ({self.load[oid]} if oid in self.load else set()) | self.about.get(oid, set())


class Arrangement:
    """One way of dividing the foreign keys into early and late ones."""

    def __init__(self, tables: Tables, selection: list):
        self.tables = tables
        self.parents: dict = {}
        self.early: dict = {}
        for unit, child, parent in selection:
            if not self.reaches(parent, child):
                self.parents.setdefault(child, set()).add(parent)
                self.early[unit.name] = (unit, child, parent)

    def reaches(self, start: int, end: int) -> bool:
        """Return whether the load of table I(start) waits, over any number of foreign keys, for that of I(end)."""
        seen, waiting = set(), [start]
        while waiting:
            table = waiting.pop()
            if table == end:
                return True
            if table not in seen:
                seen.add(table)
                waiting += self.parents.get(table, ())
        return False

    def result(self, foreign_keys: list) -> tuple:
        """Return C((units, the foreign keys that have to wait for all of them))."""
        extra: dict = {}
        units, last = [], []
        for unit in foreign_keys:
            if unit.name in self.early:
                _unit, child, parent = self.early[unit.name]
                extra.setdefault(self.tables.load[child], set()).add(unit.name)
                units.append(replace(unit, weight=LEAST, waits_for=self.keys_of(unit) | self.load_of(parent)))
            elif EVERYTHING in unit.locks:
                last.append(unit)
            else:
                ready = (self.tables.ready(oid) for oid in unit.locks)
                units.append(replace(unit, waits_for=self.keys_of(unit).union(*ready)))
        for unit in self.tables.graph:
            units.append(replace(unit, waits_for=unit.waits_for | extra[unit.name]) if unit.name in extra else unit)
        return units, last

    def keys_of(self, unit) -> set:
        """Return the units of the graph that build the keys which a foreign key refers to."""
        return {name for name in unit.waits_for if name in self.tables.units}

    def load_of(self, oid: int) -> set:
        """Return the unit that loads a table, as a set."""
        return {self.tables.load[oid]} if oid in self.tables.load else set()
