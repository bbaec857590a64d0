# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the networks of source, runtime server and target: the subnet, and peerings."""

from __future__ import annotations

from .._checks.rule import Rule, blind, fine, violated
from .._core.resource_id import ResourceId
from .addresses import PRIVATE
from .rules_login import LOGIN
from .rules_runtime import NETWORK_PAGE, source_of
from .rules_target import EXISTS
from .runtime_plan import DELEGATION, SMALLEST_SUBNET
from .scene import TARGET, network_of_subnet, same
from .security_rules import network_of
from .servers import region

SUBNET = "azure-subnet"
RESERVED_SUBNETS = ("azurefirewallsubnet", "azurefirewallmanagementsubnet", "azurebastionsubnet", "gatewaysubnet")
INTEGRATION_PAGE = "https://learn.microsoft.com/azure/postgresql/network/concepts-networking-private"
# Addresses of a subnet that Azure keeps for itself.
KEPT_ADDRESSES = 5


def subnet_of(scene, identifier: str | None) -> tuple:
    """Return C((name, properties)) of a subnet; C(("", None)) when there is none."""
    if not identifier:
        return "", None
    body = scene.resource(identifier)
    return identifier.rstrip("/").rsplit("/", 1)[-1], (body or {}).get("properties")


def prefixes_of(properties: dict) -> list:
    """Return a subnet's prefixes, as networks."""
    texts = [properties.get("addressPrefix"), *(properties.get("addressPrefixes") or [])]
    return list(dict.fromkeys(filter(None, (network_of(text) for text in texts if text))))


def subnet(scene, context):
    """The runtime server's subnet is delegated to flexible servers, large enough, in the right region."""
    name, words = subnet_of(scene, scene.runtime_subnet_id)
    if not name:
        made = scene.options.get("subnet_address_prefix")
        if scene.carrier == TARGET:
            yield fine(
                network_name(scene.target.subnet_id), "no runtime server: the target connects from its own subnet"
            )
        elif made:
            yield fine(made, "the subnet is made with the runtime server")
        else:
            yield blind(
                "subnet",
                "no subnet for the runtime server is named",
                remedy="Set 'azure_server.delegated_subnet_id', if a runtime server is needed.",
                because="azure-network-scenario",
            )
        return
    if words is None:
        yield violated(
            scene.runtime_subnet_id,
            "there is no such subnet, or the identity may not see it",
            remedy="Correct 'azure_server.delegated_subnet_id'.",
        )
        return
    problems = list(subnet_problems(scene, name, words))
    yield from problems
    if not any(problem.severity != "warning" for problem in problems):
        sizes = ", ".join(map(str, prefixes_of(words)))
        yield fine(name, f"{sizes}, delegated to {DELEGATION}")


def subnet_problems(scene, name: str, words: dict):
    """Yield what is wrong with the runtime server's subnet."""
    identifier = ResourceId.parse(scene.runtime_subnet_id)
    update = (
        f"az network vnet subnet update --ids {identifier}"
        if identifier
        else "az network vnet subnet update --ids <subnet>"
    )
    services = [((item.get("properties") or {}).get("serviceName")) or "" for item in words.get("delegations") or []]
    if [service.lower() for service in services] != [DELEGATION.lower()]:
        said = f"delegated to {', '.join(services)}" if services else "not delegated"
        yield violated(
            name, f"it is {said}", expected=f"delegated to {DELEGATION}", remedy=f"{update} --delegations {DELEGATION}"
        )
    if name.lower() in RESERVED_SUBNETS:
        yield violated(name, "this name is reserved for other services", remedy="Use another subnet.")
    for prefix in prefixes_of(words):
        if prefix.version == 6:
            yield violated(
                name, f"{prefix} is of IPv6, which flexible servers do not know", remedy="Use a subnet of IPv4."
            )
        elif prefix.prefixlen > SMALLEST_SUBNET:
            yield violated(
                name,
                f"{prefix} has {prefix.num_addresses - KEPT_ADDRESSES} addresses",
                expected=f"/{SMALLEST_SUBNET} or larger",
            )
    yield from subnet_users(scene, name, words)
    # Azure enters it when it makes a server there.
    if scene.runtime and not any(
        item.get("service") == "Microsoft.Storage" for item in words.get("serviceEndpoints") or []
    ):
        yield violated(
            name,
            "it has no service endpoint Microsoft.Storage, so the server's log goes to the storage by the usual way out",
            remedy=f"{update} --service-endpoints Microsoft.Storage",
            severity="warning",
        )
    network = scene.resource(network_of_subnet(scene.runtime_subnet_id))
    wanted = scene.runtime.location if scene.runtime else region(scene.options.get("location") or "")
    found = region((network or {}).get("location") or "")
    if network is not None and wanted and found != wanted:
        yield violated(name, f"its network is in {found}, the server in {wanted}", remedy="Both must be in one region.")


