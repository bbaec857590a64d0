# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification between two real servers: an untouched copy matches, and every single fault is found and named."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime, timezone
from pathlib import Path

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.connection import connect, quiet_settings, value
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.fingerprint import (
    RowTooLarge,
    check_canaries,
    choose_forms,
    read_columns,
    row_hash,
    table_fingerprint,
)
from ansible_collections.azpg.migrate.plugins.module_utils._verify.evidence import collect
from ansible_collections.azpg.migrate.plugins.module_utils._verify.gate import evaluate
from ansible_collections.azpg.migrate.plugins.module_utils._verify.large_objects import read_large_objects
from ansible_collections.azpg.migrate.plugins.module_utils._verify.report import read_report, write_report
from support.pair import PASSWORD, findings, said

# -- nothing is wrong ---------------------------------------------------------------------------------------------


def test_an_untouched_copy_matches(pair, tmp_path):
    report = pair.verify(("shop", "billing"))
    assert report["verdict"] == "MATCH", said(report)
    assert findings(report) == [] and findings(report, "not_comparable") == []
    assert findings(report, "warnings") == [], said(report)
    assert report["totals"]["tables"] == report["totals"]["match"] > 50
    kinds = {kind for entry in report["databases"] for kind, both in entry["schema"]["objects"].items() if both[0]}
    assert {"table", "view", "function", "trigger", "policy", "comment", "type", "large object", "cast"} <= kinds
    path = write_report(report, str(tmp_path / "reports"))
    assert read_report(path) == report
    page = (tmp_path / "reports" / "verification.html").read_text(encoding="utf-8")
    assert report["sha256"] in page and "<script" not in page and "http" not in page.replace("http-equiv", "")
    # Who takes the source away takes these with it.
    assert "database postgres: on the source, and no part of this migration" in page
    assert (
        "database billing" not in page
        and PASSWORD not in page
        and PASSWORD not in Path(path).read_text(encoding="utf-8")
    )


def test_the_verification_leaves_no_trace_in_the_source(pair):
    before = pair.run("source", "SELECT txid_snapshot_xmax(txid_current_snapshot())")
    pair.verify(("shop", "billing"))
    assert pair.run("source", "SELECT txid_snapshot_xmax(txid_current_snapshot())") == before


def test_counts_and_schema_modes(pair):
    counts = pair.verify(mode="counts")
    assert counts["verdict"] == "MATCH" and counts["databases"][0]["schema"]["errors"] == []
    assert {table["sum"][0] for table in counts["databases"][0]["tables"]} == {"0"}
    schema = pair.verify(mode="schema")
    assert schema["verdict"] == "MATCH", said(schema)
    assert schema["databases"][0]["tables"] == []


def test_the_whole_data_set_agrees_when_it_is_read_here(pair):
    report = pair.verify(("shop", "billing"), method="client")
    assert report["verdict"] == "MATCH", said(report)
    assert report["totals"]["in_client"] == report["totals"]["match"] == report["totals"]["tables"]
    assert {entry["large_objects"]["method"] for entry in report["databases"]} == {"client"}
    assert gate(pair, report)[1] == []


def test_the_whole_data_set_agrees_in_a_sample_and_a_recheck(pair):
    report = pair.verify(("shop", "billing"), mode="sample", accept_sample=True)
    assert report["verdict"] == "MATCH", said(report)
    evidence = collect(
        pair.request(("shop", "billing")), report, migration_state="completed", other_users=[], runtime_is_endpoint=None
    )
    now = datetime.now(timezone.utc)
    assert [item["code"] for item in evaluate(report, evidence, now=now)] == ["mode-not-full"]
    assert evaluate(report, evidence, now=now, accept_sample=True) == []
    unaccepted = pair.verify(("shop", "billing"), mode="sample")
    assert [item["code"] for item in evaluate(unaccepted, evidence, now=now, accept_sample=True)] == ["mode-not-full"]

    base = pair.verify(("shop", "billing"))
    again = pair.verify(("shop", "billing"), mode="recheck", base=base)
    assert again["verdict"] == "MATCH", said(again)
    assert again["totals"]["carried"] == again["totals"]["tables"] == base["totals"]["tables"]
    assert gate(pair, again)[1] == []


