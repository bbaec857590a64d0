# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating a migration record, whatever happens to the request and its answer on the way."""

from __future__ import annotations

import time

from ..._core.errors import PreconditionFailed, TransferFailed
from ..._core.request import Request
from ..errors import AzureError
from . import bodies, identity
from .record import Record

# A record may be out of sight for a moment after it was created.
LOOKS, PAUSE = 5, 2.0
MOST_NAMES = 20


def free_place(azure, request: Request, kind: str, batch: int, run: int) -> identity.Place:
    """Return the first place from I(run) on whose name has never been used on the target.

    Names of records that the service has forgotten stay taken.
    """
    target = request.target_server_id
    for number in range(run, run + MOST_NAMES):
        place = identity.Place(kind, batch, number)
        name = identity.record_name(request.name, request.hash, place)
        answer = azure.post(
            f"{target}/checkMigrationNameAvailability",
            {"name": name, "type": "Microsoft.DBforPostgreSQL/flexibleServers/migrations"},
        )
        if answer.get("nameAvailable"):
            return place
        if str(answer.get("reason")).lower() != "alreadyexists":
            raise PreconditionFailed(
                f"The service does not take the name {name!r} for a migration of {target.name}: {answer.get('message')}"
            )
    raise PreconditionFailed(
        f"The names of {MOST_NAMES} runs of migration {request.name} are taken on {target.name}, although it lists none of them.",
        "Choose another 'name'.",
    )


def create(azure, request: Request, place: identity.Place, body: dict, sleep=time.sleep) -> Record:
    """Send the request that creates a record, and return the record as the service tells it afterwards.

    An answer that got lost is no failure when the record is there.

    :raises AzureError: when it is not
    :raises TransferFailed: when the record is not what was asked for; it has been cancelled then
    """
    name = identity.record_name(request.name, request.hash, place)
    path = str(request.target_server_id.child("migrations", name))
    try:
        azure.put(path, body)
    except AzureError as error:
        # Whether an attempt whose answer never came took effect only a look can tell.
        found = seen(azure, path, sleep) if error.uncertain or error.may_have_worked or error.status == 409 else None
        if found is None or identity.place_of(found.get("tags") or {}) != place:
            raise
    else:
        found = seen(azure, path, sleep)
    if found is None:
        raise TransferFailed(
            f"The service accepted migration {name} of {request.target_server_id.name}, and does not know it a moment later.",
            "Run the task again; it attaches to the migration if it is there after all.",
        )
    record = Record.read(found)
    differing = bodies.deviations(body, record)
    if differing:
        if record.active:
            azure.patch(path, bodies.cancel(record.databases))
        raise TransferFailed(
            f"The service took migration {name} otherwise than it was meant: {'; '.join(differing)}. It was cancelled.",
            "Look at what exists on the target, then run the task again.",
            {"record": str(record.id), "deviations": differing},
        )
    return record


def missing_runtime(azure, runtime) -> PreconditionFailed | None:
    """Return what to raise when the runtime server I(runtime) is not there; None when it is, or when none is used."""
    if not runtime or azure.get(runtime) is not None:
        return None
    return PreconditionFailed(
        f"There is no runtime server {runtime}.",
        "Run module runtime_server with state=present (playbook azpg.migrate.provision) first.",
    )


def seen(azure, path: str, sleep) -> dict | None:
    """Return a record; None when it is not there after several looks."""
    for look in range(LOOKS):
        found = azure.get(path)
        if found is not None:
            return found
        if look < LOOKS - 1:
            sleep(PAUSE)
    return None
