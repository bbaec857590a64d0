# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private DNS zones with their links to virtual networks and their address records."""

from __future__ import annotations

import base64
import re

from tests.azure_simulator import operations, wire
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.operations import Operation
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, ArmError, Request

ROUTES = Routes()
GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/privateDnsZones"
ZONE = "Microsoft.Network/privateDnsZones"
LINK = ZONE + "/virtualNetworkLinks"
RECORD = ZONE + "/A"
LINKS = GROUP + "/{zone}/virtualNetworkLinks"
LABEL = re.compile(r"(@|\*|[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(\.[A-Za-z0-9_-]+)*")


def make_zone(cloud: Cloud, group: str, name: str, tags: dict | None = None) -> Resource:
    zone = Resource(cloud.id_of(group, ZONE, name), ZONE, name, {"location": "global"})
    if tags is not None:
        zone.body["tags"] = dict(tags)
    identity = base64.b64encode(f"ImmutableZoneIdentity;{wire.new_guid()};0".encode()).decode()
    zone.private.update(etag=wire.new_guid(), internal=identity)
    return cloud.put(zone)


def make_link(cloud: Cloud, zone: Resource, name: str, network: str, registration: bool = False) -> Resource:
    """Link a zone to a virtual network; the name is kept in small letters, as recorded."""
    name = name.lower()
    properties = {"registrationEnabled": registration, "virtualNetwork": {"id": network}}
    link = Resource(
        f"{zone.id}/virtualNetworkLinks/{name}", LINK, name, {"location": "global", "properties": properties}
    )
    link.private["etag"] = f'"{wire.new_guid()}"'
    return cloud.put(link)


def make_record(cloud: Cloud, zone: Resource, name: str, addresses: list[str], ttl: int = 3600) -> Resource:
    properties = {"ttl": ttl, "aRecords": [{"ipv4Address": one} for one in addresses]}
    record = Resource(f"{zone.id}/A/{name}", RECORD, name, {"properties": properties})
    record.private["etag"] = wire.new_guid()
    return cloud.put(record)


def shown_zone(cloud: Cloud, zone: Resource, version: str | None = None) -> dict:
    links = cloud.of_type(LINK, under=zone.id)
    properties: dict = {} if (version or "2020") < "2020" else {"internalId": zone.private["internal"]}
    properties.update(
        maxNumberOfRecordSets=25000,
        maxNumberOfVirtualNetworkLinks=1000,
        maxNumberOfVirtualNetworkLinksWithRegistration=100,
        numberOfRecordSets=1 + len(cloud.of_type(RECORD, under=zone.id)),
        numberOfVirtualNetworkLinks=len(links),
        numberOfVirtualNetworkLinksWithRegistration=sum(one.properties["registrationEnabled"] for one in links),
        provisioningState="Succeeded",
    )
    head = {"id": zone.id, "name": zone.name, "type": ZONE, "etag": zone.private["etag"], "location": "global"}
    tags = {"tags": dict(zone.body["tags"])} if "tags" in zone.body else {}
    return {**head, **tags, "properties": properties}


def shown_link(link: Resource) -> dict:
    properties = {"provisioningState": "Succeeded", **link.properties, "virtualNetworkLinkState": "Completed"}
    head = {"id": link.id, "name": link.name, "type": LINK, "etag": link.private["etag"], "location": "global"}
    tags = {"tags": dict(link.body["tags"])} if "tags" in link.body else {}
    return {**head, **tags, "properties": properties}


def shown_record(zone: Resource, record: Resource) -> dict:
    fqdn = f"{zone.name}." if record.name == "@" else f"{record.name}.{zone.name}."
    properties = {"fqdn": fqdn, **record.properties, "isAutoRegistered": False}
    return {
        "id": record.id,
        "name": record.name,
        "type": RECORD,
        "etag": record.private["etag"],
        "properties": properties,
    }


def _accepted(operation: Operation, request: Request, group: str) -> Answer:
    return Answer(202, {}, operations.dns_headers(operation, request, group))


@ROUTES.on("PUT", GROUP + "/{zone}")
def put_zone(cloud: Cloud, request: Request, group: str, zone: str) -> Answer:
    cloud.group(group)
    body = request.document()
    if (body.get("location") or "").lower() != "global":
        raise ArmError(400, "BadRequest", "The location of a private DNS zone must be 'global'.", cause="service")

    def done() -> None:
        known = cloud.find(cloud.id_of(group, ZONE, zone))
        if known is None:
            make_zone(cloud, group, zone, body.get("tags"))
        elif body.get("tags") is not None:
            known.body["tags"] = dict(body["tags"])

    return _accepted(Operation(cloud, "UpsertPrivateDnsZone", cloud.clock.of("dns"), done), request, group)


@ROUTES.on("GET", GROUP + "/{zone}")
def get_zone(cloud: Cloud, request: Request, group: str, zone: str) -> Answer:
    return Answer(200, shown_zone(cloud, cloud.need(group, ZONE, zone), request.api_version))


@ROUTES.on("GET", GROUP)
def list_zones(cloud: Cloud, request: Request, group: str) -> Answer:
    cloud.group(group)
    return Answer(200, {"value": [shown_zone(cloud, one, request.api_version) for one in cloud.of_type(ZONE, group)]})


@ROUTES.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Network/privateDnsZones")
def list_all_zones(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, {"value": [shown_zone(cloud, one, request.api_version) for one in cloud.of_type(ZONE)]})


