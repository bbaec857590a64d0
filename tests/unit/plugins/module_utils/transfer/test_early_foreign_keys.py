# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which foreign keys are created before their table is loaded, and what the others wait for."""

from __future__ import annotations

from ansible_collections.azpg.migrate.plugins.module_utils._transfer import early_foreign_keys as early
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.catalogue import Table
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.effort import LEAST
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.plan import EVERYTHING, Unit
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.splitting import split_wide_tables

WEIGHT = 100_000_000


def table(oid: int, weight: int = WEIGHT, toast: int = 0) -> Unit:
    found = Table(oid, "s", f"t{oid}", weight, (), True, pages=900, toast_bytes=toast)
    task = {"kind": "table", "table": found}
    return Unit(f"t{oid}", "table", f"s.t{oid}", weight, task, bytes_total=weight, tables=(found,))


def batch(*oids: int) -> Unit:
    tables = tuple(Table(oid, "s", f"t{oid}", 1, (), True) for oid in oids)
    return Unit(f"batch:t{oids[0]}", "table", "batch", 1000, {"kind": "batch"}, tables=tables)


def key(oid: int, weight: int = 1000) -> Unit:
    return Unit(f"pk{oid}", "key", f"pk{oid}", weight, {"kind": "sql"}, {f"t{oid}"}, locks=frozenset([oid]))


def statistics(oid: int) -> Unit:
    waits_for = {f"t{oid}", f"pk{oid}"}
    return Unit(f"analyze:t{oid}", "statistics", "", 1000, {"kind": "sql"}, waits_for, locks=frozenset([oid]))


def foreign(oid: int, child: int, parent: int, *, locks=None, weight: int = WEIGHT, needs: str = "") -> tuple:
    """Return a foreign key's unit and its number, I(oid); it waits for I(needs), or for the referenced table's key."""
    waits_for = {needs or f"pk{parent}"}
    held = frozenset({child, parent} if locks is None else locks)
    unit = Unit(f"fk{oid}", "foreign_key", f"fk{oid}", weight, {"kind": "sql"}, waits_for, locks=held)
    return unit, oid


def arranged(graph: list, foreign_keys: list, candidates: dict, workers: int = 2) -> tuple:
    units, oids = zip(*foreign_keys) if foreign_keys else ((), ())
    result, last = early.arrange(graph, list(units), list(oids), candidates, workers)
    return {unit.name: unit for unit in result}, [unit.name for unit in last]


def chain() -> tuple:
    """Tables 1, 2 and 3 with their keys; 2 refers to 1, and 3 to 2."""
    graph = [unit for oid in (1, 2, 3) for unit in (table(oid), key(oid))]
    return graph, [foreign(21, 2, 1), foreign(32, 3, 2)], {21: (2, 1), 32: (3, 2)}


def test_chain_is_loaded_from_the_top():
    # 800 MB beside it leave the second worker nothing to win by a later check.
    graph, foreign_keys, candidates = chain()
    units, last = arranged(graph, foreign_keys, candidates)
    assert units["fk21"].waits_for == {"t1", "pk1"}
    assert units["t2"].waits_for == {"fk21"}
    assert units["fk32"].waits_for == {"t2", "pk2"}
    assert units["t3"].waits_for == {"fk32"}
    assert units["t1"].waits_for == set()
    assert units["fk21"].weight == units["fk32"].weight == LEAST, "on an empty table it costs nothing"
    assert units["fk21"].locks == {1, 2}
    assert last == []


def test_nothing_is_early_without_candidates():
    graph, foreign_keys, _candidates = chain()
    units, last = arranged(graph, foreign_keys, {})
    assert units["fk21"].waits_for == {"t1", "pk1", "t2", "pk2"}, "both tables, and keys of both, which lock them"
    assert units["fk32"].waits_for == {"t2", "pk2", "t3", "pk3"}
    assert units["t2"].waits_for == units["t3"].waits_for == set()
    assert units["fk21"].weight == WEIGHT
    assert last == []


def test_units_handed_in_are_left_as_they_were():
    graph, foreign_keys, candidates = chain()
    arranged(graph, foreign_keys, candidates)
    assert [unit.waits_for for unit in graph if unit.kind == "table"] == [set(), set(), set()]
    assert [unit.waits_for for unit, _oid in foreign_keys] == [{"pk1"}, {"pk2"}]


def test_of_a_circle_of_two_tables_one_is_early():
    graph = [unit for oid in (1, 2) for unit in (table(oid), key(oid))]
    units, last = arranged(graph, [foreign(21, 2, 1), foreign(12, 1, 2)], {21: (2, 1), 12: (1, 2)}, workers=1)
    assert units["t2"].waits_for == {"fk21"}
    assert units["t1"].waits_for == set(), "the second one would let each table wait for the other"
    assert units["fk12"].waits_for == {"t1", "pk1", "t2", "pk2"}
    assert last == []


