# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What carries the data of a migration: the interface, and the one that carries nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.azure_simulator import wire
from tests.azure_simulator.clock import Clock

RUNNING, WAITING = "InProgress", "WaitingForCutoverTrigger"
SUCCEEDED, FAILED, CANCELING, CANCELED = "Succeeded", "Failed", "Canceling", "Canceled"
ENDED = {SUCCEEDED, FAILED, CANCELED}


@dataclass
class Progress:
    """How far one database is. Counters are numbers of tables and of changed rows, `latency` is in seconds."""

    name: str
    state: str = RUNNING
    started: float = 0.0
    ended: float | None = None
    queued: int = 0
    loading: int = 0
    completed: int = 0
    errored: int = 0
    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    incoming: int = 0
    applied: int = 0
    latency: int = 0
    message: str = ""

    def shown(self) -> dict:
        """Return it in wire form; keys and their order as in Microsoft's examples."""
        found = {
            "databaseName": self.name,
            "migrationState": self.state,
            "startedOn": wire.stamp(self.started),
            "fullLoadErroredTables": self.errored,
            "fullLoadQueuedTables": self.queued,
            "fullLoadLoadingTables": self.loading,
            "fullLoadCompletedTables": self.completed,
            "cdcUpdateCounter": self.updates,
            "cdcDeleteCounter": self.deletes,
            "cdcInsertCounter": self.inserts,
            "appliedChanges": self.applied,
            "incomingChanges": self.incoming,
            "latency": self.latency,
        }
        if self.ended is not None:
            found["endedOn"] = wire.stamp(self.ended)
        if self.message:
            found["message"] = self.message
        return found


@dataclass
class Job:
    """What is to be carried: the ends in libpq's words (None without a data plane), databases, and where to work."""

    databases: list[str]
    online: bool
    overwrite: bool
    clock: Clock
    source: dict | None = None
    target: dict | None = None
    directory: object = None
    name: str = ""
    options: dict = field(default_factory=dict)


class Mover:
    """Carries the databases of one migration.

    `start` returns at once; `progress` says how far each database is. Online, a database waits in state WAITING until
    `cut_over` names it. `cancel` ends the named ones; `stop` ends everything when the simulator does.
    """

    def __init__(self, job: Job):
        self.job = job

    def start(self, moment: float) -> None:
        raise NotImplementedError

    def progress(self, moment: float) -> dict[str, Progress]:
        raise NotImplementedError

    def cut_over(self, databases: list[str], moment: float) -> None:
        raise NotImplementedError

    def cancel(self, databases: list[str], moment: float) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """End whatever still runs."""


class Paper(Mover):
    """Moves nothing: databases become ready by and by while time passes; one after the other."""

    TABLES = 10

    def __init__(self, job: Job):
        super().__init__(job)
        self._progress: dict[str, Progress] = {}
        self._began = 0.0
        self._seconds = 0.0
        self._cut: set[str] = set()

    def start(self, moment: float) -> None:
        self._began = moment
        self._seconds = self.job.clock.of("migration data") * self.job.options.get("factor", 1.0)
        self._progress = {name: Progress(name, started=moment, queued=self.TABLES) for name in self.job.databases}

    def progress(self, moment: float) -> dict[str, Progress]:
        share = self._seconds / max(1, len(self._progress))
        for position, one in enumerate(self._progress.values()):
            if one.state != RUNNING:
                continue
            part = (moment - self._began - position * share) / share if share else 1.0
            done = max(0, min(self.TABLES, int(part * self.TABLES)))
            one.completed = done
            one.loading = 1 if 0 <= part < 1 else 0
            one.queued = max(0, self.TABLES - done - one.loading)
            if part >= 1:
                one.loading = one.queued = 0
                end = self._began + (position + 1) * share
                if self.job.online and one.name not in self._cut:
                    one.state = WAITING
                else:
                    one.state, one.ended = SUCCEEDED, end
        for one in self._progress.values():
            if one.state == WAITING:
                one.incoming = one.applied = int(max(0.0, moment - self._began) * 10)
                one.inserts, one.latency = one.applied, 0
        return self._progress

    def cut_over(self, databases: list[str], moment: float) -> None:
        for name in databases:
            self._cut.add(name)
            one = self._progress[name]
            if one.state == WAITING:
                one.state, one.ended = SUCCEEDED, moment

    def cancel(self, databases: list[str], moment: float) -> None:
        for name in databases:
            one = self._progress[name]
            if one.state not in ENDED:
                one.state, one.ended, one.loading = CANCELED, moment, 0
