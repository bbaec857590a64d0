# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the source's server, the host that executes the task, and what goes on while a migration begins."""

from __future__ import annotations

import contextlib
import datetime
import os
import stat
import threading
from pathlib import Path

import psycopg2
import psycopg2.extras
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks import activity, reach, sizes, versions
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import DependencyMissing
from support.checks import SOURCE_MAJOR, TARGET_MAJOR, both_sides, of_rule, session, shows, the_only, troubles

# -- versions and programs --------------------------------------------------------------------------------------------


@pytest.mark.skipif(SOURCE_MAJOR == TARGET_MAJOR, reason="needs two majors")
@shows("target-version")
def test_an_older_target(pair):
    finding = the_only(
        pair.check(
            source=pair.target.connection("mig", "target"),
            target=pair.source.connection("mig", "source"),
            only=["target-version"],
        ),
        "target-version",
        item=pair.address("source"),
    )
    assert f"PostgreSQL {SOURCE_MAJOR}." in finding.found
    assert finding.expected == f"PostgreSQL {TARGET_MAJOR} or newer on the target"


@pytest.mark.skipif(SOURCE_MAJOR == TARGET_MAJOR, reason="needs two majors")
@shows("client-programs")
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


@shows("client-programs")
def test_no_client_programs(pair, tmp_path):
    finding = the_only(pair.check(bin_directory=str(tmp_path)), "client-programs", item=str(tmp_path))
    assert "No pg_dump and pg_restore in" in finding.found


@shows("source-version")
@pytest.mark.parametrize("provider", ["host", "azure"])
def test_a_source_that_is_too_old(pair, provider, monkeypatch):
    # No server of that age can be had, so the border is moved.
    border = (SOURCE_MAJOR + 1) * 10000
    monkeypatch.setattr(versions, "OLDEST_SOURCE", {"host": border, "azure": border})
    with pair.ready(provider):
        finding = the_only(pair.check(provider=provider), "source-version", item=pair.address("source"))
    assert finding.code == "603400" and f"PostgreSQL {SOURCE_MAJOR + 1} or newer" in finding.expected


@shows("runtime-driver")
def test_a_driver_that_is_missing(pair, monkeypatch):
    # The tests themselves need psycopg2.
    def missing():
        raise DependencyMissing("no psycopg2", "install it")

    monkeypatch.setattr(reach, "require_driver", missing)
    findings = pair.check()
    (finding,) = [finding for finding in troubles(findings) if finding.rule == "runtime-driver"]
    assert (finding.found, finding.remedy) == ("no psycopg2", "install it")
    assert [item.rule for item in troubles(findings)] == ["runtime-driver"]


@shows("source-standby", "source-standby-online", "target-writable")
def test_a_standby(pair):
    pair.run("source", "CHECKPOINT")
    pair.source.stop()
    signal = pair.source.data / ("standby.signal" if SOURCE_MAJOR >= 12 else "recovery.conf")
    signal.write_text("" if SOURCE_MAJOR >= 12 else "standby_mode = on\n", encoding="ascii")
    try:
        pair.source.start()
        address = pair.address("source")
        the_only(pair.check(), "source-standby", "warning", address)
        with psycopg2.connect(**pair.source.connection(dbname="one")) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_export_snapshot()")
        online = pair.check(mode="online")
        assert {"source-standby-online", "replication-attribute", "publication-rights"} == {
            finding.rule for finding in troubles(online)
        }
        assert of_rule(online, "log-growth").because == "source-standby-online"
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


# -- room -------------------------------------------------------------------------------------------------------------


@shows("state-directory-room")
def test_too_little_disk(pair):
    finding = the_only(
        pair.check(minimum_free_bytes=10**18), "state-directory-room", item=str(pair.state / "migrations" / "shop")
    )
    assert finding.expected.startswith("1000000.0 TB free")
    assert "state_directory" in finding.remedy


@shows("state-directory-file-system")
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