OFF = "SET session_replication_role = replica; "


# -- what cannot be compared --------------------------------------------------------------------------------------


@contextlib.contextmanager
def temporarily(pair, side, do, undo):
    pair.run(side, do)
    try:
        yield
    finally:
        pair.run(side, undo)


@pytest.mark.parametrize("side", ["source", "target"])
def test_an_unreadable_table_is_incomplete(pair, side):
    with temporarily(
        pair,
        side,
        "CREATE ROLE nobody_else; ALTER TABLE public.no_key OWNER TO nobody_else",
        "ALTER TABLE public.no_key OWNER TO app_owner; DROP ROLE nobody_else",
    ):
        report = pair.verify()
        assert report["verdict"] == "INCOMPLETE", said(report)
        bad = [table for table in report["databases"][0]["tables"] if table["verdict"] == "INCOMPLETE"]
        assert [table["name"] for table in bad] == ["public.no_key"]
        assert f"On the {side}: GRANT SELECT ON public.no_key" in bad[0]["remedy"]


@pytest.mark.parametrize("side", ["source", "target"])
def test_rows_hidden_by_row_security_are_incomplete(pair, side):
    with temporarily(pair, side, "ALTER ROLE mig NOBYPASSRLS", "ALTER ROLE mig BYPASSRLS"):
        report = pair.verify()
        assert report["verdict"] == "INCOMPLETE", said(report)
        bad = [table for table in report["databases"][0]["tables"] if table["verdict"] == "INCOMPLETE"]
        assert "crm.secrets" in [table["name"] for table in bad]
        assert all("BYPASSRLS" in table["remedy"] for table in bad)
        # What stands in the way, and what helps, is where everybody reads it.
        assert (
            f"shop: {bad[0]['name']}: The {side} could not be read" in report["reason"]
            and "BYPASSRLS" in report["reason"]
        )


def test_a_database_without_tables_is_incomplete(pair):
    for side in pair.clusters:
        pair.run(side, "CREATE DATABASE bare TEMPLATE template0", "postgres")
    report = pair.verify(("bare",))
    assert report["verdict"] == "INCOMPLETE" and report["reason"] == "No table was compared."


def test_a_database_that_cannot_be_reached_is_an_error(pair):
    pair.run("source", "CREATE DATABASE lonely TEMPLATE template0", "postgres")
    report = pair.verify(("shop", "lonely"))
    assert report["verdict"] == "ERROR"
    assert report["databases"][1]["error"]["code"] == "connection-failed"


def test_ignored_differences_are_counted(pair, fault):
    fault("CREATE TABLE app.more (id integer)")
    report = pair.verify(ignore=[{"kind": "table", "object": "app.more"}, {"kind": "column", "object": "app.more.*"}])
    assert report["totals"]["ignored"] >= 1 and findings(report) == []
    # The rows of a table that only one end has stay a difference: nobody has compared them.
    assert report["verdict"] == "MISMATCH"


# -- fingerprints -------------------------------------------------------------------------------------------------


def test_rows_beyond_the_limit_are_read_in_the_same_way_on_both_ends(pair):
    """The limit of 1 GB is not reached here; that the two forms agree across servers is what counts."""
    results = {}
    for side in pair.clusters:
        words = pair.request().source if side == "source" else pair.request().target
        connection = connect(words, side, "shop", settings=quiet_settings())
        assert check_canaries(connection)
        columns = read_columns(connection, "app", "customers")
        forms = choose_forms(columns, columns)
        results[side] = [
            table_fingerprint(connection, "app", "customers", row_hash(forms, columns, prehash))
            for prehash in (False, True)
        ]
        connection.close()
    assert results["source"] == results["target"]
    assert results["source"][0][1] != results["source"][1][1]


