# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has been read so far, line by line, so that a run that dies does not take the work of hours with it.

The next run takes over the sums of a piece where the same expression would be computed over the same piece, and where
nothing was written to the table since: the write position of that server stands still, or its counters say so. All else
it reads. The ledger is trusted like the directory that it lies in, which is private to the migration.
"""

from __future__ import annotations

import json
import os
import threading
from typing import Callable

from .._core.canonical import digest
from .._core.request import Request
from .identity import counter_names
from .recheck_mode import moved

FORMAT = "azpg.migrate/ledger/1"
SIDES = ("source", "target")
COUNTERS = {"source": "counters", "target": "target_counters"}


def identified(ends: dict) -> dict:
    """Return what has to be the same of both servers for anything to be taken over."""
    words = ("system_identifier", "host", "version", "databases")
    return {side: {word: ends[side][word] for word in words} for side in SIDES}


class Ledger:
    """The lines of the file I(path): one segment per run, each with the write positions that it began with.

    Safe to call from several threads. I(taken) is how many pieces were taken over, I(runs) from which runs.
    """

    def __init__(self, path: str):
        self.path = path
        self.segments: list = []
        self.taken = 0
        self.runs: list = []
        self._stream = None
        self._lock = threading.Lock()

    def begin(self, request: Request, ends: dict, run_id: str) -> None:
        """Read what earlier runs of the same request left, and begin a segment.

        :param ends: C({side: identity with static_proof})
        """
        head = {"format": FORMAT, "request_hash": request.hash, "ends": identified(ends)}
        self.segments = self._read(digest(head))
        mode = "a" if self.segments else "w"
        descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY | (os.O_APPEND if mode == "a" else os.O_TRUNC), 0o600)
        self._stream = os.fdopen(descriptor, mode, encoding="utf-8")
        if self.segments:
            self._stream.write("\n")  # the last line may have been cut off
        proofs = {side: ends[side]["static_proof"] for side in SIDES}
        self.write({"head": digest(head), "run_id": run_id, "proofs": proofs})

    def _read(self, head: str) -> list:
        """Return the segments; none when the file is of another request, or of other servers. A line that was cut off is
        no line."""
        segments: list = []
        try:
            with open(self.path, encoding="utf-8") as stream:
                for line in stream:
                    try:
                        item = json.loads(line)
                    except ValueError:
                        continue
                    if "head" in item:
                        if item["head"] != head:
                            return []
                        segments.append({**item, "databases": {}, "pieces": {}})
                    elif "counters" in item:
                        segments[-1]["databases"][item["database"]] = item
                    else:
                        segments[-1]["pieces"][item["key"]] = item
        except (OSError, KeyError, IndexError):
            pass  # what was read up to there counts
        return segments

    def write(self, item: dict) -> None:
        """Add a line."""
        with self._lock:
            self._stream.write(json.dumps(item, separators=(",", ":")) + "\n")
            self._stream.flush()

    def take(self, runs) -> None:
        """Take note of a piece that was taken over."""
        with self._lock:
            self.taken += 1
            self.runs = sorted({*self.runs, *runs})

    def close(self, done: bool) -> None:
        """End the segment; a run that has come to its end leaves nothing behind."""
        if self._stream:
            self._stream.close()
        if done and os.path.exists(self.path):
            os.unlink(self.path)

    def database(self, name: str) -> DatabaseLedger:
        """Return the part of one database."""
        return DatabaseLedger(self, name)


class DatabaseLedger:
    """What is known of one database, and what becomes known."""

    def __init__(self, ledger: Ledger, name: str):
        self.ledger, self.name = ledger, name
        self._known: dict = {side: {} for side in SIDES}

    def look(self, connection, side: str, proof: dict, counters: dict, last) -> None:
        """Find out, before the new snapshot is taken, which tables of one end were not written to since they were read.

        :param proof: the server's write position now; I(counters) of the database now; I(last) as of M(recheck_mode.moved)
        """
        for segment in self.ledger.segments:
            stored = segment["databases"].get(self.name)
            pieces = [
                item for item in segment["pieces"].values() if (item["database"], item["side"]) == (self.name, side)
            ]
            if not stored or not pieces:
                continue
            base = {side: {"static_proof": segment["proofs"][side]}}
            written = moved(side, base, stored, proof, counters, last)
            if written is None:
                continue
            names = counter_names(connection, sorted({(item["schema"], item["table"]) for item in pieces}))
            for item in pieces:
                if names[item["schema"], item["table"]] not in written:
                    self._known[side][item["key"]] = (segment["run_id"], item)

    def begin(self, counters: dict, target_counters: dict) -> None:
        """Take note of the counters before the snapshot."""
        self.ledger.write({"database": self.name, "counters": counters, "target_counters": target_counters})

    def reader(self, read: Callable, told: Callable) -> Callable:
        """Return a function like I(read), called as C((side, session, piece)), that takes over what is known of a piece
        and takes note of what it reads.

        :param told: called as C(told(side, table)); returns the text that tells how the rows of a table are read
        """

        def remembering(side: str, session, piece) -> list:
            keys = [self._key(side, table, piece.condition, told(side, table)) for table in piece.tables]
            known = [self._known[side].get(key) for key in keys]
            if all(known):
                self.ledger.take(run for run, _item in known)
                return [{**item["part"], "seconds": "0"} for _run, item in known]
            found = read(side, session, piece)
            for key, table, part in zip(keys, piece.tables, found):
                place = {"database": self.name, "side": side, "schema": table.schema, "table": table.name}
                self.ledger.write({"key": key, **place, "part": part})
            return found

        return remembering

    def _key(self, side: str, table, condition: str, how: str) -> str:
        """Return what tells a piece and the way in which it is read from every other."""
        own = condition or getattr(table, side)["condition"] or ""
        return digest([self.name, side, table.schema, table.name, own, how])
