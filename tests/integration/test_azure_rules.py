# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of Azure's control plane: each fault gives its own finding, and what was not seen is never called well."""

from __future__ import annotations

import re

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations import creating
from support.azure_stage import PRIVATE_ZONE

PORT = {"priority": 100, "protocol": "Tcp", "source": "*", "destination": "*"}


def server(stage):
    """Return the simulator's own record of the target."""
    return stage.azure.cloud.find(stage.target)


def set_on(stage, **properties):
    server(stage).properties.update(properties)


def group(stage, *rules, subnet=None):
    """Put a security group on a subnet, the runtime server's if no other."""
    identifier = stage.azure.add_security_group(
        "guard", "shop", rules=[{"name": "own", **PORT, **rule} for rule in rules]
    )
    stage.azure.cloud.find(subnet or stage.subnet).properties["networkSecurityGroup"] = {"id": identifier}


def table(stage, *routes):
    identifier = stage.azure.add_route_table("table", "shop", routes=list(routes))
    stage.azure.cloud.find(stage.subnet).properties["routeTable"] = {"id": identifier}


def remove(stage, kind, name=None):
    """Remove resources of a kind, or one of them."""
    for found in list(stage.azure.cloud.resources.values()):
        if found.type.lower().endswith(kind.lower()) and name in (None, found.name):
            stage.azure.cloud.resources.pop(found.id.lower())


def unpeer(stage, network, state=None):
    for found in list(stage.azure.cloud.resources.values()):
        if found.type.lower().endswith("virtualnetworkpeerings") and found.id.lower().startswith(network.lower() + "/"):
            if state:
                found.properties["peeringState"] = state
            else:
                stage.azure.cloud.resources.pop(found.id.lower())


def unlink(stage, network):
    for found in list(stage.azure.cloud.resources.values()):
        if found.type.lower().endswith("virtualnetworklinks") and found.properties["virtualNetwork"]["id"] == network:
            stage.azure.cloud.resources.pop(found.id.lower())


