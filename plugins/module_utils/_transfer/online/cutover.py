# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cutover: the last change is applied, and the target becomes the truth.

Every step may be repeated, so after any death the whole is done again, and finds done what is done. Up to the marker that
says that the last change has been applied, a cutover that is refused leaves everything as it was: the fence comes down,
changes flow on. From there on the only way is forward, or to give the migration up.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from dataclasses import replace

from ..._core import status
from ..._core.errors import MigrationError, TransferFailed
from ..._core.files import read_json
from ..._core.units import human_seconds
from ..._postgres.connection import value
from ..._postgres.fence_standing import put_up, standing, take_down
from .. import roles
from ..database_run import FINISHED
from ..journal import utc_now
from . import aside, definitions, proof, slot
from .base import DRAINED, DRAINED_STATE
from .final import FinalRun
from .pgoutput import lsn_number, lsn_text
from .release import SET_WRITABLE

DRAIN_SECONDS = 3600
METHODS = ("read_only", "connect", "terminate")


class Refused(Exception):
    """The cutover cannot be done now; nothing was changed, or everything was put back. I(cause) says why."""

    def __init__(self, cause: MigrationError):
        super().__init__(str(cause))
        self.cause = cause


def wanted(layout) -> dict | None:
    """Return the cutover that has been asked for, C({databases, fence, grace_seconds, sequence_margin, max_lag}), or None."""
    return read_json(layout.cutover_file)


