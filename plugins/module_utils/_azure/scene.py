# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure's control plane says around one migration: servers, networks, DNS; read when asked for, and once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from .._core.request import Request
from .._core.resource_id import ResourceId
from .client import Azure
from .errors import Forbidden
from .ownership import runtime_id
from .servers import INTEGRATED, PRIVATE_ENDPOINT, Server
from .sizing import Offer

RUNTIME, TARGET = "runtime server", "target"
SUBNETS = "microsoft.network/virtualnetworks/subnets"


class Scene:
    """Reads and remembers.

    :param login: gives the session with Resource Manager; called when the first thing is read
    :param request: the migration
    :param options: the option C(azure_server), see C(_module.arguments)
    """

    def __init__(self, login: Callable[[], Azure], request: Request, options: Mapping | None = None):
        self.login = login
        self.request = request
        self.options = {word: value for word, value in (options or {}).items() if value is not None}
        self._azure: Azure | None = None
        self._known: dict = {}

    @property
    def azure(self) -> Azure:
        """The session."""
        if self._azure is None:
            self._azure = self.login()
        return self._azure

    def close(self) -> None:
        """Close the session, if it was opened."""
        if self._azure is not None:
            self._azure.close()
            self._azure = None

    def forget(self) -> None:
        """Forget what was read, since something has been changed."""
        self._known.clear()

    def known(self, key, read: Callable[[], object]):
        """Return what I(read()) gave the first time; what it raised is raised again."""
        if key not in self._known:
            try:
                self._known[key] = (read(), None)
            except Exception as error:
                self._known[key] = (None, error)
        value, error = self._known[key]
        if error is not None:
            raise error
        return value

    def resource(self, identifier: str | ResourceId | None) -> dict | None:
        """Return the JSON of a resource, or None when there is none."""
        if not identifier:
            return None
        return self.known(("resource", str(identifier).lower()), lambda: self.azure.get(identifier))

    def readable(self, identifier: str | ResourceId | None) -> dict | None:
        """Return the JSON of a resource, or None when there is none, or the identity may not see it."""
        try:
            return self.resource(identifier)
        except Forbidden:
            return None

    def entries(self, path: str, **query: str) -> list:
        """Return the entries of a collection."""
        return self.known(("list", path.lower(), *sorted(query.items())), lambda: self.azure.list(path, **query))

    @property
    def target(self) -> Server | None:
        """The target."""
        body = self.resource(self.request.target_server_id)
        return Server.from_json(body) if body else None

    @property
    def runtime_id(self) -> ResourceId:
        """Id of the runtime server, whether it exists or not."""
        return runtime_id(self.request)

    @property
    def runtime(self) -> Server | None:
        """The runtime server, if it exists."""
        body = self.resource(self.runtime_id)
        return Server.from_json(body) if body else None

    @property
    def suffix(self) -> str:
        """The cloud's suffix of flexible servers' names, for example C(postgres.database.azure.com)."""
        target = self.target
        _name, _dot, suffix = (target.fqdn if target else "").partition(".")
        return suffix or "postgres.database.azure.com"

    def offer(self, location: str) -> Offer:
        """Return what a region offers to the target's subscription."""
        subscription = self.runtime_id.subscription_id
        path = f"/subscriptions/{subscription}/providers/Microsoft.DBforPostgreSQL/locations/{location}/capabilities"
        return self.known(("offer", location), lambda: Offer.from_capabilities(self.entries(path)))

    def parameters(self, server: Server) -> dict:
        """Return C({name in lower case: properties}) of a server's parameters."""
        return {
            entry["name"].lower(): entry.get("properties") or {}
            for entry in self.entries(f"{server.id}/configurations")
        }

    @property
    def runtime_subnet_id(self) -> str | None:
        """The subnet of the runtime server, or the one that it shall get."""
        runtime = self.runtime
        return runtime.subnet_id if runtime else self.options.get("delegated_subnet_id")

    @property
    def runtime_zone_id(self) -> str | None:
        """The private DNS zone of the runtime server, or the one that it shall get."""
        runtime = self.runtime
        return runtime.zone_id if runtime else self.options.get("private_dns_zone_id")

    @property
    def runtime_network_id(self) -> str | None:
        """The virtual network of the runtime server."""
        return network_of_subnet(self.runtime_subnet_id) or self.options.get("virtual_network_id")

    @property
    def carrier(self) -> str:
        """Who connects to source and target: the runtime server where there is, or shall be, one; else the target."""
        target = self.target
        planned = self.runtime_subnet_id or self.options.get("virtual_network_id")
        return TARGET if not planned and target and target.access == INTEGRATED else RUNTIME

    @property
    def carrier_subnet_id(self) -> str | None:
        """The subnet of whoever connects to source and target."""
        return self.target.subnet_id if self.carrier == TARGET else self.runtime_subnet_id

    @property
    def carrier_network_id(self) -> str | None:
        """The virtual network of whoever connects to source and target."""
        return network_of_subnet(self.target.subnet_id) if self.carrier == TARGET else self.runtime_network_id

    @property
    def source_network_id(self) -> str | None:
        """The virtual network of the source, or of the gateway to it, where the user names it."""
        return self.options.get("source_virtual_network_id")

    @property
    def target_endpoints(self) -> list:
        """The JSON of the target's approved private endpoints that may be read."""
        target = self.target
        found = [self.readable(identifier) for identifier in (target.approved_endpoints if target else [])]
        return [endpoint for endpoint in found if endpoint]

    @property
    def target_network_ids(self) -> list:
        """The virtual networks from which the target is reached: its own, or those of its private endpoints."""
        target = self.target
        if target is None:
            return []
        if target.access == INTEGRATED:
            return [network_of_subnet(target.subnet_id)]
        subnets = [endpoint_subnet(endpoint) for endpoint in self.target_endpoints]
        return list(dict.fromkeys(filter(None, map(network_of_subnet, subnets))))

    @property
    def has_private_target(self) -> bool:
        """Whether the target is reached by a private endpoint."""
        target = self.target
        return target is not None and target.access == PRIVATE_ENDPOINT

    def prefixes(self, network_id: str | None) -> tuple:
        """Return the address prefixes of a virtual network."""
        body = self.resource(network_id)
        space = ((body or {}).get("properties") or {}).get("addressSpace") or {}
        return tuple(space.get("addressPrefixes") or ())

    def peerings(self, network_id: str) -> list:
        """Return the peerings of a virtual network."""
        body = self.resource(network_id)
        return list(((body or {}).get("properties") or {}).get("virtualNetworkPeerings") or [])

    def links(self, zone_id: str) -> list:
        """Return the links of a private DNS zone."""
        return self.entries(f"{zone_id}/virtualNetworkLinks")

    def rules_of(self, group_id: str) -> list | None:
        """Return the rules of a network security group, its default ones included; None when there is no such group."""
        body = self.resource(group_id)
        if body is None:
            return None
        words = body.get("properties") or {}
        return [*(words.get("securityRules") or []), *(words.get("defaultSecurityRules") or [])]

    def routes_of(self, table_id: str) -> list:
        """Return the routes of a route table."""
        body = self.resource(table_id)
        return list(((body or {}).get("properties") or {}).get("routes") or [])


def network_of_subnet(subnet_id: str | None) -> str | None:
    """Return the id of the virtual network that a subnet is in."""
    found = ResourceId.parse(subnet_id) if subnet_id else None
    if found is None or found.type != SUBNETS:
        return None
    return found.text.rsplit("/", 2)[0]


def endpoint_subnet(endpoint: dict) -> str | None:
    """Return the id of the subnet that a private endpoint is in."""
    return (((endpoint.get("properties") or {}).get("subnet")) or {}).get("id")


def same(one: str | None, other: str | None) -> bool:
    """Tell whether two ids are the same."""
    return bool(one) and bool(other) and str(one).rstrip("/").lower() == str(other).rstrip("/").lower()
