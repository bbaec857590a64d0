# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking away what was made for a runtime server: first listed, then done, in an order that survives a crash.

The server goes first, then the subnet that it was in, then links and zone, whose tags lead a later run to what is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

from .._core.resource_id import ResourceId
from .deletion import DELETE, KEEP, REFUSE, Verdict, judge_server, subnet_is_ours, zone_is_ours
from .errors import AzureError, Conflict
from .ownership import derived_name, subnet_id, zone_id
from .runtime_common import NETWORK_SECONDS, Watch, told
from .runtime_plan import NETWORKS
from .scene import SUBNETS, Scene, same
from .servers import Server, settle

# Azure lets go of a subnet some time after the server in it is gone.
SUBNET_SECONDS = 900.0
FIRST_PAUSE = 5.0


@dataclass
class Removal:
    """What goes, what stays and why, and what stands against it.

    I(remove) and I(keep) are lines for people; I(steps) do what the lines say, in this order.
    """

    server: Server | None = None
    remove: list = field(default_factory=list)
    keep: list = field(default_factory=list)
    refusals: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    verdict: Verdict | None = None

    def add(self, line: str, step: Callable) -> None:
        """Add something that goes."""
        self.remove.append(line)
        self.steps.append(step)


def plan_removal(scene: Scene) -> Removal:
    """List what there is of the runtime server, its own subnet, its zone and links.

    :raises AzureError: when Azure does not let us look
    """
    removal = Removal(server=scene.runtime)
    server = removal.server
    if server:
        removal.verdict = judge(scene, server)
        if removal.verdict.kind == DELETE:
            removal.add(f"flexible server {server.id}", lambda seconds, watch: delete_server(scene, seconds, watch))
        elif removal.verdict.kind == KEEP:
            removal.keep.append(f"flexible server {server.id}: {removal.verdict.msg}")
        elif removal.verdict.kind == REFUSE:
            removal.refusals.append(removal.verdict.refusal)
    zone = ResourceId.parse(server.zone_id) if server and server.zone_id else planned_zone_id(scene)
    body = scene.resource(zone) if zone else None
    links = own_links(scene, zone) if body else []
    stays = bool(server) and removal.verdict.kind != DELETE
    for subnet in own_subnets(scene, server, links):
        place(removal, stays, f"subnet {subnet}", freeing(scene, subnet))
    for link in links:
        name = f"link {link['name']} of zone {zone.name}"
        place(removal, stays, name, deleting(scene, link["id"], f"link {link['name']}"))
    if body and zone_is_ours(scene.request, body.get("tags")):
        others = [link for link in scene.links(str(zone)) if link not in links]
        if others:
            removal.keep.append(
                f"private DNS zone {zone}: linked by others, {', '.join(link['name'] for link in others)}"
            )
        else:
            place(removal, stays, f"private DNS zone {zone}", deleting(scene, zone, f"zone {zone.name}"))
    elif body and links and not stays:
        removal.keep.append(f"private DNS zone {zone}: not made by this collection")
    return removal


def place(removal: Removal, stays: bool, line: str, step: Callable) -> None:
    """Let something go, or keep it with the server that needs it."""
    if stays:
        removal.keep.append(f"{line}: the server needs it")
    else:
        removal.add(line, step)


def judge(scene: Scene, server: Server) -> Verdict:
    """Decide about the runtime server, with what Azure says of its databases and replicas."""
    databases, replicas = [], []
    if zone_is_ours(scene.request, server.tags):
        databases = [entry["name"] for entry in scene.entries(f"{server.id}/databases")]
        replicas = [entry["id"] for entry in scene.entries(f"{server.id}/replicas")]
    return judge_server(scene.request, server, scene.suffix, databases, replicas)


def planned_zone_id(scene: Scene) -> ResourceId | None:
    """Return the id of the zone when the server does not say it any more: the user's option, or the derived one."""
    given = scene.options.get("private_dns_zone_id")
    return ResourceId.parse(given) if given else zone_id(scene.runtime_id, scene.suffix)


