# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A healthy pair gives no finding; nothing is written; with hardly any right nothing crashes and every blind rule says why."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks import catalogue
from ansible_collections.azpg.migrate.plugins.module_utils._checks.registry import RULES
from support.checks import COMBINATIONS, session, troubles

# On the host that the tests run on, the state directory may lie in a container's own layer.
OF_THE_HOST = "state-directory-file-system"
# Asked for by an option, and never without it.
BY_OPTION = {"target-create-database", "source-create-slot"}


@pytest.mark.parametrize(("provider", "mode"), COMBINATIONS)
def test_a_healthy_pair(checked_pair, provider, mode):
    with checked_pair.ready(provider, mode):
        findings = checked_pair.check(provider=provider, mode=mode)
    assert troubles(findings) == []
    assert {finding.rule for finding in findings if finding.status == "skipped"} == {
        rule.id for rule in RULES if rule.id in BY_OPTION and mode in rule.modes
    }
    expected = {rule.id for rule in RULES if mode in rule.modes and provider in rule.providers}
    assert {finding.rule for finding in findings} == expected - {OF_THE_HOST}


@pytest.mark.parametrize("provider", ["host", "azure"])
def test_nothing_is_written_and_no_session_stays(checked_pair, provider):
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mig'"
    inside = (
        "SELECT xact_commit >= 0, tup_inserted + tup_updated + tup_deleted FROM pg_stat_database WHERE datname = 'one'"
    )
    with checked_pair.ready(provider):
        checked_pair.check(provider=provider)
    assert not checked_pair.state.exists()
    assert checked_pair.run("target", "SELECT count(*) FROM pg_database WHERE datname = 'one'") == [(0,)]
    for side in ("source", "target"):
        for _attempt in range(50):
            if checked_pair.run(side, query) == [(0,)]:
                break
        assert checked_pair.run(side, query) == [(0,)]
    assert len(checked_pair.run("source", inside)) == 1


def test_no_lock_is_stronger_than_access_share(checked_pair, monkeypatch):
    """Whoever holds a table exclusively keeps a check out of that table for seconds, and out of nothing else."""
    monkeypatch.setitem(catalogue.SETTINGS, "lock_timeout", "200ms")
    with session(checked_pair.source, "LOCK TABLE shop.customer IN ACCESS EXCLUSIVE MODE"):
        findings = checked_pair.check(exclude=["source-quiet", OF_THE_HOST])
    assert troubles(findings) == []
    blind = [finding for finding in findings if finding.status == "skipped" and finding.rule not in BY_OPTION]
    assert blind and all(
        "lock" in finding.found and "pg_locks" in finding.remedy
        for finding in blind
        if finding.rule == "largest-tables"
    )


@pytest.mark.parametrize(("provider", "mode"), COMBINATIONS)
def test_hardly_any_right_crashes_nothing(checked_pair, provider, mode):
    with (
        checked_pair.undone("source", "CREATE ROLE guest LOGIN PASSWORD 'guest'", "DROP ROLE guest"),
        checked_pair.undone("target", "CREATE ROLE guest LOGIN PASSWORD 'guest'", "DROP ROLE guest"),
    ):
        words = {"user": "guest", "password": "guest"}
        findings = checked_pair.check(source=words, target=words, provider=provider, mode=mode)
    expected = {"source-schema-usage", "source-readable", "target-database-creatable", "target-roles-administered"}
    if provider == "azure":
        expected |= {
            "service-target-admin",
            "target-roles-creatable",
            "service-target-visibility",
            "service-database-owner",
        }
    if mode == "online":
        expected |= {"replication-attribute", "publication-rights"}
    assert {finding.rule for finding in troubles(findings)} == expected
    assert "could not be evaluated" not in " ".join(finding.found for finding in findings)


@pytest.mark.parametrize(("provider", "mode"), COMBINATIONS)
def test_connect_and_select_are_enough_to_look(checked_pair, provider, mode):
    """With CONNECT and SELECT alone every rule that cannot look names the right that would let it."""
    grants = "GRANT USAGE ON SCHEMA shop TO guest; GRANT SELECT ON ALL TABLES IN SCHEMA shop TO guest;"
    grants += "GRANT SELECT ON ALL SEQUENCES IN SCHEMA shop TO guest"
    with (
        checked_pair.undone(
            "source", "CREATE ROLE guest LOGIN PASSWORD 'guest'", "DROP OWNED BY guest; DROP ROLE guest"
        ),
        checked_pair.undone("source", grants, "DROP OWNED BY guest", "one"),
    ):
        checked_pair.run(
            "source",
            "CREATE EXTENSION pg_trgm; UPDATE pg_extension SET extname = 'pgaudit' WHERE extname = 'pg_trgm'",
            "one",
        )
        with (
            session(checked_pair.source, "INSERT INTO shop.customer (name) VALUES ('c')"),
            session(checked_pair.source, "CREATE TABLE public.elsewhere ()", dbname="healthy"),
        ):
            findings = checked_pair.check(source={"user": "guest", "password": "guest"}, provider=provider, mode=mode)
    blind = [finding for finding in findings if finding.status == "skipped" and not finding.because]
    wanted = {"source-long-transactions", "extensions-preloaded", "target-create-database"}
    if mode == "online":
        wanted.add("other-databases-transactions")
    assert {finding.rule for finding in blind} == wanted
    for finding in blind:
        assert "GRANT" in finding.remedy or "probe" in finding.remedy, finding
