# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flexible servers: what is answered when, and what is refused how late."""

from __future__ import annotations

import re

import pytest

GROUP = "/subscriptions/{0}/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers"


@pytest.fixture
def path(azure):
    return GROUP.format(azure.subscription_id)


def done(azure, client, reply, seconds=1000) -> dict:
    assert reply.status == 202, reply.body
    azure.clock.step(seconds)
    return client.finish(reply)


def test_a_server_is_made_by_an_operation_with_signed_addresses(azure, client, path, bodies):
    reply = client.call("PUT", path + "/made", bodies.server())
    assert reply.status == 202 and reply.body["operation"] == "UpsertServerManagementOperationV2"
    address = reply.headers["azure-asyncoperation"]
    assert re.search(
        r"/locations/eastus/azureAsyncOperation/[0-9a-f-]{36}\?api-version=2025-08-01&t=\d+&c=.+&s=.+&h=.+", address
    )
    assert reply.headers["retry-after"] == "60"
    assert client.call("GET", address).body["status"] == "InProgress"
    azure.clock.step(301)
    assert client.call("GET", address).body["status"] == "Succeeded"
    server = client.get(path + "/made").body
    assert server["properties"]["state"] == "Ready" and server["location"] == "East US"
    assert "administratorLoginPassword" not in str(server) and "createMode" not in server["properties"]
    assert server["properties"]["storage"]["type"] == ""


def test_an_address_that_was_made_up_or_changed_is_refused(azure, client, path, bodies):
    address = client.call("PUT", path + "/made", bodies.server()).headers["azure-asyncoperation"]
    assert client.call("GET", address.partition("&")[0]).status == 403
    assert client.call("GET", address.replace("&h=", "&h=x")).status == 403


def test_a_server_that_is_being_made_appears_late_and_cannot_be_changed(azure, client, path, bodies):
    client.call("PUT", path + "/made", bodies.server())
    assert client.get(path + "/made").code == "ResourceNotFound"
    azure.clock.step(60)
    assert client.get(path + "/made").body["properties"]["state"] == "Provisioning"
    assert client.get(path + "/made", version="2024-08-01").body["properties"]["state"] == "Updating"
    assert client.call("PATCH", path + "/made", {"tags": {"a": "b"}}).code == "ServerIsBusy"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sku": {"name": "Standard_D2s_v3", "tier": "Burstable"}}, "ServerEditionIncompatibleWithSkuSize"),
        ({"sku": {"name": "Standard_X99", "tier": "Burstable"}}, "InvalidParameterValue"),
        ({"location": "nowhere"}, "LocationNotAvailable"),
    ],
)
def test_what_is_wrong_is_said_in_a_poll_body_with_status_200(azure, client, path, bodies, change, code):
    body = done(azure, client, client.call("PUT", path + "/made", {**bodies.server(), **change}))
    assert (body["status"], body["error"]["code"]) == ("Failed", code)
    assert client.get(path + "/made").status == 404


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"administratorLoginPassword": "short"}, "PasswordNotComplex"),
        ({"administratorLogin": "azure_superuser"}, "InvalidAdministratorLogin"),
        ({"storage": {"storageSizeGB": 100}}, "InvalidParameterValue"),
    ],
)
def test_bad_values_fail_late_too(azure, client, path, bodies, properties, code):
    body = done(azure, client, client.call("PUT", path + "/made", bodies.server(**properties)))
    assert body["error"]["code"] == code


def test_a_subnet_must_be_delegated_and_the_code_of_that_failure_is_empty(azure, client, path, bodies):
    network = azure.add_network("net", "rg", subnets={"plain": {"addresses": "10.10.1.0/24"}})
    zone = azure.add_dns_zone("x.private.postgres.database.azure.com", "rg")
    words = {"delegatedSubnetResourceId": network + "/subnets/plain", "privateDnsZoneArmResourceId": zone}
    body = done(azure, client, client.call("PUT", path + "/made", bodies.server(network=words)))
    assert body["status"] == "Failed" and body["error"]["code"] == ""


