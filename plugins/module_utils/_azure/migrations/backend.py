# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The azure provider behind the verbs that every provider answers to."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from ..._core import status
from ..._core.errors import PreconditionFailed, TransferFailed
from ..._core.goals import COMPLETED, REPLICATING, in_step
from ..._core.layout import Layout
from ..._core.request import Request
from ..._core.waiting import clock
from ..errors import NotFound, no_target
from . import answering, bodies, creating, identity, story
from .listing import SharedFiles
from .occupancy import FRESH, Occupancy, left_behind
from .options import FAIL, Options
from .progress import SHORTLY, progress_of
from .record import Record
from .validation import findings_of
from .words import is_true, pick, time_text

# Too late to cancel: the service sets sequences and removes what it needed.
COMPLETING = ("completingmigration",)


class AzureBackend:
    """One migration that Azure's migration service carries out.

    :param azure: a session with Resource Manager
    :param runtime: resource id of the runtime server; None where the target itself reads from the source
    :param writes: whether tags may be written; not in check mode, and not by those who only look
    :param keeps: whether answers may be kept for other processes of this controller
    """

    def __init__(
        self, request: Request, layout: Layout, options: Options, azure, runtime, place="", writes=True, keeps=True
    ):
        self.request = request
        self.layout = layout
        self.options = options
        self.azure = azure
        self.runtime = runtime
        self.writes = writes
        self.files = SharedFiles(os.path.join(layout.state_directory, "azure") if keeps else None)
        self.occupancy = Occupancy(azure, self.files, place)
        self.obstacle = ""
        self.left: dict | None = None
        # Records that this process created: a list may not show them yet.
        self.created: dict = {}
        # Validations that had failed before this process looked first, and are to be repeated.
        self.stale: set | None = None

    @property
    def patience(self) -> float:
        """How many seconds old a list may be that tells this migration to wait."""
        return SHORTLY if self.options.poll_interval is None else min(SHORTLY, self.options.poll_interval)

    @property
    def target(self):
        """The target's resource id."""
        return self.request.target_server_id

    # -- looking -------------------------------------------------------------------------------------------------------

    def read(self, fresh: bool = True, allowed_age: float = FRESH) -> story.Story:
        """Return what the service's records say of this migration, as they are now.

        :param fresh: False to put up with a list that another process of this controller read a moment ago, as long as
            it says that somebody else's migration occupies the target
        :param allowed_age: seconds that are as good as now
        """
        found = None
        if not fresh and self.options.on_busy != FAIL:
            found = self.sorted(self.records(self.patience))
        if found is None or found.active or not found.others:
            found = self.sorted(self.records(allowed_age))
        return found

    def records(self, allowed_age: float = FRESH) -> list:
        """Return all records of the target, not older than I(allowed_age) seconds.

        :raises NotFound: when there is no such server
        """
        try:
            return self.occupancy.records(self.target, allowed_age)
        except NotFound as error:
            raise no_target(self.target, error) from error

    def sorted(self, records: list) -> story.Story:
        """Return the story that records tell, with the newest of ours as its own address tells it."""
        unseen = set(self.created) - {record.name for record in records}
        records = [*records, *(self.look_at(self.created[name]) for name in sorted(unseen))]
        found = story.Story.read(self.request, records, self.options.azure_migration_name)
        newest = found.active
        # A list may leave out how far each database is.
        if (
            newest
            and not newest.details
            and newest.substate not in ("", "performingprerequisitesteps", "validationinprogress")
        ):
            full = self.look_at(newest)
            records = [full if record.name == full.name else record for record in records]
            found = story.Story.read(self.request, records, self.options.azure_migration_name)
        return found

    def look_at(self, record: Record) -> Record:
        """Return a record as its own address tells it now."""
        wire = self.azure.get(record.id)
        return Record.read(wire) if wire else record

    def stored(self) -> dict | None:
        """Return the tags of the newest record of this migration, or None."""
        newest = self.read().newest
        return dict(newest.tags) if newest else None

    def check_identity(self) -> None:
        """Make sure that a migration of this name is the one that is asked for.

        :raises PreconditionFailed: naming what differs
        """
        self.options.check(self.request)
        records = self.records()
        other = story.namesake(self.request, records)
        if other:
            raise PreconditionFailed(
                f"Migration {self.request.name} {'is active' if other.active else 'exists'} on {self.target.name} with another "
                f"request: {other.name} moves {', '.join(other.databases)} from {other.source}.",
                "Repeat the request as it was, or choose another 'name'; a record of the service cannot be removed.",
                {"running": other.active, "record": str(other.id)},
            )
        named = self.options.azure_migration_name
        if named:
            found = next((record for record in records if record.name.lower() == named.lower()), None)
            story.check_named(self.request, found, named, bodies.source_of(self.request))

    def status(self) -> dict:
        """Return the progress (see M(progress.progress_of))."""
        found = self.read(fresh=False)
        self.keep_time(found.newest)
        progress = progress_of(found, datetime.now(timezone.utc))
        progress["warnings"] = [*bodies.remarks(self.request), *progress["warnings"]]
        if found.namesake and not found.moves:
            progress["warnings"].append(
                f"There is a migration of this name with another request: {found.namesake.name} moves "
                f"{', '.join(found.namesake.databases)} from {found.namesake.source}, mode {found.namesake.mode or 'offline'}."
            )
        if self.obstacle and progress["state"] in (status.ABSENT, status.QUEUED):
            progress.update(state=status.QUEUED, phase=self.obstacle)
        if self.left is not None:
            progress["left_on_target"] = self.left["existing"]
            progress["warnings"].append(self.left_in_words())
        return progress

    def keep_time(self, record: Record | None) -> None:
        """Write down when a record was first seen waiting for its cutover, for its deadline."""
        if (
            self.writes
            and record
            and record.state == status.REPLICATING
            and identity.REPLICATING_SINCE not in record.tags
        ):
            now = time_text(datetime.now(timezone.utc))
            self.patch(record, bodies.retag({**record.tags, identity.REPLICATING_SINCE: now}))

    def patch(self, record: Record, body: dict) -> None:
        """Change a record; every body of ours may be sent twice."""
        self.azure.patch(record.id, body)
        self.occupancy.changed(self.target)

    def timeline(self) -> None:
        """Return nothing: the service does not say who did what and when."""

    def estimate(self, measure: bool) -> dict:
        """Return nothing: how fast the service is depends on servers that cannot be measured from here."""
        return {}

    # -- beginning -----------------------------------------------------------------------------------------------------

    def planned(self, goal: str) -> list:
        """Return what would be done until I(goal) is reached, in sentences.

        :raises PreconditionFailed: when only the user can answer, or something stands in the way and is not to be waited for
        """
        found = self.read()
        steps: list = []
        if found.active and found.active.state == status.WAITING:
            steps += self.answer(found.active, dry=True)
        if found.remaining and self.options.on_busy == FAIL and not found.active:
            self.obstacle = self.what_stands_in_the_way(found)
            self.refuse_obstacle()
        ahead = self.options.batches(found.remaining) if found.remaining else []
        # Groups cut over one after the other: the first that replicates is all that was asked for.
        if goal == REPLICATING:
            ahead = [] if found.active else ahead[:1]
        steps += [self.words(batch) for batch in ahead]
        if goal == COMPLETED and self.request.mode == "online":
            wanted = self.options.cutover_databases or self.request.databases
            names = [name for name in wanted if found.database_state(name) != status.COMPLETED]
            steps += [f"cut over {', '.join(names)}"] if names else []
        return steps

    def words(self, batch, verb: str = "move") -> str:
        """Return what is done with a batch, as a sentence."""
        end = ", replacing what exists there" if batch.overwrite else ""
        return f"{verb} {', '.join(batch.databases)} to {self.target.name}{end}"

    def untagged(self, found: story.Story) -> list:
        """Return the record that the user names, when it does not carry this migration's tags yet."""
        return [record for record in found.moves if identity.MIGRATION not in record.tags]

    def attach(self, dry: bool = False) -> list:
        """Write this migration's tags on the record that the user names; return what was done, in sentences."""
        if not self.options.azure_migration_name:
            return []
        steps = []
        for record in self.untagged(self.read()):
            mine = identity.tags(self.request.name, self.request.hash, identity.Place(identity.MIGRATE, 1, 1))
            if not dry:
                self.patch(record, bodies.retag({**record.tags, **mine}))
            steps.append(f"take over migration {record.name} of {self.target.name}")
        return steps

    def start(self) -> list:
        """Begin what is due: answer the service, or begin the next batch. Return what was done, in sentences.

        Nothing is returned while something else stands in the way; M(status) says what.

        :raises PreconditionFailed: when only the user can answer, or something stands in the way and is not to be waited for
        """
        found = self.read(fresh=False)
        if found.active and found.active.state == status.WAITING:
            return self.answer(found.active)
        if (found.active and found.active in found.moves) or not found.remaining:
            return []
        return self.begin(identity.MIGRATE, found.remaining)

    def begin(self, kind: str, databases: tuple) -> list:
        """Begin the next batch of I(databases) unless something stands in the way; return what was done, in sentences."""
        with self.files.lock(f"start:{self.runtime or self.target}"), self.files.lock(f"target:{self.target}"):
            found = self.read(fresh=False, allowed_age=0.0)
            self.obstacle = self.what_stands_in_the_way(found)
            if self.obstacle:
                if not found.active:
                    self.refuse_obstacle()
                return []
            if kind == identity.MIGRATE:
                # Another process may have carried some of them while this one waited for the lock.
                databases = tuple(name for name in databases if name in found.remaining)
                if not databases:
                    return []
            batch = self.options.batches(databases)[0]
            whole = self.options.batches(self.request.databases)
            number = next(one.number for one in whole if batch.databases[0] in one.databases)
            record = self.create(kind, number, found.next_run(kind), batch)
            self.created[record.name] = record
        return [f"{self.words(batch, 'validate' if kind == identity.VALIDATE else 'move')} ({record.name})"]

    def refuse_obstacle(self) -> None:
        """Fail on what stands in the way, when it is not to be waited for.

        :raises PreconditionFailed: naming it
        """
        if self.obstacle and self.options.on_busy == FAIL:
            raise PreconditionFailed(
                f"Migration {self.request.name} cannot begin: it {self.obstacle}.",
                "Run the task again later, or set 'on_busy: wait'.",
            )

    def create(self, kind: str, number: int, run: int, batch) -> Record:
        """Create the record of a batch.

        :raises PreconditionFailed: when there is no such target, or no runtime server
        """
        server = self.azure.get(self.target)
        if server is None:
            raise no_target(self.target)
        missing = creating.missing_runtime(self.azure, self.runtime)
        if missing:
            raise missing
        place = creating.free_place(self.azure, self.request, kind, number, run)
        option = bodies.BOTH
        if kind == identity.VALIDATE:
            option = bodies.VALIDATE
        elif self.options.unsafe_skip_validation:
            option = bodies.MIGRATE
        mine = identity.tags(self.request.name, self.request.hash, place)
        body = bodies.create(self.request, self.options.wishes, batch, option, server["location"], self.runtime, mine)
        try:
            return creating.create(self.azure, self.request, place, body)
        finally:
            self.occupancy.changed(self.target)

    def missing(self) -> list:
        """Return what has to be there before the migration can begin, and is not, in sentences."""
        missing = creating.missing_runtime(self.azure, self.runtime)
        return [str(missing)] if missing else []

    def what_stands_in_the_way(self, found: story.Story) -> str:
        """Return what the migration waits for, as the rest of a sentence; an empty text when it may begin."""
        if found.active:
            return f"waits for {found.active.name}, its own"
        if found.others:
            return f"waits for {found.others[0].name}, which is active on the target"
        limit = self.options.runtime_concurrency
        if limit and self.runtime:
            subscriptions = [self.target.subscription_id, self.runtime.subscription_id]
            # One that was made for this migration alone is nobody else's in another subscription.
            everywhere = self.request.runtime_server_id is not None
            using = self.occupancy.using(self.runtime, subscriptions, self.patience, everywhere)
            if len(using) >= limit:
                names = ", ".join(str(record.id).rsplit("/flexibleServers/", maxsplit=1)[-1] for record in using[:3])
                return f"waits for the runtime server {self.runtime.name}, which carries {names}"
        return ""

    def answer(self, record: Record, dry: bool = False) -> list:
        """Answer what a waiting record asks, if the user has answered it; return what was done, in sentences.

        :raises PreconditionFailed: when the user has not
        """
        body = answering.answer(self.azure, self.target, self.options, record)
        if not dry:
            self.patch(record, body)
        return [f"answer {record.name}, which {record.phase}"]

    # -- completing ----------------------------------------------------------------------------------------------------

    def cut_over(self) -> list:
        """Let databases cut over once all wait for it and follow closely; return what was done, in sentences."""
        found = self.read()
        record = found.active
        if record is None or record.state != status.REPLICATING:
            return []
        if not in_step({"lag_seconds": record.largest_lag}, self.options.max_lag):
            return []
        wanted = self.options.cutover_databases or record.databases
        waiting = [
            name for name in record.databases if name in wanted and record.database_state(name) == status.REPLICATING
        ]
        properties = pick(record.wire, "properties") or {}
        asked = pick(properties, "dbsToTriggerCutoverOn") or []
        if is_true(pick(properties, "triggerCutover")) and not asked:
            asked = waiting
        fresh = [name for name in waiting if name not in asked]
        if not fresh:
            return []
        self.patch(record, bodies.cut_over(fresh))
        return [f"cut over {', '.join(fresh)} ({record.name})"]

    def cancel(self, dry: bool = False) -> bool:
        """Cancel what is under way and wait for its end; return False when nothing is.

        :raises PreconditionFailed: when it is too late
        :raises TransferFailed: when it takes too long
        """
        record = self.read().active
        if record is None:
            return False
        if record.substate in COMPLETING or record.word == "cleaningup":
            raise PreconditionFailed(
                f"Migration {record.name} cannot be cancelled any more: {record.phase}.",
                "Wait for its end; the target's databases can be dropped afterwards.",
            )
        if dry:
            return True
        if record.substate != "cancelingrequesteddbmigrations":
            self.patch(record, bodies.cancel(record.databases))
        for elapsed in clock(self.options.wait_timeout, self.options.poll_interval or SHORTLY):
            wire = self.azure.get(record.id)
            record = Record.read(wire) if wire else record
            if not (wire and record.active):
                break
            if elapsed >= self.options.wait_timeout:
                raise TransferFailed(
                    f"Migration {record.name} is not cancelled after {int(elapsed)} s: {record.phase}.",
                    "Run the task again.",
                )
        self.occupancy.changed(self.target)
        if record.option != "validate":
            self.left = left_behind(self.azure, self.target, record.databases)
        return True

    def left_in_words(self) -> str:
        """Return what a cancelled migration has left on the target, as a sentence."""
        asked = ", ".join(self.left["asked"])
        if self.left["existing"] is None:
            return f"Azure does not say what is left on the target: look there for {asked}."
        if not self.left["existing"]:
            return f"Nothing is left on the target of {asked}."
        return (
            f"On the target there are {', '.join(self.left['existing'])}, whole, in part or as they were before. Drop them, or name "
            "them in 'overwrite_databases' when the migration is run again."
        )

    # -- validating ----------------------------------------------------------------------------------------------------

    def validate(self, dry: bool = False) -> dict:
        """Take the service's own validation one step further: each database is looked at once, and again after a failure.

        :return: C({steps: what was done, findings: what was found so far, pending: whether there is more to come})
        """
        found = self.read(fresh=False)
        if found.state not in (status.ABSENT, status.QUEUED, status.FAILED, status.CANCELLED):
            # What is under way or has arrived was validated when it began.
            return {"steps": [], "findings": findings_of(found.newest), "pending": False, "poll_seconds": SHORTLY}
        latest: dict = {}
        for record in found.validations:
            if record.active or not record.turned_away:
                latest.update(dict.fromkeys(record.databases, record))
        if self.stale is None:
            self.stale = {
                record.name for record in latest.values() if not record.active and record.state != status.COMPLETED
            }
        due = tuple(name for name in self.request.databases if name not in latest or latest[name].name in self.stale)
        records = {record.name: record for record in latest.values() if record.name not in self.stale}
        working = any(record.active for record in records.values())
        steps: list = []
        if due and dry:
            steps = [self.words(batch, "validate") for batch in self.options.batches(due)]
        elif due and not working:
            steps = self.begin(identity.VALIDATE, due)
        findings = [finding for record in records.values() if not record.active for finding in findings_of(record)]
        return {"steps": steps, "findings": findings, "pending": bool(due) or working, "poll_seconds": SHORTLY}
