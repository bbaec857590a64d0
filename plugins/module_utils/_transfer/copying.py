# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying rows and large objects from one session to another."""

from __future__ import annotations

import io
import os
import threading
import time
from typing import Callable

from .._core.errors import TransferFailed
from .._postgres.quoting import qualified, quote_identifier
from . import marker
from .catalogue import Table

PIPE_BYTES = 1 << 20
SLICE_BYTES = 8 << 20


class Throttle:
    """Holds a stream at a number of bytes per second; None lets it run free."""

    def __init__(self, bytes_per_second: float | None):
        self.rate = bytes_per_second
        self.started = time.monotonic()
        self.carried = 0

    def carry(self, count: int) -> None:
        """Account for I(count) bytes and sleep as long as the rate asks."""
        self.carried += count
        if self.rate:
            ahead = self.carried / self.rate - (time.monotonic() - self.started)
            if ahead > 0.01:
                time.sleep(ahead)


class Tap:
    """The writing end of the pipe between two sessions; counts and throttles what flows through it."""

    BATCH = 256 << 10

    def __init__(self, descriptor: int, throttle: Throttle, progress: Callable[[int], None]):
        self.descriptor = descriptor
        self.throttle = throttle
        self.progress = progress
        self.carried = 0
        self.waiting = []
        self.size = 0

    def write(self, data: bytes) -> int:
        """Take one piece of the COPY stream; pieces are gathered, since libpq hands them over row by row."""
        self.waiting.append(data)
        self.size += len(data)
        if self.size >= self.BATCH:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Pass on what has been gathered."""
        block = memoryview(b"".join(self.waiting))
        self.waiting, self.size = [], 0
        while block:
            written = os.write(self.descriptor, block)
            self.throttle.carry(written)
            self.carried += written
            self.progress(self.carried)
            block = block[written:]

    def close(self) -> None:
        """Tell the reader that nothing follows."""
        os.close(self.descriptor)


def relay(source_cursor, copy_out: str, target_cursor, copy_in: str, throttle: Throttle, progress) -> tuple:
    """Run COPY TO on one session and COPY FROM on another, joined by a pipe; return C((rows out, rows in, bytes)).

    The source side runs in a thread of its own; libpq releases the interpreter while it waits, so both run at once.
    When either side fails the other one is ended through the pipe and the first cause is raised.
    """
    reading, writing = os.pipe()
    tap = Tap(writing, throttle, progress)
    failure = []

    def read_source() -> None:
        try:
            source_cursor.copy_expert(copy_out, tap, PIPE_BYTES)
            tap.flush()
        except BaseException as error:
            failure.append(error)
        finally:
            tap.close()

    class Receiver:
        """Lets COPY FROM fail, instead of ending well, when the stream broke off."""

        def __init__(self, stream):
            self.stream = stream

        def read(self, size: int) -> bytes:
            data = self.stream.read1(size)
            if not data and failure and not isinstance(failure[0], BrokenPipeError):
                raise TransferFailed("The source's stream broke off.")
            return data

    thread = threading.Thread(target=read_source, name="source", daemon=True)
    with os.fdopen(reading, "rb", PIPE_BYTES) as stream:
        thread.start()
        try:
            target_cursor.copy_expert(copy_in, Receiver(stream), PIPE_BYTES)
        except BaseException:
            stream.close()  # the source thread's next write fails and ends it
            source_cursor.connection.cancel()  # and so does a COPY TO that has nothing to write yet
            thread.join()
            if failure and not isinstance(failure[0], BrokenPipeError):
                raise failure[0] from None
            raise
        thread.join()
    if failure:
        raise failure[0]
    return source_cursor.rowcount, target_cursor.rowcount, tap.carried


def copy_table(source, target, table: Table, migration: str, unit: str, throttle: Throttle, progress) -> tuple:
    """Carry all rows of I(table) in one transaction on the target together with the unit's marker.

    TRUNCATE in the same transaction lets COPY FREEZE write rows as already visible to all, so that nothing has to
    rewrite them later; a partitioned root does not allow it.

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
    with source.cursor() as source_cursor, target.cursor() as target_cursor:
        target_cursor.execute("BEGIN")
        try:
            target_cursor.execute(truncate)
            rows_out, rows_in, carried = relay(source_cursor, copy_out, target_cursor, copy_in, throttle, progress)
            if rows_out != rows_in:
                raise TransferFailed(
                    f"Table {table.label}: the source sent {rows_out} rows, the target took {rows_in}.",
                    "Run the migration again; the table was rolled back and will be copied anew.",
                )
            marker.set_markers(target_cursor, migration, {unit: rows_in})
            target_cursor.execute("COMMIT")
        except BaseException:
            if not target.closed:
                target_cursor.execute("ROLLBACK")
            raise
    return rows_in, carried


