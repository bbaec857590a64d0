# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting with a clock that cannot be set back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Callable


def clock(
    total: float,
    interval: float | Callable[[], float],
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[float]:
    """Yield the seconds elapsed, at once and then every I(interval) seconds, until I(total) seconds have passed.

    An interval that changes is a function, called before each pause.

    The last value is yielded at or after I(total), so that a caller looks once more at the deadline.
    """
    start = now()
    while True:
        elapsed = now() - start
        yield elapsed
        if elapsed >= total:
            return
        sleep(min(interval() if callable(interval) else interval, max(0.0, total - elapsed)))
