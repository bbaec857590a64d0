# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What exists: subscriptions, groups, resources, operations, migrations; and the tick that moves them on."""

from __future__ import annotations

import copy
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.azure_simulator import wire
from tests.azure_simulator.clock import Clock
from tests.azure_simulator.trouble import Troubles

PROVIDERS = ("Microsoft.DBforPostgreSQL", "Microsoft.Network", "Microsoft.Resources")


@dataclass
class Resource:
    """One resource: `body` holds what it has of sku, properties, tags, location and so on, in wire form.

    `behind` is the running `tools.lab` cluster that plays the server, or None. `private` never leaves the simulator.
    """

    id: str
    type: str
    name: str
    body: dict
    behind: object = None
    private: dict = field(default_factory=dict)

    @property
    def group(self) -> str:
        return self.id.split("/")[4]

    @property
    def properties(self) -> dict:
        return self.body.setdefault("properties", {})


class Cloud:
    """The whole state, under one lock. `lock` is held while a request is answered and while the tick runs."""

    def __init__(self, directory: Path, clock: Clock, troubles: Troubles, control_plane_only: bool):
        self.directory = directory
        self.clock = clock
        self.troubles = troubles
        self.control_plane_only = control_plane_only
        self.lock = threading.RLock()
        self.tenant_id = wire.new_guid()
        self.subscription_id = wire.new_guid()
        self.client_id = wire.new_guid()
        self.client_secret = secrets.token_urlsafe(24)
        self.federated_token = "federated." + secrets.token_urlsafe(24)
        self.url = ""
        self.identity_url = ""
        self.tokens: dict[str, float] = {}
        self.token_lifetime = 3599
        #: Actions that the identity has on a resource, by its id in small letters; all where none are named.
        self.granted: dict[str, list[str]] = {}
        self.registrations = {name.lower(): "Registered" for name in PROVIDERS}
        self.groups: dict[str, dict] = {}
        #: Subscriptions beside the first, with the resource groups of each.
        self.others: dict[str, dict[str, dict]] = {}
        self.resources: dict[str, Resource] = {}
        self.operations: dict[str, object] = {}
        self.migrations: dict[str, object] = {}
        self.cluster_prefix: Path | None = None
        self.tolerated: set[int] = set()
        self.source_clusters: list = []
        self.private_sources: dict[str, list[str]] = {}
        self.failures: list[str] = []

    # -- subscriptions ----------------------------------------------------------------------------------------------

    @property
    def subscriptions(self) -> list[str]:
        return [self.subscription_id, *self.others]

    def seen_from(self, subscription: str) -> Cloud | None:
        """Return the same state as it is worked on in a subscription, or None where there is no such subscription."""
        wanted = subscription.lower()
        if wanted == self.subscription_id.lower():
            return self
        if wanted not in self.others:
            return None
        view = copy.copy(self)
        view.subscription_id, view.groups = wanted, self.others[wanted]
        view.others = {
            self.subscription_id: self.groups,
            **{one: it for one, it in self.others.items() if one != wanted},
        }
        return view

    # -- groups and resources ---------------------------------------------------------------------------------------

    def group(self, name: str) -> dict:
        """Return a resource group.

        Raises ArmError with the gateway's 404.
        """
        found = self.groups.get(name.lower())
        if found is None:
            raise wire.group_not_found(name)
        return found

    def id_of(self, group: str, kind: str, *names: str) -> str:
        """Return an ARM id; `kind` is for example `Microsoft.Network/virtualNetworks/subnets` with two names."""
        namespace, *types = kind.split("/")
        parts = "/".join(f"{one}/{name}" for one, name in zip(types, names))
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{group}/providers/{namespace}/{parts}"

    def put(self, resource: Resource) -> Resource:
        self.resources[resource.id.lower()] = resource
        return resource

    def find(self, identifier: str | None) -> Resource | None:
        """Return the resource with this id, whatever the case of its letters."""
        return self.resources.get((identifier or "").lower().rstrip("/"))

    def need(self, group: str, kind: str, *names: str) -> Resource:
        """Return a resource.

        Raises ArmError with the 404 of the gateway: that of the group, or that of the resource.
        """
        self.group(group)
        found = self.find(self.id_of(group, kind, *names))
        if found is None:
            raise wire.resource_not_found(kind, "/".join(names), group)
        return found

    def owns(self, resource: Resource) -> bool:
        """Tell whether a resource is in the subscription that this is seen from."""
        return resource.id.split("/")[2].lower() == self.subscription_id.lower()

    def of_type(
        self, kind: str, group: str | None = None, under: str | None = None, own: bool = False
    ) -> list[Resource]:
        """Return the resources of a type, of one group or below one id, or of this subscription alone, oldest first."""
        return [
            one
            for one in self.resources.values()
            if one.type.lower() == kind.lower()
            and (not own or self.owns(one))
            and (group is None or (one.group.lower() == group.lower() and self.owns(one)))
            and (under is None or one.id.lower().startswith(under.lower() + "/"))
        ]

    def remove(self, resource: Resource) -> None:
        """Take away a resource and what lies below it."""
        prefix = resource.id.lower()
        for key in [key for key in self.resources if key == prefix or key.startswith(prefix + "/")]:
            del self.resources[key]

    # -- time -------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Move on what is due: operations first, because migrations look at servers."""
        now = self.clock.now()
        for operation in list(self.operations.values()):
            operation.advance(now)
        for migration in list(self.migrations.values()):
            migration.advance(now)
