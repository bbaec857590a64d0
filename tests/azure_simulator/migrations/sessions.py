# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions on the two ends, for checks and for what carries data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg2


@contextlib.contextmanager
def session(words: dict, dbname: str = "postgres") -> Iterator:
    """Give a session outside transactions. Raises psycopg2.Error."""
    given = {key: value for key, value in words.items() if value is not None and key != "dbname"}
    connection = psycopg2.connect(
        **{"connect_timeout": 10, "application_name": "azure-simulator", **given, "dbname": dbname}
    )
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def rows(connection, sql: str, parameters: tuple | None = None) -> list[tuple]:
    """Run a statement; return its rows, none where it has none."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def value(connection, sql: str, parameters: tuple | None = None):
    """Return the first column of the first row."""
    return rows(connection, sql, parameters)[0][0]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
