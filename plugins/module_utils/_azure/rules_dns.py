# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about names: the runtime server's zone, its links, the private endpoint of the target and its zone."""

from __future__ import annotations

from .._checks.rule import Rule, blind, fine, violated
from .._core.resource_id import ResourceId
from .rules_login import LOGIN
from .rules_network import INTEGRATION_PAGE, group_of, network_name
from .rules_runtime import NETWORK_PAGE
from .rules_target import EXISTS
from .runtime_plan import ZONE_HINT, zone_name_problem
from .scene import TARGET, same
from .servers import PRIVATE_ENDPOINT

LINKED = "Completed"


def zone(scene, context):
    """The runtime server's private DNS zone has a name that Azure takes, and is there."""
    identifier = scene.runtime_zone_id
    if not identifier:
        made = "no runtime server" if scene.carrier == TARGET else "the zone is made with the runtime server"
        yield fine("private DNS zone", made)
        return
    name = network_name(identifier)
    problem = zone_name_problem(name, scene.runtime_id.name, scene.suffix)
    if problem:
        yield violated(name, problem, remedy=ZONE_HINT)
    elif scene.resource(identifier) is None:
        yield violated(name, "there is no such zone, or the identity may not see it")
    else:
        yield fine(name, "its name is one for servers in a network")


def zone_links(scene, context):
    """The runtime server's zone is linked to its own network and to those of source and target."""
    identifier = scene.runtime_zone_id
    if not identifier and scene.carrier == TARGET:
        own = scene.target.zone_id
        if own:
            yield from missing_links(scene, own, scene.links(own), [("target", scene.carrier_network_id)])
        return
    if not identifier:
        yield fine("private DNS zone", "the links are made with the runtime server")
        return
    links = scene.links(identifier)
    wanted = [("runtime server", scene.runtime_network_id)]
    wanted += [("source", scene.source_network_id)] if scene.source_network_id else []
    wanted += [("target", network) for network in scene.target_network_ids]
    yield from missing_links(scene, identifier, links, wanted)


def missing_links(scene, identifier: str, links: list, wanted: list):
    """Yield a finding for each network that a zone is to be linked to."""
    name = network_name(identifier)
    for side, network in wanted:
        if not network:
            continue
        state = link_state(links, network)
        if state == LINKED:
            yield fine(name, f"linked to {network_name(network)}, the network of the {side}")
        else:
            yield violated(
                name,
                f"the link to {network_name(network)}, the network of the {side}, is {state}"
                if state
                else f"not linked to {network_name(network)}, the network of the {side}",
                remedy=f"az network private-dns link vnet create --resource-group {group_of(identifier)} --zone-name {name} "
                f"--name {network_name(network)} --virtual-network {network} --registration-enabled false",
            )


def link_state(links: list, network: str) -> str:
    """Return the state of the link to a network; an empty text when there is none."""
    for link in links:
        words = link.get("properties") or {}
        if same((words.get("virtualNetwork") or {}).get("id"), network):
            return str(words.get("virtualNetworkLinkState") or words.get("provisioningState") or LINKED)
    return ""


def endpoint(scene, context):
    """The private endpoint of the target is approved."""
    target = scene.target
    if target.access != PRIVATE_ENDPOINT:
        waiting = [
            ((connection.get("properties") or {}).get("privateLinkServiceConnectionState") or {}).get("status")
            for connection in target.connections
        ]
        if waiting:
            yield violated(
                target.id.name,
                f"its private endpoint connections are {', '.join(str(item) for item in waiting)}",
                remedy="az network private-endpoint-connection approve --id <connection>: "
                + ", ".join(str(connection.get("id")) for connection in target.connections),
            )
        else:
            yield fine(target.id.name, f"it has no private endpoint; its access is {target.access}")
        return
    unread = [item for item in target.approved_endpoints if scene.resource(item) is None]
    for identifier in unread:
        yield blind(network_name(identifier), "the private endpoint cannot be read, it may be in another subscription")
    for item in scene.target_endpoints:
        yield fine(item["name"], "approved")


