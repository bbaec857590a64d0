# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources older than the fingerprints: 10 as it is, and 9.5 and 9.6 as far as a server of 10 can stand in for them.

No package offers servers of 9.5 or 9.6. So a server of 10 says that it is one, and whatever came later is not there: a
statement that names it fails in the server as it would fail in theirs.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._postgres import fence, fence_measure, fence_record
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.connection import connect, value
from ansible_collections.azpg.migrate.plugins.module_utils._verify.evidence import collect
from ansible_collections.azpg.migrate.plugins.module_utils._verify.gate import evaluate
from ansible_collections.azpg.migrate.plugins.module_utils._verify.run import verify
from support.pair import said

from tools.lab.binaries import obtain
from tools.lab.cluster import Cluster

CACHE = Path(os.environ.get("AZPG_LAB_CACHE", ".cache/postgresql"))
USER, PASSWORD, NAME = "mig", "of old", "old"
REAL = {100000: None, 90600: 90624, 90500: 90525}

# What came with each version, of all that the system catalogue and its functions offer: names that a statement uses.
LATER = {
    90600: "amhandler amtype pg_init_privs proparallel aggcombinefn aggserialfn aggdeserialfn wait_event wait_event_type "
    "idle_in_transaction_session_timeout pg_blocking_pids pg_control_system pg_control_checkpoint pg_size_bytes parse_ident "
    "jsonb_insert num_nulls num_nonnulls max_parallel_workers_per_gather",
    100000: "relispartition relpartbound pg_partitioned_table pg_get_partkeydef pg_sequence pg_sequences attidentity "
    "collprovider collversion pg_publication pg_publication_rel pg_subscription pg_subscription_rel pg_statistic_ext "
    "pg_get_statisticsobjdef polpermissive backend_type pg_collation_actual_version pg_current_wal_insert_lsn "
    "pg_current_wal_lsn pg_last_wal_replay_lsn pg_last_wal_receive_lsn pg_wal_lsn_diff pg_hba_file_rules tgoldtable "
    "tgnewtable rolcatupdate max_parallel_workers pg_current_xact_id",
    110000: "prokind conparentid indnkeyatts sha256 sha512 hashint8extended hash_array_extended hashtextextended "
    "relhasoids_not jit starts_with pg_publication_namespace",
    120000: "attgenerated pg_partition_tree pg_partition_root conislocal_not",
    130000: "pg_current_snapshot pg_snapshot_xmax pg_snapshot_xip stxstattarget",
    140000: "rngmultitypid pg_get_function_sqlbody prosqlbody attcompression client_connection_check_interval",
    150000: "prattrs prqual pg_parameter_acl pg_database_collation_actual_version",
    160000: "inherit_option set_option",
    180000: "conenforced pubgencols",
}
# Until 9.6 the log went by another name.
RENAMED = {
    "pg_current_xlog_insert_location": "pg_current_wal_insert_lsn",
    "pg_last_xlog_replay_location": "pg_last_wal_replay_lsn",
}

