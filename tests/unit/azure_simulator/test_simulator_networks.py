# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks and private DNS: what is stored, what hangs together, what is refused."""

from __future__ import annotations

import pytest

NETWORK, DNS = "2024-05-01", "2024-06-01"


@pytest.fixture
def path(azure):
    return f"/subscriptions/{azure.subscription_id}/resourceGroups/rg/providers/Microsoft.Network"


def test_a_network_is_updating_until_its_operation_ends(azure, client, path):
    body = {"location": "eastus", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]}}  # fmt: skip
    reply = client.call("PUT", path + "/virtualNetworks/net", body, version=NETWORK)
    assert reply.status == 201 and reply.body["properties"]["provisioningState"] == "Updating"
    assert client.call("GET", reply.headers["azure-asyncoperation"]).body == {"status": "InProgress"}
    azure.clock.step(5)
    found = client.get(path + "/virtualNetworks/net", version=NETWORK).body
    assert found["properties"]["provisioningState"] == "Succeeded" and found["etag"] != reply.body["etag"]
    assert client.call("PUT", path + "/virtualNetworks/net", body, version=NETWORK).status == 200


@pytest.mark.parametrize(
    ("addresses", "code"),
    [
        ("10.11.0.0/24", "NetcfgInvalidSubnet"),
        ("10.10.1.128/25", "NetcfgSubnetRangesOverlap"),
        ("10.10.1.0/99", "InvalidCIDRNotation"),
    ],
)
def test_a_subnet_must_fit(azure, client, addresses, code):
    network = azure.add_network("net", "rg", subnets={"first": {"addresses": "10.10.1.0/24"}})
    body = {"properties": {"addressPrefix": addresses}}
    assert client.call("PUT", network + "/subnets/second", body, version=NETWORK).code == code


def test_a_delegation_comes_back_with_its_rights(azure, client):
    network = azure.add_network("net", "rg", subnets={"runtime": {"addresses": "10.10.1.0/24", "delegated": True}})
    found = client.get(network + "/subnets/runtime", version=NETWORK).body["properties"]["delegations"][0]
    assert found["properties"]["actions"] == ["Microsoft.Network/virtualNetworks/subnets/join/action"]


def test_a_delegation_that_is_in_use_stays(azure, client):
    network = azure.add_network("net", "rg", subnets={"runtime": {"addresses": "10.10.1.0/24", "delegated": True}})
    zone = azure.add_dns_zone("x.private.postgres.database.azure.com", "rg", [network])
    azure.add_flexible_server(
        "inside", "rg", delegated_subnet_id=network + "/subnets/runtime", private_dns_zone_id=zone
    )
    body = {"properties": {"addressPrefix": "10.10.1.0/24"}}
    assert (
        client.call("PUT", network + "/subnets/runtime", body, version=NETWORK).code
        == "SubnetMissingRequiredDelegation"
    )
    assert client.call("DELETE", network, version=NETWORK).code == "InUseSubnetCannotBeDeleted"


def test_a_subnet_can_be_made_and_removed(azure, client):
    network = azure.add_network("net", "rg")
    made = client.call(
        "PUT", network + "/subnets/new", {"properties": {"addressPrefix": "10.10.9.0/24"}}, version=NETWORK
    )
    assert made.status == 201
    azure.clock.step(5)
    deleted = client.call("DELETE", network + "/subnets/new", version=NETWORK)
    assert deleted.status == 202
    azure.clock.step(5)
    assert client.finish(deleted)["status"] == "Succeeded"
    assert client.get(network + "/subnets/new", version=NETWORK).status == 404


def test_a_peering_is_connected_when_both_sides_are_there(azure, client):
    one, other = azure.add_network("one", "rg"), azure.add_network("other", "rg", addresses=("10.20.0.0/16",))
    body = {"properties": {"remoteVirtualNetwork": {"id": other}}}
    made = client.call("PUT", one + "/virtualNetworkPeerings/a", body, version=NETWORK)
    assert made.body["properties"]["peeringState"] == "Initiated"
    body = {"properties": {"remoteVirtualNetwork": {"id": one}}}
    client.call("PUT", other + "/virtualNetworkPeerings/b", body, version=NETWORK)
    found = client.get(one, version=NETWORK).body["properties"]["virtualNetworkPeerings"][0]["properties"]
    assert found["peeringState"] == "Connected" and found["remoteAddressSpace"]["addressPrefixes"] == ["10.20.0.0/16"]


def test_a_security_group_has_default_rules_and_no_two_of_one_priority(azure, client):
    rule = {"name": "a", "direction": "Inbound", "access": "Allow", "priority": 100, "ports": "5432"}
    group = azure.add_security_group("nsg", "rg", [rule])
    found = client.get(group, version=NETWORK).body["properties"]
    assert [one["name"] for one in found["securityRules"]] == ["a"] and len(found["defaultSecurityRules"]) == 6
    body = {"properties": {"protocol": "*", "access": "Deny", "priority": 100, "direction": "Inbound"}}
    assert client.call("PUT", group + "/securityRules/b", body, version=NETWORK).code == "SecurityRuleConflict"


