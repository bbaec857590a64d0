# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the report's page that shows where the time went: one bar per part, on one scale from begin to end."""

from __future__ import annotations

from .._core.page import text
from .._core.units import human_seconds
from .phases import AGAIN, CONNECTING, DEFINITIONS, DIFFERENCES, OBJECTS, ROWS, SEQUENCES, STATISTICS

# More databases than that have a line each, the longest first.
MOST_DATABASES = 8
TICKS = 4
# What is too short to be seen at this part of the whole is drawn as wide as that.
NARROWEST = 0.4
WORDS = {
    CONNECTING: "connecting, snapshots",
    DEFINITIONS: "definitions",
    SEQUENCES: "sequences",
    OBJECTS: "large objects",
    STATISTICS: "catalogues",
    ROWS: "rows",
    AGAIN: "rows once more",
    DIFFERENCES: "rows that differ",
}


def timings(report: dict) -> str:
    """Return the section with the picture; nothing for a report that knows no parts."""
    databases = [entry for entry in report["databases"] if entry["phases"]]
    end = max((float(item["ended"]) for entry in databases for item in entry["phases"]), default=0.0)
    if not end:
        return ""
    shown = sorted(databases, key=_length, reverse=True)[:MOST_DATABASES]
    charts = "".join(_chart(entry, end, len(databases) > 1) for entry in databases if entry in shown)
    rest = [entry for entry in databases if entry not in shown]
    more = ""
    if rest:
        longest = human_seconds(max(_length(entry) for entry in rest))
        more = f'<p class="quiet">{len(rest)} other databases took {longest} each, or less.</p>'
    ticks = "".join(f"<span>{human_seconds(end * number / TICKS)}</span>" for number in range(TICKS + 1))
    return (
        f"<section><h2>Where the time went</h2>{charts}"
        f'<div class="part scale"><span></span><div class="ticks">{ticks}</div><span></span></div>{more}{_rate(report)}</section>'
    )


def _length(entry: dict) -> float:
    return float(entry["phases"][-1]["ended"]) - float(entry["phases"][0]["began"])


def _chart(entry: dict, end: float, named: bool) -> str:
    """Return the bars of one database; parts of the same kind share one."""
    lines: dict = {}
    for item in entry["phases"]:
        lines.setdefault((item["phase"], item["side"]), []).append((float(item["began"]), float(item["ended"])))
    heading = f"<h3>{text(entry['name'])}</h3>" if named else ""
    return heading + "".join(
        _line(phase, side, spans, end)
        for (phase, side), spans in sorted(lines.items(), key=lambda line: (round(line[1][0][0], 2), line[0][1]))
    )


def _line(phase: str, side: str, spans: list, end: float) -> str:
    words = WORDS.get(phase, phase) + (f", {side}" if side else "")
    kind = "rows" if phase in (ROWS, AGAIN) else "find" if phase == DIFFERENCES else "other"
    bars = "".join(
        f'<rect class="p-{kind}{" p-target" if side == "target" else ""}" x="{min(began / end * 100, 100 - NARROWEST):.2f}" '
        f'width="{max((ended - began) / end * 100, NARROWEST):.2f}" height="10"/>'
        for began, ended in spans
    )
    spent = human_seconds(sum(ended - began for began, ended in spans))
    return (
        f'<div class="part"><span class="what">{text(words)}</span>'
        f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{text(words)}: {text(spent)}">{bars}</svg>'
        f'<span class="spent">{text(spent)}</span></div>'
    )


def _rate(report: dict) -> str:
    """Return how fast rows were read on each end, where that took long enough to be told."""
    said = []
    for number, side in enumerate(("source", "target")):
        spans = [
            item
            for entry in report["databases"]
            for item in entry["phases"]
            if (item["phase"], item["side"]) == (ROWS, side)
        ]
        seconds = sum(float(item["ended"]) - float(item["began"]) for item in spans)
        size = sum(
            int(table["bytes"][number])
            for entry in report["databases"]
            for table in entry["tables"]
            if not table["carried"] and table["kind"] != "partitioned table"
        )
        if seconds >= 1 and size:
            said.append(f"{size / seconds / 1e6:,.0f} MB/s on the {side}")
    if not said:
        return ""
    sessions = max((max(entry["sessions"].values()) for entry in report["databases"] if entry["sessions"]), default=1)
    return f'<p class="quiet">Rows were read at {text(" and ".join(said))}, by up to {sessions} sessions on each.</p>'