OBJECTS = """
SET ROLE app_owner;
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'glad');
CREATE DOMAIN app.price AS numeric(10,2) CHECK (VALUE >= 0);
CREATE TYPE app.place AS (street text, number integer);
CREATE TABLE app.items (id serial PRIMARY KEY, name text NOT NULL DEFAULT upper('x'), mood app.mood, price app.price,
    at timestamptz, tags text[], spot point, ratio float8, j jsonb, home app.place, relation regclass, raw bytea);
INSERT INTO app.items (name, mood, price, at, tags, spot, ratio, j, home, relation, raw) SELECT 'n' || g, 'glad', g / 4.0,
    timestamptz '2020-01-01 UTC' + g * interval '1 hour', ARRAY['a', NULL], point(g, -0.5), 1 / g::float8,
    jsonb_build_object('a', g), ROW('s', g)::app.place, 'app.items', decode('00ff', 'hex') FROM generate_series(1, 500) g;
CREATE TABLE app.no_key (a integer, b text);
INSERT INTO app.no_key SELECT g % 5, 'same' FROM generate_series(1, 50) g;
CREATE TABLE app.base (id integer PRIMARY KEY, v text);
CREATE TABLE app.child (more float4) INHERITS (app.base);
INSERT INTO app.child VALUES (1, 'c', 0.1);
CREATE INDEX items_lower ON app.items (lower(name)) WHERE price > 1;
ALTER TABLE app.items ADD CONSTRAINT named CHECK (name <> ''), ENABLE ROW LEVEL SECURITY;
CREATE POLICY glad ON app.items USING (mood = 'glad');
CREATE VIEW app.cheap AS SELECT i.id, date_part('year', i.at) AS y FROM app.items i WHERE i.price < 10;
CREATE MATERIALIZED VIEW app.totals AS SELECT mood, sum(price) AS total FROM app.items GROUP BY mood;
CREATE SEQUENCE app.numbers INCREMENT 5 MAXVALUE 1000 CYCLE;
SELECT nextval('app.numbers');
CREATE FUNCTION app.half(n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT n / 2';
CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := now(); RETURN NEW; END';
CREATE TRIGGER stamp BEFORE UPDATE ON app.items FOR EACH ROW EXECUTE PROCEDURE app.stamp();
CREATE AGGREGATE app.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1');
CREATE RULE quiet AS ON DELETE TO app.no_key DO INSTEAD NOTHING;
CREATE OPERATOR CLASS app.odd FOR TYPE integer USING btree AS OPERATOR 1 <, FUNCTION 1 btint4cmp(integer, integer);
RESET ROLE;
"""


class OldCursor(psycopg2.extensions.cursor):
    """Sends statements as the old server would see them."""

    def execute(self, query, parameters=None):
        return super().execute(self.connection.translate(query), parameters)

    def copy_expert(self, query, file, *more):
        return super().copy_expert(self.connection.translate(query), file, *more)


class OldConnection(psycopg2.extensions.connection):
    """A session of a server of 10 that passes for one of an older version."""

    pretended = 0
    refused: set = set()

    @property
    def server_version(self):
        return self.pretended

    def cursor(self, *arguments, **options):
        options.setdefault("cursor_factory", OldCursor)
        return super().cursor(*arguments, **options)

    def translate(self, query: str) -> str:
        for old, new in RENAMED.items():
            query = query.replace(f"{old}()", f"azpg_renamed_{new}()")
        # Names are what counts, and texts that name a catalogue.
        code = re.sub(r"'(?!\w+'::reg)(?:[^']|'')*'", "''", query)
        for version, names in LATER.items():
            if version <= self.pretended:
                continue
            for name in names.split():
                if re.search(rf"(?<![\w$]){name}(?![\w$])", code):
                    self.refused.add(name)
                    query = re.sub(rf"(?<![\w$]){name}(?![\w$])", f"azpg_absent_{name}", query)
        return query.replace("azpg_renamed_", "")


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """A source of 10 and a target of 17 that holds its copy, made by the target's pg_dump."""
    directory = tmp_path_factory.mktemp("old")
    with (
        Cluster(obtain(10, CACHE), directory / "source", client_prefix=obtain(14, CACHE)) as source,
        Cluster(obtain(17, CACHE), directory / "target") as target,
    ):
        for cluster in (source, target):
            cluster.psql("CREATE ROLE app_owner")
            cluster.psql(f"CREATE ROLE {USER} LOGIN BYPASSRLS PASSWORD '{PASSWORD}' IN ROLE app_owner")
        source.psql(f"CREATE DATABASE {NAME} OWNER app_owner TEMPLATE template0")
        # Of the operator class only a superuser is the maker.
        source.psql("ALTER ROLE app_owner SUPERUSER")
        source.psql(OBJECTS, dbname=NAME)
        source.psql("ALTER ROLE app_owner NOSUPERUSER")
        archive = str(directory / "old.dump")
        with source.environment(dbname=NAME) as environment:
            subprocess.run([target.prefix / "bin" / "pg_dump", "-Fc", "-C", "-f", archive], env=environment, check=True)
        with target.environment() as environment:
            command = [target.prefix / "bin" / "pg_restore", "-C", "-d", "postgres", "--exit-on-error", archive]
            subprocess.run(command, env=environment, check=True)
        target.psql("ANALYZE", dbname=NAME)
        yield source, target


