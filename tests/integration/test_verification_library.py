# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification between two real servers: an untouched copy matches, and every single fault is found and named."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

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
from ansible_collections.azpg.migrate.plugins.module_utils._verify.run import verify

from tools.lab import binaries, dataset
from tools.lab.cluster import Cluster

CACHE = Path(os.environ.get("AZPG_LAB_CACHE", ".cache/postgresql"))
PASSWORD = "mig password"


class Pair:
    """Two servers and the data set, moved by hand as superuser."""

    def __init__(self, source: Cluster, target: Cluster):
        self.clusters = {"source": source, "target": target}

    def request(self, databases=("shop", "billing"), role_map=None) -> Request:
        ends = []
        for cluster in self.clusters.values():
            words = cluster.connection("mig", PASSWORD)
            words.pop("dbname")
            ends.append(words)
        return Request.create("pair", ends[0], ends[1], list(databases), role_map=role_map)

    def run(self, side: str, sql: str, dbname: str = "shop") -> str:
        return self.clusters[side].psql(sql, dbname=dbname)

    def verify(self, databases=("shop",), **options) -> dict:
        return verify(self.request(databases, options.pop("request_role_map", None)), **options)


def move(source: Cluster, target: Cluster, directory: Path) -> None:
    """Dump and restore with the programs of the target."""
    for name in dataset.DATABASES:
        archive = str(directory / f"{name}.dump")
        with source.environment(dbname=name) as environment:
            subprocess.run([target.prefix / "bin" / "pg_dump", "-Fc", "-C", "-f", archive], env=environment, check=True)
        with target.environment() as environment:
            command = [target.prefix / "bin" / "pg_restore", "-C", "-d", "postgres", "--exit-on-error", archive]
            subprocess.run(command, env=environment, check=True)
        target.psql("ANALYZE", dbname=name)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    directory = tmp_path_factory.mktemp("verification")
    with contextlib.ExitStack() as stack:
        clusters = [
            stack.enter_context(Cluster(binaries.obtain(major, CACHE), directory / side))
            for side, major in (("source", 14), ("target", 17))
        ]
        source, target = clusters
        dataset.load(source, 0.01)
        dataset.create_roles(target)
        dataset.create_source_user(source, "mig", PASSWORD)
        dataset.create_target_user(target, "mig", PASSWORD)
        target.psql("GRANT app_owner, billing_owner, app_write TO mig")
        source.psql("GRANT app_write TO mig")
        move(source, target, directory)
        yield Pair(source, target)


def findings(report: dict, severity: str = "errors") -> list:
    sections = [entry["schema"] for entry in report["databases"]] + [report["roles"]]
    return [item for section in sections for item in section.get(severity, [])]


def said(report: dict) -> str:
    """Return everything that a report holds against the migration, as one text for messages of assertions."""
    lines = [report["verdict"] + ": " + report["reason"]]
    for severity in ("errors", "warnings", "not_comparable"):
        lines += [f"{severity} {i['rule']} {i['kind']} {i['object']}: {i['msg']}" for i in findings(report, severity)]
    for entry in report["databases"]:
        lines += [str(entry["error"])] if entry["error"] else []
        lines += [f"{i['name']}: {i['msg']} {i['remedy']}" for i in entry["tables"] if i["verdict"] != "MATCH"]
        lines += [f"{i['name']}: {i['msg']}" for i in entry["sequences"] if i["verdict"] != "MATCH"]
    return "\n".join(lines)


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
    assert PASSWORD not in page and PASSWORD not in Path(path).read_text(encoding="utf-8")


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


# -- single faults ------------------------------------------------------------------------------------------------

# What is done to the target, how it is undone, and a word that the report has to say about it. DATA faults are found
# as tables, SCHEMA faults as errors, SOFT faults as warnings.
DATA, SCHEMA, SOFT = "data", "schema", "soft"
OFF = "SET session_replication_role = replica; "

