# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the traffic between source, runtime server and target: security groups and routes."""

from __future__ import annotations

from .._checks.rule import blind, fine, violated
from .addresses import PRIVATE
from .rules_login import LOGIN
from .rules_network import SUBNET, group_of, network_name, prefixes_of, rule, subnet_of
from .rules_runtime import source_of
from .rules_target import EXISTS
from .scene import TARGET, endpoint_subnet
from .security_rules import DENY, INBOUND, OUTBOUND, STORAGE, Place, decide, next_hop
from .servers import INTEGRATED

POSTGRESQL_PORT, PGBOUNCER_PORT, HTTPS_PORT = 5432, 6432, 443


def flows(scene) -> list:
    """Return C((what, place, port)) of the traffic that leaves whoever connects to source and target."""
    wanted = []
    source = source_of(scene)
    if source.addresses:
        near = source.access == PRIVATE
        wanted.append(
            ("the source", Place.of(*source.addresses, near=near), scene.request.source.port or POSTGRESQL_PORT)
        )
    for endpoint in scene.target_endpoints:
        wanted.append(("the target", endpoint_place(scene, endpoint), scene.request.target.port or POSTGRESQL_PORT))
    target = scene.target
    if target.access == INTEGRATED and scene.carrier != TARGET:
        words = (scene.resource(target.subnet_id) or {}).get("properties") or {}
        place = Place(tuple(prefixes_of(words)), near=True)
        wanted.append(("the target", place, scene.request.target.port or POSTGRESQL_PORT))
    wanted.append(("Azure's storage", Place(tag=STORAGE), HTTPS_PORT))
    return wanted


def endpoint_place(scene, endpoint: dict) -> Place:
    """Return the addresses of a private endpoint: its own, or those of its subnet."""
    words = endpoint.get("properties") or {}
    addresses = [address for item in words.get("customDnsConfigs") or [] for address in item.get("ipAddresses") or []]
    addresses += [
        item["properties"]["privateIPAddress"]
        for item in words.get("ipConfigurations") or []
        if (item.get("properties") or {}).get("privateIPAddress")
    ]
    if addresses:
        return Place.of(*addresses, near=True)
    around = (scene.resource(endpoint_subnet(endpoint)) or {}).get("properties") or {}
    return Place(tuple(prefixes_of(around)), near=True)


def security_groups(scene, context):
    """Security groups let the data pass: out of the subnet of whoever connects, and into those of source and target."""
    name, words = subnet_of(scene, scene.carrier_subnet_id)
    home = Place(tuple(prefixes_of(words or {})), near=True)
    group = ((words or {}).get("networkSecurityGroup") or {}).get("id")
    if words is None:
        yield blind("subnet", f"the {scene.carrier}'s subnet is not known", because=SUBNET)
        return
    if group:
        rules = scene.rules_of(group)
        if rules is None:
            yield blind(network_name(group), "the security group cannot be read")
        else:
            found = list(runtime_denials(scene, group, rules, home))
            yield from found or [fine(network_name(group), f"lets pass what the {scene.carrier} in {name} needs")]
    else:
        yield fine(name, "it has no security group")
    for label, subnet_id, place, port in far_ends(scene):
        yield from far_denials(scene, label, subnet_id, home, place, port)


def runtime_denials(scene, group: str, rules: list, home: Place):
    """Yield what the security group of the subnet of whoever connects denies."""
    wanted = [(OUTBOUND, what, home, place, port) for what, place, port in flows(scene)]
    for port in (POSTGRESQL_PORT, PGBOUNCER_PORT):
        wanted += [(direction, "the subnet itself", home, home, port) for direction in (INBOUND, OUTBOUND)]
    for direction, what, source, destination, port in wanted:
        decision = decide(rules, direction, source, destination, port)
        if decision.access == DENY:
            minor = port == PGBOUNCER_PORT
            yield violated(
                network_name(group),
                f"rule {decision.rule} (priority {decision.priority}) denies {direction.lower()} {what}, {destination}, port {port}",
                expected=f"{direction.lower()} traffic to {what} at port {port}",
                remedy=allow_command(group, direction, what, source, destination, port, decision.priority),
                severity="warning" if minor else "",
            )


