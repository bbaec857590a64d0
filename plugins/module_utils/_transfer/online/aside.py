# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on the source through sessions that nobody watches: it is done in a thread, and the source is asked beside it."""

from __future__ import annotations

import threading
import time
from typing import Callable

from ..._core.errors import ConnectionFailed
from ..probe import NoAnswer, ask

PATIENT_SECONDS, PAUSE_SECONDS = 20, 10


def run(context, what: str, action: Callable):
    """Do something that connects to the source by itself, and return what it returns.

    Whoever wants the engine to stop is heard afterwards only: half of it must not go on without us.

    :param what: for people, who are told when the source does not answer meanwhile
    """
    outcome: list = []

    def work() -> None:
        try:
            outcome.append((action(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=work, name=what, daemon=True)
    thread.start()
    wanted, looked = None, time.monotonic() + PATIENT_SECONDS - PAUSE_SECONDS
    while thread.is_alive():
        thread.join(0.1)
        try:
            context.tick()
        except BaseException as error:
            wanted = wanted or error
        if time.monotonic() - looked >= PAUSE_SECONDS:
            look(context, what)
            looked = time.monotonic()
    result, error = outcome[0]
    if error is not None:
        raise error
    if wanted is not None:
        raise wanted
    return result


def look(context, what: str) -> None:
    """Say so when the source does not answer."""
    try:
        ask(context.request.source, "source", "SELECT 1 AS one", seconds=PAUSE_SECONDS)
    except NoAnswer as error:
        context.journal.event(f"The source does not answer, and {what} waits for it: {error}.", "warning")
    except ConnectionFailed:
        pass  # it answers, if only to refuse; the work itself is told the same
