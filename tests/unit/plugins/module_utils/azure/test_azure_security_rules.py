# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security groups and routes, read as Azure reads them."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure.security_rules import (
    INBOUND,
    OUTBOUND,
    Place,
    decide,
    next_hop,
)

HOME = Place.of("10.10.1.0/24", near=True)
FAR = Place.of("10.20.0.4", near=True)
WORLD = Place.of("20.66.25.58")
STORAGE = Place(tag="Storage")
DEFAULTS = [
    ("AllowVnetInBound", "Inbound", "Allow", 65000, "VirtualNetwork", "VirtualNetwork", "*"),
    ("AllowAzureLoadBalancerInBound", "Inbound", "Allow", 65001, "AzureLoadBalancer", "*", "*"),
    ("DenyAllInBound", "Inbound", "Deny", 65500, "*", "*", "*"),
    ("AllowVnetOutBound", "Outbound", "Allow", 65000, "VirtualNetwork", "VirtualNetwork", "*"),
    ("AllowInternetOutBound", "Outbound", "Allow", 65001, "*", "Internet", "*"),
    ("DenyAllOutBound", "Outbound", "Deny", 65500, "*", "*", "*"),
]


def rule(name, direction, access, priority, source, destination, ports, protocol="*"):
    words = {"direction": direction, "access": access, "priority": priority, "protocol": protocol}
    for side, value in (("source", source), ("destination", destination)):
        many = isinstance(value, list)
        words[f"{side}AddressPrefix{'es' if many else ''}"] = value
    many = isinstance(ports, list)
    words[f"destinationPortRange{'s' if many else ''}"] = ports
    return {"name": name, "properties": words}


def decision(own, direction=OUTBOUND, source=HOME, destination=FAR, port=5432):
    found = decide(
        [*(rule(*words) for words in own), *(rule(*words) for words in DEFAULTS)], direction, source, destination, port
    )
    return found.access, found.rule


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ([], ("Allow", "AllowVnetOutBound")),
        ([("no", "Outbound", "Deny", 100, "*", "*", "*")], ("Deny", "no")),
        ([("no", "Inbound", "Deny", 100, "*", "*", "*")], ("Allow", "AllowVnetOutBound")),
        # By priority, not by place in the list.
        (
            [("no", "Outbound", "Deny", 200, "*", "*", "*"), ("yes", "Outbound", "Allow", 100, "*", "*", "5432")],
            ("Allow", "yes"),
        ),
        ([("no", "Outbound", "Deny", 100, "*", "*", "1000-5000")], ("Allow", "AllowVnetOutBound")),
        ([("no", "Outbound", "Deny", 100, "*", "*", "5000-6000")], ("Deny", "no")),
        ([("no", "Outbound", "Deny", 100, "*", "*", ["80", "5432"])], ("Deny", "no")),
        ([("no", "Outbound", "Deny", 100, "*", "*", "*", "Udp")], ("Allow", "AllowVnetOutBound")),
        ([("no", "Outbound", "Deny", 100, "*", "*", "*", "tcp")], ("Deny", "no")),
        # A denial of a part counts, a permission of a part does not.
        ([("no", "Outbound", "Deny", 100, "10.10.1.128/25", "*", "*")], ("Deny", "no")),
        (
            [
                ("yes", "Outbound", "Allow", 100, "10.10.1.128/25", "*", "*"),
                ("no", "Outbound", "Deny", 200, "*", "10.20.0.0/16", "*"),
            ],
            ("Deny", "no"),
        ),
        (
            [
                ("yes", "Outbound", "Allow", 100, "10.10.0.0/16", ["10.99.0.0/16", "10.20.0.0/16"], "*"),
                ("no", "Outbound", "Deny", 200, "*", "*", "*"),
            ],
            ("Allow", "yes"),
        ),
        # Service tags.
        ([("no", "Outbound", "Deny", 100, "VirtualNetwork", "VirtualNetwork", "*")], ("Deny", "no")),
        ([("no", "Outbound", "Deny", 100, "*", "Internet", "*")], ("Allow", "AllowVnetOutBound")),
        ([("no", "Outbound", "Deny", 100, "*", "Storage", "*")], ("Allow", "AllowVnetOutBound")),
    ],
)
def test_towards_a_source_in_a_peered_network(own, expected):
    assert decision(own) == expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ([], ("Allow", "AllowInternetOutBound")),
        ([("no", "Outbound", "Deny", 100, "*", "Internet", "*")], ("Deny", "no")),
        ([("no", "Outbound", "Deny", 100, "*", "20.66.0.0/16", "*")], ("Deny", "no")),
        ([("no", "Outbound", "Deny", 100, "*", "VirtualNetwork", "*")], ("Allow", "AllowInternetOutBound")),
    ],
)
def test_towards_a_source_in_the_internet(own, expected):
    assert decision(own, destination=WORLD) == expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ([("yes", "Outbound", "Allow", 100, "*", "Storage", "443")], ("Allow", "yes")),
        ([("yes", "Outbound", "Allow", 100, "*", "Storage.EastUS", "443")], ("Allow", "yes")),
        ([("yes", "Outbound", "Allow", 100, "*", "AzureCloud", "443")], ("Allow", "yes")),
        ([("no", "Outbound", "Deny", 100, "*", "Storage", "*")], ("Deny", "no")),
        ([("yes", "Outbound", "Allow", 100, "*", "10.0.0.0/8", "*")], ("Allow", "AllowInternetOutBound")),
        ([("no", "Outbound", "Deny", 100, "*", "Internet", "*")], ("Deny", "no")),
        (
            [
                ("yes", "Outbound", "Allow", 100, "*", "Storage", "443"),
                ("no", "Outbound", "Deny", 200, "*", "Internet", "*"),
            ],
            ("Allow", "yes"),
        ),
        ([("no", "Outbound", "Deny", 100, "*", "VirtualNetwork", "*")], ("Allow", "AllowInternetOutBound")),
    ],
)
def test_towards_azures_storage(own, expected):
    assert decision(own, destination=STORAGE, port=443) == expected


def test_into_the_subnet_only_its_own_network_is_let_by_default():
    assert decision([], INBOUND, HOME, HOME) == ("Allow", "AllowVnetInBound")
    assert decision([], INBOUND, WORLD, HOME) == ("Deny", "DenyAllInBound")


def test_application_security_groups_fit_nothing():
    rules = [rule("asg", "Outbound", "Allow", 100, [], [], "*")]
    assert decide(rules, OUTBOUND, HOME, FAR, 5432).access == "Deny"


def route(name, prefix, hop):
    return {"name": name, "properties": {"addressPrefix": prefix, "nextHopType": hop}}


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        (FAR, ("VirtualAppliance", "hub")),
        (Place.of("10.20.9.9"), ("None", "hole")),
        (Place.of("20.66.25.58"), ("Internet", "everything")),
        (STORAGE, ("VnetLocal", "tagged")),
        (Place.of("2001:db8::1"), ("Internet", "everything")),
    ],
)
def test_the_longest_prefix_carries_the_traffic(destination, expected):
    routes = [
        route("everything", "0.0.0.0/0", "Internet"),
        route("hub", "10.0.0.0/8", "VirtualAppliance"),
        route("hole", "10.20.9.0/24", "None"),
        route("tagged", "Storage", "VnetLocal"),
    ]
    assert next_hop(routes, destination) == expected


def test_a_table_without_a_fitting_route_says_nothing():
    assert next_hop([route("other", "10.99.0.0/16", "None")], FAR) == ("", "")
