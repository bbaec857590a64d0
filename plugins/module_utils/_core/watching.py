# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person who watches a migration would notice: that nothing moves, or that the target falls behind."""

from __future__ import annotations

import time

from . import status
from .units import human_seconds

# Seconds without a change in any count before somebody is told, and again after as many more.
STANDSTILL = 1800
# The lag is looked at over so many seconds; a target that keeps up does not fall behind all that time.
TREND = 900
LEAST_LAG = 60


class Watching:
    """Takes one progress after the other and says what is new to worry about.

    :param now: a clock that cannot be set back
    """

    def __init__(self, now=time.monotonic, standstill: float = STANDSTILL, trend: float = TREND):
        self.now = now
        self.standstill = standstill
        self.trend = trend
        self.counts: tuple | None = None
        self.since = now()
        self.said = 0
        self.lags: list = []

    def notice(self, progress: dict) -> list:
        """Return sentences about I(progress) that have not been said of this standstill or this trend before."""
        return [*self.standing_still(progress), *self.falling_behind(progress)]

    def standing_still(self, progress: dict) -> list:
        """Return a sentence when nothing has been done for long."""
        counts = (
            progress["state"],
            progress.get("phase"),
            progress.get("bytes_done"),
            progress.get("units_done"),
            tuple(
                (entry["name"], entry["state"], entry.get("tables_done"), entry.get("changes_applied"))
                for entry in progress.get("databases") or ()
            ),
        )
        # Who can say what each worker is at says more than counts; and a window in the future is no standstill.
        excused = bool(progress.get("current")) or str(progress.get("phase") or "").startswith("waits for")
        if counts != self.counts or progress["state"] != status.RUNNING or excused:
            self.counts, self.since, self.said = counts, self.now(), 0
            return []
        idle = self.now() - self.since
        if idle < self.standstill * (self.said + 1):
            return []
        self.said += 1
        return [
            f"Nothing has moved for {human_seconds(idle)}: {progress.get('phase') or progress['state']}. Look for locks and "
            "long transactions on both servers, and at the network between them."
        ]

    def falling_behind(self, progress: dict) -> list:
        """Return a sentence when the lag has only grown for some time."""
        lag, now = progress.get("lag_seconds"), self.now()
        if lag is None:
            self.lags = []
            return []
        self.lags.append((now, lag))
        if now - self.lags[0][0] < self.trend:
            return []
        values = [seen for _moment, seen in self.lags]
        grown = values[-1] > max(values[0], LEAST_LAG) and all(b >= a for a, b in zip(values, values[1:]))
        first = values[0]
        self.lags = self.lags[-1:]
        if not grown:
            return []
        return [
            f"The target falls behind: {human_seconds(first)} have become {human_seconds(lag)} within "
            f"{human_seconds(self.trend)}. Let the source write less, or choose mode 'offline': changes are applied one "
            "database at a time, in one session each."
        ]
