# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the servers' versions and room, and with the host that executes the task."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psycopg2
import psycopg2.extras
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks import catalogue, reach, sizes, versions
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import DependencyMissing
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._module.premigration_check import Expectation
from support.checks import SOURCE_MAJOR, TARGET_MAJOR, both_sides, of_rule, session, shows, the_only, troubles
from support.migrations import environment

# -- versions and programs --------------------------------------------------------------------------------------------


@pytest.mark.skipif(SOURCE_MAJOR == TARGET_MAJOR, reason="needs two majors")
@shows("target-version")
def test_an_older_target(checked_pair):
    finding = the_only(
        checked_pair.check(
            source=checked_pair.target.connection("mig", "target"),
            target=checked_pair.source.connection("mig", "source"),
            only=["target-version"],
        ),
        "target-version",
        item=checked_pair.address("source"),
    )
    assert f"PostgreSQL {SOURCE_MAJOR}." in finding.found
    assert finding.expected == f"PostgreSQL {TARGET_MAJOR} or newer on the target"


@pytest.mark.skipif(SOURCE_MAJOR == TARGET_MAJOR, reason="needs two majors")
@shows("client-programs")
def test_a_client_program_that_is_too_old(checked_pair):
    if not (checked_pair.source.prefix / "bin" / "pg_dump").exists():
        pytest.skip("this build of the server has no client programs")
    finding = the_only(
        checked_pair.check(bin_directory=str(checked_pair.source.prefix / "bin")),
        "client-programs",
        item=str(checked_pair.source.prefix / "bin"),
    )
    assert finding.expected == f"client programs {TARGET_MAJOR} or newer"
    assert f"postgresql-client-{TARGET_MAJOR}" in finding.remedy


@shows("client-programs")
def test_no_client_programs(checked_pair, tmp_path):
    finding = the_only(checked_pair.check(bin_directory=str(tmp_path)), "client-programs", item=str(tmp_path))
    assert "No pg_dump and pg_restore in" in finding.found


@shows("source-version")
@pytest.mark.parametrize("provider", ["host", "azure"])
def test_a_source_that_is_too_old(checked_pair, provider, monkeypatch):
    # No server of that age can be had, so the border is moved.
    border = (SOURCE_MAJOR + 1) * 10000
    monkeypatch.setattr(versions, "OLDEST_SOURCE", {"host": border, "azure": border})
    with checked_pair.ready(provider):
        finding = the_only(checked_pair.check(provider=provider), "source-version", item=checked_pair.address("source"))
    assert finding.code == "603400" and f"PostgreSQL {SOURCE_MAJOR + 1} or newer" in finding.expected


@shows("runtime-driver")
def test_a_driver_that_is_missing(checked_pair, monkeypatch):
    # The tests themselves need psycopg2.
    def missing():
        raise DependencyMissing("no psycopg2", "install it")

    monkeypatch.setattr(reach, "require_driver", missing)
    findings = checked_pair.check()
    (finding,) = [finding for finding in troubles(findings) if finding.rule == "runtime-driver"]
    assert (finding.found, finding.remedy) == ("no psycopg2", "install it")
    assert [item.rule for item in troubles(findings)] == ["runtime-driver"]


