# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private endpoints, and the connections that servers have of them."""

from __future__ import annotations

import copy
import ipaddress

from tests.azure_simulator import operations, places, wire
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.operations import Operation
from tests.azure_simulator.resources import dns, subnets
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, ArmError, Request

ROUTES = Routes()
GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/privateEndpoints"
ENDPOINT = "Microsoft.Network/privateEndpoints"
ZONE_GROUP = ENDPOINT + "/privateDnsZoneGroups"
SERVER_GROUP = "postgresqlServer"
STATES = {"Approved": "Auto-Approved", "Pending": "Please approve my connection", "Rejected": "Rejected"}


def make(
    cloud: Cloud,
    group: str,
    name: str,
    location: str,
    subnet: str,
    server: Resource,
    status: str,
    address: str,
    tags=None,
) -> Resource:
    """Make an endpoint and the server's side of it."""
    identifier = cloud.id_of(group, ENDPOINT, name)
    connection = f"{name}.{wire.new_guid()}"
    state = {"status": status, "description": STATES.get(status, ""), "actionsRequired": "None"}
    kind = server.type + "/privateEndpointConnections"
    properties = {
        "privateEndpoint": {"id": identifier},
        "groupIds": [SERVER_GROUP],
        "privateLinkServiceConnectionState": state,
        "provisioningState": "Succeeded",
    }
    if "/flexibleservers" not in server.type.lower():
        # The connection of a Single Server has no groups, and calls an approved one Ready.
        del properties["groupIds"]
        properties["provisioningState"] = "Ready"
    cloud.put(
        Resource(f"{server.id}/privateEndpointConnections/{connection}", kind, connection, {"properties": properties})
    )
    body: dict = {
        "location": places.short(location),
        "properties": {
            "subnet": {"id": subnet},
            "server": server.id,
            "connection": connection,
            "manual": status == "Pending",
        },
    }
    if tags is not None:
        body["tags"] = dict(tags)
    made = Resource(identifier, ENDPOINT, name, body)
    made.private.update(etag=f'W/"{wire.new_guid()}"', address=address, card=wire.new_guid())
    return cloud.put(made)


def connections_of(cloud: Cloud, server: Resource) -> list[dict]:
    """Return the private endpoint connections of a server, in wire form."""
    kind = server.type + "/privateEndpointConnections"
    return [shown_connection(one) for one in cloud.of_type(kind, under=server.id)]


def shown_connection(found: Resource) -> dict:
    return {"id": found.id, "name": found.name, "type": found.type, "properties": copy.deepcopy(found.properties)}


def _server_name(server: Resource) -> str:
    return server.properties.get("fullyQualifiedDomainName") or f"{server.name}.postgres.database.azure.com"


def shown(cloud: Cloud, found: Resource) -> dict:
    held = found.properties
    server = cloud.find(held["server"])
    connection = cloud.find(f"{held['server']}/privateEndpointConnections/{held['connection']}")
    disconnected = {"status": "Disconnected", "description": "", "actionsRequired": ""}
    state = connection.properties["privateLinkServiceConnectionState"] if connection else disconnected
    link = {
        "name": found.name,
        "id": f"{found.id}/privateLinkServiceConnections/{found.name}",
        "etag": found.private["etag"],
        "properties": {
            "provisioningState": "Succeeded",
            "privateLinkServiceId": held["server"],
            "groupIds": [SERVER_GROUP],
            "privateLinkServiceConnectionState": dict(state),
        },
        "type": ENDPOINT + "/privateLinkServiceConnections",
    }
    card = f"{found.id.rsplit('/', 2)[0]}/networkInterfaces/{found.name}.nic.{found.private['card']}"
    names = [{"fqdn": _server_name(server), "ipAddresses": [found.private["address"]]}] if server else []
    properties = {
        "provisioningState": "Succeeded",
        "privateLinkServiceConnections": [] if held["manual"] else [link],
        "manualPrivateLinkServiceConnections": [link] if held["manual"] else [],
        "customNetworkInterfaceName": "",
        "subnet": {"id": held["subnet"]["id"]},
        "ipConfigurations": [],
        "networkInterfaces": [{"id": card}],
        "customDnsConfigs": [] if cloud.of_type(ZONE_GROUP, under=found.id) else names,
    }
    head = {"name": found.name, "id": found.id, "etag": found.private["etag"], "type": ENDPOINT}
    tags = {"tags": dict(found.body["tags"])} if "tags" in found.body else {}
    return {**head, "location": found.body["location"], **tags, "properties": properties}


