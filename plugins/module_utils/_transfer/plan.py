# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of work: which unit waits for which."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import NamedTuple

from .._postgres.quoting import qualified
from .catalogue import Table
from .contents import Contents, Numbered, Selection

KEY_TYPES = ("INDEX", "CONSTRAINT", "INDEX ATTACH")
FOREIGN_KEY = "FK CONSTRAINT"
EVERYTHING = "everything"
ATTACHING = frozenset(["attaching"])
NOTHING: frozenset = frozenset()
LARGE_OBJECTS_PER_UNIT = 500
SMALL_TABLE_BYTES = 1 << 20
BATCH_ANALYZED = 50
BATCH_ANALYZED_BYTES = 64 << 20
# There may be hundreds of thousands of units.
SLOTS = {"slots": True} if sys.version_info >= (3, 10) else {}


@dataclass(**SLOTS)
class Unit:
    """A piece of work for one worker.

    I(weight) is the work expected in bytes (see M(effort)), for the order; I(locks) are numbers of tables that no other
    unit may lock or share at the same time, I(shares) of tables that no other unit may lock: the target would let one of
    the two wait, and its worker with it. I(task) is what the worker is sent; where it is made when it is asked for only,
    I(content) makes it (see M(Content)). I(tables) are those whose rows the unit brings. I(part_of) is the name of the
    table that a part belongs to, under which the journal counts it.
    """

    name: str
    kind: str
    label: str
    weight: float
    task: dict
    waits_for: set | frozenset = NOTHING
    locks: frozenset = NOTHING
    shares: frozenset = NOTHING
    bytes_total: int = 0
    part_of: str = ""
    tables: tuple = ()
    content: Content | None = None

    @property
    def is_stream(self) -> bool:
        """Whether the unit is a large table's single stream."""
        return self.task["kind"] == "table" and self.bytes_total > SMALL_TABLE_BYTES

    def order(self) -> Order:
        """Return what the worker is to do."""
        if self.content:
            return self.content.order(self)
        return Order(self.task, (self.name,), (self.part_of or self.name,))


class Order(NamedTuple):
    """The task of a unit, the names under which it is known in markers, and those in the journal."""

    task: dict
    names: tuple
    journal_names: tuple


class Content:
    """What a unit stands for, made anew each time that it is asked for."""

    def order(self, unit: Unit) -> Order:
        """Return what the worker is to do, whose beginning is the unit's task."""
        raise NotImplementedError


class Statement(Content):
    """One entry of the archive, as the target is to run it.

    :param text: gives the SQL of an entry
    """

    def __init__(self, contents: Contents, place: int, text):
        self.contents, self.place, self.text = contents, place, text

    def order(self, unit: Unit) -> Order:
        text = self.text(self.contents[self.place])
        return Order({**unit.task, "text": text}, (unit.name,), (unit.name,))


def table_unit(table: Table) -> Unit:
    """Return the unit that copies a table."""
    return Unit(
        name=table.unit,
        kind="table",
        label=table.label,
        weight=table.bytes,
        bytes_total=table.bytes,
        task={"kind": "table", "table": table},
        tables=(table,),
    )


def large_object_units(numbers: list) -> list:
    """Return units of at most 500 large objects each."""
    units = []
    for start in range(0, len(numbers), LARGE_OBJECTS_PER_UNIT):
        part = numbers[start : start + LARGE_OBJECTS_PER_UNIT]
        name = f"large objects:{part[0]}-{part[-1]}"
        units.append(Unit(name, "large_objects", f"large objects {part[0]} to {part[-1]}", 1 << 20,
                          {"kind": "large_objects", "numbers": part}))  # fmt: skip
    return units


