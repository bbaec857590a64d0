# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource ids of Azure Resource Manager: text that is compared without regard to case, but kept as it was given."""

from __future__ import annotations

import re
from dataclasses import dataclass

FLEXIBLE_SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"
SINGLE_SERVER = "Microsoft.DBforPostgreSQL/servers"
FORM = re.compile(
    r"/subscriptions/(?P<subscription_id>[^/]+)/resourceGroups/(?P<resource_group>[^/]+)"
    r"/providers/(?P<namespace>[^/]+)/(?P<rest>[^/]+/[^/]+(?:/[^/]+/[^/]+)*)/?",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class ResourceId:
    """The id of a resource in a resource group; two ids that differ in case only are equal."""

    text: str
    subscription_id: str
    resource_group: str
    type: str
    name: str

    @classmethod
    def parse(cls, text: str) -> ResourceId | None:
        """Return the parts of a resource id; None when I(text) is none. C(type) is in lower case."""
        found = FORM.fullmatch(text.strip())
        if not found:
            return None
        words = found["rest"].split("/")
        kind = "/".join([found["namespace"], *words[::2]]).lower()
        return cls(text.strip().rstrip("/"), found["subscription_id"], found["resource_group"], kind, words[-1])

    @property
    def key(self) -> str:
        """The id in lower case, for comparing and hashing."""
        return self.text.lower()

    def child(self, kind: str, name: str) -> ResourceId:
        """Return the id of a resource below this one, for example C(child("migrations", "m1"))."""
        return ResourceId(
            f"{self.text}/{kind}/{name}", self.subscription_id, self.resource_group, f"{self.type}/{kind}".lower(), name
        )

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other) -> bool:
        return isinstance(other, ResourceId) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)
