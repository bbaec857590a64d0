# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the source database holds, as far as the transfer of data needs to know."""

from __future__ import annotations

import sys
from typing import NamedTuple

from .._postgres.connection import portions, rows, value
from .._postgres.quoting import qualified, quote_identifier

USER_SCHEMAS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
NOT_OF_EXTENSION = (
    "NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::regclass"
    " AND x.objid = c.oid AND x.deptype = 'e')"
)

# Binary COPY is safe where the image means the same on both servers: built-in types other than those that carry
# object numbers (reg*, aclitem) or cannot read what they write (an empty tsquery), and enums, whose image is the
# label. Arrays and composites of user types carry the number of the type, which differs on the target.
NOT_BINARY = """
t.typtype <> 'd' AND (t.typname ~ '^_?(reg|aclitem|xml|money|tsquery)' OR t.typsend = 0 OR t.typreceive = 0
                      OR (t.oid >= 10000 AND t.typtype <> 'e'))
"""
# Sizes are those of the main forks: asking for more opens more relations, and there may be tens of thousands.
TABLES = f"""
WITH RECURSIVE basis(oid, type) AS (
  SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
  UNION ALL
  SELECT b.oid, t.typbasetype FROM basis b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'd'),
textual(oid) AS (
  SELECT t.oid FROM pg_catalog.pg_type t WHERE {NOT_BINARY}
  UNION
  SELECT b.oid FROM basis b JOIN pg_catalog.pg_type t ON t.oid = b.type WHERE {NOT_BINARY}),
wanted AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition, c.reltoastrelid
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE (c.relkind = 'r' OR c.oid = ANY (%s)) AND c.relpersistence <> 't' AND {USER_SCHEMAS} AND {NOT_OF_EXTENSION}),
columns AS (
  SELECT a.attrelid, pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) AS names,
         pg_catalog.bool_and(x.oid IS NULL) AS binary
    FROM wanted w JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid LEFT JOIN textual x ON x.oid = a.atttypid
   WHERE a.attnum > 0 AND NOT a.attisdropped AND {{generated}} = '' GROUP BY 1)
SELECT w.oid, w.nspname AS schema, w.relname AS name, COALESCE(pg_catalog.pg_relation_size(w.oid), 0) AS heap,
       COALESCE(pg_catalog.pg_relation_size(NULLIF(w.reltoastrelid, 0)), 0) AS toast,
       c.names AS columns, COALESCE(c.binary, false) AS binary, w.relispartition,
       w.relkind = 'r' AND h.oid IS NULL AND s.oid IS NULL AS alone, pg_catalog.current_setting('block_size')::int AS page
  FROM wanted w LEFT JOIN columns c ON c.attrelid = w.oid
  LEFT JOIN (SELECT inhparent AS oid FROM pg_catalog.pg_inherits UNION SELECT inhrelid FROM pg_catalog.pg_inherits) h
         ON h.oid = w.oid
  LEFT JOIN (SELECT DISTINCT stxrelid AS oid FROM pg_catalog.pg_statistic_ext) s ON s.oid = w.oid
 ORDER BY w.oid
"""

# Rows of a hash partition by an enum sit where the enum's object number sent them, and that differs on the target:
# such a tree is carried as one table, through its root, which sends each row where it belongs now.
LOAD_VIA_ROOT = """
WITH RECURSIVE up AS (
  SELECT i.inhrelid AS leaf, i.inhparent AS parent FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition AND c.relkind = 'r'
  UNION ALL
  SELECT up.leaf, i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.parent),
suspect AS (
  SELECT DISTINCT up.leaf FROM up JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = up.parent AND p.partstrat = 'h'
    JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = ANY (p.partattrs::int2[])
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typtype = 'e')
SELECT DISTINCT r.oid AS root, every.leaf
  FROM suspect s JOIN up ON up.leaf = s.leaf
  JOIN pg_catalog.pg_class r ON r.oid = up.parent AND NOT r.relispartition
  JOIN up AS every ON every.parent = r.oid
"""