def test_a_server_in_a_network_says_disabled_and_marks_its_subnet(azure, client, path, bodies):
    network = azure.add_network("net", "rg", subnets={"runtime": {"addresses": "10.10.1.0/24", "delegated": True}})
    zone = azure.add_dns_zone("x.private.postgres.database.azure.com", "rg", [network])
    words = {"delegatedSubnetResourceId": network + "/subnets/runtime", "privateDnsZoneArmResourceId": zone}
    done(azure, client, client.call("PUT", path + "/made", bodies.server(network=words)))
    server = client.get(path + "/made").body["properties"]
    assert server["network"]["publicNetworkAccess"] == "Disabled" and "privateEndpointConnections" not in server
    subnet = azure.resource(network + "/subnets/runtime")["properties"]
    assert subnet["serviceAssociationLinks"][0]["properties"]["linkedResourceType"].endswith("flexibleServers")
    assert [one["service"] for one in subnet["serviceEndpoints"]] == ["Microsoft.Storage"]
    done(azure, client, client.call("DELETE", path + "/made"))
    azure.clock.step(60)
    assert "serviceAssociationLinks" not in azure.resource(network + "/subnets/runtime")["properties"]


def test_a_subnet_is_held_for_a_while_after_its_last_server(azure, client, path):
    network = azure.add_network("net", "rg", subnets={"runtime": {"addresses": "10.10.1.0/24", "delegated": True}})
    zone = azure.add_dns_zone("x.private.postgres.database.azure.com", "rg", [network])
    subnet = network + "/subnets/runtime"
    azure.add_flexible_server("inside", "rg", delegated_subnet_id=subnet, private_dns_zone_id=zone)
    reply = client.call("DELETE", path + "/inside")
    assert client.call("DELETE", subnet, version="2024-05-01").code == "InUseSubnetCannotBeDeleted"
    azure.clock.step(76)
    assert client.finish(reply)["status"] == "Succeeded"
    assert client.call("DELETE", subnet, version="2024-05-01").code == "InUseSubnetCannotBeDeleted"
    azure.clock.step(31)
    assert client.call("DELETE", subnet, version="2024-05-01").status == 202


def test_a_change_is_merged_and_storage_cannot_shrink(azure, client, target):
    body = {
        "sku": {"name": "Standard_E2ds_v4", "tier": "MemoryOptimized"},
        "properties": {"storage": {"storageSizeGB": 256}},
    }
    reply = client.call("PATCH", target, body)
    assert client.get(target).body["properties"]["state"] == "Updating"
    assert done(azure, client, reply)["status"] == "Succeeded"
    found = client.get(target).body
    assert found["sku"]["name"] == "Standard_E2ds_v4"
    assert found["properties"]["storage"] == {
        "type": "",
        "iops": 1100,
        "tier": "P15",
        "storageSizeGB": 256,
        "autoGrow": "Disabled",
    }
    failed = done(azure, client, client.call("PATCH", target, {"properties": {"storage": {"storageSizeGB": 128}}}))
    assert failed["error"]["code"] == "StorageSizeCannotShrink"
    assert client.get(target).body["properties"]["state"] == "Ready"


def test_delete_spells_the_region_with_blanks_and_is_empty_in_the_end(azure, client, target):
    reply = client.call("DELETE", target)
    assert reply.status == 202 and "/locations/East%20US/azureAsyncOperation/" in reply.headers["azure-asyncoperation"]
    assert reply.headers["retry-after"] == "15" and reply.body["operation"] == "DropServerManagementOperation"
    assert client.get(target).body["properties"]["state"] == "Dropping"
    azure.clock.step(76)
    assert client.finish(reply)["status"] == "Succeeded"
    result = client.call("GET", reply.headers["location"])
    assert (result.status, result.body) == (200, None)
    assert client.get(target).status == 404
    assert client.call("DELETE", target).status == 204


def test_stop_start_restart(azure, client, target):
    stopped = client.call("POST", target + "/stop")
    assert done(azure, client, stopped)["status"] == "Succeeded"
    assert client.call("GET", stopped.headers["location"]).body == {
        "properties": {},
        "name": "target",
        "type": "PostgreSQL",
    }
    assert client.get(target).body["properties"]["state"] == "Stopped"
    assert client.call("POST", target + "/restart", {"restartWithFailover": False}).code == "ServerStateNotAllowed"
    assert client.get(target + "/configurations/wal_level").code == "ServerStateNotAllowed"
    done(azure, client, client.call("POST", target + "/start"))
    assert client.get(target).body["properties"]["state"] == "Ready"
    done(azure, client, client.call("POST", target + "/restart", {"restartWithFailover": False}))


