# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which small tables go together, and what is created and built with them."""

from __future__ import annotations

from ansible_collections.azpg.migrate.plugins.module_utils._transfer import batching, plan
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.catalogue import Analyzed, Table
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.contents import CLASS_RELATION, Entry
from transfer_texts import archive_of

SCHEMA = 1


def table(number: int, size: int = 10, **words) -> Table:
    return Table(number, "app", f"t{number}", size, ("id",), True, **words)


def entry(number: int, kind: str, *needs: int, oid: int = 0, catalogue: int = CLASS_RELATION) -> Entry:
    return Entry(number, catalogue, oid or number, needs, f"n{number}", kind, "app", "app_owner", f"SQL {number};")


def created_late(*entries: Entry, candidates=(10, 20, 30)) -> dict:
    """Return C({table: [numbers of the entries that are created with it]})."""
    pre_data = archive_of([entry(SCHEMA, "SCHEMA", catalogue=2615), *entries])
    creation = batching.Creation(pre_data, set(candidates))
    found: dict = {}
    for place, oid in enumerate(creation.table_of):
        if oid:
            found.setdefault(oid, []).append(pre_data.numbers[place])
    assert {item.number for item in creation.others()} | {number for some in found.values() for number in some} == {
        SCHEMA,
        *(item.number for item in entries),
    }
    assert creation.tables == set(found)
    return found


def test_table_is_created_with_its_sequence_defaults_and_comments():
    entries = [
        entry(10, "TABLE", SCHEMA),
        entry(11, "SEQUENCE", SCHEMA, 10),
        entry(12, "SEQUENCE OWNED BY", 10, 11),
        entry(13, "DEFAULT", 10, 11),
        entry(14, "COMMENT", 13),
    ]
    assert created_late(*entries) == {10: [10, 11, 12, 13, 14]}


def test_table_that_something_else_is_made_of_is_created_before():
    view = entry(15, "VIEW", SCHEMA, 10, 20)
    tables = [entry(number, "TABLE", SCHEMA) for number in (10, 20, 30)]
    assert created_late(*tables, entry(11, "SEQUENCE", 10), view) == {30: [30]}
    function = entry(15, "FUNCTION", SCHEMA, 10, catalogue=1255)
    assert created_late(*tables, function) == {20: [20], 30: [30]}


def test_what_concerns_two_tables_keeps_both_from_waiting():
    tables = [entry(number, "TABLE", SCHEMA) for number in (10, 20, 30)]
    shared = entry(11, "SEQUENCE", SCHEMA, 10)
    assert created_late(*tables, shared, entry(12, "DEFAULT", 20, 11)) == {30: [30]}


def test_tables_made_from_other_relations_come_in_the_archives_order():
    assert created_late(entry(10, "TABLE", SCHEMA), entry(20, "TABLE", SCHEMA, 10)) == {}, "an heir and its parent"
    attached = [entry(10, "TABLE", SCHEMA), entry(20, "TABLE", SCHEMA), entry(21, "TABLE ATTACH", 10, 20)]
    assert created_late(*attached) == {}
    assert created_late(entry(5, "VIEW", SCHEMA), entry(10, "TABLE", SCHEMA, 5)) == {}


def test_privileges_of_tables_keep_nothing_from_waiting():
    assert created_late(entry(10, "TABLE", SCHEMA), entry(11, "ACL", 10, catalogue=0)) == {10: [10]}


def test_only_candidates_wait_and_a_number_counts_together_with_its_catalogue():
    assert created_late(entry(10, "TABLE", SCHEMA), entry(40, "TABLE", SCHEMA)) == {10: [10]}
    assert created_late(entry(10, "TABLE", SCHEMA, oid=99), entry(11, "TYPE", oid=10, catalogue=1247)) == {}


class Plan:
    """Batches of these tables with these keys, C([Entry]), whose dependencies name tables by number."""

    def __init__(self, tables: list, keys=(), *, functions=None, not_open=(), others=()):
        self.pre_data = archive_of([entry(one.oid, "TABLE") for one in (*tables, *others)])
        self.post_data = archive_of(keys)
        self.batches = batching.Batches(tables, self.pre_data, self.post_data, lambda item: item.text.strip())
        self.copies = plan.Copies([*tables, *others], self.pre_data, self.post_data)
        selected, _foreign_keys, _rest = plan.split_post_data(self.post_data)
        left = self.batches.build(
            selected,
            lambda place: self.post_data.numbers[place] not in not_open,
            self.copies,
            functions or {},
            lambda catalogue, oid: 5.0,
        )
        self.left = [item.number for item in left]

    @property
    def built(self) -> list:
        """The numbers of the keys in each batch."""
        return [[self.post_data.numbers[place] for place in unit.content.builds] for unit in self.batches.units]