def next_address(cloud: Cloud, subnet: Resource) -> str:
    """Return an address of a subnet that no endpoint has; the first four are Azure's own."""
    taken = {one.private["address"] for one in cloud.of_type(ENDPOINT)}
    space = ipaddress.ip_network(subnets.prefixes(subnet.properties)[0])
    for number in range(4, space.num_addresses - 1):
        if str(space[number]) not in taken:
            return str(space[number])
    raise ArmError(400, "SubnetIsFull", f"Subnet {subnet.name} has not enough capacity.", cause="service")


@ROUTES.on("PUT", GROUP + "/{name}")
def put(cloud: Cloud, request: Request, group: str, name: str) -> Answer:
    cloud.group(group)
    body = request.document()
    sent = body.get("properties") or {}
    known = cloud.find(cloud.id_of(group, ENDPOINT, name))
    if known is not None:
        return Answer(200, shown(cloud, known))
    automatic, manual = (
        sent.get("privateLinkServiceConnections") or [],
        sent.get("manualPrivateLinkServiceConnections") or [],
    )
    wanted = (automatic or manual or [{}])[0].get("properties") or {}
    server = cloud.find(wanted.get("privateLinkServiceId"))
    subnet = cloud.find((sent.get("subnet") or {}).get("id"))
    if server is None or subnet is None:
        raise ArmError(
            400, "InvalidResourceReference", "The server or the subnet of the endpoint was not found.", cause="service"
        )
    if SERVER_GROUP not in (wanted.get("groupIds") or []):
        raise ArmError(400, "InvalidGroupId", f"Group ids must be ['{SERVER_GROUP}'].", cause="service")
    status = "Approved" if automatic else "Pending"
    address = next_address(cloud, subnet)
    made = make(
        cloud, group, name, body.get("location", "eastus"), subnet.id, server, status, address, body.get("tags")
    )
    operation = Operation(cloud, "PutPrivateEndpointOperation", cloud.clock.of("endpoint"))
    return Answer(201, shown(cloud, made), operations.network_headers(operation, request, made.body["location"]))


@ROUTES.on("GET", GROUP + "/{name}")
def get(cloud: Cloud, request: Request, group: str, name: str) -> Answer:
    return Answer(200, shown(cloud, cloud.need(group, ENDPOINT, name)))


@ROUTES.on("GET", GROUP)
def listed(cloud: Cloud, request: Request, group: str) -> Answer:
    cloud.group(group)
    return Answer(200, {"value": [shown(cloud, one) for one in cloud.of_type(ENDPOINT, group)]})


@ROUTES.on("DELETE", GROUP + "/{name}")
def delete(cloud: Cloud, request: Request, group: str, name: str) -> Answer:
    cloud.group(group)
    found = cloud.find(cloud.id_of(group, ENDPOINT, name))
    if found is None:
        return Answer(204)

    def done() -> None:
        connection = cloud.find(
            f"{found.properties['server']}/privateEndpointConnections/{found.properties['connection']}"
        )
        if connection is not None:
            cloud.remove(connection)
        cloud.remove(found)

    operation = Operation(cloud, "DeletePrivateEndpointOperation", cloud.clock.of("endpoint"), done)
    headers = operations.network_headers(operation, request, found.body["location"])
    address = headers["Azure-AsyncOperation"].replace("/operations/", "/operationResults/", 1)
    return Answer(202, None, {**headers, "Location": address})


# -- the names of endpoints in private DNS -----------------------------------------------------------------------------