SEQUENCES_AT_ONCE = 200  # in one query
SEQUENCES = f"""
SELECT n.nspname, c.relname, pg_catalog.pg_sequence_last_value(c.oid)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND {USER_SCHEMAS} AND {NOT_OF_EXTENSION} ORDER BY 1, 2
"""

MATERIALIZED_VIEWS = f"""
SELECT c.oid, n.nspname AS schema, c.relname AS name, pg_catalog.pg_table_size(c.oid) AS bytes,
       array(SELECT DISTINCT d.refobjid::bigint FROM pg_catalog.pg_rewrite w
               JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
                AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> c.oid
              WHERE w.ev_class = c.oid) AS reads
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'm' AND c.relispopulated AND {USER_SCHEMAS} AND {NOT_OF_EXTENSION} ORDER BY c.oid
"""

VIEWS_READ = """
SELECT w.ev_class AS oid, array_agg(DISTINCT d.refobjid::bigint) AS reads
  FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class AND c.relkind = 'v'
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> w.ev_class
 GROUP BY 1
"""

# Who owns what in which schema, for every catalogue whose objects have both.
OWNED = {
    "pg_class": ("relnamespace", "relowner"),
    "pg_proc": ("pronamespace", "proowner"),
    "pg_type": ("typnamespace", "typowner"),
    "pg_operator": ("oprnamespace", "oprowner"),
    "pg_opclass": ("opcnamespace", "opcowner"),
    "pg_opfamily": ("opfnamespace", "opfowner"),
    "pg_collation": ("collnamespace", "collowner"),
    "pg_conversion": ("connamespace", "conowner"),
    "pg_ts_dict": ("dictnamespace", "dictowner"),
    "pg_ts_config": ("cfgnamespace", "cfgowner"),
    "pg_statistic_ext": ("stxnamespace", "stxowner"),
}
MULTIRANGE_COMMENTS = f"""
SELECT n.nspname AS schema, t.typname AS name, d.description AS comment
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_type'::regclass AND d.objoid = t.oid
 WHERE t.typtype = 'm' AND {USER_SCHEMAS}
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x JOIN pg_catalog.pg_range r ON r.rngtypid = x.objid
                    WHERE r.rngmultitypid = t.oid AND x.classid = 'pg_catalog.pg_type'::regclass AND x.deptype = 'e')
"""
PUBLISHERS = "SELECT DISTINCT pg_catalog.pg_get_userbyid(pubowner) AS owner FROM pg_catalog.pg_publication"
CREATORS = """
SELECT pg_catalog.pg_get_userbyid(a.grantee) AS owner FROM pg_catalog.pg_database d, LATERAL pg_catalog.aclexplode(d.datacl) a
 WHERE d.datname = pg_catalog.current_database() AND a.privilege_type = 'CREATE' AND a.grantee <> 0
"""

# Partitions are analysed by their root, which the autovacuum daemon never analyses by itself. Of tables see M(Table).
ANALYZED = f"""
SELECT c.oid, n.nspname AS schema, c.relname AS name, pg_catalog.pg_relation_size(c.oid) AS bytes
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('p', 'm') AND NOT c.relispartition AND (c.relkind <> 'm' OR c.relispopulated)
   AND {USER_SCHEMAS} AND {NOT_OF_EXTENSION}
"""

DATABASE = """
SELECT d.datname AS name, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate,
       d.datctype AS ctype, pg_catalog.pg_get_userbyid(d.datdba) AS owner, d.datconnlimit AS connection_limit
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
"""

DATABASE_LOCALE = {
    15: "CASE d.datlocprovider WHEN 'i' THEN 'icu' ELSE 'libc' END AS provider, d.daticulocale AS locale",
    16: "CASE d.datlocprovider WHEN 'i' THEN 'icu' ELSE 'libc' END AS provider, d.daticulocale AS locale,"
    " d.daticurules AS rules",
    17: "CASE d.datlocprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END AS provider,"
    " d.datlocale AS locale, d.daticurules AS rules",
}