def test_small_tables_share_a_transaction_with_their_keys():
    large = table(9, plan.SMALL_TABLE_BYTES + 1)
    keys = [entry(101, "CONSTRAINT", 1), entry(102, "INDEX", 1, 101), entry(103, "INDEX", 1, 9), entry(104, "INDEX", 9)]
    found = Plan([table(1), table(2)], keys, others=[large])
    (unit,) = found.batches.units
    assert (unit.name, unit.label) == ("batch:table:app.t1:1", "app.t1 and 1 small tables more")
    assert found.built == [[101, 102]] and found.left == [103, 104]
    assert found.copies.of_key(101) == unit.name and found.copies.of_key(103) == ""
    assert unit.bytes_total == 20
    order = unit.order()
    assert order.task["kind"] == "batch" and [one.oid for one in order.task["tables"]] == [1, 2]
    assert order.task["builds"] == "SQL 101;\nSQL 102;"
    tables = ("table:app.t1:1", "table:app.t2:2")
    assert order.names == order.journal_names == (*tables, *(key.unit for key in keys[:2]))
    assert (order.task["creates"], order.task["analyzes"]) == ("", "")


def test_key_on_one_that_is_not_in_the_batch_waits_outside():
    keys = [entry(101, "INDEX", 1), entry(102, "CONSTRAINT", 1, 101), entry(103, "INDEX ATTACH", 102, 50)]
    assert Plan([table(1)], keys, not_open=[101]).left == [102, 103], "101 was built by an earlier run"
    parent = entry(50, "INDEX")
    found = Plan([table(1)], [parent, *keys])
    assert (found.built, found.left) == ([[101, 102]], [50, 103]), "attaching waits for the parent's index too"


def test_keys_that_call_functions_stay_alone_with_what_waits_for_them():
    keys = [entry(101, "INDEX", 1), entry(102, "CONSTRAINT", 1, 101)]
    assert Plan([table(1)], keys, functions={(CLASS_RELATION, 101): ("f()",)}).left == [101, 102]


def test_key_whose_table_was_brought_before_is_in_no_batch():
    assert Plan([table(1)], [entry(107, "INDEX", 7)], others=[table(7)]).left == [107]


def test_batches_are_bounded():
    tables = [table(number) for number in range(1, batching.BATCH_TABLES + 3)]
    assert [len(unit.tables) for unit in Plan(tables).batches.units] == [batching.BATCH_TABLES, 2]
    full = [table(number, batching.BATCH_BYTES // 2) for number in range(1, 4)]
    assert [len(unit.tables) for unit in Plan(full).batches.units] == [2, 1]


def test_large_tables_and_trees_are_not_small():
    assert batching.is_small(table(1, plan.SMALL_TABLE_BYTES))
    assert not batching.is_small(table(1, plan.SMALL_TABLE_BYTES + 1))
    assert not batching.is_small(table(1, tree=True, leaves=(2,)))


def test_tables_are_created_and_analyzed_in_their_batch():
    found = Plan([table(1), table(2)])
    found.batches.create(batching.Creation(found.pre_data, {2}))
    relations = [
        Analyzed(1, "app", "t1", 10, True),
        Analyzed(2, "app", "t2", 10, False),
        Analyzed(3, "app", "t3", 10, True),
    ]
    left = found.batches.analyze(relations, {})
    assert [relation.oid for relation in left] == [2, 3], "statistics that read others, and of what is not here"
    order = found.batches.units[0].order()
    assert order.task["creates"] == "SQL 2;"
    assert order.task["analyzes"] == 'ANALYZE "app"."t1"'
    made = "TABLE:app:n2:app_owner:2"
    assert order.names == (made, "table:app.t1:1", "table:app.t2:2", "analyze:app.t1")
    assert order.journal_names == order.names[1:], "the journal has no line for each entry of the schema"


def test_statistics_that_call_functions_stay_alone():
    found = Plan([table(1)])
    relation = Analyzed(1, "app", "t1", 10, True)
    assert found.batches.analyze([relation], {(CLASS_RELATION, 1): ("f()",)}) == [relation]
