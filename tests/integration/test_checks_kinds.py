# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of source: each shows itself, and has remedies of its own; Microsoft Entra's roles."""

from __future__ import annotations

import pytest
from support.checks import of_rule, shows, the_only, troubles

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
def test_a_kind_of_source_shows_itself_and_has_its_own_remedies(checked_pair, not_logical, kind):
    do, undo, logical, replicate = KINDS[kind]
    only = ["source-kind", "wal-level", "replication-attribute", "service-flexible-source"]
    with checked_pair.undone("source", do, undo):
        findings = checked_pair.check(mode="online", only=only)
        by_service = checked_pair.check(provider="azure", mode="online", only=only)
        told = checked_pair.check(mode="online", only=only, source_type=kind)
        wrong = checked_pair.check(mode="online", only=only, source_type="Huawei_RDS")
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
def test_source_type_without_a_sign_is_believed(checked_pair):
    findings = checked_pair.check(
        mode="online", only=["source-kind", "wal-level", "replication-attribute"], source_type="AWS_RDS"
    )
    assert "as 'source_type' says" in of_rule(findings, "source-kind").found
    assert "rds_replication" in of_rule(findings, "replication-attribute").remedy
    with checked_pair.undone("source", "CREATE ROLE azuresu", "DROP ROLE azuresu"):
        assert of_rule(checked_pair.check(source_type="OnPremises"), "source-kind").status == "warning"
        # Its address tells nothing here; what 'source_type' says does not make it another server.
        for words in ({}, {"source_type": "OnPremises"}):
            assert of_rule(checked_pair.check(provider="azure", **words), "service-flexible-source").status == "failed"


@shows("entra-roles")
@pytest.mark.parametrize(("provider", "status"), [("host", "warning"), ("azure", "failed")])
def test_roles_of_entra_must_exist_on_the_target(checked_pair, provider, status):
    roles = 'CREATE ROLE azure_ad_user; CREATE ROLE "anna@example.com" IN ROLE azure_ad_user'
    undo = 'DROP ROLE "anna@example.com"; DROP ROLE azure_ad_user'
    with checked_pair.ready(provider), checked_pair.undone("source", roles, undo):
        finding = the_only(checked_pair.check(provider=provider), "entra-roles", status, checked_pair.address("target"))
        assert "1 role of Microsoft Entra ID missing on the target: anna@example.com" in finding.found
        assert "pgaadauth_create_principal('anna@example.com', false, false);" in finding.remedy
        assert finding.code == "603103"
        assert troubles(checked_pair.check(provider=provider, role_map={"anna@example.com": "app"})) == []