class Cutover:
    """One attempt."""

    def __init__(self, context, order: dict):
        self.context = context
        self.order = order
        self.journal = context.journal
        self.request = context.request
        self.databases = [name for name in self.request.databases if name in order["databases"]]
        self.record = self.journal.get("cutover") or {"steps": []}
        self.runs: list = []
        self.finished: list = []  # runs of databases of which only the source may have to be released
        self.proofs: list = []
        self.written: dict = {}

    def step(self, name: str) -> None:
        """Say what is done from now on."""
        self.record["steps"].append({"name": name, "at": utc_now()})
        self.journal.set(phase=f"cutover: {name}", cutover=self.record)

    def run(self) -> None:
        """Cut over.

        :raises Refused: when that cannot be done now, and changes flow on
        :raises MigrationError: when it cannot go on, and has to be repeated
        """
        self.journal.set(state=status.RUNNING)
        with contextlib.ExitStack() as stack:
            stack.callback(self.end_pools)
            self.step("preparation")
            self.prepare(stack)
            try:
                self.check()
                self.wait_for_lag()
                self.prove_resting()
                self.keep_writers_out()
                ends = self.wait_for_the_last_change()
                self.prove_moved()
            except MigrationError as error:
                if is_passing(error) or self.is_past_return():
                    raise
                put_back(self.context)
                raise Refused(error) from error
            self.mark_drained(ends)
            self.complete()
            self.tidy()

    def is_past_return(self) -> bool:
        """Return whether a database has taken its last change already."""
        return any(DRAINED in run.done for run in self.runs)

    def prepare(self, stack) -> None:
        """Find out what is left in each database; nothing is changed but roles that came since."""
        self.read_roles()
        for database in self.databases:
            run = FinalRun(self.context, database, self.request.databases.index(database) + 1)
            self.runs.append(run)
            run.start(stack)
        self.finished = [run for run in self.runs if FINISHED in run.done]
        self.runs = [run for run in self.runs if FINISHED not in run.done]

    def end_pools(self) -> None:
        """End the workers, whatever happened."""
        for run in self.runs:
            run.leave()

    def read_roles(self) -> None:
        """Create roles that came since, and say which ones have changed."""
        names = list(self.request.databases)
        with (
            self.context.session("source", names[0], "roles") as source,
            self.context.session("target", doing="roles") as target,
        ):
            plan = roles.read_plan(source.connection, target.connection, names, dict(self.request.role_map))
            before = self.journal.get("roles")
            warnings = role_changes(before, known_roles(plan)) if before else []
            for warning in [*warnings, *roles.create_roles(target.connection, plan, self.journal)]:
                self.journal.event(warning, "warning")
            roles.join_owners(target.connection, plan, self.journal)
        self.context.roles = plan

    def check(self) -> None:
        """Make sure that definitions are those of the base copy.

        :raises PreconditionFailed: naming what is not
        """
        self.step("comparison of definitions")
        for run in self.runs:
            if DRAINED not in run.done:
                sentences = run.differences()
                if sentences:
                    raise definitions.refusal(run.database, sentences)

    def wait_for_lag(self) -> None:
        """Wait until the target is close behind the source."""
        self.step("wait for the target to come close")
        most = self.order.get("max_lag")
        while most is not None:
            lags = [self.lag(run.database) for run in self.runs if DRAINED not in run.done]
            if all(lag is not None and lag <= most for lag in lags):
                break
            self.pause()

    def lag(self, database: str) -> float | None:
        """Return how many seconds a database is behind."""
        return self.context.following.status.get(database, {}).get("lag_seconds")

    def keep_writers_out(self) -> None:
        """Put up the fence, or make sure that there is nobody to keep out.

        :raises MigrationError: when somebody could still write
        """
        self.record.setdefault("closed_at", time.time())
        if not self.order.get("fence"):
            self.step("the source is taken to be at rest")
            return
        self.step("fence around the source")
        self.record["fenced"] = self.record.get("fenced") or standing(self.context.layout) is None
        self.journal.set(cutover=self.record)
        methods = self.order.get("fence_methods") or METHODS
        some = replace(self.request, databases=tuple(self.databases))
        grace = self.order.get("grace_seconds", 30)
        aside.run(self.context, "the fence", lambda: put_up(some, self.context.layout, methods, grace, False))

    def wait_for_the_last_change(self) -> dict:
        """Wait until the last change has been applied; return C({database: (position, message)}) of the barriers."""
        self.step("last changes")
        ends = {run.database: self.barrier(run) for run in self.runs if DRAINED not in run.done}
        self.wait_for(ends)
        return ends

    def wait_for(self, ends: dict) -> None:
        """Wait until everything before barriers, or positions, is safe on the target.

        :raises TransferFailed: when that takes too long
        """
        deadline = time.monotonic() + DRAIN_SECONDS
        while not all(self.has_passed(database, *end) for database, end in ends.items()):
            if time.monotonic() > deadline:
                raise TransferFailed(
                    f"The last changes have not been applied within {DRAIN_SECONDS} s.",
                    "Look at the progress of the migration, then repeat the cutover.",
                )
            self.pause()
            for run in self.runs:
                _position, content = ends.get(run.database, (0, None))
                if content and self.written[run.database] != self.context.following.begun.get(run.database):
                    # Who followed then may have applied it and died before it could say so.
                    ends[run.database] = self.barrier(run)

    def mark_drained(self, ends: dict) -> None:
        """Set the markers that say that the last change has been applied: from here on there is no way back."""
        for run in self.runs:
            self.context.following.end(run.database)
        for run in self.runs:
            if run.database in ends:
                position, _content = ends[run.database]
                run.mark(DRAINED)
                self.journal.database(run.database, DRAINED_STATE)
                self.journal.event(
                    f"The last change is applied, up to {lsn_text(position)} of the source's log.",
                    database=run.database,
                )

    def prove_resting(self) -> None:
        """Compare tables while the application goes on.

        :raises PreconditionFailed: when one differs
        """
        self.proofs = []
        if self.order.get("prove", proof.RESTING) == proof.NONE:
            return
        self.step("proof of tables that rest")
        for run in self.runs:
            if DRAINED not in run.done:
                run.leave_pool()
                one = proof.Proof(run, self.context.following)
                one.compare_resting(
                    lambda position, run=run: self.wait_for({run.database: (lsn_number(position), None)})
                )
                run.start_pool()  # its processes are at hand when they are wanted
                self.proofs.append(one)

    def prove_moved(self) -> None:
        """Compare the other tables, if that is wanted, and say what has been proven.

        :raises PreconditionFailed: when one differs
        """
        for one in self.proofs:
            if self.order.get("prove") == proof.ALL:
                self.step(f"proof of tables of {one.run.database} that have moved")
                one.run.leave_pool()
                one.compare_moved()
                one.run.start_pool()
            else:
                one.forget_moved()
            found = one.report()
            self.record.setdefault("proof", {})[one.run.database] = found
            share = found["proven_bytes"] / found["bytes"] if found["bytes"] else 1
            self.journal.event(
                f"{found['proven']} of {found['tables']} tables, {share:.0%} of the bytes, are proven to be equal.",
                database=one.run.database,
            )

    def barrier(self, run) -> tuple:
        """Write a message behind everything that has been written on the source; return C((position, message))."""
        content = secrets.token_hex(8)
        self.written[run.database] = self.context.following.begun.get(run.database)
        with self.context.session("source", run.database, "barrier") as session:
            with session.connection.cursor() as cursor:
                cursor.execute(SET_WRITABLE)
            slot.emit_barrier(session.connection, content)
            position = value(session.connection, "SELECT pg_catalog.pg_current_wal_insert_lsn()::text")
            told = session.connection.server_version >= 140000
        return lsn_number(position), content if told else None

    def has_passed(self, database: str, position: int, content: str | None) -> bool:
        """Return whether everything before a barrier is safe on the target."""
        seen = self.context.following.status.get(database, {})
        if content:
            return content in seen.get("barriers", ())
        return lsn_number(seen.get("applied", "0/0")) >= position

    def pause(self) -> None:
        """Wait a moment; listen to followers and to whoever wants the engine to stop."""
        time.sleep(0.05)
        self.context.tick()

    def complete(self) -> None:
        """Bring everything without which the application cannot go on, and say that it may."""
        for run in self.runs:
            self.step(f"remaining objects of {run.database}")
            run.complete(self.order.get("sequence_margin") or 0)
        if "ready_at" not in self.record:
            self.record["ready_at"] = time.time()
            self.record["write_downtime_seconds"] = round(self.record["ready_at"] - self.record["closed_at"], 2)
            self.journal.set(cutover=self.record)
            self.journal.event(
                "The target is complete and may be written to; nobody could write for "
                f"{human_seconds(self.record['write_downtime_seconds'])}."
            )

    def tidy(self) -> None:
        """Do the rest beside the application."""
        for run in self.runs:
            self.step(f"tidying up after {run.database}")
            run.tidy()
            run.leave_source()
        # Of an earlier attempt that died, or lost the source, just before.
        for run in self.finished:
            self.step(f"releasing the source of {run.database}")
            run.leave_source()
        self.record["steps"].append({"name": "done", "at": utc_now()})
        self.journal.set(cutover=self.record, phase=None)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.context.layout.cutover_file)


