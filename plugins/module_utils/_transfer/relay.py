# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joining two sessions by a pipe: what COPY TO sends, COPY FROM receives."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import threading
import time
from typing import Callable

from .._core.errors import TransferFailed

PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031  # fcntl.h; the module names it from Python 3.10 on


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

    I(ended) is called at the end of the stream and raises unless it is the true end. It sits on this side because COPY
    FROM asks for a megabyte at a time, while COPY TO hands over row by row.
    """

    def __init__(
        self, pipe: int, target: int, ended: Callable[[], None], throttle: Throttle, progress: Callable[[int], None]
    ):
        self.pipe = pipe
        self.target = target
        self.ended = ended
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
        if not data:
            self.ended()
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

    def ended() -> None:
        if failure:
            raise TransferFailed("The source's stream broke off.")

    receiver = Receiver(reading, target_cursor.connection.fileno(), ended, throttle, progress)
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
