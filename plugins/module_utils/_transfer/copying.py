# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying the rows of tables: one in one stream, a part of one, or many small ones together."""

from __future__ import annotations

import collections
import io
import threading
from collections.abc import Iterator
from typing import Callable

from .._core.errors import TransferFailed
from .._postgres.connection import transaction
from .._postgres.quoting import qualified, quote_identifier
from . import marker
from .catalogue import Table
from .relay import Throttle
from .searching import with_schema

HELD_BYTES = 8 << 20  # of a batch's rows in memory, and one table more


def compare_counts(label: str, rows_out: int, rows_in: int) -> None:
    """Hold the two ends of a stream against each other.

    :raises TransferFailed: when they disagree on the number of rows
    """
    if rows_out != rows_in:
        raise TransferFailed(
            f"Table {label}: the source sent {rows_out} rows, the target took {rows_in}.",
            "Run the migration again; the table was rolled back and will be copied anew.",
        )


def set_path(cursor, path: str, table: Table) -> None:
    """Let the functions that a table's checks and generated columns call find what they look for, if I(path) is given."""
    if path:
        cursor.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (with_schema(path, table.schema),))


def copy_table(stream, target, table: Table, migration: str, unit: str, path: str = "") -> tuple:
    """Carry all rows of I(table) in one transaction on the target together with the unit's marker.

    TRUNCATE in the same transaction lets COPY FREEZE write rows as already visible to all, so that nothing has to
    rewrite them later; a partitioned root does not allow it.

    :param stream: called with (COPY TO, the target's cursor, COPY FROM), returns C((rows out, rows in, bytes))
    :return: C((rows, bytes))
    :raises TransferFailed: when the two sides disagree on the number of rows; nothing is committed then
    """
    form = "binary" if table.binary else "text"
    relation = qualified(table.schema, table.name)
    if table.tree:
        columns = ", ".join(map(quote_identifier, table.columns))
        copy_out = f"COPY (SELECT {columns} FROM {relation}) TO STDOUT (FORMAT {form})"
        truncate, options = f"TRUNCATE {relation}", f"FORMAT {form}"
    else:
        copy_out = f"COPY {relation} {table.column_list} TO STDOUT (FORMAT {form})"
        truncate, options = f"TRUNCATE ONLY {relation}", f"FORMAT {form}, FREEZE"
    copy_in = f"COPY {relation} {table.column_list} FROM STDIN ({options})"
    with transaction(target) as cursor:
        cursor.execute(truncate)
        set_path(cursor, path, table)
        rows_out, rows_in, carried = stream(copy_out, cursor, copy_in)
        compare_counts(table.label, rows_out, rows_in)
        marker.set_markers(cursor, migration, {unit: rows_in})
    return rows_in, carried


def copy_part(stream, target, table: Table, pages: list, migration: str, unit: str, path: str = "") -> tuple:
    """Carry the rows of I(table) that lie in a range of its pages, C([first, end or None]), with the part's marker.

    :param stream: called with (COPY TO, the target's cursor, COPY FROM), returns C((rows out, rows in, bytes))
    :return: C((rows, bytes))
    :raises TransferFailed: when the two sides disagree on the number of rows; nothing is committed then
    """
    form = "binary" if table.binary else "text"
    relation = qualified(table.schema, table.name)
    columns = ", ".join(map(quote_identifier, table.columns))
    first, end = pages
    condition = f"ctid >= '({first},0)'::pg_catalog.tid"
    if end is not None:
        condition += f" AND ctid < '({end},0)'::pg_catalog.tid"
    copy_out = f"COPY (SELECT {columns} FROM ONLY {relation} WHERE {condition}) TO STDOUT (FORMAT {form})"
    copy_in = f"COPY {relation} {table.column_list} FROM STDIN (FORMAT {form})"
    with transaction(target) as cursor:
        marker.take(cursor, migration, [unit])
        set_path(cursor, path, table)
        rows_out, rows_in, carried = stream(copy_out, cursor, copy_in)
        compare_counts(table.label, rows_out, rows_in)
        marker.set_markers(cursor, migration, {unit: rows_in})
    return rows_in, carried