@shows("source-lock-table", "target-lock-table")
def test_the_lock_table_is_too_small(pair):
    pair.run(
        "source",
        "SET ROLE app; DO $$ BEGIN FOR i IN 1..1500 LOOP EXECUTE format('CREATE TABLE shop.t%s ()', i); END LOOP; END $$",
        "one",
    )
    small = {"max_locks_per_transaction": 10, "max_connections": 90}
    with pair.settings("source", **small):
        finding = the_only(pair.check(only=["*-lock-table"]), "source-lock-table")
    assert finding.found == "1503 tables, room for 1000 locks"
    assert "max_locks_per_transaction = 128" in finding.remedy
    with pair.settings("target", **small):
        finding = the_only(pair.check(only=["*-lock-table"]), "target-lock-table", "warning")
    assert "restart it" in finding.remedy


@both_sides("connections")
@pytest.mark.parametrize("provider", ["host", "azure"])
def test_too_few_connections(pair, side, provider):
    with (
        pair.ready(provider),
        pair.undone(side, "ALTER ROLE mig CONNECTION LIMIT 6", "ALTER ROLE mig CONNECTION LIMIT -1"),
    ):
        finding = the_only(pair.check(provider=provider), f"{side}-connections", item=pair.address(side))
    assert "may hold 6 connections" in finding.found
    assert finding.remedy == f'On the {side}: ALTER ROLE "mig" CONNECTION LIMIT -1;'


def test_too_few_connections_on_both(pair):
    found = troubles(pair.check(jobs=200))
    assert [(finding.rule, finding.status) for finding in found] == [
        ("source-connections", "failed"),
        ("target-connections", "failed"),
    ]
    assert "203 free connections" in found[0].expected


@shows("estimated-duration")
def test_more_than_the_service_carries_in_a_week(pair, monkeypatch):
    # No test has 30 TB, so the week is made shorter.
    monkeypatch.setattr(sizes, "SERVICE_LIFETIME_SECONDS", 30)
    with pair.ready("azure"):
        finding = the_only(pair.check(provider="azure"), "estimated-duration", item="source and target")
    assert "the service gives up after 30 s" in finding.found


def test_an_estimate_is_told(pair):
    words = {
        "seconds": 600,
        "seconds_low": 300,
        "seconds_high": 1200,
        "runtime_disk_bytes": 5_000_000,
        "basis": ["a sample"],
    }
    findings = pair.check(estimator=lambda: words)
    assert of_rule(findings, "estimated-duration").found == "about 10 min 0 s (5 min 0 s to 20 min 0 s), from a sample"
    assert "5.0 MB on the runtime server" in of_rule(findings, "disk-needed").found


def test_the_largest_tables_are_named(pair):
    pair.run("source", "INSERT INTO shop.customer (name) SELECT repeat('x', 500) FROM generate_series(1, 4000)", "one")
    found = of_rule(pair.check(), "largest-tables").found
    assert found.startswith('"shop"."customer" 2.') and " %)" in found


# -- what goes on -----------------------------------------------------------------------------------------------------


@shows("source-quiet")
def test_the_application_is_not_stopped(pair):
    with session(pair.source, "INSERT INTO shop.customer (name) VALUES ('c')"):
        findings = pair.check()
    finding = the_only(findings, "source-quiet", "warning", pair.address("source"))
    assert "1 session of postgres (till) in one, 1 with uncommitted writes" in finding.found
    assert 'ALTER DATABASE "one" SET default_transaction_read_only = on;' in finding.remedy
    blind = of_rule(findings, "source-long-transactions")
    assert (blind.status, blind.remedy) == ("skipped", 'GRANT pg_read_all_stats TO "mig";')


@contextlib.contextmanager
def seeing_all(pair):
    """Let the source's user see what others do."""
    with pair.undone("source", "GRANT pg_read_all_stats TO mig", "REVOKE pg_read_all_stats FROM mig"):
        yield


@shows("source-long-transactions")
def test_a_long_transaction(pair, monkeypatch):
    monkeypatch.setattr(activity, "LONG_SECONDS", -1)
    with seeing_all(pair), session(pair.source, "SELECT 1") as connection:
        findings = pair.check(exclude=["source-quiet", "state-directory-file-system"])
        process = connection.info.backend_pid
    finding = the_only(findings, "source-long-transactions", "warning", pair.address("source"))
    assert f"postgres (till) in one, pid {process}, open for" in finding.found
    assert f"pg_terminate_backend({process})" in finding.remedy


