# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying rows and large objects from one session to another."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import select
import threading
import time
from typing import Callable

from .._core.errors import TransferFailed
from .._postgres.quoting import qualified, quote_identifier
from . import marker
from .catalogue import Table

PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031  # fcntl.h; the module names it from Python 3.10 on
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


class Receiver:
    """The reading end of the pipe between two sessions; counts and throttles what flows through it.

    It sits on this side because COPY FROM asks for a megabyte at a time, while COPY TO hands over row by row.
    """

    def __init__(self, pipe: int, target: int, failure: list, throttle: Throttle, progress: Callable[[int], None]):
        self.pipe = pipe
        self.target = target
        self.failure = failure
        self.throttle = throttle
        self.progress = progress
        self.carried = 0

    def read(self, size: int) -> bytes:
        """Return what has arrived; lets COPY FROM fail, instead of ending well, when the stream broke off.

        libpq would go on sending to the end of the table before it heard of an error on the target. So the target's
        socket is listened to: what it says in the middle of COPY FROM is why it has given up (notices are turned off).
        """
        if self.target in select.select([self.pipe, self.target], [], [])[0]:
            raise TransferFailed("The target ended the copy.")
        data = os.read(self.pipe, size)
        if not data and self.failure:
            raise TransferFailed("The source's stream broke off.")
        self.throttle.carry(len(data))
        self.carried += len(data)
        self.progress(self.carried)
        return data


def open_pipe() -> tuple:
    """Return both ends of a pipe, C((descriptor to read, stream to write)), with as much room as the kernel gives."""
    reading, writing = os.pipe()
    with contextlib.suppress(OSError):
        fcntl.fcntl(writing, F_SETPIPE_SZ, PIPE_BYTES)
    return reading, os.fdopen(writing, "wb", PIPE_BYTES // 4)


def relay(source_cursor, copy_out: str, target_cursor, copy_in: str, throttle: Throttle, progress) -> tuple:
    """Run COPY TO on one session and COPY FROM on another, joined by a pipe; return C((rows out, rows in, bytes)).

    The source side runs in a thread of its own; libpq releases the interpreter while it waits, so both run at once.
    When either side fails the other one is ended through the pipe and the first cause is raised.
    """
    reading, writing = open_pipe()
    failure: list = []

    def read_source() -> None:
        try:
            source_cursor.copy_expert(copy_out, writing, PIPE_BYTES)
            writing.flush()
        except BaseException as error:
            failure.append(error)
        finally:
            with contextlib.suppress(OSError):  # what is left in the buffer of a broken pipe is of no use
                writing.close()

    receiver = Receiver(reading, target_cursor.connection.fileno(), failure, throttle, progress)
    thread = threading.Thread(target=read_source, name="source", daemon=True)
    thread.start()
    try:
        target_cursor.copy_expert(copy_in, receiver, PIPE_BYTES)
    except BaseException:
        own = failure[0] if failure else None
        os.close(reading)  # the source thread's next write fails and ends it
        source_cursor.connection.cancel()  # and so does a COPY TO that has nothing to write yet
        thread.join()
        if own is not None:
            raise own from None
        raise
    os.close(reading)
    thread.join()
    if failure:
        raise failure[0]
    return source_cursor.rowcount, target_cursor.rowcount, receiver.carried


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