def test_a_row_too_large_is_told_apart_and_leaves_the_transaction_usable(pair):
    connection = connect(pair.request().source, "source", "shop", settings=quiet_settings(), autocommit=False)
    huge = "pg_catalog.length(pg_catalog.repeat('x', 600000000) || pg_catalog.repeat('x', 600000000))"
    with pytest.raises(RowTooLarge):
        table_fingerprint(connection, "public", "no_key", huge)
    assert value(connection, "SELECT 1") == 1
    connection.close()


def test_large_objects_in_pieces_agree_across_servers(pair):
    request = pair.request()
    results = []
    for side, endpoint in (("source", request.source), ("target", request.target)):
        connection = connect(endpoint, side, "shop", settings=quiet_settings(), autocommit=False)
        results.append([read_large_objects(connection, in_pieces=pieces) for pieces in (False, True)])
        connection.close()
    assert results[0] == results[1]
    assert "error" not in results[0][1] and results[0][0]["sum"] != results[0][1]["sum"] != "0"


# -- the gate -----------------------------------------------------------------------------------------------------


def gate(pair, report, databases=("shop", "billing")) -> tuple:
    evidence = collect(
        pair.request(databases), report, migration_state="completed", other_users=[], runtime_is_endpoint=None
    )
    return evidence, [item["code"] for item in evaluate(report, evidence, now=datetime.now(timezone.utc))]


def test_the_gate_opens_for_a_still_source(pair):
    report = pair.verify(("shop", "billing"))
    evidence, codes = gate(pair, report)
    assert codes == [] and evidence["static"]["holds"] and evidence["recheck"] is None


def test_the_gate_is_shut_where_nobody_knows_who_else_uses_the_runtime_server(pair):
    request, report = pair.request(("shop",)), pair.verify(("shop",))
    known = {"migration_state": "completed", "runtime_is_endpoint": None}
    evidence = collect(request, report, other_users=None, unseen=["the servers of subscription x"], **known)
    (refusal,) = evaluate(report, evidence, now=datetime.now(timezone.utc))
    assert refusal["code"] == "runtime-in-use" and "the servers of subscription x may not be read" in refusal["msg"]