@shows("source-prepared-transactions")
def test_a_prepared_transaction(pair):
    with session(pair.source, "INSERT INTO shop.customer (name) VALUES ('c')", "PREPARE TRANSACTION 'half'"):
        pass
    try:
        finding = the_only(pair.check(), "source-prepared-transactions", item=pair.address("source"))
    finally:
        pair.run("source", "ROLLBACK PREPARED 'half'", "one")
    assert "ROLLBACK PREPARED 'half';" in finding.remedy


@shows("other-databases-transactions")
def test_a_transaction_elsewhere_keeps_a_slot_waiting(pair, monkeypatch):
    monkeypatch.setattr("ansible_collections.azpg.migrate.plugins.module_utils._checks.surroundings.LONG_SECONDS", -1)
    writing = ("CREATE TEMPORARY TABLE t ()",)
    with pair.ready(mode="online"), seeing_all(pair), session(pair.source, *writing, dbname="healthy") as connection:
        finding = the_only(pair.check(mode="online"), "other-databases-transactions", "warning", pair.address("source"))
        assert f"postgres (till) in healthy, pid {connection.info.backend_pid}" in finding.found
        assert "pg_terminate_backend" in finding.remedy
    with session(
        pair.source, "INSERT INTO shop.customer (name) VALUES ('c')", "PREPARE TRANSACTION 'far'", dbname="healthy"
    ):
        pass
    try:
        with pair.ready(mode="online"):
            finding = the_only(
                pair.check(mode="online"), "other-databases-transactions", "warning", pair.address("source")
            )
    finally:
        pair.run("source", "ROLLBACK PREPARED 'far'", "healthy")
    assert "ROLLBACK PREPARED 'far'; (in healthy)" in finding.remedy


@shows("idle-slots")
@pytest.mark.parametrize("provider", ["host", "azure"])
def test_a_slot_that_nobody_reads(pair, provider):
    with (
        pair.ready(provider),
        pair.undone(
            "source",
            "SELECT pg_create_logical_replication_slot('forgotten', 'pgoutput')",
            "SELECT pg_drop_replication_slot('forgotten')",
            "healthy",
        ),
    ):
        finding = the_only(pair.check(provider=provider), "idle-slots", "warning", pair.address("source"))
    assert "forgotten (logical of healthy, keeps " in finding.found
    assert "SELECT pg_drop_replication_slot('forgotten');" in finding.remedy


@shows("source-replicas")
def test_more_replicas_than_flexible_server_can_have(pair):
    with contextlib.ExitStack() as stack:
        stack.enter_context(pair.ready("azure"))
        for number in range(6):
            words = {**pair.source.connection(), "application_name": f"replica{number}"}
            connection = psycopg2.connect(**words, connection_factory=psycopg2.extras.PhysicalReplicationConnection)
            stack.callback(connection.close)
        finding = the_only(pair.check(provider="azure"), "source-replicas", "warning", pair.address("source"))
    assert finding.found == "6 replicas follow the source"


@both_sides("user-expiry")
def test_a_password_that_expires_soon(pair, side):
    soon = datetime.date.today() + datetime.timedelta(days=3)
    with pair.undone(side, f"ALTER ROLE mig VALID UNTIL '{soon}'", "ALTER ROLE mig VALID UNTIL 'infinity'"):
        finding = the_only(pair.check(), f"{side}-user-expiry", "warning", pair.address(side))
    assert "ALTER ROLE \"mig\" VALID UNTIL 'infinity';" in finding.remedy


@shows("tablespaces")
def test_tablespaces(pair):
    directory = pair.source.data.parent / "extra"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o777)
    pair.run("source", f"CREATE TABLESPACE extra LOCATION '{directory}'")
    try:
        pair.run("source", "ALTER TABLE shop.customer SET TABLESPACE extra", "one")
        assert "extra (1 relation)" in the_only(pair.check(), "tablespaces", "warning").found
    finally:
        pair.servers.clean()
        pair.run("source", "DROP TABLESPACE extra")


@shows("system-databases")
def test_a_database_of_the_service(pair):
    pair.servers.create("rdsadmin")
    finding = the_only(pair.check(databases=["one", "rdsadmin"]), "system-databases", item="rdsadmin")
    assert "belongs to the managed service" in finding.found


