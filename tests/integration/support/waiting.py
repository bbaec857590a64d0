# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for something to become true, with a deadline."""

from __future__ import annotations

import time
from typing import Callable


def wait_for(look: Callable, what: str, seconds: float = 60.0, interval: float = 0.02):
    """Return the first true value of I(look); fail naming I(what) when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(interval)
