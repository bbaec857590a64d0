# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers on the target: committed in the same transaction as the work that they stand for.

They live in a helper schema of each target database until cleanup removes it. A unit whose marker is there has
happened, whatever the journal says; one whose marker is missing has not.
"""

from __future__ import annotations

from .._core.errors import PreconditionFailed

SCHEMA = "azpg_migrate"

CREATE = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.migration (name text PRIMARY KEY, request_hash text NOT NULL);
CREATE TABLE IF NOT EXISTS {SCHEMA}.unit (
    migration text NOT NULL, unit text NOT NULL, rows bigint, at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (migration, unit));
"""


def exists(cursor) -> bool:
    """Return whether the database of I(cursor) has the helper schema."""
    cursor.execute("SELECT pg_catalog.to_regnamespace(%s) IS NOT NULL", (SCHEMA,))
    return cursor.fetchone()[0]


def owner_of(cursor) -> tuple | None:
    """Return C((migration name, request hash)) of the migration that has been working here, or None."""
    if not exists(cursor):
        return None
    cursor.execute(f"SELECT name, request_hash FROM {SCHEMA}.migration")
    return cursor.fetchone()


def claim(cursor, migration: str, request_hash: str) -> None:
    """Create the helper schema and enter the migration, or make sure that it is this one's already.

    :raises PreconditionFailed: when another migration has been working in this database
    """
    cursor.execute(CREATE)
    cursor.execute(
        f"INSERT INTO {SCHEMA}.migration VALUES (%s, %s) ON CONFLICT (name) DO NOTHING", (migration, request_hash)
    )
    cursor.execute(f"SELECT name, request_hash FROM {SCHEMA}.migration ORDER BY name")
    for name, known in cursor.fetchall():
        if (name, known) != (migration, request_hash):
            raise PreconditionFailed(
                f"The target database is in use by migration {name!r} (request {known[:12]}), not by {migration!r} "
                f"(request {request_hash[:12]}).",
                "Finish or clean up that migration first, or run it again under its own name and request.",
            )


class Happened(Exception):
    """The work has been done already, by an attempt whose answer was lost."""


def take(cursor, migration: str, units: list) -> None:
    """Enter markers as the first act of a transaction, before the work that they stand for.

    An earlier attempt's transaction that is still open on the server, though its client is gone, is waited for.

    :raises Happened: when that one was committed after all
    """
    cursor.execute(
        f"INSERT INTO {SCHEMA}.unit (migration, unit) SELECT %s, u.unit FROM unnest(%s::text[]) AS u(unit)"
        " ON CONFLICT DO NOTHING",
        (migration, list(units)),
    )
    if cursor.rowcount < len(units):
        raise Happened


def set_markers(cursor, migration: str, counts: dict) -> None:
    """Enter markers, C({unit: rows or None}), within the caller's transaction."""
    cursor.execute(
        f"INSERT INTO {SCHEMA}.unit (migration, unit, rows)"
        " SELECT %s, u.unit, u.rows FROM unnest(%s::text[], %s::bigint[]) AS u(unit, rows)"
        " ON CONFLICT (migration, unit) DO UPDATE SET rows = excluded.rows, at = pg_catalog.now()",
        (migration, list(counts), list(counts.values())),
    )


def are_set(cursor, migration: str, units: list) -> bool:
    """Return whether all the units have their markers."""
    cursor.execute(
        f"SELECT count(*) FROM {SCHEMA}.unit WHERE migration = %s AND unit = ANY (%s)", (migration, list(units))
    )
    return cursor.fetchone()[0] == len(units)


def remove_markers(cursor, migration: str, units: list) -> None:
    """Take back markers: the work that they stood for has to be done again."""
    cursor.execute(f"DELETE FROM {SCHEMA}.unit WHERE migration = %s AND unit = ANY (%s)", (migration, list(units)))


def markers(cursor, migration: str) -> dict:
    """Return C({unit: rows}) of everything that has happened in this database."""
    cursor.execute(f"SELECT unit, rows FROM {SCHEMA}.unit WHERE migration = %s", (migration,))
    return dict(cursor.fetchall())
