# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of work: what waits for what, and what may not run at once."""

from __future__ import annotations

import json

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import plan
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.catalogue import Analyzed, Table
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.contents import CLASS_RELATION, Entry
from transfer_texts import archive_of

ORDERS = Table(100, "app", "orders", 1000, ("id", "note"), True)
LINES = Table(101, "app", "lines", 3000, ("id",), True)
TREE = Table(200, "app", "tree", 500, ("id",), True, True, (201, 202))
TABLES = [ORDERS, LINES, TREE]
PLACES = {100: "table:app.orders:100", 200: "table:app.tree:200"}


def entry(number: int, kind: str, needs=(), oid: int = 0, catalogue: int = 0) -> Entry:
    name = f"{kind.lower()} {number}"
    return Entry(
        number, catalogue, oid or 5000 + number, tuple(needs), name, kind, "app", "app_owner", f"SQL {number};"
    )


PRE_DATA = archive_of(
    [
        entry(1, "TABLE", oid=100, catalogue=CLASS_RELATION),
        entry(2, "TABLE", oid=101, catalogue=CLASS_RELATION),
        entry(3, "TABLE", oid=202, catalogue=CLASS_RELATION),
        entry(4, "FUNCTION", oid=100, catalogue=1255),
        entry(5, "TABLE", oid=300, catalogue=CLASS_RELATION),
        entry(6, "TABLE", oid=200, catalogue=CLASS_RELATION),
    ]
)


def text(item: Entry) -> str:
    return item.text.strip()


def work(catalogue: int, oid: int) -> float:
    return 1000 * catalogue + oid


def planned(*entries: Entry, functions=None) -> tuple:
    """Return C((copies, units of keys by name, units of foreign keys)) of these post-data entries."""
    post_data = archive_of(entries)
    keys, foreign_keys, _rest = plan.split_post_data(post_data)
    copies = plan.Copies(TABLES, PRE_DATA, post_data)
    units = {unit.name: unit for unit in plan.key_units(keys, copies, PLACES, text, work, functions)}
    return copies, units, plan.foreign_key_units(foreign_keys, copies, text, work)


def test_tables_weigh_what_they_hold():
    unit = plan.table_unit(ORDERS)
    assert (unit.label, unit.weight, unit.bytes_total) == ("app.orders", 1000, 1000)
    assert unit.name == ORDERS.unit == "table:app.orders:100"
    task = json.loads(json.dumps(plan.table_unit(TREE).order().task))
    assert Table(*task["table"])._replace(columns=("id",), leaves=(201, 202)) == TREE, "a worker can rebuild it"


def test_large_objects_go_in_portions():
    units = plan.large_object_units(list(range(1, 1202)))
    assert [len(unit.task["numbers"]) for unit in units] == [500, 500, 201]
    assert units[0].name == "large objects:1-500"
    assert plan.large_object_units([]) == []


def test_post_data_falls_into_keys_foreign_keys_and_the_rest():
    post_data = archive_of(
        [
            entry(10, "INDEX", [1]),
            entry(11, "CONSTRAINT", [1, 10]),
            entry(12, "INDEX ATTACH", [10]),
            entry(13, "FK CONSTRAINT", [2, 11]),
            entry(14, "RULE", [11]),
            entry(15, "INDEX", [14]),
            entry(16, "TRIGGER", [1]),
            entry(17, "INDEX", [15]),
        ]
    )
    keys, foreign_keys, rest = plan.split_post_data(post_data)
    assert [item.number for item in keys] == [10, 11, 12]
    assert [item.number for item in foreign_keys] == [13]
    assert [item.number for item in rest] == [14, 15, 16, 17], "an index on what comes late comes late too"


def test_keys_wait_for_their_table_and_for_each_other():
    keys = [
        entry(10, "INDEX", [1], 7, 1),
        entry(11, "CONSTRAINT", [1, 10]),
        entry(12, "INDEX", [3]),
        entry(13, "INDEX", [4]),
    ]
    _copies, units, _foreign_keys = planned(*keys)
    first, second, third, fourth = (units[key.unit] for key in keys)
    assert first.waits_for == {"table:app.orders:100"}
    assert second.waits_for == {"table:app.orders:100", keys[0].unit}
    assert third.waits_for == {"table:app.tree:200"}, "a leaf's index waits for the tree that brings its rows"
    assert fourth.waits_for == set(), "an object number counts only together with its catalogue"
    assert first.weight == 1007
    assert first.order() == ({"kind": "sql", "text": "SQL 10;"}, (first.name,), (first.name,))