def copy_batch(source, target, tables: list, statements: list, names: list, migration: str, throttle: Throttle) -> dict:
    """Carry small tables, C([(unit, table)]), and run what builds their keys, in one transaction with all markers.

    The tables are known to be empty. Their rows pass through memory whole, which their size allows.

    :param names: the names of all units that the batch stands for
    :return: C({unit: (rows, bytes)}) of the tables
    :raises TransferFailed: when the two sides disagree on the number of rows; nothing is committed then
    """
    carried = {}
    with source.cursor() as source_cursor, target.cursor() as target_cursor:
        target_cursor.execute("BEGIN")
        try:
            for unit, table in tables:
                form = "binary" if table.binary else "text"
                relation = f"{qualified(table.schema, table.name)} {table.column_list}"
                content = io.BytesIO()
                source_cursor.copy_expert(f"COPY {relation} TO STDOUT (FORMAT {form})", content)
                content.seek(0)
                target_cursor.copy_expert(f"COPY {relation} FROM STDIN (FORMAT {form})", content)
                if source_cursor.rowcount != target_cursor.rowcount:
                    raise TransferFailed(
                        f"Table {table.label}: the source sent {source_cursor.rowcount} rows, the target took "
                        f"{target_cursor.rowcount}.",
                        "Run the migration again; the table was rolled back and will be copied anew.",
                    )
                size = content.getbuffer().nbytes
                throttle.carry(size)
                carried[unit] = (target_cursor.rowcount, size)
            if statements:
                target_cursor.execute("\n".join(statements))
            marker.set_markers(target_cursor, migration, {name: carried.get(name, (None,))[0] for name in names})
            target_cursor.execute("COMMIT")
        except BaseException:
            if not target.closed:
                target_cursor.execute("ROLLBACK")
            raise
    return carried


def copy_large_objects(source, target, numbers: list, migration: str, unit: str, throttle: Throttle, progress) -> tuple:
    """Carry the content of large objects, keeping their numbers, in one transaction with the unit's marker.

    Slices of 8 MB keep the memory small whatever an object's size.

    :return: C((objects, bytes))
    """
    carried = 0
    with source.cursor() as source_cursor, target.cursor() as target_cursor:
        target_cursor.execute("BEGIN")
        try:
            for number in numbers:
                offset = 0
                while True:
                    source_cursor.execute(
                        "SELECT pg_catalog.lo_get(%s::oid, %s::bigint, %s)", (number, offset, SLICE_BYTES)
                    )
                    piece = source_cursor.fetchone()[0]
                    if offset == 0:
                        target_cursor.execute("SELECT pg_catalog.lo_from_bytea(%s::oid, %s)", (number, piece))
                    elif piece:
                        target_cursor.execute(
                            "SELECT pg_catalog.lo_put(%s::oid, %s::bigint, %s)", (number, offset, piece)
                        )
                    offset += len(piece)
                    carried += len(piece)
                    throttle.carry(len(piece))
                    progress(carried)
                    if len(piece) < SLICE_BYTES:
                        break
            marker.set_markers(target_cursor, migration, {unit: len(numbers)})
            target_cursor.execute("COMMIT")
        except BaseException:
            if not target.closed:
                target_cursor.execute("ROLLBACK")
            raise
    return len(numbers), carried
