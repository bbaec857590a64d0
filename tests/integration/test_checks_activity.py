# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on at the source while a migration begins, and whether its server can hand out changes."""

from __future__ import annotations

import contextlib
import datetime
import threading

import psycopg2
import psycopg2.extras
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks import activity
from support.checks import SOURCE_MAJOR, both_sides, of_rule, session, shows, the_only, troubles


@shows("source-quiet")
def test_the_application_is_not_stopped(checked_pair):
    with session(checked_pair.source, "INSERT INTO shop.customer (name) VALUES ('c')"):
        findings = checked_pair.check()
    finding = the_only(findings, "source-quiet", "warning", checked_pair.address("source"))
    assert "1 session of postgres (till) in one, 1 with uncommitted writes" in finding.found
    assert 'ALTER DATABASE "one" SET default_transaction_read_only = on;' in finding.remedy
    blind = of_rule(findings, "source-long-transactions")
    assert (blind.status, blind.remedy) == ("skipped", 'GRANT pg_read_all_stats TO "mig";')


@contextlib.contextmanager
def seeing_all(checked_pair):
    """Let the source's user see what others do."""
    with checked_pair.undone("source", "GRANT pg_read_all_stats TO mig", "REVOKE pg_read_all_stats FROM mig"):
        yield


@shows("source-long-transactions")
def test_a_long_transaction(checked_pair, monkeypatch):
    monkeypatch.setattr(activity, "LONG_SECONDS", -1)
    with seeing_all(checked_pair), session(checked_pair.source, "SELECT 1") as connection:
        findings = checked_pair.check(exclude=["source-quiet", "state-directory-file-system"])
        process = connection.info.backend_pid
    finding = the_only(findings, "source-long-transactions", "warning", checked_pair.address("source"))
    assert f"postgres (till) in one, pid {process}, open for" in finding.found
    assert f"pg_terminate_backend({process})" in finding.remedy


@shows("source-prepared-transactions")
def test_a_prepared_transaction(checked_pair):
    with session(checked_pair.source, "INSERT INTO shop.customer (name) VALUES ('c')", "PREPARE TRANSACTION 'half'"):
        pass
    try:
        finding = the_only(checked_pair.check(), "source-prepared-transactions", item=checked_pair.address("source"))
    finally:
        checked_pair.run("source", "ROLLBACK PREPARED 'half'", "one")
    assert "ROLLBACK PREPARED 'half';" in finding.remedy


@shows("other-databases-transactions")
def test_a_transaction_elsewhere_keeps_a_slot_waiting(checked_pair, monkeypatch):
    monkeypatch.setattr("ansible_collections.azpg.migrate.plugins.module_utils._checks.surroundings.LONG_SECONDS", -1)
    writing = ("CREATE TEMPORARY TABLE t ()",)
    with (
        checked_pair.ready(mode="online"),
        seeing_all(checked_pair),
        session(checked_pair.source, *writing, dbname="healthy") as connection,
    ):
        finding = the_only(
            checked_pair.check(mode="online"), "other-databases-transactions", "warning", checked_pair.address("source")
        )
        assert f"postgres (till) in healthy, pid {connection.info.backend_pid}" in finding.found
        assert "pg_terminate_backend" in finding.remedy
    with session(
        checked_pair.source,
        "INSERT INTO shop.customer (name) VALUES ('c')",
        "PREPARE TRANSACTION 'far'",
        dbname="healthy",
    ):
        pass
    try:
        with checked_pair.ready(mode="online"):
            finding = the_only(
                checked_pair.check(mode="online"),
                "other-databases-transactions",
                "warning",
                checked_pair.address("source"),
            )
    finally:
        checked_pair.run("source", "ROLLBACK PREPARED 'far'", "healthy")
    assert "ROLLBACK PREPARED 'far'; (in healthy)" in finding.remedy


@shows("idle-slots")
@pytest.mark.parametrize("provider", ["host", "azure"])
def test_a_slot_that_nobody_reads(checked_pair, provider):
    with (
        checked_pair.ready(provider),
        checked_pair.undone(
            "source",
            "SELECT pg_create_logical_replication_slot('forgotten', 'pgoutput')",
            "SELECT pg_drop_replication_slot('forgotten')",
            "healthy",
        ),
    ):
        finding = the_only(
            checked_pair.check(provider=provider), "idle-slots", "warning", checked_pair.address("source")
        )
    assert "forgotten (logical of healthy, keeps " in finding.found
    assert "SELECT pg_drop_replication_slot('forgotten');" in finding.remedy