def test_a_group_in_use_is_not_deleted(azure, client):
    group = azure.add_security_group("nsg", "rg")
    azure.add_network("net", "rg", subnets={"a": {"addresses": "10.10.1.0/24", "security_group": group}})
    assert client.call("DELETE", group, version=NETWORK).code == "InUseNetworkSecurityGroupCannotBeDeleted"


def test_route_tables(azure, client):
    table = azure.add_route_table(
        "rt", "rg", [{"name": "out", "prefix": "0.0.0.0/0", "next_hop": "VirtualAppliance", "address": "10.0.0.4"}]
    )
    found = client.get(table, version=NETWORK).body["properties"]["routes"][0]["properties"]
    assert found["nextHopIpAddress"] == "10.0.0.4"


def test_a_zone_its_links_and_records(azure, client, path):
    network = azure.add_network("net", "rg")
    zone = path + "/privateDnsZones/x.private.postgres.database.azure.com"
    made = client.call("PUT", zone, {"location": "global"}, version=DNS)
    assert (made.status, made.body) == (202, {})
    poll = client.call("GET", made.headers["azure-asyncoperation"])
    assert (poll.status, poll.body) == (202, {"status": "InProgress"})
    azure.clock.step(10)
    assert client.call("GET", made.headers["azure-asyncoperation"]).status == 200
    body = {"location": "global", "properties": {"virtualNetwork": {"id": network}, "registrationEnabled": False}}
    assert client.call("PUT", zone + "/virtualNetworkLinks/MyLink", body, version=DNS).status == 202
    azure.clock.step(10)
    link = client.get(zone + "/virtualNetworkLinks/MyLink", version=DNS).body
    assert link["name"] == "mylink" and link["properties"]["virtualNetworkLinkState"] == "Completed"
    record = {"properties": {"ttl": 30, "aRecords": [{"ipv4Address": "10.10.1.4"}]}}
    assert (
        client.call("PUT", zone + "/A/shop", record, version=DNS)
        .body["properties"]["fqdn"]
        .startswith("shop.x.private")
    )
    counts = client.get(zone, version=DNS).body["properties"]
    assert (counts["numberOfRecordSets"], counts["numberOfVirtualNetworkLinks"]) == (2, 1)
    assert client.call("DELETE", zone, version=DNS).code == "CannotDeleteResource"
    client.call("DELETE", zone + "/virtualNetworkLinks/mylink", version=DNS)
    azure.clock.step(10)
    assert client.call("DELETE", zone, version=DNS).status == 202
    azure.clock.step(10)
    assert client.get(zone, version=DNS).status == 404


def test_a_network_cannot_be_linked_to_two_zones_of_one_name(azure, client):
    azure.add_resource_group("other")
    network = azure.add_network("net", "rg")
    azure.add_dns_zone("privatelink.postgres.database.azure.com", "rg", [network])
    second = azure.add_dns_zone("privatelink.postgres.database.azure.com", "other")
    body = {"location": "global", "properties": {"virtualNetwork": {"id": network}, "registrationEnabled": False}}
    assert client.call("PUT", second + "/virtualNetworkLinks/again", body, version=DNS).code == "Conflict"


def test_a_private_endpoint_and_its_zone_group(azure, client, path, target):
    network = azure.add_network("net", "rg", subnets={"pe": {"addresses": "10.10.5.0/24"}})
    zone = azure.add_dns_zone("privatelink.postgres.database.azure.com", "rg", [network])
    connection = {"name": "c", "properties": {"privateLinkServiceId": target, "groupIds": ["postgresqlServer"]}}
    body = {
        "location": "eastus",
        "properties": {"subnet": {"id": network + "/subnets/pe"}, "privateLinkServiceConnections": [connection]},
    }
    made = client.call("PUT", path + "/privateEndpoints/pe", body, version=NETWORK)
    assert made.status == 201
    assert made.body["properties"]["customDnsConfigs"][0]["ipAddresses"] == ["10.10.5.4"]
    listed = client.get(target + "/privateEndpointConnections").body["value"]
    assert listed[0]["name"].startswith("pe.") and listed[0]["properties"]["groupIds"] == ["postgresqlServer"]
    assert client.get(target).body["properties"]["privateEndpointConnections"] == listed
    group = {"properties": {"privateDnsZoneConfigs": [{"name": "c", "properties": {"privateDnsZoneId": zone}}]}}
    client.call("PUT", path + "/privateEndpoints/pe/privateDnsZoneGroups/default", group, version=NETWORK)
    record = client.get(zone + "/A/target", version=DNS).body["properties"]["aRecords"]
    assert record == [{"ipv4Address": "10.10.5.4"}]