def test_keys_of_a_table_that_was_brought_before_wait_for_nothing():
    _copies, units, _foreign_keys = planned(entry(10, "INDEX", [2]))
    assert [unit.waits_for for unit in units.values()] == [set()]


def test_functions_of_an_index_go_with_it():
    key = entry(10, "INDEX", [1], 7, CLASS_RELATION)
    _copies, units, _foreign_keys = planned(key, functions={(CLASS_RELATION, 7): ("app.f()",)})
    task = units[key.unit].order().task
    assert (task["functions"], task["schema"]) == (("app.f()",), "app")


def test_indexes_share_their_table_and_keys_lock_it():
    keys = [entry(10, "INDEX", [1]), entry(11, "CONSTRAINT", [1, 10]), entry(12, "INDEX ATTACH", [10])]
    _copies, units, _foreign_keys = planned(*keys)
    index, constraint, attach = (units[key.unit] for key in keys)
    assert (index.locks, index.shares) == (set(), {100})
    assert (constraint.locks, constraint.shares) == ({100}, set())
    assert (attach.locks, attach.shares) == (plan.ATTACHING, set()), "one at a time"


def test_foreign_keys_lock_both_tables_and_wait_for_the_keys_that_they_name():
    keys = [entry(10, "CONSTRAINT", [1]), entry(11, "INDEX", [2])]
    foreign_keys = [
        entry(20, "FK CONSTRAINT", [1, 2, 10], 9),
        entry(21, "FK CONSTRAINT", [1, 5]),
        entry(22, "FK CONSTRAINT", []),
        entry(23, "FK CONSTRAINT", [1, 6]),
    ]
    _copies, _units, (plain, partitioned, unknown, tree) = planned(*keys, *foreign_keys)
    assert plain.locks == {100, 101}
    assert plain.weight == 9
    assert plain.waits_for == {keys[0].unit}
    assert plain.order().task == {"kind": "sql", "text": "SQL 20;"}
    assert partitioned.locks == {"everything"}, "table 300 has no rows of its own: it is partitioned"
    assert unknown.locks == tree.locks == {"everything"}
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
    assert Table(1, "a", "b", 0, (), False).column_list == ""


def analyzed(number: int, size: int) -> plan.Unit:
    return plan.statistics_unit(Analyzed(number, "app", f"t{number}", size, True), size / 10)


def test_statistics_of_small_relations_go_together():
    sizes = [plan.BATCH_ANALYZED_BYTES * 2, plan.BATCH_ANALYZED_BYTES] + [1] * (plan.BATCH_ANALYZED + 1)
    groups = plan.batch_statistics([analyzed(number, size) for number, size in enumerate(sizes)])
    orders = [group.order() for group in groups]
    assert [len(order.names) for order in orders] == [1, 1, plan.BATCH_ANALYZED, 1]
    assert orders[2].task["text"].startswith('ANALYZE "app"."t2"; ANALYZE "app"."t3"; ')
    assert orders[2].names[:2] == orders[2].journal_names[:2] == ("analyze:app.t2", "analyze:app.t3")
    assert sum(group.weight for group in groups) == pytest.approx(sum(sizes) / 10)


def test_statistics_of_a_large_table_wait_for_its_keys_only():
    large = plan.table_unit(ORDERS._replace(bytes=plan.SMALL_TABLE_BYTES + 1))
    key = plan.Unit("pk", "key", "pk", 1, {"kind": "sql"}, {large.name}, locks=frozenset([100]))
    about_large, about_small = analyzed(100, plan.SMALL_TABLE_BYTES + 1), analyzed(101, 10)
    early, late = plan.join_statistics([large, key, plan.table_unit(LINES)], [about_large, about_small])
    assert early == [about_large] and about_large.waits_for == {large.name, "pk"}
    assert late == [about_small]