def own_links(scene: Scene, zone: ResourceId) -> list:
    """Return the zone's links that were made for this migration."""
    return [link for link in scene.links(str(zone)) if zone_is_ours(scene.request, link.get("tags"))]


def own_subnets(scene: Scene, server: Server | None, links: list) -> list:
    """Return the ids of the subnets made for this migration: where server, options and links lead to."""
    candidates = []
    if server and server.subnet_id:
        candidates.append(server.subnet_id)
    networks = [scene.options.get("virtual_network_id")]
    networks += [((link.get("properties") or {}).get("virtualNetwork") or {}).get("id") for link in links]
    for text in filter(None, networks):
        network = ResourceId.parse(text)
        if network and network.type == NETWORKS:
            candidates.append(str(subnet_id(scene.request, network)))
    found: list = []
    for text in candidates:
        subnet = ResourceId.parse(text)
        if subnet is None or subnet.type != SUBNETS or subnet.name.lower() != derived_name(scene.request):
            continue
        if any(same(str(subnet), str(other)) for other in found):
            continue
        body = scene.resource(subnet)
        if body and subnet_is_ours(scene.request, subnet.name, body):
            found.append(subnet)
    return found


def carry_out(removal: Removal, seconds: float, watch: Watch | None = None) -> list:
    """Take everything away that the plan lists; return the lines of what went.

    :raises AzureError: at the first thing that Azure does not delete; what went before stays gone
    """
    gone = []
    for line, step in zip(removal.remove, removal.steps):
        step(seconds, watch)
        gone.append(line)
    return gone


def delete_server(scene: Scene, seconds: float, watch: Watch | None) -> None:
    """Delete the runtime server, after looking once more whether that is allowed, and wait until it is gone."""
    scene.forget()
    what = told(watch, f"deletion of server {scene.runtime_id.name}")
    server = settle(scene.azure, scene.runtime_id, seconds, what)
    if server is None:
        return
    verdict = judge(scene, server)
    if verdict.kind != DELETE:
        raise Conflict(f"Nothing was deleted: {verdict.msg}", verdict.hint)
    scene.azure.finish("DELETE", server.id, seconds=seconds, watch=what)
    settle(scene.azure, server.id, seconds, what)
    scene.forget()


def delete(scene: Scene, identifier: str | ResourceId, what: str, seconds: float, watch: Watch | None) -> None:
    """Delete something of the network, and wait until it is gone."""
    scene.azure.finish("DELETE", identifier, seconds=seconds, watch=told(watch, f"deletion of {what}"))


def deleting(scene: Scene, identifier: str | ResourceId, what: str) -> Callable:
    """Return the step that deletes something of the network."""
    return lambda seconds, watch: delete(scene, identifier, what, max(seconds, NETWORK_SECONDS), watch)


def freeing(scene: Scene, subnet: ResourceId) -> Callable:
    """Return the step that deletes a subnet."""
    return lambda seconds, watch: delete_subnet(scene, subnet, max(seconds, NETWORK_SECONDS), watch)


def delete_subnet(scene: Scene, subnet: ResourceId, seconds: float, watch: Watch | None) -> None:
    """Delete a subnet; Azure frees it some time after the server in it is gone, so it is asked again.

    :raises Conflict: when something else is in it
    """
    waited, pause = 0.0, FIRST_PAUSE
    while True:
        try:
            delete(scene, subnet, f"subnet {subnet.name}", seconds, watch)
            return
        except AzureError as error:
            in_use = "inuse" in error.azure_code.lower() or isinstance(error, Conflict)
            if not in_use or waited >= min(SUBNET_SECONDS, seconds):
                raise
            if watch:
                watch(f"subnet {subnet.name} becoming free", waited, error.azure_code)
        scene.azure.patience.sleep(pause)
        waited, pause = waited + pause, min(pause * 1.5, 30.0)