# -- online -----------------------------------------------------------------------------------------------------------


@shows("replication-attribute")
@pytest.mark.parametrize("provider", ["host", "azure"])
def test_online_needs_replication(pair, provider):
    with pair.ready(provider, "online"), pair.undone("source", "ALTER ROLE mig NOREPLICATION", "SELECT 1"):
        finding = the_only(
            pair.check(provider=provider, mode="online"), "replication-attribute", item=pair.address("source")
        )
    assert finding.remedy == 'On the source: ALTER ROLE "mig" REPLICATION;' and finding.code == "603104"


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        pytest.param({"wal_level": "replica"}, {"wal-level": "failed"}, marks=shows("wal-level"), id="wal_level"),
        pytest.param(
            {"max_replication_slots": 0}, {"replication-slots": "failed"}, marks=shows("replication-slots"), id="slots"
        ),
        pytest.param({"max_wal_senders": 5}, {"wal-senders": "failed"}, marks=shows("wal-senders"), id="senders"),
        pytest.param(
            {"max_slot_wal_keep_size": "1GB"},
            {"slot-wal-limit": "warning"},
            marks=shows("slot-wal-limit"),
            id="kept log",
        ),
        pytest.param(
            {"wal_sender_timeout": "30s", "max_worker_processes": 8},
            {"wal-sender-timeout": "warning", "worker-processes": "warning"},
            marks=shows("wal-sender-timeout", "worker-processes"),
            id="timeout and workers",
        ),
    ],
)
def test_online_settings(pair, values, rules):
    if "max_slot_wal_keep_size" in values and SOURCE_MAJOR < 13:
        pytest.skip("this major does not have the setting")
    with pair.settings("source", **values):
        for provider in ("host", "azure"):
            with pair.ready(provider, "online"):
                findings = pair.check(provider=provider, mode="online")
            known = {
                rule: status
                for rule, status in rules.items()
                if provider == "azure" or "wal_sender_timeout" not in values
            }
            assert {finding.rule: finding.status for finding in troubles(findings)} == known
            for finding in troubles(findings):
                assert any(name in finding.remedy for name in values), finding.remedy


