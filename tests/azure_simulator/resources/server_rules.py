# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure refuses about a server: only after its 202, as an operation that ends `Failed` in a poll body."""

from __future__ import annotations

import re

from tests.azure_simulator import places
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.operations import OperationFailed
from tests.azure_simulator.resources import names

FLEXIBLE = "Microsoft.DBforPostgreSQL/flexibleServers"
VERSIONS = ("11", "12", "13", "14", "15", "16", "17", "18")
#: Premium disks: GiB, tier, operations per second; two of them as recorded.
TIERS = (
    (32, "P4", 120), (64, "P6", 240), (128, "P10", 500), (256, "P15", 1100), (512, "P20", 2300), (1024, "P30", 5000),
    (2048, "P40", 7500), (4096, "P50", 7500), (8192, "P60", 16000), (16384, "P70", 18000), (32768, "P80", 20000),
)  # fmt: skip
RESERVED = {"azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public", "postgres"}


def storage_tier(gigabytes: int) -> tuple[str, int]:
    """Return tier and operations per second of a disk."""
    for size, tier, iops in TIERS:
        if gigabytes <= size:
            return tier, iops
    return TIERS[-1][1:]


def check_sku(sku: dict) -> None:
    name, tier = sku.get("name"), sku.get("tier")
    found = names.sizes().get(name or "")
    if found is None:
        raise OperationFailed(
            "InvalidParameterValue", f"Invalid value given for parameter skuName. '{name}' is not available."
        )
    if found[0] != tier:
        raise OperationFailed(
            "ServerEditionIncompatibleWithSkuSize",
            f"Server edition {tier} is incompatible with Sku size {name}, please provide the right server edition and Sku "
            "size combination.",
        )


def check_create(cloud: Cloud, server: Resource, body: dict, taken: bool) -> None:
    """Refuse a server that Azure would not make."""
    sent = body.get("properties") or {}
    if not names.SERVER_NAME.fullmatch(server.name):
        raise OperationFailed("InvalidServerName", f"Server name '{server.name}' is not valid.")
    if taken:
        raise OperationFailed("ServerNameAlreadyExists", f"Specified server name '{server.name}' is already used.")
    if not places.known(body["location"]):
        raise OperationFailed("LocationNotAvailable", f"The region '{body['location']}' is not available.")
    if sent.get("createMode") in ("PointInTimeRestore", "GeoRestore", "ReviveDropped"):
        if cloud.find(sent.get("sourceServerResourceId")) is None:
            raise OperationFailed("ResourceNotFound", "The server to restore from was not found.")
        return
    check_sku(body.get("sku") or server.body["sku"])
    _check_values(sent)
    _check_login(sent)
    _check_network(cloud, server, sent.get("network") or {}, places.short(body["location"]))


def _check_values(sent: dict) -> None:
    version = sent.get("version", "16")
    if version not in VERSIONS:
        raise OperationFailed(
            "InvalidParameterValue", f"Invalid value given for parameter version. '{version}' is not available."
        )
    size = (sent.get("storage") or {}).get("storageSizeGB", 128)
    if size not in {one[0] for one in TIERS}:
        raise OperationFailed(
            "InvalidParameterValue", f"Invalid value given for parameter storageSizeGB. '{size}' is not available."
        )
    days = (sent.get("backup") or {}).get("backupRetentionDays", 7)
    if not 7 <= days <= 35:
        raise OperationFailed("InvalidParameterValue", f"Backup retention must be 7 to 35 days, not {days}.")


def _check_login(sent: dict) -> None:
    authentication = sent.get("authConfig") or {}
    if authentication.get("passwordAuth", "Enabled") != "Enabled":
        if authentication.get("activeDirectoryAuth") != "Enabled":
            raise OperationFailed("InvalidAuthConfig", "At least one way of authentication must be enabled.")
        return
    login, password = sent.get("administratorLogin") or "", sent.get("administratorLoginPassword") or ""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", login) or login.lower() in RESERVED or login.startswith("pg_"):
        raise OperationFailed("InvalidAdministratorLogin", f"Administrator login '{login}' is not valid.")
    kinds = sum(bool(re.search(pattern, password)) for pattern in ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9]"))
    if not 8 <= len(password) <= 128 or kinds < 3 or login in password:
        raise OperationFailed(
            "PasswordNotComplex", "Password validation failed. The password does not meet policy requirements."
        )


def _check_network(cloud: Cloud, server: Resource, network: dict, location: str) -> None:
    subnet_id, zone_id = network.get("delegatedSubnetResourceId"), network.get("privateDnsZoneArmResourceId")
    if not subnet_id:
        return
    subnet = cloud.find(subnet_id)
    if subnet is None:
        raise OperationFailed("SubnetNotFound", f"The subnet '{subnet_id}' was not found.")
    parent = cloud.find(subnet_id.rsplit("/subnets/", 1)[0])
    if parent is not None and places.short(parent.body["location"]) != location:
        raise OperationFailed("", f"The virtual network of subnet '{subnet_id}' is not in region '{location}'.")
    services = [one["properties"]["serviceName"].lower() for one in subnet.properties.get("delegations", [])]
    if FLEXIBLE.lower() not in services:
        # Azure's code for this was an empty text in a recorded failure of the same kind.
        raise OperationFailed("", f"The subnet '{subnet_id}' is not delegated to {FLEXIBLE}.")
    if not zone_id:
        raise OperationFailed(
            "EmptyPrivateDnsZoneArmResourceId", "A private DNS zone is required for a server inside a virtual network."
        )
    zone = cloud.find(zone_id)
    if zone is None:
        raise OperationFailed("PrivateDnsZoneNotFound", f"The private DNS zone '{zone_id}' was not found.")
    if not zone.name.endswith(".postgres.database.azure.com") or zone.name.startswith("privatelink."):
        raise OperationFailed(
            "InvalidPrivateDnsZone", f"'{zone.name}' is not a zone for a server inside a virtual network."
        )
    if zone.name == f"{server.name}.postgres.database.azure.com":
        raise OperationFailed("InvalidPrivateDnsZone", "The zone must not have the name of the server.")


def check_update(cloud: Cloud, server: Resource, body: dict, state: str) -> None:
    """Refuse a change that Azure would not make."""
    sent = body.get("properties") or {}
    if set(body) - {"tags", "location"} and state != "Ready":
        raise OperationFailed(
            "ServerStateNotAllowed", f"Server '{server.name}' is in state '{state}', expected 'Ready'."
        )
    if "sku" in body:
        check_sku({**server.body["sku"], **body["sku"]})
    size = (sent.get("storage") or {}).get("storageSizeGB")
    if size is not None and size < server.properties["storage"]["storageSizeGB"]:
        raise OperationFailed("StorageSizeCannotShrink", "The storage of a server cannot be made smaller.")
    version = sent.get("version")
    if version is not None and int(version) < int(server.properties["version"]):
        raise OperationFailed("InvalidParameterValue", f"The version cannot go back to {version}.")
    for word in ("delegatedSubnetResourceId",):
        asked = (sent.get("network") or {}).get(word)
        held = server.properties["network"].get(word)
        if asked and held and asked.lower() != held.lower():
            raise OperationFailed("InvalidParameterValue", f"{word} cannot be changed.")
