# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading tables with all sessions of both sides at once, piece by piece, the largest first."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Callable

from .._postgres.driver import psycopg2
from .._postgres.fingerprint import RowTooLarge
from .pieces import Piece, whole

# Bytes per second. What reads more slowly waits, for a lock say; nobody need rest from that.
SLOWEST = 10_000_000


class Pace:
    """How hard sessions work, and who is told what they have done.

    I(busy_percent) is the part of the time in which each of them works; it rests after each piece for the remainder.
    """

    def __init__(self, busy_percent: int = 100, progress=None):
        self.busy_percent, self.progress = busy_percent, progress

    def planned(self, side: str, pieces: list) -> None:
        """Take note of all pieces of one end."""
        if self.progress:
            self.progress.planned(side, sum(piece.bytes for piece in pieces))

    def worked(self, side: str, piece: Piece, seconds: float) -> None:
        """Take note of a piece that took I(seconds), and rest."""
        if self.progress:
            self.progress.worked(side, piece.bytes)
        if self.busy_percent < 100:
            worked = min(seconds, 1 + piece.bytes / SLOWEST)
            time.sleep(worked * (100 / self.busy_percent - 1))


class _Gathered:
    """The results of pieces, put together to those of tables as soon as the last of a table is in."""

    def __init__(self, snapshots: dict, done: Callable):
        self.sides, self.done = len(snapshots), done
        self.lock = threading.Lock()
        self.left: dict = {}

    def expect(self, side: str, pieces: list) -> None:
        for piece in pieces:
            for table in piece.tables:
                self.left[side, table.full_name] = self.left.get((side, table.full_name), 0) + 1

    def failed(self, side: str, piece: Piece) -> dict | None:
        """Return the error of another piece of the same table, after which reading on is pointless."""
        with self.lock:
            known = piece.table.results.get(side, {}) if len(piece.tables) == 1 else {}
            return known if "error" in known else None

    def add(self, side: str, table, part: dict) -> None:
        with self.lock:
            table.results[side] = put_together(table.results.get(side), part)
            self.left[side, table.full_name] -= 1
            if (
                not any(self.left.get((one, table.full_name)) for one in table.results)
                and len(table.results) == self.sides
            ):
                self.done(table)


def put_together(first: dict | None, second: dict) -> dict:
    """Return the result of two parts of a table: counts, sums and seconds add up, an error of either is that of both."""
    if first is None or "error" in first:
        return first or second
    if "error" in second:
        return second
    return {
        **first,
        "count": first["count"] + second["count"],
        "sum": str(int(first["sum"]) + int(second["sum"])),
        "seconds": f"{float(first['seconds']) + float(second['seconds']):.3f}",
        "pieces": first.get("pieces", 1) + second.get("pieces", 1),
    }


def read_everything(
    snapshots: dict, tables: list, read: Callable, done: Callable, *, cut: Callable = whole, pace: Pace | None = None
) -> dict:
    """Fill in C(results) of every table; what fails is recorded there and never raised.

    Return C({side: (moment of the beginning, moment of the end)}) on the clock of C(time.monotonic).

    :param snapshots: C({side: Snapshot})
    :param read: called as C(read(side, session, piece)) from one thread per session; returns the result of one end for
        each table of the piece, C([{count, sum, expression, ...}])
    :param done: called with a table when the results of both ends are in, never from two threads at once
    :param cut: called as C(cut(side, leader, tables)); returns C([Piece])
    """
    pace = pace or Pace()
    gathered = _Gathered(snapshots, done)
    began = time.monotonic()
    spans = dict.fromkeys(snapshots, (began, began))

    def drain(side: str, session, queue: deque) -> None:
        while True:
            try:
                piece = queue.popleft()
            except IndexError:
                return
            started = time.monotonic()
            failed = gathered.failed(side, piece)
            parts = [failed] if failed else _read(read, side, session, piece)
            seconds = time.monotonic() - started
            for table, part in zip(piece.tables, parts):
                # What is read together is not timed apart.
                part.setdefault("seconds", f"{seconds / len(parts):.3f}")
                gathered.add(side, table, part)
            spans[side] = (began, time.monotonic())
            pace.worked(side, piece, seconds)

    queues = {}
    for side, snapshot in snapshots.items():
        for table in tables:
            table.results.pop(side, None)
        pieces = cut(side, snapshot.leader, tables)
        gathered.expect(side, pieces)
        pace.planned(side, pieces)
        # In the order of both ends' sizes, so that both come to a table at about the same time.
        queues[side] = deque(sorted(pieces, key=lambda piece: -max(table.bytes for table in piece.tables)))
    threads = [
        threading.Thread(target=drain, args=(side, one, queues[side]), daemon=True)
        for side, snapshot in snapshots.items()
        for one in snapshot.sessions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return spans


def _read(read: Callable, side: str, session, piece: Piece) -> list:
    """Return one result per table; when reading several at once fails, each is read by itself, to tell whose fault it is."""
    found = attempt(read, side, session, piece)
    if isinstance(found, list):
        return found
    if len(piece.tables) == 1:
        return [found]
    return [_read(read, side, session, Piece((table,)))[0] for table in piece.tables]


def attempt(read: Callable, *arguments):
    """Return what I(read) returns, or C({error, code}) for whatever it raises: no thread may lose a table."""
    try:
        return read(*arguments)
    except RowTooLarge as error:
        return {"too_large": True, "error": error.msg, "code": "54000"}
    except psycopg2.Error as error:
        return {"error": " ".join(str(error.diag.message_primary or error).split()), "code": error.pgcode or ""}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "code": ""}


def both_ends(call: Callable, sides=("source", "target")) -> dict:
    """Return C({side: call(side)}), computed at the same time; the first exception is raised when all are done."""
    results, errors = {}, []

    def work(side: str) -> None:
        try:
            results[side] = call(side)
        except Exception as error:  # raised below, in the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(side,), daemon=True) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
