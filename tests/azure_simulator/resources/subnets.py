# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subnets: ranges, delegations, what lives in them."""

from __future__ import annotations

import copy
import ipaddress

from tests.azure_simulator import operations, wire
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.resources.network_basics import (
    FLEXIBLE,
    GROUP,
    SUBNET,
    changed,
    dropped,
    etag,
    invalid,
    need_network,
    not_found,
)  # fmt: skip
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, Request

ROUTES = Routes()
JOIN = "Microsoft.Network/virtualNetworks/subnets/join/action"


def prefixes(properties: dict) -> list[str]:
    """Return the address ranges of a subnet."""
    return properties.get("addressPrefixes") or (
        [properties["addressPrefix"]] if properties.get("addressPrefix") else []
    )


def enter_subnet(cloud: Cloud, network: Resource, name: str, properties: dict) -> Resource:
    """Make or change a subnet. Raises ArmError where it does not fit."""
    identifier = f"{network.id}/subnets/{name}"
    ranges = prefixes(properties)
    if not ranges:
        raise invalid(
            "NoAddressPrefixOrPoolProvided", f"No address prefix or Pool has been provided for Resource {identifier}."
        )
    try:
        wanted = [ipaddress.ip_network(one) for one in ranges]
        spaces = [ipaddress.ip_network(one) for one in network.properties["addressSpace"]["addressPrefixes"]]
    except ValueError as error:
        raise invalid("InvalidCIDRNotation", f"The address prefix of subnet {name} is not valid: {error}.") from None
    if not all(any(one.version == space.version and one.subnet_of(space) for space in spaces) for one in wanted):
        raise invalid("NetcfgInvalidSubnet", f"Subnet '{name}' is not valid in virtual network '{network.name}'.")
    for other in cloud.of_type(SUBNET, under=network.id):
        if other.name.lower() == name.lower():
            continue
        held = [ipaddress.ip_network(one) for one in prefixes(other.properties)]
        if any(a.version == b.version and a.overlaps(b) for a in wanted for b in held):
            raise invalid(
                "NetcfgSubnetRangesOverlap",
                f"Subnet '{name}' is not valid because its IP address range overlaps with that of '{other.name}'.",
            )
    known = cloud.find(identifier)
    if known is not None and _users(cloud, known):
        kept = {one["properties"]["serviceName"].lower() for one in known.properties.get("delegations", [])}
        asked = {one["properties"]["serviceName"].lower() for one in properties.get("delegations", [])}
        if not kept <= asked:
            raise invalid(
                "SubnetMissingRequiredDelegation",
                f"The delegation of subnet {identifier} is in use and cannot be removed.",
            )
        if prefixes(known.properties) != ranges:
            raise invalid(
                "InUsePrefixCannotBeDeleted",
                f"The address range of subnet {identifier} is in use and cannot be changed.",
            )
    body = {"properties": copy.deepcopy(properties)}
    body["properties"].setdefault("delegations", [])
    body["properties"].setdefault("privateEndpointNetworkPolicies", "Disabled")
    body["properties"].setdefault("privateLinkServiceNetworkPolicies", "Enabled")
    made = Resource(identifier if known is None else known.id, SUBNET, name, body)
    if known is not None:
        made.private = known.private
    return cloud.put(made)


def _users(cloud: Cloud, subnet: Resource) -> list[str]:
    """Return the ids of what lives in a subnet; a server goes on holding it for a while after its end."""
    found = [
        one.id
        for one in cloud.of_type(FLEXIBLE)
        if (one.properties["network"].get("delegatedSubnetResourceId") or "").lower() == subnet.id.lower()
    ]
    found += [
        one.id
        for one in cloud.of_type("Microsoft.Network/privateEndpoints")
        if one.properties["subnet"]["id"].lower() == subnet.id.lower()
    ]
    if subnet.private.get("held_until", 0) > cloud.clock.now():
        found.append(f"{subnet.id}/serviceAssociationLinks/{subnet.private['link']}")
    return found


def hold(cloud: Cloud, subnet_id: str | None) -> None:
    """Enter what a server changes about its subnet, as recorded: a link, and an endpoint to storage."""
    subnet = cloud.find(subnet_id)
    if subnet is not None and "link" not in subnet.private:
        subnet.private["link"] = f"{wire.new_guid()}-service-association-link"
        subnet.private["guid"] = wire.new_guid()
        network = cloud.find(subnet.id.rsplit("/subnets/", 1)[0])
        network.private["etag"] = etag()


def release(cloud: Cloud, subnet_id: str | None) -> None:
    """Let the link of a subnet go, a while after the last server."""
    subnet = cloud.find(subnet_id)
    if subnet is not None and "link" in subnet.private and not _users(cloud, subnet):
        subnet.private["held_until"] = cloud.clock.now() + cloud.clock.of("subnet release")


