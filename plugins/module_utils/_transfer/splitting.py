# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large tables of wide rows in several streams.

What limits such a table is one processor of the target that compresses values and writes them out of line, so several
streams share the work. The rows of other tables are cheaper to bring in one stream, which alone can write them frozen.
A part is a range of the heap's pages, which are few: the width lies in the TOAST table.
"""

from __future__ import annotations

from dataclasses import replace

from .._postgres.connection import transaction
from .._postgres.quoting import qualified
from . import marker
from .plan import Unit

LEAST_BYTES = 32 << 20  # below, a second stream is not worth its transaction
PART_BYTES = 256 << 20
STREAMS = 4  # parts per worker, so that none waits long for the last
TOAST_SHARE = 0.5
PART = ":part "


def is_wide(table) -> bool:
    """Return whether most of a table (see M(catalogue.Table)) lies out of line."""
    return not table.tree and table.bytes >= LEAST_BYTES and table.toast_bytes >= TOAST_SHARE * table.bytes


def ranges(pages: int, count: int) -> list:
    """Return I(count) ranges of heap pages, C([(first, end or None)]); the last is open, for pages yet unknown."""
    bounds = [pages * number // count for number in range(count)]
    return list(zip(bounds, [*bounds[1:], None]))


def split_wide_tables(units: list, workers: int) -> list:
    """Return I(units) with every wide table replaced by its parts and the unit that waits for all of them.

    That last unit bears the table's own name, so keys and journal need not know.
    """
    result = []
    for unit in units:
        table = unit.task.get("table") if unit.task["kind"] == "table" else None
        if workers < 2 or table is None or not is_wide(table):
            result.append(unit)
            continue
        count = min(max(2 * workers, table.bytes // PART_BYTES), STREAMS * workers, max(1, table.pages))
        parts = [
            Unit(
                name=f"{unit.name}{PART}{number}/{count}",
                kind="table",
                label=f"{unit.label}, part {number} of {count}",
                weight=unit.weight / count,
                bytes_total=unit.bytes_total // count,
                task={"kind": "part", "table": table, "pages": pages},
                part_of=unit.name,
                waits_for=set(unit.waits_for),
            )
            for number, pages in enumerate(ranges(table.pages, count), 1)
        ]
        names = {part.name for part in parts}
        result += parts
        task = {"kind": "join", "table": table, "parts": sorted(names)}
        result.append(replace(unit, weight=0, waits_for=names | unit.waits_for, task=task))
    return result


def half_done(tables: list, done: dict) -> set:
    """Return the names of the units of I(tables), which are not done, of which parts have been brought by an earlier run."""
    begun = {name.partition(PART)[0] for name in done if PART in name}
    return {table.unit for table in tables if table.unit in begun}


def empty_half_done(target, migration: str, units: list, done: dict, again: set) -> None:
    """Empty the tables that are to be copied in parts and hold rows of an earlier attempt.

    What a part has brought under an earlier snapshot can be proven only for the table as a whole, so an unfinished table
    begins anew. The parts' markers go in the same transaction.
    """
    for unit in units:
        if unit.task["kind"] != "join":
            continue
        left = [name for name in done if name.startswith(unit.name + PART)]
        if not left and unit.name not in again:
            continue
        table = unit.task["table"]
        with transaction(target) as cursor:
            cursor.execute(f"TRUNCATE ONLY {qualified(table.schema, table.name)}")
            marker.remove_markers(cursor, migration, left)
        for name in left:
            done.pop(name)


def join_parts(target, migration: str, unit: str, parts: list) -> int | None:
    """Put the table's marker in the place of those of its parts; return the number of rows, None when a part is missing.

    Runs a second time without harm: a table that is marked already keeps its number of rows.
    """
    with transaction(target) as cursor:
        known = marker.markers(cursor, migration)
        if unit not in known and not known.keys() >= set(parts):
            return None
        if unit not in known:
            known[unit] = sum(known[part] for part in parts)
            marker.set_markers(cursor, migration, {unit: known[unit]})
            marker.remove_markers(cursor, migration, parts)
    return known[unit]
