# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Undoing a migration on its target: databases and roles that it made there go, each only when somebody names it.

A name is not enough. The inventory has to say that this migration made the thing, and of a database also the marks that
this migration left in it; so a target that meanwhile is another server, or a database that somebody made anew, stays.
"""

from __future__ import annotations

from .._core.errors import InvalidRequest, PreconditionFailed
from .._core.layout import Layout
from .._core.request import Request
from .._postgres.connection import connect, rows, value
from .._postgres.driver import psycopg2
from .._postgres.quoting import quote_identifier
from . import marker
from .catalogue import user_objects
from .leftovers import clear_the_way
from .sessions import Sessions
from .target_database import databases_of
from .traces import created

OTHERS = """
SELECT a.usename AS name, count(*) AS number FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = %s AND a.pid <> pg_catalog.pg_backend_pid() GROUP BY 1 ORDER BY 1
"""
SERVER = "SELECT system_identifier FROM pg_catalog.pg_control_system()"
WORDS = {"database": "drop_databases", "role": "drop_roles"}


class Quiet:
    """Stands where the engine has its journal."""

    def event(self, *_words) -> None:
        """Keep it to oneself."""


def named(layout: Layout, request: Request, databases, roles) -> list:
    """Return what is to be dropped, in the words of the inventory.

    :raises InvalidRequest: when something is named that this migration has not made
    """
    made = [
        (thing["kind"], thing["name"])
        for thing in created(layout, request)
        if thing["side"] == "target" and thing["state"] != "removed"
    ]
    wanted = [("database", name) for name in databases] + [("role", name) for name in roles]
    for kind, name in wanted:
        if (kind, name) not in made or (kind == "database" and name not in request.databases):
            own = ", ".join(known for known_kind, known in made if known_kind == kind) or "none"
            raise InvalidRequest(
                f"'{WORDS[kind]}' names {name!r}, which migration {request.name} has not made; it made: {own}.",
                "Name only what it made. What was there before, or was made by somebody else, is never dropped.",
                {"kind": kind, "name": name},
            )
    return [f"target: {kind} {name}" for kind, name in wanted]


def end_sessions(request: Request) -> None:
    """End what dead engines of this migration left at work on the servers.

    :raises PreconditionFailed: when one lives
    """
    clear_the_way(Sessions(request), Quiet(), lambda: None)


def are_apart(request: Request, administration) -> bool:
    """Return whether source and target are certain to be two servers."""
    source = connect(request.source, "source")
    try:
        return value(source, SERVER) != value(administration, SERVER)
    except psycopg2.Error:
        return False
    finally:
        source.close()


def require_own(request: Request, name: str, administration) -> None:
    """Make sure that a database of the target is what this very migration has made of it.

    One without marks was left by a crash between its creation and the first of them, if it is empty.

    :raises PreconditionFailed: when the database does not say so
    """
    session = connect(request.target, "target", name)
    try:
        with session.cursor() as cursor:
            owner = marker.owner_of(cursor)
        if owner is None and not user_objects(session) and are_apart(request, administration):
            return
    finally:
        session.close()
    if owner != (request.name, request.hash):
        raise PreconditionFailed(
            f"The target's database {name} does not bear the marks of migration {request.name}: "
            f"{'it bears those of ' + owner[0] if owner else 'it bears none'}.",
            "It is left alone. Look at it, and drop it yourself if nobody needs it.",
            {"database": name},
        )


def drop_databases(request: Request, names) -> list:
    """Drop databases of the target that M(named) has let pass; return what went. One that is gone already is passed over.

    :raises PreconditionFailed: when one does not bear this migration's marks, is in use, or may not be dropped
    """
    gone = []
    administration = connect(request.target, "target")
    try:
        present = [name for name in names if name in databases_of(administration)]
        for name in present:
            require_own(request, name, administration)
        for name in present:
            others = rows(administration, OTHERS, (name,))
            try:
                with administration.cursor() as cursor:
                    cursor.execute(f"DROP DATABASE {quote_identifier(name)}")
            except psycopg2.Error as error:
                users = ", ".join(f"{row['number']} of {row['name']}" for row in others)
                raise PreconditionFailed(
                    f"The target's database {name} could not be dropped: {error.diag.message_primary}."
                    + (f" Sessions there: {users}." if users else ""),
                    "End the sessions, or let an administrator drop it, then run this again.",
                    {"database": name},
                ) from error
            gone.append(f"target: database {name}")
    finally:
        administration.close()
    return gone


def drop_roles(request: Request, names) -> list:
    """Drop roles of the target that M(named) has let pass; return what went.

    :raises PreconditionFailed: when one still owns something or holds privileges
    """
    gone = []
    administration = connect(request.target, "target")
    try:
        for name in names:
            if not value(administration, "SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname = %s", (name,)):
                continue
            try:
                with administration.cursor() as cursor:
                    cursor.execute(f"DROP ROLE {quote_identifier(name)}")
            except psycopg2.Error as error:
                detail = " ".join((error.diag.message_detail or "").split())
                raise PreconditionFailed(
                    f"The target's role {name} could not be dropped: {error.diag.message_primary}. {detail}".strip(),
                    "Leave it out of 'drop_roles', or take away what it owns first.",
                    {"role": name},
                ) from error
            gone.append(f"target: role {name}")
    finally:
        administration.close()
    return gone