@shows("log-growth")
def test_a_log_that_grows_quickly(pair):
    stop = threading.Event()

    def write() -> None:
        connection = psycopg2.connect(**pair.source.connection(dbname="healthy"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("SELECT pg_logical_emit_message(false, 'noise', repeat('x', 4000000))")
        connection.close()

    thread = threading.Thread(target=write, daemon=True)
    with pair.ready(mode="online"):
        thread.start()
        try:
            finding = the_only(
                pair.check(mode="online", only=["log-growth"]), "log-growth", "warning", pair.address("source")
            )
        finally:
            stop.set()
            thread.join()
    assert "MB/s of log" in finding.found and "quiet time" in finding.remedy


# -- kinds of source --------------------------------------------------------------------------------------------------

KINDS = {
    # Kind: what shows it, what takes it away, words of the remedy for the log, for the right to replicate.
    "AWS_RDS": (
        "CREATE ROLE rdsadmin",
        "DROP ROLE rdsadmin",
        "ParameterName=rds.logical_replication,ParameterValue=1",
        'GRANT rds_replication TO "mig";',
    ),
    "AWS_AURORA": (
        "CREATE ROLE rdsadmin; CREATE FUNCTION public.aurora_version() RETURNS text LANGUAGE sql AS 'SELECT ''15.4'''",
        "DROP ROLE rdsadmin; DROP FUNCTION public.aurora_version()",
        "modify-db-cluster-parameter-group",
        'GRANT rds_replication TO "mig";',
    ),
    "GCP_CloudSQL": (
        "CREATE ROLE cloudsqladmin; CREATE ROLE cloudsqlsuperuser",
        "DROP ROLE cloudsqladmin; DROP ROLE cloudsqlsuperuser",
        "cloudsql.logical_decoding=on",
        'ALTER ROLE "mig" REPLICATION;',
    ),
    "GCP_AlloyDB": (
        "CREATE ROLE alloydbsuperuser",
        "DROP ROLE alloydbsuperuser",
        "alloydb.logical_decoding=on",
        'ALTER ROLE "mig" REPLICATION;',
    ),
    "PostgreSQLSingleServer": (
        "CREATE ROLE azure_superuser; CREATE ROLE azure_pg_admin",
        "DROP ROLE azure_superuser; DROP ROLE azure_pg_admin",
        "--name azure.replication_support --value logical",
        'ALTER ROLE "mig" REPLICATION;',
    ),
    "PostgreSQLFlexibleServer": (
        "CREATE ROLE azuresu; CREATE ROLE azure_pg_admin",
        "DROP ROLE azuresu; DROP ROLE azure_pg_admin",
        "flexible-server parameter set --resource-group GROUP --server-name SERVER --name wal_level --value logical",
        'ALTER ROLE "mig" REPLICATION;',
    ),
    "EDB": (
        "CREATE ROLE enterprisedb",
        "DROP ROLE enterprisedb",
        "ALTER SYSTEM SET wal_level = logical;",
        "ALTER ROLE",
    ),
    "Supabase_PostgreSQL": ("CREATE ROLE supabase_admin", "DROP ROLE supabase_admin", "console", "ALTER ROLE"),
}


@pytest.fixture(scope="module")
def not_logical(check_servers):
    """The source's log is not made for decoding."""
    check_servers.run("source", "ALTER SYSTEM SET wal_level = replica")
    check_servers.source.restart()
    yield
    check_servers.run("source", "ALTER SYSTEM RESET ALL")
    check_servers.source.restart()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_source_shows_itself_and_has_its_own_remedies(pair, not_logical, kind):
    do, undo, logical, replicate = KINDS[kind]
    only = ["source-kind", "wal-level", "replication-attribute", "service-flexible-source"]
    with pair.undone("source", do, undo):
        findings = pair.check(mode="online", only=only)
        by_service = pair.check(provider="azure", mode="online", only=only)
        told = pair.check(mode="online", only=only, source_type=kind)
        wrong = pair.check(mode="online", only=only, source_type="Huawei_RDS")
    by_rule = {finding.rule: finding for finding in findings}
    assert by_rule["source-kind"].status == "succeeded" and "(" in by_rule["source-kind"].found
    assert logical in by_rule["wal-level"].remedy
    assert replicate in by_rule["replication-attribute"].remedy
    refused = of_rule(by_service, "service-flexible-source")
    assert (refused.status == "failed") == (kind == "PostgreSQLFlexibleServer")
    if refused.status == "failed":
        assert refused.code == "603405" and "provider: host" in refused.remedy
    assert of_rule(told, "source-kind").status == "succeeded"
    assert of_rule(wrong, "source-kind").status == "warning"
    assert f"source_type: {kind}" in of_rule(wrong, "source-kind").remedy


@shows("source-kind", "service-flexible-source")
def test_source_type_without_a_sign_is_believed(pair):
    findings = pair.check(
        mode="online", only=["source-kind", "wal-level", "replication-attribute"], source_type="AWS_RDS"
    )
    assert "as 'source_type' says" in of_rule(findings, "source-kind").found
    assert "rds_replication" in of_rule(findings, "replication-attribute").remedy
    with pair.undone("source", "CREATE ROLE azuresu", "DROP ROLE azuresu"):
        assert of_rule(pair.check(source_type="OnPremises"), "source-kind").status == "warning"
        assert of_rule(pair.check(provider="azure"), "service-flexible-source").status == "failed"


@shows("entra-roles")
@pytest.mark.parametrize(("provider", "status"), [("host", "warning"), ("azure", "failed")])
def test_roles_of_entra_must_exist_on_the_target(pair, provider, status):
    roles = 'CREATE ROLE azure_ad_user; CREATE ROLE "anna@example.com" IN ROLE azure_ad_user'
    undo = 'DROP ROLE "anna@example.com"; DROP ROLE azure_ad_user'
    with pair.ready(provider), pair.undone("source", roles, undo):
        finding = the_only(pair.check(provider=provider), "entra-roles", status, pair.address("target"))
        assert "1 role of Microsoft Entra ID missing on the target: anna@example.com" in finding.found
        assert "pgaadauth_create_principal('anna@example.com', false, false);" in finding.remedy
        assert finding.code == "603103"
        assert troubles(pair.check(provider=provider, role_map={"anna@example.com": "app"})) == []
