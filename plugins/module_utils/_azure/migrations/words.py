# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's words, read with tolerance: spelling and case differ between API, portal and recordings."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from ..._core import status

FRACTION = re.compile(r"\.(\d{1,6})\d*")

# currentStatus.state, squeezed
STATES = {
    "inprogress": status.RUNNING,
    "waitingforuseraction": status.WAITING,
    "cleaningup": status.RUNNING,
    "canceled": status.CANCELLED,
    "failed": status.FAILED,
    "validationfailed": status.FAILED,
    "succeeded": status.COMPLETED,
}
ENDED = ("canceled", "failed", "validationfailed", "succeeded")
# currentSubStateDetails.currentSubState, squeezed, in words for people. "Completed" says only that work has ended.
PHASES = {
    "performingprerequisitesteps": "the service prepares",
    "validationinprogress": "the service validates",
    "waitingforlogicalreplicationsetuprequestonsourcedb": "waits for leave to set up logical replication on the source",
    "waitingfordbstomigratespecification": "waits to be told the databases",
    "waitingfortargetdboverwriteconfirmation": "waits for leave to overwrite databases of the target",
    "waitingfordatamigrationscheduling": "waits to be told when to begin",
    "waitingfordatamigrationwindow": "waits for the beginning of its window",
    "migratingdata": "data is on its way",
    "waitingforcutovertrigger": "waits for cutover",
    "completingmigration": "the service completes the migration",
    "completed": "ended",
    "cancelingrequesteddbmigrations": "the service cancels",
}
# dbDetails.<database>.migrationState, squeezed
DATABASE_STATES = {
    "inprogress": status.RUNNING,
    "waitingforcutovertrigger": status.REPLICATING,
    "failed": status.FAILED,
    "canceled": status.CANCELLED,
    "canceling": status.RUNNING,
    "succeeded": status.COMPLETED,
}
OTHER_SPELLINGS = {
    "cancelled": "canceled",
    "cancelling": "canceling",
    "cancelingrequesteddbmigration": "cancelingrequesteddbmigrations",
}


def squeezed(text) -> str:
    """Return a word of the service without case, blanks and punctuation: C("Validation Failed") is C(validationfailed)."""
    plain = re.sub(r"[^a-z0-9]", "", str(text or "").lower())
    return OTHER_SPELLINGS.get(plain, plain)


def pick(values: dict | None, key: str, default=None):
    """Return what I(values) holds under I(key) in any case: older versions of the API wrote C(dBsToMigrate)."""
    if not isinstance(values, dict):
        return default
    if key in values:
        return values[key]
    return next((item for word, item in values.items() if word.lower() == key.lower()), default)


def is_true(value) -> bool:
    """Return whether a flag is set: the service writes the texts C(True) and C(False), older versions JSON's own."""
    return str(value).lower() == "true"


def flag(value: bool) -> str:
    """Return a flag as the service wants it."""
    return "True" if value else "False"


def parse_time(text) -> datetime | None:
    """Return a moment of the service, which writes up to seven digits of fractions, and both C(Z) and C(+00:00)."""
    if not text:
        return None
    plain = FRACTION.sub(lambda found: "." + found[1].ljust(6, "0"), str(text).strip())
    try:
        moment = datetime.fromisoformat(plain[:-1] + "+00:00" if plain[-1:] in "zZ" else plain)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def time_text(moment: datetime | None) -> str | None:
    """Return a moment as progress dictionaries say it: UTC, whole seconds."""
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def same_place(left, right) -> bool:
    """Return whether two names of a region are the same: C(eastus2euap) comes back as C(East US 2 EUAP)."""
    return squeezed(left) == squeezed(right)
