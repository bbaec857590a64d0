# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of work: which unit waits for which."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from .._postgres.quoting import qualified
from .catalogue import Table

CLASS_RELATION = 1259  # pg_class
KEY_TYPES = ("INDEX", "CONSTRAINT", "INDEX ATTACH")
FOREIGN_KEY = "FK CONSTRAINT"
EVERYTHING = "everything"
ATTACHING = frozenset(["attaching"])
LARGE_OBJECTS_PER_UNIT = 500
SMALL_TABLE_BYTES = 1 << 20
BATCH_TABLES = 25
BATCH_BYTES = 4 << 20
BATCH_ANALYZED = 50
BATCH_ANALYZED_BYTES = 64 << 20
# There may be hundreds of thousands of units.
SLOTS = {"slots": True} if sys.version_info >= (3, 10) else {}


@dataclass(**SLOTS)
class Unit:
    """A piece of work for one worker.

    I(weight) is the work expected in bytes (see M(effort)), for the order; I(locks) are numbers of tables that no other
    unit may lock or share at the same time, I(shares) of tables that no other unit may lock: the target would let one of
    the two wait, and its worker with it. I(task) is what the worker is sent. I(members) are the names under which journal
    and markers know the work: those of the units that a batch was made of, else the unit's own. I(part_of) is the name of
    the table that a part belongs to, under which the journal counts it; I(share) is how much of the work that the journal
    knows under that name the unit does.
    """

    name: str
    kind: str
    label: str
    weight: int
    task: dict
    waits_for: set | frozenset = frozenset()
    locks: frozenset = frozenset()
    shares: frozenset = frozenset()
    bytes_total: int = 0
    members: tuple = ()
    part_of: str = ""
    share: float = 1.0

    @property
    def names(self) -> tuple:
        """The names in markers."""
        return self.members or (self.name,)

    @property
    def is_stream(self) -> bool:
        """Whether the unit is a large table's single stream."""
        return self.task["kind"] == "table" and self.bytes_total > SMALL_TABLE_BYTES

    @property
    def journal_names(self) -> tuple:
        """The names in the journal."""
        return (self.part_of,) if self.part_of else self.names


def table_unit_name(table: Table) -> str:
    """Return the name of the unit that copies a table."""
    return f"table:{table.schema}.{table.name}:{table.oid}"


def table_units(tables: list) -> list:
    """Return one unit per table; its weight counts the indexes too, since they wait for it."""
    return [
        Unit(
            name=table_unit_name(table),
            kind="table",
            label=table.label,
            weight=table.bytes + table.index_bytes,
            bytes_total=table.bytes,
            task={"kind": "table", "table": vars(table)},
        )
        for table in tables
    ]


def large_object_units(numbers: list) -> list:
    """Return units of at most 500 large objects each."""
    units = []
    for start in range(0, len(numbers), LARGE_OBJECTS_PER_UNIT):
        part = numbers[start : start + LARGE_OBJECTS_PER_UNIT]
        name = f"large objects:{part[0]}-{part[-1]}"
        units.append(Unit(name, "large_objects", f"large objects {part[0]} to {part[-1]}", 1 << 20,
                          {"kind": "large_objects", "numbers": part}))  # fmt: skip
    return units


def split_post_data(post_data: tuple) -> tuple:
    """Divide the post-data entries into C((keys, foreign keys, the rest)), each in archive order.

    An index that waits for something of the rest (a view that needs a primary key, say) belongs to the rest too.
    """
    keys, foreign_keys, rest = [], [], []
    late = set()
    for entry in post_data:
        if entry.type in KEY_TYPES and not late.intersection(entry.dependencies):
            keys.append(entry)
            continue
        late.add(entry.number)
        (foreign_keys if entry.type == FOREIGN_KEY else rest).append(entry)
    return keys, foreign_keys, rest


