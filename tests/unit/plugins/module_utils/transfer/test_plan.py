# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of work: what waits for what, and what may not run at once."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import plan
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.archive import Entry
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.catalogue import Table

ORDERS = Table(100, "app", "orders", 1000, 400, ("id", "note"), True)
LINES = Table(101, "app", "lines", 3000, 0, ("id",), True)
TREE = Table(200, "app", "tree", 500, 0, ("id",), True, True, (201, 202))
TABLES = [ORDERS, LINES, TREE]


def entry(number: int, kind: str, dependencies=(), oid: int = 0, catalogue: int = 0, name: str = "") -> Entry:
    return Entry(
        number, catalogue, oid, tuple(dependencies), name or f"e{number}", kind, "app", "app_owner", f"SQL {number};"
    )


PRE_DATA = (
    entry(1, "TABLE", oid=100, catalogue=plan.CLASS_RELATION),
    entry(2, "TABLE", oid=101, catalogue=plan.CLASS_RELATION),
    entry(3, "TABLE", oid=202, catalogue=plan.CLASS_RELATION),
    entry(4, "FUNCTION", oid=100, catalogue=1255),
    entry(5, "TABLE", oid=300, catalogue=plan.CLASS_RELATION),
)


def texts(entries) -> dict:
    return {item.number: item.text for item in entries}


def test_tables_weigh_with_their_indexes_but_count_without():
    units = {unit.label: unit for unit in plan.table_units(TABLES)}
    assert units["app.orders"].weight == 1400
    assert units["app.orders"].bytes_total == 1000
    assert units["app.orders"].name == "table:app.orders:100"
    assert Table(**units["app.tree"].task["table"]) == TREE, "what is sent to a worker can be rebuilt there"


def test_large_objects_go_in_portions():
    units = plan.large_object_units(list(range(1, 1202)))
    assert [len(unit.task["numbers"]) for unit in units] == [500, 500, 201]
    assert units[0].name == "large objects:1-500"
    assert plan.large_object_units([]) == []


def test_post_data_falls_into_keys_foreign_keys_and_the_rest():
    entries = (
        entry(10, "INDEX", [1]),
        entry(11, "CONSTRAINT", [1, 10]),
        entry(12, "INDEX ATTACH", [10]),
        entry(13, "FK CONSTRAINT", [2, 11]),
        entry(14, "RULE", [11]),
        entry(15, "INDEX", [14]),
        entry(16, "TRIGGER", [1]),
        entry(17, "INDEX", [15]),
    )
    keys, foreign_keys, rest = plan.split_post_data(entries)
    assert [item.number for item in keys] == [10, 11, 12]
    assert [item.number for item in foreign_keys] == [13]
    assert [item.number for item in rest] == [14, 15, 16, 17], "an index on what comes late comes late too"


def test_keys_wait_for_their_table_and_for_each_other():
    keys = [entry(10, "INDEX", [1]), entry(11, "CONSTRAINT", [1, 10]), entry(12, "INDEX", [3]), entry(13, "INDEX", [4])]
    units = {unit.name: unit for unit in plan.key_units(keys, PRE_DATA, TABLES, texts(keys))}
    first, second, third, fourth = (units[key.unit] for key in keys)
    assert first.waits_for == {"table:app.orders:100"}
    assert second.waits_for == {"table:app.orders:100", keys[0].unit}
    assert third.waits_for == {"table:app.tree:200"}, "a leaf's index waits for the tree that brings its rows"
    assert fourth.waits_for == set(), "an object number counts only together with its catalogue"
    assert first.weight == 500
    assert first.task == {"kind": "sql", "text": "SQL 10;"}


def test_indexes_share_their_table_and_keys_lock_it():
    keys = [entry(10, "INDEX", [1]), entry(11, "CONSTRAINT", [1, 10]), entry(12, "INDEX ATTACH", [10])]
    index, constraint, attach = plan.key_units(keys, PRE_DATA, TABLES, texts(keys))
    assert (index.locks, index.shares) == (set(), {100})
    assert (constraint.locks, constraint.shares) == ({100}, set())
    assert (attach.locks, attach.shares) == (plan.ATTACHING, set()), "one at a time"


def test_foreign_keys_lock_both_tables_and_wait_for_the_keys_that_they_name():
    keys = [entry(10, "CONSTRAINT", [1]), entry(11, "INDEX", [2])]
    foreign_keys = [
        entry(20, "FK CONSTRAINT", [1, 2, 10]),
        entry(21, "FK CONSTRAINT", [1, 5]),
        entry(22, "FK CONSTRAINT", []),
    ]
    plain, partitioned, unknown = plan.foreign_key_units(foreign_keys, keys, PRE_DATA, TABLES, texts(foreign_keys))
    assert plain.locks == {100, 101}
    assert plain.weight == 4000
    assert plain.waits_for == {keys[0].unit}
    assert partitioned.locks == {"everything"}, "table 300 has no rows of its own: it is partitioned"
    assert unknown.locks == {"everything"}
    assert partitioned.waits_for == unknown.waits_for == set()


def holding(locks=(), shares=()) -> plan.Unit:
    return plan.Unit("u", "k", "u", 1, {}, locks=frozenset(locks), shares=frozenset(shares))