FAULTS = {
    "login": (
        lambda stage: stage.words.update(secret="another"),
        "azure-login",
        "failed",
        "The login to Azure as service principal .* from options failed",
    ),
    "rights": (
        lambda stage: stage.azure.cloud.granted.update({stage.target.lower(): ["*/read"]}),
        "azure-permissions",
        "failed",
        "may not .*migrations/write, .*migrations/delete, .*checkMigrationNameAvailability/action",
    ),
    "no such target": (
        lambda stage: remove(stage, "flexibleServers", "target"),
        "azure-target-exists",
        "failed",
        "there is no such server",
    ),
    "another host": (
        lambda stage: stage.destination.update(host="other.postgres.database.azure.com"),
        "azure-target-exists",
        "failed",
        "another server than 'target_server_id'",
    ),
    "stopped": (lambda stage: set_on(stage, state="Stopped"), "azure-target-ready", "failed", "its state is Stopped"),
    "elastic": (
        lambda stage: set_on(stage, cluster={"clusterSize": 2}),
        "azure-target-elastic-cluster",
        "failed",
        "elastic cluster",
    ),
    "burstable": (
        lambda stage: server(stage).body.update(sku={"name": "Standard_B4ms", "tier": "Burstable"}),
        "azure-target-burstable",
        "warning",
        "of tier Burstable",
    ),
    "high availability": (
        lambda stage: set_on(stage, highAvailability={"mode": "ZoneRedundant"}),
        "azure-target-high-availability",
        "failed",
        "is ZoneRedundant",
    ),
    "replica": (
        lambda stage: stage.azure.add_replica("copy", stage.target),
        "azure-target-replicas",
        "failed",
        "1 read replica: copy",
    ),
    "slow disk": (
        lambda stage: server(stage).properties["storage"].update(iops=240, tier="P6"),
        "azure-target-iops",
        "warning",
        "its disk 240 operations per second, its size .*; its disk sets the pace",
    ),
    "entra only": (
        lambda stage: set_on(stage, authConfig={"passwordAuth": "Disabled", "activeDirectoryAuth": "Enabled"}),
        "azure-target-password-login",
        "failed",
        "Microsoft Entra only",
    ),
    "flexible source": (
        lambda stage: stage.source.update(host="old.postgres.database.azure.com"),
        "azure-source-flexible",
        "failed",
        "is a flexible server itself",
    ),
    "private to public": (
        lambda stage: [remove(stage, "privateEndpoints"), remove(stage, "privateEndpointConnections")],
        "azure-network-scenario",
        "failed",
        "N11: private source, public target .* does not support",
    ),
    "no runtime yet": (lambda stage: None, "azure-network-scenario", "warning", "N10.* there is none yet"),
    "unknown way": (
        lambda stage: stage.source.update(host="localhost"),
        "azure-network-scenario",
        "skipped",
        "how the source is reached is not known",
    ),
    "not delegated": (
        lambda stage: stage.azure.cloud.find(stage.subnet).properties.update(delegations=[]),
        "azure-subnet",
        "failed",
        "it is not delegated",
    ),
    "small subnet": (
        lambda stage: stage.azure.cloud.find(stage.subnet).properties.update(addressPrefix="10.10.1.0/29"),
        "azure-subnet",
        "failed",
        "10.10.1.0/29 has 3 addresses",
    ),
    "no such subnet": (
        lambda stage: stage.options.update(delegated_subnet_id=f"{stage.runtime_network}/subnets/none"),
        "azure-subnet",
        "failed",
        "there is no such subnet",
    ),
    "no subnet named": (
        lambda stage: stage.options.pop("delegated_subnet_id"),
        "azure-subnet",
        "skipped",
        "no subnet for the runtime server is named",
    ),
    "not peered": (
        lambda stage: unpeer(stage, stage.runtime_network),
        "azure-peerings",
        "failed",
        "hub has no peering to (spoke|source)",
    ),
    "peered one way": (
        lambda stage: unpeer(stage, stage.target_network),
        "azure-peerings",
        "failed",
        "spoke has no peering to hub",
    ),
    "peering waits": (
        lambda stage: unpeer(stage, stage.source_network, "Initiated"),
        "azure-peerings",
        "failed",
        "the peering of source to hub is Initiated",
    ),
    "source's network unknown": (
        lambda stage: stage.options.pop("source_virtual_network_id"),
        "azure-peerings",
        "skipped",
        "the network of the source is not named",
    ),
    "group denies the source": (
        lambda stage: group(stage, {"direction": "Outbound", "access": "Deny", "ports": "5432"}),
        "azure-security-groups",
        "failed",
        r"rule own \(priority 100\) denies outbound the source, 10.20.0.4, port 5432",
    ),
    "group denies storage": (
        lambda stage: group(
            stage, {"direction": "Outbound", "access": "Deny", "ports": "443", "destination": "Storage"}
        ),
        "azure-security-groups",
        "failed",
        "denies outbound Azure's storage, Storage, port 443",
    ),
    "group denies pgbouncer": (
        lambda stage: group(stage, {"direction": "Inbound", "access": "Deny", "ports": "6432"}),
        "azure-security-groups",
        "warning",
        "denies inbound the subnet itself, 10.10.1.0/24, port 6432",
    ),
    "group of the source": (
        lambda stage: group(
            stage,
            {"direction": "Inbound", "access": "Deny", "ports": "5432", "source": "10.10.0.0/16"},
            subnet=f"{stage.source_network}/subnets/databases",
        ),
        "azure-security-groups",
        "failed",
        "denies inbound from 10.10.1.0/24 to the source, port 5432",
    ),
    "route into nothing": (
        lambda stage: table(stage, {"name": "hole", "prefix": "10.20.0.0/16", "next_hop": "None"}),
        "azure-routes",
        "failed",
        "route hole drops what goes to the source, 10.20.0.4",
    ),
    "route through a firewall": (
        lambda stage: table(
            stage,
            {"name": "all", "prefix": "0.0.0.0/0", "next_hop": "VirtualAppliance", "address": "10.10.9.4"},
        ),
        "azure-routes",
        "warning",
        "route all leads what goes to the target through a firewall",
    ),
    "zone of endpoints": (
        lambda stage: stage.options.update(private_dns_zone_id=stage.private_zone),
        "azure-dns-zone",
        "failed",
        "this is the zone of private endpoints",
    ),
    "endpoint's zone not linked": (
        lambda stage: unlink(stage, stage.runtime_network),
        "azure-private-endpoint-dns",
        "failed",
        "not linked to hub, the network of the runtime server",
    ),
    "endpoint without zone group": (
        lambda stage: remove(stage, "privateDnsZoneGroups"),
        "azure-private-endpoint-dns",
        "failed",
        "it has no DNS zone group",
    ),
    "custom dns": (
        lambda stage: stage.azure.cloud.find(stage.runtime_network).properties.update(
            dhcpOptions={"dnsServers": ["10.0.0.53"]}
        ),
        "azure-dns-servers",
        "warning",
        "looked up by 10.0.0.53",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_gives_its_own_finding_with_a_remedy(stage, fault):
    make, rule, status, words = FAULTS[fault]
    make(stage)
    findings = stage.check()
    said = [f"{item['found']} {item['status']}" for item in findings[rule]]
    matching = [item for item in findings[rule] if item["status"] == status and re.search(words, item["found"])]
    assert matching, said
    for item in matching:
        assert item["expected"]
        assert item["remedy"] or item["because"]
    # Nothing else is blamed for it, but what has this very fault in sight.
    blamed = {name for name, found in findings.items() for item in found if item["status"] == "failed"}
    assert blamed <= {rule} if status == "failed" else not blamed


def test_a_landscape_in_order_has_nothing_to_say(stage):
    stage.present()
    findings = stage.check()
    assert {item["status"] for found in findings.values() for item in found} <= {"succeeded", "skipped"}
    skipped = {name for name, found in findings.items() for item in found if item["status"] == "skipped"}
    # What only the source knows was not seen from here, and says so.
    assert skipped <= {"azure-target-storage", "azure-target-extensions", "azure-target-libraries", "azure-permissions"}
    (row,) = findings["azure-network-scenario"]
    assert (row["status"], row["found"][:3]) == ("succeeded", "N10")


def test_without_the_target_everything_else_names_it_as_the_reason(stage):
    remove(stage, "flexibleServers", "target")
    findings = stage.check()
    others = {name: found for name, found in findings.items() if name not in ("azure-login", "azure-target-exists")}
    for found in others.values():
        assert {item["because"] for item in found} == {"azure-target-exists"}


def test_a_right_that_is_lacking_gives_skipped_with_the_role_that_helps(stage):
    message = (
        "The client 'x' with object id 'y' does not have authorization to perform action "
        "'Microsoft.Network/virtualNetworks/read' over scope '/subscriptions/z'."
    )
    stage.azure.trouble.add(
        "refused", path="virtualNetworks", times=None, status=403, code="AuthorizationFailed", message=message
    )
    findings = stage.check()
    for rule in ("azure-subnet", "azure-dns-servers"):
        (item,) = findings[rule]
        assert item["status"] == "skipped"
        assert "It lacks Microsoft.Network/virtualNetworks/read" in item["remedy"]
        assert "--scope /subscriptions/z" in item["remedy"]


@pytest.mark.parametrize(
    ("words", "rule", "found"),
    [
        ({"sku": "Standard_D2s_v3"}, "azure-runtime-size", "its size is Standard_D2s_v3"),
        ({"sku": "Standard_D2s_v3"}, "azure-runtime-iops", "Standard_D2s_v3 lets through"),
        ({"state": "Stopped"}, "azure-runtime-ready", "its state is Stopped"),
        ({"delegated_subnet_id": None, "private_dns_zone_id": None}, "azure-runtime-network", "its access is public"),
        ({"high_availability": "SameZone"}, "azure-runtime-high-availability", "is SameZone"),
    ],
)
def test_a_runtime_server_that_does_not_fit_is_found(stage, words, rule, found):
    identifier = stage.add_runtime(**words)
    (item,) = [item for item in stage.check(runtime_server_id=identifier)[rule] if item["status"] != "succeeded"]
    assert found in item["found"]


def test_the_runtime_servers_zone_has_to_be_linked(stage):
    identifier = stage.add_runtime()
    findings = stage.check(runtime_server_id=identifier)
    said = {item["found"] for item in findings["azure-dns-links"] if item["status"] == "failed"}
    assert said == {"not linked to source, the network of the source", "not linked to spoke, the network of the target"}


def test_a_migration_that_is_active_is_told(stage):
    stage.runtime = stage.add_runtime()
    frozen = stage.azure.trouble.add("frozen", path="migrations/foreign", times=None)
    stage.create_by_hand("foreign")
    (item,) = stage.check()["azure-target-busy"]
    assert (item["status"], "migration foreign is active" in item["found"]) == ("warning", True)
    frozen.remove()


def test_names_that_are_all_taken_are_told(stage, monkeypatch):
    (item,) = stage.check()["azure-target-migration-name"]
    assert item["status"] == "succeeded" and item["found"].endswith("has never been used")
    stage.runtime = stage.add_runtime()
    stage.create_by_hand(item["found"].split(" ")[0])
    (item,) = stage.check()["azure-target-migration-name"]
    assert item["status"] == "succeeded" and item["found"].endswith("has never been used, 1 before it have")
    monkeypatch.setattr(creating, "MOST_NAMES", 1)
    (item,) = stage.check()["azure-target-migration-name"]
    assert (item["status"], item["remedy"]) == ("failed", "Choose another 'name'.")
    assert "The names of 1 runs of migration shop are taken on target" in item["found"]


def test_extensions_and_pending_restarts_are_read_from_the_control_plane(stage, lab, monkeypatch):
    ends = lab.endpoint("source")
    stage.source = ends
    stage.databases = ["seed_small"]
    lab.source.psql("CREATE EXTENSION IF NOT EXISTS pgcrypto", dbname="seed_small")
    try:
        session = stage.session()
        allowed = f"{stage.target}/configurations/azure.extensions"
        session.finish("PUT", allowed, {"properties": {"value": "HSTORE", "source": "user-override"}})
        session.finish(
            "PUT",
            f"{stage.target}/configurations/max_replication_slots",
            {"properties": {"value": "20", "source": "user-override"}},
        )
        findings = stage.check()
        (item,) = findings["azure-target-extensions"]
        assert (item["status"], item["code"]) == ("failed", "603108")
        assert "--value 'HSTORE,pgcrypto'" in item["remedy"]
        (item,) = findings["azure-target-pending-restart"]
        assert (item["status"], item["found"]) == (
            "warning",
            "these parameters wait for a restart: max_replication_slots",
        )
        (item,) = findings["azure-target-storage"]
        assert item["status"] == "succeeded"
        server(stage).properties["storage"]["storageSizeGB"] = 0
        (item,) = stage.check()["azure-target-storage"]
        assert item["status"] == "failed"
    finally:
        lab.source.psql("DROP EXTENSION pgcrypto", dbname="seed_small")


def test_the_zone_of_private_endpoints_is_the_right_one(stage):
    assert stage.private_zone.endswith(PRIVATE_ZONE)
    record = stage.azure.cloud.find(f"{stage.private_zone}/A/target")
    stage.azure.cloud.resources.pop(record.id.lower())
    items = stage.check()["azure-private-endpoint-dns"]
    assert [item["found"] for item in items if item["status"] == "failed"] == ["it has no record target"]
