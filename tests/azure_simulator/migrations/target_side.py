# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service does to a database of the target around the data: drop it before, finish it afterwards."""

from __future__ import annotations

import psycopg2

from tests.azure_simulator.migrations.sessions import quoted, rows, session

DROPPABLE = "SELECT pg_has_role(current_user, datdba, 'MEMBER') FROM pg_database WHERE datname = %s"


class NotDroppable(Exception):
    """603117 or 603111, as a text."""


def databases(words: dict) -> list[str]:
    """Return the names of the databases of a server."""
    with session(words) as connection:
        return [name for (name,) in rows(connection, "SELECT datname FROM pg_database WHERE NOT datistemplate")]


def drop(words: dict, name: str) -> None:
    """Drop a database of that name, if there is one. Raises NotDroppable with the service's number."""
    with session(words) as connection:
        found = rows(connection, DROPPABLE, (name,))
        if not found:
            return
        if not found[0][0]:
            raise NotDroppable(f"603117: Migration user cannot drop database {name} on the target server.")
        try:
            rows(connection, f"DROP DATABASE {quoted(name)} WITH (FORCE)")
        except psycopg2.Error as error:
            raise NotDroppable(f"603111: Sessions on target database {name} cannot be ended: {error}".strip()) from None


def finish(words: dict, name: str) -> None:
    """Collect statistics, which the service does at the end."""
    with session(words, name) as connection:
        rows(connection, "ANALYZE")