def split_post_data(post_data: Contents) -> tuple:
    """Divide the post-data entries into C((keys, foreign keys, the rest)), each in archive order.

    An index that waits for something of the rest (a view that needs a primary key, say) belongs to the rest too.
    """
    keys, foreign_keys, rest = [], [], []
    late = Numbered(post_data.numbers)
    for place, number in enumerate(post_data.numbers):
        kind = post_data.kind(place)
        if kind in KEY_TYPES and not any(late[needed] for needed in post_data.needs(place)):
            keys.append(place)
            continue
        late[number] = 1
        (foreign_keys if kind == FOREIGN_KEY else rest).append(place)
    return tuple(Selection(post_data, places) for places in (keys, foreign_keys, rest))


class Copies:
    """Which unit brings a table's rows and which builds a key, as far as that is still to be done.

    :param tables: all tables
    :param pre_data: the entries that create them
    """

    def __init__(self, tables: list, pre_data: Contents, post_data: Contents):
        self.relations = pre_data.relations()
        self.table_of: dict = {}
        for table in tables:
            for oid in (table.oid, *table.leaves):
                self.table_of[oid] = table
        self._units: list = [""]
        self._numbers: dict = {}
        self._of_key = Numbered(post_data.numbers)

    def enter(self, unit: str, numbers) -> None:
        """Say that the unit of this name does the entries I(numbers)."""
        for number in numbers:
            place = self._numbers.setdefault(unit, len(self._units))
            if place == len(self._units):
                self._units.append(unit)
            self._of_key[number] = place

    def of_key(self, number: int) -> str:
        """Return the name of the unit that does the entry I(number); empty where none of those that were entered does."""
        return self._units[self._of_key[number]]

    def of_entry(self, number: int) -> Table | None:
        """Return the table whose rows the relation of an entry gets its own with."""
        return self.table_of.get(self.relations[number])


def key_units(keys: Selection, copies: Copies, place_of: dict, text, work, functions: dict | None = None) -> list:
    """Return one unit per index or key; each waits for the copy of its table and for the entries it depends on.

    :param copies: knows those of the entries I(keys) afterwards
    :param place_of: C({number of a table: name of the unit that brings its rows}), of those that are still to be brought
    :param text: gives the SQL of an entry
    :param work: gives the work of an object, by its catalogue and number there
    :param functions: C({(catalogue, oid): functions}) that indexes call, see M(searching.read_functions)
    """
    functions = functions or {}
    contents = keys.contents
    units = []
    for place in keys.places:
        entry = contents[place]
        touched = {copies.relations[number] for number in entry.dependencies} - {0}
        waits_for = {copies.of_key(number) for number in entry.dependencies}
        for number in entry.dependencies:
            table = copies.of_entry(number)
            if table:
                waits_for.add(place_of.get(table.oid, ""))
        task = {"kind": "sql"}
        if (entry.catalogue, entry.oid) in functions:
            task.update(functions=functions[entry.catalogue, entry.oid], schema=entry.schema)
        unit = Unit(entry.unit, "key", entry.label, work(entry.catalogue, entry.oid), task, waits_for - {""},
                    content=Statement(contents, place, text))  # fmt: skip
        # Several indexes of a table can be built at once; a key's ALTER TABLE wants the table for itself.
        if entry.type == "INDEX":
            unit.shares = frozenset(touched)
        elif entry.type == "CONSTRAINT":
            unit.locks = frozenset(touched)
        else:
            # Attaching makes an index of a partitioned table valid when its last one comes, which two at once may miss.
            unit.locks = ATTACHING
        copies.enter(unit.name, [entry.number])
        units.append(unit)
    return units


def foreign_key_units(foreign_keys: Selection, copies: Copies, text, work) -> list:
    """Return one unit per foreign key; two that touch the same table never run at once, for they would block or deadlock.

    A foreign key of or to a partitioned table locks partitions too; such units exclude every other one. Each waits for
    those keys that it refers to.
    """
    contents = foreign_keys.contents
    units = []
    for place in foreign_keys.places:
        entry = contents[place]
        touched = {copies.relations[number] for number in entry.dependencies} - {0}
        plain = touched and all(oid in copies.table_of and not copies.table_of[oid].tree for oid in touched)
        units.append(
            Unit(
                entry.unit,
                "foreign_key",
                entry.label,
                work(entry.catalogue, entry.oid),
                {"kind": "sql"},
                {copies.of_key(number) for number in entry.dependencies} - {""},
                locks=frozenset(touched) if plain else frozenset([EVERYTHING]),
                content=Statement(contents, place, text),
            )
        )
    return units


