# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two servers to be checked: healthy ones, that is, and words for what a check may find when they are not.

A test that shows a rule's fault is marked C(@shows("id")); after it, the rule must have been found violated, so that the
mark cannot be wrong. The unit tests read the marks to see that no rule goes without one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import socket
from pathlib import Path

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks import reach_speed, replication
from ansible_collections.azpg.migrate.plugins.module_utils._checks.run import run_checks
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request

from tools.lab.binaries import CACHE, obtain
from tools.lab.cluster import Cluster

# Hundreds of checks run here, so each of them measures the network and the growth of the log for a moment only.
reach_speed.MEASURED_BYTES = 1 << 18
reach_speed.ROUNDS = 5
replication.GROWTH_SECONDS = 0.2

SOURCE_MAJOR = int(os.environ.get("AZPG_SOURCE_MAJOR", "17"))
TARGET_MAJOR = int(os.environ.get("AZPG_TARGET_MAJOR", "18"))
# A second source, so that an old and a new one are looked at whatever the first is.
OTHER_SOURCE = 11 if SOURCE_MAJOR != 11 else TARGET_MAJOR
COMBINATIONS = [(provider, mode) for provider in ("host", "azure") for mode in ("offline", "online")]

# What a server offers beyond its package: name, version. All are empty, and every user may create them.
OFFERED = {
    "strange": "1.9",
    "keeper": "1.0",
    "timescaledb": "2.20",
    "postgis": "3.5.2",
    "postgis_topology": "3.5.2",
    "pg_partman": "5.0.1",
    "pg_cron": "1.6",
    "pg_repack": "1.5",
    "pgaudit": "17.0",
    "pg_diskann": "0.5",
}
# On the source: one that is newer there, one that is the target's too, and one to put on another's name.
OFFERED_BY_SOURCE = {"strange": "1.10", "keeper": "1.0", "pose": "1.0"}
KEEPER = "CREATE TABLE @extschema@.kept (id int); INSERT INTO @extschema@.kept VALUES (1);\n"
# Libraries that the target loads at its start; copies of one that does nothing.
LOADED = ("timescaledb", "pg_cron")
ALLOWED = "citext,pg_trgm,keeper,strange,timescaledb,postgis,postgis_topology,pg_partman,pg_cron,pg_repack,pgaudit"

CUSTOMER = 'CREATE TABLE shop.customer (id {number} PRIMARY KEY, name text COLLATE "C" NOT NULL);'
INVOICE = "CREATE TABLE shop.invoice (id serial, customer bigint NOT NULL, due date)"
PARTS = "PARTITION BY RANGE (id); CREATE TABLE shop.invoice_1 PARTITION OF shop.invoice FOR VALUES FROM (1) TO (1000);"
KEYS = "ADD PRIMARY KEY (id), ADD FOREIGN KEY (customer) REFERENCES shop.customer;"
REST = """
CREATE VIEW shop.names AS SELECT name FROM shop.customer;
CREATE TYPE shop.span AS RANGE (subtype = float8);
CREATE DOMAIN shop.word AS text CHECK (VALUE <> '');
CREATE FUNCTION shop.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION shop.kept() RETURNS int LANGUAGE sql SET work_mem = '8MB' AS 'SELECT 1';
INSERT INTO shop.customer (name) VALUES ('a'), ('b');
GRANT USAGE ON SCHEMA shop TO mig;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO mig;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA shop TO mig;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO mig;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON SEQUENCES TO mig;
RESET ROLE;
CREATE EXTENSION citext;
"""


def healthy(major: int) -> str:
    """Return the SQL of a database with nothing wrong in it, of all that the version has."""
    tables = CUSTOMER.format(number="bigint GENERATED ALWAYS AS IDENTITY" if major >= 10 else "bigserial")
    tables += f"{INVOICE}{PARTS if major >= 10 else ';'} "
    # Keys of partitioned tables came with 11.
    tables += f"ALTER TABLE shop.invoice{'_1' if major == 10 else ''} {KEYS}"
    return f"CREATE SCHEMA shop AUTHORIZATION app; SET ROLE app; {tables}{REST}"


def shows(*rules: str):
    """Mark a test that shows the fault of each of the I(rules)."""
    return pytest.mark.shows(*rules)


def both_sides(kind: str):
    """Parametrise a test by the side whose rule, C(source-KIND) or C(target-KIND), it shows."""
    return pytest.mark.parametrize(
        "side", [pytest.param(side, marks=shows(f"{side}-{kind}")) for side in ("source", "target")]
    )


def own_copy(prefix: Path, directory: Path, side: str) -> Path:
    """Return a copy of an installation that may be added to; files are linked where the file system allows."""
    copy = directory / f"{side}-installation"
    try:
        shutil.copytree(prefix, copy, symlinks=True, copy_function=os.link)
    except (OSError, shutil.Error):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(prefix, copy, symlinks=True)
    extensions = next(copy.rglob("extension/citext.control")).parent
    for name, version in (OFFERED if side == "target" else OFFERED_BY_SOURCE).items():
        (extensions / f"{name}.control").write_text(
            f"default_version = '{version}'\nsuperuser = false\nrelocatable = false\n", encoding="ascii"
        )
        (extensions / f"{name}--{version}.sql").write_text(KEEPER if name == "keeper" else "", encoding="ascii")
    library = next(copy.rglob("citext.so"))
    for name in LOADED:
        shutil.copy(library, library.parent / f"{name}.so")
    return copy