# What the report has to say of the rows: the kind of difference, the columns, and SQL that gives the keys (asked before
# the fault), None for tables without a key.
NAMED = {
    "row lost": ("missing", [], None),
    "row twice": ("unexpected", [], None),
    "float's last bit": (
        "changed",
        ["dimensions"],
        "SELECT min(id) FROM app.products WHERE dimensions[1] BETWEEN 0.001 AND 200",
    ),
    "null to empty text": ("changed", ["b"], None),
    "trailing space": ("changed", ["b"], None),
    "numeric scale": (
        "changed",
        ["n"],
        "SELECT max(id) FROM public.special_values WHERE n IS NOT NULL AND n NOT IN ('NaN', 'Infinity', '-Infinity') "
        "AND scale(n) < 3",
    ),
    "json text": ("changed", ["j"], "SELECT 2"),
    "name of a relation": ("changed", ["reg"], "SELECT 1"),
    "microsecond": ("changed", ["created_at"], "SELECT min(id) FROM app.customers"),
    "values swapped between rows": ("changed", ["credit"], "SELECT unnest(ARRAY[min(id), max(id)]) FROM app.customers"),
    "row of a partition": (
        "missing",
        [],
        "SELECT order_id || ' ' || line_number FROM app.order_lines_1 WHERE ctid = (SELECT min(ctid) FROM app.order_lines_1)",
    ),
    "row of an inherited table": ("missing", [], None),
}

