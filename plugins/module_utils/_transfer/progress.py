# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journal says of a migration, in the shape that every provider reports progress in."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone

from .journal import creations, open_reader
from .online import ledger
from .time_left import GROUP, seconds_left

EVENTS_SHOWN = 20
WORKERS_SHOWN = 64
# The recent rate is that of so many seconds.
RECENT_SECONDS = 30


def parse_time(text: str | None) -> float | None:
    """Return the epoch seconds of a moment that the journal wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp() if text else None


def read_progress(path: str) -> dict | None:
    """Return the progress recorded in the journal I(path), or None when there is no journal yet.

    Keys: state, error, started_at, finished_at, elapsed_seconds, bytes, rows (the total estimated), tables, indexes,
    keys, foreign_keys and units, each with _total and _done, bytes_per_second (of all copying), recent_bytes_per_second
    (of the last 30 s), seconds_left (everything, statistics included), jobs, databases (a list), current (what each
    worker is doing; worker 0 is the engine's own session), events (the newest), warnings (all), versions.
    """
    reader = open_reader(path)
    if reader is None:
        return None
    with reader as connection:
        return summarize(connection)


def query(connection, sql: str, *parameters) -> list:
    """Run a query on the journal and return dictionaries."""
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


UNIT_TOTALS = """
SELECT count(*) AS units_total, COALESCE(sum(state = 'done'), 0) AS units_done,
       COALESCE(sum(kind = 'table'), 0) AS tables_total, COALESCE(sum(kind = 'table' AND state = 'done'), 0) AS tables_done,
       COALESCE(sum(bytes_total) FILTER (WHERE kind = 'table'), 0) AS bytes_total,
       COALESCE(sum(CASE WHEN state = 'done' THEN bytes_total ELSE min(bytes_done, bytes_total) END)
                FILTER (WHERE kind = 'table'), 0) AS bytes_done,
       COALESCE(sum(rows) FILTER (WHERE kind = 'table' AND state = 'done'), 0) AS rows_done
  FROM unit WHERE (?1 IS NULL OR database = ?1)
"""
# Until a database is begun, its indexes and keys are known by number only.
KIND_TOTALS = f"""
WITH planned AS (
  SELECT database, {GROUP} AS kind, count(*) AS total, sum(state = 'done') AS done FROM unit GROUP BY 1, 2)
SELECT e.kind AS kind, COALESCE(sum(max(COALESCE(p.total, e.units), COALESCE(p.done, 0))), 0) AS total,
       COALESCE(sum(p.done), 0) AS done
  FROM expected e LEFT JOIN planned p ON p.database = e.database AND p.kind = e.kind
 WHERE e.kind IN ('index', 'key', 'foreign_key') AND (?1 IS NULL OR e.database = ?1) GROUP BY 1
"""
NAMES = {"index": "indexes", "key": "keys", "foreign_key": "foreign_keys"}
COPY_WINDOWS = """
SELECT min(started) AS first, max(COALESCE(finished, ?)) AS last FROM unit
 WHERE kind = 'table' AND started IS NOT NULL GROUP BY database
"""
# What a worker is at; the bytes of what it carries alone are known while it does.
CURRENT = """
SELECT s.worker AS worker, s.database AS database, s.kind AS kind, s.label AS label, s.bytes_total AS bytes_total,
       COALESCE(u.bytes_done, 0) AS bytes_done, s.started AS started
  FROM span s LEFT JOIN unit u ON u.database = s.database AND u.unit = s.unit AND s.kind <> 'prove'
 WHERE s.finished IS NULL AND s.run = (SELECT max(id) FROM run WHERE finished IS NULL)
 ORDER BY s.bytes_total DESC, s.worker LIMIT ?
"""


def totals_of(connection, database: str | None) -> dict:
    """Return how much of what is there and done, of one database or (None) of all."""
    found = query(connection, UNIT_TOTALS, database)[0]
    rows = "SELECT sum(rows) AS rows FROM expected WHERE kind = 'table' AND (?1 IS NULL OR database = ?1)"
    estimated = query(connection, rows, database)[0]["rows"]
    found["rows_total"] = None if estimated is None else max(estimated, found["rows_done"])
    kinds = {row["kind"]: row for row in query(connection, KIND_TOTALS, database)}
    for kind, name in NAMES.items():
        for word in ("total", "done"):
            found[f"{name}_{word}"] = kinds.get(kind, {}).get(word, 0)
    return found


def recent_rate(connection, now: float) -> int | None:
    """Return the bytes per second that have been carried of late; None before there are two samples of this run."""
    samples = query(
        connection,
        "SELECT at, bytes, busy FROM sample WHERE at >= ? AND run = (SELECT max(id) FROM run) ORDER BY at",
        now - RECENT_SECONDS,
    )
    # What comes before the first worker begins is no copying.
    while len(samples) > 1 and not samples[0]["busy"] and samples[1]["bytes"] == samples[0]["bytes"]:
        del samples[0]
    if len(samples) < 2 or samples[-1]["at"] - samples[0]["at"] < 1:
        return None
    # A table that begins anew takes its bytes back.
    carried = sum(max(0, after["bytes"] - before["bytes"]) for before, after in zip(samples, samples[1:]))
    return int(carried / (max(now, samples[-1]["at"]) - samples[0]["at"]))


def current_work(connection, now: float) -> list:
    """Return what each worker is doing, largest first."""
    found = query(connection, CURRENT, WORKERS_SHOWN)
    for row in found:
        begun = row.pop("started")
        row["since"] = datetime.fromtimestamp(begun, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        row["seconds"] = int(max(0, now - begun))
    return found


def summarize(connection) -> dict:
    """Return the progress of the journal behind I(connection)."""
    meta = {row["key"]: json.loads(row["value"]) for row in query(connection, "SELECT key, value FROM meta")}
    totals = totals_of(connection, None)
    databases = []
    for row in query(connection, "SELECT name, state, started_at, finished_at FROM database ORDER BY rowid"):
        databases.append({**row, **totals_of(connection, row["name"])})
    started, finished = parse_time(meta.get("started_at")), parse_time(meta.get("finished_at"))
    now = time.time()
    elapsed = (finished or now) - started if started else 0
    # Databases are carried one after the other, so the time spent copying is the sum over them.
    windows = query(connection, COPY_WINDOWS, now)
    seconds = sum(window["last"] - window["first"] for window in windows)
    rate = totals["bytes_done"] / seconds if seconds > 0 else None
    left = None if finished else seconds_left(connection, meta.get("jobs") or 1, now)
    return {
        "state": meta.get("state", "absent"),
        "error": meta.get("error"),
        "started_at": meta.get("started_at"),
        "finished_at": meta.get("finished_at"),
        "elapsed_seconds": int(elapsed),
        **totals,
        "bytes_per_second": int(rate) if rate else None,
        "recent_bytes_per_second": None if finished else recent_rate(connection, now),
        "seconds_left": None if left is None else int(left + 0.5),
        "jobs": meta.get("jobs"),
        "phase": meta.get("phase"),
        "cutover": meta.get("cutover"),
        "cutover_refused": meta.get("cutover_refused"),
        **ledger.summary(connection, databases, now),
        "databases": databases,
        "current": [] if finished else current_work(connection, now),
        "events": query(
            connection, "SELECT id, at, level, database, message FROM event ORDER BY id DESC LIMIT ?", EVENTS_SHOWN
        )[::-1],
        "warnings": [row["message"] for row in query(connection, "SELECT message FROM event WHERE level = 'warning' ORDER BY id")],
        "versions": {
            "source": meta.get("source_version"), "target": meta.get("target_version"), "client": meta.get("client_version"),
        },
    }  # fmt: skip


def slowest_tables(path: str, limit: int = 10) -> list:
    """Return the tables that took longest, as C([{database, label, rows, bytes_total, seconds}])."""
    reader = open_reader(path)
    if reader is None:
        return []
    with reader as connection:
        found = query(
            connection,
            "SELECT database, label, rows, bytes_total, finished - started AS seconds FROM unit"
            " WHERE kind = 'table' AND state = 'done' ORDER BY seconds DESC LIMIT ?",
            limit,
        )
    return [{**row, "seconds": round(row["seconds"] or 0, 2)} for row in found]


def inventory(path: str) -> list:
    """Return everything that the migration created or was about to create (see M(journal.creations))."""
    reader = open_reader(path)
    if reader is None:
        return []
    with reader as connection:
        return creations(connection)