def test_the_gate_stays_open_with_a_busy_third_database_and_vacuum(pair):
    pair.run("source", "CREATE DATABASE third TEMPLATE template0", "postgres")
    report = pair.verify(("shop", "billing"))
    pair.run("source", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS id", "third")
    pair.run("source", "ANALYZE; VACUUM", "shop")
    time.sleep(0.5)
    evidence, codes = gate(pair, report)
    assert codes == [], evidence["recheck"]
    assert not evidence["static"]["holds"]
    assert evidence["recheck"]["outcome"] == "passed"


def test_the_gate_closes_when_a_row_changes_and_names_the_table(pair):
    report = pair.verify(("shop", "billing"))
    pair.run(
        "source", OFF + "UPDATE app.categories SET name = name || '!' WHERE id = (SELECT min(id) FROM app.categories)"
    )
    try:
        evidence, codes = gate(pair, report)
        assert codes == ["source-moved"]
        assert [item["object"] for item in evidence["recheck"]["differences"]] == ["app.categories"]
    finally:
        pair.run("source", OFF + "UPDATE app.categories SET name = rtrim(name, '!') WHERE name LIKE '%!'")
    evidence, codes = gate(pair, report)
    assert codes == [], evidence["recheck"]


def test_the_gate_closes_for_truncate_new_tables_and_columns_and_large_objects(pair):
    report = pair.verify(("shop",))
    pair.run("source", "SET ROLE app_owner; CREATE TABLE app.late AS SELECT 1 AS id")
    pair.run("source", "SET ROLE app_owner; CREATE TABLE app.kept AS TABLE public.settings; TRUNCATE public.settings")
    # No counter moves, and no file is written anew.
    pair.run("source", "ALTER TABLE public.no_key ADD COLUMN late text DEFAULT 'x'")
    oid = pair.run("source", "SET ROLE app_owner; SELECT lo_from_bytea(0, 'late')").strip()
    try:
        evidence, codes = gate(pair, report, ("shop",))
        assert codes == ["source-moved"]
        found = {item["object"] for item in evidence["recheck"]["differences"]}
        assert found == {"app.late", "app.kept", "public.settings", "public.no_key", "large objects"}
    finally:
        pair.run(
            "source",
            OFF
            + f"ALTER TABLE public.no_key DROP COLUMN late; DROP TABLE app.late; INSERT INTO public.settings TABLE app.kept; DROP TABLE app.kept; "
            f"SELECT lo_unlink({oid})",
        )


def test_the_gate_sees_sequences_that_went_on(pair):
    report = pair.verify(("shop",))
    pair.run("source", "SELECT nextval('app.never_called'), nextval('app.never_called')")
    try:
        assert "sequences-behind" in gate(pair, report, ("shop",))[1]
    finally:
        pair.run("source", "SELECT setval('app.never_called', 42, false)")


def test_the_gate_reads_everything_while_a_session_could_hide_its_writes(pair):
    report = pair.verify(("shop",))
    connection = connect(pair.request().source, "source", "shop", autocommit=True)
    try:
        value(connection, "SELECT txid_current()")
        evidence, codes = gate(pair, report, ("shop",))
        assert codes == [] and evidence["recheck"]["read"] > 30
    finally:
        connection.close()


def test_the_gate_refuses_without_the_servers(pair):
    report = pair.verify(("shop",))
    request = pair.request(("shop",))
    words = {**request.source.as_dict(secrets=True), "port": 1}
    dead = Request.create("pair", words, request.target.as_dict(secrets=True), ["shop"])
    evidence = collect(dead, report, migration_state="completed", other_users=[], runtime_is_endpoint=None)
    codes = [item["code"] for item in evaluate(report, evidence, now=datetime.now(timezone.utc))]
    assert "source-unreadable" in codes and "foreign-request" in codes


# -- the surroundings ---------------------------------------------------------------------------------------------


def test_a_pooler_that_takes_settings_away_between_transactions_does_not_matter(pair, monkeypatch):
    """Every transaction brings its own settings: a pooler gives each to another session of the server."""
    ugly = {"DateStyle": "German", "extra_float_digits": "-5", "search_path": "app, public", "bytea_output": "escape"}
    opened = []

    def pooled(*arguments, **options):
        connection = connect(*arguments, **options)
        with connection.cursor() as cursor:
            cursor.execute("RESET ALL")
            for name, text in ugly.items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, text))
        if not connection.autocommit:
            connection.commit()
        opened.append(connection)
        return connection

    for module in ("session", "database"):
        monkeypatch.setattr(f"ansible_collections.azpg.migrate.plugins.module_utils._verify.{module}.connect", pooled)
    report = pair.verify(jobs=3)
    assert report["verdict"] == "MATCH" and len(opened) == 7, said(report)
    assert findings(report, "warnings") == [], said(report)


def test_a_lock_that_is_held_makes_the_table_incomplete_and_nobody_waits_for_ever(pair, monkeypatch):
    monkeypatch.setattr("ansible_collections.azpg.migrate.plugins.module_utils._verify.session.LOCK_TIMEOUT", "200ms")
    words = pair.clusters["target"].connection(dbname="shop")
    holder = psycopg2.connect(**words)
    try:
        holder.cursor().execute("LOCK TABLE public.no_key IN ACCESS EXCLUSIVE MODE")
        report = pair.verify()
    finally:
        holder.close()
    assert report["verdict"] == "INCOMPLETE", said(report)
    (bad,) = [table for table in report["databases"][0]["tables"] if table["verdict"] != "MATCH"]
    assert bad["name"] == "public.no_key" and "lock timeout" in bad["msg"] and "pg_locks" in bad["remedy"]
