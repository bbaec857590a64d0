# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may except from a comparison, and how the report says so."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._verify.evidence import collect
from ansible_collections.azpg.migrate.plugins.module_utils._verify.gate import evaluate
from ansible_collections.azpg.migrate.plugins.module_utils._verify.page import render
from support.pair import findings, said

OFF = "SET session_replication_role = replica; "


def one(report: dict, name: str) -> dict:
    (found,) = [table for table in report["databases"][0]["tables"] if table["name"] == name]
    return found


def gate(pair, report, **options) -> list:
    circumstances = {"migration_state": "completed", "other_users": [], "runtime_is_endpoint": None}
    evidence = collect(pair.request(("shop",)), report, **circumstances)
    return [item["code"] for item in evaluate(report, evidence, now=datetime.now(timezone.utc), **options)]


# -- SQL in the place of columns ----------------------------------------------------------------------------------

AS_BIGINT = [{"database": "shop", "table": "public.no_key", "column": "a", "expression": "a::pg_catalog.int8"}]


@pytest.mark.parametrize("method", ["server", "client"])
def test_a_column_of_another_type_is_compared_by_an_expression(pair, fault, method):
    fault("ALTER TABLE public.no_key ALTER COLUMN a TYPE bigint")
    assert pair.verify(method=method)["verdict"] == "MISMATCH"
    report = pair.verify(method=method, compare_as=AS_BIGINT)
    assert report["verdict"] == "MATCH_WITH_OVERRIDES", said(report)
    assert one(report, "public.no_key")["overrides"] == {"a": "a::pg_catalog.int8"}
    assert report["overrides"] == AS_BIGINT and "of 1 column an expression" in report["reason"]
    expected = {item["rule"]: item["objects"] for item in report["databases"][0]["schema"]["expected"]}
    assert expected["column-override"] == ["column public.no_key.a"]
    assert "a::pg_catalog.int8 was compared in its place" in render(report)
    assert gate(pair, report) == ["overrides-not-accepted"]
    assert gate(pair, report, accept_overrides=True) == []
    # The recheck of the gate reads with the same expressions.
    pair.run("source", "UPDATE public.no_key SET b = b WHERE ctid = (SELECT min(ctid) FROM public.no_key)")
    assert gate(pair, report, accept_overrides=True) == []
    again = pair.verify(method=method, compare_as=AS_BIGINT, mode="recheck", base=report)
    assert again["verdict"] == "MATCH_WITH_OVERRIDES" and 0 < again["totals"]["carried"] < again["totals"]["tables"]
    # With another expression nothing of that table is taken over.
    other = [{**AS_BIGINT[0], "expression": "a + 0::pg_catalog.int8"}]
    again = pair.verify(method=method, compare_as=other, mode="recheck", base=again)
    assert not one(again, "public.no_key")["carried"] and one(again, "public.settings")["carried"]


def test_what_the_expression_shows_is_still_compared(pair, fault):
    fault("ALTER TABLE public.no_key ALTER COLUMN a TYPE bigint; UPDATE public.no_key SET a = a + 1 WHERE a = 4")
    report = pair.verify(compare_as=AS_BIGINT, reveal_values=True)
    assert report["verdict"] == "MISMATCH"
    diff = one(report, "public.no_key")["diff"]
    assert diff["error"] == "" and set(diff["columns"]) == {"a"}
    assert diff["differences"][0]["values"] == {"a": ["4", "5"]}


def test_a_column_that_one_end_lacks_can_be_left_out(pair, fault):
    fault("ALTER TABLE app.categories ADD COLUMN more integer DEFAULT 7")
    assert pair.verify()["verdict"] == "MISMATCH"
    left_out = [{"database": "shop", "table": "app.categories", "column": "more", "expression": "NULL"}]
    report = pair.verify(compare_as=left_out)
    assert report["verdict"] == "MATCH_WITH_OVERRIDES", said(report)
    assert pair.verify(compare_as=left_out, mode="schema")["verdict"] == "MATCH"
    # All other columns count as before.
    pair.run(
        "target", OFF + "UPDATE app.categories SET name = name || '!' WHERE id = (SELECT min(id) FROM app.categories)"
    )
    assert pair.verify(compare_as=left_out)["verdict"] == "MISMATCH"


def test_a_partitioned_table_takes_its_partitions_along(pair, fault):
    fault(OFF + "UPDATE app.order_lines SET quantity = quantity + 1")
    of = {"database": "shop", "table": "app.order_lines", "expression": "0"}
    report = pair.verify(compare_as=[{**of, "column": "quantity"}, {**of, "column": "line_total"}])
    assert report["verdict"] == "MATCH_WITH_OVERRIDES", said(report)
    leaves = [table for table in report["databases"][0]["tables"] if table["partition_of"] == "app.order_lines"]
    assert leaves and all(table["overrides"] == {"quantity": "0", "line_total": "0"} for table in leaves)


