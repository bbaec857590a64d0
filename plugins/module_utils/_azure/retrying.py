# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking again: when, how long after, and for how long.

Every request of this collection may be sent twice: reads change nothing, PUT, PATCH and DELETE say what is to be, and the
few POSTs start, restart or ask. So whatever may heal is repeated, PATCH included. Azure's own hint about when counts
before everything else.
"""

from __future__ import annotations

import email.utils
import time
from typing import Callable

from .errors import AzureError, Busy, StillRunning

PATIENCE_SECONDS = 600.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
# Without an answer there is no hint, and a wrong address or a closed proxy does not heal.
UNREACHED_ATTEMPTS = 4


def hinted_pause(headers, now: Callable[[], float] = time.time) -> float | None:
    """Return the seconds that an answer asks to wait; None when it does not say."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = number(headers.get(name))
        if milliseconds is not None:
            return milliseconds / 1000
    said = headers.get("Retry-After")
    seconds = number(said)
    if seconds is not None or not said:
        return seconds
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - now())
    except (TypeError, ValueError):
        return None


def number(text) -> float | None:
    """Return a header's number, or None when it is none."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if 0 <= value < float("inf") else None


def growing_pauses(first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE):
    """Yield pauses that double until they are as long as the longest."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 2, longest)


class Patience:
    """Repeats a request while it fails with something that may heal, until patience ends.

    :param seconds: how long after the first attempt the last one may begin
    """

    def __init__(
        self,
        seconds: float = PATIENCE_SECONDS,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.seconds = seconds
        self.now = now
        self.sleep = sleep

    def run(self, attempt: Callable[[], object], wait_when_busy: bool = True):
        """Return what I(attempt()) returns in the end.

        :param wait_when_busy: False for a request that means something else once the resource is free
        :raises AzureError: the last one; C(uncertain) when an attempt before may have taken effect
        """
        start, unreached, uncertain = self.now(), 0, False
        for pause in growing_pauses():
            try:
                return attempt()
            except AzureError as error:
                error.uncertain = error.uncertain or uncertain
                unreached = 0 if error.reached else unreached + 1
                wait = pause if error.pause is None else error.pause
                late = self.now() - start + wait > self.seconds
                final = isinstance(error, StillRunning) or (isinstance(error, Busy) and not wait_when_busy)
                if not error.retryable or final or late or unreached >= UNREACHED_ATTEMPTS:
                    raise
                uncertain = uncertain or error.may_have_worked
            self.sleep(wait)
        raise AssertionError("pauses never end")
