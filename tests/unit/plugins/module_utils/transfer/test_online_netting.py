# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What many changes of a row come to."""

from __future__ import annotations

import random

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import pgoutput
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.batch import Batch
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.netting import Unordered, add, changes_of
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.pgoutput import BINARY_VALUE
from online_streams import UNCHANGED, delete, insert, relation, sized, table, update


def taken(*messages: bytes, of=None):
    changes = changes_of(of or table(), BINARY_VALUE)
    for data in messages:
        add(changes, data)
    return changes


def images(rows: list) -> list:
    """Return rows, messages or lists, as lists of images."""
    return [pgoutput.values(row, pgoutput.ROW, BINARY_VALUE)[0] if isinstance(row, bytes) else row for row in rows]


def updated(changes) -> dict:
    return {places: images(rows) for places, rows in changes.updates().items()}


def gathered(*messages: bytes, of=None) -> Batch:
    """Return a batch with these changes of one table."""
    batch = Batch(BINARY_VALUE)
    for data in messages:
        batch.log.append(data)
        (batch.append.get(data[:6]) or batch.lane(data[:6], of or table()))(data)
    return batch


def values(*contents) -> list:
    return [
        None if content is UNCHANGED else sized(content) if content is not None else b"\xff\xff\xff\xff"
        for content in contents
    ]


def net(changes) -> tuple:
    """Return C((deleted keys, {places: updated rows}, {places: moved rows}, inserted rows))."""
    return list(changes.gone), updated(changes), changes.moves(), images(changes.inserts())


ALL = (0, 1, 2)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([insert(1, "a", "b")], ([], {}, {}, [values(1, "a", "b")])),
        ([insert(1, "a", "b"), update(1, "c", None)], ([], {}, {}, [values(1, "c", None)])),
        ([insert(1, "a", "b"), delete(1, None, None)], ([], {}, {}, [])),
        ([update(1, "a", "b")], ([], {ALL: [values(1, "a", "b")]}, {}, [])),
        ([update(1, "a", "b"), update(1, "c", "d")], ([], {ALL: [values(1, "c", "d")]}, {}, [])),
        ([update(1, "a", "b"), delete(1, None, None)], ([sized(1)], {}, {}, [])),
        ([delete(1, None, None), insert(1, "a", "b")], ([], {ALL: [values(1, "a", "b")]}, {}, [])),
        ([delete(1, None, None), insert(1, "a", "b"), delete(1, None, None)], ([sized(1)], {}, {}, [])),
        # Values that are told once stay known, those that are not are left alone.
        ([update(1, UNCHANGED, "b")], ([], {(0, 2): [values(1, UNCHANGED, "b")]}, {}, [])),
        ([update(1, "a", "b"), update(1, UNCHANGED, "u")], ([], {ALL: [values(1, "a", "u")]}, {}, [])),
        ([update(1, UNCHANGED, "x"), update(1, "a", UNCHANGED)], ([], {ALL: [values(1, "a", "x")]}, {}, [])),
        ([insert(1, "a", "b"), update(1, UNCHANGED, "u")], ([], {}, {}, [values(1, "a", "u")])),
        # Keys that change.
        ([update(2, "a", "b", key=[1, None, None])], ([], {}, {ALL: [(sized(1), values(2, "a", "b"))]}, [])),
        ([insert(1, "a", "b"), update(2, "a", "b", key=[1, None, None])], ([], {}, {}, [values(2, "a", "b")])),
        (
            [update(2, "a", "b", key=[1, None, None]), update(3, "c", UNCHANGED, key=[2, None, None])],
            ([], {}, {ALL: [(sized(1), values(3, "c", "b"))]}, []),
        ),
        (
            [update(2, "a", "b", key=[1, None, None]), update(1, "c", "d", key=[2, None, None])],
            ([], {ALL: [values(1, "c", "d")]}, {}, []),
        ),
        ([update(2, "a", "b", key=[1, None, None]), delete(2, None, None)], ([sized(1)], {}, {}, [])),
        (
            [delete(2, None, None), update(2, "a", "b", key=[1, None, None]), insert(1, "n", "n")],
            ([sized(2)], {}, {ALL: [(sized(1), values(2, "a", "b"))]}, [values(1, "n", "n")]),
        ),
    ],
)
def test_net_changes(messages, expected):
    assert net(taken(*messages)) == expected
    (changes,) = gathered(*messages).net()
    assert net(changes) == expected


def test_whole_old_rows_tell_what_has_not_changed():
    of = table(relation(identity="f", key="id a b"))
    changes = taken(update(1, UNCHANGED, "x", old=[1, "a", "b"]), of=of)
    assert updated(changes) == {ALL: [values(1, "a", "x")]}


def test_a_key_that_is_out_of_line_is_told_with_the_old_row():
    changes = taken(update(UNCHANGED, "a", "b", key=[1, None, None]))
    assert updated(changes) == {ALL: [values(1, "a", "b")]}


@pytest.mark.parametrize(
    "messages",
    [
        [insert(1, "a", "b"), insert(1, "c", "d")],
        [delete(1, None, None), delete(1, None, None)],
        [delete(1, None, None), update(1, "a", "b")],
        [update(2, "a", "b"), update(2, "c", "d", key=[1, None, None])],
    ],
)
def test_what_cannot_be_is_left_to_the_replay(messages):
    with pytest.raises(Unordered):
        taken(*messages)
    with pytest.raises(Unordered):
        gathered(*messages).net()


def test_identity_columns_keep_a_row_from_being_changed_in_place():
    of = table(a={"identity": "a"})
    assert net(taken(delete(1, None, None), insert(1, 5, "b"), of=of)) == ([sized(1)], {}, {}, [values(1, 5, "b")])


