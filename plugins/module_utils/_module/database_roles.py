# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module database_roles does: the target's roles before, and owners and privileges after a copy by somebody else."""

from __future__ import annotations

import contextlib
import glob
import os

from .._core.errors import ConnectionFailed, PreconditionFailed
from .._core.files import make_private_directory, read_json, write_json
from .._core.final_record import keep_final_record
from .._postgres.connection import connect, quiet_settings, value
from .._transfer import rights, roles
from .._transfer.target_database import databases_of
from .edge import Task, difference

PRESENT, RESTORED, RETURNED = STATES = ("present", "restored", "returned")
FILE = "lent-memberships.json"


# What a role owns in databases, apart from publications, which there are from 10 on.
OWNED = """
SELECT count(*) FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
 WHERE r.rolname = %s AND d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.deptype = 'o'
   AND d.classid <> COALESCE(pg_catalog.to_regclass('pg_catalog.pg_publication')::pg_catalog.oid, 0)
   AND (d.dbid IN (SELECT oid FROM pg_catalog.pg_database WHERE datname = ANY (%s)) OR d.dbid = 0)
"""


class Lent:
    """Memberships of the migration's user by which it acts for others: those that it needs, and those that it gave itself.

    Written down before each is given, in the migration's directory. Of several migrations of this host that need the same
    one on the same target, the last takes it back.
    """

    def __init__(self, task: Task):
        self.layout = task.layout
        self.place = f"{task.request.target.address} {task.request.target.user}"
        self.path = os.path.join(task.layout.directory, FILE)
        known = read_json(self.path) or {}
        self.known = bool(known)
        self.needed: list = known.get("needed", [])
        self.lent: list = known.get("lent", [])

    def write(self) -> None:
        """Write down how things are."""
        make_private_directory(self.layout.directory)
        write_json(self.path, {"place": self.place, "needed": self.needed, "lent": self.lent})

    def need(self, names) -> None:
        """Note whom the migration's user acts for."""
        missing = sorted(set(names) - set(self.needed))
        if missing:
            self.needed = [*self.needed, *missing]
            self.write()

    def creating(self, _side: str, _database, kind: str, name: str) -> None:
        """Note what is about to be given."""
        if kind == "membership" and name not in self.lent:
            self.lent.append(name)
            self.write()

    def created(self, *_thing) -> None:
        """Leave it noted."""

    def removed(self, *_thing) -> None:
        """Leave it noted: to take back what was refused does no harm."""

    def others(self) -> dict:
        """Return what other migrations of this host have noted of the same user on the same target, by path."""
        found = {}
        for path in sorted(glob.glob(os.path.join(glob.escape(self.layout.migrations_directory), "*", FILE))):
            if path != self.path:
                with contextlib.suppress(OSError, ValueError):
                    noted = read_json(path)
                    if noted and noted.get("place") == self.place:
                        found[path] = noted
        return found

    def to_take_back(self, owners: list) -> list:
        """Return whose membership ends with this migration.

        :param owners: who it is where nothing is noted, since the note was on another host
        """
        needed = {name for noted in self.others().values() for name in noted["needed"]}
        return [name for name in (self.lent if self.known else owners) if name not in needed]

    def forget(self) -> None:
        """Hand on what others need, and end the note."""
        for path, noted in self.others().items():
            heirs = [name for name in self.lent if name in noted["needed"] and name not in noted["lent"]]
            if heirs:
                write_json(path, {**noted, "lent": [*noted["lent"], *heirs]})
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


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
    if task.final_record() and not (wanted == RETURNED and lent.known):
        return result("decommissioned", [], [])
    final = task.parameters["final_record"]
    with contextlib.ExitStack() as stack:
        source = open_session(stack, request.source, "source", request.databases[0])
        target = open_session(stack, request.target, "target")
        plan = roles.read_plan(source, target, list(request.databases), dict(request.role_map))
        forget_helper(source, plan, list(request.databases))
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


def forget_helper(source, plan, databases: list) -> None:
    """Leave the source's migration user out of the roles when all that it owns are publications.

    The service makes some while changes flow; they are its tools and no part of what is migrated.
    """
    user = value(source, "SELECT current_user")
    if user in plan.roles and not value(source, OWNED, (user, databases)):
        del plan.roles[user]


def give_back(task: Task, target, plan, lent: Lent) -> dict:
    """Take back the memberships by which the migration's user acts for the owners of objects."""
    names = lent.to_take_back(plan.owners)
    if task.check_mode:
        left = roles.granted_by_oneself(target, names)
    else:
        left = roles.leave_owners(target, names)
        lent.forget()
    return result(RETURNED, [f"end the membership of {plan.user} in {name}" for name in left], [])


def lacking(target, plan) -> list:
    """Return the roles and memberships that the target lacks, as what is to be done about them."""
    steps = [f"create role {name}" for name in roles.missing_roles(target, plan).values()]
    return steps + [
        f"make {member} a member of {group}" for group, member, _words in roles.missing_memberships(target, plan)
    ]


def reads_everything(target) -> bool:
    """Return whether the current user may read every table, whoever owns it; there is a role for that from 14 on."""
    return target.server_version >= 140000 and value(
        target, "SELECT pg_catalog.pg_has_role('pg_read_all_data', 'USAGE')"
    )


def open_session(stack, endpoint, side: str, database: str | None = None):
    """Open a session in which names come out in full, for as long as I(stack) lasts."""
    return stack.enter_context(contextlib.closing(connect(endpoint, side, database, settings=quiet_settings())))


def enter(stack, task: Task, plan, database: str, administration, lent: Lent):
    """Open a session in a database of the target, as a member of the owners where only they and the application may.

    Returns None in check mode where that would have to come first.

    :raises ConnectionFailed: when not even that helps
    """
    try:
        return open_session(stack, task.request.target, "target", database)
    except ConnectionFailed as error:
        if error.details["cause"] != "connect-privilege":
            raise
    if task.check_mode:
        return None
    lent.need(set(plan.owners) - {plan.user})
    roles.join(administration, sorted(plan.owners), lent)
    return open_session(stack, task.request.target, "target", database)


def restore(task: Task, plan, database: str, administration, lent: Lent) -> tuple:
    """Bring owners, privileges and settings of one database in line; return C((steps, what was refused)).

    :param administration: a session of the target outside the database
    """
    with contextlib.ExitStack() as stack:
        source = open_session(stack, task.request.source, "source", database)
        target = enter(stack, task, plan, database, administration, lent)
        if target is None:
            owners = ", ".join(sorted(set(plan.owners) - {plan.user}))
            return [
                f"make {plan.user} a member of {owners}, since only they and the application may connect to {database}, and "
                "compare owners and privileges there"
            ], []
        found = rights.read_changes(source, target, database, plan)
        left_out = [
            f"{database}: {thing} names {role}, which has no counterpart." for role, thing in sorted(found.left_out)
        ]
        if task.check_mode:
            return found.shown, left_out
        # Verification reads as a member of the owners, where the target's user may not read everything anyhow.
        acted_for = found.actors | (set() if reads_everything(target) else set(plan.owners))
        lent.need(acted_for - {plan.user})
        for role, (statement, complaint) in roles.join(administration, sorted(acted_for), lent).items():
            left_out.append(
                f"{database}: nobody may act for {role}: {complaint} Let an administrator run: {statement};"
            )
        if not found.changes:
            return [], left_out
        refused = rights.apply(target, found)
        left = rights.read_changes(source, target, database, plan)
        # What was refused once would be refused for ever, and is no change of a second run.
        done = [statement for statement in found.shown if statement not in left.shown]
        return done, [*left_out, *refused]