@pytest.mark.parametrize(
    ("item", "word"),
    [
        ({"table": "public.no_such"}, "which neither server has"),
        ({"column": "no_such"}, "which neither server has"),
        ({"expression": "no_such_function(a)"}, "no_such_function"),
    ],
)
def test_what_cannot_be_is_said(pair, item, word):
    report = pair.verify(compare_as=[{**AS_BIGINT[0], **item}])
    assert report["verdict"] in ("ERROR", "INCOMPLETE") and word in said(report), said(report)


# -- schemas, owners, patterns ------------------------------------------------------------------------------------


def test_schemas_can_be_left_out_and_are_named(pair, fault):
    fault("DROP TABLE crm.secrets CASCADE; DROP SEQUENCE IF EXISTS crm.extra; CREATE SEQUENCE crm.extra")
    assert pair.verify()["verdict"] == "MISMATCH"
    report = pair.verify(exclude_schemas=("crm",))
    assert report["verdict"] == "MATCH", said(report)
    assert {"what": "schema crm", "why": "left out as asked (exclude_schemas)"} in report["excluded"]
    assert gate(pair, report) == []
    # Nor does the gate look at them.
    pair.run("source", "CREATE TABLE crm.late AS SELECT 1 AS id; CREATE SEQUENCE crm.late_too")
    try:
        assert gate(pair, report) == []
    finally:
        pair.run("source", "DROP TABLE crm.late; DROP SEQUENCE crm.late_too")


def test_what_other_tools_keep_is_no_difference(pair):
    pair.run("source", "CREATE SCHEMA pgcopydb; CREATE TABLE pgcopydb.sentinel AS SELECT 1 AS id")
    try:
        report = pair.verify()
        assert report["verdict"] == "MATCH" and findings(report, "warnings") == [], said(report)
        assert any(item["what"] == "schema pgcopydb" for item in report["excluded"])
    finally:
        pair.run("source", "DROP SCHEMA pgcopydb CASCADE")


def test_owners_can_be_mapped_without_their_grants(pair, fault):
    fault("ALTER TABLE public.empty_table OWNER TO app_write")
    assert [item["rule"] for item in findings(pair.verify(), "warnings")] == ["owner"] * 2
    everything_else = [item["rule"] for item in findings(pair.verify(owner_map={"app_owner": "app_write"}), "warnings")]
    assert everything_else.count("owner") > 20
    report = pair.verify(owner_map={"nobody": "app_write"})
    assert report["owner_map"] == {"nobody": "app_write"} and len(findings(report, "warnings")) == 2


def test_ignored_differences_are_counted_and_printed_with_their_reason(pair, fault):
    fault("COMMENT ON TABLE app.customers IS NULL; CREATE SCHEMA surplus")
    ignore = [
        {"kind": "comment", "object": "table app.customers*", "reason": "rewritten later"},
        {"rule": "no-such-rule", "object": None},
    ]
    report = pair.verify(ignore=ignore)
    assert report["verdict"] == "MATCH" and [item["object"] for item in findings(report, "warnings")] == ["surplus"]
    assert [pattern["n"] for pattern in report["ignore"]] == [1, 0]
    page = render(report)
    assert "1 differences of definitions that were to be ignored: kind comment" in page and "rewritten later" in page


# -- what the report says of itself -------------------------------------------------------------------------------


def test_the_report_says_who_made_it_how_and_what_there_was(pair):
    report = pair.verify(("shop", "billing"))
    assert report["canaries"] == {"source": "ok", "target": "ok"}
    assert report["tool"]["name"] == "azpg.migrate" and report["tool"]["version"] and report["tool"]["host"]
    for entry in report["databases"]:
        counted = entry["inventory"]
        assert (
            counted["union"] == len(entry["tables"]) + len(entry["skipped"]) == counted["source"] == counted["target"]
        )
    empty = [table["name"] for table in report["databases"][0]["tables"] if table["rows"] == ["0", "0"]]
    assert "public.empty_table" in empty and report["totals"]["empty"] >= len(empty)
    page = render(report)
    assert (
        "Tables without rows on both ends" in page and "How to check again" in page and report["tool"]["host"] in page
    )


GENERATED = """
SET ROLE app_owner;
CREATE FUNCTION public.price(amount integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT amount * {factor}';
CREATE TABLE public.computed (id integer PRIMARY KEY, amount integer, price integer GENERATED ALWAYS AS (public.price(amount)) STORED);
INSERT INTO public.computed (id, amount) SELECT g, g FROM generate_series(1, 20) g;
"""


def test_columns_that_are_computed_on_load_are_told_from_those_that_hold_data(pair, fault):
    pair.run("source", GENERATED.format(factor=2))
    try:
        fault(GENERATED.format(factor=3))
        report = pair.verify()
        table = one(report, "public.computed")
        assert table["verdict"] == "MISMATCH" and table["generated"] == ["price"]
        assert table["diff"]["columns"] == {"price": 20} and table["diff"]["generated"] == ["price"]
        assert "price</code> × 20 (generated)" in render(report) and "Only generated columns differ" in render(report)
    finally:
        pair.run("source", "DROP TABLE public.computed; DROP FUNCTION public.price(integer)")
