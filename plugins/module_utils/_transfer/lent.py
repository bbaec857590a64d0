# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memberships lent to the migration's user when several migrations at once share a target.

PostgreSQL knows a membership once, however many need it, and only the migration that came first has entered it as its
own. So the one that ends does not take it back while another is at work: it hands it over, as an entry among the markers
of the other's database, and the last one takes it back.
"""

from __future__ import annotations

from .._core.errors import MigrationError
from .._core.request import Request
from .._postgres.connection import connect, rows, transaction
from .._postgres.driver import psycopg2
from . import marker
from .inventory import thing_of, unit_of

# Who drops the helper schema locks the table first, so an entry is either seen by its owner or refused.
LOCK = f"LOCK TABLE {marker.SCHEMA}.unit IN ACCESS EXCLUSIVE MODE"
HAND_OVER = f"""
INSERT INTO {marker.SCHEMA}.unit (migration, unit) SELECT m.name, u.unit
  FROM (SELECT name FROM {marker.SCHEMA}.migration ORDER BY name LIMIT 1) m, unnest(%s::text[]) AS u(unit)
ON CONFLICT DO NOTHING
"""
OTHERS = """
SELECT d.datname FROM pg_catalog.pg_database d
 WHERE d.datallowconn AND NOT d.datistemplate AND pg_catalog.has_database_privilege(d.oid, 'CONNECT') ORDER BY 1
"""


def entries(units) -> list:
    """Return the roles that markers name as lent to the migration's user."""
    return [thing["name"] for thing in map(thing_of, units) if thing and thing["kind"] == "membership"]


def drop_helper_schema(session, migration: str) -> list:
    """Drop the helper schema of a session's database; return the roles that its markers name as lent."""
    with transaction(session) as cursor:
        cursor.execute(LOCK)
        found = entries(marker.markers(cursor, migration))
        cursor.execute(f"DROP SCHEMA {marker.SCHEMA} CASCADE")
    return found


def hand_over(administration, request: Request, names: list) -> str | None:
    """Let another migration that is at work on the target take the roles I(names) back; return its name, None without one."""
    if not names:
        return None
    units = [unit_of({"side": "target", "database": None, "kind": "membership", "name": name}) for name in names]
    for row in rows(administration, OTHERS):
        if row["datname"] in request.databases:
            continue
        try:
            session = connect(request.target, "target", row["datname"])
        except MigrationError:
            continue
        try:
            with session.cursor() as cursor:
                owner = marker.owner_of(cursor)
                if owner:
                    cursor.execute(HAND_OVER, (units,))
                    return owner[0]
        except psycopg2.Error:
            # It has ended meanwhile, or works as another user, who has memberships of its own.
            continue
        finally:
            session.close()
    return None
