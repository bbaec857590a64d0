# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user asked for, as types."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields

from .canonical import digest
from .errors import InvalidRequest
from .resource_id import FLEXIBLE_SERVER, SINGLE_SERVER, ResourceId

REQUEST_FORMAT = "azpg.migrate/request/1"
NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Endpoint:
    """How to connect to a server; the fields are libpq's connection words."""

    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    dbname: str | None = None
    sslmode: str | None = None
    sslrootcert: str | None = None
    sslcert: str | None = None
    sslkey: str | None = None
    passfile: str | None = None
    service: str | None = None
    options: str | None = None
    connect_timeout: int | None = None

    @classmethod
    def from_dict(cls, values: dict) -> Endpoint:
        """Build an endpoint from a dictionary of libpq words; None and missing mean libpq's own default.

        :raises InvalidRequest: for a word that is not known
        """
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InvalidRequest(
                f"Unknown connection word {', '.join(unknown)}.", f"Known are {', '.join(sorted(known))}."
            )
        return cls(**values)

    def as_dict(self, secrets: bool = False) -> dict:
        """Return the words that are set; the password only with I(secrets)."""
        return {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if getattr(self, item.name) is not None and (secrets or item.name != "password")
        }

    def with_secrets(self, secrets: dict) -> Endpoint:
        """Return a copy that holds the password of I(secrets)."""
        return Endpoint(**{**self.as_dict(secrets=True), "password": secrets.get("password")})

    @property
    def address(self) -> str:
        """The server as people name it: C(host:port), or the service."""
        if self.service and not self.host:
            return f"service {self.service}"
        return f"{self.host or 'localhost'}:{self.port or 5432}"


