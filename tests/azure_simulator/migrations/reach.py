# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches whom: the service's view of the network between source, target and runtime server.

Whoever pulls and pushes is the target itself, or the runtime server if there is one. It must reach the source, and the
runtime server must reach the target too, by address and by name.
"""

from __future__ import annotations

import ipaddress

from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.migrations import ends
from tests.azure_simulator.migrations.findings import CONNECTIVITY, Finding
from tests.azure_simulator.resources import dns, networks, security, subnets

PRIVATE_LINK = "privatelink.postgres.database.azure.com"
UNREACHABLE = "603000: Connection failed. Unable to connect to the {side} server {name} from {carrier}: {why}."
PRIVATE_TO_PUBLIC = (
    "Migration from a source server with private access to a target server with public access is not supported. "
    "Use a target server with a virtual network or a private endpoint."
)


def look(migration) -> list[Finding]:
    """Return what keeps the carrier from its ends."""
    cloud, target = migration.cloud, migration.target
    runtime = cloud.find(migration.sent.get("migrationInstanceResourceId"))
    carrier = runtime or target
    found = []
    source = ends.source_of(migration)
    if ends.private(cloud, source):
        if public(target):
            found.append(Finding(CONNECTIVITY, PRIVATE_TO_PUBLIC))
            return found
        why = _why_not_source(cloud, carrier, source)
        if (
            why is None
            and source.resource is not None
            and not migration.sent.get("sourceDbServerFullyQualifiedDomainName")
        ):
            why = _why_no_name(cloud, carrier, source.resource)
        if why:
            text = UNREACHABLE.format(side="source", name=source.address, carrier=carrier.name, why=why)
            found.append(Finding(CONNECTIVITY, text))
    elif carrier_subnet(cloud, carrier) is not None:
        why = blocked(cloud, carrier_subnet(cloud, carrier), source.port)
        if why:
            text = UNREACHABLE.format(side="source", name=source.address, carrier=carrier.name, why=why)
            found.append(Finding(CONNECTIVITY, text))
    if runtime is not None:
        named = migration.sent.get("targetDbServerFullyQualifiedDomainName")
        why = _why_not_target(cloud, runtime, target, bool(named))
        if why:
            text = UNREACHABLE.format(side="target", name=target.name, carrier=runtime.name, why=why)
            found.append(Finding(CONNECTIVITY, text))
    return found


def public(server: Resource) -> bool:
    network = server.properties["network"]
    return not network.get("delegatedSubnetResourceId") and network.get("publicNetworkAccess") == "Enabled"


def carrier_subnet(cloud: Cloud, server: Resource) -> Resource | None:
    return cloud.find(server.properties["network"].get("delegatedSubnetResourceId"))


def network_of(subnet: Resource) -> str:
    return subnet.id.rsplit("/subnets/", 1)[0].lower()


def connected(cloud: Cloud, one: str, other: str) -> bool:
    """Whether two networks are one, or peered in both directions."""
    if one == other:
        return True

    def leads(start: str, end: str) -> bool:
        return any(
            peering.properties["remoteVirtualNetwork"]["id"].lower() == end and peering.private["state"] == "Connected"
            for peering in cloud.of_type(networks.PEERING, under=start)
        )

    return leads(one, other) and leads(other, one)


def _why_not_source(cloud: Cloud, carrier: Resource, source: ends.Source) -> str | None:
    subnet = carrier_subnet(cloud, carrier)
    if subnet is None:
        return "the source is private and the server is not in a virtual network; use a migration runtime server"
    placed = cloud.private_sources.get(source.address.lower())
    reachable = placed if source.resource is None else _endpoint_networks(cloud, source.resource)
    if reachable is not None and not any(connected(cloud, network_of(subnet), one) for one in reachable):
        return "there is no route from its virtual network"
    return blocked(cloud, subnet, source.port)


def _endpoint_networks(cloud: Cloud, server: Resource) -> list[str]:
    """Return the networks that hold approved private endpoints of a server."""
    found = []
    for endpoint in cloud.of_type("Microsoft.Network/privateEndpoints"):
        if endpoint.properties["server"].lower() != server.id.lower():
            continue
        connection = cloud.find(f"{server.id}/privateEndpointConnections/{endpoint.properties['connection']}")
        if connection and connection.properties["privateLinkServiceConnectionState"]["status"] == "Approved":
            found.append(endpoint.properties["subnet"]["id"].rsplit("/subnets/", 1)[0].lower())
    return found


def _why_not_target(cloud: Cloud, runtime: Resource, target: Resource, named: bool) -> str | None:
    subnet = carrier_subnet(cloud, runtime)
    if subnet is None:
        return "the migration runtime server is not in a virtual network"
    inside = carrier_subnet(cloud, target)
    if inside is not None:
        if not connected(cloud, network_of(subnet), network_of(inside)):
            return "the virtual networks of both are not peered"
        zone = cloud.find(target.properties["network"].get("privateDnsZoneArmResourceId"))
        if not named and zone is not None and not _linked(cloud, zone, network_of(subnet)):
            return f"its name is not known: zone {zone.name} is not linked to the runtime server's virtual network"
        return blocked(cloud, subnet, 5432)
    if public(target):
        return blocked(cloud, subnet, 5432)
    reachable = _endpoint_networks(cloud, target)
    if not reachable:
        return "it has neither public access nor an approved private endpoint"
    if not any(connected(cloud, network_of(subnet), one) for one in reachable):
        return "there is no route to its private endpoint"
    if not named:
        why = _why_no_name(cloud, runtime, target)
        if why:
            return why
    return blocked(cloud, subnet, 5432)


def _why_no_name(cloud: Cloud, carrier: Resource, server: Resource) -> str | None:
    """Return why the carrier does not find a private endpoint by name, or None."""
    subnet = carrier_subnet(cloud, carrier)
    for zone in cloud.of_type(dns.ZONE):
        if zone.name.lower() != PRIVATE_LINK or not _linked(cloud, zone, network_of(subnet)):
            continue
        if cloud.find(f"{zone.id}/A/{server.name}") is not None:
            return None
        return f"zone {PRIVATE_LINK} holds no address of {server.name}"
    return f"zone {PRIVATE_LINK} is not linked to its virtual network"


def _linked(cloud: Cloud, zone: Resource, network: str) -> bool:
    return any(
        link.properties["virtualNetwork"]["id"].lower() == network for link in cloud.of_type(dns.LINK, under=zone.id)
    )


def blocked(cloud: Cloud, subnet: Resource | None, port: int) -> str | None:
    """Return which security rule keeps a subnet from a port outside, or None. The first rule that fits decides."""
    group = cloud.find(((subnet.properties.get("networkSecurityGroup") if subnet else None) or {}).get("id"))
    if group is None:
        return None
    rules = [one for one in cloud.of_type(security.RULE, under=group.id) if one.properties["direction"] == "Outbound"]
    for rule in sorted(rules, key=lambda one: one.properties["priority"]):
        if _fits(rule.properties, port, subnet):
            denied = rule.properties["access"] == "Deny"
            return f"security rule {rule.name} of {group.name} denies port {port}" if denied else None
    return None


def _fits(rule: dict, port: int, subnet: Resource) -> bool:
    ports = rule.get("destinationPortRanges") or [rule.get("destinationPortRange", "*")]
    if rule["protocol"].lower() not in ("*", "tcp") or not any(_holds(one, port) for one in ports):
        return False
    places = rule.get("destinationAddressPrefixes") or [rule.get("destinationAddressPrefix", "*")]
    if not any(one in ("*", "VirtualNetwork", "Internet", "0.0.0.0/0") or "/" in one for one in places):
        return False
    origins = rule.get("sourceAddressPrefixes") or [rule.get("sourceAddressPrefix", "*")]
    own = ipaddress.ip_network(subnets.prefixes(subnet.properties)[0])
    return any(
        one in ("*", "VirtualNetwork") or ("/" in one and ipaddress.ip_network(one).overlaps(own)) for one in origins
    )


def _holds(ports: str, port: int) -> bool:
    first, _dash, last = str(ports).partition("-")
    return first == "*" or int(first) <= port <= int(last or first)
