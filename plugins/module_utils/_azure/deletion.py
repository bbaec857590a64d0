# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be deleted: one decision, in one place, through which every deletion of this provider goes.

Source and target are refused whatever is asked for. What this collection did not make for this very migration, and was not
handed over, is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._core.request import Request
from .ownership import Ownership, derived_name, ownership
from .servers import Server

# Databases that every flexible server has.
OWN_DATABASES = frozenset(("postgres", "azure_maintenance", "azure_sys"))

DELETE, KEEP, REFUSE = "delete", "keep", "refuse"

# Why a server is not deleted, by code; docs/troubleshooting.md has a line for each.
CODES = frozenset(("runtime-is-endpoint", "runtime-not-owned", "runtime-holds-databases", "runtime-has-replicas"))


@dataclass(frozen=True)
class Verdict:
    """What becomes of a server: I(kind) is delete, keep or refuse; I(code), I(msg) and I(hint) say why not."""

    kind: str
    code: str = ""
    msg: str = ""
    hint: str = ""

    @property
    def refusal(self) -> dict:
        """The reason, in the gate's shape."""
        return {"code": self.code, "msg": self.msg, "hint": self.hint}


def judge_server(request: Request, server: Server, suffix: str, databases=(), replicas=()) -> Verdict:
    """Decide whether a server may be deleted as the runtime server of a migration.

    :param suffix: the cloud's suffix of servers' names
    :param databases: names of the databases on it; they matter when it was adopted
    :param replicas: ids of its read replicas
    """
    side = endpoint_named(request, server, suffix)
    if side:
        return Verdict(
            REFUSE,
            "runtime-is-endpoint",
            f"Server {server.id} is the {side} of the migration.",
            "Name the right runtime server; source and target are never deleted.",
        )
    owner = ownership(server.tags, request)
    if not owner.mine:
        return Verdict(KEEP, "runtime-not-owned", not_owned(server, owner), not_owned_hint(owner))
    foreign = sorted(set(databases) - OWN_DATABASES)
    if owner.adopted and foreign:
        return Verdict(
            REFUSE,
            "runtime-holds-databases",
            f"Server {server.id} was handed over to this collection, but holds databases: {', '.join(foreign[:10])}.",
            "A runtime server holds none. Drop them, or take the server back by removing its tags that begin with azpg-.",
        )
    if replicas:
        return Verdict(
            REFUSE,
            "runtime-has-replicas",
            f"Server {server.id} has read replicas: {', '.join(str(item) for item in replicas)}.",
            "A runtime server has none. Delete or promote them first.",
        )
    return Verdict(DELETE)


def endpoint_named(request: Request, server: Server, suffix: str) -> str | None:
    """Return which end of the migration a server is, by its id, its name or its address; None when it is neither."""
    names = {f"{server.id.name}.{suffix}".lower(), server.fqdn.lower()} - {""}
    for side, identifier, endpoint in (
        ("target", request.target_server_id, request.target),
        ("source", request.source_server_id, request.source),
    ):
        if identifier == server.id or (endpoint.host or "").lower().rstrip(".") in names:
            return side
    return None


def not_owned(server: Server, owner: Ownership) -> str:
    """Return why a server that is not this migration's is kept."""
    if owner.ours:
        return f"Server {server.id} belongs to migration {owner.migration or '?'}, or to other parameters of this one."
    return f"Server {server.id} was not made by this collection and was not handed over to it."


def not_owned_hint(owner: Ownership) -> str:
    """Return what to do when such a server is to go all the same."""
    if owner.ours:
        return (
            "The cleanup of that migration deletes it; or hand it over: runtime_server with 'azure_server.adopt: true'."
        )
    return "Delete it yourself; or hand it over first: runtime_server with 'azure_server.adopt: true'."


def zone_is_ours(request: Request, tags: dict | None) -> bool:
    """Tell whether a private DNS zone, or a link of one, was made for this very migration."""
    return ownership(tags, request).mine


def subnet_is_ours(request: Request, name: str, body: dict) -> bool:
    """Tell whether a subnet was made for this very migration: its name is derived from the request, and it is delegated."""
    delegations = [
        ((item.get("properties") or {}).get("serviceName") or "").lower()
        for item in (body.get("properties") or {}).get("delegations") or []
    ]
    return name.lower() == derived_name(request) and delegations == ["microsoft.dbforpostgresql/flexibleservers"]
