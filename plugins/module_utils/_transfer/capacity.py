# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a host can carry as a runtime server: processors, memory, and what comes through from the source."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time

from .._core.errors import MigrationError
from .._core.units import human_bytes
from .._postgres.connection import connect, quiet_settings
from .._postgres.driver import psycopg2

LEAST_JOBS, MOST_JOBS = 2, 16
# A worker, its pair of psql and what pg_restore holds of the catalogue; and the engine beside them.
JOB_BYTES, ENGINE_BYTES = 96 << 20, 256 << 20
# One reading ends after so long, or when so much came through.
READ_SECONDS, READ_BYTES = 0.5, 16 << 20
# Two sessions that bring less than so many times what one brings share a line that is full.
GAIN = 1.25
GROUPS = "/sys/fs/cgroup"


def is_here(session) -> bool:
    """Return whether the server of a session runs on this host, as far as its address tells; a tunnel looks like it."""
    with socket.socket(fileno=os.dup(session.fileno())) as line:
        if line.family == socket.AF_UNIX:
            return True
        family, address = line.family, line.getpeername()[0]
    try:
        # Only an address of this host can be listened on.
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
        return True
    except OSError:
        return False


def read_words(path: str) -> list:
    """Return the words of a small file of the system, none where it is missing."""
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read().split()
    except OSError:
        return []


def processors(groups: str = GROUPS) -> int:
    """Return how many processors this process may use, a container's share included."""
    count = len(os.sched_getaffinity(0))
    share = read_words(os.path.join(groups, "cpu.max"))
    if len(share) == 2 and share[0].isdigit():
        count = min(count, max(1, int(share[0]) // int(share[1])))
    return count


def available_memory(groups: str = GROUPS) -> int:
    """Return how many bytes of memory are left for programs, a container's share included; 0 where nobody knows."""
    words = read_words("/proc/meminfo")
    left = int(words[words.index("MemAvailable:") + 1]) * 1024 if "MemAvailable:" in words else 0
    share, used = read_words(os.path.join(groups, "memory.max")), read_words(os.path.join(groups, "memory.current"))
    if share and share[0].isdigit() and used:
        left = min(left, max(0, int(share[0]) - int(used[0])))
    return left


class Counter:
    """A file that counts what is written to it."""

    def __init__(self):
        self.taken = 0

    def write(self, data) -> int:
        """Count, and keep nothing."""
        self.taken += len(data)
        return len(data)


def download(endpoint, sessions: int) -> float | None:
    """Return how many bytes per second several sessions together bring from a server that makes rows up; None when refused."""
    opened: list = []
    taken: list = []

    def read(session, deadline: float) -> None:
        rows, own = 4, Counter()
        # A source that ends it, by a time limit say, has brought what it has brought.
        with contextlib.suppress(psycopg2.Error):
            while own.taken < READ_BYTES and time.monotonic() < deadline:
                with session.cursor() as cursor:
                    cursor.copy_expert(
                        "COPY (SELECT pg_catalog.repeat('0123456789abcdef', 4096)"
                        f" FROM pg_catalog.generate_series(1, {rows})) TO STDOUT",
                        own,
                    )
                rows = min(rows * 4, 64)
        taken.append(own.taken)

    try:
        for _number in range(sessions):
            opened.append(connect(endpoint, "source", settings=quiet_settings()))
        begun = time.monotonic()
        threads = [threading.Thread(target=read, args=(one, begun + READ_SECONDS), daemon=True) for one in opened]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - begun
    except MigrationError:  # no room for one session more, for example
        return None
    finally:
        for one in opened:
            one.close()
    return sum(taken) / seconds if any(taken) and seconds else None


def recommend(cores: int, memory: int, one: float | None, two: float | None) -> tuple:
    """Return C((jobs, why)): how many workers a migration through this host is well served with.

    :param memory: bytes that are left for programs
    :param one: bytes per second that one session brings from the source, and I(two) what two bring; None when unknown
    """
    bounds = [(max(LEAST_JOBS, min(MOST_JOBS, cores)), f"{cores} processors")]
    bounds.append((max(1, (memory - ENGINE_BYTES) // JOB_BYTES), f"{human_bytes(memory)} of memory"))
    if one and two and two < GAIN * one:
        words = f"one session brings {human_bytes(one)}/s and two bring {human_bytes(two)}/s"
        bounds.append((LEAST_JOBS, words))
    return min(bounds, key=lambda bound: bound[0])


def capacity(request) -> dict:
    """Return C({cores, memory_available_bytes, source_bytes_per_second, recommended_jobs, recommended_because})."""
    cores, memory = processors(), available_memory()
    one, two = download(request.source, 1), download(request.source, 2)
    jobs, why = recommend(cores, memory, one, two)
    return {
        "cores": cores,
        "memory_available_bytes": memory,
        "source_bytes_per_second": int(two or one or 0),
        "recommended_jobs": jobs,
        "recommended_because": why,
    }
