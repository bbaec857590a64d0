# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client programs that run beside the main thread, which meanwhile asks the servers for other things."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Callable

THREADS = 4


class Abandoned(Exception):
    """The main thread has left; nobody waits for the result any more."""


class Background:
    """A context manager that runs functions in threads; leaving it early ends the programs that they wait for.

    To such a function it stands for the engine's context, whose attributes it shows.
    """

    def __init__(self, context):
        self._context = context
        self._abandoned = False
        self._executor = ThreadPoolExecutor(THREADS, "background")

    def __getattr__(self, name: str):
        return getattr(self._context, name)

    def __enter__(self) -> Background:
        return self

    def __exit__(self, kind, _error, _trace) -> None:
        self._abandoned = kind is not None
        self._executor.shutdown(wait=True)

    def tick(self) -> None:
        """Called about once a second by whatever takes long; raises to stop it."""
        self._context.tick()
        if self._abandoned:
            raise Abandoned

    def start(self, function: Callable, *arguments) -> Future:
        """Begin I(function)(self, *arguments)."""
        return self._executor.submit(function, self, *arguments)


def result(future: Future, tick: Callable[[], None]):
    """Wait for a function that runs in the background and return what it returns; raise what it raises."""
    while not wait([future], 0.5).done:
        tick()
    return future.result()
