# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module database_roles does: the target's roles before, and owners and privileges after a copy by somebody else."""

from __future__ import annotations

import contextlib
import os

from .._core.errors import PreconditionFailed
from .._core.files import make_private_directory, read_json, write_json
from .._core.final_record import keep_final_record
from .._postgres.connection import connect, quiet_settings
from .._transfer import rights, roles
from .._transfer.target_database import databases_of
from .edge import Task, difference

PRESENT, RESTORED, RETURNED = STATES = ("present", "restored", "returned")


class Lent:
    """Memberships that the migration's user gave itself to act for others, written down before each is given."""

    def __init__(self, task: Task):
        self.path = os.path.join(task.layout.directory, "lent-memberships.json")
        self.directory = task.layout.directory
        self.names: list = read_json(self.path) or []

    def creating(self, _side: str, _database, kind: str, name: str) -> None:
        """Note what is about to be given."""
        if kind == "membership" and name not in self.names:
            self.names.append(name)
            make_private_directory(self.directory)
            write_json(self.path, self.names)

    def created(self, *_thing) -> None:
        """Leave it noted."""

    def removed(self, *_thing) -> None:
        """Leave it noted: to take back what was refused does no harm."""

    def give_back(self, target, owners: list) -> list:
        """Take the memberships back; return whose they were.

        :param owners: who is to be left where nothing is noted, since the note was on another host
        """
        left = roles.leave_owners(target, self.names or owners)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.names = []
        return left


def result(state: str, steps: list, remarks: list) -> dict:
    """Return the module's result."""
    return {
        "changed": bool(steps),
        "state": state,
        "steps": steps,
        "remarks": remarks,
        "diff": difference([], steps, "roles and privileges on the target"),
    }


def ensure(task: Task) -> dict:
    """Bring roles, and if asked for owners and privileges, to the target."""
    request = task.request
    wanted = task.parameters["state"]
    lent = Lent(task)
    # What was lent is given back after everything else has been cleaned up.
    if task.final_record() and not (wanted == RETURNED and lent.names):
        return result("decommissioned", [], [])
    final = task.parameters["final_record"]
    with contextlib.ExitStack() as stack:
        source = open_session(stack, request.source, "source", request.databases[0])
        target = open_session(stack, request.target, "target")
        plan = roles.read_plan(source, target, list(request.databases), dict(request.role_map))
        if wanted == RETURNED:
            done = give_back(task, target, plan, lent)
            if final and final.get("sha256") and not task.check_mode and not task.final_record():
                keep_final_record(task.layout, request, final)
            return done
        steps, remarks = lacking(target, plan), []
        if not task.check_mode:
            remarks = roles.create_roles(target, plan, lent)
            # What was refused is no change, neither now nor at every run to come.
            left = lacking(target, plan)
            steps = [step for step in steps if step not in left]
        if wanted == PRESENT:
            return result(PRESENT, steps, remarks)
        absent = [name for name in request.databases if name not in databases_of(target)]
        if absent and not task.check_mode:
            raise PreconditionFailed(
                f"The target has no database {', '.join(absent)}.", "Run module migration first; this comes after it."
            )
        for database in request.databases:
            if database not in absent:
                done, refused = restore(task, plan, database, target, lent)
                steps += done
                remarks += refused
    return result("pending" if absent else wanted, steps, remarks)


def give_back(task: Task, target, plan, lent: Lent) -> dict:
    """Take back the memberships by which the migration's user acts for the owners of objects."""
    names = lent.names or plan.owners
    left = roles.granted_by_oneself(target, names) if task.check_mode else lent.give_back(target, names)
    return result(RETURNED, [f"end the membership of {plan.user} in {name}" for name in left], [])


def lacking(target, plan) -> list:
    """Return the roles and memberships that the target lacks, as what is to be done about them."""
    steps = [f"create role {name}" for name in roles.missing_roles(target, plan).values()]
    return steps + [
        f"make {member} a member of {group}" for group, member, _words in roles.missing_memberships(target, plan)
    ]


def open_session(stack, endpoint, side: str, database: str | None = None):
    """Open a session in which names come out in full, for as long as I(stack) lasts."""
    return stack.enter_context(contextlib.closing(connect(endpoint, side, database, settings=quiet_settings())))


def restore(task: Task, plan, database: str, administration, lent: Lent) -> tuple:
    """Bring owners, privileges and settings of one database in line; return C((steps, what was refused)).

    :param administration: a session of the target outside the database
    """
    with contextlib.ExitStack() as stack:
        source = open_session(stack, task.request.source, "source", database)
        target = open_session(stack, task.request.target, "target", database)
        found = rights.read_changes(source, target, database, plan)
        left_out = [
            f"{database}: {thing} names {role}, which has no counterpart." for role, thing in sorted(found.left_out)
        ]
        if task.check_mode or not found.changes:
            return found.shown, left_out
        for role, (statement, complaint) in roles.join(administration, sorted(found.actors), lent).items():
            left_out.append(
                f"{database}: nobody may act for {role}: {complaint} Let an administrator run: {statement};"
            )
        refused = rights.apply(target, found)
        left = rights.read_changes(source, target, database, plan)
        # What was refused once would be refused for ever, and is no change of a second run.
        done = [statement for statement in found.shown if statement not in left.shown]
        return done, [*left_out, *refused]