def test_names_are_asked_for(azure, client, target):
    path = f"/subscriptions/{azure.subscription_id}/providers/Microsoft.DBforPostgreSQL/locations/eastus/checkNameAvailability"

    def ask(name):
        return client.call("POST", path, {"name": name, "type": "Microsoft.DBforPostgreSQL/flexibleServers"}).body

    assert ask("fresh")["nameAvailable"] is True
    assert ask("target")["reason"] == "AlreadyExists"
    assert ask("No_Good")["reason"] == "Invalid"


def test_capabilities_tell_sizes(azure, client, target):
    found = client.get(target + "/capabilities").body["value"][0]
    sizes = {sku["name"]: sku for edition in found["supportedServerEditions"] for sku in edition["supportedServerSkus"]}
    assert sizes["Standard_D4s_v3"]["vCores"] == 4
    assert "18" in [one["name"] for one in found["supportedServerVersions"]]
    path = f"/subscriptions/{azure.subscription_id}/providers/Microsoft.DBforPostgreSQL/locations/eastus/capabilities"
    assert client.get(path).body["value"][0] == found


def test_delegated_subnets_are_counted(azure, client):
    network = azure.add_network("net", "rg", subnets={"runtime": {"addresses": "10.10.1.0/24", "delegated": True}})
    zone = azure.add_dns_zone("x.private.postgres.database.azure.com", "rg", [network])
    azure.add_flexible_server(
        "inside", "rg", delegated_subnet_id=network + "/subnets/runtime", private_dns_zone_id=zone
    )
    base = f"/subscriptions/{azure.subscription_id}/providers/Microsoft.DBforPostgreSQL/locations/eastus"
    found = client.call("POST", base + "/checkVirtualNetworkSubnetUsage", {"virtualNetworkArmResourceId": network}).body
    assert found["delegatedSubnetsUsage"] == [{"subnetName": "runtime", "usage": 1}]
    assert (
        client.call("POST", "/providers/Microsoft.DBforPostgreSQL/getPrivateDnsZoneSuffix").body
        == "postgres.database.azure.com"
    )


def test_replicas_are_listed(azure, client, target):
    replica = azure.add_replica("copy", target)
    found = client.get(target + "/replicas").body["value"]
    assert [one["id"] for one in found] == [replica] and found[0]["properties"]["replicationRole"] == "AsyncReplica"


def test_a_static_parameter_waits_for_the_restart(azure, client, target):
    path = target + "/configurations/max_replication_slots"
    done(azure, client, client.call("PATCH", path, {"properties": {"value": "20", "source": "user-override"}}))
    found = client.get(path).body["properties"]
    assert found["value"] == "20" and found["isConfigPendingRestart"] and found["source"] == "user-override"
    done(azure, client, client.call("POST", target + "/restart", {"restartWithFailover": False}))
    assert client.get(path).body["properties"]["isConfigPendingRestart"] is False


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_replication_slots", "1"), ("fsync", "off"), ("azure.extensions", "hstore,none"), ("autovacuum", "maybe")],
)
def test_parameters_that_azure_refuses_fail_late(azure, client, target, name, value):
    path = f"{target}/configurations/{name}"
    body = done(azure, client, client.call("PUT", path, {"properties": {"value": value, "source": "user-override"}}))
    assert body["error"]["code"] == "InvalidParameterValue"
    assert client.get(path).body["properties"]["source"] == "system-default"


def test_a_parameter_goes_back_to_its_default(azure, client, target):
    path = target + "/configurations/autovacuum"
    done(azure, client, client.call("PATCH", path, {"properties": {"value": "off", "source": "user-override"}}))
    assert client.get(path).body["properties"]["value"] == "off"
    done(azure, client, client.call("PATCH", path, {"properties": {"value": "on", "source": "system-default"}}))
    assert client.get(path).body["properties"]["source"] == "system-default"


def test_databases_of_a_record(azure, client, target):
    done(
        azure,
        client,
        client.call("PUT", target + "/databases/shop", {"properties": {"charset": "utf8", "collation": "en_US.utf8"}}),
    )
    assert client.get(target + "/databases/shop").body["properties"] == {"charset": "UTF8", "collation": "en_US.utf8"}
    done(azure, client, client.call("DELETE", target + "/databases/shop"))
    assert client.get(target + "/databases/shop").status == 404


def test_unknown_things_are_not_found_in_the_gateways_words(azure, client, path):
    found = client.get(path + "/none")
    assert (found.code, found.headers["x-ms-failure-cause"]) == ("ResourceNotFound", "gateway")
    assert client.get(path.replace("/rg/", "/none/") + "/none").code == "ResourceGroupNotFound"
