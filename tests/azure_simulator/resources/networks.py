# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual networks and their peerings."""

from __future__ import annotations

import copy

from tests.azure_simulator import operations, places, wire
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.operations import Operation
from tests.azure_simulator.resources.network_basics import (
    GROUP,
    NETWORK,
    SUBNET,
    changed,
    dropped,
    etag,
    invalid,
    need_network,
    not_found,
)  # fmt: skip
from tests.azure_simulator.resources.subnets import check_unused, enter_subnet, shown_subnet
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, ArmError, Request

ROUTES = Routes()
PEERING = NETWORK + "/virtualNetworkPeerings"


def enter_network(cloud: Cloud, group: str, name: str, body: dict) -> Resource:
    """Make or change a virtual network with the subnets of its body. Raises ArmError where something does not fit."""
    sent = copy.deepcopy(body.get("properties") or {})
    subnets, peerings = sent.pop("subnets", None), sent.pop("virtualNetworkPeerings", None)
    if not (sent.get("addressSpace") or {}).get("addressPrefixes"):
        raise invalid("InvalidAddressSpace", f"Virtual network '{name}' has no address space.")
    identifier = cloud.id_of(group, NETWORK, name)
    known = cloud.find(identifier)
    made = Resource(known.id if known else identifier, NETWORK, name, {"location": places.short(body["location"])})
    if body.get("tags") is not None:
        made.body["tags"] = dict(body["tags"])
    made.body["properties"] = {"enableDdosProtection": False, **sent}
    made.private = known.private if known else {"guid": wire.new_guid(), "etag": etag()}
    before = cloud.of_type(SUBNET, under=made.id) if known and subnets is not None else []
    gone = [one for one in before if one.name.lower() not in {sub["name"].lower() for sub in subnets}]
    for one in gone:
        check_unused(cloud, one)
    cloud.put(made)
    for one in gone:
        cloud.remove(one)
    for one in subnets or []:
        enter_subnet(cloud, made, one["name"], one.get("properties") or {})
    for one in peerings or []:
        enter_peering(cloud, made, one["name"], one.get("properties") or {})
    return made


def shown_network(cloud: Cloud, network: Resource, version: str | None = None) -> dict:
    held = copy.deepcopy(network.properties)
    found = {
        "provisioningState": network.private.get("state", "Succeeded"),
        "resourceGuid": network.private["guid"],
        "addressSpace": held.pop("addressSpace"),
    }
    if held.get("dhcpOptions"):
        found["dhcpOptions"] = held.pop("dhcpOptions")
    if (version or "2024") >= "2024":
        found["privateEndpointVNetPolicies"] = "Disabled"
    found["subnets"] = [shown_subnet(cloud, one) for one in cloud.of_type(SUBNET, under=network.id)]
    found["virtualNetworkPeerings"] = [shown_peering(cloud, one) for one in cloud.of_type(PEERING, under=network.id)]
    found["enableDdosProtection"] = held.get("enableDdosProtection", False)
    head = {"name": network.name, "id": network.id, "etag": network.private["etag"], "type": NETWORK}
    tags = {"tags": dict(network.body["tags"])} if "tags" in network.body else {}
    return {**head, "location": network.body["location"], **tags, "properties": found}


@ROUTES.on("PUT", GROUP + "/virtualNetworks/{network}")
def put_network(cloud: Cloud, request: Request, group: str, network: str) -> Answer:
    cloud.group(group)
    body = request.document()
    if not body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    known = cloud.find(cloud.id_of(group, NETWORK, network)) is not None
    made = enter_network(cloud, group, network, body)
    headers = operations.network_headers(changed(cloud, made), request, made.body["location"])
    return Answer(200 if known else 201, shown_network(cloud, made, request.api_version), headers)


@ROUTES.on("GET", GROUP + "/virtualNetworks/{network}")
def get_network(cloud: Cloud, request: Request, group: str, network: str) -> Answer:
    return Answer(200, shown_network(cloud, need_network(cloud, group, network), request.api_version))


@ROUTES.on("GET", GROUP + "/virtualNetworks")
def list_networks(cloud: Cloud, request: Request, group: str) -> Answer:
    cloud.group(group)
    found = [shown_network(cloud, one, request.api_version) for one in cloud.of_type(NETWORK, group)]
    return Answer(200, {"value": found})


@ROUTES.on("DELETE", GROUP + "/virtualNetworks/{network}")
def delete_network(cloud: Cloud, request: Request, group: str, network: str) -> Answer:
    cloud.group(group)
    found = cloud.find(cloud.id_of(group, NETWORK, network))
    if found is None:
        return Answer(204)
    for subnet in cloud.of_type(SUBNET, under=found.id):
        check_unused(cloud, subnet)
    location = found.body["location"]

    def done() -> None:
        for peering in cloud.of_type(PEERING, under=found.id):
            remove_peering(cloud, peering)
        cloud.remove(found)

    operation = Operation(cloud, "DeleteNetworkOperation", cloud.clock.of("network"), done)
    return dropped(operation, request, location)