def put_back(context) -> None:
    """Let the application go on where it was: take down a fence that the cutover has put up."""
    record = context.journal.get("cutover") or {}
    if record.get("fenced"):
        aside.run(context, "the fence", lambda: take_down(context.request, context.layout, False))
    context.journal.set(cutover=None, phase=None)


def is_passing(error: MigrationError) -> bool:
    """Return whether an error speaks of a connection, so that the same may be tried again."""
    return error.code == "connection-failed" or bool(error.details.get("transient"))


def known_roles(plan) -> dict:
    """Return what is remembered of roles, C({name: words}); no password."""
    found = {}
    for name, role in plan.roles.items():
        words = {word: fact for word, fact in role.items() if word != "owns"}
        groups = sorted(str(membership) for membership in plan.memberships if membership[1] == name)
        found[name] = repr((sorted(words.items(), key=str), groups))
    return found


def role_changes(before: dict, now: dict) -> list:
    """Return sentences about roles of the source that are not what they were at the base copy."""
    came = sorted(set(now) - set(before))
    went = sorted(set(before) - set(now))
    changed = sorted(name for name in before if name in now and before[name] != now[name])
    sentences = []
    if came:
        sentences.append(
            f"Roles have come on the source since the base copy and are created on the target: {', '.join(came)}."
        )
    if went:
        sentences.append(
            f"Roles have gone from the source since the base copy and stay on the target: {', '.join(went)}."
        )
    if changed:
        sentences.append(
            f"Roles have been altered on the source since the base copy, and are not on the target: {', '.join(changed)}. "
            "Repeat the change there."
        )
    return sentences