def shown_subnet(cloud: Cloud, subnet: Resource) -> dict:
    network = cloud.find(subnet.id.rsplit("/subnets/", 1)[0])
    tag = network.private["etag"]
    held = copy.deepcopy(subnet.properties)
    state = network.private.get("state", "Succeeded")
    found: dict = {"provisioningState": state}
    for word in ("addressPrefix", "addressPrefixes", "networkSecurityGroup", "routeTable", "natGateway"):
        if held.get(word):
            found[word] = held.pop(word)
    linked = "link" in subnet.private and subnet.private.get("held_until", float("inf")) > cloud.clock.now()
    if linked:
        link = subnet.private["link"]
        base = {"name": link, "id": f"{subnet.id}/serviceAssociationLinks/{link}", "etag": tag}
        properties = {
            "provisioningState": "Succeeded",
            "linkedResourceType": FLEXIBLE,
            "enabledForArmDeployments": False,
        }
        properties.update(allowDelete=False, subnetId=subnet.private["guid"], locations=[])
        found["serviceAssociationLinks"] = [
            {**base, "type": SUBNET + "/serviceAssociationLinks", "properties": properties}
        ]
        found["serviceEndpoints"] = [
            {
                "provisioningState": "Succeeded",
                "service": "Microsoft.Storage",
                "locations": ["eastus", "westus", "westus3"],
            }
        ]
    found["delegations"] = [
        {
            "name": one["name"],
            "id": f"{subnet.id}/delegations/{one['name']}",
            "etag": tag,
            "properties": {
                "provisioningState": "Succeeded",
                "serviceName": one["properties"]["serviceName"],
                "actions": [JOIN],
            },
            "type": SUBNET + "/delegations",
        }
        for one in held.pop("delegations", [])
    ]
    endpoints = [
        one.id
        for one in cloud.of_type("Microsoft.Network/privateEndpoints")
        if one.properties["subnet"]["id"].lower() == subnet.id.lower()
    ]
    if endpoints:
        found["privateEndpoints"] = [{"id": one} for one in endpoints]
    found.update({word: value for word, value in held.items() if word not in found and value is not None})
    return {"name": subnet.name, "id": subnet.id, "etag": tag, "properties": found, "type": SUBNET}


@ROUTES.on("PUT", GROUP + "/virtualNetworks/{network}/subnets/{subnet}")
def put_subnet(cloud: Cloud, request: Request, group: str, network: str, subnet: str) -> Answer:
    parent = need_network(cloud, group, network)
    known = cloud.find(f"{parent.id}/subnets/{subnet}")
    made = enter_subnet(cloud, parent, subnet, request.document().get("properties") or {})
    headers = operations.network_headers(changed(cloud, parent), request, parent.body["location"])
    return Answer(200 if known else 201, shown_subnet(cloud, made), headers)


@ROUTES.on("GET", GROUP + "/virtualNetworks/{network}/subnets/{subnet}")
def get_subnet(cloud: Cloud, request: Request, group: str, network: str, subnet: str) -> Answer:
    parent = need_network(cloud, group, network)
    found = cloud.find(f"{parent.id}/subnets/{subnet}")
    if found is None:
        raise not_found(f"{parent.id}/subnets/{subnet}")
    return Answer(200, shown_subnet(cloud, found))


@ROUTES.on("GET", GROUP + "/virtualNetworks/{network}/subnets")
def list_subnets(cloud: Cloud, request: Request, group: str, network: str) -> Answer:
    parent = need_network(cloud, group, network)
    return Answer(200, {"value": [shown_subnet(cloud, one) for one in cloud.of_type(SUBNET, under=parent.id)]})


@ROUTES.on("DELETE", GROUP + "/virtualNetworks/{network}/subnets/{subnet}")
def delete_subnet(cloud: Cloud, request: Request, group: str, network: str, subnet: str) -> Answer:
    parent = need_network(cloud, group, network)
    found = cloud.find(f"{parent.id}/subnets/{subnet}")
    if found is None:
        return Answer(204)
    check_unused(cloud, found)
    operation = changed(cloud, parent, lambda: cloud.remove(found))
    return dropped(operation, request, parent.body["location"])


def check_unused(cloud: Cloud, subnet: Resource) -> None:
    """Refuse to take away a subnet that something lives in."""
    users = _users(cloud, subnet)
    if users:
        raise invalid(
            "InUseSubnetCannotBeDeleted",
            f"Subnet {subnet.name} is in use by {', '.join(users)} and cannot be deleted. In order to delete the subnet, delete "
            "all the resources within the subnet. See aka.ms/deletesubnet.",
        )
