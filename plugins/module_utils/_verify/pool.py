# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading tables with all sessions of both sides at once, each table whole, the largest first."""

from __future__ import annotations

import threading
import time
from queue import Empty, PriorityQueue
from typing import Callable

from .._postgres.driver import psycopg2
from .._postgres.fingerprint import RowTooLarge


def read_everything(snapshots: dict, tables: list, read: Callable, done: Callable) -> None:
    """Fill in C(results) of every table; what fails is recorded there and never raised.

    :param snapshots: C({side: Snapshot})
    :param read: called as C(read(side, session, table)) from one thread per session; returns the result of one end,
        C({count, sum, expression, ...})
    :param done: called with a table when the results of both ends are in, never from two threads at once
    """
    lock = threading.Lock()

    def drain(side: str, session, queue) -> None:
        while True:
            try:
                table = queue.get_nowait()[2]
            except Empty:
                return
            started = time.monotonic()
            result = attempt(read, side, session, table)
            result.setdefault("seconds", f"{time.monotonic() - started:.3f}")
            with lock:
                table.results[side] = result
                if len(table.results) == len(snapshots):
                    done(table)

    threads = []
    for side, snapshot in snapshots.items():
        queue = PriorityQueue()
        for number, table in enumerate(tables):
            table.results.pop(side, None)
            queue.put((-table.bytes, number, table))
        threads += [threading.Thread(target=drain, args=(side, one, queue), daemon=True) for one in snapshot.sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def attempt(read: Callable, *arguments) -> dict:
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
