# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network security groups and route tables: each a resource with a list of children."""

from __future__ import annotations

import copy

from tests.azure_simulator import operations, places, wire
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.operations import Operation
from tests.azure_simulator.resources.network_basics import GROUP, SUBNET, dropped, etag, invalid, not_found
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, Request

ROUTES = Routes()
SECURITY = "Microsoft.Network/networkSecurityGroups"
RULE = SECURITY + "/securityRules"
TABLE = "Microsoft.Network/routeTables"

DEFAULT_RULES = (
    ("AllowVnetInBound", "VirtualNetwork", "VirtualNetwork", "Allow", 65000, "Inbound"),
    ("AllowAzureLoadBalancerInBound", "AzureLoadBalancer", "*", "Allow", 65001, "Inbound"),
    ("DenyAllInBound", "*", "*", "Deny", 65500, "Inbound"),
    ("AllowVnetOutBound", "VirtualNetwork", "VirtualNetwork", "Allow", 65000, "Outbound"),
    ("AllowInternetOutBound", "*", "Internet", "Allow", 65001, "Outbound"),
    ("DenyAllOutBound", "*", "*", "Deny", 65500, "Outbound"),
)


def _subnets_of(cloud: Cloud, word: str, identifier: str) -> list[dict]:
    return [
        {"id": one.id}
        for one in cloud.of_type(SUBNET)
        if ((one.properties.get(word) or {}).get("id") or "").lower() == identifier.lower()
    ]


def enter_with_children(cloud: Cloud, kind: str, word: str, group: str, name: str, body: dict) -> Resource:
    """Make or change a security group or route table; `word` is what its body calls the children."""
    identifier = cloud.id_of(group, kind, name)
    sent = copy.deepcopy(body.get("properties") or {})
    children = sent.pop(word, [])
    made = Resource(identifier, kind, name, {"location": places.short(body["location"]), "properties": sent})
    if body.get("tags") is not None:
        made.body["tags"] = dict(body["tags"])
    made.private.update(guid=wire.new_guid(), etag=etag())
    cloud.put(made)
    for old in cloud.of_type(f"{kind}/{word}", under=identifier):
        cloud.remove(old)
    for child in children:
        enter_child(cloud, made, word, child["name"], child.get("properties") or {})
    return made


def enter_child(cloud: Cloud, parent: Resource, word: str, name: str, properties: dict) -> Resource:
    if word == "securityRules":
        _check_rule(cloud, parent, name, properties)
    child = Resource(
        f"{parent.id}/{word}/{name}", f"{parent.type}/{word}", name, {"properties": copy.deepcopy(properties)}
    )
    return cloud.put(child)


def _check_rule(cloud: Cloud, parent: Resource, name: str, properties: dict) -> None:
    missing = [word for word in ("access", "direction", "priority", "protocol") if word not in properties]
    if missing:
        raise invalid("SecurityRuleParameterMissing", f"Security rule {name} lacks {', '.join(missing)}.")
    for other in cloud.of_type(RULE, under=parent.id):
        same = all(other.properties[word] == properties[word] for word in ("direction", "priority"))
        if same and other.name.lower() != name.lower():
            raise invalid(
                "SecurityRuleConflict",
                f"Security rule {name} conflicts with rule {other.name}. Rules cannot have the same Priority and Direction.",
            )


def shown_child(parent: Resource, child: Resource) -> dict:
    lists = {}
    if child.type == RULE:
        words = ("sourcePortRanges", "destinationPortRanges", "sourceAddressPrefixes", "destinationAddressPrefixes")
        lists = {word: [] for word in words}
    found = {"provisioningState": "Succeeded", **lists, **copy.deepcopy(child.properties)}
    return {"name": child.name, "id": child.id, "etag": parent.private["etag"], "type": child.type, "properties": found}


def _default_rules(group: Resource) -> list[dict]:
    found = []
    for name, source, destination, access, priority, direction in DEFAULT_RULES:
        properties = {
            "provisioningState": "Succeeded",
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "*",
            "sourceAddressPrefix": source,
            "destinationAddressPrefix": destination,
            "access": access,
            "priority": priority,
            "direction": direction,
            "sourcePortRanges": [],
            "destinationPortRanges": [],
            "sourceAddressPrefixes": [],
            "destinationAddressPrefixes": [],
        }
        kind = SECURITY + "/defaultSecurityRules"
        head = {
            "name": name,
            "id": f"{group.id}/defaultSecurityRules/{name}",
            "etag": group.private["etag"],
            "type": kind,
        }
        found.append({**head, "properties": properties})
    return found


