# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a running migration still takes: the work to come, at the pace that each kind of work has had so far."""

from __future__ import annotations

# Work per second of one worker until something has been measured; see M(effort) for the unit.
REFERENCE_RATE = 40_000_000
# Less than that says nothing about a kind of work.
MEASURED_SECONDS = 0.5

GROUP = "CASE WHEN kind = 'key' AND unit LIKE 'INDEX%' THEN 'index' ELSE kind END"
# A table that is being copied counts by what it has brought.
REMAINING = f"""
SELECT database, {GROUP} AS kind, count(*) AS units, sum(COALESCE(work, 0)) AS work,
       sum(CASE WHEN state = 'done' THEN 0 ELSE COALESCE(work, 0) * (1 - CASE WHEN bytes_total > 0 AND state = 'running'
             THEN min(1.0 * bytes_done / bytes_total, 1) ELSE 0 END) END) AS remaining,
       max(CASE WHEN state = 'done' THEN 0 ELSE COALESCE(work, 0) * (1 - CASE WHEN bytes_total > 0 AND state = 'running'
             THEN min(1.0 * bytes_done / bytes_total, 1) ELSE 0 END) END) AS largest
  FROM unit WHERE kind <> 'step' GROUP BY 1, 2
"""
EXPECTED = """
SELECT e.database, e.kind, e.work FROM expected e JOIN database d ON d.name = e.database AND d.state <> 'done'
"""
PACE = f"""
SELECT {GROUP} AS kind, sum(work) AS work, sum(finished - started) AS seconds
  FROM span WHERE outcome = 'done' AND work > 0 AND run = (SELECT max(id) FROM run) GROUP BY 1
"""
RUNNING = """
SELECT s.kind AS kind, sum(s.work * min(1.0 * u.bytes_done / u.bytes_total, 1)) AS work, sum(? - s.started) AS seconds
  FROM span s JOIN unit u ON u.database = s.database AND u.unit = s.unit
 WHERE s.finished IS NULL AND u.kind = 'table' AND u.bytes_total > 0 AND u.bytes_done > 0 GROUP BY 1
"""
# Indexes and keys are built alike, so one tells the pace of the other.
ALIKE = {"key": "index", "index": "index"}


def paces(connection, now: float) -> dict:
    """Return C({kind: seconds of one worker per unit of work}) as measured; C(None) holds that of all kinds together."""
    measured: dict = {}
    for kind, work, seconds in [*connection.execute(PACE), *connection.execute(RUNNING, (now,))]:
        for name in (ALIKE.get(kind, kind), None):
            known = measured.setdefault(name, [0.0, 0.0])
            known[0] += work or 0
            known[1] += seconds or 0
    return {
        name: seconds / work for name, (work, seconds) in measured.items() if work > 0 and seconds >= MEASURED_SECONDS
    }


def seconds_left(connection, jobs: int, now: float) -> float | None:
    """Return the seconds until everything of all databases is done, statistics included; None without any plan.

    It is the larger of two times: of all work spread over I(jobs) workers, and of the largest piece by itself.
    """
    pieces, planned = [], set()
    for database, kind, _units, _work, remaining, largest in connection.execute(REMAINING):
        pieces.append((kind, remaining or 0, largest or 0))
        planned.add((database, ALIKE.get(kind, kind)))
    # Until a database is begun, only its tables are known one by one.
    for database, kind, work in connection.execute(EXPECTED):
        if (database, ALIKE.get(kind, kind)) not in planned:
            pieces.append((kind, work, 0))
    if not pieces:
        return None
    known = paces(connection, now)
    usual = known.get(None, 1 / REFERENCE_RATE)
    total = longest = 0.0
    for kind, remaining, largest in pieces:
        pace = known.get(ALIKE.get(kind, kind), usual)
        total += remaining * pace
        longest = max(longest, largest * pace)
    return max(total / max(jobs, 1), longest)
