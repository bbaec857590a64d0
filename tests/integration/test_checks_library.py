# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule against real servers: one fault gives its own finding and no other, a healthy pair gives none."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks.registry import RULES
from ansible_collections.azpg.migrate.plugins.module_utils._checks.run import run_checks
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request

from tools.lab.binaries import obtain
from tools.lab.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("AZPG_LAB_CACHE", ROOT / ".cache" / "postgresql"))
SOURCE_MAJOR = int(os.environ.get("AZPG_SOURCE_MAJOR", "14"))
TARGET_MAJOR = int(os.environ.get("AZPG_TARGET_MAJOR", "17"))

# Installations are shared with other test processes.
STRANGE = f"strange{os.getpid()}"

HEALTHY = """
CREATE SCHEMA shop AUTHORIZATION app;
SET ROLE app;
CREATE TABLE shop.customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL);
CREATE TABLE shop.invoice (id serial PRIMARY KEY, customer bigint NOT NULL REFERENCES shop.customer, due date)
  PARTITION BY RANGE (id);
CREATE TABLE shop.invoice_1 PARTITION OF shop.invoice FOR VALUES FROM (1) TO (1000);
CREATE VIEW shop.names AS SELECT name FROM shop.customer;
CREATE MATERIALIZED VIEW shop.numbers AS SELECT count(*) FROM shop.customer;
CREATE TYPE shop.span AS RANGE (subtype = float8);
CREATE DOMAIN shop.word AS text CHECK (VALUE <> '');
CREATE FUNCTION shop.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
INSERT INTO shop.customer (name) VALUES ('a'), ('b');
GRANT USAGE ON SCHEMA shop TO mig;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO mig;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA shop TO mig;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO mig;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON SEQUENCES TO mig;
RESET ROLE;
CREATE EXTENSION citext;
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    directory = tmp_path_factory.mktemp("checks")
    with (
        Cluster(obtain(SOURCE_MAJOR, CACHE), directory / "source") as source,
        Cluster(obtain(TARGET_MAJOR, CACHE), directory / "target") as target,
    ):
        source.psql("CREATE ROLE mig LOGIN PASSWORD 'source'; CREATE ROLE app;")
        target.psql("CREATE ROLE mig LOGIN PASSWORD 'target' CREATEDB CREATEROLE; CREATE ROLE app; GRANT app TO mig;")
        yield source, target


class Pair:
    """A source with the database C(one), a target without it, and a way to check them."""

    def __init__(self, source: Cluster, target: Cluster, state: Path):
        self.source = source
        self.target = target
        self.state = state
        self.words: dict = {"bin_directory": str(target.prefix / "bin"), "exclude": ["state-directory-file-system"]}

    def check(self, *, source=None, target=None, databases=("one",), mode="offline", role_map=None, **words):
        request = Request.create(
            "shop",
            {**self.source.connection("mig", "source"), **(source or {})},
            {**self.target.connection("mig", "target"), **(target or {})},
            list(databases),
            mode=mode,
            role_map=role_map,
        )
        return run_checks(request, Layout.create("shop", str(self.state)), **{**self.words, **words})


def drop_databases(cluster: Cluster) -> None:
    names = cluster.psql("SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'").split()
    for name in names:
        cluster.psql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        cluster.psql(f'DROP DATABASE "{name}"')


@pytest.fixture
def pair(servers, tmp_path):
    source, target = servers
    for cluster in servers:
        drop_databases(cluster)
    source.psql("CREATE DATABASE one OWNER app")
    source.psql(HEALTHY, dbname="one")
    return Pair(source, target, tmp_path / "state")


@contextlib.contextmanager
def undone(cluster: Cluster, do: str, undo: str):
    cluster.psql(do)
    try:
        yield
    finally:
        cluster.psql(undo)


def troubles(findings):
    return [finding for finding in findings if finding.status in ("failed", "warning")]


def the_only(findings, rule, status="failed", item="one"):
    """Return the one finding above succeeded and skipped, which must be of the rule."""
    found = troubles(findings)
    assert [(finding.rule, finding.status, finding.object) for finding in found] == [(rule, status, item)]
    (finding,) = found
    assert finding.found and finding.expected and finding.remedy
    return finding


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_a_healthy_pair(pair, mode):
    with undone(pair.source, "ALTER ROLE mig REPLICATION", "ALTER ROLE mig NOREPLICATION"):
        findings = pair.check(mode=mode)
    assert troubles(findings) == []
    assert [finding.rule for finding in findings if finding.status == "skipped"] == []
    expected = {rule.id for rule in RULES if mode in rule.modes and "host" in rule.providers}
    assert {finding.rule for finding in findings} == expected - {"state-directory-file-system"}


def test_nothing_is_written_and_no_session_stays(pair):
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mig'"
    pair.check()
    assert not pair.state.exists()
    assert pair.target.psql("SELECT count(*) FROM pg_database WHERE datname = 'one'").strip() == "0"
    for cluster in (pair.source, pair.target):
        for _attempt in range(50):
            if cluster.psql(query).strip() == "0":
                break
        assert cluster.psql(query).strip() == "0"


# -- reach ------------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize(
    ("words", "found", "remedy", "code"),
    [
        ({"host": "nowhere.invalid"}, "could not translate host name", "does not resolve", "603000"),
        ({"port": None}, "Connection refused", "nothing listens on the port", "603000"),
        ({"password": "wrong"}, "password authentication failed", "Check user and password", "603100"),
        ({"user": "nobody"}, "password authentication failed", "Check user and password", "603100"),
        ({"sslmode": "disable"}, "no pg_hba.conf entry", "pg_hba.conf", "603000"),
        ({"sslrootcert": "other"}, "certificate", "sslrootcert", "603001"),
    ],
    ids=["name", "port", "password", "user", "hba", "certificate"],
)
def test_a_server_that_cannot_be_reached(pair, side, words, found, remedy, code, tmp_path):
    if "port" in words:
        words = {"port": free_port()}
    if "sslrootcert" in words:
        other = pair.target if side == "source" else pair.source
        words = {"sslrootcert": str(other.certificate)}
    findings = pair.check(**{side: words})
    server = getattr(pair, side)
    address = f"{words.get('host', server.host)}:{words.get('port', server.port)}"
    finding = the_only(findings, f"{side}-reachable", item=address)
    assert found in finding.found
    assert remedy in finding.remedy
    assert finding.code == code
    causes = {finding.because for finding in findings if finding.status == "skipped"}
    assert causes == {f"{side}-reachable"}


def test_a_firewall_that_swallows_packets(pair):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(1)
        port = full.getsockname()[1]
        words = {"host": "127.0.0.1", "port": port, "connect_timeout": 2}
        finding = the_only(pair.check(source=words), "source-reachable", item=f"127.0.0.1:{port}")
    assert "timeout expired" in finding.found
    assert "firewall" in finding.remedy


def test_a_database_that_does_not_exist(pair):
    findings = pair.check(databases=["one", "One"])
    finding = the_only(findings, "source-database-reachable", item="One")
    assert finding.code == "603102"
    assert "Close to it: one." in finding.remedy
    skipped = [finding for finding in findings if finding.status == "skipped"]
    assert {finding.because for finding in skipped} == {"source-database-reachable"}
    assert "one" not in {finding.object for finding in skipped}


def test_connect_is_missing_on_the_source(pair):
    pair.source.psql("REVOKE CONNECT ON DATABASE one FROM PUBLIC")
    finding = the_only(pair.check(), "source-database-reachable")
    assert finding.remedy == 'On the source: GRANT CONNECT ON DATABASE "one" TO "mig";'


def test_the_maintenance_database_is_not_needed(pair):
    with undone(
        pair.source, "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC", "GRANT CONNECT ON DATABASE postgres TO PUBLIC"
    ):
        assert troubles(pair.check()) == []


def test_connect_is_missing_on_the_target(pair):
    pair.target.psql("CREATE DATABASE one OWNER app; REVOKE CONNECT ON DATABASE one FROM PUBLIC, app")
    finding = the_only(pair.check(), "target-database-reachable")
    assert finding.remedy == 'On the target: GRANT CONNECT ON DATABASE "one" TO "mig";'


# -- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(SOURCE_MAJOR == TARGET_MAJOR, reason="needs two majors")
def test_an_older_target(pair):
    finding = the_only(
        pair.check(
            source=pair.target.connection("mig", "target"),
            target=pair.source.connection("mig", "source"),
            only=["target-version"],
        ),
        "target-version",
        item=f"{pair.source.host}:{pair.source.port}",
    )
    assert f"PostgreSQL {SOURCE_MAJOR}." in finding.found
    assert finding.expected == f"PostgreSQL {TARGET_MAJOR} or newer on the target"


@pytest.mark.skipif(SOURCE_MAJOR == TARGET_MAJOR, reason="needs two majors")
def test_a_client_program_that_is_too_old(pair):
    if not (pair.source.prefix / "bin" / "pg_dump").exists():
        pytest.skip("this build of the server has no client programs")
    finding = the_only(
        pair.check(bin_directory=str(pair.source.prefix / "bin")),
        "client-programs",
        item=str(pair.source.prefix / "bin"),
    )
    assert finding.expected == f"client programs {TARGET_MAJOR} or newer"
    assert f"postgresql-client-{TARGET_MAJOR}" in finding.remedy


def test_no_client_programs(pair, tmp_path):
    finding = the_only(pair.check(bin_directory=str(tmp_path)), "client-programs", item=str(tmp_path))
    assert "No pg_dump and pg_restore in" in finding.found


def test_a_source_that_is_too_old(pair, monkeypatch):
    monkeypatch.setattr(
        "ansible_collections.azpg.migrate.plugins.module_utils._checks.versions.OLDEST_SOURCE", SOURCE_MAJOR + 1
    )
    finding = the_only(pair.check(), "source-version", item=f"{pair.source.host}:{pair.source.port}")
    assert finding.code == "603400"


def test_a_standby(pair, tmp_path):
    pair.source.psql("CHECKPOINT")
    pair.source.stop()
    signal = pair.source.data / ("standby.signal" if SOURCE_MAJOR >= 12 else "recovery.conf")
    signal.write_text("" if SOURCE_MAJOR >= 12 else "standby_mode = on\n", encoding="ascii")
    try:
        pair.source.start()
        address = f"{pair.source.host}:{pair.source.port}"
        the_only(pair.check(), "source-standby", "warning", address)
        with psycopg2.connect(**pair.source.connection(dbname="one")) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_export_snapshot()")
        assert "source-standby-online" in {finding.rule for finding in troubles(pair.check(mode="online"))}
        reverse = pair.check(
            source=pair.target.connection("mig", "target"),
            target=pair.source.connection("mig", "source"),
            only=["target-writable"],
        )
        assert "in recovery" in the_only(reverse, "target-writable", item=address).found
    finally:
        pair.source.stop()
        signal.unlink()
        pair.source.start()


def test_a_read_only_target(pair):
    with undone(
        pair.target,
        "ALTER ROLE mig SET default_transaction_read_only = on",
        "ALTER ROLE mig RESET default_transaction_read_only",
    ):
        finding = the_only(pair.check(), "target-writable", item="postgres")
    assert "default_transaction_read_only is on" in finding.found


# -- capacity ---------------------------------------------------------------------------------------------------------


def test_too_little_disk(pair, tmp_path):
    finding = the_only(
        pair.check(minimum_free_bytes=10**18), "state-directory-room", item=str(pair.state / "migrations" / "shop")
    )
    assert finding.expected.startswith("1000000.0 TB free")
    assert "state_directory" in finding.remedy


def test_a_state_directory_in_memory(pair):
    pair.state = Path("/dev/shm/azpg-migrate-absent")
    findings = pair.check(exclude=(), only=["state-directory-file-system"])
    finding = the_only(
        findings, "state-directory-file-system", "warning", "/dev/shm/azpg-migrate-absent/migrations/shop"
    )
    assert "tmpfs" in finding.found


def test_a_state_directory_that_cannot_be_written(pair, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR)
    pair.state = locked / "state"
    item = str(locked / "state" / "migrations" / "shop")
    assert "cannot be written" in the_only(pair.check(), "state-directory-room", item=item).found


def test_the_lock_table_is_too_small(pair):
    pair.source.psql(
        "SET ROLE app; DO $$ BEGIN FOR i IN 1..1500 LOOP EXECUTE format('CREATE TABLE shop.t%s ()', i); COMMIT;"
        " END LOOP; END $$",
        dbname="one",
    )
    with settings(pair.source, max_locks_per_transaction=10):
        finding = the_only(pair.check(only=["*-lock-table"]), "source-lock-table")
    assert finding.found == "1503 tables, room for 1100 locks"
    assert "max_locks_per_transaction = 128" in finding.remedy
    with settings(pair.target, max_locks_per_transaction=10):
        finding = the_only(pair.check(only=["*-lock-table"]), "target-lock-table", "warning")
    assert "restart it" in finding.remedy


@contextlib.contextmanager
def settings(cluster: Cluster, **values):
    for name, value in values.items():
        cluster.psql(f"ALTER SYSTEM SET {name} = '{value}'")
    cluster.restart()
    try:
        yield
    finally:
        cluster.psql("ALTER SYSTEM RESET ALL")
        cluster.restart()


@pytest.mark.parametrize("side", ["source", "target"])
def test_too_few_connections(pair, side):
    cluster = getattr(pair, side)
    address = f"{cluster.host}:{cluster.port}"
    with undone(cluster, "ALTER ROLE mig CONNECTION LIMIT 6", "ALTER ROLE mig CONNECTION LIMIT -1"):
        finding = the_only(pair.check(), f"{side}-connections", item=address)
    assert "may hold 6 connections" in finding.found
    assert finding.remedy == f'On the {side}: ALTER ROLE "mig" CONNECTION LIMIT -1;'


def test_too_few_connections_on_both(pair):
    found = troubles(pair.check(jobs=200))
    assert [(finding.rule, finding.status) for finding in found] == [
        ("source-connections", "failed"),
        ("target-connections", "failed"),
    ]
    assert "203 free connections" in found[0].expected


# -- faults in a source database: SQL as superuser, rule, status, found, remedy ------------------------------------------

DATABASE_FAULTS = {
    "schema": (
        "REVOKE USAGE ON SCHEMA shop FROM mig",
        "source-schema-usage",
        "failed",
        '1 schema: "shop"',
        'GRANT USAGE ON SCHEMA "shop" TO "mig";',
    ),
    "table": (
        "REVOKE SELECT ON shop.customer FROM mig",
        "source-readable",
        "failed",
        'table "shop"."customer" of app',
        'GRANT SELECT ON TABLE "shop"."customer" TO "mig";',
    ),
    "sequence": (
        "REVOKE SELECT ON SEQUENCE shop.invoice_id_seq FROM mig",
        "source-readable",
        "failed",
        'sequence "shop"."invoice_id_seq" of app',
        'GRANT SELECT ON SEQUENCE "shop"."invoice_id_seq" TO "mig";',
    ),
    "many tables": (
        "SET ROLE app; DO $$ BEGIN FOR i IN 1..30 LOOP EXECUTE format('CREATE TABLE shop.t%s (i int);"
        " REVOKE SELECT ON shop.t%1$s FROM mig', i); END LOOP; END $$",
        "source-readable",
        "failed",
        "cannot read 30 relations",
        'GRANT SELECT ON ALL TABLES IN SCHEMA "shop" TO "mig";',
    ),
    "large object": (
        "SELECT lo_create(4711); ALTER LARGE OBJECT 4711 OWNER TO app",
        "source-large-objects-readable",
        "failed",
        "1 large object: 4711",
        'GRANT SELECT ON LARGE OBJECT 4711 TO "mig";',
    ),
    "row-level security": (
        "ALTER TABLE shop.customer ENABLE ROW LEVEL SECURITY",
        "source-row-security",
        "failed",
        '1 table from user mig: "shop"."customer"',
        'ALTER ROLE "mig" BYPASSRLS;',
    ),
    "superuser's table": (
        "CREATE TABLE shop.audit (id int PRIMARY KEY); GRANT SELECT ON shop.audit TO mig",
        "superuser-owned-objects",
        "warning",
        "postgres owns 1 (for example shop.audit)",
        "role_map: {postgres: mig}",
    ),
    "extension's right": (
        "CREATE EXTENSION pageinspect",
        "extensions-installable",
        "failed",
        "may not install pageinspect",
        'CREATE EXTENSION IF NOT EXISTS "pageinspect";',
    ),
    "event trigger": (
        "CREATE FUNCTION shop.noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "ALTER FUNCTION shop.noted() OWNER TO app;"
        "CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION shop.noted()",
        "event-triggers",
        "failed",
        "noted",
        'DROP EVENT TRIGGER "noted";',
    ),
    "function in C": (
        "CREATE FUNCTION shop.c_like(text) RETURNS int LANGUAGE internal AS 'textlen';"
        "ALTER FUNCTION shop.c_like(text) OWNER TO app",
        "superuser-only-objects",
        "failed",
        "1 object that only a superuser can create: function in internal shop.c_like",
        "target.user",
    ),
    "base type": (
        "CREATE TYPE shop.odd; CREATE FUNCTION shop.odd_in(cstring) RETURNS shop.odd LANGUAGE internal IMMUTABLE STRICT"
        " AS 'textin'; CREATE FUNCTION shop.odd_out(shop.odd) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS"
        " 'textout'; CREATE TYPE shop.odd (INPUT = shop.odd_in, OUTPUT = shop.odd_out);"
        "ALTER FUNCTION shop.odd_in(cstring) OWNER TO app; ALTER FUNCTION shop.odd_out(shop.odd) OWNER TO app",
        "superuser-only-objects",
        "failed",
        "base type shop.odd",
        "target.user",
    ),
    "publication": (
        "CREATE PUBLICATION news FOR TABLE shop.customer",
        "source-publications",
        "warning",
        "1 publication: news",
        "subscribers",
    ),
    "subscription": (
        "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false);"
        "ALTER SUBSCRIPTION s SET (slot_name = 's'); ALTER SUBSCRIPTION s ENABLE",
        "source-subscriptions",
        "warning",
        "1 subscription write into",
        'ALTER SUBSCRIPTION "s" DISABLE;',
    ),
    "constraint": (
        "ALTER TABLE shop.customer ADD CONSTRAINT named CHECK (name <> '') NOT VALID",
        "not-valid-constraints",
        "warning",
        "shop.customer.named",
        "ALTER TABLE shop.customer VALIDATE CONSTRAINT named;",
    ),
    "collation": (
        "CREATE COLLATION shop.elsewhere (LOCALE = 'C');"
        "UPDATE pg_collation SET collnamespace = 'pg_catalog'::regnamespace WHERE collname = 'elsewhere';"
        "ALTER TABLE shop.customer ADD COLUMN other text COLLATE elsewhere",
        "column-collations",
        "failed",
        "unknown to the target: elsewhere",
        "pg_import_system_collations",
    ),
    "security label": (
        "INSERT INTO pg_seclabel VALUES ('shop.customer'::regclass, 'pg_class'::regclass, 0, 'selinux', 'secret')",
        "security-labels",
        "warning",
        "security labels of the provider selinux",
        "shared_preload_libraries",
    ),
    "index": (
        "CREATE INDEX broken ON shop.customer (name);"
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.broken'::regclass",
        "invalid-indexes",
        "warning",
        "1 index marked invalid: shop.broken",
        "REINDEX INDEX shop.broken;",
    ),
    "sequence's end": (
        "SELECT setval('shop.invoice_id_seq', 2147483000)",
        "sequences-near-end",
        "warning",
        "shop.invoice_id_seq at 2147483000 of 2147483647",
        "ALTER SEQUENCE",
    ),
}


@pytest.mark.parametrize("fault", DATABASE_FAULTS)
def test_a_fault_in_a_source_database(pair, fault):
    sql, rule, status, found, remedy = DATABASE_FAULTS[fault]
    pair.source.psql(sql, dbname="one")
    try:
        finding = the_only(pair.check(), rule, status)
    finally:
        if fault == "subscription":
            pair.source.psql(
                "ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s",
                dbname="one",
            )
    assert found in finding.found
    assert remedy in finding.remedy


def test_the_granted_remedy_helps(pair):
    pair.source.psql("REVOKE SELECT ON ALL TABLES IN SCHEMA shop FROM mig", dbname="one")
    finding = the_only(pair.check(), "source-readable")
    pair.source.psql(finding.remedy.split(": ", 1)[1].split(" Or once")[0], dbname="one")
    assert troubles(pair.check()) == []


def test_row_level_security_does_not_hide_from_bypassrls(pair):
    pair.source.psql("ALTER TABLE shop.customer ENABLE ROW LEVEL SECURITY", dbname="one")
    with undone(pair.source, "ALTER ROLE mig BYPASSRLS", "ALTER ROLE mig NOBYPASSRLS"):
        assert troubles(pair.check()) == []


def test_unlogged_tables_are_named(pair):
    pair.source.psql("SET ROLE app; CREATE UNLOGGED TABLE shop.cache (id int PRIMARY KEY)", dbname="one")
    findings = pair.check()
    assert troubles(findings) == []
    (finding,) = [finding for finding in findings if finding.rule == "unlogged-tables"]
    assert finding.found.startswith('1 unlogged table: "shop"."cache"')


def test_foreign_tables(pair):
    pair.source.psql(
        "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;"
        "CREATE FOREIGN TABLE shop.distant (id int) SERVER far; ALTER FOREIGN TABLE shop.distant OWNER TO app;"
        "ALTER SERVER far OWNER TO mig",
        dbname="one",
    )
    findings = {finding.rule: finding for finding in troubles(pair.check())}
    assert 'server far, foreign table "shop"."distant"' in findings["foreign-tables"].found
    assert set(findings) == {"foreign-tables", "extensions-installable"}


def test_tablespaces(pair, tmp_path_factory):
    directory = pair.source.data.parent / "extra"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o777)
    pair.source.psql(f"CREATE TABLESPACE extra LOCATION '{directory}'")
    try:
        pair.source.psql("ALTER TABLE shop.customer SET TABLESPACE extra", dbname="one")
        assert "extra (1 relation)" in the_only(pair.check(), "tablespaces", "warning").found
    finally:
        drop_databases(pair.source)
        pair.source.psql("DROP TABLESPACE extra")


@contextlib.contextmanager
def extension(cluster: Cluster, version: str):
    """Let the server know the extension STRANGE in the given version."""
    directory = sorted(cluster.prefix.rglob("extension/citext.control"))[0].parent
    files = {
        f"{STRANGE}.control": f"default_version = '{version}'\nsuperuser = false\n",
        f"{STRANGE}--{version}.sql": "",
    }
    try:
        for name, text in files.items():
            (directory / name).write_text(text, encoding="ascii")
        yield
    finally:
        for name in files:
            (directory / name).unlink(missing_ok=True)


def test_an_extension_that_the_target_does_not_have(pair):
    if SOURCE_MAJOR == TARGET_MAJOR:
        pytest.skip("one installation serves both ends")
    with extension(pair.source, "1.0"):
        pair.source.psql(f"CREATE EXTENSION {STRANGE}", dbname="one")
        finding = the_only(pair.check(), "extensions-available")
    assert finding.found == f"the target cannot install {STRANGE} 1.0"
    assert finding.code == "603405"


def test_an_extension_that_is_older_on_the_target(pair):
    if SOURCE_MAJOR == TARGET_MAJOR:
        pytest.skip("one installation serves both ends")
    with extension(pair.source, "1.10"), extension(pair.target, "1.9"):
        pair.source.psql(f"CREATE EXTENSION {STRANGE}", dbname="one")
        finding = the_only(pair.check(), "extension-versions", "warning")
    assert finding.found == f"older on the target: {STRANGE} 1.10 (target 1.9)"


@pytest.mark.skipif(SOURCE_MAJOR >= 12, reason="PostgreSQL 12 has no such tables any more")
def test_tables_with_oids(pair):
    pair.source.psql("SET ROLE app; CREATE TABLE shop.old (id int PRIMARY KEY) WITH OIDS", dbname="one")
    finding = the_only(pair.check(), "tables-with-oids")
    assert "ALTER TABLE shop.old SET WITHOUT OIDS;" in finding.remedy


# -- the target -------------------------------------------------------------------------------------------------------


def test_a_target_database_that_holds_tables(pair):
    pair.target.psql("CREATE DATABASE one OWNER mig")
    assert troubles(pair.check()) == []
    pair.target.psql("CREATE SCHEMA old AUTHORIZATION mig; CREATE TABLE old.orders (id int)", dbname="one")
    finding = the_only(pair.check(), "target-database-empty")
    assert finding.found == "holds 2 objects: table old.orders, schema old"
    assert 'DROP DATABASE "one"' in finding.remedy
    assert finding.code == "603101"
    assert troubles(pair.check(own_databases={"one"})) == []


def test_a_target_user_without_createdb(pair):
    with undone(pair.target, "ALTER ROLE mig NOCREATEDB", "ALTER ROLE mig CREATEDB"):
        finding = the_only(pair.check(), "target-database-creatable")
    assert finding.remedy.startswith('On the target: ALTER ROLE "mig" CREATEDB;')


def test_a_target_database_of_somebody_else(pair):
    pair.target.psql("CREATE DATABASE one")
    finding = the_only(pair.check(), "target-database-creatable")
    assert 'lacks CREATE ON DATABASE "one"' in finding.found
    assert 'GRANT CREATE ON DATABASE "one" TO "mig";' in finding.remedy


def test_a_missing_role_without_createrole(pair):
    with undone(
        pair.target,
        "DROP ROLE app; ALTER ROLE mig NOCREATEROLE",
        "CREATE ROLE app; GRANT app TO mig; ALTER ROLE mig CREATEROLE",
    ):
        finding = the_only(pair.check(), "target-roles-creatable", item=f"{pair.target.host}:{pair.target.port}")
        assert "1 role missing on the target (app)" in finding.found
        assert 'CREATE ROLE "app"' in finding.remedy
        assert troubles(pair.check(role_map={"app": "mig"})) == []


def test_a_role_that_the_target_user_is_no_member_of(pair):
    with undone(pair.target, "REVOKE app FROM mig", "GRANT app TO mig"):
        finding = the_only(pair.check(), "target-roles-administered", item=f"{pair.target.host}:{pair.target.port}")
    assert 'GRANT "app" TO "mig";' in finding.remedy


def test_a_role_that_will_need_a_password(pair):
    with undone(pair.source, "CREATE ROLE web LOGIN", "DROP OWNED BY web; DROP ROLE web"):
        pair.source.psql("GRANT SELECT ON shop.customer TO web", dbname="one")
        finding = the_only(pair.check(), "target-role-passwords", "warning", f"{pair.target.host}:{pair.target.port}")
        pair.source.psql("REVOKE ALL ON shop.customer FROM web", dbname="one")
    assert '\\password "web"' in finding.remedy


def test_a_role_map_of_unknown_roles(pair):
    finding = the_only(
        pair.check(role_map={"ap": "mig"}), "role-map-names", item=f"{pair.source.host}:{pair.source.port}"
    )
    assert finding.found.endswith(": ap")


def test_another_encoding_on_the_target(pair):
    pair.target.psql("CREATE DATABASE one OWNER mig TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    finding = the_only(pair.check(), "database-encoding")
    assert finding.found == "LATIN1, C, C (libc) on the target, UTF8, C.UTF-8, C.UTF-8 (libc) on the source"


def test_another_locale_on_the_target(pair):
    pair.target.psql("CREATE DATABASE one OWNER mig TEMPLATE template0 LOCALE 'C'")
    the_only(pair.check(), "database-encoding", "warning")


def test_a_locale_that_the_target_does_not_have(pair, monkeypatch):
    # Both servers share one operating system here, so they cannot differ in what it offers.
    monkeypatch.setattr(
        "ansible_collections.azpg.migrate.plugins.module_utils._checks.locales.target_locales", lambda _context: {"C"}
    )
    finding = the_only(pair.check(), "database-locale")
    assert finding.found == "the database has UTF8, C.UTF-8, C.UTF-8 (libc); the target knows no locale C.UTF-8"
    assert finding.code == "603401"


# -- what goes on -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def session(cluster: Cluster, *statements: str):
    connection = psycopg2.connect(**cluster.connection(dbname="one"), application_name="till")
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        yield connection
    finally:
        connection.close()


def test_the_application_is_not_stopped(pair):
    with session(pair.source, "INSERT INTO shop.customer (name) VALUES ('c')"):
        findings = pair.check()
    finding = the_only(findings, "source-quiet", "warning", f"{pair.source.host}:{pair.source.port}")
    assert "1 session of postgres (till) in one, 1 with uncommitted writes" in finding.found
    assert 'ALTER DATABASE "one" SET default_transaction_read_only = on;' in finding.remedy
    (blind,) = [finding for finding in findings if finding.rule == "source-long-transactions"]
    assert (blind.status, blind.remedy) == ("skipped", 'GRANT pg_read_all_stats TO "mig";')


def test_a_long_transaction(pair, monkeypatch):
    monkeypatch.setattr("ansible_collections.azpg.migrate.plugins.module_utils._checks.activity.LONG_SECONDS", -1)
    with (
        undone(pair.source, "GRANT pg_read_all_stats TO mig", "REVOKE pg_read_all_stats FROM mig"),
        session(pair.source, "SELECT 1") as connection,
    ):
        findings = pair.check(exclude=["source-quiet", "state-directory-file-system"])
        process = connection.info.backend_pid
    finding = the_only(findings, "source-long-transactions", "warning", f"{pair.source.host}:{pair.source.port}")
    assert f"postgres (till) in one, pid {process}, open for" in finding.found
    assert f"pg_terminate_backend({process})" in finding.remedy


def test_a_prepared_transaction(pair):
    with session(pair.source, "INSERT INTO shop.customer (name) VALUES ('c')", "PREPARE TRANSACTION 'half'"):
        pass
    try:
        finding = the_only(pair.check(), "source-prepared-transactions", item=f"{pair.source.host}:{pair.source.port}")
    finally:
        pair.source.psql("ROLLBACK PREPARED 'half'", dbname="one")
    assert "ROLLBACK PREPARED 'half';" in finding.remedy


# -- online -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def replicating(pair):
    with undone(pair.source, "ALTER ROLE mig REPLICATION", "ALTER ROLE mig NOREPLICATION"):
        yield pair


def test_online_needs_replication(pair):
    finding = the_only(
        pair.check(mode="online"), "replication-attribute", item=f"{pair.source.host}:{pair.source.port}"
    )
    assert finding.remedy == 'On the source: ALTER ROLE "mig" REPLICATION;'


@pytest.mark.parametrize(
    ("values", "rule", "status"),
    [
        ({"wal_level": "replica"}, "wal-level", "failed"),
        ({"max_replication_slots": 0}, "replication-slots", "failed"),
        ({"max_wal_senders": 5}, "wal-senders", "failed"),
        ({"max_slot_wal_keep_size": "1GB"}, "slot-wal-limit", "warning"),
    ],
    ids=["wal_level", "slots", "senders", "kept log"],
)
def test_online_settings(replicating, values, rule, status):
    if "max_slot_wal_keep_size" in values and SOURCE_MAJOR < 13:
        pytest.skip("this major does not have the setting")
    with settings(replicating.source, **values):
        finding = the_only(
            replicating.check(mode="online"), rule, status, f"{replicating.source.host}:{replicating.source.port}"
        )
    assert next(iter(values)) in finding.remedy or next(iter(values)) in finding.found


def test_online_replica_identity(replicating):
    replicating.source.psql("SET ROLE app; CREATE TABLE shop.log (line text)", dbname="one")
    finding = the_only(replicating.check(mode="online"), "replica-identity")
    assert finding.found == "1 table without replica identity: shop.log"
    replicating.source.psql("ALTER TABLE shop.log REPLICA IDENTITY FULL", dbname="one")
    assert troubles(replicating.check(mode="online")) == []


def test_online_what_is_not_streamed(replicating):
    replicating.source.psql(
        "SELECT lo_create(1); GRANT SELECT ON LARGE OBJECT 1 TO mig; SET ROLE app;"
        "CREATE UNLOGGED TABLE shop.cache (id int)",
        dbname="one",
    )
    finding = the_only(replicating.check(mode="online"), "not-streamed", "warning")
    assert finding.found.startswith("1 unlogged table (cache) and 1 large object")


# -- few rights -------------------------------------------------------------------------------------------------------


def test_hardly_any_right_crashes_nothing(pair):
    with (
        undone(pair.source, "CREATE ROLE guest LOGIN PASSWORD 'guest'", "DROP ROLE guest"),
        undone(pair.target, "CREATE ROLE guest LOGIN PASSWORD 'guest'", "DROP ROLE guest"),
    ):
        words = {"user": "guest", "password": "guest"}
        findings = pair.check(source=words, target=words)
    assert {finding.rule for finding in troubles(findings)} == {
        "source-schema-usage",
        "source-readable",
        "target-database-creatable",
        "target-roles-administered",
    }
    assert "could not be evaluated" not in " ".join(finding.found for finding in findings)
