# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What network security groups and route tables say of one kind of traffic: pure decisions over their JSON.

A group is read as Azure reads it: by priority, the first rule that fits decides. Where a rule fits only part of what is
asked about, a denial counts and a permission does not, since the traffic as a whole is what matters.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

ALLOW, DENY = "Allow", "Deny"
INBOUND, OUTBOUND = "Inbound", "Outbound"
STORAGE, INTERNET = "Storage", "Internet"
VIRTUAL_NETWORK = "VirtualNetwork"
EVERYWHERE = ("*", "any", "0.0.0.0/0")


@dataclass(frozen=True)
class Place:
    """One end of some traffic: addresses, or one of Azure's service tags; I(near) says that they count as VirtualNetwork."""

    addresses: tuple = ()
    tag: str = ""
    near: bool = False

    @classmethod
    def of(cls, *texts: str, near: bool = False) -> Place:
        """Build it from prefixes or addresses; what is neither is left out."""
        return cls(tuple(filter(None, map(network_of, texts))), near=near)

    @property
    def public(self) -> bool:
        """Whether all of it lies in the internet."""
        return bool(self.addresses) and not any(item.is_private for item in self.addresses)

    def __str__(self) -> str:
        return self.tag or ", ".join(address_text(item) for item in self.addresses) or "an unknown address"


def address_text(network) -> str:
    """Return a network as people write it; a single address without its length."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def network_of(text: str):
    """Return a prefix or an address as a network, or None for anything else."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


@dataclass(frozen=True)
class Decision:
    """What a group says: I(rule) is the name of the rule that decided."""

    access: str
    rule: str
    priority: int


def decide(rules: list, direction: str, source: Place, destination: Place, port: int) -> Decision:
    """Return what a group says of TCP traffic from I(source) to I(destination) at a port.

    :param rules: the group's own rules and its default ones, as Azure's JSON has them
    """
    fitting = [rule.get("properties", {}) | {"name": rule.get("name", "?")} for rule in rules]
    fitting = [rule for rule in fitting if str(rule.get("direction")).lower() == direction.lower()]
    for rule in sorted(fitting, key=lambda rule: int(rule.get("priority") or 65536)):
        if str(rule.get("protocol", "*")).lower() not in ("*", "any", "tcp") or not has_port(rule, port):
            continue
        denies = str(rule.get("access")).lower() == "deny"
        ends = ((source, prefixes(rule, "source")), (destination, prefixes(rule, "destination")))
        if all(covers(texts, place, partly=denies) for place, texts in ends):
            return Decision(DENY if denies else ALLOW, rule["name"], int(rule.get("priority") or 65536))
    # Azure's default rules end with a denial, in both directions.
    return Decision(DENY, "the default rules", 65500)


def has_port(rule: dict, port: int) -> bool:
    """Tell whether a rule is about a destination port."""
    ranges = [rule.get("destinationPortRange"), *(rule.get("destinationPortRanges") or [])]
    for text in filter(None, ranges):
        first, _dash, last = str(text).partition("-")
        if first == "*" or (first.isdigit() and int(first) <= port <= int(last or first)):
            return True
    return False


def prefixes(rule: dict, side: str) -> list:
    """Return the prefixes and tags of one side of a rule; none when it names application security groups instead."""
    found = [rule.get(f"{side}AddressPrefix"), *(rule.get(f"{side}AddressPrefixes") or [])]
    return [str(text) for text in found if text]


def covers(texts: list, place: Place, partly: bool) -> bool:
    """Tell whether prefixes and tags cover a place; I(partly) is content with a part of it."""
    if any(text.lower() in EVERYWHERE for text in texts):
        return True
    if place.tag:
        # Azure's own public addresses belong to the internet and to AzureCloud; a tag may be narrowed to a region.
        wanted = (place.tag.lower(), "azurecloud", INTERNET.lower())
        return any(text.lower().split(".")[0] in wanted for text in texts)
    by_tag = [text for text in texts if network_of(text) is None]
    if any(text.lower() == VIRTUAL_NETWORK.lower() for text in by_tag) and place.near:
        return True
    if any(text.lower() == INTERNET.lower() for text in by_tag) and place.public and not place.near:
        return True
    ranges = list(filter(None, map(network_of, texts)))
    if not place.addresses:
        return False
    if partly:
        return any(same_kind(item, wide) and item.overlaps(wide) for item in place.addresses for wide in ranges)
    return all(any(same_kind(item, wide) and item.subnet_of(wide) for wide in ranges) for item in place.addresses)


def same_kind(one, other) -> bool:
    """Tell whether two networks are both of IPv4, or both of IPv6."""
    return one.version == other.version


def next_hop(routes: list, destination: Place) -> tuple:
    """Return C((type, name)) of the route that carries traffic to a place; C(("", "")) when a table says nothing of it.

    The longest prefix wins, as everywhere; a route that covers only a part of the place counts.
    """
    best: tuple = (-1, "", "")
    for route in routes:
        words = route.get("properties") or {}
        prefix = str(words.get("addressPrefix") or "")
        wide = network_of(prefix)
        if wide is None:
            fits = bool(destination.tag) and prefix.lower() == destination.tag.lower()
            length = 128 if fits else -1
        else:
            fits = wide.prefixlen == 0 or any(
                same_kind(item, wide) and item.overlaps(wide) for item in destination.addresses
            )
            length = wide.prefixlen if fits else -1
        if fits and length > best[0]:
            best = (length, str(words.get("nextHopType") or ""), route.get("name") or prefix)
    return best[1], best[2]