class Table(NamedTuple):
    """A table whose rows are carried; sizes in bytes, of rows in the table and out of line together.

    I(tree) marks the root of a partitioned table whose leaves are carried through it; I(leaves) are their numbers.
    I(pages) is the size of the heap in pages, I(toast_bytes) what lies out of line. I(alone) says that statistics of
    the table are about itself only: no other table inherits, no statistics object is concerned.
    """

    oid: int
    schema: str
    name: str
    bytes: int
    columns: tuple
    binary: bool
    tree: bool = False
    leaves: tuple = ()
    pages: int = 0
    toast_bytes: int = 0
    is_partition: bool = False
    alone: bool = False

    @property
    def label(self) -> str:
        """The table as people name it."""
        return f"{self.schema}.{self.name}"

    @property
    def unit(self) -> str:
        """The name of the work of copying it, in journal and markers."""
        return f"table:{self.schema}.{self.name}:{self.oid}"

    @property
    def column_list(self) -> str:
        """The parenthesised column list of COPY; empty for a table whose columns are all generated, or that has none."""
        return "(" + ", ".join(map(quote_identifier, self.columns)) + ")" if self.columns else ""


def read_tables(connection) -> list:
    """Return every ordinary table with rows of its own that is not part of an extension."""
    generated = "a.attgenerated" if connection.server_version >= 120000 else "''::text"
    trees: dict = {}
    if connection.server_version >= 110000:
        for row in rows(connection, LOAD_VIA_ROOT):
            trees.setdefault(row["root"], []).append(row["leaf"])
    inside = {leaf for leaves in trees.values() for leaf in leaves}
    tables, parts = [], {}
    same: dict = {}  # most tables share their columns' names with others
    for oid, schema, name, heap, toast, columns, binary, is_partition, alone, page in portions(
        connection, TABLES.format(generated=generated), (list(trees),)
    ):
        if oid in inside:
            parts[oid] = heap + toast
            continue
        columns = tuple(map(sys.intern, columns or ()))
        columns = same.setdefault(columns, columns)
        # An empty column list cannot be spelled in binary form by every major.
        tables.append(
            Table(oid, sys.intern(schema), name, heap + toast, columns, binary and bool(columns), False, (),
                  heap // page, toast, is_partition, alone)
        )  # fmt: skip
    return [with_leaves(table, trees[table.oid], parts) if table.oid in trees else table for table in tables]


def with_leaves(table: Table, leaves: list, parts: dict) -> Table:
    """Return the root of a tree with its leaves, whose bytes are I(parts) by number."""
    present = tuple(leaf for leaf in leaves if leaf in parts)
    size = table.bytes + sum(parts[leaf] for leaf in present)
    return table._replace(bytes=size, tree=bool(present), leaves=present)


def owners_by_schema(connection) -> set:
    """Return C({(schema, owner)}) of everything that users own in schemas of their own."""
    parts = [
        f"SELECT n.nspname AS schema, pg_catalog.pg_get_userbyid(o.{owner}) AS owner FROM pg_catalog.{name} o"
        f" JOIN pg_catalog.pg_namespace n ON n.oid = o.{space} WHERE {USER_SCHEMAS}"
        for name, (space, owner) in OWNED.items()
    ]
    return {(row["schema"], row["owner"]) for row in rows(connection, " UNION ".join(parts))}


def read_sequences(connection) -> list:
    """Return C([(schema, name, last_value, is_called)]) of every sequence that is not part of an extension."""
    found, asked = [], []
    for schema, name, last_value in portions(connection, SEQUENCES):
        # One that was never called tells where it stands only when it is asked by itself, which costs more.
        if last_value is None:
            asked.append((schema, name))
        else:
            found.append((schema, name, last_value, True))
    for start in range(0, len(asked), SEQUENCES_AT_ONCE):
        some = asked[start : start + SEQUENCES_AT_ONCE]
        parts = (
            f"SELECT {number} AS number, last_value, is_called FROM {qualified(schema, name)}"
            for number, (schema, name) in enumerate(some)
        )
        for row in rows(connection, " UNION ALL ".join(parts)):
            found.append((*some[row["number"]], row["last_value"], row["is_called"]))
    return found


def read_materialized_views(connection) -> list:
    """Return the populated materialised views as C([(schema, name, bytes, oid)]), each after those that it reads."""
    views = {row["oid"]: row for row in rows(connection, MATERIALIZED_VIEWS)}
    reads = {row["oid"]: row["reads"] for row in rows(connection, VIEWS_READ)} if views else {}
    reads.update({oid: row["reads"] for oid, row in views.items()})
    ordered, seen = [], set()

    def visit(oid: int) -> None:
        if oid in seen:
            return
        seen.add(oid)
        for read in reads.get(oid, ()):
            visit(read)
        if oid in views:
            ordered.append(views[oid])

    for oid in views:
        visit(oid)
    return [(row["schema"], row["name"], row["bytes"], row["oid"]) for row in ordered]


class Analyzed(NamedTuple):
    """A relation to analyse; I(alone) as in M(Table)."""

    oid: int
    schema: str
    name: str
    bytes: int
    alone: bool

    @property
    def unit(self) -> str:
        """The name of the work in journal and markers."""
        return f"analyze:{self.schema}.{self.name}"

    @property
    def label(self) -> str:
        """The relation as people name it."""
        return f"{self.schema}.{self.name}"


def read_analyzed(connection, tables: list) -> list:
    """Return the relations to analyse, largest first: of I(tables) those that are no partitions, and what holds others' rows."""
    found = [
        Analyzed(table.oid, table.schema, table.name, table.bytes, table.alone)
        for table in tables
        if not table.is_partition and not table.tree
    ]
    found += [
        Analyzed(row["oid"], row["schema"], row["name"], row["bytes"], False) for row in rows(connection, ANALYZED)
    ]
    return sorted(found, key=lambda relation: -relation.bytes)


def read_multirange_comments(connection) -> list:
    """Return C([(schema, name, comment)]) of the commented multirange types of users."""
    if connection.server_version < 140000:
        return []
    found = rows(connection, MULTIRANGE_COMMENTS)
    return [(row["schema"], row["name"], row["comment"]) for row in found]


def read_large_objects(connection) -> list:
    """Return the numbers of all large objects, ascending."""
    return [row["oid"] for row in rows(connection, "SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY oid")]


def read_database(connection) -> dict:
    """Return C({name, encoding, collate, ctype, owner, connection_limit, provider, locale}) of the current database."""
    found = rows(connection, DATABASE)[0]
    found.update(provider="libc", locale=None)
    wanted = [query for version, query in DATABASE_LOCALE.items() if connection.server_version // 10000 >= version]
    if wanted:
        name = "pg_catalog.current_database()"
        found.update(rows(connection, f"SELECT {wanted[-1]} FROM pg_catalog.pg_database d WHERE datname = {name}")[0])
    return found


def user_objects(connection) -> int:
    """Return how many relations, functions, schemas and large objects of users the current database holds, the helper schema aside."""
    return value(
        connection,
        """
        SELECT (SELECT count(*) FROM pg_catalog.pg_class o JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
                 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'azpg_migrate')
                   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.objid = o.oid AND x.deptype = 'e'))
             + (SELECT count(*) FROM pg_catalog.pg_proc o JOIN pg_catalog.pg_namespace n ON n.oid = o.pronamespace
                 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.objid = o.oid AND x.deptype = 'e'))
             + (SELECT count(*) FROM pg_catalog.pg_namespace n
                 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'azpg_migrate', 'public')
                   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.objid = n.oid AND x.deptype = 'e'))
             + (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata)
        """,
    )