@shows("source-standby", "source-standby-online", "target-writable")
def test_a_standby(checked_pair):
    checked_pair.run("source", "CHECKPOINT")
    checked_pair.source.stop()
    signal = checked_pair.source.data / ("standby.signal" if SOURCE_MAJOR >= 12 else "recovery.conf")
    signal.write_text("" if SOURCE_MAJOR >= 12 else "standby_mode = on\n", encoding="ascii")
    try:
        checked_pair.source.start()
        address = checked_pair.address("source")
        the_only(checked_pair.check(), "source-standby", "warning", address)
        with (
            psycopg2.connect(**checked_pair.source.connection(dbname="one")) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT pg_export_snapshot()")
        online = checked_pair.check(mode="online")
        assert {"source-standby-online", "replication-attribute", "publication-rights"} == {
            finding.rule for finding in troubles(online)
        }
        assert of_rule(online, "log-growth").because == "source-standby-online"
        reverse = checked_pair.check(
            source=checked_pair.target.connection("mig", "target"),
            target=checked_pair.source.connection("mig", "source"),
            only=["target-writable"],
        )
        assert "in recovery" in the_only(reverse, "target-writable", item=address).found
    finally:
        checked_pair.source.stop()
        signal.unlink()
        checked_pair.source.start()


# -- room -------------------------------------------------------------------------------------------------------------


@shows("state-directory-room")
def test_too_little_disk(checked_pair):
    finding = the_only(
        checked_pair.check(minimum_free_bytes=10**18),
        "state-directory-room",
        item=str(checked_pair.state / "migrations" / "shop"),
    )
    assert finding.expected.startswith("1000000.0 TB free")
    assert "state_directory" in finding.remedy


@shows("state-directory-file-system")
def test_a_state_directory_in_memory(checked_pair):
    checked_pair.state = Path("/dev/shm/azpg-migrate-absent")
    findings = checked_pair.check(exclude=(), only=["state-directory-file-system"])
    finding = the_only(
        findings, "state-directory-file-system", "warning", "/dev/shm/azpg-migrate-absent/migrations/shop"
    )
    assert "tmpfs" in finding.found


def test_a_state_directory_that_cannot_be_written(tmp_path):
    """Root may write everywhere, so it becomes somebody else for this, in a process of its own."""
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    program = (
        "import os, sys; from types import SimpleNamespace as Words;"
        "from ansible_collections.azpg.migrate.plugins.module_utils._checks import capacity;"
        "os.geteuid() or os.setuid(65534);"
        "(seen,) = capacity.state_room(Words(layout=Words(directory=sys.argv[1])));"
        "print(seen.kind, seen.found, seen.remedy, sep='|')"
    )
    command = [sys.executable, "-c", program, str(locked / "state")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    kind, found, remedy = done.stdout.strip().split("|")
    assert kind == "violated" and re.search(r" cannot be written by user id [1-9]", found)
    assert "or set 'state_directory'" in remedy


@shows("source-lock-table", "target-lock-table")
def test_the_lock_table_is_too_small(checked_pair):
    checked_pair.run(
        "source",
        "SET ROLE app; DO $$ BEGIN FOR i IN 1..1500 LOOP EXECUTE format('CREATE TABLE shop.t%s ()', i); END LOOP; END $$",
        "one",
    )
    small = {"max_locks_per_transaction": 10, "max_connections": 90}
    with checked_pair.settings("source", **small):
        finding = the_only(checked_pair.check(only=["*-lock-table"]), "source-lock-table")
    assert finding.found == "1503 tables, room for 1000 locks"
    assert "max_locks_per_transaction = 128" in finding.remedy
    with checked_pair.settings("target", **small):
        finding = the_only(checked_pair.check(only=["*-lock-table"]), "target-lock-table", "warning")
    assert "restart it" in finding.remedy


@both_sides("connections")
@pytest.mark.parametrize("provider", ["host", "azure"])
def test_too_few_connections(checked_pair, side, provider):
    with (
        checked_pair.ready(provider),
        checked_pair.undone(side, "ALTER ROLE mig CONNECTION LIMIT 6", "ALTER ROLE mig CONNECTION LIMIT -1"),
    ):
        finding = the_only(
            checked_pair.check(provider=provider), f"{side}-connections", item=checked_pair.address(side)
        )
    assert "may hold 6 connections" in finding.found
    assert finding.remedy == f'On the {side}: ALTER ROLE "mig" CONNECTION LIMIT -1;'


def test_too_few_connections_on_both(checked_pair):
    found = troubles(checked_pair.check(jobs=200))
    assert [(finding.rule, finding.status) for finding in found] == [
        ("source-connections", "failed"),
        ("target-connections", "failed"),
    ]
    assert "203 free connections" in found[0].expected


@shows("estimated-duration")
def test_more_than_the_service_carries_in_a_week(checked_pair, monkeypatch):
    # No test has 30 TB, so the week is made shorter.
    monkeypatch.setattr(sizes, "SERVICE_LIFETIME_SECONDS", 30)
    with checked_pair.ready("azure"):
        finding = the_only(checked_pair.check(provider="azure"), "estimated-duration", item="source and target")
    assert "the service gives up after 30 s" in finding.found


ESTIMATE = {
    "seconds": 600,
    "seconds_low": 300,
    "seconds_high": 1200,
    "runtime_disk_bytes": 5_000_000,
    "basis": ["a sample"],
}


def test_an_estimate_is_told(checked_pair):
    findings = checked_pair.check(estimator=lambda: ESTIMATE)
    assert of_rule(findings, "estimated-duration").found == "about 10 min 0 s (5 min 0 s to 20 min 0 s), from a sample"
    assert "5.0 MB on the runtime server" in of_rule(findings, "disk-needed").found


def test_an_estimate_that_was_not_to_be_had_is_skipped(checked_pair, monkeypatch):
    monkeypatch.setitem(catalogue.SETTINGS, "lock_timeout", "200ms")
    ends = (checked_pair.source.connection("mig", "source"), checked_pair.target.connection("mig", "target"))
    parameters = {"jobs": 4, "max_bytes_per_second": None}
    task = SimpleNamespace(request=Request.create("shop", *ends, ["one"]), parameters=parameters)
    with session(checked_pair.source, "LOCK TABLE shop.customer IN ACCESS EXCLUSIVE MODE"):
        findings = checked_pair.check(estimator=Expectation(task, scratch=False), only=["estimated-duration"])
    (finding,) = findings
    assert finding.status == "skipped" and "lock timeout" in finding.found
    assert Expectation(task, scratch=False)()["seconds"] > 0


def test_the_largest_tables_are_named(checked_pair):
    checked_pair.run(
        "source", "INSERT INTO shop.customer (name) SELECT repeat('x', 500) FROM generate_series(1, 4000)", "one"
    )
    found = of_rule(checked_pair.check(), "largest-tables").found
    assert found.startswith('"shop"."customer" 2.') and " %)" in found
    # Whoever has seen them already is believed.
    known = {"largest": {"one": [{"oid": 1, "schema": "shop", "name": "other", "bytes": 5_000_000}]}}
    findings = checked_pair.check(estimator=lambda: {**ESTIMATE, **known}, only=["largest-tables"])
    assert of_rule(findings, "largest-tables").found.startswith('"shop"."other" 5.0 MB')