def shown_with_children(cloud: Cloud, found: Resource) -> dict:
    word = "securityRules" if found.type == SECURITY else "routes"
    held = {"provisioningState": "Succeeded", "resourceGuid": found.private["guid"], **copy.deepcopy(found.properties)}
    held[word] = [shown_child(found, one) for one in cloud.of_type(f"{found.type}/{word}", under=found.id)]
    if found.type == SECURITY:
        held["defaultSecurityRules"] = _default_rules(found)
        users = _subnets_of(cloud, "networkSecurityGroup", found.id)
    else:
        held.setdefault("disableBgpRoutePropagation", False)
        users = _subnets_of(cloud, "routeTable", found.id)
    if users:
        held["subnets"] = users
    head = {"name": found.name, "id": found.id, "etag": found.private["etag"], "type": found.type}
    tags = {"tags": dict(found.body["tags"])} if "tags" in found.body else {}
    return {**head, "location": found.body["location"], **tags, "properties": held}


def _enter_routes(kind: str, word: str) -> None:
    """Enter the routes of a resource with children."""
    base = GROUP + "/" + kind.split("/")[1]

    @ROUTES.on("PUT", base + "/{name}")
    def put(cloud: Cloud, request: Request, group: str, name: str) -> Answer:
        cloud.group(group)
        known = cloud.find(cloud.id_of(group, kind, name)) is not None
        made = enter_with_children(cloud, kind, word, group, name, request.document())
        operation = Operation(cloud, "PutNetworkOperation", cloud.clock.of("network"))
        headers = operations.network_headers(operation, request, made.body["location"])
        return Answer(200 if known else 201, shown_with_children(cloud, made), headers)

    @ROUTES.on("GET", base + "/{name}")
    def get(cloud: Cloud, request: Request, group: str, name: str) -> Answer:
        return Answer(200, shown_with_children(cloud, cloud.need(group, kind, name)))

    @ROUTES.on("GET", base)
    def listed(cloud: Cloud, request: Request, group: str) -> Answer:
        cloud.group(group)
        return Answer(200, {"value": [shown_with_children(cloud, one) for one in cloud.of_type(kind, group)]})

    @ROUTES.on("DELETE", base + "/{name}")
    def delete(cloud: Cloud, request: Request, group: str, name: str) -> Answer:
        cloud.group(group)
        found = cloud.find(cloud.id_of(group, kind, name))
        if found is None:
            return Answer(204)
        users = shown_with_children(cloud, found)["properties"].get("subnets")
        if users:
            raise invalid(f"InUse{kind.split('/')[1][:1].upper()}{kind.split('/')[1][1:-1]}CannotBeDeleted",
                          f"{found.name} cannot be deleted because it is in use by {users[0]['id']}.")  # fmt: skip
        operation = Operation(cloud, "DeleteNetworkOperation", cloud.clock.of("network"), lambda: cloud.remove(found))
        return dropped(operation, request, found.body["location"])

    @ROUTES.on("PUT", base + "/{name}/" + word + "/{child}")
    def put_child(cloud: Cloud, request: Request, group: str, name: str, child: str) -> Answer:
        parent = cloud.need(group, kind, name)
        known = cloud.find(f"{parent.id}/{word}/{child}") is not None
        parent.private["etag"] = etag()
        made = enter_child(cloud, parent, word, child, request.document().get("properties") or {})
        operation = Operation(cloud, "PutNetworkOperation", cloud.clock.of("network"))
        headers = operations.network_headers(operation, request, parent.body["location"])
        return Answer(200 if known else 201, shown_child(parent, made), headers)

    @ROUTES.on("GET", base + "/{name}/" + word + "/{child}")
    def get_child(cloud: Cloud, request: Request, group: str, name: str, child: str) -> Answer:
        parent = cloud.need(group, kind, name)
        found = cloud.find(f"{parent.id}/{word}/{child}")
        if found is None:
            raise not_found(f"{parent.id}/{word}/{child}")
        return Answer(200, shown_child(parent, found))

    @ROUTES.on("GET", base + "/{name}/" + word)
    def list_children(cloud: Cloud, request: Request, group: str, name: str) -> Answer:
        parent = cloud.need(group, kind, name)
        found = cloud.of_type(f"{kind}/{word}", under=parent.id)
        return Answer(200, {"value": [shown_child(parent, one) for one in found]})

    @ROUTES.on("DELETE", base + "/{name}/" + word + "/{child}")
    def delete_child(cloud: Cloud, request: Request, group: str, name: str, child: str) -> Answer:
        parent = cloud.need(group, kind, name)
        found = cloud.find(f"{parent.id}/{word}/{child}")
        if found is None:
            return Answer(204)
        operation = Operation(cloud, "DeleteNetworkOperation", cloud.clock.of("network"), lambda: cloud.remove(found))
        return dropped(operation, request, parent.body["location"])


_enter_routes(SECURITY, "securityRules")
_enter_routes(TABLE, "routes")