FAULTS = {
    "row lost": (DATA, OFF + "DELETE FROM public.no_key WHERE ctid = (SELECT min(ctid) FROM public.no_key)", "no_key"),
    "row twice": (DATA, OFF + "INSERT INTO public.no_key SELECT * FROM public.no_key LIMIT 1", "no_key"),
    "float's last bit": (
        DATA,
        OFF + "UPDATE app.products SET dimensions[1] = dimensions[1] + 1e-13 WHERE id = (SELECT min(id) FROM "
        "app.products WHERE dimensions[1] BETWEEN 0.001 AND 200)",
        "app.products",
    ),
    "null to empty text": (DATA, "UPDATE public.no_key SET b = '' WHERE a = 4 AND b IS NULL", "no_key"),
    "trailing space": (DATA, "UPDATE public.no_key SET b = b || ' ' WHERE a = 1", "no_key"),
    "numeric scale": (
        DATA,
        "UPDATE public.special_values SET n = n + 0.000 WHERE id = (SELECT max(id) FROM public.special_values "
        "WHERE n IS NOT NULL AND n NOT IN ('NaN', 'Infinity', '-Infinity') AND scale(n) < 3)",
        "special_values",
    ),
    "json text": (DATA, "UPDATE public.special_values SET j = '[1, 1.0,  1.00]' WHERE id = 2", "special_values"),
    "name of a relation": (DATA, "UPDATE public.special_values SET reg = 'app.staff' WHERE id = 1", "special_values"),
    "microsecond": (
        DATA,
        OFF + "UPDATE app.customers SET created_at = created_at + interval '1 microsecond' "
        "WHERE id = (SELECT min(id) FROM app.customers)",
        "app.customers",
    ),
    "values swapped between rows": (
        DATA,
        OFF + "UPDATE app.customers c SET credit = o.credit FROM app.customers o, (SELECT min(id) AS a, max(id) AS b "
        "FROM app.customers) x WHERE (c.id, o.id) IN ((x.a, x.b), (x.b, x.a))",
        "app.customers",
    ),
    "row of a partition": (
        DATA,
        OFF + "DELETE FROM app.order_lines WHERE ctid = (SELECT min(ctid) FROM app.order_lines_1) "
        "AND tableoid = 'app.order_lines_1'::regclass",
        "app.order_lines_1",
    ),
    "row of an inherited table": (
        DATA,
        OFF + "DELETE FROM ONLY crm.people WHERE ctid = (SELECT min(ctid) FROM ONLY crm.people)",
        "crm.people",
    ),
    "byte of a large object": (
        DATA,
        "SELECT lo_put((SELECT min(oid) FROM pg_largeobject_metadata), 0, '\\x00ff00ff')",
        "large objects",
    ),
    "large object lost": (DATA, "SELECT lo_unlink((SELECT max(oid) FROM pg_largeobject_metadata))", "large objects"),
    "sequence behind": (DATA, "SELECT setval('app.ticket_number', 5000, false)", "app.ticket_number"),
    "descending sequence behind": (DATA, "SELECT setval('app.countdown', 1000, false)", "app.countdown"),
    "extra table": (SCHEMA, "CREATE TABLE app.more (id integer)", "app.more"),
    "table lost": (SCHEMA, "DROP TABLE public.empty_table CASCADE", "public.empty_table"),
    "column lost": (SCHEMA, "ALTER TABLE public.empty_table ADD COLUMN more integer", "public.empty_table.more"),
    "column type": (SCHEMA, "ALTER TABLE crm.notes ALTER COLUMN body TYPE varchar(9000)", "crm.notes.body"),
    "not null lost": (SCHEMA, "ALTER TABLE app.customers ALTER COLUMN name DROP NOT NULL", "app.customers.name"),
    "default changed": (
        SCHEMA,
        "ALTER TABLE app.products ALTER COLUMN retired SET DEFAULT true",
        "app.products.retired",
    ),
    "identity lost": (SCHEMA, "ALTER TABLE app.categories ALTER COLUMN id DROP IDENTITY", "app.categories.id"),
    "index lost": (SCHEMA, "DROP INDEX app.customers_tags_idx", "app.customers_tags_idx"),
    "index predicate": (
        SCHEMA,
        "DROP INDEX app.products_active_idx; CREATE INDEX products_active_idx ON app.products (price, id) "
        "WITH (fillfactor = 80) WHERE retired",
        "app.products_active_idx",
    ),
    "index invalid": (
        SCHEMA,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.customers_tags_idx'::regclass",
        "app.customers_tags_idx",
    ),
    "check changed": (
        SCHEMA,
        "ALTER TABLE app.customers DROP CONSTRAINT credit_limit; ALTER TABLE app.customers ADD CONSTRAINT credit_limit "
        "CHECK (credit BETWEEN -1000 AND 1000001)",
        "credit_limit",
    ),
    "unique lost": (SCHEMA, "ALTER TABLE app.customers DROP CONSTRAINT customers_email_key", "customers_email_key"),
    "domain check lost": (
        SCHEMA,
        "ALTER DOMAIN app.short_codes DROP CONSTRAINT short_codes_check",
        "short_codes_check",
    ),
    "enum order": (SCHEMA, "ALTER TYPE app.region ADD VALUE 'middle' BEFORE 'south'", "app.region"),
    "trigger lost": (SCHEMA, "DROP TRIGGER audit ON app.customers", "app.customers.audit"),
    "trigger off": (SCHEMA, "ALTER TABLE app.customers DISABLE TRIGGER audit", "app.customers.audit"),
    "trigger of a partition on": (
        SCHEMA,
        "ALTER TABLE app.orders_2023 ENABLE TRIGGER on_every_partition",
        "app.orders_2023.on_every_partition",
    ),
    "foreign key not enforced": (
        SCHEMA,
        "ALTER TABLE app.product_categories DISABLE TRIGGER ALL",
        "product_categories",
    ),
    "rule lost": (SCHEMA, "DROP RULE protect_settings ON public.settings", "protect_settings"),
    "policy lost": (SCHEMA, "DROP POLICY own_notes ON crm.notes", "own_notes"),
    "policy changed": (SCHEMA, "ALTER POLICY public_notes ON crm.notes USING (NOT is_public)", "public_notes"),
    "row security off": (SCHEMA, "ALTER TABLE crm.notes DISABLE ROW LEVEL SECURITY", "crm.notes"),
    "function body": (
        SCHEMA,
        "CREATE OR REPLACE FUNCTION app.normal_name(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'x' $$",
        "app.normal_name(text)",
    ),
    "function volatility": (
        SCHEMA,
        "ALTER FUNCTION app.customer_total(bigint) VOLATILE SECURITY DEFINER",
        "customer_total",
    ),
    "procedure lost": (SCHEMA, "DROP PROCEDURE app.refresh_sales()", "app.refresh_sales()"),
    "view changed": (
        SCHEMA,
        "CREATE OR REPLACE VIEW app.customer_directory WITH (security_barrier = true) AS "
        "SELECT * FROM (SELECT * FROM app.customer_directory LIMIT 0) x",
        "app.customer_directory",
    ),
    "view's barrier": (
        SCHEMA,
        "ALTER VIEW app.customer_directory RESET (security_barrier)",
        "app.customer_directory",
    ),
    "materialised view empty": (
        SCHEMA,
        "REFRESH MATERIALIZED VIEW app.sales_by_year WITH NO DATA",
        "app.sales_by_year",
    ),
    "partition bound": (
        SCHEMA,
        "ALTER TABLE app.events DETACH PARTITION app.events_null; "
        "ALTER TABLE app.events ATTACH PARTITION app.events_null FOR VALUES IN ('else')",
        "app.events_null",
    ),
    "sequence's increment": (SCHEMA, "ALTER SEQUENCE app.round_robin NO CYCLE", "app.round_robin"),
    "owned sequence": (SCHEMA, "ALTER SEQUENCE app.products_id_seq OWNED BY NONE", "app.products_id_seq"),
    "cast lost": (SCHEMA, "DROP CAST (app.region AS text)", "app.region"),
    "comment lost": (SOFT, "COMMENT ON TABLE app.customers IS NULL", "app.customers"),
    "grant lost": (SOFT, "REVOKE SELECT ON app.customers FROM app_read", "app.customers"),
    "column grant lost": (SOFT, "REVOKE UPDATE (name) ON app.staff FROM app_read", "app.staff.name"),
    "grant too much": (SOFT, "GRANT SELECT ON crm.secrets TO PUBLIC", "crm.secrets"),
    "function's grant": (SOFT, "GRANT EXECUTE ON FUNCTION app.staff_salary(integer) TO PUBLIC", "app.staff_salary"),
    "owner": (SOFT, "ALTER TABLE public.empty_table OWNER TO app_write", "public.empty_table"),
    "default privileges": (
        SOFT,
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA app REVOKE SELECT ON TABLES FROM app_read",
        "app_owner",
    ),
    "statistics object lost": (SOFT, "DROP STATISTICS app.orders_region_status", "app.orders_region_status"),
    "storage": (SOFT, "ALTER TABLE app.products ALTER COLUMN photo SET STORAGE EXTENDED", "app.products.photo"),
    "fillfactor": (SOFT, "ALTER TABLE app.products RESET (fillfactor)", "app.products"),
    "large object's owner": (
        SOFT,
        "DO $$ BEGIN EXECUTE format('ALTER LARGE OBJECT %s OWNER TO app_write', "
        "(SELECT min(oid) FROM pg_largeobject_metadata)); END $$",
        "large object",
    ),
    "database setting": (SOFT, "ALTER ROLE alice IN DATABASE shop RESET work_mem", "role alice"),
    "role's attribute": (SOFT, "ALTER ROLE alice CONNECTION LIMIT 21", "alice"),
    "membership lost": (SOFT, "REVOKE app_read FROM alice", "alice in app_read"),
}


