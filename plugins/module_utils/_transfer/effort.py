# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much work a database is: every table, index, key and step in bytes that would take as long to copy.

One unit of work is the copying of one byte of a table. The factors were measured on large tables; what a run measures
of itself (see M(time_left)) soon takes their place.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

from .._postgres.connection import portions, rows
from .catalogue import NOT_OF_EXTENSION, USER_SCHEMAS
from .contents import CLASS_RELATION

CLASS_CONSTRAINT = 2606  # pg_constraint
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

SMALL_BYTES = 1 << 20  # of a table

# To ask for a size the server opens the relation, and there may be tens of thousands of small ones: of these it is enough
# to know what ANALYZE or the index's own building has left in the catalogue.
INDEXES = f"""
SELECT i.indexrelid, i.indrelid, m.amname,
       CASE WHEN l.oid IS NULL AND c.relkind <> 'm' THEN greatest(x.relpages, 0) * u.page ELSE pg_catalog.pg_relation_size(x.oid) END,
       greatest(c.relpages, 0) * u.page, k.oid
  FROM (SELECT pg_catalog.current_setting('block_size')::bigint AS page) u CROSS JOIN pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  LEFT JOIN pg_catalog.unnest(%s::oid[]) AS l(oid) ON l.oid = i.indrelid
  JOIN pg_catalog.pg_am m ON m.oid = x.relam JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_constraint k
         ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
 WHERE x.relkind IN ('i', 'I') AND c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND {USER_SCHEMAS} AND {NOT_OF_EXTENSION}
"""
FOREIGN_KEYS = f"""
SELECT k.oid, pg_catalog.pg_relation_size(k.conrelid) + pg_catalog.pg_relation_size(k.confrelid)
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0 AND {USER_SCHEMAS} AND {NOT_OF_EXTENSION}
"""
VIEWS = f"""
SELECT pg_catalog.pg_table_size(c.oid) AS bytes
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


def view_work(size: int) -> float:
    """Return the work of filling a materialised view."""
    return size * MATERIALIZED_VIEW + LEAST


class Works:
    """The work of each of many objects, by number."""

    def __init__(self):
        self._oids, self._works = array("I"), array("d")

    def put(self, oid: int, work: float) -> None:
        """Enter an object; M(arrange) has to come before the first question."""
        self._oids.append(oid)
        self._works.append(work)

    def arrange(self) -> None:
        """Make ready for questions."""
        order = sorted(range(len(self._oids)), key=self._oids.__getitem__)
        self._oids = array("I", (self._oids[place] for place in order))
        self._works = array("d", (self._works[place] for place in order))

    def get(self, oid: int) -> float:
        """Return the work of an object, the least for one that is unknown."""
        place = bisect_left(self._oids, oid)
        return self._works[place] if place < len(self._oids) and self._oids[place] == oid else LEAST


class Efforts:
    """The work of one database.

    I(totals) is C({kind: (units, rows or None, work)}) with the kinds table, index, key (primary keys, unique and
    exclusion constraints), foreign_key, large_objects, materialized_view and statistics; I(longest) is the work of the
    longest chain of a table and its slowest index, I(index_bytes) the size of all indexes.

    :param tables: see M(catalogue.read_tables)
    :param indexes: rows of INDEXES; sizes of tables in them count for those that are not in I(tables)
    :param foreign_keys: rows of FOREIGN_KEYS
    """

    def __init__(self, tables: list, indexes, foreign_keys, views: list, counted: int, objects: dict):
        self._works = {CLASS_RELATION: Works(), CLASS_CONSTRAINT: Works()}
        totals = {"index": [0, None, 0.0], "key": [0, None, 0.0], "foreign_key": [0, None, 0.0]}
        slowest: dict = {}
        heaps = {table.oid: table.bytes - table.toast_bytes for table in tables}
        self.index_bytes = 0
        for oid, table, method, size, table_size, constraint in indexes:
            self.index_bytes += size
            work = index_work(method, size, heaps.get(table, table_size))
            self._works[CLASS_RELATION].put(oid, work)
            if constraint:
                self._works[CLASS_CONSTRAINT].put(constraint, work)
            slowest[table] = max(slowest.get(table, 0.0), work)
            count(totals["key" if constraint else "index"], work)
        for oid, size in foreign_keys:
            work = size * FOREIGN_KEY + LEAST
            self._works[CLASS_CONSTRAINT].put(oid, work)
            count(totals["foreign_key"], work)
        for works in self._works.values():
            works.arrange()
        self.longest = max((table.bytes + slowest.get(table.oid, 0.0) for table in tables), default=0.0)
        self.large_object_bytes = objects["bytes"] if objects["number"] else 0
        self.totals = {
            "table": (len(tables), counted, sum(table_work(table.bytes) for table in tables)),
            **{kind: tuple(total) for kind, total in totals.items()},
            "large_objects": (objects["number"], None, self.large_object_bytes * LARGE_OBJECT),
            "materialized_view": (len(views), None, sum(view_work(row["bytes"]) for row in views)),
            "statistics": (len(tables), None, sum(statistics_work(table.bytes) for table in tables)),
        }

    def of_object(self, catalogue: int, oid: int) -> float:
        """Return the work of making an index or a constraint."""
        works = self._works.get(catalogue)
        return works.get(oid) if works else LEAST


def count(total: list, work: float) -> None:
    """Add one piece of work to C([units, rows, work])."""
    total[0] += 1
    total[2] += work


def read_efforts(session, tables: list) -> Efforts:
    """Return the work of the database of I(session), whose tables are I(tables) (see M(catalogue.read_tables))."""
    large = [oid for table in tables if table.bytes > SMALL_BYTES for oid in (table.oid, *table.leaves)]
    return Efforts(
        tables,
        portions(session, INDEXES, (large,)),
        portions(session, FOREIGN_KEYS),
        rows(session, VIEWS),
        rows(session, ROWS)[0]["rows"],
        rows(session, LARGE_OBJECTS)[0],
    )
