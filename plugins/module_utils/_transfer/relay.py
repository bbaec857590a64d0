# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joining two sessions: what COPY TO sends, COPY FROM receives."""

from __future__ import annotations

import collections
import io
import os
import select
import threading
import time
from typing import Callable

from .._core.errors import TransferFailed

PIPE_BYTES = 1 << 20
CHANNEL_BYTES = 4 << 20
LOOK_SECONDS = 0.2  # so soon it is noticed that the target has given up while nothing comes from the source
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
    """The reading end of what joins two sessions, a pipe here; counts and throttles what flows through it.

    I(ended) is called at the end of the stream and raises unless it is the true end. It sits on this side because COPY
    FROM asks for a megabyte at a time, while COPY TO hands over row by row.
    """

    def __init__(
        self, pipe, target: int, ended: Callable[[], None], throttle: Throttle, progress: Callable[[int], None]
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
        data = self.arrived(size)
        if not data:
            self.ended()
        self.throttle.carry(len(data))
        self.carried += len(data)
        self.progress(self.carried)
        return data

    def arrived(self, size: int) -> bytes:
        """Return what has arrived, nothing at the end."""
        self.hear_target(None, self.pipe)
        return os.read(self.pipe, size)

    def hear_target(self, seconds: float | None, *others) -> None:
        """Wait until one of the descriptors I(others) can be read or the time is over.

        :raises TransferFailed: when the target has something to say
        """
        if self.target in select.select([self.target, *others], [], [], seconds)[0]:
            raise TransferFailed("The target ended the copy.")


class Channel(io.RawIOBase):
    """What one thread writes and another one reads, in pieces as they come; a full one holds the writer back.

    The bytes stay in this process: a pipe would have the kernel copy them twice.
    """

    def __init__(self):
        super().__init__()
        self.pieces: collections.deque = collections.deque()
        self.size = 0
        self.complete = self.broken = False
        self.changed = threading.Condition()

    def writable(self) -> bool:
        """Return whether this can be written to, which a buffer in front of it wants to know."""
        return True

    def write(self, data) -> int:
        """Add a piece, of a large one its beginning; return its size.

        :raises BrokenPipeError: when nobody reads any more
        """
        piece = bytes(data[:PIPE_BYTES])
        with self.changed:
            while self.size >= CHANNEL_BYTES and not self.broken:
                self.changed.wait()
            if self.broken:
                raise BrokenPipeError
            self.pieces.append(piece)
            self.size += len(piece)
            self.changed.notify_all()
        return len(piece)

    def end(self) -> None:
        """Say that nothing more will be written."""
        with self.changed:
            self.complete = True
            self.changed.notify_all()

    def give_up(self) -> None:
        """Say that nothing more will be read."""
        with self.changed:
            self.broken = True
            self.changed.notify_all()

    def take(self, seconds: float) -> bytes | None:
        """Return the next piece, nothing at the end, and None when so long none has come."""
        with self.changed:
            if not self.pieces and not self.complete:
                self.changed.wait(seconds)
            if self.pieces:
                piece = self.pieces.popleft()
                self.size -= len(piece)
                self.changed.notify_all()
                return piece
            return b"" if self.complete else None


class ChannelReceiver(Receiver):
    """A receiver that reads from a channel."""

    def arrived(self, size: int) -> bytes:
        while (data := self.pipe.take(LOOK_SECONDS)) is None:
            self.hear_target(0)
        self.hear_target(0)
        return data


def relay(source_cursor, copy_out: str, target_cursor, copy_in: str, throttle: Throttle, progress) -> tuple:
    """Run COPY TO on one session and COPY FROM on another, joined by a channel; return C((rows out, rows in, bytes)).

    The source side runs in a thread of its own; libpq releases the interpreter while it waits, so both run at once.
    When either side fails the other one is ended through the channel and the first cause is raised.
    """
    channel = Channel()
    failure: list = []

    def read_source() -> None:
        try:
            writing = io.BufferedWriter(channel, PIPE_BYTES // 4)  # small rows go together
            source_cursor.copy_expert(copy_out, writing, PIPE_BYTES)
            writing.flush()
        except BaseException as error:
            failure.append(error)
        finally:
            channel.end()

    def ended() -> None:
        if failure:
            raise TransferFailed("The source's stream broke off.")

    receiver = ChannelReceiver(channel, target_cursor.connection.fileno(), ended, throttle, progress)
    thread = threading.Thread(target=read_source, name="source", daemon=True)
    thread.start()
    try:
        target_cursor.copy_expert(copy_in, receiver, PIPE_BYTES)
    except BaseException:
        own = failure[0] if failure else None
        channel.give_up()  # the source thread's next write fails and ends it
        source_cursor.connection.cancel()  # and so does a COPY TO that has nothing to write yet
        thread.join()
        if own is not None:
            raise own from None
        raise
    thread.join()
    if failure:
        raise failure[0]
    return source_cursor.rowcount, target_cursor.rowcount, receiver.carried
