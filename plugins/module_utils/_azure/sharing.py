# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else goes through a runtime server: looked for on every target that can be seen, before the server is deleted."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._core.resource_id import FLEXIBLE_SERVER
from . import subscriptions
from .errors import Forbidden, NotFound
from .migrations.record import Record
from .scene import Scene


@dataclass
class Users:
    """I(active) are ids of migrations that go through the server and have not ended.

    I(unseen) is what could not be looked at in the subscriptions of target and runtime server: without that nobody knows.
    I(unsure) is the same elsewhere, where the identity may not be meant to look.
    """

    active: list = field(default_factory=list)
    unseen: list = field(default_factory=list)
    unsure: list = field(default_factory=list)


def find_users(scene: Scene) -> Users:
    """Look for users on every flexible server of every subscription that can be seen: one request each."""
    own = sorted({scene.request.target_server_id.subscription_id.lower(), scene.runtime_id.subscription_id.lower()})
    users = Users()
    for subscription in own:
        try:
            servers = servers_of(scene, subscription)
        except Forbidden:
            users.unseen.append(f"the servers of subscription {subscription}")
            continue
        look(scene, servers, users.active, users.unseen)
    for subscription in subscriptions.beside(own, subscriptions.visible(scene.entries)):
        try:
            servers = servers_of(scene, subscription)
        except subscriptions.CLOSED:
            continue
        look(scene, servers, users.active, users.unsure)
    return users


def servers_of(scene: Scene, subscription: str) -> list:
    """Return the ids of a subscription's flexible servers."""
    return [server["id"] for server in scene.entries(f"/subscriptions/{subscription}/providers/{FLEXIBLE_SERVER}")]


def look(scene: Scene, servers: list, active: list, hidden: list) -> None:
    """Add to I(active) the migrations of servers that go through the runtime server, to I(hidden) what may not be read."""
    for server in servers:
        try:
            records = [
                Record.read(item) for item in scene.azure.list(f"{server}/migrations", migrationListFilter="All")
            ]
        except Forbidden:
            hidden.append(f"the migrations of {server}")
        except NotFound:
            continue  # deleted since
        else:
            active += [str(one.id) for one in records if one.active and one.runtime == scene.runtime_id]