@dataclass(frozen=True)
class Request:
    """One migration: one source, one target, a list of databases, a mode."""

    name: str
    source: Endpoint
    target: Endpoint
    databases: tuple
    provider: str = "host"
    mode: str = "offline"
    role_map: tuple = ()
    source_type: str | None = None
    source_server_id: ResourceId | None = None
    target_server_id: ResourceId | None = None
    runtime_server_id: ResourceId | None = None

    @classmethod
    def create(
        cls,
        name,
        source: dict,
        target: dict,
        databases,
        provider="host",
        mode="offline",
        role_map=None,
        source_type=None,
        source_server_id=None,
        target_server_id=None,
        runtime_server_id=None,
    ) -> Request:
        """Build a request from module parameters and check what can be checked without a server.

        :param source: libpq words of the source; I(target) likewise
        :param databases: names of the databases, each once
        :param role_map: C({source role: target role}) for roles that have another name on the target
        :param source_type: what the source is, in the migration service's words; None to find out
        :param source_server_id: resource id of a source that is an Azure Single Server, as text
        :param target_server_id: resource id of the target's flexible server, as text; required by provider azure
        :param runtime_server_id: resource id of the flexible server that is, or shall be, the runtime server, as text
        :raises InvalidRequest: naming the option and the value at fault
        """
        if not NAME.fullmatch(name or ""):
            raise InvalidRequest(
                f"The migration's name is {name!r}.",
                "Use 1 to 63 lower-case letters, digits, hyphens and underscores, beginning and ending with a letter or digit.",
            )
        names = list(databases or [])
        if not names:
            raise InvalidRequest("No database is named.", "List at least one in 'databases'.")
        twice = sorted({database for database in names if names.count(database) > 1})
        if twice:
            raise InvalidRequest(f"Database {', '.join(twice)} is listed more than once.", "Name each database once.")
        reserved = sorted(set(names) & {"template0", "template1", "azure_sys", "azure_maintenance"})
        if reserved:
            raise InvalidRequest(
                f"Database {', '.join(reserved)} belongs to the server itself.", "Leave it out of 'databases'."
            )
        request = cls(
            name=name,
            source=Endpoint.from_dict(source),
            target=Endpoint.from_dict(target),
            databases=tuple(names),
            provider=provider,
            mode=mode,
            role_map=tuple(sorted((role_map or {}).items())),
            source_type=source_type,
            source_server_id=_resource_id("source_server_id", source_server_id, SINGLE_SERVER),
            target_server_id=_resource_id("target_server_id", target_server_id, FLEXIBLE_SERVER),
            runtime_server_id=_resource_id("runtime_server_id", runtime_server_id, FLEXIBLE_SERVER),
        )
        request.check_provider()
        for side, endpoint in (("source", request.source), ("target", request.target)):
            if not endpoint.host and not endpoint.service:
                raise InvalidRequest(f"The {side} names no server.", f"Set '{side}.host' or '{side}.service'.")
        if request.source.address == request.target.address:
            raise InvalidRequest(
                f"Source and target are the same server, {request.source.address}.",
                "A migration needs two servers; correct 'source' or 'target'.",
            )
        return request

    def check_provider(self) -> None:
        """Make sure that the provider has what it needs, and can do what is asked for.

        :raises InvalidRequest: naming the option at fault
        """
        if self.provider == "azure" and not self.target_server_id:
            raise InvalidRequest(
                "Provider 'azure' does not know which flexible server the target is.",
                "Set 'target_server_id' to its resource id; 'az postgres flexible-server show --query id' prints it.",
            )
        for option in ("source_server_id", "target_server_id"):
            if self.runtime_server_id and self.runtime_server_id == getattr(self, option):
                raise InvalidRequest(
                    f"The runtime server is the server of '{option}', {self.runtime_server_id}.",
                    "A runtime server is a flexible server of its own; correct 'runtime_server_id'.",
                )

    @property
    def identity(self) -> dict:
        """What makes this request this request: no user, no secret, nothing that may change between two runs."""
        resources = ("source_server_id", "target_server_id") if self.provider == "azure" else ()
        return {
            **{word: getattr(self, word).key for word in resources if getattr(self, word)},
            "format": REQUEST_FORMAT,
            "name": self.name,
            "provider": self.provider,
            "mode": self.mode,
            "source": self.source.address,
            "target": self.target.address,
            "databases": sorted(self.databases),
            "role_map": dict(self.role_map),
        }

    @property
    def hash(self) -> str:
        """The digest of the identity; two requests with the same hash are the same migration."""
        return digest(self.identity)

    def as_dict(self) -> dict:
        """Return the request without secrets, as it is stored beside the journal."""
        return {
            **self.identity,
            "databases": list(self.databases),
            "source": self.source.as_dict(),
            "target": self.target.as_dict(),
            "source_type": self.source_type,
            **{
                word: str(getattr(self, word))
                for word in ("source_server_id", "target_server_id", "runtime_server_id")
                if getattr(self, word)
            },
            "hash": self.hash,
        }

    @classmethod
    def from_dict(cls, stored: dict, secrets: dict | None = None) -> Request:
        """Rebuild a request from what M(as_dict) stored; I(secrets) is C({source: {password}, target: {password}})."""
        secrets = secrets or {}
        return cls.create(
            stored["name"],
            {**stored["source"], **secrets.get("source", {})},
            {**stored["target"], **secrets.get("target", {})},
            stored["databases"],
            stored["provider"],
            stored["mode"],
            stored["role_map"],
            stored.get("source_type"),
            stored.get("source_server_id"),
            stored.get("target_server_id"),
            stored.get("runtime_server_id"),
        )

    @property
    def secrets(self) -> dict:
        """The passwords, in the shape that M(from_dict) takes; handed on through pipes only."""
        return {"source": {"password": self.source.password}, "target": {"password": self.target.password}}

    @property
    def secret_values(self) -> list:
        """The passwords as a list, for redaction."""
        return [value for value in (self.source.password, self.target.password) if value]


def _resource_id(option: str, text: str | None, kind: str) -> ResourceId | None:
    """Return an option's text as resource id of a I(kind) of server; None for none.

    :raises InvalidRequest: naming the option, what it says and what is expected
    """
    if not text:
        return None
    found = ResourceId.parse(text)
    if found is None or found.type != kind.lower():
        raise InvalidRequest(
            f"'{option}' is {text!r}, expected the resource id of a {kind}.",
            f"It reads /subscriptions/<id>/resourceGroups/<name>/providers/{kind}/<name>.",
        )
    return found