@pytest.fixture(params=REAL, ids=["10", "9.6", "9.5"])
def pair(servers, request, monkeypatch):
    """The servers, with the source taken for one of that version; and the names that were missing there."""
    pretended = REAL[request.param]
    refused: set = set()
    if pretended:
        real, port = psycopg2.connect, servers[0].connection()["port"]
        factory = type("Connection", (OldConnection,), {"pretended": pretended, "refused": refused})

        def connect(**words):
            old = str(words.get("port")) == str(port)
            return real(**words, connection_factory=factory) if old else real(**words)

        monkeypatch.setattr(psycopg2, "connect", connect)
    yield Old(*servers, request.param), refused


class Old:
    """Both servers and words for what is asked of them."""

    def __init__(self, source, target, version):
        self.source, self.target, self.version = source, target, version

    def request(self) -> Request:
        ends = [cluster.connection(USER, PASSWORD) for cluster in (self.source, self.target)]
        for words in ends:
            words.pop("dbname")
        return Request.create("old", *ends, [NAME])

    def verify(self, **options) -> dict:
        return verify(self.request(), **options)

    @contextlib.contextmanager
    def fault(self, do: str, undo: str, side: str = "target"):
        off = "SET session_replication_role = replica; "
        getattr(self, side).psql(off + do, dbname=NAME)
        try:
            yield
        finally:
            getattr(self, side).psql(off + undo, dbname=NAME)


# What a server without them hides, and the code asks for on purpose, ready for a refusal.
MAY_BE_MISSING = {"pg_control_system", "pg_control_checkpoint"}


def test_everything_is_compared_and_equal(pair):
    old, refused = pair
    report = old.verify()
    assert report["verdict"] == "MATCH", said(report)
    assert said(report).count("\n") == 0, said(report)
    assert report["method"] == {"asked": "auto", "used": "client"} and report["canaries"]["source"] == "absent"
    assert report["totals"]["in_client"] == report["totals"]["tables"] == report["totals"]["match"] == 5
    objects = report["databases"][0]["schema"]["objects"]
    for kind in (
        "table",
        "view",
        "function",
        "aggregate",
        "trigger",
        "policy",
        "rule",
        "sequence",
        "operator class",
        "type",
    ):
        assert objects[kind][0] == objects[kind][1] > 0, kind
    assert refused <= MAY_BE_MISSING
    assert (refused == MAY_BE_MISSING) == (old.version == 90500)


