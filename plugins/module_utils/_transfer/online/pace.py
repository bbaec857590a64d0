# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading from a source that is near in such a way that it need not send each change by itself.

The source hands each change to its operating system on its own. While the reader keeps up, each becomes a packet, which on one host
the sender delivers itself, and has acknowledged, at twice the price of the change. While the receiver's window is full, changes
gather behind it and go out together. So the window is made small, and the reader sleeps for a moment after it has taken much,
rather than wait for more. Over a network a small window would be the limit, and the network card gathers anyway.
"""

from __future__ import annotations

import socket
import struct
import time

NEAR_MICROSECONDS = 100  # for the fastest answer so far: on the same host, or in the next virtual machine
WINDOW_BYTES = 1 << 16  # not less: a packet on one host may be as large
PAUSE_SECONDS = 0.01
MUCH_BYTES = 8192  # less than the system keeps of small messages before it lets the source wait
FULL_AT_MOST = 5  # pauses, one after the other, that bring a window's content
PATIENT_SECONDS = 3.0  # without pauses when it looks as if they were what is waited for
BYTES_OFFSET, ANSWER_OFFSET = 128, 148  # in struct tcp_info of linux/tcp.h: tcpi_bytes_received and tcpi_min_rtt


class Pace:
    """Says when to sleep instead of waiting for a socket."""

    def __init__(self, connected: socket.socket):
        self.socket = connected
        self.received = 0
        self.hurried = 0.0
        self.has_paused = False
        self.full = 0
        self.is_near = False
        fastest = self.look(ANSWER_OFFSET, "=I")
        if fastest is not None and fastest < NEAR_MICROSECONDS:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
            self.is_near = True

    def look(self, offset: int, form: str) -> int | None:
        """Return a number that the kernel keeps of the connection; None where it does not."""
        try:
            facts = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, offset + struct.calcsize(form))
            return struct.unpack_from(form, facts, offset)[0]
        except (OSError, struct.error):
            return None

    def pause(self) -> bool:
        """Sleep if much has come since it was asked last, and more of it may be expected; return whether that was so.

        When each pause brings just what fits into the window, somebody between here and the source waits for its end: the two are
        not on one host then, and nobody sleeps for a while.
        """
        if not self.is_near:
            return False
        before, self.received = self.received, self.look(BYTES_OFFSET, "=Q") or 0
        came = self.received - before
        now = time.monotonic()
        if self.has_paused:
            is_full = WINDOW_BYTES // 2 < came < WINDOW_BYTES + WINDOW_BYTES // 4
            self.full = self.full + 1 if is_full else 0
            if self.full >= FULL_AT_MOST:
                self.full, self.hurried = 0, now + PATIENT_SECONDS
        self.has_paused = came >= MUCH_BYTES and now >= self.hurried
        if self.has_paused:
            time.sleep(PAUSE_SECONDS)
        return self.has_paused
