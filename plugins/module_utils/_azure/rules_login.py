# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: can Azure be asked, by an identity that may do what a migration needs?"""

from __future__ import annotations

import fnmatch

from .._checks.rule import Rule, blind, fine, listed, violated
from .._core.errors import DependencyMissing, InvalidRequest
from .errors import AzureError, LoginFailed, NotFound, NotRegistered, Unreachable

LOGIN = "azure-login"
PERMISSIONS = "providers/Microsoft.Authorization/permissions"
GUIDE = "https://learn.microsoft.com/azure/postgresql/migrate/migration-service/concepts-required-user-permissions"
SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"
ON_TARGET = (
    f"{SERVERS}/read",
    f"{SERVERS}/configurations/read",
    f"{SERVERS}/migrations/read",
    f"{SERVERS}/migrations/write",
    f"{SERVERS}/migrations/delete",
    f"{SERVERS}/checkMigrationNameAvailability/action",
)
ON_RUNTIME = (f"{SERVERS}/read", f"{SERVERS}/migrations/read", f"{SERVERS}/migrations/write")


def login(scene, context):
    """Resource Manager answers, and takes the login."""
    try:
        subscription = scene.resource(f"/subscriptions/{scene.request.target_server_id.subscription_id}")
    except (LoginFailed, Unreachable, NotRegistered, NotFound, InvalidRequest, DependencyMissing) as error:
        yield violated("Azure Resource Manager", error.msg, remedy=error.hint)
        return
    except AzureError:
        subscription = None  # it answers, and that is what is asked here
    name = (subscription or {}).get("displayName") or scene.request.target_server_id.subscription_id
    yield fine("Azure Resource Manager", f"subscription {name}")


def permissions(scene, context):
    """The identity may do what a migration needs, on the target and on the runtime server."""
    scopes = [(str(scene.request.target_server_id), scene.request.target_server_id.name, ON_TARGET)]
    if scene.runtime:
        scopes.append((str(scene.runtime.id), scene.runtime.id.name, ON_RUNTIME))
    for scope, name, wanted in scopes:
        try:
            granted = scene.entries(f"{scope}/{PERMISSIONS}")
        except NotFound:
            yield blind(name, "Azure does not list the identity's rights here")
            continue
        missing = [action for action in wanted if not allows(granted, action)]
        if missing:
            yield violated(
                name,
                f"the identity may not {listed(missing)}",
                remedy=f"az role assignment create --role Contributor --scope {scope} --assignee <the identity>, or a role of "
                "your own with these actions.",
            )
        else:
            yield fine(name, f"{len(wanted)} actions that a migration needs are granted")


def allows(granted: list, action: str) -> bool:
    """Tell whether a list of permissions, as Azure returns it, contains an action."""
    return any(matches(item.get("actions"), action) and not matches(item.get("notActions"), action) for item in granted)


def matches(patterns, action: str) -> bool:
    """Tell whether one of the patterns, in which C(*) stands for anything, fits an action."""
    return any(fnmatch.fnmatchcase(action.lower(), str(pattern).lower()) for pattern in patterns or ())


RULES = (
    Rule(
        id=LOGIN,
        title="Azure Resource Manager takes the login",
        level="azure",
        side="runtime",
        look=login,
        expected="a token for Resource Manager, and an answer to it",
        remedy="Check tenant, client_id and what proves it, or run 'az login'.",
        documentation="https://learn.microsoft.com/azure/developer/ansible/install-on-linux-vm#create-azure-credentials",
    ),
    Rule(
        id="azure-permissions",
        title="The identity may do what a migration needs",
        level="azure",
        side="target",
        look=permissions,
        expected="the actions of migrations on the target and on the runtime server",
        remedy="Assign Contributor on both servers, or a role with the actions that are named.",
        documentation=GUIDE,
        needs=(LOGIN, "azure-target-exists"),
    ),
)