FAULTS = {
    "row": (
        "UPDATE app.items SET ratio = ratio + 1e-15 WHERE id = 3",
        "UPDATE app.items SET ratio = 1 / 3::float8 WHERE id = 3",
    ),
    "value of a composite": (
        "UPDATE app.items SET home.number = 9 WHERE id = 4",
        "UPDATE app.items SET home.number = 4 WHERE id = 4",
    ),
    "body": (
        "CREATE OR REPLACE FUNCTION app.half(n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT n / 3'",
        "CREATE OR REPLACE FUNCTION app.half(n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT n / 2'",
    ),
    "sequence's increment": ("ALTER SEQUENCE app.numbers INCREMENT 6", "ALTER SEQUENCE app.numbers INCREMENT 5"),
    "sequence behind": ("SELECT setval('app.items_id_seq', 7)", "SELECT setval('app.items_id_seq', 500)"),
    "policy": ("ALTER POLICY glad ON app.items USING (true)", "ALTER POLICY glad ON app.items USING (mood = 'glad')"),
    "view": (
        "CREATE OR REPLACE VIEW app.cheap AS SELECT i.id, date_part('year', i.at) AS y FROM app.items i WHERE i.price < 11",
        "CREATE OR REPLACE VIEW app.cheap AS SELECT i.id, date_part('year', i.at) AS y FROM app.items i WHERE i.price < 10",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_found(pair, name):
    old, _refused = pair
    with old.fault(*FAULTS[name]):
        report = old.verify()
        assert report["verdict"] == "MISMATCH", said(report)
        if name in ("row", "value of a composite"):
            (table,) = [item for item in report["databases"][0]["tables"] if item["verdict"] != "MATCH"]
            column = "ratio" if name == "row" else "home"
            assert table["name"] == "app.items" and table["diff"]["columns"] == {column: 1}, table["diff"]


@pytest.mark.parametrize("pair", [100000], ids=["10"], indirect=True)
def test_identifiers_of_rows_that_dumps_leave_out_are_told(pair):
    old, _refused = pair
    with old.fault("ALTER TABLE app.no_key SET WITH OIDS", "ALTER TABLE app.no_key SET WITHOUT OIDS", side="source"):
        report = old.verify(mode="schema")
    assert report["verdict"] == "MATCH", said(report)
    (found,) = report["databases"][0]["schema"]["warnings"]
    assert (found["rule"], found["object"]) == ("table-row-identifiers", "app.no_key")


def test_the_gate_opens_and_a_write_shuts_it(pair):
    old, _refused = pair
    report = old.verify()

    def codes() -> list:
        circumstances = {"migration_state": "completed", "other_users": [], "runtime_is_endpoint": None}
        evidence = collect(old.request(), report, **circumstances)
        return [item["code"] for item in evaluate(report, evidence, now=datetime.now(timezone.utc))]

    assert codes() == []
    with old.fault("UPDATE app.no_key SET b = b WHERE a = 1", "SELECT", side="source"):
        assert codes() == [], "the recheck reads what has moved, in the same way"
    with old.fault("UPDATE app.no_key SET b = 'x' WHERE a = 1", "UPDATE app.no_key SET b = 'same'", side="source"):
        assert codes() == ["source-moved"]
    again = old.verify(mode="recheck", base=report)
    assert again["verdict"] == "MATCH" and again["totals"]["carried"] < again["totals"]["tables"]
    assert old.verify(mode="counts")["verdict"] == old.verify(mode="schema")["verdict"] == "MATCH"


def test_a_fence_goes_up_holds_and_comes_down(pair):
    old, refused = pair
    old.source.psql(f"GRANT pg_signal_backend, pg_read_all_stats TO {USER}")
    request = old.request()
    record = fence_record.plan(request.source, request.databases, methods=("read_only", "connect", "terminate"))
    try:
        evidence = fence.apply(request.source, record, grace_seconds=0.2)
        assert evidence["verdict"] == "fenced", evidence
        report = old.verify(fence=lambda: fence_measure.measure(request.source, [NAME], since=evidence["applied_at"]))
        assert report["verdict"] == "MATCH" and report["source"]["fence"]["verdict"] == "fenced", said(report)
    finally:
        assert not fence.unfence(request.source, record)["failed"]
    assert refused <= MAY_BE_MISSING


@pytest.mark.parametrize("pair", [90600, 90500], ids=["9.6", "9.5"], indirect=True)
def test_a_name_that_came_later_would_be_noticed(pair):
    old, refused = pair
    session = connect(old.request().source, "source", NAME)
    try:
        with pytest.raises(psycopg2.errors.UndefinedColumn):
            value(session, "SELECT count(*) FROM pg_class c WHERE c.relispartition")
        assert "relispartition" in refused
        assert value(session, "SELECT 'relispartition'") == "relispartition"
    finally:
        session.close()
