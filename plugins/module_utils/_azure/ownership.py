# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this collection made in Azure, and for which migration: written as tags, and in names that can be derived again.

A subnet has no tags; its name tells. Tags hold no secret and stay below Azure's 256 characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from .._core.request import Request
from .._core.resource_id import FLEXIBLE_SERVER, ResourceId
from .._core.version import VERSION

MANAGED_BY = "azpg-managed-by"
MIGRATION = "azpg-migration"
REQUEST = "azpg-request"
CREATED = "azpg-created"
CREATED_AT = "azpg-created-at"
ADOPTED_AT = "azpg-adopted-at"
OURS = "azpg.migrate"

SERVER = "server"
SUBNET = "subnet"
ZONE = "zone"

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
NETWORK = "Microsoft.Network"


@dataclass(frozen=True)
class Ownership:
    """Whose a resource is: I(ours) this collection's, I(mine) this very request's.

    I(created) lists what was made along with it; I(adopted) says that it was there before and has been given to us.
    """

    ours: bool
    mine: bool
    migration: str
    created: tuple
    created_at: str
    adopted: bool

    @property
    def said(self) -> str:
        """The owner in words."""
        if not self.ours:
            return "nobody that this collection knows"
        return "this migration" if self.mine else f"migration {self.migration or '?'}"


def ownership(tags: dict | None, request: Request) -> Ownership:
    """Read whose a resource with these tags is."""
    tags = tags or {}
    ours = tags.get(MANAGED_BY, "").split("/")[0] == OURS
    return Ownership(
        ours=ours,
        mine=ours and tags.get(REQUEST) == request.hash,
        migration=tags.get(MIGRATION, ""),
        created=tuple(tags.get(CREATED, "").split()) if ours else (),
        created_at=tags.get(CREATED_AT, ""),
        adopted=ours and bool(tags.get(ADOPTED_AT)),
    )


def moment() -> str:
    """Return the present as tags say it."""
    return datetime.now(timezone.utc).strftime(TIME_FORMAT)


def own_tags(request: Request, created=(), adopted: bool = False, at: str | None = None) -> dict:
    """Return the tags of something that is this request's; I(created) names what was made along with it."""
    return {
        MANAGED_BY: f"{OURS}/{VERSION}",
        MIGRATION: request.name,
        REQUEST: request.hash,
        **({CREATED: " ".join(created)} if created else {}),
        (ADOPTED_AT if adopted else CREATED_AT): at or moment(),
    }


def derived_name(request: Request) -> str:
    """Return the name of whatever is made for a request: derived, so that a second run, anywhere, finds it."""
    words = re.sub(r"[^a-z0-9]+", "-", request.name.lower()).strip("-")[:40].strip("-")
    return "-".join(part for part in ("azpg", words, request.hash[:10]) if part)


def runtime_id(request: Request) -> ResourceId:
    """Return the id of the runtime server: the one that the user names, or the derived one beside the target."""
    if request.runtime_server_id:
        return request.runtime_server_id
    target = request.target_server_id
    beside = (
        f"/subscriptions/{target.subscription_id}/resourceGroups/{target.resource_group}/providers/{FLEXIBLE_SERVER}"
    )
    return ResourceId.parse(f"{beside}/{derived_name(request)}")


def subnet_id(request: Request, network: ResourceId) -> ResourceId:
    """Return the id of the subnet that is made in a network for a request."""
    return network.child("subnets", derived_name(request))


def zone_id(server: ResourceId, suffix: str) -> ResourceId:
    """Return the id of the private DNS zone that is made for a runtime server.

    :param suffix: the cloud's, for example C(postgres.database.azure.com)
    """
    return ResourceId.parse(
        f"/subscriptions/{server.subscription_id}/resourceGroups/{server.resource_group}/providers/{NETWORK}"
        f"/privateDnsZones/{server.name}.private.{suffix}"
    )
