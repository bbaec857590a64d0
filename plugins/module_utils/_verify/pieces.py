# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of work: large tables are cut, small ones put together, so that sessions share the load and calls are few.

Only the totals of both ends are compared, so each end is cut as suits it. From 14 on a table is cut by its blocks, at no
cost. Before 14 such a condition reads the whole table every time; there a table is cut along a key that counts up and
along which its rows lie, which costs 10 to 25 % more processor time than reading it whole, so only very large ones are.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._postgres.connection import value
from .._postgres.driver import psycopg2
from .._postgres.quoting import qualified, quote_identifier

# Bytes, tables with their TOAST.
BY_BLOCKS = 64 << 20
BY_KEY = 1 << 30
SMALL = 1 << 20
TOGETHER = 50

# Below this, rows do not lie along the key, and reading a part of it would fetch most blocks several times.
CORRELATED = 0.9

HEAP = "heap"


@dataclass(frozen=True)
class Piece:
    """Tables to be read at once: part of one table where I(condition) is a C(WHERE) clause, else one or more whole."""

    tables: tuple
    condition: str = ""
    bytes: int = 0

    @property
    def table(self):
        """The only table."""
        (table,) = self.tables
        return table


def whole(_side: str, _connection, tables: list) -> list:
    """Return one piece per table."""
    return [Piece((table,), "", table.bytes) for table in tables]


class Cutter:
    """Cuts tables into pieces for reading in the servers; I(keys) are those of M(keys.read_keys)."""

    def __init__(self, keys: dict):
        self.keys = keys

    def __call__(self, side: str, connection, tables: list) -> list:
        """Return the pieces of one end; together they hold every row of every table once.

        A table that is cut is locked against being rewritten, which ACCESS SHARE does, until the transaction ends:
        blocks mean something only as long as rows stay in them.
        """
        pieces, small = [], []
        for table in tables:
            facts = getattr(table, side)
            conditions = [] if facts["condition"] else self._conditions(side, connection, table, facts)
            if len(conditions) > 1:
                part = facts["bytes"] // len(conditions)
                pieces += [Piece((table,), condition, part) for condition in conditions]
            elif facts["bytes"] < SMALL:
                small.append(table)
            else:
                pieces.append(Piece((table,), "", facts["bytes"]))
        for start in range(0, len(small), TOGETHER):
            some = small[start : start + TOGETHER]
            pieces.append(Piece(tuple(some), "", sum(getattr(table, side)["bytes"] for table in some)))
        return pieces

    def _conditions(self, side: str, connection, table, facts: dict) -> list:
        if connection.server_version >= 140000:
            blocks = facts["blocks"] if facts["method"] == HEAP else 0
            number = min(-(-facts["bytes"] // BY_BLOCKS), blocks)
            return by_blocks(blocks, number) if number > 1 and _locked(connection, table) else []
        number = -(-facts["bytes"] // BY_KEY)
        key = self.keys.get((table.schema, table.name))
        if number < 2 or not key or not key.counts_up:
            return []
        column = key.columns[0]
        return by_key(column, _bounds(connection, table, column), number) if _locked(connection, table) else []


def by_blocks(blocks: int, number: int) -> list:
    """Return I(number) conditions on C(t.ctid); the last has no end, since the table may have grown."""
    starts = [blocks * part // number for part in range(number)]
    return [
        f"WHERE t.ctid >= '({start},0)'::pg_catalog.tid"
        + (f" AND t.ctid < '({end},0)'::pg_catalog.tid" if end is not None else "")
        for start, end in zip(starts, [*starts[1:], None])
    ]


def by_key(column: str, bounds: tuple | None, number: int) -> list:
    """Return up to I(number) conditions on a NOT NULL integer column; the first has no beginning and the last no end."""
    if bounds is None:
        return []
    low, high = bounds
    name = f"t.{quote_identifier(column)}"
    cuts = sorted({low + (high - low + 1) * part // number for part in range(1, number)} - {low})
    return [
        "WHERE "
        + " AND ".join(
            test
            for test in (
                f"{name} >= {start}" if start is not None else "",
                f"{name} < {end}" if end is not None else "",
            )
            if test
        )
        for start, end in zip([None, *cuts], [*cuts, None])
        if (start, end) != (None, None)
    ]


def _attempt(connection, sql: str, parameters=None) -> tuple | None:
    """Return the first row, or None for what may not be read: whoever reads the table then will say why."""
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT azpg_pieces")
        try:
            cursor.execute(sql, parameters)
            found = cursor.fetchone() if cursor.description else ()
        except psycopg2.Error:
            if connection.closed:
                raise
            cursor.execute("ROLLBACK TO SAVEPOINT azpg_pieces")
            found = None
        cursor.execute("RELEASE SAVEPOINT azpg_pieces")
    return found


def _locked(connection, table) -> bool:
    sql = f"LOCK TABLE ONLY {qualified(table.schema, table.name)} IN ACCESS SHARE MODE"
    # Materialised views cannot be locked; they are read whole.
    return table.facts["kind"] == "r" and _attempt(connection, sql) is not None


def _bounds(connection, table, column: str) -> tuple | None:
    along = value(
        connection,
        "SELECT abs(correlation) FROM pg_stats WHERE schemaname = %s AND tablename = %s AND attname = %s AND NOT inherited",
        (table.schema, table.name, column),
    )
    if along is None or along < CORRELATED:
        return None
    name = quote_identifier(column)
    sql = f"SELECT pg_catalog.min({name}), pg_catalog.max({name}) FROM ONLY {qualified(table.schema, table.name)}"
    found = _attempt(connection, sql)
    return found if found and found[0] is not None else None
