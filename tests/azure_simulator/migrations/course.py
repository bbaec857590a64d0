# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of a migration: phases with a beginning, an end, and what may happen in between.

A phase is one line of the service's state and substate. Whoever looks at a migration moves it on first, so that
nothing here needs a thread; what carries the data has its own (see mover.py).
"""

from __future__ import annotations

from tests.azure_simulator import wire
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.migrations import choosing, findings, validation
from tests.azure_simulator.migrations.background import Task
from tests.azure_simulator.migrations.mover import CANCELED, CANCELING, ENDED, FAILED, SUCCEEDED, WAITING, Mover
from tests.azure_simulator.trouble import Troubles

ALREADY_ACTIVE = "There is already an active Migration Running on this target."
IN_PROGRESS, USER = "InProgress", "WaitingForUserAction"

#: Phase: state, substate.
PHASES = {
    "new": (IN_PROGRESS, None),
    "prerequisites": (IN_PROGRESS, "PerformingPreRequisiteSteps"),
    "validation": (IN_PROGRESS, "ValidationInProgress"),
    "replication setup": (USER, "WaitingForLogicalReplicationSetupRequestOnSourceDB"),
    "setting up": (IN_PROGRESS, "PerformingPreRequisiteSteps"),
    "overwrite": (USER, "WaitingForTargetDBOverwriteConfirmation"),
    "window": (IN_PROGRESS, "WaitingForDataMigrationWindow"),
    "data": (IN_PROGRESS, "MigratingData"),
    "cutover": (USER, "WaitingForCutoverTrigger"),
    "completing": (IN_PROGRESS, "CompletingMigration"),
    "cancelling": (IN_PROGRESS, "CancelingRequestedDBMigrations"),
    "refusal": ("CleaningUp", "CompletingMigration"),
    "cleaning": ("CleaningUp", "CompletingMigration"),
    "ended": (None, "Completed"),
}


class Migration:
    """One migration; `sent` is what was asked for, without secrets, which are in `secrets` and never shown."""

    def __init__(
        self, cloud: Cloud, troubles: Troubles, target: Resource, name: str, sent: dict, secrets: dict, busy: bool
    ):
        self.cloud = cloud
        self.troubles = troubles
        self.target = target
        self.name = name
        self.id = f"{target.id}/migrations/{name}"
        self.guid = wire.new_guid()
        self.sent = sent
        self.secrets = secrets
        self.tags: dict | None = None
        self.location = ""
        self.created = self.since = cloud.clock.now()
        self.window_start = wire.stamp(self.created)
        self.window_end: str | None = None
        self.phase = "new"
        self.final: str | None = None
        self.error: str | None = None
        self.validation: dict | None = None
        self.mover: Mover | None = None
        self.cut_over: list[str] = []
        self.cancelled: list[str] = []
        self.age = 0.0
        self.refused = busy
        self.task: Task | None = None

    # -- what is asked of it -----------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        return self.phase == "ended"

    @property
    def databases(self) -> list[str]:
        return self.sent["dbsToMigrate"]

    @property
    def online(self) -> bool:
        return self.sent["migrationMode"] == "Online"

    @property
    def option(self) -> str:
        return self.sent["migrationOption"]

    @property
    def state(self) -> tuple[str, str | None]:
        """State and substate."""
        state, substate = PHASES[self.phase]
        return self.final or state or IN_PROGRESS, substate

    def progress(self) -> dict:
        """Return how far each database is; empty before data moves."""
        if self.mover is None:
            return {}
        found = self.mover.progress(self.cloud.clock.now())
        lag = self.troubles.for_migration("lags", self.id)
        for one in found.values():
            if lag is not None and one.state == WAITING:
                one.latency = int(lag.words.get("seconds", 600))
                one.incoming = one.applied + one.latency
        return found

    # -- moving on ---------------------------------------------------------------------------------------------------

    def advance(self, now: float) -> None:
        """Move on as far as time and data allow."""
        if self.ended or self.troubles.for_migration("frozen", self.id):
            return
        while not self.ended and self._step(now):
            pass

    def _lasts(self, name: str) -> float:
        slow = self.troubles.for_migration("slow_states", self.id)
        return self.cloud.clock.of(name) * (float(slow.words.get("factor", 10)) if slow else 1.0)

    def _enter(self, phase: str, moment: float) -> bool:
        self.phase, self.since, self.task = phase, moment, None
        return True

    def end(self, state: str, moment: float, error: str | None = None) -> bool:
        """Reach the end. `Completed` is the substate of every end, good or bad."""
        self.final, self.error = state, error or self.error
        self.window_end = wire.stamp(moment)
        self.secrets = {}
        if self.mover is not None and state != SUCCEEDED:
            self.mover.cancel([name for name, one in self.progress().items() if one.state not in ENDED], moment)
        return self._enter("ended", moment)

    def _fail(self, moment: float, error: str) -> bool:
        """Fail as recorded: cleaning up with the final error first, then Failed."""
        self.error = error
        return self._enter("cleaning", moment)

    def _after(self, name: str, now: float) -> float | None:
        """Return the moment at which this phase ends, or None while it has not."""
        end = self.since + self._lasts(name)
        return end if now >= end else None

    def _step(self, now: float) -> bool:
        lifetime = self.created + self.cloud.clock.of("migration lifetime") - self.age
        if now >= lifetime and self.phase not in ("cleaning", "cancelling"):
            return self._fail(lifetime, "The migration exceeded its maximum duration of 7 days.")
        if self._meant_to_fail(now):
            return True
        return getattr(self, "_in_" + self.phase.replace(" ", "_"))(now)

    def _meant_to_fail(self, now: float) -> bool:
        if self.phase == "cleaning":  # it has failed already, and keeps its substate until it ends
            return False
        for trouble in self.troubles.list:
            if trouble.kind != "migration_fails" or trouble.words.get("phase", "MigratingData") != self.state[1]:
                continue
            if self.troubles.for_migration("migration_fails", self.id) is trouble:
                database = trouble.words.get("database")
                code, text = trouble.words.get("code", 603709), trouble.words.get("message", "Internal error.")
                text = f"{code}: {text}" if code else text
                if self.mover is not None:
                    for one in self.progress().values():
                        if database in (None, one.name) and one.state not in ENDED:
                            one.state, one.ended, one.message, one.errored = FAILED, now, text, 1
                return self._fail(now, f"{database}: {text}" if database else text)
        return False

    def _in_new(self, now: float) -> bool:
        if self.refused:
            end = self._after("migration refusal", now)
            if end is None:
                return False
            self.error = ALREADY_ACTIVE
            return self._enter("refusal", end)
        return self._enter("prerequisites", self.since)

    def _in_refusal(self, now: float) -> bool:
        end = self._after("migration cleaning", now)
        return end is not None and self.end("Failed", end)

    def _in_cleaning(self, now: float) -> bool:
        end = self._after("migration cleaning", now)
        return end is not None and self.end("Failed", end)

    def _in_prerequisites(self, now: float) -> bool:
        end = self._after("migration prerequisites", now)
        if end is None:
            return False
        obstacle = validation.prerequisites(self)
        if obstacle:
            return self._fail(end, obstacle)
        if self.option == "Migrate":
            return self._before_data(end)
        return self._enter("validation", end)

    def _in_validation(self, now: float) -> bool:
        moves_data = choosing.moves_data(self)
        if moves_data and self.task is None:
            self.task = Task(validation.checks(self))
        end = self._after("migration validation", now)
        if end is None or (moves_data and not self.task.done):
            return False
        if moves_data:
            task, self.task, end = self.task, None, now
            if task.error is not None:
                return self._fail(end, f"603709: Set-up failed: {task.error}")
        found = task.result if moves_data else validation.checks(self)()
        self.validation = validation.shown(found, self, self.since, end)
        if self.validation["status"] == findings.FAILED:
            return self.end("ValidationFailed", end)
        if self.option == "Validate":
            return self.end(SUCCEEDED, end)
        return self._before_data(end)

    def _before_data(self, moment: float) -> bool:
        if validation.replication_missing(self):
            if self.sent["setupLogicalReplicationOnSourceDbIfNeeded"] == "True":
                return self._enter("setting up", moment)
            return self._enter("replication setup", moment)
        if self.sent["overwriteDbsInTarget"] != "True" and validation.existing_databases(self):
            return self._enter("overwrite", moment)
        if self.window_start > wire.stamp(moment):
            return self._enter("window", moment)
        return self._begin_data(moment)

    def _in_replication_setup(self, now: float) -> bool:
        return self.sent["setupLogicalReplicationOnSourceDbIfNeeded"] == "True" and self._enter("setting up", now)

    def _in_setting_up(self, now: float) -> bool:
        if self.task is None:
            self.task = Task(lambda: validation.set_up_replication(self))
        end = self._after("migration setup of replication", now)
        if end is None or not self.task.done:
            return False
        task, self.task = self.task, None
        if task.error is not None:
            return self._fail(now, f"603709: Set-up failed: {task.error}")
        return self._before_data(max(end, now))

    def _in_overwrite(self, now: float) -> bool:
        return self.sent["overwriteDbsInTarget"] == "True" and self._before_data(now)

    def _in_window(self, now: float) -> bool:
        return wire.stamp(now) >= self.window_start and self._begin_data(now)

    def _begin_data(self, moment: float) -> bool:
        slow = self.troubles.for_migration("slow_states", self.id)
        self.mover = choosing.mover(self, float(slow.words.get("factor", 10)) if slow else 1.0)
        self.mover.start(moment)
        return self._enter("data", moment)

    def _in_data(self, now: float) -> bool:
        states = self._states()
        if states <= ENDED:
            return self._enter("completing", self._last_end(now))
        if states <= ENDED | {WAITING}:
            if FAILED in states and WAITING not in states:
                return self._enter("completing", now)
            return self._enter("cutover", now)
        return False

    def _in_cutover(self, now: float) -> bool:
        states = self._states()
        if states <= ENDED:
            return self._enter("completing", now)
        if not states <= ENDED | {WAITING}:
            return self._enter("data", now)
        end = self.since + self.cloud.clock.of("migration cutover wait") - self.age
        if now >= end:
            return self._fail(end, "The migration waited for the cutover for more than 3 days and was ended.")
        return False

    def _in_completing(self, now: float) -> bool:
        states = self._states()
        if not states <= ENDED:
            return False
        end = self._after("migration completing", now)
        if end is None:
            return False
        failed = [one for one in self.progress().values() if one.state == FAILED]
        if failed:
            return self.end("Failed", end, " ".join(f"{one.name}: {one.message}" for one in failed))
        if states == {CANCELED}:
            return self.end("Canceled", end)
        return self.end(SUCCEEDED, end)

    def _in_cancelling(self, now: float) -> bool:
        end = self._after("migration cancelling", now)
        return end is not None and self._states() <= ENDED and self.end("Canceled", end)

    def _states(self) -> set[str]:
        return {one.state for one in self.progress().values()}

    def _last_end(self, now: float) -> float:
        return max([one.ended or now for one in self.progress().values()] or [now])

    # -- what is done to it ------------------------------------------------------------------------------------------

    def request_cutover(self, databases: list[str]) -> None:
        """Let databases cut over that wait for it; those that have been asked before are left in peace."""
        now = self.cloud.clock.now()
        fresh = [name for name in databases if name not in self.cut_over]
        self.cut_over += fresh
        if fresh:
            self.mover.cut_over(fresh, now)
        if set(self.cut_over) | set(self.cancelled) >= set(self.databases):
            self._enter("completing", now)
        self.advance(now)

    def request_cancel(self, databases: list[str]) -> None:
        """Cancel databases; the migration when none is left."""
        now = self.cloud.clock.now()
        self.cancelled += [name for name in databases if name not in self.cancelled]
        if self.mover is not None:
            self.mover.cancel(databases, now)
        if set(self.cancelled) >= set(self.databases):
            self._enter("cancelling", now)


def server_gone(cloud: Cloud, server: Resource) -> None:
    """End the migrations that a deleted server took part in."""
    now = cloud.clock.now()
    for migration in list(cloud.migrations.values()):
        runtime = migration.sent.get("migrationInstanceResourceId") or ""
        if migration.target.id.lower() == server.id.lower():
            if not migration.ended:
                migration.end("Failed", now, "The target server was deleted.")
            del cloud.migrations[migration.id.lower()]
        elif runtime.lower() == server.id.lower() and not migration.ended:
            migration.end("Failed", now, "603709: Set-up failed: the migration runtime server was deleted.")


__all__ = ["CANCELING", "Migration", "server_gone"]