@shows("source-replicas")
def test_more_replicas_than_flexible_server_can_have(checked_pair):
    with contextlib.ExitStack() as stack:
        stack.enter_context(checked_pair.ready("azure"))
        for number in range(6):
            words = {**checked_pair.source.connection(), "application_name": f"replica{number}"}
            connection = psycopg2.connect(**words, connection_factory=psycopg2.extras.PhysicalReplicationConnection)
            stack.callback(connection.close)
        finding = the_only(
            checked_pair.check(provider="azure"), "source-replicas", "warning", checked_pair.address("source")
        )
    assert finding.found == "6 replicas follow the source"


@both_sides("user-expiry")
def test_a_password_that_expires_soon(checked_pair, side):
    soon = datetime.date.today() + datetime.timedelta(days=3)
    with checked_pair.undone(side, f"ALTER ROLE mig VALID UNTIL '{soon}'", "ALTER ROLE mig VALID UNTIL 'infinity'"):
        finding = the_only(checked_pair.check(), f"{side}-user-expiry", "warning", checked_pair.address(side))
    assert "ALTER ROLE \"mig\" VALID UNTIL 'infinity';" in finding.remedy


@shows("tablespaces")
def test_tablespaces(checked_pair):
    directory = checked_pair.source.data.parent / "extra"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o777)
    checked_pair.run("source", f"CREATE TABLESPACE extra LOCATION '{directory}'")
    try:
        checked_pair.run("source", "ALTER TABLE shop.customer SET TABLESPACE extra", "one")
        assert "extra (1 relation)" in the_only(checked_pair.check(), "tablespaces", "warning").found
    finally:
        checked_pair.servers.clean()
        checked_pair.run("source", "DROP TABLESPACE extra")


@shows("system-databases")
def test_a_database_of_the_service(checked_pair):
    checked_pair.servers.create("rdsadmin")
    finding = the_only(checked_pair.check(databases=["one", "rdsadmin"]), "system-databases", item="rdsadmin")
    assert "belongs to the managed service" in finding.found


# -- online -----------------------------------------------------------------------------------------------------------


@shows("replication-attribute")
@pytest.mark.parametrize("provider", ["host", "azure"])
def test_online_needs_replication(checked_pair, provider):
    with (
        checked_pair.ready(provider, "online"),
        checked_pair.undone("source", "ALTER ROLE mig NOREPLICATION", "SELECT 1"),
    ):
        finding = the_only(
            checked_pair.check(provider=provider, mode="online"),
            "replication-attribute",
            item=checked_pair.address("source"),
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
def test_online_settings(checked_pair, values, rules):
    if "max_slot_wal_keep_size" in values and SOURCE_MAJOR < 13:
        pytest.skip("this major does not have the setting")
    with checked_pair.settings("source", **values):
        for provider in ("host", "azure"):
            with checked_pair.ready(provider, "online"):
                findings = checked_pair.check(provider=provider, mode="online")
            known = {
                rule: status
                for rule, status in rules.items()
                if provider == "azure" or "wal_sender_timeout" not in values
            }
            assert {finding.rule: finding.status for finding in troubles(findings)} == known
            for finding in troubles(findings):
                assert any(name in finding.remedy for name in values), finding.remedy


@shows("log-growth")
def test_a_log_that_grows_quickly(checked_pair):
    stop = threading.Event()

    def write() -> None:
        connection = psycopg2.connect(**checked_pair.source.connection(dbname="healthy"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("SELECT pg_logical_emit_message(false, 'noise', repeat('x', 4000000))")
        connection.close()

    thread = threading.Thread(target=write, daemon=True)
    with checked_pair.ready(mode="online"):
        thread.start()
        try:
            finding = the_only(
                checked_pair.check(mode="online", only=["log-growth"]),
                "log-growth",
                "warning",
                checked_pair.address("source"),
            )
        finally:
            stop.set()
            thread.join()
    assert "MB/s of log" in finding.found and "quiet time" in finding.remedy
