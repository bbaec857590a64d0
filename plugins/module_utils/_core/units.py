# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes and times as people read them."""

from __future__ import annotations


def human_bytes(count: float | None) -> str:
    """Return a number of bytes with a decimal unit, for example C(1.2 GB); C(?) for None."""
    if count is None:
        return "?"
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def human_seconds(seconds: float | None) -> str:
    """Return a duration in its two largest units, for example C(3 min 20 s); C(?) for None."""
    if seconds is None:
        return "?"
    if 0 < seconds < 0.1:
        return f"{max(seconds * 1000, 1):.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def count_of(number: int | str, singular: str, plural: str = "") -> str:
    """Return C(1 table) or C(3 tables); I(number) may be a text."""
    return f"{number} {singular if str(number) == '1' else plural or singular + 's'}"