def test_circle_of_three_tables_is_cut_once():
    graph = [unit for oid in (1, 2, 3) for unit in (table(oid), key(oid))]
    foreign_keys = [foreign(21, 2, 1), foreign(32, 3, 2), foreign(13, 1, 3)]
    tables = early.Tables(graph)
    arrangement = early.Arrangement(tables, [(unit, *divmod(oid, 10)) for unit, oid in foreign_keys])
    assert set(arrangement.early) == {"fk21", "fk32"}
    assert arrangement.reaches(3, 1) and not arrangement.reaches(1, 3)


def test_two_foreign_keys_of_one_table_to_another_are_both_early():
    graph = [unit for oid in (1, 2) for unit in (table(oid), key(oid))]
    units, _last = arranged(graph, [foreign(21, 2, 1), foreign(22, 2, 1)], {21: (2, 1), 22: (2, 1)})
    assert units["t2"].waits_for == {"fk21", "fk22"}


def test_table_that_refers_to_itself_waits_for_nothing():
    # The catalogue query never offers one; were it offered, it would be a circle of one.
    units, _last = arranged([table(1), key(1)], [foreign(11, 1, 1)], {11: (1, 1)})
    assert units["t1"].waits_for == set()
    assert units["fk11"].waits_for == {"t1", "pk1"}
    assert "k.conrelid <> k.confrelid" in early.TAKEN_OVER


def test_child_in_a_batch_is_checked_afterwards():
    graph = [table(1), key(1), batch(2, 3)]
    units, _last = arranged(graph, [foreign(21, 2, 1)], {21: (2, 1)})
    assert units["batch:t2"].waits_for == set()
    assert units["fk21"].waits_for == {"t1", "pk1", "batch:t2"}


def test_parent_in_a_batch_is_waited_for_with_all_of_it():
    graph = [table(2), key(2), batch(1, 3)]
    units, _last = arranged(graph, [foreign(21, 2, 1, needs="batch:t1")], {21: (2, 1)})
    assert units["fk21"].waits_for == {"batch:t1"}, "the batch brings table and key"
    assert units["t2"].waits_for == {"fk21"}


def test_parent_that_was_brought_by_an_earlier_run_is_not_waited_for():
    units, _last = arranged([table(2), key(2)], [foreign(21, 2, 1)], {21: (2, 1)})
    assert units["fk21"].waits_for == set()
    assert units["t2"].waits_for == {"fk21"}


def test_child_that_was_brought_by_an_earlier_run_is_checked_after_its_parent():
    units, _last = arranged([table(1), key(1)], [foreign(21, 2, 1)], {21: (2, 1)})
    assert units["fk21"].waits_for == {"t1", "pk1"}
    assert units["fk21"].weight == WEIGHT


def test_those_that_lock_everything_come_last():
    graph, foreign_keys, candidates = chain()
    units, last = arranged(graph, [*foreign_keys, foreign(91, 9, 1, locks=[EVERYTHING])], candidates)
    assert last == ["fk91"]
    assert "fk91" not in units


def test_late_ones_wait_for_statistics_that_lock_their_table():
    graph = [table(1), key(1), statistics(1), table(2), key(2)]
    units, _last = arranged(graph, [foreign(21, 2, 1)], {})
    assert units["fk21"].waits_for == {"t1", "pk1", "analyze:t1", "t2", "pk2"}


def test_early_one_is_given_up_where_it_would_cost_time():
    # Loading 1 and building its key takes 10 times as long as 2, whose own index then comes in the very end.
    graph = [table(1, 10 * WEIGHT), key(1), table(2), key(2, 9 * WEIGHT)]
    units, _last = arranged(graph, [foreign(21, 2, 1, weight=1000)], {21: (2, 1)})
    assert units["t2"].waits_for == set()
    assert units["fk21"].waits_for == {"t1", "pk1", "t2", "pk2"}


def test_light_parents_are_waited_for_where_heavy_ones_are_not():
    graph = [table(1, 10 * WEIGHT), key(1), table(2), key(2, 9 * WEIGHT), table(3, 1000), key(3)]
    foreign_keys = [foreign(21, 2, 1, weight=1000), foreign(23, 2, 3, weight=10 * WEIGHT)]
    units, _last = arranged(graph, foreign_keys, {21: (2, 1), 23: (2, 3)})
    assert units["t2"].waits_for == {"fk23"}
    assert units["fk21"].waits_for == {"t1", "pk1", "t2", "pk2"}


def test_parts_of_a_wide_child_wait_for_its_foreign_key():
    wide = table(2, 1 << 30, toast=1 << 30)
    units, _last = arranged([table(1), key(1), wide, key(2)], [foreign(21, 2, 1)], {21: (2, 1)})
    assert units["t2"].waits_for == {"fk21"}
    split = {unit.name: unit for unit in split_wide_tables(list(units.values()), 2)}
    parts = [unit for unit in split.values() if unit.part_of]
    assert len(parts) > 1
    assert all(part.waits_for == {"fk21"} for part in parts), "else rows arrive before the foreign key"
    assert split["t2"].waits_for == {part.name for part in parts} | {"fk21"}
