# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of large tables in two steps: their index beside other indexes, then the key."""

from __future__ import annotations

from ansible_collections.azpg.migrate.plugins.module_utils._transfer import key_indexes, plan
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.catalogue import Table
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.contents import CLASS_RELATION, Entry
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.effort import CLASS_CONSTRAINT, LEAST
from transfer_texts import archive_of

TABLE = Table(100, "app", "orders", 1000, ("id", "note"), True)
COPY = "table:app.orders:100"
KEY_TEXT = (
    'ALTER TABLE ONLY app.orders\n    ADD CONSTRAINT "odd; key" PRIMARY KEY (id);\n\n'
    'ALTER TABLE app.orders CLUSTER ON "odd; key";\n\nALTER TABLE ONLY app.orders REPLICA IDENTITY USING INDEX "odd; key";'
)
KEY = Entry(11, CLASS_CONSTRAINT, 511, (1,), 'orders "odd; key"', "CONSTRAINT", "app", "app_owner", KEY_TEXT)
INDEX = Entry(
    12, CLASS_RELATION, 512, (1,), "note", "INDEX", "app", "app_owner", "CREATE INDEX note ON app.orders (note);"
)
FOREIGN = Entry(13, CLASS_CONSTRAINT, 513, (1, 11), "orders up", "FK CONSTRAINT", "app", "app_owner", "SQL;")
PRE_DATA = archive_of([Entry(1, CLASS_RELATION, 100, (), "orders", "TABLE", "app", "app_owner", "SQL;")])
FOUND = {
    511: key_indexes.KeyIndex(
        'CREATE UNIQUE INDEX "odd; key" ON app.orders USING btree (id);',
        'ALTER TABLE ONLY app.orders ADD CONSTRAINT "odd; key" PRIMARY KEY USING INDEX "odd; key";',
    )
}


def planned(found: dict, done: dict) -> tuple:
    """Return C((units of keys, unit of the foreign key))."""
    post_data = archive_of([KEY, INDEX, FOREIGN])
    keys, foreign_keys, _rest = plan.split_post_data(post_data)
    copies = plan.Copies([TABLE], PRE_DATA, post_data)
    units = plan.key_units(keys, copies, {100: COPY}, lambda item: item.text, lambda *_words: 5e6)
    (foreign,) = plan.foreign_key_units(foreign_keys, copies, lambda item: item.text, lambda *_words: 1.0)
    return key_indexes.spread(units, keys, found, done), foreign


def test_the_index_is_built_beside_others_and_the_key_takes_it_over():
    (build, take_over, other), foreign = planned(FOUND, {})
    assert build.name == KEY.unit + ":index" and build.part_of == KEY.unit and build.waits_for == {COPY}
    assert (build.weight, take_over.weight) == (5e6, LEAST)
    assert not plan.conflicts(build, [other]) and not plan.conflicts(other, [build])
    assert plan.conflicts(take_over, [other]) and plan.conflicts(other, [take_over])
    assert build.order() == ({"kind": "sql", "text": FOUND[511].build}, (build.name,), (KEY.unit,))
    assert take_over.name == KEY.unit and take_over.waits_for == {COPY, build.name}
    order = take_over.order()
    assert order.names == order.journal_names == (KEY.unit,)
    assert order.task["text"].split("\n") == [
        FOUND[511].take_over,
        'ALTER TABLE app.orders CLUSTER ON "odd; key";',
        'ALTER TABLE ONLY app.orders REPLICA IDENTITY USING INDEX "odd; key";',
    ]
    assert foreign.waits_for == {KEY.unit}, "a foreign key needs the key, its index is not enough"


def test_an_index_that_an_earlier_run_has_built_is_taken_over():
    (take_over, other), _foreign = planned(FOUND, {KEY.unit + ":index": None})
    assert take_over.name == KEY.unit and take_over.waits_for == {COPY}
    assert other.name == INDEX.unit


def test_others_are_left_as_they_are():
    units, _foreign = planned({512: FOUND[511]}, {})
    assert [unit.name for unit in units] == [KEY.unit, INDEX.unit], "a number counts only together with its catalogue"
    assert units[0].order().task["text"].strip() == KEY_TEXT