def key_units(keys: list, pre_data: tuple, tables: list, texts: dict, functions: dict | None = None) -> list:
    """Return one unit per index or key; each waits for the copy of its table and for the entries it depends on.

    :param texts: C({entry number: SQL}) as it is to be run on the target
    :param functions: C({(catalogue, oid): functions}) that indexes call, see M(searching.read_functions)
    """
    functions = functions or {}
    copies = {}
    for table in tables:
        for oid in (table.oid, *table.leaves):
            copies[oid] = table
    table_of_entry = {entry.number: entry.oid for entry in pre_data if entry.catalogue == CLASS_RELATION}
    name_of_entry = {entry.number: entry.unit for entry in keys}
    units = []
    for entry in keys:
        waits_for, weight = set(), 0
        touched = frozenset(table_of_entry[number] for number in entry.dependencies if number in table_of_entry)
        for number in entry.dependencies:
            if number in name_of_entry:
                waits_for.add(name_of_entry[number])
            table = copies.get(table_of_entry.get(number))
            if table:
                waits_for.add(table_unit_name(table))
                weight = max(weight, table.bytes // 2)
        unit = Unit(entry.unit, "key", entry.label, weight, {"kind": "sql", "text": texts[entry.number]}, waits_for)
        if (entry.catalogue, entry.oid) in functions:
            unit.task.update(functions=functions[entry.catalogue, entry.oid], schema=entry.schema)
        # Several indexes of a table can be built at once; a key's ALTER TABLE wants the table for itself.
        if entry.type == "INDEX":
            unit.shares = touched
        elif entry.type == "CONSTRAINT":
            unit.locks = touched
        else:
            # Attaching makes an index of a partitioned table valid when its last one comes, which two at once may miss.
            unit.locks = ATTACHING
        units.append(unit)
    return units


def foreign_key_units(foreign_keys: list, keys: list, pre_data: tuple, tables: list, texts: dict) -> list:
    """Return one unit per foreign key; two that touch the same table never run at once, for they would block or deadlock.

    A foreign key of or to a partitioned table locks partitions too; such units exclude every other one. Each waits for
    those of the entries I(keys) that it refers to.
    """
    name_of_key = {entry.number: entry.unit for entry in keys}
    sizes = {table.oid: table.bytes for table in tables}
    relation = {entry.number: entry.oid for entry in pre_data if entry.catalogue == CLASS_RELATION}
    units = []
    for entry in foreign_keys:
        touched = {relation[number] for number in entry.dependencies if number in relation}
        plain = touched and all(oid in sizes for oid in touched)
        locks = frozenset(touched) if plain else frozenset([EVERYTHING])
        weight = sum(sizes.get(oid, 0) for oid in touched)
        units.append(
            Unit(
                entry.unit,
                "foreign_key",
                entry.label,
                weight,
                {"kind": "sql", "text": texts[entry.number]},
                {name_of_key[number] for number in entry.dependencies if number in name_of_key},
                locks=locks,
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


def batch_small_tables(tables: list, keys: list, again: set) -> list:
    """Return the units of copies and keys with small tables, and the keys that wait for nothing else, put together.

    Thousands of small tables cost round trips and commits, not bytes: 25 of them, or 4 MB, go through one transaction of
    one session, and their indexes are built while their rows are still at hand. A table that has to be emptied first
    (I(again)) is copied alone.
    """
    small = [unit for unit in tables if unit.bytes_total <= SMALL_TABLE_BYTES and unit.name not in again]
    small = [unit for unit in small if not unit.task["table"]["tree"]]

    def fits(group: list, unit: Unit) -> bool:
        size = sum(one.bytes_total for one in group) + unit.bytes_total
        return len(group) < BATCH_TABLES and size <= BATCH_BYTES

    groups = batches(small, fits)
    waiting = {unit.name: unit for unit in keys}
    result, place = [], {}
    for group in groups:
        names = {unit.name for unit in group}
        mine = []
        # Archive order puts a key after those that it depends on, so one pass finds all that can join.
        for unit in waiting.values():
            if unit.task.get("functions"):
                continue  # it may need a search path, which the others must do without
            if unit.waits_for and unit.waits_for <= names and names.intersection(unit.waits_for):
                mine.append(unit)
                names.add(unit.name)
        for unit in mine:
            del waiting[unit.name]
        members = (*group, *mine)
        label = group[0].label if len(group) == 1 else f"{group[0].label} and {len(group) - 1} small tables more"
        batch = Unit(
            name=f"batch:{group[0].name}",
            kind="table",
            label=label,
            weight=sum(unit.weight for unit in (*group, *mine)),
            bytes_total=sum(unit.bytes_total for unit in group),
            task={
                "kind": "batch",
                "tables": [[unit.name, unit.task["table"]] for unit in group],
                "statements": [unit.task["text"] for unit in mine],
            },
            members=tuple(unit.name for unit in members),
        )
        place.update({unit.name: batch.name for unit in members})
        result.append(batch)
    rest = [unit for unit in tables if unit.name not in place] + list(waiting.values())
    for unit in rest:
        unit.waits_for = {place.get(name, name) for name in unit.waits_for}
    return result + rest


def statistics_units(relations: list) -> list:
    """Return the units that gather statistics of the relations that M(catalogue.read_analyzed) has found."""
    return [
        Unit(
            name=f"analyze:{row['schema']}.{row['name']}",
            kind="statistics",
            label=f"{row['schema']}.{row['name']}",
            weight=row["bytes"],
            task={"kind": "sql", "text": f"ANALYZE {qualified(row['schema'], row['name'])}"},
            locks=frozenset([row["oid"]]) if row["alone"] else frozenset(),
        )
        for row in relations
    ]


def join_statistics(graph: list, statistics: list) -> tuple:
    """Let the statistics of large tables be gathered as soon as their keys are there, while others are still at work.

    :param graph: the units that copy and build keys
    :param statistics: see M(statistics_units)
    :return: C((those that join the graph, those that come at the end))
    """
    copies = {unit.task["table"]["oid"]: unit.name for unit in graph if unit.kind == "table" and "table" in unit.task}
    about: dict = {}
    for unit in graph:
        for oid in unit.locks | unit.shares:
            about.setdefault(oid, set()).add(unit.name)
    early, late = [], []
    for unit in statistics:
        oid = next(iter(unit.locks), None)
        if oid in copies and unit.weight > SMALL_TABLE_BYTES:
            unit.waits_for = {copies[oid]} | about.get(oid, set())
            early.append(unit)
        else:
            late.append(unit)
    return early, late


def batch_statistics(units: list) -> list:
    """Return the units that gather statistics with those of small relations put together."""

    def fits(group: list, unit: Unit) -> bool:
        # What needs a search path of its own stays alone.
        if unit.task.get("functions") or group[-1].task.get("functions"):
            return False
        return len(group) < BATCH_ANALYZED and sum(one.weight for one in group) + unit.weight <= BATCH_ANALYZED_BYTES

    return [
        Unit(
            name=group[0].name if len(group) == 1 else f"batch:{group[0].name}",
            kind="statistics",
            label=group[0].label if len(group) == 1 else f"{group[0].label} and {len(group) - 1} more",
            weight=sum(unit.weight for unit in group),
            task={**group[0].task, "text": "; ".join(unit.task["text"] for unit in group)},
            members=tuple(unit.name for unit in group),
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
