# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' rows in tables that belong to extensions.

An extension names its configuration tables, and which of their rows are the users' own (pg_extension_config_dump).
Creating the extension has brought the other rows already.
"""

from __future__ import annotations

import io

from .._core.errors import TransferFailed
from .._postgres.connection import rows
from .._postgres.driver import psycopg2
from .._postgres.quoting import qualified, quote_identifier, quote_literal
from .relay import Throttle, relay

# Referenced tables come before those that refer to them.
CONFIGURATION = """
WITH RECURSIVE configured AS (
  SELECT x.extname, u.relation, u.condition FROM pg_catalog.pg_extension x
   CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(x.extconfig), pg_catalog.unnest(x.extcondition)) u(relation, condition)),
level AS (
  SELECT relation, 0 AS depth FROM configured
  UNION
  SELECT k.conrelid, level.depth + 1 FROM level JOIN pg_catalog.pg_constraint k ON k.confrelid = level.relation
     AND k.contype = 'f' AND k.conrelid <> k.confrelid WHERE level.depth < 100)
SELECT f.extname AS extension, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, f.condition,
       array(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
                AND NOT a.attisdropped AND {generated} = '' ORDER BY a.attnum) AS columns
  FROM configured f JOIN pg_catalog.pg_class c ON c.oid = f.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'S')
 ORDER BY (SELECT max(depth) FROM level WHERE level.relation = c.oid), c.oid
"""


def carry_extension_tables(source, target) -> list:
    """Carry the users' rows of every configuration table in one transaction, which may be repeated; return warnings.

    What the target refuses, since the extension's tables belong to somebody else there or look different in its
    version, is left out and named.
    """
    generated = "a.attgenerated" if source.server_version >= 120000 else "''::text"
    found = rows(source, CONFIGURATION.format(generated=generated))
    warnings = []
    if not found:
        return warnings
    with source.cursor() as source_cursor, target.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            for row in reversed(found):
                if row["kind"] == "r":
                    attempt(
                        cursor,
                        row,
                        warnings,
                        f"DELETE FROM ONLY {qualified(row['schema'], row['name'])} {row['condition'] or ''}",
                    )
            refused = {id(row) for row, _message in warnings}
            for row in found:
                if id(row) in refused:
                    continue
                if row["kind"] == "S":
                    attempt(cursor, row, warnings, position(source_cursor, row))
                else:
                    copy(source_cursor, cursor, row, warnings)
            for row in found:
                if row["kind"] == "r" and row not in [lost for lost, _message in warnings]:
                    attempt(cursor, row, [], f"ANALYZE {qualified(row['schema'], row['name'])}")
            cursor.execute("COMMIT")
        except BaseException:
            if not target.closed:
                cursor.execute("ROLLBACK")
            raise
    return [
        f"Rows of {row['schema']}.{row['name']}, a configuration table of the extension {row['extension']}, were not carried: "
        f"{message}. Copy them by hand as the extension's owner."
        for row, message in warnings
    ]


def attempt(cursor, row: dict, warnings: list, statement: str) -> None:
    """Run a statement; enter the server's refusal in I(warnings) instead of raising it."""
    cursor.execute("SAVEPOINT extension_table")
    try:
        cursor.execute(statement)
    except psycopg2.Error as error:
        if error.pgcode is None or cursor.connection.closed:
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT extension_table")
        warnings.append((row, error.diag.message_primary))


def position(source_cursor, row: dict) -> str:
    """Return the statement that puts a configuration sequence where the source's stands."""
    name = qualified(row["schema"], row["name"])
    source_cursor.execute(f"SELECT last_value, is_called FROM {name}")
    last, called = source_cursor.fetchone()
    return f"SELECT pg_catalog.setval({quote_literal(name)}::regclass, {last}, {str(called).lower()})"


def copy(source_cursor, cursor, row: dict, warnings: list) -> None:
    """Carry the rows of one table that meet its condition."""
    name = qualified(row["schema"], row["name"])
    columns = ", ".join(map(quote_identifier, row["columns"]))
    cursor.execute("SAVEPOINT extension_table")
    try:
        # A refusal comes before the source is asked, whose transaction must live on.
        cursor.copy_expert(f"COPY {name} ({columns}) FROM STDIN", io.BytesIO())
        sent, taken, _size = relay(
            source_cursor,
            f"COPY (SELECT {columns} FROM ONLY {name} {row['condition'] or ''}) TO STDOUT",
            cursor,
            f"COPY {name} ({columns}) FROM STDIN",
            Throttle(None),
            lambda _carried: None,
        )
    except psycopg2.Error as error:
        if error.pgcode is None or cursor.connection.closed or source_cursor.connection.closed:
            raise
        if source_cursor.connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INERROR:
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT extension_table")
        warnings.append((row, error.diag.message_primary))
        return
    if sent != taken:
        raise TransferFailed(
            f"Table {row['schema']}.{row['name']}: the source sent {sent} rows, the target took {taken}.",
            "Run the migration again; these rows were rolled back.",
        )
