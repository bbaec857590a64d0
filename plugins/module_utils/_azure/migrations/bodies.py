# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the service, as its API writes them, and whether it took them as they were meant."""

from __future__ import annotations

from dataclasses import dataclass

from ..._core.errors import InvalidRequest
from ..._core.request import Request
from ..._core.resource_id import ResourceId
from .batches import Batch
from .record import Record
from .words import flag, squeezed

VALIDATE, MIGRATE, BOTH = "Validate", "Migrate", "ValidateAndMigrate"
MODES = {"offline": "Offline", "online": "Online"}
SINGLE_SERVER = "PostgreSQLSingleServer"
# What the own names of flexible servers end in, in Microsoft's clouds.
SUFFIXES = (
    "postgres.database.azure.com", "postgres.database.chinacloudapi.cn", "postgres.database.usgovcloudapi.net",
)  # fmt: skip
# The service cannot be given certificates: of a source that is no Single Server it asks for encryption only.
SSL_MODES = {
    None: "Prefer", "disable": "Prefer", "allow": "Prefer", "prefer": "Prefer", "require": "Require",
    "verify-ca": "Require", "verify-full": "Require",
}  # fmt: skip
SINGLE_SERVER_SSL_MODES = {None: "VerifyFull", "verify-ca": "VerifyCA", "verify-full": "VerifyFull"}


@dataclass(frozen=True)
class Wishes:
    """What the user wants of the service beyond the request itself; the words are options of the module migration."""

    source_server_fqdn: str | None = None
    target_server_fqdn: str | None = None
    migration_window_start: str | None = None
    migrate_roles: bool = False
    setup_logical_replication: bool = False
    unsafe_skip_validation: bool = False


def source_of(request: Request) -> str:
    """Return how the service names the source: the id of a Single Server, or C(host:port@user)."""
    if request.source_server_id:
        return str(request.source_server_id)
    return f"{request.source.host}:{request.source.port or 5432}@{request.source.user}"


def ssl_mode(request: Request) -> str:
    """Return the service's word for libpq's I(sslmode) of the source."""
    if request.source_server_id:
        return SINGLE_SERVER_SSL_MODES.get(request.source.sslmode, SSL_MODES[request.source.sslmode])
    return SSL_MODES[request.source.sslmode]


def remarks(request: Request) -> list:
    """Return sentences on what the service will not do as the request says."""
    if not request.source_server_id and (request.source.sslmode or "").startswith("verify"):
        return [
            f"The service cannot check the certificate of a source that is no Single Server: 'source.sslmode: "
            f"{request.source.sslmode}' counts as 'require' for it."
        ]
    return []


def another_server(host: str | None, name: str, suffixes=SUFFIXES) -> bool:
    """Tell whether a host is the own name of a flexible server, and of another than the one of that name.

    Names of one's own, those of a private link and of virtual endpoints say nothing.
    """
    first, _dot, rest = (host or "").lower().rstrip(".").partition(".")
    return rest in suffixes and first != name.lower()


def check_request(request: Request, wishes: Wishes) -> None:
    """Make sure that the service can be asked for what the request wants.

    :raises InvalidRequest: naming the option
    """
    for side in ("source", "target"):
        endpoint = getattr(request, side)
        for word in ("user", "password"):
            if not getattr(endpoint, word):
                raise InvalidRequest(
                    f"The service needs '{side}.{word}' to log in, and it is not set.",
                    "It takes no password file, service file or certificate of a client.",
                )
    if not request.source_server_id and not request.source.host:
        raise InvalidRequest(
            "The service needs the address of the source, and 'source.host' is not set.", "It reads no service file."
        )
    if another_server(request.target.host, request.target_server_id.name):
        raise InvalidRequest(
            f"'target.host' is {request.target.host}, and 'target_server_id' names the server {request.target_server_id.name}.",
            "Correct one of the two: data would be moved to one server and verified on another.",
        )
    if wishes.migrate_roles and not request.source_server_id:
        raise InvalidRequest(
            "The service carries roles from a Single Server only, and 'source_server_id' names none.",
            "Leave 'migrate_roles' out and use module roles.",
        )
    if wishes.setup_logical_replication and (not request.source_server_id or request.mode != "online"):
        raise InvalidRequest(
            "The service sets up logical replication on a Single Server for mode 'online' only.",
            "Leave 'setup_logical_replication' out; see the checks for what an online source needs.",
        )