# A copy of a database lacks what hangs on the database itself.
LIKE_THE_ORIGINAL = """
SET allow_system_table_mods = on;
UPDATE pg_database n SET datacl = o.datacl, datdba = o.datdba, datconnlimit = o.datconnlimit
    FROM pg_database o WHERE n.datname = 'shop' AND o.datname = 'shop_original';
INSERT INTO pg_db_role_setting SELECT n.oid, s.setrole, s.setconfig FROM pg_db_role_setting s
    JOIN pg_database o ON o.oid = s.setdatabase, pg_database n WHERE n.datname = 'shop' AND o.datname = 'shop_original';
INSERT INTO pg_shdescription SELECT n.oid, d.classoid, d.description FROM pg_shdescription d
    JOIN pg_database o ON o.oid = d.objoid, pg_database n WHERE n.datname = 'shop' AND o.datname = 'shop_original'
    AND d.classoid = 'pg_database'::regclass;
"""


@pytest.fixture
def fault(pair):
    """Put a copy in the place of the target's database and yield a function that does something to it."""
    target = pair.clusters["target"]
    target.psql("ALTER DATABASE shop RENAME TO shop_original")
    try:
        target.psql("CREATE DATABASE shop TEMPLATE shop_original")
        target.psql(LIKE_THE_ORIGINAL)
        yield lambda sql: pair.run("target", sql)
    finally:
        target.psql("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        target.psql("ALTER DATABASE shop_original RENAME TO shop")
        target.psql("ALTER ROLE alice CONNECTION LIMIT 20; GRANT app_read TO alice")


@pytest.mark.parametrize("name", FAULTS)
def test_every_single_fault_is_found(pair, fault, name):
    kind, sql, word = FAULTS[name]
    difference, columns, key = NAMED.get(name, (None, [], None))
    keys = sorted(pair.run("target", key).strip().splitlines()) if key else []
    fault(sql)
    report = pair.verify()
    if kind == SOFT:
        assert report["verdict"] == "MATCH", said(report)
        assert any(word in item["object"] or word in item["kind"] for item in findings(report, "warnings")), said(
            report
        )
        return
    assert report["verdict"] == "MISMATCH", said(report)
    entry = report["databases"][0]
    if kind == SCHEMA:
        assert any(word in item["object"] for item in findings(report)), said(report)
        return
    bad = [item["name"] for item in entry["tables"] + entry["sequences"] if item["verdict"] == "MISMATCH"]
    bad += ["large objects"] if entry["large_objects"]["verdict"] == "MISMATCH" else []
    assert any(word in item for item in bad), said(report)
    assert bool(difference) == any(item["diff"] for item in entry["tables"]), said(report)
    for diff in [item["diff"] for item in entry["tables"] if item["diff"]]:
        assert diff["error"] == "" and diff["complete"], diff
        found = diff["differences"]
        assert found and {item["kind"] for item in found} == {difference}, found
        assert all(item["columns"] == columns for item in found), found
        assert sorted(" ".join(item["key"].values()) for item in found) == (keys or [""] * len(found))
    assert not [item for item in findings(report) if item["kind"] != "large object"], said(report)


def test_the_fault_fixture_leaves_a_copy_that_matches(pair, fault):
    report = pair.verify()
    assert report["verdict"] == "MATCH" and findings(report, "warnings") == [], said(report)


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


def test_the_gate_closes_for_truncate_new_tables_and_large_objects(pair):
    report = pair.verify(("shop",))
    pair.run("source", "SET ROLE app_owner; CREATE TABLE app.late AS SELECT 1 AS id")
    pair.run("source", "SET ROLE app_owner; CREATE TABLE app.kept AS TABLE public.settings; TRUNCATE public.settings")
    oid = pair.run("source", "SET ROLE app_owner; SELECT lo_from_bytea(0, 'late')").strip()
    try:
        evidence, codes = gate(pair, report, ("shop",))
        assert codes == ["source-moved"]
        found = {item["object"] for item in evidence["recheck"]["differences"]}
        assert found == {"app.late", "app.kept", "public.settings", "large objects"}
    finally:
        pair.run(
            "source",
            OFF + f"DROP TABLE app.late; INSERT INTO public.settings TABLE app.kept; DROP TABLE app.kept; "
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
