# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration record of the service, as a type."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ..._core import status
from ..._core.resource_id import ResourceId
from . import identity
from .words import DATABASE_STATES, ENDED, PHASES, STATES, is_true, parse_time, pick, squeezed

# The rule of one active migration per target is enforced after the service has accepted a second one.
ALREADY_ACTIVE = "already an active migration"
COUNTS = {
    "tables_queued": "fullLoadQueuedTables",
    "tables_loading": "fullLoadLoadingTables",
    "tables_done": "fullLoadCompletedTables",
    "tables_failed": "fullLoadErroredTables",
    "inserts": "cdcInsertCounter",
    "updates": "cdcUpdateCounter",
    "deletes": "cdcDeleteCounter",
    "changes_incoming": "incomingChanges",
    "changes_applied": "appliedChanges",
}


@dataclass(frozen=True)
class DatabaseRecord:
    """What the service says of one database; counts that it does not give are 0, the lag is in seconds."""

    name: str
    state: str
    word: str
    counts: dict
    lag_seconds: float | None
    started: datetime | None
    ended: datetime | None
    operation: str = ""
    message: str = ""

    @classmethod
    def read(cls, key: str, wire: dict) -> DatabaseRecord:
        """Build it from an entry of C(dbDetails)."""
        word = squeezed(pick(wire, "migrationState"))
        latency = pick(wire, "latency")
        return cls(
            name=pick(wire, "databaseName") or key,
            state=DATABASE_STATES.get(word, status.RUNNING),
            word=word,
            counts={ours: int(pick(wire, theirs) or 0) for ours, theirs in COUNTS.items()},
            lag_seconds=None if latency is None else float(latency),
            started=parse_time(pick(wire, "startedOn")),
            ended=parse_time(pick(wire, "endedOn")),
            operation=str(pick(wire, "migrationOperation") or ""),
            message=" ".join(str(pick(wire, "message") or "").split()),
        )


@dataclass(frozen=True)
class Record:
    """A migration record: I(state) is ours, I(word) and I(substate) are the service's, squeezed."""

    id: ResourceId
    name: str
    tags: dict
    state: str
    word: str
    substate: str
    error: str
    mode: str
    option: str
    databases: tuple
    source: str
    runtime: ResourceId | None
    overwrites: bool
    started: datetime | None
    ended: datetime | None
    details: tuple = ()
    validation: dict = field(default_factory=dict)
    wire: dict = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, wire: dict) -> Record:
        """Build it from the service's JSON."""
        properties = pick(wire, "properties") or {}
        current = pick(properties, "currentStatus") or {}
        below = pick(current, "currentSubStateDetails") or {}
        word, substate = squeezed(pick(current, "state")), squeezed(pick(below, "currentSubState"))
        details = tuple(
            DatabaseRecord.read(key, entry or {}) for key, entry in (pick(below, "dbDetails") or {}).items()
        )
        databases = tuple(pick(properties, "dbsToMigrate") or ())
        created = pick(pick(wire, "systemData"), "createdAt")
        return cls(
            id=ResourceId.parse(pick(wire, "id")),
            name=pick(wire, "name") or "",
            tags=dict(pick(wire, "tags") or {}),
            state=overall(word, substate, databases, details),
            word=word,
            substate=substate,
            error=" ".join(str(pick(current, "error") or "").split()),
            mode=squeezed(pick(properties, "migrationMode")),
            option=squeezed(pick(properties, "migrationOption")),
            databases=databases,
            source=pick(properties, "sourceDbServerResourceId") or "",
            runtime=ResourceId.parse(pick(properties, "migrationInstanceResourceId") or ""),
            overwrites=is_true(pick(properties, "overwriteDbsInTarget")),
            started=parse_time(pick(properties, "migrationWindowStartTimeInUtc") or created),
            ended=parse_time(pick(properties, "migrationWindowEndTimeInUtc")) if word in ENDED else None,
            details=details,
            validation=pick(below, "validationDetails") or {},
            wire=wire,
        )

    @property
    def active(self) -> bool:
        """Whether it occupies its target."""
        return self.word not in ENDED

    @property
    def place(self) -> identity.Place | None:
        """Where it belongs within our migration; None when its tags do not tell."""
        return identity.place_of(self.tags)

    @property
    def turned_away(self) -> bool:
        """Whether it never began, since another migration was active on the target."""
        return ALREADY_ACTIVE in self.error.lower()

    @property
    def phase(self) -> str:
        """What goes on, in words for people."""
        return PHASES.get(self.substate, self.substate or "the service has accepted it")

    def database_state(self, name: str) -> str:
        """Return our word for one of its databases."""
        found = next((entry for entry in self.details if entry.name == name), None)
        # A record that ended speaks for databases that it says nothing of, or says are still on their way.
        if found is None or (not self.active and found.state in (status.RUNNING, status.REPLICATING)):
            return self.state
        return found.state

    def entry(self, name: str) -> DatabaseRecord | None:
        """Return what the service says of one of its databases."""
        return next((entry for entry in self.details if entry.name == name), None)

    @property
    def largest_lag(self) -> float | None:
        """Return the lag in seconds of the database that lags most, among those whose cutover is to come."""
        lags = [entry.lag_seconds for entry in self.details if entry.state == status.REPLICATING]
        return max((lag for lag in lags if lag is not None), default=None)


def overall(word: str, substate: str, databases: tuple, details: tuple) -> str:
    """Return our word for a record's state.

    An ended record's substate is C(Completed) whether it succeeded or not, so it is never read as success. Cutover is
    waited for when every database waits for it or has ended, and the service says so of each.
    """
    if word in ENDED:
        return STATES[word]
    if substate == "waitingforcutovertrigger":
        settled = {entry.name for entry in details if entry.state != status.RUNNING}
        return status.REPLICATING if settled.issuperset(databases) else status.RUNNING
    if word == "waitingforuseraction":
        # A window comes by itself.
        return status.RUNNING if substate in ("waitingfordatamigrationwindow", "") else status.WAITING
    return status.RUNNING
