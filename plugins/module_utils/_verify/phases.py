# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When each part of a verification began and ended, for the picture on its page."""

from __future__ import annotations

import contextlib
import time

CONNECTING, DEFINITIONS, SEQUENCES, OBJECTS = "connecting", "definitions", "sequences", "large objects"
ROWS, AGAIN, DIFFERENCES, STATISTICS = "rows", "rows once more", "differences", "statistics"


class Phases:
    """The parts of one database in C(found), C([{phase, side, began, ended}]): seconds since the run began, as decimal
    strings; the side is empty where both ends are at work together."""

    def __init__(self, start: float):
        """I(start) is when the run began, on the clock of C(time.monotonic)."""
        self.start = start
        self.found: list = []

    def add(self, phase: str, began: float, ended: float, side: str = "") -> None:
        """Take note of a part, both moments on the clock of C(time.monotonic)."""
        words = {"began": f"{began - self.start:.3f}", "ended": f"{ended - self.start:.3f}"}
        self.found.append({"phase": phase, "side": side, **words})

    @contextlib.contextmanager
    def of(self, phase: str):
        """Take note of what happens inside."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.add(phase, began, time.monotonic())


def seconds_of(found: list) -> dict:
    """Return C({phase: seconds}) of the parts of one database, as decimal strings; of two sides the longer one counts."""
    spent: dict = {}
    for item in found:
        sides = spent.setdefault(item["phase"], {})
        sides[item["side"]] = sides.get(item["side"], 0.0) + float(item["ended"]) - float(item["began"])
    return {phase: f"{max(sides.values()):.3f}" for phase, sides in spent.items()}
