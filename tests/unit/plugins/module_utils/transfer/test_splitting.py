# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables are copied in parts, and how the parts cover them."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import plan, splitting
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.catalogue import Table

MB = 1 << 20


def table(size: int = 64 * MB, toast: int = 60 * MB, pages: int = 500, tree: bool = False) -> Table:
    return Table(7, "app", "wide", size, ("id", "text"), True, tree, (8,) if tree else (), pages, toast)


@pytest.mark.parametrize(
    ("pages", "count", "expected"),
    [
        (10, 2, [(0, 5), (5, None)]),
        (10, 3, [(0, 3), (3, 6), (6, None)]),
        (3, 3, [(0, 1), (1, 2), (2, None)]),
        (0, 1, [(0, None)]),
        (1000, 1, [(0, None)]),
    ],
)
def test_ranges(pages, count, expected):
    assert splitting.ranges(pages, count) == expected


@pytest.mark.parametrize("pages", [4, 5, 7, 100, 12345])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_ranges_leave_no_page_out_and_overlap_nowhere(pages, count):
    found = splitting.ranges(pages, count)
    assert found[0][0] == 0 and found[-1][1] is None, "pages that came since are in the last range"
    assert [end for _first, end in found[:-1]] == [first for first, _end in found[1:]]
    assert all(first < end for first, end in found[:-1]), "no range is empty"


@pytest.mark.parametrize(
    ("given", "wide"),
    [
        (table(), True),
        (table(size=splitting.LEAST_BYTES, toast=splitting.LEAST_BYTES // 2), True),
        (table(size=splitting.LEAST_BYTES - 1), False),
        (table(toast=31 * MB), False),
        (table(tree=True), False),
    ],
)
def test_only_large_tables_of_wide_rows_are_split(given, wide):
    assert splitting.is_wide(given) is wide
    units = splitting.split_wide_tables([plan.table_unit(given)], 2)
    assert (len(units) > 1) is wide


def split(given: Table, workers: int, **words) -> tuple:
    (unit,) = [plan.table_unit(given)]
    for word, content in words.items():
        setattr(unit, word, content)
    *parts, join = splitting.split_wide_tables([unit], workers)
    return unit, parts, join


def test_parts_stand_for_the_table_and_one_unit_joins_them():
    unit, parts, join = split(table(), 2)
    assert [part.name for part in parts] == [f"table:app.wide:7:part {number}/4" for number in range(1, 5)]
    assert [part.task["pages"] for part in parts] == [(0, 125), (125, 250), (250, 375), (375, None)]
    assert all(part.task["kind"] == "part" and part.part_of == unit.name for part in parts)
    assert all(part.order() == (part.task, (part.name,), (unit.name,)) for part in parts)
    assert sum(part.weight for part in parts) == unit.weight
    assert sum(part.bytes_total for part in parts) == unit.bytes_total
    assert (join.name, join.label, join.weight) == (unit.name, unit.label, 0)
    assert join.waits_for == {part.name for part in parts} == set(join.task["parts"])
    assert join.task["kind"] == "join"
    assert parts[0].label == "app.wide, part 1 of 4"


def test_parts_wait_for_what_the_table_waits_for():
    _unit, parts, join = split(table(), 2, waits_for={"fk"})
    assert all(part.waits_for == {"fk"} for part in parts)
    assert join.waits_for == {"fk", *(part.name for part in parts)}


@pytest.mark.parametrize(
    ("given", "workers", "count"),
    [
        (table(), 2, 4),
        (table(), 4, 8),
        (table(pages=3), 4, 3),
        (table(pages=0), 4, 1),
        (table(size=100 * splitting.PART_BYTES, toast=99 * splitting.PART_BYTES), 4, 16),
        (table(size=10 * splitting.PART_BYTES, toast=9 * splitting.PART_BYTES), 4, 10),
    ],
)
def test_number_of_parts(given, workers, count):
    assert len(split(given, workers)[1]) == count


def test_one_worker_splits_nothing():
    units = [plan.table_unit(table())]
    assert splitting.split_wide_tables(units, 1) == units


def test_other_units_are_left_alone():
    units = [
        plan.Unit("batch", "table", "b", 1, {"kind": "batch"}, tables=(table(),)),
        plan.Unit("key", "key", "k", 1, {"kind": "sql", "text": ""}, {"table:app.wide:7"}),
        *plan.large_object_units([1]),
    ]
    assert splitting.split_wide_tables(units, 4) == units