@pytest.mark.parametrize(
    ("names", "key", "expected"),
    [("a id", "id", sized(1)), ("id a b", "id a", sized(1) + sized("a")), ("b a id", "b id", sized("b") + sized(1))],
)
def test_keys_may_lie_anywhere(names, key, expected):
    one = relation(names, key)
    contents = {"id": 1, "a": "a", "b": "b"}
    changes = taken(insert(*(contents[name] for name in names.split())), of=table(one))
    assert list(changes.live) == [expected]


def test_rows_without_a_key_are_counted():
    of = table(relation(names="a b", key="", identity="f"))
    assert of.bag
    changes = taken(
        insert("x", "y"), insert("x", "y"), delete("x", "y", whole=True), delete("p", "q", whole=True), delete("p", "q", whole=True),
        update("p", "n", old=["p", "q"]), update(UNCHANGED, "m", old=["long", "l"]), of=of,
    )  # fmt: skip
    assert sorted(images(changes.inserts())) == sorted([values("x", "y"), values("p", "n"), values("long", "m")])
    assert sorted(changes.deletes()) == sorted([(values("p", "q"), 3), (values("long", "l"), 1)])


def applied(rows: dict, changes) -> dict:
    """Return what a table C({key: row}) becomes by net changes, in the order in which they are written."""
    found = dict(rows)
    for key in changes.gone:
        del found[key]
    for places, moved in changes.moves().items():
        taken_away = [(found.pop(origin), row) for origin, row in moved]
        for old, row in taken_away:
            new = [row[place] if place in places else old[place] for place in range(3)]
            assert new[0] not in found
            found[new[0]] = new
    for places, told in updated(changes).items():
        for row in told:
            old = found[row[0]]
            found[row[0]] = [row[place] if place in places else old[place] for place in range(3)]
    for row in images(changes.inserts()):
        assert row[0] not in found
        found[row[0]] = row
    return found


def test_any_history_comes_to_what_it_comes_to():
    for seed in range(400):
        dice = random.Random(seed)
        start = {sized(key): values(key, f"a{key}", f"b{key}") for key in range(6)}
        rows = {key: [key, f"a{key}", f"b{key}"] for key in range(6)}
        messages = []
        for step in range(dice.randint(1, 14)):
            kind, key = dice.choice("IUUUDK"), dice.randint(0, 8)
            if kind == "I" and key not in rows:
                rows[key] = [key, f"i{step}", "b"]
                messages.append(insert(*rows[key]))
            elif kind == "U" and key in rows:
                told = [key, dice.choice([UNCHANGED, f"u{step}"]), dice.choice([UNCHANGED, f"v{step}"])]
                rows[key] = [old if new is UNCHANGED else new for old, new in zip(rows[key], told)]
                messages.append(update(*told))
            elif kind == "D" and key in rows:
                del rows[key]
                messages.append(delete(key, None, None))
            elif kind == "K" and key in rows:
                new = dice.randint(0, 8)
                if new not in rows:
                    told = [new, dice.choice([UNCHANGED, f"k{step}"]), "b"]
                    old = rows.pop(key)
                    rows[new] = [before if after is UNCHANGED else after for before, after in zip(old, told)]
                    messages.append(update(*told, key=[key, None, None]))
        expected = {sized(key): values(*row) for key, row in rows.items()}
        assert applied(start, taken(*messages)) == expected, f"seed {seed}"
        if messages:
            assert applied(start, gathered(*messages).net()[0]) == expected, f"seed {seed}, by lanes"


def test_only_rows_with_several_kinds_of_change_are_looked_at_one_by_one():
    batch = gathered(
        *(update(key, "a", "b") for key in range(5)), *(insert(key, "i", "j") for key in range(10, 14)), delete(3, None, None),
        *(delete(key, None, None) for key in (20, 21)), update(11, "u", "v"), update(4, "c", "d"),
    )  # fmt: skip
    (changes,) = batch.net()
    assert sorted(changes.gone) == sorted([sized(3), sized(20), sized(21)])
    assert sorted(updated(changes)[ALL]) == sorted([values(key, "a", "b") for key in range(3)] + [values(4, "c", "d")])
    assert sorted(images(changes.inserts())) == sorted(
        [values(key, "i", "j") for key in (10, 12, 13)] + [values(11, "u", "v")]
    )


def test_inserts_into_a_table_without_a_key_are_not_counted():
    of = table(relation(names="a b", key="", identity="f"))
    messages = [insert("x", "y"), insert("x", "y"), insert("p", "q")]
    (changes,) = gathered(*messages, of=of).net()
    assert (changes.inserts(), changes.deletes()) == (messages, [])
    (changes,) = gathered(*messages, delete("x", "y", whole=True), of=of).net()
    assert sorted(images(changes.inserts())) == sorted([values("x", "y"), values("p", "q")])


@pytest.mark.parametrize("oids", [(23, 25, 25), (20, 23, 25), (23, 20, 16)])
def test_keys_of_fixed_size_are_cut_out(oids):
    sizes = {23: 4, 20: 8, 16: 1}
    contents = ["x" * sizes.get(oid, 3) for oid in oids]
    for number in (1, 2, 3):
        names = ["id", "a", "b"]
        one = relation(key=" ".join(names[:number]))
        one = one._replace(columns=tuple(c._replace(type_oid=oid) for c, oid in zip(one.columns, oids)))
        of = table(one, **{name: {"type_oid": oid} for name, oid in zip(names, oids)})
        assert list(taken(insert(*contents), of=of).live) == [b"".join(map(sized, contents[:number]))]
