# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of one database: every object by its name, with its properties."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from .._postgres.driver import psycopg2
from . import catalogue_database, catalogue_relations, catalogue_routines, catalogue_system

# Kinds whose catalogue a managed server may hide; that is said as a warning and does not spoil the verdict.
MAY_BE_HIDDEN = ("subscription",)
# Of these kinds the attributes DIGESTS are digests, see M(catalogue.digest).
DIGESTED = frozenset(
    [
        "function",
        "procedure",
        "aggregate",
        "window function",
        "foreign-data wrapper",
        "foreign server",
        "user mapping",
        catalogue_system.FUNCTION,
    ]
)
DIGESTS = ("body", "options")


@dataclass
class Inventory:
    """What one end of one database holds.

    I(objects) is C({kind: {identity: attributes}}); I(unreadable) is C({kind: message}) for kinds that the server
    would not show; I(version) is as in server_version_num.
    """

    version: int
    objects: dict = field(default_factory=dict)
    unreadable: dict = field(default_factory=dict)


def queries(version: int) -> dict:
    """Return C({kind: query}) for every kind of object, for a server of I(version)."""
    return {
        **catalogue_database.queries(version),
        **catalogue_relations.queries(version),
        **catalogue_routines.queries(version),
        **catalogue_system.queries(version),
    }


def hashed(attributes: dict) -> dict:
    """Return attributes that an old server gave as text with the digests that newer ones compute."""
    return {
        name: hashlib.sha256(text.encode("utf-8")).hexdigest() if name in DIGESTS and isinstance(text, str) else text
        for name, text in attributes.items()
    }


def within(schema: str | None, identity: str, excluded) -> bool:
    """Return whether an object lies in one of the schemas I(excluded), or hangs on one that does."""
    if schema in excluded:
        return True
    names = set(excluded)
    return any(f" on {name}." in identity or identity == f"schema {name}" for name in names)


def read_inventory(connection, excluded_schemas=(), known: dict | None = None) -> Inventory:
    """Read the inventory in the caller's transaction; a kind that may not be read is recorded, not skipped over.

    :param known: attributes by their text, filled in; what both ends share is kept in memory once
    """
    inventory = Inventory(connection.server_version)
    # Most of the memory would go to attributes that many objects, or both ends, have alike; nobody changes them.
    known = {} if known is None else known

    def shared(text: str):
        found = known.get(text)
        if found is None:
            found = known[text] = json.loads(text)
        return found

    new_enough = connection.server_version >= 110000
    with connection.cursor() as cursor:
        psycopg2.extras.register_default_jsonb(cursor, loads=shared)
        for kind, sql in queries(connection.server_version).items():
            cursor.execute("SAVEPOINT azpg_inventory")
            try:
                cursor.execute(sql)
                found = [
                    (identity, attributes if new_enough or kind not in DIGESTED else hashed(attributes))
                    for schema, identity, attributes in cursor
                    if not within(schema, identity, excluded_schemas)
                ]
            except psycopg2.Error as error:
                cursor.execute("ROLLBACK TO SAVEPOINT azpg_inventory")
                inventory.unreadable[kind] = str(error.diag.message_primary or error).strip()
                inventory.objects[kind] = {}
                continue
            cursor.execute("RELEASE SAVEPOINT azpg_inventory")
            inventory.objects[kind] = dict(found)
    return inventory