class Reading(threading.Thread):
    """Reads the rows of small tables from the source, while the target has something else to do.

    What is small on the source's disk may be large when it is unpacked, so it waits when much has not been taken yet.

    :param copies: the COPY TO of each
    """

    def __init__(self, source, copies: list, throttle: Throttle):
        super().__init__(name="source", daemon=True)
        self.source, self.copies, self.throttle = source, copies, throttle
        self.found: collections.deque = collections.deque()
        self.held = 0
        self.complete = self.given_up = False
        self.failure: BaseException | None = None
        self.changed = threading.Condition()

    def run(self) -> None:
        try:
            with self.source.cursor() as cursor:
                for copy_out in self.copies:
                    with self.changed:
                        self.changed.wait_for(lambda: self.given_up or self.held < HELD_BYTES)
                    if self.given_up:
                        break
                    content = io.BytesIO()
                    cursor.copy_expert(copy_out, content)
                    size = content.tell()
                    content.seek(0)
                    self.throttle.carry(size)
                    with self.changed:
                        self.found.append((cursor.rowcount, size, content))
                        self.held += size
                        self.changed.notify_all()
        except BaseException as error:
            self.failure = error
        finally:
            with self.changed:
                self.complete = True
                self.changed.notify_all()

    def __enter__(self) -> Reading:
        self.start()
        return self

    def __exit__(self, *_what) -> None:
        with self.changed:
            self.given_up = True
            self.changed.notify_all()
        self.join()

    def rows(self) -> Iterator[tuple]:
        """Yield C((rows, bytes, file)) of each as they come; raise what went wrong."""
        for _copy in self.copies:
            with self.changed:
                self.changed.wait_for(lambda: self.found or self.complete)
                if not self.found:
                    raise self.failure
                found = self.found.popleft()
                self.held -= found[1]
                self.changed.notify_all()
            yield found


def copy_batch(
    source,
    target,
    task: dict,
    names: list,
    migration: str,
    throttle: Throttle,
    path: str = "",
    check: Callable = lambda tables: None,
) -> dict:
    """Carry small tables in one transaction with all markers; return C({unit: (rows, bytes)}) of the tables.

    The tables are known to be empty, or are created here. Their rows pass through memory whole, which their size allows.

    :param task: C(tables), and the SQL that comes before the rows (C(creates)) and after (C(builds), C(analyzes))
    :param names: the names of all units that the batch stands for
    :param check: called with the tables before anything is committed; may raise
    :raises TransferFailed: when the two sides disagree on the number of rows; nothing is committed then
    """
    carried = {}
    forms = ["binary" if table.binary else "text" for table in task["tables"]]
    relations = [f"{qualified(table.schema, table.name)} {table.column_list}" for table in task["tables"]]
    copies = [f"COPY {relation} TO STDOUT (FORMAT {form})" for relation, form in zip(relations, forms)]
    with transaction(target) as cursor, Reading(source, copies, throttle) as reading:
        # The tables' own markers, which bear their rows, come last; it is enough that an attempt takes one of the others.
        units = {table.unit for table in task["tables"]}
        marker.take(cursor, migration, [name for name in names if name not in units] or names)
        if task["creates"]:
            cursor.execute(task["creates"])
        for table, relation, form, found in zip(task["tables"], relations, forms, reading.rows()):
            rows_out, size, content = found
            set_path(cursor, path, table)
            cursor.copy_expert(f"COPY {relation} FROM STDIN (FORMAT {form})", content)
            compare_counts(table.label, rows_out, cursor.rowcount)
            carried[table.unit] = (cursor.rowcount, size)
        check(task["tables"])
        after = "\n".join(text for text in (task["builds"], task["analyzes"]) if text)
        if after:
            cursor.execute(after)
        marker.set_markers(cursor, migration, {unit: rows for unit, (rows, _size) in carried.items()})
    return carried