class Servers:
    """A source and a target that stand ready for every rule.

    :param target: one that runs already, and is left running
    """

    def __init__(
        self,
        directory: Path,
        source_major: int = SOURCE_MAJOR,
        target_major: int = TARGET_MAJOR,
        target: Cluster | None = None,
    ):
        self.majors = (source_major, target_major)
        # Whether a test may have changed the database that most of them look at.
        self.touched = True
        self._superuser: dict = {}
        clients = obtain(max(source_major, 14), CACHE)
        self.source = Cluster(
            own_copy(obtain(source_major, CACHE), directory, "source"),
            directory / "source",
            client_prefix=clients,
            settings={
                "max_replication_slots": "80",
                "max_wal_senders": "80",
                "max_worker_processes": "16",
                "wal_sender_timeout": "0",
                "autovacuum": "off",
                "max_connections": "120",
            },
        )
        self._lent = target is not None
        self.target = target or Cluster(
            own_copy(obtain(target_major, CACHE), directory, "target"),
            directory / "target",
            settings={
                "max_replication_slots": "80",
                "max_wal_senders": "80",
                "autovacuum": "off",
                "max_connections": "120",
                "shared_preload_libraries": ",".join(LOADED),
                **({"max_active_replication_origins": "80"} if target_major >= 18 else {}),
            },
        )

    def __enter__(self) -> Servers:
        self.source.__enter__()
        self.source.psql(
            "CREATE ROLE mig LOGIN PASSWORD 'source'; CREATE ROLE app; CREATE ROLE other;"
            "CREATE DATABASE healthy OWNER app; GRANT CREATE ON DATABASE healthy TO mig"
        )
        self.source.psql(healthy(self.majors[0]), dbname="healthy")
        if not self._lent:
            self.target.__enter__()
            self.target.psql(
                "CREATE ROLE mig LOGIN PASSWORD 'target' CREATEDB CREATEROLE; CREATE ROLE app; CREATE ROLE other;"
                "GRANT app, other TO mig; CREATE ROLE azure_pg_admin;"
            )
        return self

    def __exit__(self, *unused) -> None:
        for connection in self._superuser.values():
            connection.close()
        if not self._lent:
            self.target.__exit__(*unused)
        self.source.__exit__(*unused)

    def connected(self, side: str, dbname: str):
        """Return a superuser's session; the one in C(postgres) is kept as long as the server runs."""
        kept = self._superuser.get(side)
        if dbname == "postgres" and kept is not None and not kept.closed:
            with contextlib.suppress(psycopg2.Error), kept.cursor() as cursor:
                cursor.execute("RESET ROLE; RESET ALL")  # whatever was set for another statement
                return kept
        # Whatever a test has set for the database.
        words = {**getattr(self, side).connection(dbname=dbname), "options": "-c default_transaction_read_only=off"}
        connection = psycopg2.connect(**words)
        connection.autocommit = True
        if dbname == "postgres":
            self._superuser[side] = connection
        return connection

    def run(self, side: str, sql: str, dbname: str = "postgres") -> list:
        """Run SQL as superuser and return the rows of the last statement, if it has any."""
        connection = self.connected(side, dbname)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        finally:
            if dbname != "postgres":
                connection.close()

    def create(self, name: str) -> None:
        """Make a database of the source that is as healthy as can be."""
        self.run("source", f"CREATE DATABASE {name} TEMPLATE healthy OWNER app")
        self.run("source", f"GRANT CREATE ON DATABASE {name} TO mig")

    def fresh(self) -> None:
        """Make the database C(one) of the source, where it is not there as it was made."""
        self.clean(kept=() if self.touched else ("one",))
        if self.touched:
            self.create("one")
            self.touched = False

    def clean(self, kept: tuple = ()) -> None:
        """Drop every database that a test may have made, but those of the source that are I(kept)."""
        self.touched = self.touched or "one" not in kept
        for side in ("source", "target"):
            names = ("postgres", "template0", "template1", "healthy", *(kept if side == "source" else ()))
            rows = self.run(side, f"SELECT datname FROM pg_database WHERE datname NOT IN {names}")
            for (name,) in rows:
                self.run(
                    side,
                    f"UPDATE pg_database SET datistemplate = false WHERE datname = '{name}';"
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
                )
                self.run(side, f'DROP DATABASE "{name}"')


