# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small tables go through one transaction with all that is about them alone: creation, rows, keys, statistics.

Thousands of small tables cost round trips, commits and the servers' caches, not bytes. A session that has just created
a table still knows it when rows, indexes and statistics come; and several sessions create tables at once.
"""

from __future__ import annotations

from array import array

from .._postgres.quoting import qualified
from .catalogue import Table
from .contents import CLASS_RELATION, Contents, Numbered, Selection
from .effort import statistics_work, table_work
from .plan import SMALL_TABLE_BYTES, Content, Copies, Order, Unit, batches

BATCH_TABLES = 25
BATCH_BYTES = 4 << 20
# What may be created together with its table, if it concerns no other.
COMPANIONS = frozenset(("SEQUENCE", "SEQUENCE OWNED BY", "DEFAULT", "COMMENT"))


def is_small(table: Table) -> bool:
    """Return whether a table's rows go in a batch."""
    return table.bytes <= SMALL_TABLE_BYTES and not table.tree


class Creation:
    """Which entries create small tables, and can wait until the tables' rows come: those on which nothing else depends.

    :param candidates: numbers of the tables that may be created so late
    """

    def __init__(self, pre_data: Contents, candidates: set):
        self.pre_data = pre_data
        self.table_of = array("I", bytes(4 * len(pre_data)))
        place_of = Numbered(pre_data.numbers)
        relations = pre_data.relations()
        for place, number in enumerate(pre_data.numbers):
            place_of[number] = place
        out: set = set()
        for place in range(len(pre_data)):
            kind, needs = pre_data.kind(place), pre_data.needs(place)
            if kind == "ACL":
                continue  # of tables, they come after the rows; nothing of a table's own is among the others
            owners = {self.table_of[place_of[number]] for number in needs} - {0}
            oid = pre_data.oids[place]
            if kind == "TABLE" and pre_data.catalogues[place] == CLASS_RELATION and oid in candidates:
                # What inherits from, or is made like, another relation comes in the archive's order.
                if not owners and not any(relations[number] for number in needs):
                    self.table_of[place] = oid
                    continue
            elif kind in COMPANIONS and len(owners) == 1:
                self.table_of[place] = owners.pop()
                continue
            out |= owners
        for place, oid in enumerate(self.table_of):
            if oid in out:
                self.table_of[place] = 0
        self.tables = set(self.table_of) - {0}

    def others(self) -> Selection:
        """Return the entries that cannot wait."""
        return Selection(self.pre_data, array("I", (place for place, oid in enumerate(self.table_of) if not oid)))

    def late(self) -> Selection:
        """Return those that can."""
        return Selection(self.pre_data, array("I", (place for place, oid in enumerate(self.table_of) if oid)))


class Batch(Content):
    """What one transaction brings: I(creates) are places in the pre-data, I(builds) in the post-data."""

    def __init__(self, tables: tuple, pre_data: Contents, post_data: Contents, text):
        self.tables = tables
        self.pre_data, self.post_data, self.text = pre_data, post_data, text
        self.creates, self.builds = array("I"), array("I")
        self.analyzes: list = []

    def order(self, unit: Unit) -> Order:
        made = [self.pre_data[place] for place in self.creates]
        built = [self.post_data[place] for place in self.builds]
        analyzed = ", ".join(qualified(relation.schema, relation.name) for relation in self.analyzes)
        task = {
            **unit.task,
            "creates": "\n".join(map(self.text, made)),
            "tables": self.tables,
            "builds": "\n".join(map(self.text, built)),
            "analyzes": f"ANALYZE {analyzed}" if analyzed else "",
        }
        known = tuple(one.unit for one in (*self.tables, *built, *self.analyzes))
        return Order(task, (*(entry.unit for entry in made), *known), known)


class Batches:
    """The batches of a database.

    :param tables: the small tables that are still to be brought; one that has to be emptied first is not among them
    :param text: gives the SQL of an entry
    """

    def __init__(self, tables: list, pre_data: Contents, post_data: Contents, text):
        def fits(group: list, table: Table) -> bool:
            return len(group) < BATCH_TABLES and sum(one.bytes for one in group) + table.bytes <= BATCH_BYTES

        self.units: list = []
        self.place_of: dict = {}  # by the number of a table: which of the units brings its rows
        for group in batches(tables, fits):
            label = group[0].label
            unit = Unit(
                name=f"batch:{group[0].unit}",
                kind="table",
                label=label if len(group) == 1 else f"{label} and {len(group) - 1} small tables more",
                weight=sum(table_work(table.bytes) for table in group),
                task={"kind": "batch"},
                bytes_total=sum(table.bytes for table in group),
                tables=tuple(group),
                content=Batch(tuple(group), pre_data, post_data, text),
            )
            self.place_of.update((table.oid, len(self.units)) for table in group)
            self.units.append(unit)

    def create(self, creation: Creation) -> None:
        """Let the tables that are created late be created with their rows."""
        for place, oid in enumerate(creation.table_of):
            if oid:
                self.units[self.place_of[oid]].content.creates.append(place)

    def build(self, keys: Selection, is_open, copies: Copies, functions: dict, work) -> Selection:
        """Take those of I(keys) that wait for nothing outside a batch; return the others that are still to be built.

        One that calls functions may need a search path, which the others in a batch must do without.

        :param is_open: tells of a place whether the key is still to be built
        :param copies: knows afterwards which keys are in which batch
        :param work: gives the work of an object, by its catalogue and number there
        """
        contents = keys.contents
        others = array("I")
        of_key = Numbered(contents.numbers)  # 1 for a key outside of all batches, from 2 on the batch
        for place in keys.places:
            number, needs = contents.numbers[place], contents.needs(place)
            catalogue, oid = contents.catalogues[place], contents.oids[place]
            tables = (copies.of_entry(needed) for needed in needs)
            owners = {self.place_of.get(table.oid, -1) for table in tables if table}
            owners.update(of_key[needed] - 2 for needed in needs if of_key[needed])
            owner = owners.pop() if len(owners) == 1 else -1
            if owner >= 0 and is_open(place) and (catalogue, oid) not in functions:
                unit = self.units[owner]
                unit.content.builds.append(place)
                unit.weight += work(catalogue, oid)
                copies.enter(unit.name, [number])
                of_key[number] = owner + 2
                continue
            of_key[number] = 1
            if is_open(place):
                others.append(place)
        return Selection(contents, others)

    def analyze(self, relations: list, functions: dict) -> list:
        """Take those of I(relations) whose statistics are about nothing outside a batch; return the others."""
        others = []
        for relation in relations:
            place = self.place_of.get(relation.oid)
            if place is None or not relation.alone or (CLASS_RELATION, relation.oid) in functions:
                others.append(relation)
            else:
                self.units[place].content.analyzes.append(relation)
                self.units[place].weight += statistics_work(relation.bytes)
        return others
