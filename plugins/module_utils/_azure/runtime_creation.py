# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a runtime server, and before it what it needs: zone, links, subnet."""

from __future__ import annotations

from .._core.errors import MigrationError, PreconditionFailed
from .errors import Busy, Conflict, OperationFailed
from .links import make_links
from .ownership import own_tags, ownership
from .runtime_common import NETWORK_SECONDS, Outcome, Watch, told, wait_for
from .runtime_keeping import keep
from .runtime_plan import Plan, make_plan, server_tags
from .scene import Scene
from .servers import Server, settle

# A server that is being made is not shown by Azure at once, though its name is taken.
HIDDEN_SECONDS = 120.0


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
    own = {**plan.tags, **own_tags(scene.request, plan.created)}
    if plan.zone_made:
        make(scene, plan.zone_id, {"location": "global", "tags": own}, short, told(watch, f"zone {plan.zone_id.name}"))
    make_links(scene, plan.links, short, watch)
    if plan.subnet:
        make(scene, plan.subnet_id, plan.subnet, short, told(watch, f"subnet {plan.subnet_id.name}"))
    what = told(watch, f"server {plan.id.name}")
    body = plan.server_body(tags)
    try:
        try:
            azure.finish("PUT", plan.id, body, seconds=seconds, watch=what, wait_when_busy=False)
        except Busy:
            if availability(scene, plan).get("nameAvailable", True):
                azure.finish("PUT", plan.id, body, seconds=seconds, watch=what)
            else:
                # Somebody makes this very server: another migration that shares it, or our own request whose answer was lost.
                return made_meanwhile(scene, target, seconds, watch, changes)
    except OperationFailed as error:
        raise failed_creation(error, plan) from error
    scene.forget()
    server = settle(azure, plan.id, seconds, what)
    if server is None:
        raise PreconditionFailed(f"Azure made {plan.id}, but does not show it.", "Run the task again.")
    return Outcome(server, plan.lines(), plan)


def make(scene: Scene, identifier, body: dict, seconds: float, watch) -> None:
    """Make something of the network; what somebody else makes meanwhile, another migration that shares it, is there too.

    :raises Conflict: when it cannot be made, and is not there
    """
    try:
        scene.azure.finish("PUT", identifier, body, seconds=seconds, watch=watch)
    except Conflict:
        if scene.azure.get(identifier) is None:
            raise


def made_meanwhile(scene: Scene, target: Server, seconds: float, watch: Watch | None, changes: list) -> Outcome:
    """Take the server that somebody is just making, as one that is there.

    :raises PreconditionFailed: when it does not appear
    """
    appears(scene, HIDDEN_SECONDS)
    found = wait_for(scene, seconds, watch)
    if found is None:
        raise PreconditionFailed(
            f"{scene.runtime_id} was being made by somebody, and is not there.", "Run the task again."
        )
    if ownership(found.tags, scene.request).mine:
        return Outcome(found, changes)
    return keep(scene, target, found, False, seconds, watch, changes)


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


def name_is_free(scene: Scene, plan: Plan, check_mode: bool) -> None:
    """Make sure that the server's name, which is unique in all of Azure, can be had.

    :raises PreconditionFailed: when it is taken, or not allowed
    """
    answer = availability(scene, plan)
    if answer.get("nameAvailable", True):
        return
    if str(answer.get("reason")).lower() == "alreadyexists" and appears(scene, 0 if check_mode else HIDDEN_SECONDS):
        return
    raise PreconditionFailed(
        f"No flexible server can be called {plan.id.name}: {answer.get('message') or answer.get('reason')}",
        "Choose another name with 'runtime_server_id'. If a run before was just making it, run the task again.",
    )


def availability(scene: Scene, plan: Plan) -> dict:
    """Return what Azure says of the server's name: C(nameAvailable), and C(reason) and C(message) when it is not."""
    path = (
        f"/subscriptions/{plan.id.subscription_id}/providers/Microsoft.DBforPostgreSQL/locations/{plan.location}"
        "/checkNameAvailability"
    )
    return scene.azure.post(path, {"name": plan.id.name, "type": "Microsoft.DBforPostgreSQL/flexibleServers"}) or {}


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
