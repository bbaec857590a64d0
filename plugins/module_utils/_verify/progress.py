# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a verification is: sizes, shares and the time that is left, for people and for a file that others may read."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import Callable

# The file is not written more often than that, in seconds.
EVERY = 1.0
# Less than this share tells nothing of the rest.
TELLING = 0.02
# Things worth telling: how many are told at all, how many of the newest are kept, how long each may be.
MOST_TOLD = 200
MOST_KEPT = 50
LONGEST = 300


class Progress:
    """The progress of one run, which began at the moment C(begun); safe to call from several threads.

    I(sizes) is C({database: bytes}) in the order of work; I(tell) takes one line of text at a time, I(watch) a
    dictionary as of M(state), at most once a second and at every change of database.
    """

    def __init__(self, sizes: dict, tell: Callable | None = None, watch: Callable | None = None):
        self.sizes = {name: max(1, size or 1) for name, size in sizes.items()}
        self._tell, self._watch = tell, watch
        self._lock = threading.RLock()
        self.begun = time.monotonic()
        self._started_at = _now()
        self._written = 0.0
        self._finished: set = set()
        self._message = ""
        self._events: list = []
        self._told = 0
        self._differing = 0
        self._verdict = ""
        self._enter("")

    def _enter(self, database: str) -> None:
        self._database = database
        self._total: dict = {}
        self._done: dict = {}
        self._tables = [0, 0]

    def begin(self, database: str) -> None:
        """Take note that a database is being looked at from now on."""
        with self._lock:
            self._enter(database)
            self._write(True)

    def end(self, database: str) -> None:
        """Take note that a database is done with, whatever came of it."""
        with self._lock:
            self._finished.add(database)
            self._enter("")
            self._write(True)

    def close(self, verdict: str) -> None:
        """Take note of the end."""
        with self._lock:
            self._verdict = verdict
            self._write(True)

    def planned(self, side: str, size: int) -> None:
        """Take note of so many further bytes to be read on one end."""
        with self._lock:
            self._total[side] = self._total.get(side, 0) + size

    def worked(self, side: str, size: int) -> None:
        """Take note of so many bytes that were read on one end."""
        with self._lock:
            self._done[side] = self._done.get(side, 0) + size
            self._write()

    def tables(self, done: int, total: int) -> None:
        """Take note of how many tables of the database have been read on both ends."""
        with self._lock:
            self._tables = [done, total]

    def say(self, line: str) -> None:
        """Hand a line on to whoever listens."""
        with self._lock:
            self._message = line
            self._write()
            if self._tell:
                self._tell(line)

    def differs(self, sentence: str, more: bool = False) -> None:
        """Take note of something that is not the same on both ends, told at once; I(more) is said of one told before."""
        with self._lock:
            self._differing += not more
            self._told += 1
            if self._told <= MOST_TOLD:
                last = self._told == MOST_TOLD
                words = "More differs; the report will name all of it." if last else sentence
                event = {"id": self._told, "level": "warning", "message": " ".join(words.split())[:LONGEST]}
                self._events = [*self._events, event][-MOST_KEPT:]
            self._write(self._told <= MOST_TOLD)

    def state(self) -> dict:
        """Return C({state, verdict, started_at, updated_at, database, databases_done, databases_total, tables_done,
        tables_total, bytes_done, bytes_total, share, elapsed_seconds, seconds_left, message, differing, events}); bytes of
        both ends of the database that is being read, the share (0 to 1) and the time of the whole, None where nothing can
        be told yet; the newest events C({id, level, message}), and how many things were found to differ."""
        with self._lock:
            elapsed = time.monotonic() - self.begun
            share = self._share()
            left = elapsed * (1 - share) / share if share >= TELLING else None
            return {
                "state": "finished" if self._verdict else "running",
                "verdict": self._verdict,
                "started_at": self._started_at,
                "updated_at": _now(),
                "database": self._database,
                "databases_done": len(self._finished),
                "databases_total": len(self.sizes),
                "tables_done": self._tables[0],
                "tables_total": self._tables[1],
                "bytes_done": sum(self._done.values()),
                "bytes_total": sum(self._total.values()),
                "share": round(share, 4),
                "elapsed_seconds": round(elapsed, 1),
                "seconds_left": None if left is None or self._verdict else round(left, 1),
                "message": self._message,
                "differing": self._differing,
                "events": list(self._events),
            }

    def _share(self) -> float:
        if self._verdict:
            return 1.0
        done = sum(size for name, size in self.sizes.items() if name in self._finished)
        # Both ends are read at the same time; the slower one tells when it will be over.
        parts = [self._done.get(side, 0) / total for side, total in self._total.items() if total]
        if self._database in self.sizes and parts:
            done += self.sizes[self._database] * min(1.0, *parts)
        return done / sum(self.sizes.values()) if self.sizes else 0.0

    def _write(self, at_once: bool = False) -> None:
        now = time.monotonic()
        if self._watch and (at_once or now - self._written >= EVERY):
            self._written = now
            self._watch(self.state())


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
