# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table as the stream tells it beside the table of the target that its changes go to."""

from __future__ import annotations

from dataclasses import dataclass

from ..._core.errors import TransferFailed
from ..._postgres.connection import rows
from ..._postgres.quoting import qualified, quote_identifier
from .pgoutput import Relation

FIRST_VARIABLE_OID = 10000  # types below have the same number on every server
FULL = "f"

# The leaves of some partitioned tables are loaded through their root, see M(catalogue.LOAD_VIA_ROOT): so are changes.
TARGET = """
WITH RECURSIVE home AS (
  SELECT c.oid, c.relkind, n.nspname, c.relname FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND c.relkind IN ('r', 'p')),
base AS (
  SELECT a.attnum, t.oid, t.typtype, t.typbasetype, t.typname, t.typsend, t.typreceive, t.typnamespace
    FROM home h JOIN pg_catalog.pg_attribute a ON a.attrelid = h.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  UNION ALL
  SELECT b.attnum, t.oid, t.typtype, t.typbasetype, t.typname, t.typsend, t.typreceive, t.typnamespace
    FROM base b JOIN pg_catalog.pg_type t ON b.typtype = 'd' AND t.oid = b.typbasetype)
SELECT a.attname AS name, b.oid::pg_catalog.int8 AS type_oid, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_text,
       n.nspname AS type_schema, b.typname AS type_name, {generated} <> '' AS generated, a.attidentity::text AS identity,
       a.attstorage <> 'p' AS toastable, h.relkind = 'p' AS is_root,
       b.typname !~ '^_?(reg|aclitem|xml|money|tsquery)' AND b.typsend <> 0 AND b.typreceive <> 0
       AND (b.oid < 10000 OR b.typtype = 'e') AS binary,
       EXISTS (SELECT 1 FROM pg_catalog.pg_index i
                WHERE i.indrelid = h.oid AND i.indisprimary AND i.indimmediate AND i.indisvalid
                  AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) AS primary_key
  FROM home h JOIN pg_catalog.pg_attribute a ON a.attrelid = h.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN base b ON b.attnum = a.attnum AND b.typtype <> 'd' JOIN pg_catalog.pg_namespace n ON n.oid = b.typnamespace
 ORDER BY a.attnum
"""
EXISTS = "SELECT pg_catalog.to_regclass(%s) IS NOT NULL AS there"


@dataclass(frozen=True)
class TargetColumn:
    """A column of the target's table.

    I(type_schema) and I(type_name) name the type below any domains, as the stream does; I(binary) says that its binary
    images mean the same on both servers.
    """

    name: str
    type_oid: int
    type_text: str
    type_schema: str
    type_name: str
    generated: bool
    identity: str
    toastable: bool
    is_root: bool
    binary: bool
    primary_key: bool


class Table:
    """A table whose changes are applied.

    I(columns) are the target's columns in the order in which the stream sends their values; I(key) are the places in
    there by which a row is found, empty for a table in which only the whole row tells; I(only) is C(ONLY ), or empty for
    a root whose partitions are reached through it.
    """

    def __init__(self, relation: Relation, schema: str, name: str, columns: list, types: dict):
        """Match the columns.

        :param relation: as the stream tells it
        :param schema: of the target's table; I(name) likewise
        :param columns: the M(TargetColumn)s of the target's table
        :param types: C({oid: (schema, name)}) of the source's types that are not built in
        :raises TransferFailed: when the two do not fit: somebody has changed the definition on one side
        """
        self.relation = relation
        self.schema = schema
        self.name = name
        self.label = f"{schema}.{name}"
        self.qualified = qualified(schema, name)
        known = {column.name: column for column in columns}
        self.columns = tuple(self.match(column, known, types) for column in relation.columns)
        sent = {column.name for column in relation.columns}
        self.unsent = tuple(column.name for column in columns if column.name not in sent and not column.generated)
        self.only = "" if columns and columns[0].is_root else "ONLY "
        self.key = self.find_key()
        self.bag = not self.key
        self.binary = all(column.binary for column in self.columns)
        self.toastable = any(column.toastable for column in self.columns)
        self.fixed = frozenset(place for place, column in enumerate(self.columns) if column.identity == "a")
        # A row that goes and comes back under its key may be changed in place, unless a column cannot be.
        self.replaceable = not (self.fixed - set(self.key))

    def match(self, column, known: dict, types: dict) -> TargetColumn:
        """Return the target's column for one of the stream's."""
        found = known.get(column.name)
        if found is None or found.generated:
            what = "is generated there" if found else "is not there"
            raise self.differs(f"column {column.name} was sent, and {what}", column.name)
        name = types.get(column.type_oid)
        is_built_in = column.type_oid < FIRST_VARIABLE_OID
        if name != (found.type_schema, found.type_name) and not (is_built_in and found.type_oid == column.type_oid):
            name = ".".join(name or ("type", str(column.type_oid)))
            raise self.differs(f"column {column.name} has type {name} there and {found.type_text} here", column.name)
        return found

    def differs(self, words: str, column: str) -> TransferFailed:
        """Return the error for a definition that differs."""
        return TransferFailed(
            f"Table {self.label} has another definition on the target than on the source: {words}.",
            "The source's definition was changed while changes flow. Make the same change on the target (ALTER TABLE), then "
            "run the migration again: it goes on from where it stopped.",
            {"table": self.label, "column": column},
        )

    def find_key(self) -> tuple:
        """Return the places of the columns by which a row is found: of the identity, or of the primary key instead."""
        if self.relation.identity == FULL:
            return tuple(place for place, column in enumerate(self.columns) if column.primary_key)
        return tuple(place for place, column in enumerate(self.relation.columns) if column.key)

    def name_of(self, place: int) -> str:
        """Return a column's quoted name."""
        return quote_identifier(self.columns[place].name)


def read_target(session, schema: str, name: str) -> list:
    """Return the M(TargetColumn)s of a table; an empty list when there is no such table, or it has no column."""
    generated = "a.attgenerated" if session.server_version >= 120000 else "''::text"
    found = rows(session, TARGET.format(generated=generated), {"schema": schema, "name": name})
    return [TargetColumn(**row) for row in found]


def read_table(session, relation: Relation, roots: dict, types: dict) -> Table:
    """Return the target's counterpart of a table of the stream.

    :param roots: C({leaf's oid on the source: (schema, name) of its root}) of leaves that are reached through the root
    :param types: see M(Table)
    :raises TransferFailed: when the target has none, or one with another definition
    """
    schema, name = roots.get(relation.oid, (relation.schema, relation.name))
    columns = read_target(session, schema, name)
    if not columns and not rows(session, EXISTS, (qualified(schema, name),))[0]["there"]:
        raise TransferFailed(
            f"Table {schema}.{name} is not on the target, and the source sends changes of it.",
            "It was created or renamed on the source while changes flow. Do the same on the target, then run the migration "
            "again: it goes on from where it stopped.",
            {"table": f"{schema}.{name}"},
        )
    return Table(relation, schema, name, columns, types)
