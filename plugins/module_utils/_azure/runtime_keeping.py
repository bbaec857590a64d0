# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runtime server that is there: checked, and changed only when it is this migration's, or is handed over."""

from __future__ import annotations

from .._core.errors import PreconditionFailed
from .links import make_links
from .ownership import own_tags, ownership
from .runtime_common import NETWORK_SECONDS, Outcome, Watch, merge_tags, size_of, told, wait_for
from .runtime_plan import missing_links, planned_sku, target_size, user_tags
from .scene import Scene, network_of_subnet, same
from .servers import READY, STOPPED, Server, region
from .sizing import choose_storage

NO_FIT = "Name another server in 'runtime_server_id', or leave it out to have one made."


def keep(
    scene: Scene,
    target: Server,
    found: Server,
    check_mode: bool,
    seconds: float,
    watch: Watch | None,
    done: list,
) -> Outcome:
    """Check a server that is there; change it only when it is this migration's, or is adopted."""
    owner = ownership(found.tags, scene.request)
    adopting = bool(scene.options.get("adopt")) and not owner.mine
    may_change = owner.mine or adopting
    problems = unfit(scene, target, found, may_change)
    if problems:
        raise PreconditionFailed(f"Server {found.id} cannot be the runtime server: {' '.join(problems)}", NO_FIT)
    if not may_change:
        return Outcome(found, [], remarks=[] if owner.ours else [foreign_remark(found, owner)])
    changes, steps = convergence(scene, target, found, adopting)
    if check_mode or not steps:
        return Outcome(found, changes)
    done += changes
    for step in steps:
        step(seconds, watch)
    return Outcome(wait_for(scene, seconds, watch), changes)


def foreign_remark(found: Server, owner) -> str:
    """Return one sentence about a server that is used without being ours."""
    return (
        f"Server {found.id.name} belongs to {owner.said}; it is used as it is, nothing of it is changed, and cleanup "
        "leaves it. 'azure_server.adopt: true' hands it over."
    )


def unfit(scene: Scene, target: Server, found: Server, may_change: bool) -> list:
    """Return one sentence for each reason that keeps a server from being the runtime server."""
    problems = []
    if not found.subnet_id:
        problems.append("It is not integrated into a virtual network, and cannot be later.")
    if found.elastic:
        problems.append("It is an elastic cluster, which the migration service does not take.")
    if found.replica:
        problems.append("It is a read replica.")
    problems += contradictions(scene, found)
    if may_change:
        return problems
    if found.state != READY:
        problems.append(f"Its state is {found.state}, expected {READY}; start it, or set 'azure_server.adopt: true'.")
    size, wanted = size_of(scene, found), target_size(scene, target)
    if size is None:
        problems.append(f"Azure does not say how large its size {found.sku} is.")
    elif not size.holds(wanted):
        problems.append(f"Its size {size} is below the target's {wanted}; scale it, or set 'azure_server.adopt: true'.")
    return problems


def contradictions(scene: Scene, found: Server) -> list:
    """Return one sentence for each option that asks for what a server cannot become any more."""
    options, problems = scene.options, []
    subnet = options.get("delegated_subnet_id")
    if subnet and found.subnet_id and not same(subnet, found.subnet_id):
        problems.append(f"It is in subnet {found.subnet_id}, but 'delegated_subnet_id' is {subnet}.")
    network = options.get("virtual_network_id")
    if network and found.subnet_id and not same(network, network_of_subnet(found.subnet_id)):
        problems.append(f"It is in subnet {found.subnet_id}, which is not in 'virtual_network_id' {network}.")
    zone = options.get("private_dns_zone_id")
    if zone and found.zone_id and not same(zone, found.zone_id):
        problems.append(f"Its private DNS zone is {found.zone_id}, but 'private_dns_zone_id' is {zone}.")
    location = options.get("location")
    if location and region(location) != found.location:
        problems.append(f"It is in {found.location}, but 'location' is {location}.")
    return problems


def convergence(scene: Scene, target: Server, found: Server, adopting: bool) -> tuple:
    """Return C((lines, steps)) that bring a server of ours to what it has to be; steps take seconds and watch."""
    lines, steps = [], []
    if found.state == STOPPED:
        lines.append(f"server {found.id.name}: started")
        steps.append(lambda seconds, watch: act(scene, "start", seconds, watch))
    words, body = wanted_changes(scene, target, found)
    lines += [f"server {found.id.name}: {word}" for word in words]
    if body:
        steps.append(lambda seconds, watch: change(scene, body, seconds, watch))
    tags = wanted_tags(scene, found, adopting)
    if tags:
        lines.append(f"server {found.id.name}: tags {', '.join(sorted(tags))}")
        steps.append(lambda seconds, watch: merge_tags(scene, tags))
    links = []
    if found.zone_id:
        zone = type(found.id).parse(found.zone_id)
        links = missing_links(scene, zone, scene.links(found.zone_id), network_of_subnet(found.subnet_id))
    if links:
        lines += [f"link {link.id.name} of zone {zone.name} to {link.network_id}" for link in links]
        steps.append(lambda seconds, watch: make_links(scene, links, max(seconds, NETWORK_SECONDS), watch))
    return lines, steps


def wanted_changes(scene: Scene, target: Server, found: Server) -> tuple:
    """Return C((words, body)) of the change of a server of ours: its size, its disk, no high availability."""
    words, body, properties = [], {}, {}
    size, wanted = size_of(scene, found), target_size(scene, target)
    named = (scene.options.get("sku") or "auto").lower()
    too_small = size is None or not size.holds(wanted)
    if too_small or named not in ("auto", found.sku.lower()):
        sku = planned_sku(scene, target, found.location, scene.offer(found.location))
        if sku.name.lower() != found.sku.lower():
            words.append(f"size {found.sku} -> {sku.name}")
            body["sku"] = {"name": sku.name, "tier": sku.tier}
    sizes = scene.offer(found.location).storage_gib.get(found.tier, ())
    storage = choose_storage(scene.request.mode, target.storage_gib, scene.options.get("storage_size_gb"), sizes)
    if storage > found.storage_gib:
        words.append(f"disk {found.storage_gib} GiB -> {storage} GiB")
        properties["storage"] = {"storageSizeGB": storage}
    if found.high_availability.lower() != "disabled":
        words.append(f"high availability {found.high_availability} -> Disabled")
        properties["highAvailability"] = {"mode": "Disabled"}
    if properties:
        body["properties"] = properties
    return words, body


def wanted_tags(scene: Scene, found: Server, adopting: bool) -> dict:
    """Return the tags that a server of ours lacks: those of the user, and whose it is when it is adopted."""
    tags = {name: value for name, value in user_tags(scene).items() if found.tags.get(name) != value}
    return {**tags, **own_tags(scene.request, adopted=True)} if adopting else tags


def act(scene: Scene, action: str, seconds: float, watch: Watch | None) -> None:
    """Start, stop or restart the runtime server, and wait for it."""
    scene.azure.finish(
        "POST",
        f"{scene.runtime_id}/{action}",
        seconds=seconds,
        watch=told(watch, f"{action} of server {scene.runtime_id.name}"),
    )


def change(scene: Scene, body: dict, seconds: float, watch: Watch | None) -> None:
    """Change the runtime server, and wait for it."""
    scene.azure.finish(
        "PATCH", scene.runtime_id, body, seconds=seconds, watch=told(watch, f"server {scene.runtime_id.name}")
    )
