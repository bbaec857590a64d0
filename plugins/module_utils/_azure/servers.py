# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flexible servers as the provider sees them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Callable

from .._core.resource_id import ResourceId
from .client import Azure
from .errors import StillRunning
from .long_running import FIRST_PAUSE, LONGEST_PAUSE
from .retrying import growing_pauses

READY = "Ready"
STOPPED = "Stopped"
DROPPING = "Dropping"
# A server in one of these is on its way to another state by itself.
PASSING = ("provisioning", "updating", "starting", "stopping", "restarting", "dropping")

PUBLIC = "public"
INTEGRATED = "VNet-integrated"
PRIVATE_ENDPOINT = "private endpoint"


@dataclass(frozen=True)
class Server:
    """One flexible server."""

    id: ResourceId
    location: str
    sku: str
    tier: str
    version: str
    state: str
    storage_gib: int
    high_availability: str
    public_access: bool
    subnet_id: str | None
    zone_id: str | None
    password_login: bool
    entra_login: bool
    elastic: bool
    fqdn: str
    replica: bool
    connections: tuple = ()
    # Operations per second of its disk; 0 when Azure does not say.
    disk_iops: int = 0
    tags: dict = field(default_factory=dict)

    @classmethod
    def from_json(cls, body: dict) -> Server:
        """Build it from what Azure says of it; what it does not say counts as the usual."""
        properties = body.get("properties") or {}
        network = properties.get("network") or {}
        login = properties.get("authConfig") or {}
        high_availability = properties.get("highAvailability") or {}
        return cls(
            id=ResourceId.parse(body["id"]),
            location=region(body.get("location") or ""),
            sku=(body.get("sku") or {}).get("name") or "",
            tier=(body.get("sku") or {}).get("tier") or "",
            version=str(properties.get("version") or ""),
            state=str(properties.get("state") or ""),
            storage_gib=int((properties.get("storage") or {}).get("storageSizeGB") or 0),
            high_availability=str(high_availability.get("mode") or "Disabled"),
            public_access=str(network.get("publicNetworkAccess") or "Disabled").lower() == "enabled",
            subnet_id=network.get("delegatedSubnetResourceId") or None,
            zone_id=network.get("privateDnsZoneArmResourceId") or None,
            password_login=str(login.get("passwordAuth") or "Enabled").lower() == "enabled",
            entra_login=str(login.get("activeDirectoryAuth") or "Disabled").lower() == "enabled",
            elastic=bool(properties.get("cluster")),
            fqdn=str(properties.get("fullyQualifiedDomainName") or ""),
            replica=str(properties.get("replicationRole") or "Primary").lower() not in ("primary", "none"),
            disk_iops=int((properties.get("storage") or {}).get("iops") or 0),
            connections=tuple(properties.get("privateEndpointConnections") or ()),
            tags=dict(body.get("tags") or {}),
        )

    @property
    def approved_endpoints(self) -> list:
        """Resource ids, as text, of the private endpoints whose connection is approved."""
        found = []
        for connection in self.connections:
            words = connection.get("properties") or {}
            status = (words.get("privateLinkServiceConnectionState") or {}).get("status")
            endpoint = (words.get("privateEndpoint") or {}).get("id")
            if status == "Approved" and endpoint:
                found.append(endpoint)
        return found

    @property
    def access(self) -> str:
        """How the server is reached: VNet-integrated, by private endpoint, or publicly."""
        if self.subnet_id:
            return INTEGRATED
        return PRIVATE_ENDPOINT if self.approved_endpoints else PUBLIC

    @property
    def passing(self) -> bool:
        """Whether the state changes by itself."""
        return self.state.lower() in PASSING


def region(text: str) -> str:
    """Return a region in one spelling: C(East US) and C(eastus) are the same."""
    return text.replace(" ", "").lower()


def read_server(azure: Azure, server_id: ResourceId) -> Server | None:
    """Return a server, or None when there is none."""
    body = azure.get(server_id)
    return Server.from_json(body) if body else None


def settle(
    azure: Azure,
    server_id: ResourceId,
    seconds: float,
    watch: Callable[[float, str], None] | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Server | None:
    """Wait until a server's state does not change by itself any more; return the server, None when it is gone.

    :raises StillRunning: when that takes longer than I(seconds)
    """
    start = now()
    for pause in growing_pauses(FIRST_PAUSE, LONGEST_PAUSE):
        found = read_server(azure, server_id)
        if found is None or not found.passing:
            return found
        elapsed = now() - start
        if watch:
            watch(elapsed, found.state)
        if elapsed >= seconds:
            raise StillRunning(
                f"Server {server_id.name} is still {found.state} after {seconds:.0f} s.",
                "It goes on. Run the task again to wait for it, or raise 'wait_timeout'.",
            )
        azure.patience.sleep(min(pause, max(0.0, seconds - elapsed)))
    raise AssertionError("pauses never end")
