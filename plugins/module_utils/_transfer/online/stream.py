# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream of a slot's changes, read over a replication connection.

The source is told often that this end lives, however long the target takes for what it has, and of a position only when
everything before it is safe on the target; which positions may be told, M(confirmation) knows.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator

from ..._core.errors import TransferFailed
from ..._postgres.quoting import quote_identifier
from . import read_ahead
from .pace import MUCH_BYTES, Pace
from .pgoutput import lsn_text

FEEDBACK_SECONDS = 5.0
SILENT_SECONDS = 90.0  # the source answers each feedback; one that is silent for so long is gone
RECORDS_AHEAD = 4  # that fit into what is read ahead, or so; small ones are whole messages
PATIENT_SECONDS = 10.0  # after which a single word of the source is enough again
AHEAD_SECONDS = 0.02  # to wait while something lies here, and the socket says nothing
STREAMING, BINARY_FROM = 140000, 140000
PROTOCOLS = ((160000, 4), (150000, 3), (140000, 2), (0, 1))


def protocol(server_version: int) -> int:
    """Return the newest protocol version that a server knows, of those that this end knows."""
    return next(version for least, version in PROTOCOLS if server_version >= least)


def options_of(server_version: int, publication: str, binary: bool, streaming: bool) -> dict:
    """Return the plugin's options.

    :param streaming: send large transactions while they are in progress, where the source can
    """
    options = {"proto_version": str(protocol(server_version)), "publication_names": quote_identifier(publication)}
    if server_version >= BINARY_FROM:
        options["messages"] = "true"
        if binary:
            options["binary"] = "true"
        if streaming:
            options["streaming"] = "on"
    return options


def start_command(slot: str, position: int, options: dict) -> str:
    """Return START_REPLICATION; its grammar is not that of SQL: literals know no escapes but doubled quotes."""
    words = ", ".join(f"{name} '{text.replace(chr(39), chr(39) * 2)}'" for name, text in options.items())
    return f"START_REPLICATION SLOT {quote_identifier(slot)} LOGICAL {lsn_text(position)} ({words})"


class ChangeStream:
    """What comes out of a slot from a position on."""

    def __init__(self, connection, slot: str, position: int, options: dict):
        """Start it.

        :param connection: a replication connection, which the stream closes
        :param position: where to begin: transactions that commit before it are not sent again
        """
        self.connection = connection
        self.cursor = connection.cursor()
        self.confirmed = 0
        self.told = 0.0
        self.heard = time.monotonic()
        command = start_command(slot, position, options)
        # psycopg2 does not begin to send feedback on its own: the interval is longer than ours.
        self.cursor.start_replication_expert(command, decode=False, status_interval=3600)
        self.is_ahead = read_ahead.begin(connection)
        self.asked = 0
        self.socket = socket.socket(fileno=os.dup(connection.fileno()))
        self.low_water = 1
        self.pace = Pace(self.socket)
        self.feedback()

    def come(self) -> Iterator:
        """Return what has come, messages with a I(payload); at its end there is nothing more for the moment."""
        return iter(self.cursor.read_message, None)

    def is_more(self) -> bool:
        """Whether something may lie here though nothing more came: of a message in several records one is taken at a time.

        It may be a part of a record as well, so there is an end to asking.
        """
        self.asked = self.asked + 1 if self.is_ahead() else RECORDS_AHEAD
        if self.asked < RECORDS_AHEAD:
            return True
        self.asked = 0
        return False

    @property
    def walked(self) -> int:
        """How far the source has got: everything that was committed before has been sent, as far as there was something."""
        return self.cursor.wal_end

    def wait(self, seconds: float, *others, much: bool = False) -> None:
        """Wait until something comes, here or on I(others), but not longer than so many seconds.

        :param much: be woken by some dozens of changes, not by one: that would cost both ends more than the change itself;
            return without having looked when a pause was better, see M(pace)
        :raises TransferFailed: when the source has been silent for too long
        """
        if much and self.pace.pause():
            return
        if self.is_ahead():
            seconds = min(seconds, AHEAD_SECONDS)
        low_water = MUCH_BYTES if much and time.monotonic() - self.heard < PATIENT_SECONDS else 1
        if low_water != self.low_water:
            self.low_water = low_water
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low_water)
        readable = select.select([self.cursor, *others], [], [], seconds)[0]
        now = time.monotonic()
        if self.cursor in readable:
            self.heard = now
        elif now - self.heard > SILENT_SECONDS:
            raise TransferFailed(
                f"The source has sent nothing for {SILENT_SECONDS:.0f} s, not even an answer.",
                "",
                {"transient": True},
            )

    def feedback(self, confirmed: int = 0, force: bool = True) -> None:
        """Tell the source that this end lives and what it need not keep, and ask for an answer.

        :param confirmed: a position that M(confirmation) gave; 0 says nothing new
        :param force: now, and not only when it is time again
        """
        now = time.monotonic()
        self.confirmed = max(self.confirmed, confirmed)
        if force or now - self.told >= FEEDBACK_SECONDS:
            self.told = now
            words = {"flush_lsn": self.confirmed, "apply_lsn": self.confirmed} if self.confirmed else {}
            self.cursor.send_feedback(write_lsn=self.walked, reply=True, force=True, **words)

    def close(self) -> None:
        """End it."""
        self.socket.close()
        self.connection.close()
