# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking back what the host provider made outside its own directory."""

from __future__ import annotations

import os
import shutil

from .._core.files import make_private_directory
from .._core.layout import Layout
from .._core.request import Request
from .._postgres.connection import connect, rows
from .._postgres.quoting import quote_identifier
from . import lent, marker, roles
from .online import release, slot
from .target_database import databases_of
from .traces import created

MEMBERSHIP = "target: membership of the migration user in"
# From 16 on the server itself makes whoever creates a role its administrator, in the name of the first superuser.
GIVEN_BY_SERVER = """
SELECT g.rolname AS role, u.rolname AS member, b.rolname AS giver FROM pg_catalog.pg_auth_members m
  JOIN pg_catalog.pg_roles g ON g.oid = m.roleid JOIN pg_catalog.pg_roles u ON u.oid = m.member
  JOIN pg_catalog.pg_roles b ON b.oid = m.grantor
 WHERE u.rolname = current_user AND m.grantor = 10 AND m.admin_option AND g.rolname = ANY (%s) ORDER BY 1
"""


def planned(layout: Layout, request: Request) -> dict:
    """Return C({remove: [...], keep: [...], source: [...]}), from the inventory of created things.

    The first two are about the target; C(source) goes in any case, also when the migration is given up.
    """
    things = created(layout, request)
    remove = [f"target: schema {marker.SCHEMA} in database {database}" for database in request.databases]
    remove += [f"{MEMBERSHIP} {thing['name']}" for thing in things if thing["kind"] == "membership"]
    keep = [
        f"target: {thing['kind']} {thing['name']}"
        for thing in reversed(things)
        if thing["kind"] in ("database", "role")
    ]
    source = [release.words(thing) for database in request.databases for thing in release.planned(things, database)]
    return {"remove": remove, "keep": keep, "source": source}


def clean_source(layout: Layout, request: Request) -> list:
    """Remove slots and publications from the source, and restore replica identities; return what went.

    Also when the journal is lost: slot and publication of a database have names that can be told.
    """
    if request.mode != "online":
        return []
    made, gone = created(layout, request), []
    for database in request.databases:
        things = release.planned(made, database)
        known = {thing["kind"] for thing in things}
        name = slot.name_of(request.name, request.hash, database)
        session = connect(request.source, "source", database)
        try:
            things += release.unrecorded(session, database, name, known)
            gone += release.take_back(session, things)
        finally:
            session.close()
    return gone


def clean_target(layout: Layout, request: Request) -> tuple:
    """Remove the helper schema from every database and give the borrowed memberships back.

    Returns C((removed, handed_over)): what went, and the memberships that another migration needs and takes back later.
    """
    removed = []
    borrowed = [thing["name"] for thing in created(layout, request) if thing["kind"] == "membership"]
    administration = connect(request.target, "target")
    try:
        present = databases_of(administration)
        for database in request.databases:
            if database not in present:
                continue
            session = connect(request.target, "target", database)
            try:
                with session.cursor() as cursor:
                    ours = marker.owner_of(cursor) == (request.name, request.hash)
                if ours:
                    borrowed += lent.drop_helper_schema(session, request.name)
                    removed.append(f"target: schema {marker.SCHEMA} in database {database}")
            finally:
                session.close()
        borrowed = list(dict.fromkeys(borrowed))
        heir = lent.hand_over(administration, request, borrowed)
        if heir:
            return removed, [f"{MEMBERSHIP} {role}, which migration {heir} needs" for role in borrowed]
        left = roles.leave_owners(administration, borrowed)
        removed += [f"{MEMBERSHIP} {role}" for role in left]
    finally:
        administration.close()
    return removed, []


def remaining(layout: Layout, request: Request) -> list:
    """Return what came to the target with the migration, is no part of what was moved, and cannot be taken away from here."""
    things = [thing for thing in created(layout, request) if thing["side"] == "target" and thing["state"] != "removed"]
    made = [thing["name"] for thing in things if thing["kind"] == "role"]
    lent_on = [thing for thing in things if thing["kind"] in ("schema privilege", "database privilege")]
    if not made and not lent_on:
        return []
    administration = connect(request.target, "target")
    try:
        found = rows(administration, GIVEN_BY_SERVER, (made,)) if administration.server_version >= 160000 else []
        present = databases_of(administration)
    finally:
        administration.close()
    return [
        f"target: {thing['kind']} CREATE for {thing['name']} in database {thing['database']}: it was given for the load, which did "
        "not come to the end at which it is taken back"
        for thing in lent_on
        if thing["database"] in present
    ] + [
        f"{MEMBERSHIP} {row['role']}: the server made {row['member']} its administrator when it was created, and only "
        f"{row['giver']} can end that (REVOKE {quote_identifier(row['role'])} FROM {quote_identifier(row['member'])})"
        for row in found
    ]


def archive(layout: Layout, keep) -> list:
    """Copy what I(keep) names of C(reports) and C(journal) to the archive; return the paths there."""
    make_private_directory(layout.archive)
    copied = []
    if "reports" in keep and os.path.isdir(layout.report_directory):
        for name in sorted(os.listdir(layout.report_directory)):
            copied.append(shutil.copy2(os.path.join(layout.report_directory, name), layout.archive))
    for path in (layout.journal_file, layout.log_file, layout.timeline_file):
        if "journal" in keep and os.path.exists(path):
            copied.append(shutil.copy2(path, layout.archive))
    return copied
