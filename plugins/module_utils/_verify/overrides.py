# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns that are not meant to be the same on both ends, and the SQL that is compared in their place.

Such a column may have another type on the target, or be on one end only. What is accepted so stands in the report, whose
verdict says that it rests on it.
"""

from __future__ import annotations

from .._core.errors import InvalidRequest
from .._postgres.connection import value
from .findings import EXPECTED

WORDS = ("database", "table", "column", "expression")

# The table and everything that inherits its columns, as the inventory names columns.
NAMES = """
WITH RECURSIVE tree(oid) AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname || '.' || c.relname = %s
    UNION SELECT h.inhrelid FROM tree JOIN pg_inherits h ON h.inhparent = tree.oid
)
SELECT array_agg(format('%%I.%%I.%%I', n.nspname, c.relname, %s::text)) FROM tree JOIN pg_class c ON c.oid = tree.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
"""
IS_THERE = (
    "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname || '.' || c.relname = %s AND a.attname = %s AND a.attnum > 0 AND NOT a.attisdropped"
)


def checked(overrides, databases) -> tuple:
    """Return I(overrides), dictionaries with the WORDS, as a tuple.

    :raises InvalidRequest: when one lacks a word, or names a database that is not verified, or a column twice
    """
    seen = set()
    for item in overrides:
        lacking = [word for word in WORDS if not item.get(word)]
        if lacking or set(item) - set(WORDS):
            raise InvalidRequest(
                f"'compare_as' has the entry {item!r}, which lacks {', '.join(lacking) or 'nothing but has more'}.",
                f"Give each entry {', '.join(WORDS)}.",
            )
        if item["database"] not in databases:
            raise InvalidRequest(
                f"'compare_as' names database {item['database']}, which is not verified.",
                f"Name one of {', '.join(databases)}.",
            )
        place = tuple(item[word] for word in WORDS[:3])
        if place in seen:
            raise InvalidRequest(f"'compare_as' names column {'.'.join(place)} twice.", "Give one expression for it.")
        seen.add(place)
    return tuple(dict(item) for item in overrides)


def of_database(overrides, database: str) -> dict:
    """Return C({schema.name: {column: SQL}}) of one database."""
    found: dict = {}
    for item in overrides:
        if item["database"] == database:
            found.setdefault(item["table"], {})[item["column"]] = item["expression"]
    return found


def named(expressions: dict, sessions) -> set:
    """Return how the inventory names the columns I(expressions), those of partitions and child tables too.

    :param sessions: of both ends
    :raises InvalidRequest: for a column that neither end has
    """
    names = set()
    for table, columns in expressions.items():
        for column in columns:
            if not any(value(session, IS_THERE, (table, column)) for session in sessions):
                raise InvalidRequest(
                    f"'compare_as' names column {column} of table {table}, which neither server has.",
                    "Write the table as schema.name and both names as the server keeps them, without quotes.",
                )
            for session in sessions:
                names.update(value(session, NAMES, (table, column)) or ())
    return names


def expect(findings: list, names: set) -> list:
    """Return I(findings), those that say that one of the columns I(names) is another one on the target as expected."""
    return [
        {
            **item,
            "severity": EXPECTED,
            "rule": "column-override",
            "msg": "The column is not meant to be the same on both ends ('compare_as').",
            "remedy": "",
        }
        if item["kind"] == "column" and item["object"] in names and item["attribute"] in ("", "type", "collation")
        else item
        for item in findings
    ]
