# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime server of provider azure: made, found, kept as it has to be."""

from __future__ import annotations

import contextlib

from .errors import NotFound, StillRunning
from .long_running import LongRunning, Waiting
from .ownership import ownership
from .runtime_common import Outcome, Watch, need_target, refuse_endpoint, size_of, told, wait_for
from .runtime_creation import create
from .runtime_keeping import keep
from .scene import Scene
from .servers import DROPPING, Server


def present(
    scene: Scene, check_mode: bool, seconds: float, watch: Watch | None = None, operation: str | None = None
) -> Outcome:
    """Bring the runtime server to what it has to be.

    :param check_mode: only say what would be done
    :param seconds: how long each of Azure's operations may take; 0 does not wait for what takes minutes
    :param operation: where to look for the operation that a run without waiting has begun
    :param watch: called with what is waited for, the seconds, and Azure's word for the state
    :raises InvalidRequest: for options that contradict themselves, or are not enough
    :raises PreconditionFailed: for a server that cannot be the runtime server, or must not be changed
    :raises AzureError: for whatever Azure refuses
    """
    target = need_target(scene)
    refuse_endpoint(scene)
    changes: list = []
    try:
        if operation:
            follow(scene, operation, seconds, watch)
        found = scene.runtime
        if found and found.passing and not check_mode:
            found = wait_for(scene, seconds, watch)
        if found is None or found.state == DROPPING:
            return create(scene, target, check_mode, seconds, watch, changes)
        return keep(scene, target, found, check_mode, seconds, watch, changes)
    except StillRunning as error:
        if seconds:
            raise
        scene.forget()
        found = scene.runtime
        return Outcome(found, changes, pending=pending_word(found), operation=error.details.get("operation"))


def pending_word(found: Server | None) -> str:
    """Return what Azure is at, in a word."""
    if found is None or found.state.lower() == "provisioning":
        return "creating"
    return found.state.lower() if found.passing else "updating"


def follow(scene: Scene, operation: str, seconds: float, watch: Watch | None) -> None:
    """Wait for an operation that a run before has begun.

    :raises OperationFailed: when it has failed
    """
    subject = f"The operation on server {scene.runtime_id.name}"
    with contextlib.suppress(NotFound):  # Azure forgets operations after a while; what they made is looked at anyhow
        Waiting(scene.azure, LongRunning(subject, operation, None, 0.0), seconds, told(watch, subject)).until_ended()


def describe(server: Server, scene: Scene) -> dict:
    """Return the module's facts about a runtime server."""
    owner = ownership(server.tags, scene.request)
    size = size_of(scene, server)
    return {
        "id": str(server.id),
        "name": server.id.name,
        "location": server.location,
        "sku": server.sku,
        "tier": server.tier,
        "cores": size.vcores if size else None,
        "memory_mib": size.memory_mib if size else None,
        "version": server.version,
        "storage_size_gb": server.storage_gib,
        "server_state": server.state,
        "fully_qualified_domain_name": server.fqdn,
        "delegated_subnet_id": server.subnet_id,
        "private_dns_zone_id": server.zone_id,
        "owner": "this migration" if owner.mine else owner.migration if owner.ours else None,
        "adopted": owner.adopted,
        "created": list(owner.created),
        "created_at": owner.created_at or None,
    }