def enter_zone_group(cloud: Cloud, endpoint: Resource, name: str, zones: list[str]) -> Resource:
    """Enter the endpoint's address in zones, and remember them."""
    configurations = []
    server = cloud.find(endpoint.properties["server"])
    for zone_id in zones:
        zone = cloud.find(zone_id)
        if zone is None:
            raise ArmError(400, "InvalidResourceReference", f"The zone '{zone_id}' was not found.", cause="service")
        dns.make_record(cloud, zone, server.name, [endpoint.private["address"]], 10)
        configurations.append({"name": zone.name.replace(".", "-"), "properties": {"privateDnsZoneId": zone.id}})
    properties = {"provisioningState": "Succeeded", "privateDnsZoneConfigs": configurations}
    return cloud.put(
        Resource(f"{endpoint.id}/privateDnsZoneGroups/{name}", ZONE_GROUP, name, {"properties": properties})
    )


def _shown_zone_group(found: Resource) -> dict:
    head = {"name": found.name, "id": found.id, "etag": f'W/"{wire.new_guid()}"'}
    return {**head, "properties": copy.deepcopy(found.properties)}


@ROUTES.on("PUT", GROUP + "/{name}/privateDnsZoneGroups/{zone_group}")
def put_zone_group(cloud: Cloud, request: Request, group: str, name: str, zone_group: str) -> Answer:
    endpoint = cloud.need(group, ENDPOINT, name)
    sent = (request.document().get("properties") or {}).get("privateDnsZoneConfigs") or []
    made = enter_zone_group(cloud, endpoint, zone_group, [one["properties"]["privateDnsZoneId"] for one in sent])
    operation = Operation(cloud, "PutPrivateDnsZoneGroupOperation", cloud.clock.of("network"))
    return Answer(
        201, _shown_zone_group(made), operations.network_headers(operation, request, endpoint.body["location"])
    )


@ROUTES.on("GET", GROUP + "/{name}/privateDnsZoneGroups")
def list_zone_groups(cloud: Cloud, request: Request, group: str, name: str) -> Answer:
    endpoint = cloud.need(group, ENDPOINT, name)
    return Answer(200, {"value": [_shown_zone_group(one) for one in cloud.of_type(ZONE_GROUP, under=endpoint.id)]})


@ROUTES.on("GET", GROUP + "/{name}/privateDnsZoneGroups/{zone_group}")
def get_zone_group(cloud: Cloud, request: Request, group: str, name: str, zone_group: str) -> Answer:
    return Answer(200, _shown_zone_group(cloud.need(group, ZONE_GROUP, name, zone_group)))


# -- the server's side -------------------------------------------------------------------------------------------------


def _enter_routes(kind: str) -> None:
    base = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{kind}/{{server}}/privateEndpointConnections"
    child = kind + "/privateEndpointConnections"

    @ROUTES.on("GET", base)
    def list_connections(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
        return Answer(200, {"value": connections_of(cloud, cloud.need(group, kind, server))})

    @ROUTES.on("GET", base + "/{connection}")
    def get_connection(cloud: Cloud, request: Request, group: str, server: str, connection: str) -> Answer:
        cloud.need(group, kind, server)
        return Answer(200, shown_connection(cloud.need(group, child, server, connection)))

    @ROUTES.on("PUT", base + "/{connection}")
    def put_connection(cloud: Cloud, request: Request, group: str, server: str, connection: str) -> Answer:
        parent = cloud.need(group, kind, server)
        found = cloud.need(group, child, server, connection)
        state = (request.document().get("properties") or {}).get("privateLinkServiceConnectionState") or {}

        def done() -> None:
            found.properties["privateLinkServiceConnectionState"].update(
                {word: value for word, value in state.items() if word != "actionsRequired"}
            )

        operation = Operation(cloud, "UpdatePrivateEndpointConnection", cloud.clock.of("network"), done)
        return operations.accepted(operation, request, places.short(parent.body["location"]))

    @ROUTES.on("DELETE", base + "/{connection}")
    def delete_connection(cloud: Cloud, request: Request, group: str, server: str, connection: str) -> Answer:
        parent = cloud.need(group, kind, server)
        found = cloud.find(cloud.id_of(group, child, server, connection))
        if found is None:
            return Answer(204)
        operation = Operation(
            cloud, "DropPrivateEndpointConnection", cloud.clock.of("network"), lambda: cloud.remove(found)
        )
        return operations.accepted(operation, request, places.short(parent.body["location"]))


_enter_routes("Microsoft.DBforPostgreSQL/flexibleServers")
_enter_routes("Microsoft.DBforPostgreSQL/servers")
