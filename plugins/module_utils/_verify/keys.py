# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of tables: what tells one row from every other."""

from __future__ import annotations

from dataclasses import dataclass

from .._postgres.connection import rows

# A deferrable constraint counts too: what a snapshot sees has been committed.
UNIQUE_INDEXES = """
SELECT n.nspname::text AS schema, c.relname::text AS name, i.indisprimary AS is_primary,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k(number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
             WHERE k.place <= i.{width} ORDER BY k.place) AS columns,
       i.{width} = 1 AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid
           AND a.attnum = i.indkey[0] AND a.atttypid IN (20, 21, 23)) AS counts_up
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k(number, place)
                  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                  WHERE k.place <= i.{width} AND NOT a.attnotnull)
ORDER BY 1, 2, i.indisprimary DESC, i.{width}, x.relname
"""

PRIMARY, UNIQUE, NONE = "primary key", "unique index", "none"


@dataclass(frozen=True)
class Key:
    """How rows of a table are told apart.

    I(kind) is C(primary key), C(unique index) (over columns that are all NOT NULL) or C(none), in which case
    I(columns) is empty and a row is told by its whole contents; I(counts_up) says that it is one integer column.
    """

    kind: str = NONE
    columns: tuple = ()
    counts_up: bool = False


NO_KEY = Key()


def read_keys(connection) -> dict:
    """Return C({(schema, table): Key}) of all user tables that have a key; the primary key wins over other indexes."""
    width = "indnkeyatts" if connection.server_version >= 110000 else "indnatts"
    keys = {}
    for row in rows(connection, UNIQUE_INDEXES.format(width=width)):
        kind = PRIMARY if row["is_primary"] else UNIQUE
        keys.setdefault((row["schema"], row["name"]), Key(kind, tuple(row["columns"]), bool(row["counts_up"])))
    return keys


def key_forms(key: Key, forms: list) -> list | None:
    """Return C([(column, form)]) of a key's columns out of a table's I(forms), or None without a usable key."""
    known = dict(forms or [])
    if not key.columns or any(name not in known for name in key.columns):
        return None
    return [(name, known[name]) for name in key.columns]