def batches(units: list, fits) -> list:
    """Group I(units) in their order: I(fits) gets a group and the next unit and says whether it may join."""
    groups: list = []
    for unit in units:
        if groups and fits(groups[-1], unit):
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def statistics_unit(relation, work: float) -> Unit:
    """Return the unit that gathers statistics of a relation (see M(catalogue.read_analyzed))."""
    return Unit(
        name=relation.unit,
        kind="statistics",
        label=f"{relation.schema}.{relation.name}",
        weight=work,
        task={"kind": "sql", "text": f"ANALYZE {qualified(relation.schema, relation.name)}"},
        locks=frozenset([relation.oid]) if relation.alone else NOTHING,
        bytes_total=relation.bytes,
    )


def join_statistics(graph: list, statistics: list) -> tuple:
    """Let the statistics of large tables be gathered as soon as their keys are there, while others are still at work.

    :param graph: the units that copy and build keys
    :param statistics: see M(statistics_unit)
    :return: C((those that join the graph, those that come at the end))
    """
    copies = {unit.task["table"].oid: unit.name for unit in graph if unit.kind == "table" and "table" in unit.task}
    about: dict = {}
    for unit in graph:
        for oid in unit.locks | unit.shares:
            about.setdefault(oid, set()).add(unit.name)
    early, late = [], []
    for unit in statistics:
        oid = next(iter(unit.locks), None)
        if oid in copies and unit.bytes_total > SMALL_TABLE_BYTES:
            unit.waits_for = {copies[oid]} | about.get(oid, set())
            early.append(unit)
        else:
            late.append(unit)
    return early, late


class Several(Content):
    """Units whose statements go together."""

    def __init__(self, units: list):
        self.units = units

    def order(self, unit: Unit) -> Order:
        names = tuple(one.name for one in self.units)
        return Order({**unit.task, "text": "; ".join(one.task["text"] for one in self.units)}, names, names)


def batch_statistics(units: list) -> list:
    """Return the units that gather statistics with those of small relations put together."""

    def fits(group: list, unit: Unit) -> bool:
        # What needs a search path of its own stays alone.
        if unit.task.get("functions") or group[-1].task.get("functions"):
            return False
        return (
            len(group) < BATCH_ANALYZED
            and sum(one.bytes_total for one in group) + unit.bytes_total <= BATCH_ANALYZED_BYTES
        )

    return [
        group[0]
        if len(group) == 1
        else Unit(
            name=f"batch:{group[0].name}",
            kind="statistics",
            label=f"{group[0].label} and {len(group) - 1} more",
            weight=sum(unit.weight for unit in group),
            task={**group[0].task},
            content=Several(group),
        )
        for group in batches(units, fits)
    ]


def conflicts(unit: Unit, others: list) -> bool:
    """Return whether one of the units I(others), which are being worked on, would keep I(unit) waiting on the target."""

    def clash(locks: frozenset, other: Unit) -> bool:
        wanted = other.locks | other.shares
        return bool(locks and wanted) and (EVERYTHING in locks or EVERYTHING in wanted or not locks.isdisjoint(wanted))

    return any(clash(unit.locks, other) or clash(other.locks, unit) for other in others)


def statement_units(kind: str, statements: list, chained: bool = False) -> list:
    """Return units from C([(name, label, weight, SQL)]); I(chained) makes each wait for the one before it."""
    units: list = []
    for name, label, weight, text in statements:
        waits_for = {units[-1].name} if chained and units else set()
        units.append(Unit(name, kind, label, weight, {"kind": "sql", "text": text}, waits_for))
    return units
