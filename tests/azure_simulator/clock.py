# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time at a chosen pace: Azure's durations, multiplied."""

from __future__ import annotations

import math
import time

#: How long Azure takes, in seconds. Sources: durations between recorded polls, and Microsoft's guides.
DURATIONS = {
    "server create": 300.0,
    "server create with standby": 540.0,
    "first backup": 345.0,
    "server update": 90.0,
    "server rename": 5.0,
    "server delete": 75.0,
    "server restart": 60.0,
    "server stop": 300.0,
    "server start": 300.0,
    "configuration": 12.0,
    "database": 12.0,
    "network": 4.0,
    "dns": 8.0,
    "endpoint": 60.0,
    "registration": 20.0,
    "subnet release": 30.0,
    "migration metadata": 1.5,
    "migration refusal": 0.4,
    "migration cleaning": 0.6,
    "migration prerequisites": 150.0,
    "migration validation": 40.0,
    "migration setup of replication": 120.0,
    "migration data": 240.0,
    "migration completing": 30.0,
    "migration cancelling": 20.0,
    "migration cutover wait": 72 * 3600.0,
    "migration lifetime": 168 * 3600.0,
}


class Clock:
    """Now, and how long things last at this pace; `scale` 1.0 is Azure's own."""

    def __init__(self, scale: float):
        if scale <= 0:
            raise ValueError(f"time_scale must be above 0, not {scale}")
        self.scale = scale

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def span(self, seconds: float) -> float:
        """Return how long something lasts here that lasts `seconds` in Azure."""
        return seconds * self.scale

    def of(self, name: str) -> float:
        """Return how long a named thing lasts here."""
        return self.span(DURATIONS[name])

    def retry_after(self, seconds: float) -> str:
        """Return the value of a Retry-After header: whole seconds at Azure's pace, a decimal fraction below one."""
        scaled = self.span(seconds)
        return str(int(scaled)) if scaled == int(scaled) else f"{scaled:.3f}"


class WholeSeconds(Clock):
    """A clock for clients that take a Retry-After for a whole number, as Azure sends it: one second at least."""

    def retry_after(self, seconds: float) -> str:
        return str(max(1, math.ceil(self.span(seconds))))


class HeldClock(Clock):
    """A clock that stands still until it is told to go on, for tests that look at one moment after the other."""

    def __init__(self, scale: float = 1.0):
        super().__init__(scale)
        self._moment = time.time()

    def now(self) -> float:
        return self._moment

    def step(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._moment += seconds
