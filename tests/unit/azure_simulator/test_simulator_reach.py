# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service finds out about the network: one way in which everything is right, and what breaks it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

LINK_ZONE = "privatelink.postgres.database.azure.com"
SOURCE = "10.20.0.4:5432"


@pytest.fixture
def landscape(azure):
    """A private source, a runtime server in a network, a target behind a private endpoint in a third."""
    source = azure.add_network(
        "source", "rg", addresses=("10.20.0.0/16",), subnets={"vm": {"addresses": "10.20.0.0/24"}}
    )
    hub = azure.add_network("hub", "rg", subnets={"runtime": {"addresses": "10.10.1.0/24", "delegated": True}})
    spoke = azure.add_network("spoke", "rg", addresses=("10.30.0.0/16",), subnets={"pe": {"addresses": "10.30.0.0/24"}})
    azure.add_peering(hub, source)
    azure.add_peering(hub, spoke)
    zone = azure.add_dns_zone("hub.private.postgres.database.azure.com", "rg", [hub])
    words = {"delegated_subnet_id": hub + "/subnets/runtime", "private_dns_zone_id": zone}
    runtime = azure.add_flexible_server("runtime", "rg", **words)
    target = azure.add_flexible_server("target", "rg", public_network_access="Disabled")
    link = azure.add_dns_zone(LINK_ZONE, "rg", [hub, spoke])
    azure.add_private_endpoint("pe", "rg", spoke + "/subnets/pe", target, zone=link)
    azure.place_source(SOURCE, source)
    return SimpleNamespace(source=source, hub=hub, spoke=spoke, runtime=runtime, target=target, link=link)


@pytest.fixture
def validate(azure, client, bodies):
    """Run the service's validation; return its state and what it said."""

    def run(target: str, **properties) -> tuple[str, str]:
        sent = bodies.migration(migrationOption="Validate", sourceDbServerResourceId=f"{SOURCE}@mig", **properties)
        path = f"{target}/migrations/v{len(azure.exchanges)}"
        assert client.call("PUT", path, sent).status == 201
        azure.clock.step(300)
        status = client.get(path).body["properties"]["currentStatus"]
        return status["state"], str(status)

    return run


def test_everything_is_right(landscape, validate):
    assert validate(landscape.target, migrationInstanceResourceId=landscape.runtime)[0] == "Succeeded"


def test_a_private_source_and_a_public_target_do_not_go_together(azure, landscape, validate):
    public = azure.add_flexible_server("public", "rg")
    state, text = validate(public, migrationInstanceResourceId=landscape.runtime)
    assert state == "ValidationFailed" and "not supported" in text


def test_a_private_endpoint_needs_the_runtime_server(landscape, validate):
    state, text = validate(landscape.target)
    assert state == "ValidationFailed" and "603000" in text and "runtime server" in text


def test_a_peering_must_lead_both_ways(azure, client, landscape, validate):
    client.call("DELETE", landscape.source + "/virtualNetworkPeerings/to-hub", version="2024-05-01")
    azure.clock.step(10)
    assert (
        azure.resource(landscape.hub + "/virtualNetworkPeerings/to-source")["properties"]["peeringState"]
        == "Disconnected"
    )
    state, text = validate(landscape.target, migrationInstanceResourceId=landscape.runtime)
    assert state == "ValidationFailed" and "no route" in text


def test_a_security_rule_may_stand_in_the_way(azure, client, landscape, validate):
    deny = {"name": "no", "direction": "Outbound", "access": "Deny", "priority": 100, "ports": "5000-6000"}
    group = azure.add_security_group("nsg", "rg", [deny])
    subnet = {"addressPrefix": "10.10.1.0/24", "networkSecurityGroup": {"id": group}}
    service = "Microsoft.DBforPostgreSQL/flexibleServers"
    subnet["delegations"] = [{"name": service, "properties": {"serviceName": service}}]
    client.call("PUT", landscape.hub + "/subnets/runtime", {"properties": subnet}, version="2024-05-01")
    state, text = validate(landscape.target, migrationInstanceResourceId=landscape.runtime)
    assert state == "ValidationFailed" and "security rule no of nsg" in text
    allow = {"protocol": "Tcp", "access": "Allow", "priority": 90, "direction": "Outbound", "sourcePortRange": "*"}
    allow.update(destinationPortRange="5432", sourceAddressPrefix="*", destinationAddressPrefix="*")
    client.call("PUT", group + "/securityRules/yes", {"properties": allow}, version="2024-05-01")
    assert validate(landscape.target, migrationInstanceResourceId=landscape.runtime)[0] == "Succeeded"


def test_the_targets_name_must_be_known_where_the_runtime_server_is(azure, client, landscape, validate):
    client.call("DELETE", landscape.link + "/virtualNetworkLinks/link-hub", version="2024-06-01")
    azure.clock.step(20)
    state, text = validate(landscape.target, migrationInstanceResourceId=landscape.runtime)
    assert state == "ValidationFailed" and f"{LINK_ZONE} is not linked" in text
    named = {"targetDbServerFullyQualifiedDomainName": "10.30.0.4"}
    assert validate(landscape.target, migrationInstanceResourceId=landscape.runtime, **named)[0] == "Succeeded"


def test_a_pending_endpoint_is_no_way_in(azure, client, landscape, validate):
    connection = client.get(landscape.target + "/privateEndpointConnections").body["value"][0]
    state = {"status": "Rejected", "description": "no"}
    reply = client.call("PUT", connection["id"], {"properties": {"privateLinkServiceConnectionState": state}})
    azure.clock.step(10)
    assert client.finish(reply)["status"] == "Succeeded"
    assert "603000" in validate(landscape.target, migrationInstanceResourceId=landscape.runtime)[1]


def test_a_single_server_is_reached_by_its_private_endpoint(azure, landscape, client, bodies):
    old = azure.add_single_server("old", "rg", private_endpoint=landscape.source + "/subnets/vm")

    def run() -> tuple[str, str]:
        path = f"{landscape.target}/migrations/s{len(azure.exchanges)}"
        words = {"sourceDbServerResourceId": old, "migrationInstanceResourceId": landscape.runtime}
        client.call("PUT", path, bodies.migration(migrationOption="Validate", **words))
        azure.clock.step(300)
        status = client.get(path).body["properties"]["currentStatus"]
        return status["state"], str(status)

    assert "holds no address of old" in run()[1]
    record = {"properties": {"ttl": 10, "aRecords": [{"ipv4Address": "10.20.0.5"}]}}
    assert client.call("PUT", landscape.link + "/A/old", record, version="2024-06-01").status == 201
    assert run()[0] == "Succeeded"
    found = client.get(old, version="2017-12-01").body["properties"]
    assert found["publicNetworkAccess"] == "Disabled" and len(found["privateEndpointConnections"]) == 1
    listed = client.get(old + "/privateEndpointConnections", version="2017-12-01").body["value"]
    assert listed[0]["properties"]["privateLinkServiceConnectionState"]["status"] == "Approved"