@pytest.mark.parametrize(
    ("locks", "held", "clash"),
    [
        ({1, 2}, [{2, 3}], True),
        ({1, 2}, [{3}], False),
        ({1}, [set()], False),
        (set(), [{"everything"}], False),
        ({"everything"}, [{3}], True),
        ({1}, [{"everything"}], True),
        ({1}, [], False),
        ({1}, [{2}, {1}], True),
    ],
)
def test_lock_conflicts(locks, held, clash):
    assert plan.conflicts(holding(locks), [holding(other) for other in held]) is clash


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ((set(), {1}), (set(), {1}), False),
        ((set(), {1}), ({1}, set()), True),
        ((set(), {1}), ({2}, set()), False),
        ((set(), {1}), ({"everything"}, set()), True),
        (({1}, {2}), ({2}, {3}), True),
        (({1}, {2}), ({3}, {2}), False),
    ],
)
def test_sharing_clashes_with_locking_only(one, other, clash):
    assert plan.conflicts(holding(*one), [holding(*other)]) is clash
    assert plan.conflicts(holding(*other), [holding(*one)]) is clash, "it makes no difference who came first"


def test_statements_may_be_chained():
    statements = [("a", "A", 1, "SQL a"), ("b", "B", 2, "SQL b"), ("c", "C", 3, "SQL c")]
    assert [unit.waits_for for unit in plan.statement_units("k", statements, chained=True)] == [set(), {"a"}, {"b"}]
    assert [unit.waits_for for unit in plan.statement_units("k", statements)] == [set(), set(), set()]


def test_column_list_of_copy():
    assert ORDERS.column_list == '("id", "note")'
    assert Table(1, "a", "b", 0, 0, (), False).column_list == ""


def small(number: int, size: int = 10, **words) -> Table:
    return Table(number, "app", f"t{number}", size, 0, ("id",), True, **words)


def batched(tables: list, keys=(), again=()):
    units = plan.batch_small_tables(plan.table_units(tables), list(keys), set(again))
    return {unit.name: unit for unit in units}


def key(name: str, *waits_for: str) -> plan.Unit:
    return plan.Unit(name, "key", name, 5, {"kind": "sql", "text": f"{name};"}, set(waits_for))


def table_name(number: int) -> str:
    return f"table:app.t{number}:{number}"


def test_small_tables_share_a_transaction_with_their_keys():
    keys = [key("pk1", table_name(1)), key("attached", table_name(1), "pk1"), key("both", table_name(1), table_name(9))]
    units = batched([small(1), small(2), small(9, plan.SMALL_TABLE_BYTES + 1)], keys)
    batch = units.pop(f"batch:{table_name(1)}")
    assert batch.members == (table_name(1), table_name(2), "pk1", "attached")
    assert batch.task["statements"] == ["pk1;", "attached;"]
    assert [name for name, _words in batch.task["tables"]] == [table_name(1), table_name(2)]
    assert batch.label == "app.t1 and 1 small tables more"
    assert batch.weight == 30, "two tables of 10 and two keys of 5"
    assert set(units) == {table_name(9), "both"}
    assert units["both"].waits_for == {batch.name, table_name(9)}


def test_batches_are_bounded_and_leave_out_what_has_to_be_alone():
    tables = [small(number) for number in range(1, plan.BATCH_TABLES + 3)] + [
        small(90),
        small(91, tree=True, leaves=(92,)),
    ]
    units = batched(tables, again=[table_name(90)])
    sizes = sorted(len(unit.members) for unit in units.values())
    assert sizes == [0, 0, 2, plan.BATCH_TABLES]
    assert {table_name(90), table_name(91)} < set(units), "what has to be emptied first, and a tree, are copied alone"


def test_every_unit_is_in_exactly_one_batch_or_alone():
    tables = [small(number, size) for number, size in enumerate([10, 1 << 30, 20, 1 << 21, 30], 1)]
    keys = [key(f"k{number}", table_name(number)) for number in range(1, 6)]
    units = batched(tables, keys)
    names = [name for unit in units.values() for name in unit.names]
    assert sorted(names) == sorted(
        [table_name(number) for number in range(1, 6)] + [f"k{number}" for number in range(1, 6)]
    )


def test_key_whose_table_was_done_before_waits_for_nothing_in_a_batch():
    units = batched([small(1)], [key("k7", table_name(7)), key("k8")])
    assert units[f"batch:{table_name(1)}"].members == (table_name(1),)
    assert {"k7", "k8"} < set(units)


def test_statistics_of_small_relations_go_together():
    sizes = [plan.BATCH_ANALYZED_BYTES * 2, plan.BATCH_ANALYZED_BYTES] + [1] * (plan.BATCH_ANALYZED + 1)
    units = plan.statement_units(
        "statistics", [(f"a{n}", f"t{n}", size, f"ANALYZE t{n}") for n, size in enumerate(sizes)]
    )
    groups = plan.batch_statistics(units)
    assert [len(group.members) for group in groups] == [1, 1, plan.BATCH_ANALYZED, 1]
    assert groups[2].task["text"].startswith("ANALYZE t2; ANALYZE t3; ")
    assert sum(group.weight for group in groups) == sum(sizes)
