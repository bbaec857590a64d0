# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a migration has created, also where its journal is lost with the runtime host: the marks on the target tell it again.

Slot and publication on the source have names that can be told, so that they are found even where the target has no marks.
"""

from __future__ import annotations

import contextlib
import os

from .._core.errors import ConnectionFailed
from .._core.files import make_private_directory
from .._core.layout import Layout
from .._core.request import Request
from .._postgres.connection import connect
from . import marker
from .inventory import thing_of
from .journal import Journal
from .online import release, slot
from .progress import inventory
from .target_database import databases_of


def created(layout: Layout, request: Request) -> list:
    """Return everything that the migration created or was about to create, C([{side, database, kind, name, state}]).

    :raises ConnectionFailed: when the journal is lost, and a server does not let us look
    """
    never_begun = os.path.isdir(layout.directory) and not os.path.exists(layout.request_file)
    if never_begun or os.path.exists(layout.journal_file):
        return inventory(layout.journal_file)
    found: dict = {}
    for thing in on_target(request) + on_source(request):
        found.setdefault(tuple(thing[word] for word in ("side", "database", "kind", "name")), thing)
    return list(found.values())


def on_target(request: Request) -> list:
    """Return what the marks in the target's databases say."""
    found = []
    administration = connect(request.target, "target")
    try:
        present = databases_of(administration)
    finally:
        administration.close()
    for database in present.intersection(request.databases):
        session = connect(request.target, "target", database)
        try:
            with session.cursor() as cursor:
                if marker.owner_of(cursor) != (request.name, request.hash):
                    continue
                words = {"side": "target", "database": database, "kind": "schema", "name": marker.SCHEMA}
                found.append({**words, "state": "created"})
                things = map(thing_of, marker.markers(cursor, request.name))
                found += [{**thing, "state": "created"} for thing in things if thing]
        finally:
            session.close()
    return found


def on_source(request: Request) -> list:
    """Return slot and publication of each of the source's databases, where they are there."""
    if request.mode != "online":
        return []
    found = []
    for database in request.databases:
        try:
            session = connect(request.source, "source", database)
        except ConnectionFailed as error:
            if error.details.get("cause") == "database":
                continue
            raise
        try:
            name = slot.name_of(request.name, request.hash, database)
            found += release.unrecorded(session, database, name, set())
        finally:
            session.close()
    return found


def keep(layout: Layout, request: Request) -> None:
    """Enter what the servers tell in a new journal where the old one is lost: as it is taken back, it is told no more."""
    things = [] if os.path.exists(layout.journal_file) else created(layout, request)
    if not things:
        return
    make_private_directory(layout.directory)
    with contextlib.closing(Journal(layout.journal_file)) as journal:
        for thing in things:
            words = [thing[word] for word in ("side", "database", "kind", "name")]
            journal.creating(*words)
            journal.created(*words)
