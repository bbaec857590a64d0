# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a database, how their rows are to be hashed alike on both ends, and their fingerprints."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._core.canonical import digest
from .._postgres.connection import rows
from .._postgres.driver import psycopg2
from .._postgres.fingerprint import (
    ColumnsDiffer,
    choose_forms,
    guarded,
    read_all_columns,
    row_hash,
    table_fingerprints,
    with_expressions,
)
from .pieces import Piece

# What holds rows, or might: partitioned roots are summed up from their leaves, foreign tables hold none here.
TABLES = """
WITH RECURSIVE tree AS (
    SELECT c.oid, c.oid AS root FROM pg_class c WHERE c.relkind = 'p' AND NOT {partition}
    UNION ALL
    SELECT h.inhrelid, tree.root FROM tree JOIN pg_inherits h ON h.inhparent = tree.oid
), configuration AS (
    SELECT u.relation AS oid, min(u.condition) AS condition
    FROM pg_extension x CROSS JOIN LATERAL unnest(x.extconfig, x.extcondition) u(relation, condition) GROUP BY 1
)
SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, c.relpersistence::text AS persistence,
       c.relispopulated AS populated, {sizes}, coalesce(am.amname, '') AS method,
       rn.nspname AS root_schema, r.relname AS root_name,
       x.extname AS extension, f.condition,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS has_columns
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_am am ON am.oid = c.relam
LEFT JOIN tree ON tree.oid = c.oid AND tree.root <> c.oid
LEFT JOIN pg_class r ON r.oid = tree.root
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
LEFT JOIN configuration f ON f.oid = c.oid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = d.refobjid
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1, 2
"""
SIZES = "pg_table_size(c.oid) AS bytes, pg_relation_size(c.oid) / current_setting('block_size')::int AS blocks"
# Asking for a size waits for whoever holds the table; what the planner believes does not.
ESTIMATED = (
    "(c.relpages + coalesce((SELECT t.relpages FROM pg_class t WHERE t.oid = c.reltoastrelid), 0)::int8) "
    "* current_setting('block_size')::int AS bytes, c.relpages AS blocks"
)
LOCK_NOT_AVAILABLE = "55P03"


@dataclass
class Table:
    """One relation of one database as both ends have it; either of I(source) and I(target) may be None."""

    schema: str
    name: str
    source: dict | None = None
    target: dict | None = None
    forms: list | None = None
    columns: dict = field(default_factory=dict)  # side -> [Column]
    prehash: bool = False
    problem: tuple | None = None  # (verdict, msg, remedy)
    overrides: dict = field(default_factory=dict)  # column -> SQL that is compared in its place
    results: dict = field(default_factory=dict)  # side -> {count, sum, seconds, expression_sha256} or {error, ...}

    @property
    def full_name(self) -> str:
        """C(schema.name) as people write it."""
        return f"{self.schema}.{self.name}"

    @property
    def facts(self) -> dict:
        """What the source says of the table, else the target."""
        return self.source or self.target

    @property
    def bytes(self) -> int:
        """The larger of the two sizes."""
        return max((side["bytes"] or 0) for side in (self.source, self.target) if side)


def read_tables(source, target, excluded_schemas) -> dict:
    """Return C({(schema, name): Table}) for the union of both ends, without the schemas excluded.

    Either of I(source) and I(target) may be None, which leaves that end out.
    """
    tables = {}
    for side, connection in (("source", source), ("target", target)):
        for row in _listed(connection) if connection else ():
            if row["schema"] in excluded_schemas:
                continue
            key = (row["schema"], row["name"])
            setattr(tables.setdefault(key, Table(*key)), side, row)
    return tables


def _listed(connection) -> list:
    """Return what there is on one end; sizes are estimates where somebody keeps a table locked."""
    partition = "c.relispartition" if connection.server_version >= 100000 else "false"
    try:
        return guarded(connection, TABLES.format(sizes=SIZES, partition=partition), "the catalogue", named=True)
    except psycopg2.Error as error:
        if error.pgcode != LOCK_NOT_AVAILABLE:
            raise
        return rows(connection, TABLES.format(sizes=ESTIMATED, partition=partition))


def skip_reason(table: Table) -> str | None:
    """Return why a table is, by its nature, not compared; None when it is."""
    facts = table.facts
    if facts["kind"] == "f":
        return "foreign table: its rows are elsewhere"
    if facts["extension"] and facts["condition"] is None:
        return f"belongs to the extension {facts['extension']}"
    if facts["extension"] and not table.source:
        return f"the extension {facts['extension']} has brought it to the target"
    if facts["kind"] == "m" and not all(side["populated"] for side in (table.source, table.target) if side):
        return "materialised view without data"
    return None


def plan(tables: dict, source, target, expressions: dict | None = None) -> list:
    """Choose for every table on both ends the forms of its columns, and return the tables to be read.

    :param expressions: C({schema.name: {column: SQL}}) of columns in whose place an expression is to be compared

    The leaves of a partitioned table take the forms, and so the order of columns, of its root: rows may have landed
    in another leaf, and the sums over all leaves must still agree.
    """
    columns = {"source": read_all_columns(source), "target": read_all_columns(target)}
    chosen = {}
    work = []
    for key, table in tables.items():
        if skip_reason(table):
            continue
        if not table.source or not table.target:
            there = "source" if table.source else "target"
            table.problem = ("MISMATCH", f"The table exists only on the {there}.", "See the differences of the schema.")
            continue
        root = (table.source["root_schema"], table.source["root_name"])
        root = root if root in tables and tables[root].target else key
        try:
            table.overrides = (expressions or {}).get(tables[root].full_name, {})
            if root not in chosen:
                ends = (with_expressions(columns[side].get(root, []), table.overrides) for side in columns)
                chosen[root] = choose_forms(*ends)
            table.forms = chosen[root]
            table.columns = {side: with_expressions(columns[side].get(key, []), table.overrides) for side in columns}
        except ColumnsDiffer as error:
            table.problem = ("MISMATCH", error.msg, error.hint)
            continue
        if table.facts["kind"] != "p":
            work.append(table)
    return work


def server_fingerprint(session, piece: Piece, side: str, counts_only: bool) -> list:
    """Return C([{count, sum, expression}]) of one end for the tables of a piece.

    :raises RowTooLarge: when a row passes 1 GB; repeat both ends with C(table.prehash)
    :raises psycopg2.Error: what the server says
    """
    asked = []
    for table in piece.tables:
        expression = None if counts_only else row_hash(table.forms, table.columns[side], table.prehash)
        condition = piece.condition or getattr(table, side)["condition"] or ""
        asked.append((table.schema, table.name, expression, condition))
    found = table_fingerprints(session, asked)
    return [
        {"count": count, "sum": total, "expression": digest(expression or "")}
        for (count, total), (_schema, _name, expression, _condition) in zip(found, asked)
    ]
