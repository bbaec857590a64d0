# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the target is behind, in bytes of the source's log and in seconds, and whether it catches up."""

from __future__ import annotations

from collections import deque

MOMENTS = 3600  # one a second
TREND_SECONDS = 30


class Lag:
    """Learns moments of source and target and tells the lag.

    The source was at the applied position so many seconds ago: that is the lag, whatever the clocks say and whether there
    was anything to do or not. Only what lies before the first moment is told by the source's own moments of commit.
    """

    def __init__(self):
        self.moments: deque = deque(maxlen=MOMENTS)
        self.applied: deque = deque(maxlen=MOMENTS)

    def learn(self, now: float, written: int, applied: int, counts: dict) -> None:
        """Take in a moment.

        :param now: in seconds of a monotonic clock
        :param written: the source's position
        :param applied: how far all is safe on the target
        :param counts: how much has been applied, C({kind: number})
        """
        self.moments.append((now, written))
        self.applied.append((now, applied, dict(counts)))

    @property
    def bytes(self) -> int:
        """How much log the target is behind."""
        return max(0, self.moments[-1][1] - self.applied[-1][1]) if self.moments else 0

    def seconds(self, now: float, applied: int, source_now: float, committed_at: float | None) -> float | None:
        """Return how many seconds the target is behind; None before anything is known.

        :param source_now: the source's clock, I(committed_at) the moment of the last applied commit by the same clock
        """
        if not self.moments:
            return None
        if applied >= self.moments[-1][1]:
            return 0.0
        for at, written in reversed(self.moments):
            if written <= applied:
                return now - at
        if committed_at is None:
            return now - self.moments[0][0]
        return max(now - self.moments[0][0], source_now - committed_at)

    def window(self) -> tuple:
        """Return the first and last moment of what is looked at for trend and rates."""
        last = self.applied[-1]
        first = next(one for one in self.applied if one[0] >= last[0] - TREND_SECONDS)
        return first, last

    def trend(self) -> float | None:
        """Return by how many bytes a second the lag grows, negative when it shrinks; None before there is a trend."""
        if len(self.applied) < 2:
            return None
        first, last = self.window()
        if last[0] - first[0] < 1:
            return None
        before = next(written for at, written in self.moments if at == first[0]) - first[1]
        return (max(0, self.moments[-1][1] - last[1]) - max(0, before)) / (last[0] - first[0])

    def rates(self) -> dict:
        """Return how much is applied per second, C({kind: number})."""
        if len(self.applied) < 2:
            return {}
        first, last = self.window()
        passed = last[0] - first[0]
        return (
            {kind: round((number - first[2][kind]) / passed, 1) for kind, number in last[2].items()} if passed else {}
        )

    def seconds_to_catch_up(self) -> float | None:
        """Return in how many seconds the lag will be gone; None when it grows, or nothing is known."""
        trend = self.trend()
        if not self.bytes:
            return 0.0
        return self.bytes / abs(trend) if trend is not None and trend < 0 else None
