# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions about names and regions: availability, the suffix of private DNS zones, delegated subnets, capabilities."""

from __future__ import annotations

import copy
import functools
import json
import re
from pathlib import Path

from tests.azure_simulator import places
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, ArmError, Request

ROUTES = Routes()
DATA = Path(__file__).parent.parent / "data"
POSTGRESQL = "/subscriptions/{subscription}/providers/Microsoft.DBforPostgreSQL"
FLEXIBLE = "Microsoft.DBforPostgreSQL/flexibleServers"
SERVER_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]")


@functools.cache
def recorded_capabilities() -> dict:
    """Return what East US said on 2024-11-15."""
    file = DATA / "recordings/capabilities/by_location_eastus_existing_private_dns_zone_15.json"
    return json.loads(file.read_text(encoding="utf-8"))


def capabilities(version: str | None) -> dict:
    """Return the recorded capabilities, with the versions of PostgreSQL that have come since."""
    found = copy.deepcopy(recorded_capabilities())
    if (version or "") >= "2025":
        # Newer descriptions have no such word.
        found["value"][0].pop("indexTuningSupported", None)
    versions = found["value"][0]["supportedServerVersions"]
    names = [one["name"] for one in versions]
    for name in ("17", "18"):
        if name not in names:
            for one in versions:
                one.setdefault("supportedVersionsToUpgrade", []).append(name)
            versions.append({**copy.deepcopy(versions[-1]), "name": name, "supportedVersionsToUpgrade": []})
    return found


@functools.cache
def sizes() -> dict[str, tuple[str, int, int]]:
    """Return `{name of a SKU: (tier, vCores, MiB of memory)}`."""
    return {
        sku["name"]: (edition["name"], sku["vCores"], sku["vCores"] * sku["supportedMemoryPerVcoreMb"])
        for edition in recorded_capabilities()["value"][0]["supportedServerEditions"]
        for sku in edition["supportedServerSkus"]
    }


@ROUTES.on("GET", POSTGRESQL + "/locations/{location}/capabilities")
def by_location(cloud: Cloud, request: Request, location: str) -> Answer:
    if not places.known(location):
        raise ArmError(
            400,
            "InvalidLocation",
            f"The provided location '{location}' is not available for resource type '{FLEXIBLE}'.",
        )
    return Answer(200, capabilities(request.api_version))


def server_taken(cloud: Cloud, name: str) -> bool:
    kinds = (FLEXIBLE.lower(), "microsoft.dbforpostgresql/servers")
    return any(one.name.lower() == name.lower() and one.type.lower() in kinds for one in cloud.resources.values())


def _availability(cloud: Cloud, request: Request) -> Answer:
    body = request.document()
    name, kind = body.get("name", ""), body.get("type", "")
    answer = {"name": name, "type": kind, "nameAvailable": True, "message": ""}
    if not SERVER_NAME.fullmatch(name):
        text = (
            f"Specified server name '{name}' is not valid. It must be 3 to 63 characters long and hold only lower-case "
            "letters, digits and hyphens, without a hyphen at its ends."
        )
        answer.update(nameAvailable=False, reason="Invalid", message=text)
    elif server_taken(cloud, name):
        text = f"Specified server name '{name}' is already used."
        answer.update(nameAvailable=False, reason="AlreadyExists", message=text)
    return Answer(200, answer)


@ROUTES.on("POST", POSTGRESQL + "/checkNameAvailability")
def availability(cloud: Cloud, request: Request) -> Answer:
    return _availability(cloud, request)


@ROUTES.on("POST", POSTGRESQL + "/locations/{location}/checkNameAvailability")
def availability_by_location(cloud: Cloud, request: Request, location: str) -> Answer:
    return _availability(cloud, request)


@ROUTES.on("POST", "/providers/Microsoft.DBforPostgreSQL/getPrivateDnsZoneSuffix")
def suffix(cloud: Cloud, request: Request) -> Answer:
    """Return a text, not an object: recorded in existing_private_dns_zone.json#29."""
    return Answer(200, "postgres.database.azure.com")


@ROUTES.on("POST", POSTGRESQL + "/locations/{location}/checkVirtualNetworkSubnetUsage")
def subnet_usage(cloud: Cloud, request: Request, location: str) -> Answer:
    network = request.document().get("virtualNetworkArmResourceId") or ""
    found = cloud.find(network)
    if found is None:
        raise ArmError(
            404, "VirtualNetworkNotFound", f"The virtual network '{network}' was not found.", cause="service"
        )
    usage = []
    for subnet in cloud.of_type("Microsoft.Network/virtualNetworks/subnets", under=found.id):
        names = [one["properties"]["serviceName"].lower() for one in subnet.properties.get("delegations", [])]
        if FLEXIBLE.lower() in names:
            count = sum(
                (one.properties.get("network", {}).get("delegatedSubnetResourceId") or "").lower() == subnet.id.lower()
                for one in cloud.of_type(FLEXIBLE)
            )
            usage.append({"subnetName": subnet.name, "usage": count})
    body = {"delegatedSubnetsUsage": usage, "location": location, "subscriptionId": cloud.subscription_id}
    return Answer(200, body)
