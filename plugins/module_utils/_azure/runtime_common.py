# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all work on a runtime server has in common: looking, waiting, telling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

from .._core.errors import PreconditionFailed
from .errors import no_target
from .runtime_plan import Plan
from .scene import Scene
from .servers import Server, settle
from .sizing import Sku

Watch = Callable[[str, float, str], None]
TAGS = "providers/Microsoft.Resources/tags/default"
# Changes of networks take seconds; they are waited for in any case.
NETWORK_SECONDS = 600.0


@dataclass
class Outcome:
    """What became of it: the server as it is (None in check mode before it exists), and one line per change.

    I(pending) says what Azure is still at when nobody waits for it, and I(operation) where to look.
    """

    server: Server | None
    changes: list
    plan: Plan | None = None
    remarks: list = field(default_factory=list)
    pending: str = ""
    operation: str | None = None


def need_target(scene: Scene) -> Server:
    """Return the target.

    :raises NotFound: when there is none
    """
    found = scene.target
    if found is None:
        raise no_target(scene.request.target_server_id)
    return found


def endpoint_of(scene: Scene) -> str | None:
    """Return which end of the migration the runtime server is, by its id or its name; None when it is neither."""
    request = scene.request
    for side, identifier, endpoint in (
        ("target", request.target_server_id, request.target),
        ("source", request.source_server_id, request.source),
    ):
        host = (endpoint.host or "").lower().rstrip(".")
        if identifier == scene.runtime_id or host == f"{scene.runtime_id.name}.{scene.suffix}".lower():
            return side
    return None


def refuse_endpoint(scene: Scene) -> None:
    """Make sure that the runtime server is neither end of the migration.

    :raises PreconditionFailed: when it is one
    """
    side = endpoint_of(scene)
    if side:
        raise PreconditionFailed(
            f"The runtime server {scene.runtime_id} is the {side} of this migration.",
            "A runtime server is a flexible server of its own; correct 'runtime_server_id'.",
        )


def wait_for(scene: Scene, seconds: float, watch: Watch | None) -> Server | None:
    """Wait until the server's state does not change by itself any more."""
    scene.forget()
    return settle(scene.azure, scene.runtime_id, seconds, told(watch, f"server {scene.runtime_id.name}"))


def told(watch: Watch | None, what: str):
    """Return a watch of one operation, which says what it is."""
    return (lambda elapsed, status: watch(what, elapsed, status)) if watch else None


def size_of(scene: Scene, server: Server) -> Sku | None:
    """Return a server's size; None when its region does not say."""
    return scene.offer(server.location).find(server.sku)


def merge_tags(scene: Scene, tags: dict) -> None:
    """Add tags to the runtime server; those that it has stay."""
    scene.azure.patch(f"{scene.runtime_id}/{TAGS}", {"operation": "Merge", "properties": {"tags": tags}})
