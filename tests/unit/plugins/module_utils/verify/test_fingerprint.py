# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How columns become bytes: the same form on both ends, and SQL that no name can break out of."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.fingerprint import (
    SEED,
    Column,
    ColumnsDiffer,
    choose_forms,
    row_hash,
)


def column(name, type_name="int4", form="send", send='"pg_catalog"."int4send"', schema="pg_catalog", domain=False):
    return Column(name, schema, type_name, send, form, type_name, domain, False)


def test_the_order_is_the_sources_and_the_forms_are_the_same():
    source = [column("a"), column("b", "text"), column("c", "mood", schema="app")]
    target = [column("c", "mood", schema="app"), column("b", "text", form="text", send=None), column("a")]
    assert choose_forms(source, target) == [("a", "send"), ("b", "text"), ("c", "send")]


@pytest.mark.parametrize(
    ("source", "target", "details"),
    [
        (["a", "b"], ["a"], {"missing": ["b"], "unexpected": [], "changed": []}),
        (["a"], ["a", "b"], {"missing": [], "unexpected": ["b"], "changed": []}),
    ],
)
def test_columns_of_one_end_only(source, target, details):
    with pytest.raises(ColumnsDiffer) as caught:
        choose_forms([column(name) for name in source], [column(name) for name in target])
    assert caught.value.details == details


def test_another_type():
    with pytest.raises(ColumnsDiffer) as caught:
        choose_forms([column("a", "int4")], [column("a", "int8")])
    assert caught.value.details["changed"] == ["a"]


def test_the_expression_of_every_form():
    columns = [
        column("a"),
        column('b"', "_int4", "array_send", '"pg_catalog"."array_send"'),
        column("c", "pair", "record_send", '"pg_catalog"."record_send"', "app"),
        column("d", "regclass", "text"),
        column("e", "mood", "send", '"pg_catalog"."enum_send"', "app", domain=True),
    ]
    forms = choose_forms(columns, columns)
    assert row_hash(forms, columns) == (
        "pg_catalog.hashint8extended(pg_catalog.hash_array_extended(ARRAY["
        '"pg_catalog"."int4send"(t."a"), pg_catalog.array_send(t."b"""), pg_catalog.record_send(t."c"), '
        'pg_catalog.textsend(t."d"::pg_catalog.text), "pg_catalog"."enum_send"(t."e"::"app"."mood")'
        f"], {SEED}), 1)"
    )


def test_prehash_wraps_every_column():
    columns = [column("a"), column("b")]
    expression = row_hash(choose_forms(columns, columns), columns, prehash=True)
    assert expression.count("pg_catalog.int8send(pg_catalog.hash_array_extended(ARRAY[") == 2


def test_a_table_without_columns_has_no_expression():
    assert choose_forms([], []) == [] and row_hash([], []) is None


def test_the_order_of_the_other_ends_columns_does_not_matter():
    one, two = column("a"), column("b", "text", send='"pg_catalog"."textsend"')
    forms = choose_forms([one, two], [two, one])
    assert row_hash(forms, [one, two]) == row_hash(forms, [two, one])