@ROUTES.on("PATCH", GROUP + "/virtualNetworks/{network}")
def tag_network(cloud: Cloud, request: Request, group: str, network: str) -> Answer:
    found = need_network(cloud, group, network)
    found.body["tags"] = dict(request.document().get("tags") or {})
    return Answer(200, shown_network(cloud, found, request.api_version))


# -- peerings ----------------------------------------------------------------------------------------------------------


def _counterpart(cloud: Cloud, peering: Resource) -> Resource | None:
    mine = peering.id.rsplit("/virtualNetworkPeerings/", 1)[0].lower()
    other = peering.properties["remoteVirtualNetwork"]["id"]
    for one in cloud.of_type(PEERING, under=other):
        if one.properties["remoteVirtualNetwork"]["id"].lower() == mine:
            return one
    return None


def enter_peering(cloud: Cloud, network: Resource, name: str, properties: dict) -> Resource:
    """Make or change one side of a peering: `Initiated` until the other side is there."""
    remote = (properties.get("remoteVirtualNetwork") or {}).get("id")
    if not remote or cloud.find(remote) is None:
        raise invalid(
            "RemoteVnetNotFound", f"The remote virtual network of peering '{name}' was not found: '{remote}'."
        )
    held = {
        "allowVirtualNetworkAccess": True,
        "allowForwardedTraffic": False,
        "allowGatewayTransit": False,
        "useRemoteGateways": False,
        "doNotVerifyRemoteGateways": False,
        **copy.deepcopy(properties),
    }
    made = cloud.put(Resource(f"{network.id}/virtualNetworkPeerings/{name}", PEERING, name, {"properties": held}))
    made.private["etag"] = etag()
    other = _counterpart(cloud, made)
    made.private["state"] = "Connected" if other is not None else "Initiated"
    if other is not None:
        other.private["state"] = "Connected"
    return made


def remove_peering(cloud: Cloud, peering: Resource) -> None:
    """Take away one side; the other is `Disconnected` from then on."""
    other = _counterpart(cloud, peering)
    if other is not None:
        other.private["state"] = "Disconnected"
    cloud.remove(peering)


def shown_peering(cloud: Cloud, peering: Resource) -> dict:
    remote = cloud.find(peering.properties["remoteVirtualNetwork"]["id"])
    state = peering.private["state"]
    found = {
        "provisioningState": "Succeeded",
        "resourceGuid": peering.private.setdefault("guid", wire.new_guid()),
        "peeringState": state,
        "peeringSyncLevel": "FullyInSync" if state == "Connected" else "RemoteNotInSync",
        **copy.deepcopy(peering.properties),
    }
    if remote is not None:
        found["remoteAddressSpace"] = copy.deepcopy(remote.properties["addressSpace"])
        found["remoteVirtualNetworkAddressSpace"] = copy.deepcopy(remote.properties["addressSpace"])
    head = {"name": peering.name, "id": peering.id, "etag": peering.private["etag"]}
    return {**head, "properties": found, "type": PEERING}


PEERINGS = GROUP + "/virtualNetworks/{network}/virtualNetworkPeerings"


@ROUTES.on("GET", PEERINGS)
def list_peerings(cloud: Cloud, request: Request, group: str, network: str) -> Answer:
    parent = need_network(cloud, group, network)
    return Answer(200, {"value": [shown_peering(cloud, one) for one in cloud.of_type(PEERING, under=parent.id)]})


@ROUTES.on("GET", PEERINGS + "/{peering}")
def get_peering(cloud: Cloud, request: Request, group: str, network: str, peering: str) -> Answer:
    parent = need_network(cloud, group, network)
    found = cloud.find(f"{parent.id}/virtualNetworkPeerings/{peering}")
    if found is None:
        raise not_found(f"{parent.id}/virtualNetworkPeerings/{peering}")
    return Answer(200, shown_peering(cloud, found))


@ROUTES.on("PUT", PEERINGS + "/{peering}")
def put_peering(cloud: Cloud, request: Request, group: str, network: str, peering: str) -> Answer:
    parent = need_network(cloud, group, network)
    known = cloud.find(f"{parent.id}/virtualNetworkPeerings/{peering}")
    made = enter_peering(cloud, parent, peering, request.document().get("properties") or {})
    headers = operations.network_headers(changed(cloud, parent), request, parent.body["location"])
    return Answer(200 if known else 201, shown_peering(cloud, made), headers)


@ROUTES.on("DELETE", PEERINGS + "/{peering}")
def delete_peering(cloud: Cloud, request: Request, group: str, network: str, peering: str) -> Answer:
    parent = need_network(cloud, group, network)
    found = cloud.find(f"{parent.id}/virtualNetworkPeerings/{peering}")
    if found is None:
        return Answer(204)
    operation = changed(cloud, parent, lambda: remove_peering(cloud, found))
    return dropped(operation, request, parent.body["location"])