def endpoint_names(scene, context):
    """The target's name leads to its private endpoint, seen from the runtime server's network."""
    if not scene.has_private_target:
        return
    home = scene.runtime_network_id
    for item in scene.target_endpoints:
        zones = endpoint_zones(scene, item)
        if not zones:
            yield violated(
                item["name"],
                "it has no DNS zone group, so the target's name leads to its public address",
                remedy=f"az network private-endpoint dns-zone-group create --resource-group {group_of(item['id'])} --endpoint-name "
                f"{item['name']} --name default --zone-name postgresql --private-dns-zone <id of privatelink.{scene.suffix}>",
            )
        for identifier in zones:
            yield from endpoint_zone(scene, item, identifier, home)


def endpoint_zones(scene, item: dict) -> list:
    """Return the ids of the zones that a private endpoint is entered in."""
    groups = scene.entries(f"{item['id']}/privateDnsZoneGroups")
    return [
        (config.get("properties") or {}).get("privateDnsZoneId")
        for group in groups
        for config in (group.get("properties") or {}).get("privateDnsZoneConfigs") or []
        if (config.get("properties") or {}).get("privateDnsZoneId")
    ]


def endpoint_zone(scene, item: dict, identifier: str, home: str | None):
    """Yield findings about one zone of a private endpoint: its name, its record, its links."""
    name, wanted = network_name(identifier), f"privatelink.{scene.suffix}".lower()
    if name.lower() != wanted:
        yield violated(name, f"it is the zone of {item['name']}", expected=f"the zone {wanted}")
    if scene.resource(f"{identifier}/A/{scene.target.id.name}") is None:
        yield violated(
            name,
            f"it has no record {scene.target.id.name}",
            remedy="Make the endpoint's DNS zone group anew, which enters it.",
        )
    networks = [("runtime server", home)] if home and ResourceId.parse(home) else []
    networks += [("target", network) for network in scene.target_network_ids]
    yield from missing_links(scene, identifier, scene.links(identifier), networks)


def custom_dns(scene, context):
    """The runtime server's network asks Azure for names, or a server that knows how to."""
    body = scene.resource(scene.carrier_network_id)
    words = (body or {}).get("properties") or {}
    servers = (words.get("dhcpOptions") or {}).get("dnsServers") or []
    if servers:
        yield violated(
            network_name(scene.carrier_network_id),
            f"its names are looked up by {', '.join(servers)}",
            expected="Azure's own resolver, or one that forwards to it",
            remedy=f"Let it forward {scene.suffix} to 168.63.129.16 through a forwarder inside the network; or give source and "
            "target by address: 'source.host', 'source_server_fqdn', 'target_server_fqdn'.",
        )


def rule(name: str, title: str, look, expected: str, remedy: str, **more) -> Rule:
    """Return a rule about names."""
    words = {"documentation": NETWORK_PAGE, "needs": (LOGIN, EXISTS), "clean": "as expected", **more}
    return Rule(
        id=f"azure-{name}",
        title=title,
        level="network",
        side="runtime",
        look=look,
        expected=expected,
        remedy=remedy,
        **words,
    )


RULES = (
    rule(
        "dns-zone",
        "The runtime server's private DNS zone has a name that Azure takes",
        zone,
        "a zone that ends in the suffix of flexible servers and is not the server's own name",
        "Use another zone, or none: then one is made.",
        documentation=INTEGRATION_PAGE,
        needs=(LOGIN, EXISTS),
    ),
    rule(
        "dns-links",
        "The zone is linked to the networks of runtime server, source and target",
        zone_links,
        "a link to each of the networks",
        "Link them; module runtime_server links those of a server that is this migration's.",
        needs=(LOGIN, EXISTS, "azure-dns-zone"),
    ),
    rule(
        "private-endpoint",
        "The private endpoint of the target is approved",
        endpoint,
        "an approved private endpoint, where the target is reached by one",
        "Approve it.",
        needs=(LOGIN, EXISTS),
    ),
    rule(
        "private-endpoint-dns",
        "The target's name leads to its private endpoint",
        endpoint_names,
        "a zone group with the zone privatelink, a record of the target, links to the networks that look it up",
        "Enter the endpoint in the zone, and link the zone.",
        clean="the target has no private endpoint",
        needs=(LOGIN, EXISTS, "azure-private-endpoint"),
    ),
    rule(
        "dns-servers",
        "The runtime server's network looks names up where the zones are known",
        custom_dns,
        "Azure's own resolver",
        "Forward to it, or give addresses.",
        severity="warning",
        clean="Azure's own resolver",
    ),
)