@ROUTES.on("DELETE", GROUP + "/{zone}")
def delete_zone(cloud: Cloud, request: Request, group: str, zone: str) -> Answer:
    cloud.group(group)
    found = cloud.find(cloud.id_of(group, ZONE, zone))
    if found is None:
        return Answer(204)
    links = cloud.of_type(LINK, under=found.id)
    if links:
        raise ArmError(
            409,
            "CannotDeleteResource",
            f"Can not delete resource before nested resources are deleted. Nested resource: {links[0].id}",
            cause="service",
        )
    operation = Operation(cloud, "DeletePrivateDnsZone", cloud.clock.of("dns"), lambda: cloud.remove(found))
    return Answer(202, None, operations.dns_headers(operation, request, group))


# -- links -------------------------------------------------------------------------------------------------------------


@ROUTES.on("PUT", LINKS + "/{link}")
def put_link(cloud: Cloud, request: Request, group: str, zone: str, link: str) -> Answer:
    found = cloud.need(group, ZONE, zone)
    body = request.document()
    sent = body.get("properties") or {}
    network = (sent.get("virtualNetwork") or {}).get("id")
    if cloud.find(network) is None:
        raise ArmError(400, "BadRequest", f"The virtual network '{network}' was not found.", cause="service")
    for other in cloud.of_type(LINK):
        same_network = other.properties["virtualNetwork"]["id"].lower() == network.lower()
        if same_network and other.id.split("/")[8].lower() == zone.lower() and other.name != link.lower():
            raise ArmError(
                409,
                "Conflict",
                f"A virtual network cannot be linked to multiple zones with overlapping namespaces. You tried to link virtual "
                f"network with '{zone}' and '{other.id.split('/')[8]}' zones.",
                cause="service",
            )

    def done() -> None:
        made = make_link(cloud, found, link, network, bool(sent.get("registrationEnabled")))
        if body.get("tags") is not None:
            made.body["tags"] = dict(body["tags"])

    return _accepted(Operation(cloud, "UpsertVirtualNetworkLink", cloud.clock.of("dns"), done), request, group)


@ROUTES.on("GET", LINKS + "/{link}")
def get_link(cloud: Cloud, request: Request, group: str, zone: str, link: str) -> Answer:
    return Answer(200, shown_link(cloud.need(group, LINK, zone, link)))


@ROUTES.on("GET", LINKS)
def list_links(cloud: Cloud, request: Request, group: str, zone: str) -> Answer:
    found = cloud.need(group, ZONE, zone)
    return Answer(200, {"value": [shown_link(one) for one in cloud.of_type(LINK, under=found.id)]})


@ROUTES.on("DELETE", LINKS + "/{link}")
def delete_link(cloud: Cloud, request: Request, group: str, zone: str, link: str) -> Answer:
    cloud.need(group, ZONE, zone)
    found = cloud.find(cloud.id_of(group, LINK, zone, link))
    if found is None:
        return Answer(204)
    operation = Operation(cloud, "DeleteVirtualNetworkLink", cloud.clock.of("dns"), lambda: cloud.remove(found))
    return Answer(202, None, operations.dns_headers(operation, request, group))


# -- records: answered at once -----------------------------------------------------------------------------------------


@ROUTES.on("PUT", GROUP + "/{zone}/A/{record}")
def put_record(cloud: Cloud, request: Request, group: str, zone: str, record: str) -> Answer:
    found = cloud.need(group, ZONE, zone)
    sent = request.document().get("properties") or {}
    addresses = [one.get("ipv4Address", "") for one in sent.get("aRecords") or []]
    if not LABEL.fullmatch(record) or not addresses or "ttl" not in sent:
        raise ArmError(400, "BadRequest", f"The record set '{record}' is not valid.", cause="service")
    known = cloud.find(f"{found.id}/A/{record}") is not None
    return Answer(200 if known else 201, shown_record(found, make_record(cloud, found, record, addresses, sent["ttl"])))


@ROUTES.on("GET", GROUP + "/{zone}/A/{record}")
def get_record(cloud: Cloud, request: Request, group: str, zone: str, record: str) -> Answer:
    found = cloud.need(group, ZONE, zone)
    known = cloud.find(f"{found.id}/A/{record}")
    if known is None:
        text = f"The resource record '{record}' does not exist in resource group '{group}' of subscription."
        raise ArmError(404, "NotFound", text, cause="service")
    return Answer(200, shown_record(found, known))


def _records(cloud: Cloud, group: str, zone: str) -> Answer:
    found = cloud.need(group, ZONE, zone)
    return Answer(200, {"value": [shown_record(found, one) for one in cloud.of_type(RECORD, under=found.id)]})


@ROUTES.on("GET", GROUP + "/{zone}/A")
def list_records(cloud: Cloud, request: Request, group: str, zone: str) -> Answer:
    return _records(cloud, group, zone)


@ROUTES.on("GET", GROUP + "/{zone}/ALL")
def list_all_records(cloud: Cloud, request: Request, group: str, zone: str) -> Answer:
    return _records(cloud, group, zone)


@ROUTES.on("DELETE", GROUP + "/{zone}/A/{record}")
def delete_record(cloud: Cloud, request: Request, group: str, zone: str, record: str) -> Answer:
    found = cloud.need(group, ZONE, zone)
    known = cloud.find(f"{found.id}/A/{record}")
    if known is None:
        return Answer(204)
    cloud.remove(known)
    return Answer(200)
