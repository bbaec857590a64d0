# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress as short lines for people: on a terminal, and in AWX, which keeps a kilobyte of each event."""

from __future__ import annotations

import time

from .status import REPLICATING
from .units import human_bytes, human_seconds

LONGEST_LINE = 160
LABEL, SHORT_LABEL = 40, 13
WORKERS = 4
WHAT = {
    "table": "copy",
    "key": "build",
    "foreign_key": "check",
    "large_objects": "copy",
    "materialized_view": "refresh",
    "statistics": "analyse",
    "prove": "compare",
    "step": "do",
}
# After so many seconds, one line every so many.
PACE = ((0, 5), (60, 15), (600, 60), (3600, 300))


def shortened(words: str, length: int = LABEL) -> str:
    """Return I(words) on one line, the middle of long ones left out."""
    words = " ".join(words.split())
    half = (length - 1) // 2
    return words if len(words) <= length else f"{words[:half]}\u2026{words[-half:]}"


def lasting(seconds: int) -> str:
    """Return whole seconds, and minutes and hours from a minute on."""
    return f"{seconds} s" if seconds < 60 else human_seconds(seconds)


def progress_line(progress: dict) -> str:
    """Return one line from a migration's progress (see the return value C(migration) of the module migration_info)."""
    in_phases = "phase" in progress and progress.get("bytes_total") is None
    if in_phases or progress.get("phase") or progress["state"] == REPLICATING:
        return phase_line(progress)
    total = progress.get("bytes_total") or 0
    if progress["state"] not in ("running",):
        return f"migration {progress['state']}" + (
            f" after {human_seconds(progress['elapsed_seconds'])}" if progress.get("elapsed_seconds") else ""
        )
    if not progress.get("tables_total"):
        return "migration running: reading the source"
    share = min(progress["bytes_done"] / total, 1) if total else 1.0
    parts = [f"{share:4.0%} {human_bytes(progress['bytes_done'])} of {human_bytes(total)}"]
    # What is going on now says more than the average, which a pause pulls down for long.
    rate = progress.get("recent_bytes_per_second")
    if share < 1:
        parts.append(f"{human_bytes(progress.get('bytes_per_second') if rate is None else rate)}/s")
    for word, words in (("tables", "tables"), ("indexes", "indexes"), ("keys", "keys"), ("foreign_keys", "fkeys")):
        if progress.get(f"{word}_total"):
            parts.append(f"{words} {progress[word + '_done']}/{progress[word + '_total']}")
    if progress.get("seconds_left") is not None:
        parts.append(f"{lasting(progress['seconds_left'])} left")
    return " | ".join(parts)[:LONGEST_LINE]


def phase_line(progress: dict) -> str:
    """Return one line for a migration of which phases and counts of tables are known, but no bytes."""
    parts = [f"migration {progress['state']}"]
    databases = progress.get("databases") or []
    if progress.get("phase") and progress["state"] not in ("completed", "failed", "cancelled"):
        parts.append(progress["phase"])
    if len(databases) > 1:
        done = sum(entry["state"] == "completed" for entry in databases)
        parts.append(f"databases {done}/{len(databases)}")
    if progress.get("tables_total"):
        parts.append(f"tables {progress['tables_done']}/{progress['tables_total']}")
    if progress.get("lag_seconds") is not None:
        parts.append(f"{lasting(int(progress['lag_seconds']))} behind")
    if progress.get("elapsed_seconds"):
        parts.append(f"after {human_seconds(progress['elapsed_seconds'])}")
    return " | ".join(parts)[:LONGEST_LINE]


def verification_line(progress: dict) -> str:
    """Return one line from a verification's progress (see the return value C(progress) of module verification_info)."""
    if progress.get("state") != "running":
        verdict = progress.get("verdict")
        return f"verification {progress.get('state', 'unknown')}" + (f": {verdict}" if verdict else "")
    if "share" not in progress:
        return "verification running: it has only just begun"
    parts = [f"{progress['share']:4.0%}"]
    if progress["databases_total"] > 1:
        parts.append(f"databases {progress['databases_done']}/{progress['databases_total']}")
    if progress["database"]:
        parts.append(shortened(progress["database"]))
    if progress["tables_total"]:
        parts.append(f"tables {progress['tables_done']}/{progress['tables_total']}")
    if progress["bytes_total"]:
        parts.append(f"{human_bytes(progress['bytes_done'])} of {human_bytes(progress['bytes_total'])}, both ends")
    elif progress["message"]:
        parts.append(shortened(progress["message"]))
    if progress["differing"]:
        parts.append(f"{progress['differing']} differ")
    if progress["seconds_left"] is not None:
        parts.append(f"{lasting(int(progress['seconds_left']))} left")
    return " | ".join(parts)[:LONGEST_LINE]


def worker_line(progress: dict) -> str:
    """Return one line that says what the workers are at, or nothing when none is at work."""
    parts = []
    current = sorted(progress.get("current") or (), key=lambda work: work["worker"])
    for work in current[:WORKERS]:
        share = ""
        if work["bytes_total"] and work["bytes_done"]:
            share = f" {min(work['bytes_done'] / work['bytes_total'], 1):.0%}"
        name = f"{work['worker']} " if work["worker"] else ""
        # Room for all of them on one line.
        label = shortened(work["label"], LABEL if len(current) < 3 else SHORT_LABEL)
        parts.append(f"{name}{WHAT.get(work['kind'], 'do')} {label}{share} {lasting(work['seconds'])}")
    if len(current) > WORKERS:
        parts.append(f"{len(current) - WORKERS} more")
    return "  at work: " + ", ".join(parts) if parts else ""


class Pace:
    """Decides when the next line is due: the longer it takes, the fewer."""

    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self.began = clock()
        self.last: float | None = None

    def due(self) -> bool:
        """Return whether it is time for a line, and if so count from now."""
        now = self.clock()
        wanted = [seconds for after, seconds in PACE if now - self.began >= after][-1]
        if self.last is not None and now - self.last < wanted:
            return False
        self.last = now
        return True


def estimate_line(estimate: dict) -> str:
    """Return one line from an estimate (see the return value C(estimate) of the module migration)."""
    low, high = human_seconds(estimate["seconds_low"]), human_seconds(estimate["seconds_high"])
    return (
        f"estimate: {human_seconds(estimate['seconds'])} ({low} to {high}) for {human_bytes(estimate['bytes'])}; "
        f"disk: target {human_bytes(estimate['target_disk_bytes'])}, runtime server {human_bytes(estimate['runtime_disk_bytes'])}"
    )


def cutover_line(progress: dict) -> str:
    """Return what a cutover has cost, and what it has left around the source; nothing without one that is through."""
    cutover = progress.get("cutover") or {}
    if cutover.get("write_downtime_seconds") is None:
        return ""
    line = f"cut over: nobody could write for {human_seconds(cutover['write_downtime_seconds'])}"
    if not cutover.get("fenced"):
        return line
    return (
        f"{line}; the fence around the source stays, so that nobody writes there. To take it down, also after decommissioning: "
        "azpg.migrate.verify with azpg_fence=down"
    )
