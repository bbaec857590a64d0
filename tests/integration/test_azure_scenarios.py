# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented cases that need a runtime server, from provisioning to cleanup: who is private, and behind a private endpoint."""

from __future__ import annotations

import pytest
from support.azure_stage import GROUP


def single_server(stage) -> None:
    """Let the source be a Single Server behind a private endpoint in its own network."""
    identifier = stage.azure.add_single_server("legacy", GROUP, version="11", public_network_access="Disabled")
    zone = stage.azure.cloud.find(stage.private_zone)
    stage.azure.add_private_endpoint(
        "legacy-endpoint",
        GROUP,
        f"{stage.source_network}/subnets/databases",
        identifier,
        zone=zone.id,
        address="10.20.0.9",
    )
    stage.source = {**stage.source, "host": "legacy.postgres.database.azure.com", "user": "migrator@legacy"}
    stage.words["source_server_id"] = identifier


def of_type(kind: str):
    def choose(stage) -> None:
        stage.words["source_type"] = kind

    return choose


@pytest.mark.parametrize(
    ("choose", "row"),
    [
        (single_server, "N13"),
        (of_type("OnPremises"), "N10"),
        (of_type("AzureVM"), "N10"),
        (of_type("AWS_RDS"), "N10"),
    ],
    ids=["single-server", "on-premises", "azure-vm", "aws"],
)
def test_a_private_source_and_a_private_endpoint_by_way_of_a_runtime_server(stage, choose, row):
    choose(stage)
    (before,) = stage.check()["azure-network-scenario"]
    assert (before["status"], before["found"].split(":")[0]) == ("warning", row)
    assert "a runtime server is required, and there is none yet" in before["found"]
    stage.present()
    (after,) = stage.check()["azure-network-scenario"]
    assert (after["status"], after["found"].split(":")[0]) == ("succeeded", row)
    failed = {name for name, found in stage.check().items() for item in found if item["status"] == "failed"}
    assert failed == set()
    assert stage.ensure()["state"] == "completed"
    (body,) = stage.sent("PUT")
    assert body["properties"]["migrationInstanceResourceId"].lower() == stage.runtime_name.lower()
    assert stage.clean(evidence=stage.evidence())["state"] == "decommissioned"
    assert stage.azure.resource(stage.runtime_name) is None


def test_a_single_server_is_read_once_and_in_its_own_version(stage):
    single_server(stage)
    stage.check()
    (call,) = stage.azure.calls("GET", "Microsoft.DBforPostgreSQL/servers/legacy$")
    assert call.query["api-version"] == "2017-12-01"


def test_a_private_source_in_reach_of_the_targets_own_network_needs_no_runtime_server(stage):
    zone = stage.azure.add_dns_zone(
        "target.private.postgres.database.azure.com", GROUP, networks=[stage.runtime_network]
    )
    stage.target = stage.azure.add_flexible_server(
        "inside", GROUP, sku="Standard_D4s_v3", delegated_subnet_id=stage.subnet, private_dns_zone_id=zone
    )
    stage.destination["host"] = "inside.postgres.database.azure.com"
    stage.options.pop("delegated_subnet_id")
    findings = stage.check()
    (row,) = findings["azure-network-scenario"]
    assert (row["status"], row["found"][:3]) == ("succeeded", "N5:")
    # The target itself connects: its network is the one that is looked at.
    assert {item["found"] for item in findings["azure-peerings"]} == {
        "the target is in the target's own network",
        "peered both ways",
    }
    assert {name for name, found in findings.items() for item in found if item["status"] == "failed"} == set()
