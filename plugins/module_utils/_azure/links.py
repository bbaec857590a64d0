# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links of private DNS zones to virtual networks."""

from __future__ import annotations

from .errors import Conflict
from .ownership import own_tags
from .runtime_common import Watch, told
from .runtime_plan import user_tags
from .scene import Scene, same


def make_links(scene: Scene, links, seconds: float, watch: Watch | None) -> None:
    """Link a zone to networks; the links carry tags of their own, since the zone may be somebody else's.

    A network that somebody else links meanwhile is linked: a zone takes one link to each.
    """
    for link in links:
        body = {
            "location": "global",
            "tags": {**user_tags(scene), **own_tags(scene.request)},
            "properties": {"virtualNetwork": {"id": link.network_id}, "registrationEnabled": False},
        }
        try:
            scene.azure.finish("PUT", link.id, body, seconds=seconds, watch=told(watch, f"link {link.id.name}"))
        except Conflict:
            if not is_linked(scene, link):
                raise


def is_linked(scene: Scene, link) -> bool:
    """Tell whether the zone has a link to the network of I(link), whatever its name."""
    zone = str(link.id).rsplit("/virtualNetworkLinks/", 1)[0]
    return any(
        same(((item.get("properties") or {}).get("virtualNetwork") or {}).get("id"), link.network_id)
        for item in scene.azure.list(f"{zone}/virtualNetworkLinks")
    )