# What online mode, and what Azure's service, asks of the users beyond what is there: on the source, on the target.
ONLINE = (
    ("source", "ALTER ROLE mig REPLICATION", "ALTER ROLE mig NOREPLICATION"),
    ("source", "GRANT app TO mig", "REVOKE app FROM mig"),
)
AZURE = (
    ("source", "GRANT app TO mig", "REVOKE app FROM mig"),
    (
        "target",
        "GRANT azure_pg_admin, pg_read_all_settings, pg_read_all_stats, pg_stat_scan_tables TO mig;"
        f"ALTER ROLE mig SET azure.extensions = '{ALLOWED}'; ALTER ROLE mig SET azure.migration_table_split_size = '1'",
        "REVOKE azure_pg_admin, pg_read_all_settings, pg_read_all_stats, pg_stat_scan_tables FROM mig; ALTER ROLE mig RESET ALL",
    ),
)


class Pair:
    """A source with the database C(one), a target without it, and a way to check them."""

    def __init__(self, servers: Servers, state: Path):
        self.servers = servers
        self.source = servers.source
        self.target = servers.target
        self.state = state
        self.found: list = []
        self.words: dict = {
            "bin_directory": str(self.target.prefix / "bin"),
            "exclude": ["state-directory-file-system"],
        }

    def check(
        self,
        *,
        source=None,
        target=None,
        databases=("one",),
        provider="host",
        mode="offline",
        role_map=None,
        source_type=None,
        **words,
    ):
        """Run the checks and return their findings."""
        request = Request.create(
            "shop",
            {**self.source.connection("mig", "source"), **(source or {})},
            {**self.target.connection("mig", "target"), **(target or {})},
            list(databases),
            role_map=role_map,
        )
        # Rules exist for combinations that a request may not have yet.
        request = dataclasses.replace(request, provider=provider, mode=mode, source_type=source_type)
        findings = run_checks(request, Layout.create("shop", str(self.state)), **{**self.words, **words})
        self.found += findings
        return findings

    def address(self, side: str) -> str:
        """Return a server as findings name it."""
        cluster = getattr(self, side)
        return f"{cluster.host}:{cluster.port}"

    def run(self, side: str, sql: str, dbname: str = "postgres") -> list:
        """Run SQL as superuser."""
        if side == "source" and re.search(r"\bone\b", f"{dbname} {sql}"):
            self.servers.touched = True
        return self.servers.run(side, sql, dbname)

    @contextlib.contextmanager
    def undone(self, side: str, do: str, undo: str, dbname: str = "postgres"):
        """Run SQL, and other SQL afterwards."""
        self.run(side, do, dbname)
        try:
            yield
        finally:
            self.run(side, undo, dbname)

    @contextlib.contextmanager
    def settings(self, side: str, **values):
        """Give a server other settings, and its own back afterwards; it is restarted for both."""
        cluster = getattr(self, side)
        for name, value in values.items():
            self.run(side, f"ALTER SYSTEM SET {name} = '{value}'")
        cluster.restart()
        try:
            yield
        finally:
            self.run(side, "ALTER SYSTEM RESET ALL")
            cluster.restart()

    @contextlib.contextmanager
    def ready(self, provider: str = "host", mode: str = "offline"):
        """Give the users what provider and mode ask for."""
        with contextlib.ExitStack() as stack:
            for side, do, undo in (ONLINE if mode == "online" else ()) + (AZURE if provider == "azure" else ()):
                stack.enter_context(self.undone(side, do, undo))
            yield self


@pytest.fixture(scope="session")
def check_servers(tmp_path_factory):
    """Servers for all tests of the checks in this process."""
    with Servers(tmp_path_factory.mktemp("checks")) as servers:
        yield servers


@pytest.fixture
def checked_pair(check_servers, tmp_path, request):
    """A healthy pair; after a marked test, what it was to show must have been found."""
    check_servers.fresh()
    made = Pair(check_servers, tmp_path / "state")
    yield made
    violated = {finding.rule for finding in made.found if finding.status in ("failed", "warning")}
    if getattr(request.node, "rep_call_passed", False):
        for mark in request.node.iter_markers("shows"):
            assert set(mark.args) <= violated, f"{set(mark.args) - violated} were not shown"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Let fixtures know whether the test itself passed."""
    outcome = yield
    if call.when == "call":
        item.rep_call_passed = outcome.get_result().passed


def pytest_configure(config):
    """Announce the mark."""
    config.addinivalue_line("markers", "shows(*rules): the test shows the fault of each of these rules")


def troubles(findings):
    """Return the findings above succeeded and skipped."""
    return [finding for finding in findings if finding.status in ("failed", "warning")]


def the_only(findings, rule, status="failed", item="one"):
    """Return the one finding above succeeded and skipped, which must be of the rule."""
    found = troubles(findings)
    assert [(finding.rule, finding.status, finding.object) for finding in found] == [(rule, status, item)]
    (finding,) = found
    assert finding.found and finding.expected and finding.remedy
    return finding


def of_rule(findings, rule):
    """Return the one finding of a rule."""
    (finding,) = [finding for finding in findings if finding.rule == rule]
    return finding


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def session(cluster: Cluster, *statements: str, dbname: str = "one", application: str = "till"):
    """Hold a session open in which the statements have run."""
    connection = psycopg2.connect(**cluster.connection(dbname=dbname), application_name=application)
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        yield connection
    finally:
        connection.close()
