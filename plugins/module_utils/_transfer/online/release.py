# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking back what the migration made or changed on the source: slot, publication, replica identities."""

from __future__ import annotations

from ..._postgres.connection import rows
from . import published, slot

# The source may be fenced by now, so that sessions begin read only.
SET_WRITABLE = "SET default_transaction_read_only = off"
KINDS = ("replication slot", "publication", "replica identity")


def planned(creations: list, database: str) -> list:
    """Return what M(release) would take back, C([{side, database, kind, name, state}])."""
    return [
        thing
        for thing in creations
        if thing["side"] == "source"
        and thing["database"] == database
        and thing["kind"] in KINDS
        and thing["state"] != "removed"
    ]


def words(thing: dict) -> str:
    """Return a thing for people."""
    name = thing["name"].rpartition(" ")[0] + " FULL" if thing["kind"] == "replica identity" else thing["name"]
    return f"source: {thing['kind']} {name} in database {thing['database']}"


def unrecorded(source, database: str, name: str, known: set) -> list:
    """Return slot and publication of this name that are there, of kinds that no journal knows of."""
    there = {
        "replication slot": slot.read_slot(source, name) is not None,
        "publication": bool(rows(source, "SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = %s", (name,))),
    }
    return [
        {"side": "source", "database": database, "kind": kind, "name": name, "state": "created"}
        for kind, exists in there.items()
        if exists and kind not in known
    ]


def take_back(source, things: list, tick=lambda: None) -> list:
    """Take things back; return them in words.

    :param source: a session to their database, which is left outside of any transaction
    """
    gone = []
    with source.cursor() as cursor:
        cursor.execute("ROLLBACK")
        cursor.execute(SET_WRITABLE)
    for thing in things:
        if thing["kind"] == "replication slot":
            slot.drop_slot(source, thing["name"])
        elif thing["kind"] == "publication":
            slot.unpublish(source, thing["name"])
        else:
            table, _blank, identity = thing["name"].rpartition(" ")
            published.change_identity(source, table, identity, tick)
        gone.append(words(thing))
    return gone


def release(source, journal, database: str, tick=lambda: None) -> list:
    """Take back everything of a database and enter that in the journal; return what went, in words."""
    gone = []
    for thing in planned(journal.creations("source"), database):
        gone += take_back(source, [thing], tick)
        journal.removed("source", database, thing["kind"], thing["name"])
    return gone
