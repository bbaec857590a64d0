# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much work a database is: every table, index, key and step in bytes that would take as long to copy.

One unit of work is the copying of one byte of a table. The factors were measured on large tables; what a run measures
of itself (see M(time_left)) soon takes their place.
"""

from __future__ import annotations

from .._postgres.connection import rows
from .catalogue import NOT_OF_EXTENSION, USER_SCHEMAS

CLASS_RELATION, CLASS_CONSTRAINT = 1259, 2606  # pg_class, pg_constraint
# Per byte of the index. A GIN index sorts and compresses its entries, a GiST index is filled by one insertion per row.
INDEX_FACTORS = {"btree": 1.5, "hash": 2.0, "gin": 8.0, "gist": 8.0, "spgist": 4.0, "brin": 2.0}
OTHER_INDEX = 4.0
INDEX_SCAN = 0.1  # reading the table, per byte of it
FOREIGN_KEY = 0.15  # per byte of both tables
STATISTICS = 0.1  # per byte of what is read of a table
STATISTICS_BYTES = 30000 * 8192  # the default sample
LARGE_OBJECT = 2.0
MATERIALIZED_VIEW = 2.0
LEAST = 200_000  # round trips and commit of any unit

INDEXES = f"""
SELECT i.indexrelid AS oid, i.indrelid AS table_oid, m.amname AS method, pg_catalog.pg_relation_size(i.indexrelid) AS bytes,
       pg_catalog.pg_relation_size(i.indrelid) AS table_bytes,
       (SELECT k.oid FROM pg_catalog.pg_constraint k
         WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x') LIMIT 1) AS constraint_oid
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = x.relam JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE x.relkind IN ('i', 'I') AND c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND {USER_SCHEMAS} AND {NOT_OF_EXTENSION}
"""
FOREIGN_KEYS = f"""
SELECT k.oid, pg_catalog.pg_relation_size(k.conrelid) + pg_catalog.pg_relation_size(k.confrelid) AS bytes
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0 AND {USER_SCHEMAS} AND {NOT_OF_EXTENSION}
"""
VIEWS = f"""
SELECT c.oid, pg_catalog.pg_table_size(c.oid) AS bytes
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'm' AND c.relispopulated AND {USER_SCHEMAS} AND {NOT_OF_EXTENSION}
"""
ROWS = f"""
SELECT COALESCE(sum(c.reltuples) FILTER (WHERE c.reltuples > 0), 0)::bigint AS rows
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {USER_SCHEMAS} AND {NOT_OF_EXTENSION}
"""
LARGE_OBJECTS = """
SELECT (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata) AS number,
       pg_catalog.pg_relation_size('pg_catalog.pg_largeobject') AS bytes
"""


def index_work(method: str, size: int, table_size: int) -> float:
    """Return the work of building an index of I(size) bytes on a table of I(table_size) bytes."""
    return size * INDEX_FACTORS.get(method, OTHER_INDEX) + table_size * INDEX_SCAN + LEAST


def table_work(size: int) -> float:
    """Return the work of copying a table."""
    return size + LEAST


def statistics_work(size: int) -> float:
    """Return the work of analysing a table."""
    return min(size, STATISTICS_BYTES) * STATISTICS + LEAST / 10


class Efforts:
    """The work of one database.

    I(totals) is C({kind: (units, rows or None, work)}) with the kinds table, index, key (primary keys, unique and
    exclusion constraints), foreign_key, large_objects, materialized_view and statistics; I(objects) is
    C({(catalogue, oid): work}) of indexes and constraints; I(indexes) is C([(table oid, work, bytes)]).
    """

    def __init__(self, tables: list, indexes: list, foreign_keys: list, views: list, counted: int, objects: dict):
        self.objects = {}
        self.indexes = [
            (row["table_oid"], index_work(row["method"], row["bytes"], row["table_bytes"]), row["bytes"])
            for row in indexes
        ]
        for row, (_table, work, _size) in zip(indexes, self.indexes):
            self.objects[CLASS_RELATION, row["oid"]] = work
            if row["constraint_oid"]:
                self.objects[CLASS_CONSTRAINT, row["constraint_oid"]] = work
        for row in foreign_keys:
            self.objects[CLASS_CONSTRAINT, row["oid"]] = row["bytes"] * FOREIGN_KEY + LEAST
        keys = [work for row, (_table, work, _size) in zip(indexes, self.indexes) if row["constraint_oid"]]
        others = [work for row, (_table, work, _size) in zip(indexes, self.indexes) if not row["constraint_oid"]]
        checks = [self.objects[CLASS_CONSTRAINT, row["oid"]] for row in foreign_keys]
        self.large_object_bytes = objects["bytes"] if objects["number"] else 0
        self.totals = {
            "table": (len(tables), counted, sum(table_work(table.bytes) for table in tables)),
            "index": (len(others), None, sum(others)),
            "key": (len(keys), None, sum(keys)),
            "foreign_key": (len(checks), None, sum(checks)),
            "large_objects": (objects["number"], None, self.large_object_bytes * LARGE_OBJECT),
            "materialized_view": (len(views), None, sum(row["bytes"] * MATERIALIZED_VIEW + LEAST for row in views)),
            "statistics": (len(tables), None, sum(statistics_work(table.bytes) for table in tables)),
        }

    def of_units(self, units: list, entries: list) -> dict:
        """Return C({unit: work}) of I(units), those of keys and foreign keys being made of the schema's I(entries)."""
        found = {entry.unit: self.objects.get((entry.catalogue, entry.oid), LEAST) for entry in entries}
        objects = [unit for unit in units if unit.kind == "large_objects"]
        for unit in units:
            if unit.kind == "table":
                found[unit.name] = table_work(unit.bytes_total)
            elif unit.kind == "large_objects":
                found[unit.name] = self.totals["large_objects"][2] / len(objects)
            elif unit.kind == "statistics":
                found[unit.name] = statistics_work(unit.weight)
            elif unit.kind == "materialized_view":
                found[unit.name] = unit.weight * MATERIALIZED_VIEW + LEAST
        return found


def read_efforts(session, tables: list) -> Efforts:
    """Return the work of the database of I(session), whose tables are I(tables) (see M(catalogue.read_tables))."""
    return Efforts(
        tables,
        rows(session, INDEXES),
        rows(session, FOREIGN_KEYS),
        rows(session, VIEWS),
        rows(session, ROWS)[0]["rows"],
        rows(session, LARGE_OBJECTS)[0],
    )
