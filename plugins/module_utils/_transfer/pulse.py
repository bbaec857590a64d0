# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's side of the heartbeat: it says so when bytes have moved on one of its connections."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from typing import Callable

PULSE_SECONDS = 5
BYTES_OFFSET = 120  # in struct tcp_info of linux/tcp.h: tcpi_bytes_acked and, after it, tcpi_bytes_received


def bytes_moved(descriptor: int) -> int:
    """Return how many bytes the other end of a TCP connection has confirmed and sent; 0 where the kernel cannot say.

    The kernel counts them while libpq is still gathering one huge row, when nothing else shows that anything moves.
    """
    with contextlib.suppress(OSError, struct.error):
        copy = socket.socket(fileno=os.dup(descriptor))
        try:
            if copy.family not in (socket.AF_INET, socket.AF_INET6):
                return 0
            facts = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_OFFSET + 16)
        finally:
            copy.close()
        return sum(struct.unpack_from("=QQ", facts, BYTES_OFFSET))
    return 0


def stirrings(pid: int) -> int:
    """Return a number that grows with whatever a process does, be it to take bytes from a connection; 0 for none.

    A program's own connections are out of sight, but each time that bytes wake it up the kernel counts a switch.
    """
    with (
        contextlib.suppress(OSError, ValueError, IndexError),
        open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as stream,
    ):
        return sum(int(line.split()[1]) for line in stream if "voluntary_ctxt_switches:" in line)
    return 0


def start(descriptors: Callable[[], list], say: Callable[[], None], programs: Callable[[], list] = list) -> None:
    """Call I(say) every few seconds if something has moved.

    :param descriptors: names the connections to look at
    :param programs: names the processes to look at
    """

    def beat() -> None:
        before = None
        while True:
            time.sleep(PULSE_SECONDS)
            now = [bytes_moved(one) for one in descriptors()] + [stirrings(pid) for pid in programs()]
            if now != before:
                before = now
                say()

    threading.Thread(target=beat, name="pulse", daemon=True).start()
