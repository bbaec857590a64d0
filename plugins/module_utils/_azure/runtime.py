# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime server of provider azure: made, found, kept as it has to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

from .._core.errors import MigrationError, PreconditionFailed
from .errors import NotFound, OperationFailed, StillRunning
from .long_running import LongRunning, Waiting
from .ownership import OWN_TAGS, own_tags, ownership
from .runtime_plan import Plan, make_plan, missing_links, planned_sku, server_tags, target_size
from .scene import Scene, network_of_subnet, same
from .servers import DROPPING, READY, STOPPED, Server, region, settle
from .sizing import Sku, choose_storage

Watch = Callable[[str, float, str], None]
TAGS = "providers/Microsoft.Resources/tags/default"
# A server that is being made is not shown by Azure at once, though its name is taken.
HIDDEN_SECONDS = 120.0
# Changes of networks take seconds; they are waited for in any case.
NETWORK_SECONDS = 600.0
NO_FIT = "Name another server in 'runtime_server_id', or leave it out to have one made."


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
        raise NotFound(
            f"'target_server_id' names {scene.request.target_server_id}, which does not exist, or which the identity may "
            "not see.",
            "Correct it; 'az postgres flexible-server list --query [].id' prints what there is.",
        )
    return found


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
    Waiting(scene.azure, LongRunning(subject, operation, None, 0.0), seconds, told(watch, subject)).until_ended()


def wait_for(scene: Scene, seconds: float, watch: Watch | None) -> Server | None:
    """Wait until the server's state does not change by itself any more."""
    scene.forget()
    return settle(scene.azure, scene.runtime_id, seconds, told(watch, f"server {scene.runtime_id.name}"))


def told(watch: Watch | None, what: str):
    """Return a watch of one operation, which says what it is."""
    return (lambda elapsed, status: watch(what, elapsed, status)) if watch else None


# -- making one ---------------------------------------------------------------------------------------------------------


def create(
    scene: Scene, target: Server, check_mode: bool, seconds: float, watch: Watch | None, changes: list
) -> Outcome:
    """Make the server, and before it what it needs: zone, links, subnet. Each step may have been done by a run before.

    What is made first carries the tags that lead to the rest, so that nothing is unknown after a crash.
    """
    plan = make_plan(scene, target)
    name_is_free(scene, plan, check_mode)
    if check_mode:
        return Outcome(None, plan.lines(), plan)
    azure, tags, short = scene.azure, server_tags(scene, plan), max(seconds, NETWORK_SECONDS)
    changes += plan.lines()
    own = own_tags(scene.request, plan.created)
    if plan.zone_made:
        azure.finish(
            "PUT",
            plan.zone_id,
            {"location": "global", "tags": own},
            seconds=short,
            watch=told(watch, f"zone {plan.zone_id.name}"),
        )
    make_links(scene, plan.links, short, watch)
    if plan.subnet:
        azure.finish(
            "PUT", plan.subnet_id, plan.subnet, seconds=short, watch=told(watch, f"subnet {plan.subnet_id.name}")
        )
    what = told(watch, f"server {plan.id.name}")
    try:
        azure.finish("PUT", plan.id, plan.server_body(tags), seconds=seconds, watch=what)
    except OperationFailed as error:
        raise failed_creation(error, plan) from error
    scene.forget()
    server = settle(azure, plan.id, seconds, what)
    if server is None:
        raise PreconditionFailed(f"Azure made {plan.id}, but does not show it.", "Run the task again.")
    return Outcome(server, plan.lines(), plan)


def failed_creation(error: OperationFailed, plan: Plan) -> MigrationError:
    """Return the error for a server that Azure did not make, with what is left and what helps."""
    hints = {
        "servereditionincompatiblewithskusize": "Leave 'tier' out; it follows from the size.",
        "servernamealreadyexists": "Choose another name with 'runtime_server_id'.",
    }
    made = plan.lines()[:-1]
    left = f" What was made for it stays for the next run: {'; '.join(made)}." if made else ""
    return OperationFailed(
        f"{error.msg}.{left}",
        hints.get(error.azure_code.lower(), error.hint),
        azure_code=error.azure_code,
        status=error.status,
        request_id=error.request_id,
    )


def make_links(scene: Scene, links, seconds: float, watch: Watch | None) -> None:
    """Link the zone to networks; the links carry tags of their own, since the zone may be somebody else's."""
    for link in links:
        scene.azure.finish(
            "PUT",
            link.id,
            {
                "location": "global",
                "tags": own_tags(scene.request),
                "properties": {"virtualNetwork": {"id": link.network_id}, "registrationEnabled": False},
            },
            seconds=seconds,
            watch=told(watch, f"link {link.id.name}"),
        )


def name_is_free(scene: Scene, plan: Plan, check_mode: bool) -> None:
    """Make sure that the server's name, which is unique in all of Azure, can be had.

    :raises PreconditionFailed: when it is taken, or not allowed
    """
    path = (
        f"/subscriptions/{plan.id.subscription_id}/providers/Microsoft.DBforPostgreSQL/locations/{plan.location}"
        "/checkNameAvailability"
    )
    answer = scene.azure.post(path, {"name": plan.id.name, "type": "Microsoft.DBforPostgreSQL/flexibleServers"}) or {}
    if answer.get("nameAvailable", True):
        return
    if str(answer.get("reason")).lower() == "alreadyexists" and appears(scene, 0 if check_mode else HIDDEN_SECONDS):
        return
    raise PreconditionFailed(
        f"No flexible server can be called {plan.id.name}: {answer.get('message') or answer.get('reason')}",
        "Choose another name with 'runtime_server_id'. If a run before was just making it, run the task again.",
    )


def appears(scene: Scene, seconds: float) -> bool:
    """Tell whether the server that has the name turns out to be the one that a run before is making here."""
    waited, pause = 0.0, 1.0
    while scene.azure.get(scene.runtime_id) is None:
        if waited >= seconds:
            return False
        scene.azure.patience.sleep(pause)
        waited, pause = waited + pause, min(pause * 2, 10.0)
    scene.forget()
    return True


# -- one that is there ----------------------------------------------------------------------------------------------------


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
        return Outcome(found, [], remarks=[foreign_remark(found, owner)])
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


def size_of(scene: Scene, server: Server) -> Sku | None:
    """Return a server's size; None when its region does not say."""
    return scene.offer(server.location).find(server.sku)


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
    tags = {
        name: value
        for name, value in (scene.options.get("tags") or {}).items()
        if name not in OWN_TAGS and found.tags.get(name) != str(value)
    }
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


def merge_tags(scene: Scene, tags: dict) -> None:
    """Add tags to the runtime server; those that it has stay."""
    scene.azure.patch(f"{scene.runtime_id}/{TAGS}", {"operation": "Merge", "properties": {"tags": tags}})


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
