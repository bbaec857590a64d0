# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target's database: found empty, or created like the source's, or known to be this migration's own."""

from __future__ import annotations

from .._core.errors import PreconditionFailed
from .._postgres.connection import connect, rows
from .._postgres.quoting import quote_identifier, quote_literal
from . import marker
from .catalogue import user_objects
from .roles import RolePlan


def creation_statement(properties: dict, plan: RolePlan, server_version: int) -> str:
    """Return CREATE DATABASE with the encoding and locale of the source.

    From template0, the only template whose encoding and locale may differ from the new database's.
    """
    words = [
        f"CREATE DATABASE {quote_identifier(properties['name'])} TEMPLATE template0",
        f"ENCODING {quote_literal(properties['encoding'])}",
        f"LC_COLLATE {quote_literal(properties['collate'])} LC_CTYPE {quote_literal(properties['ctype'])}",
    ]
    if server_version >= 150000:
        words.append(f"LOCALE_PROVIDER {properties['provider']}")
        if properties["provider"] == "icu":
            words.append(f"ICU_LOCALE {quote_literal(properties['locale'])}")
            if properties.get("rules") and server_version >= 160000:
                words.append(f"ICU_RULES {quote_literal(properties['rules'])}")
        elif properties["provider"] == "builtin":
            words.append(f"BUILTIN_LOCALE {quote_literal(properties['locale'])}")
    owner = plan.names.get(properties["owner"], properties["owner"])
    if owner:
        words.append(f"OWNER {quote_identifier(owner)}")
    if properties["connection_limit"] != -1:
        words.append(f"CONNECTION LIMIT {properties['connection_limit']}")
    return " ".join(words)


def databases_of(target) -> set:
    """Return the names of the target's databases."""
    return {row["datname"] for row in rows(target, "SELECT datname FROM pg_catalog.pg_database")}


def ensure_database(administration, properties: dict, plan: RolePlan, journal) -> bool:
    """Create the database unless the target has one of this name; return whether it was created."""
    name = properties["name"]
    if name in databases_of(administration):
        return False
    journal.creating("target", name, "database", name)
    with administration.cursor() as cursor:
        cursor.execute(creation_statement(properties, plan, administration.server_version))
    journal.created("target", name, "database", name)
    journal.event(f"Database {name} was created on the target.", database=name)
    return True


def own_databases(endpoint, names: list, migration: str, request_hash: str, settings: dict | None = None) -> set:
    """Return those of the target's databases I(names) in which this very migration has been working.

    :param settings: of the sessions, for example how long a question may take
    """
    with_marker = set()
    administration = connect(endpoint, "target", settings=settings)
    try:
        present = databases_of(administration).intersection(names)
    finally:
        administration.close()
    for name in present:
        session = connect(endpoint, "target", name, settings=settings)
        try:
            with session.cursor() as cursor:
                if marker.owner_of(cursor) == (migration, request_hash):
                    with_marker.add(name)
        finally:
            session.close()
    return with_marker


def claim(session, database: str, migration: str, request_hash: str, journal) -> dict:
    """Make the database this migration's own and return its markers.

    :raises PreconditionFailed: when it holds objects that this migration did not bring, or belongs to another one
    """
    with session.cursor() as cursor:
        if marker.owner_of(cursor) is None:
            count = user_objects(session)
            if count:
                raise PreconditionFailed(
                    f"The target's database {database} already holds {count} objects of users.",
                    "Nothing is overwritten: move them away, drop that database yourself, or migrate to another server.",
                    {"database": database, "objects": count},
                )
        journal.creating("target", database, "schema", marker.SCHEMA)
        cursor.execute("BEGIN")
        try:
            marker.claim(cursor, migration, request_hash)
            cursor.execute("COMMIT")
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        journal.created("target", database, "schema", marker.SCHEMA)
        return marker.markers(cursor, migration)
