# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL in the place of columns: what is refused, which findings it explains, and how it is hashed."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.fingerprint import (
    Column,
    choose_forms,
    row_hash,
    with_expressions,
)
from ansible_collections.azpg.migrate.plugins.module_utils._verify.findings import finding
from ansible_collections.azpg.migrate.plugins.module_utils._verify.overrides import checked, expect, of_database

ONE = {"database": "shop", "table": "app.orders", "column": "amount", "expression": "amount::numeric"}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ([{**ONE, "expression": ""}], "lacks expression"),
        ([{word: text for word, text in ONE.items() if word != "table"}], "lacks table"),
        ([{**ONE, "more": 1}], "has more"),
        ([{**ONE, "database": "other"}], "database other"),
        ([ONE, {**ONE, "expression": "NULL"}], "shop.app.orders.amount twice"),
    ],
)
def test_refused(wrong, word):
    with pytest.raises(InvalidRequest, match=word):
        checked(wrong, ("shop",))


def test_sorted_by_database_and_table():
    other = {**ONE, "column": "rate", "expression": "NULL"}
    found = checked([ONE, other, {**ONE, "database": "billing"}], ("shop", "billing"))
    assert of_database(found, "shop") == {"app.orders": {"amount": "amount::numeric", "rate": "NULL"}}
    assert of_database(found, "none") == {}


def test_only_the_differences_that_are_meant_are_expected():
    def of(attribute, kind="column", name="app.orders.amount"):
        return finding("error", "x", kind, name, "", attribute=attribute)

    meant = [of("type"), of("collation"), of("")]
    others = [of("default"), of("not_null"), of("type", name="app.orders.other"), of("", kind="table")]
    found = expect(meant + others, {"app.orders.amount"})
    assert [item["severity"] for item in found] == ["expected"] * 3 + ["error"] * 4
    assert {item["rule"] for item in found[:3]} == {"column-override"}


def test_the_expression_stands_in_the_place_of_the_column_on_both_ends():
    def column(name, kind):
        return Column(name, "pg_catalog", kind, f'"pg_catalog"."{kind}send"', "send", kind, False, False)

    source = with_expressions([column("id", "int8"), column("amount", "int4")], {"amount": "amount * 2", "new": "NULL"})
    target = with_expressions([column("id", "int8"), column("amount", "int8")], {"amount": "amount * 2", "new": "NULL"})
    forms = choose_forms(source, target)
    assert forms == [("id", "send"), ("amount", "expression"), ("new", "expression")]
    assert row_hash(forms, source) == row_hash(forms, target)
    assert (
        "pg_catalog.textsend((amount * 2)::pg_catalog.text), pg_catalog.textsend((NULL)::pg_catalog.text)"
        in row_hash(forms, source)
    )
