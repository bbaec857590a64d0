# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watch looks after: control sessions, client programs, and workers (see M(pool))."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time

from .._postgres.driver import psycopg2


def shut(connection) -> None:
    """Shut a connection's socket, so that whoever waits for an answer on it is told that there will be none."""
    with contextlib.suppress(OSError, psycopg2.Error):
        copy = socket.socket(fileno=os.dup(connection.fileno()))
        try:
            copy.shutdown(socket.SHUT_RDWR)
        finally:
            copy.close()


class ControlSession:
    """A session of the engine's main thread."""

    allowance = 0.0
    holds_main_thread = True

    def __init__(self, connection, side: str, label: str):
        self.connection = connection
        self.side = side
        self.label = label
        self.doing = "preparation"
        self.began = None

    def what(self) -> str | None:
        """Return what it does for people, None while it does nothing."""
        busy = not self.connection.closed and (
            self.connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_ACTIVE
        )
        if not busy:
            self.began = None
            return None
        self.began = self.began or time.monotonic()
        return f"The control session of the {self.side} ({self.doing})"

    def moved(self) -> float:
        """Return since when it has been waiting for the server."""
        return self.began or time.monotonic()

    def labels(self) -> dict:
        """Return its application name."""
        return {self.side: self.label}

    def strike(self, _words: str) -> None:
        """Give the connection up; the main thread gets an error."""
        shut(self.connection)

    def check(self) -> None:
        """Notice at once when the server has ended an idle session.

        :raises psycopg2.Error: when it has
        """
        if socket_speaks(self.connection):
            with self.connection.cursor() as cursor:
                cursor.execute("SELECT 1")


def socket_speaks(connection) -> bool:
    """Return whether something has arrived on an idle connection: its end, as a rule."""

    return bool(select.select([connection], [], [], 0)[0])


class Program:
    """A client program that talks to the source."""

    allowance = 0.0
    holds_main_thread = True

    def __init__(self, process, name: str, label: str):
        self.process = process
        self.name = name
        self.label = label
        self.struck = ""
        self.used = None
        self.last = time.monotonic()

    def what(self) -> str | None:
        """Return what it does for people."""
        return f"{self.name} on the source" if self.process.poll() is None else None

    def moved(self) -> float:
        """Return when it was last seen using the processor."""
        with contextlib.suppress(OSError):
            with open(f"/proc/{self.process.pid}/stat", encoding="utf-8", errors="replace") as stream:
                used = stream.read().rpartition(")")[2].split()[11:13]
            if used != self.used:
                self.used, self.last = used, time.monotonic()
        return self.last

    def labels(self) -> dict:
        """Return its application name."""
        return {"source": self.label}

    def strike(self, words: str) -> None:
        """End it."""
        self.struck = words
        self.process.kill()
