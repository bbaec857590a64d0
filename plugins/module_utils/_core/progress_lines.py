# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress as one line for people, short enough for a terminal and for AWX's job output."""

from __future__ import annotations

from .units import human_bytes, human_seconds

BAR = 20
WHAT = {
    "table": "copying",
    "key": "building",
    "foreign_key": "checking",
    "large_objects": "copying",
    "materialized_view": "refreshing",
    "statistics": "analysing",
    "step": "working on",
}


def progress_line(progress: dict) -> str:
    """Return one line from a migration's progress (see the return value C(migration) of the module migration_info)."""
    total = progress.get("bytes_total") or 0
    if progress["state"] not in ("running",):
        return f"migration {progress['state']}" + (
            f" after {human_seconds(progress['elapsed_seconds'])}" if progress.get("elapsed_seconds") else ""
        )
    if not total:
        return "migration running: reading the source"
    share = min(progress["bytes_done"] / total, 1)
    filled = int(share * BAR)
    parts = [
        f"[{'#' * filled}{'.' * (BAR - filled)}] {share:4.0%}",
        f"{human_bytes(progress['bytes_done'])} of {human_bytes(total)}",
        f"tables {progress['tables_done']}/{progress['tables_total']}",
        f"steps {progress['units_done']}/{progress['units_total']}",
    ]
    if progress.get("bytes_per_second") and share < 1:
        parts.append(f"{human_bytes(progress['bytes_per_second'])}/s, {human_seconds(progress['seconds_left'])} left")
    current = progress.get("current") or []
    if current:
        first = current[0]
        parts.append(f"{WHAT.get(first['kind'], 'working on')} {first['database']} {first['label']}"[:120])
    return " | ".join(parts)