def far_ends(scene) -> list:
    """Return C((side, subnet id, place, port)) of the ends that are connected to."""
    ends = []
    port = scene.request.target.port or POSTGRESQL_PORT
    for endpoint in scene.target_endpoints:
        ends.append(("target", endpoint_subnet(endpoint), endpoint_place(scene, endpoint), port))
    source, network = source_of(scene), scene.source_network_id
    if network and source.addresses:
        place = Place.of(*source.addresses, near=True)
        for item in ((scene.resource(network) or {}).get("properties") or {}).get("subnets") or []:
            around = prefixes_of(item.get("properties") or {})
            if any(one.version == wide.version and one.subnet_of(wide) for one in place.addresses for wide in around):
                ends.append(("source", item.get("id"), place, scene.request.source.port or POSTGRESQL_PORT))
    return ends


def far_denials(scene, side: str, subnet_id: str | None, home: Place, place: Place, port: int):
    """Yield what the security group at the other end denies."""
    words = (scene.resource(subnet_id) or {}).get("properties") or {}
    group = (words.get("networkSecurityGroup") or {}).get("id")
    # A private endpoint is beyond security groups unless its subnet says otherwise.
    if side == "target" and str(words.get("privateEndpointNetworkPolicies") or "Disabled") not in (
        "Enabled",
        "NetworkSecurityGroupEnabled",
    ):
        return
    if not group:
        return
    rules = scene.rules_of(group)
    if rules is None:
        yield blind(network_name(group), f"the {side}'s security group cannot be read")
        return
    decision = decide(rules, INBOUND, home, place, port)
    if decision.access == DENY:
        yield violated(
            network_name(group),
            f"rule {decision.rule} (priority {decision.priority}) denies inbound from {home} to the {side}, port {port}",
            expected=f"inbound traffic from the {scene.carrier}'s subnet to the {side} at port {port}",
            remedy=allow_command(group, INBOUND, f"the {side}", home, place, port, decision.priority),
        )
    else:
        yield fine(network_name(group), f"lets the {scene.carrier} in to the {side}")


def allow_command(
    group: str, direction: str, what: str, source: Place, destination: Place, port: int, before: int
) -> str:
    """Return the az command that lets some traffic pass before the rule that denies it."""
    name = f"azpg-{direction.lower()}-{port}"
    ends = [str(place).replace(", ", " ") for place in (source, destination)]
    return (
        f"az network nsg rule create --resource-group {group_of(group)} --nsg-name {network_name(group)} --name {name} "
        f"--priority {max(100, min(before, 4096) - 1)} --direction {direction} --access Allow --protocol Tcp "
        f"--source-address-prefixes {ends[0]} --destination-address-prefixes {ends[1]} --destination-port-ranges {port}"
    )


def routes(scene, context):
    """The route table of whoever connects leads to source, target and storage."""
    name, words = subnet_of(scene, scene.carrier_subnet_id)
    if words is None:
        yield blind("subnet", f"the {scene.carrier}'s subnet is not known", because=SUBNET)
        return
    table = (words.get("routeTable") or {}).get("id")
    if not table:
        yield fine(name, "it has no route table of its own; Azure's system routes hold")
        return
    entries = scene.routes_of(table)
    found = []
    for what, place, port in flows(scene):
        hop, route = next_hop(entries, place)
        if hop == "None":
            found.append(
                violated(
                    network_name(table),
                    f"route {route} drops what goes to {what}, {place}",
                    remedy=f"az network route-table route update --resource-group {group_of(table)} --route-table-name "
                    f"{network_name(table)} --name {route} --next-hop-type <the right one>",
                )
            )
        elif hop == "VirtualAppliance":
            found.append(
                violated(
                    network_name(table),
                    f"route {route} leads what goes to {what} through a firewall",
                    expected="a way that lets the traffic pass",
                    remedy=f"Make sure that the firewall lets {place} pass at port {port}, in both directions.",
                    severity="warning",
                )
            )
    yield from found or [fine(network_name(table), "leads to source, target and storage")]


RULES = (
    rule(
        "security-groups",
        "Security groups let the data pass",
        security_groups,
        "rules that let PostgreSQL and the storage's port pass",
        "Add a rule that allows it, with a smaller priority number than the one that denies it.",
        needs=(LOGIN, EXISTS, SUBNET),
    ),
    rule(
        "routes",
        "Routes lead from the runtime server to source, target and storage",
        routes,
        "routes that drop nothing of it",
        "Change the route.",
        needs=(LOGIN, EXISTS, SUBNET),
    ),
)