def create(
    request: Request, wishes: Wishes, batch: Batch, option: str, location: str, runtime: ResourceId | None, tags: dict
) -> dict:
    """Return the body that creates a migration record; the one body that holds passwords.

    :param option: C(Validate), C(ValidateAndMigrate), or C(Migrate) for those who asked for it
    :param location: region of the target
    """
    secrets = {
        "adminCredentials": {
            "sourceServerPassword": request.source.password,
            "targetServerPassword": request.target.password,
        },
        "targetServerUsername": request.target.user,
    }
    # Elsewhere the user is part of the source's name.
    if request.source_server_id:
        secrets["sourceServerUsername"] = request.source.user
    properties = {
        "migrationMode": MODES[request.mode],
        "migrationOption": option,
        "sourceType": SINGLE_SERVER if request.source_server_id else request.source_type or "OnPremises",
        "sslMode": ssl_mode(request),
        "sourceDbServerResourceId": source_of(request),
        "sourceDbServerFullyQualifiedDomainName": wishes.source_server_fqdn,
        "targetDbServerFullyQualifiedDomainName": wishes.target_server_fqdn,
        "migrationInstanceResourceId": str(runtime) if runtime else None,
        "secretParameters": secrets,
        "dbsToMigrate": list(batch.databases),
        "overwriteDbsInTarget": flag(batch.overwrite),
        "setupLogicalReplicationOnSourceDbIfNeeded": flag(wishes.setup_logical_replication),
        "migrateRoles": flag(wishes.migrate_roles),
        "migrationWindowStartTimeInUtc": wishes.migration_window_start,
    }
    return {
        "location": location,
        "tags": tags,
        "properties": {word: value for word, value in properties.items() if value is not None},
    }


def cut_over(databases) -> dict:
    """Return the body that lets databases cut over; safe to send again."""
    return {"properties": {"triggerCutover": flag(True), "dbsToTriggerCutoverOn": list(databases)}}


def cancel(databases) -> dict:
    """Return the body that cancels a migration."""
    return {"properties": {"cancel": flag(True), "dbsToCancelMigrationOn": list(databases)}}


def retag(tags: dict) -> dict:
    """Return the body that puts tags in the place of those that are there."""
    return {"tags": tags}


def answer(substate: str, databases) -> dict | None:
    """Return the body that answers what a waiting record asks, or None when it asks nothing that has an answer."""
    properties = {
        "waitingforlogicalreplicationsetuprequestonsourcedb": {"setupLogicalReplicationOnSourceDbIfNeeded": flag(True)},
        "waitingfortargetdboverwriteconfirmation": {"overwriteDbsInTarget": flag(True)},
        "waitingfordbstomigratespecification": {"dbsToMigrate": list(databases)},
        "waitingfordatamigrationscheduling": {"startDataMigration": flag(True)},
    }.get(substate)
    return {"properties": properties} if properties else None


def deviations(asked: dict, record: Record) -> list:
    """Return what a record says otherwise than the body that created it, as sentence parts.

    The runtime server has been lost on the way by other programs, without a word of the service: a record without it
    would read from the source past it.
    """
    properties = asked["properties"]
    found = []
    wanted = ResourceId.parse(properties.get("migrationInstanceResourceId") or "")
    if wanted != record.runtime:
        found.append(f"its runtime server is {record.runtime or 'none'} instead of {wanted or 'none'}")
    for words, expected, got in (
        ("mode", squeezed(properties["migrationMode"]), record.mode),
        ("option", squeezed(properties["migrationOption"]), record.option),
    ):
        if got and got != expected:
            found.append(f"its {words} is {got} instead of {expected}")
    if sorted(record.databases) != sorted(properties["dbsToMigrate"]):
        found.append(
            f"its databases are {', '.join(record.databases) or 'none'} instead of {', '.join(properties['dbsToMigrate'])}"
        )
    return found