def subnet_users(scene, name: str, words: dict):
    """Yield what else lives in the subnet, and whether there is room for one more server."""
    others = [item.get("id") or "" for item in words.get("ipConfigurations") or []]
    strangers = [item for item in others if "/networkinterfaces/" in item.lower()]
    if strangers:
        yield violated(
            name,
            f"{len(strangers)} network interfaces of others are in it",
            expected="nothing but flexible servers",
            remedy="Use a subnet of its own.",
        )
    room = sum(prefix.num_addresses - KEPT_ADDRESSES for prefix in prefixes_of(words) if prefix.version == 4)
    if scene.runtime is None and others and room - len(others) < 2:
        yield violated(name, f"{len(others)} of its {room} addresses are taken", remedy="Use a larger subnet.")


# -- peerings -----------------------------------------------------------------------------------------------------------


def peerings(scene, context):
    """The network of whoever connects is peered, both ways, with those of source and target."""
    home = scene.carrier_network_id
    if home is None:
        yield blind(
            "network", "there is no runtime server, and no network for one is named", because="azure-network-scenario"
        )
        return
    others = [("target", network) for network in scene.target_network_ids]
    others += [("source", scene.source_network_id)] if scene.source_network_id else []
    seen = 0
    for side, other in others:
        if same(home, other):
            yield fine(network_name(other), f"the {side} is in the {scene.carrier}'s own network")
            seen += 1
            continue
        problems = [problem for pair in ((home, other), (other, home)) for problem in peering_problems(scene, *pair)]
        if problems:
            yield violated(
                f"{network_name(home)} and {network_name(other)}",
                "; ".join(problems),
                expected=f"a peering both ways, for the {side}",
                remedy=f"az network vnet peering create --vnet-name {network_name(home)} --remote-vnet {other} --name "
                f"to-{network_name(other)} --allow-vnet-access --resource-group {group_of(home)}, and the same from the other "
                "side. A hub in between needs routes and forwarded traffic instead.",
            )
        else:
            yield fine(f"{network_name(home)} and {network_name(other)}", "peered both ways")
        seen += 1
    if not scene.source_network_id and source_of(scene).access == PRIVATE:
        yield blind(
            scene.request.source.address,
            "the network of the source is not named",
            remedy="Set 'azure_server.source_virtual_network_id' to the network that the source, or the gateway to it, is in.",
        )
    elif not seen:
        yield blind(scene.target.id.name, "the target is reached by no network that Azure shows")


def peering_problems(scene, one: str, other: str):
    """Yield what is wrong with the peering of a network to another."""
    if scene.resource(one) is None:
        yield f"{network_name(one)} cannot be read"
        return
    for peering in scene.peerings(one):
        words = peering.get("properties") or {}
        if not same((words.get("remoteVirtualNetwork") or {}).get("id"), other):
            continue
        if words.get("peeringState") != "Connected":
            yield f"the peering of {network_name(one)} to {network_name(other)} is {words.get('peeringState')}"
        if words.get("allowVirtualNetworkAccess") is False:
            yield f"the peering of {network_name(one)} to {network_name(other)} lets no traffic through"
        return
    yield f"{network_name(one)} has no peering to {network_name(other)}"


def network_name(identifier: str | None) -> str:
    """Return a network's name."""
    return str(identifier or "?").rstrip("/").rsplit("/", 1)[-1]


def group_of(identifier: str | None) -> str:
    """Return a resource's group."""
    found = ResourceId.parse(identifier) if identifier else None
    return found.resource_group if found else "?"


def rule(name: str, title: str, look, expected: str, remedy: str, **more) -> Rule:
    """Return a rule about the network."""
    words = {"documentation": INTEGRATION_PAGE, "needs": (LOGIN, EXISTS), "clean": "as expected", **more}
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
        "subnet",
        "The runtime server's subnet is one for flexible servers",
        subnet,
        f"a subnet of /{SMALLEST_SUBNET} or larger, delegated to {DELEGATION}, in the server's region, with nothing else in it",
        "Delegate it, or use another.",
    ),
    rule(
        "peerings",
        "The networks of source and target are peered",
        peerings,
        "a peering both ways, Connected",
        "Peer the networks, both ways.",
        needs=(LOGIN, EXISTS, SUBNET),
        documentation=NETWORK_PAGE,
    ),
)
