# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journal says of a migration, in the shape that every provider reports progress in."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone

from .journal import creations, open_reader

EVENTS_SHOWN = 20
UNITS_SHOWN = 8


def parse_time(text: str | None) -> float | None:
    """Return the epoch seconds of a moment that the journal wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp() if text else None


def read_progress(path: str) -> dict | None:
    """Return the progress recorded in the journal I(path), or None when there is no journal yet.

    Keys: state, error, started_at, finished_at, elapsed_seconds, bytes_total, bytes_done, bytes_per_second,
    seconds_left, tables_total, tables_done, units_total, units_done, databases (a list), current (what is being worked
    on), events (the newest), warnings (all), versions.
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


COPY_WINDOWS = """
SELECT min(started) AS first, max(COALESCE(finished, ?)) AS last FROM unit
 WHERE kind = 'table' AND started IS NOT NULL GROUP BY database
"""


def summarize(connection) -> dict:
    """Return the progress of the journal behind I(connection)."""
    meta = {row["key"]: json.loads(row["value"]) for row in query(connection, "SELECT key, value FROM meta")}
    totals = query(connection, UNIT_TOTALS, None)[0]
    databases = []
    for row in query(connection, "SELECT name, state, started_at, finished_at FROM database ORDER BY rowid"):
        databases.append({**row, **query(connection, UNIT_TOTALS, row["name"])[0]})
    started, finished = parse_time(meta.get("started_at")), parse_time(meta.get("finished_at"))
    elapsed = (finished or time.time()) - started if started else 0
    # Databases are carried one after the other, so the time spent copying is the sum over them.
    windows = query(connection, COPY_WINDOWS, time.time())
    seconds = sum(window["last"] - window["first"] for window in windows)
    rate = totals["bytes_done"] / seconds if seconds > 0 else None
    left = (totals["bytes_total"] - totals["bytes_done"]) / rate if rate else None
    return {
        "state": meta.get("state", "absent"),
        "error": meta.get("error"),
        "started_at": meta.get("started_at"),
        "finished_at": meta.get("finished_at"),
        "elapsed_seconds": int(elapsed),
        **totals,
        "bytes_per_second": int(rate) if rate else None,
        "seconds_left": int(left) if left is not None and not finished else None,
        "databases": databases,
        "current": query(
            connection,
            "SELECT database, kind, label, bytes_total, bytes_done FROM unit WHERE state = 'running'"
            " ORDER BY bytes_total DESC LIMIT ?",
            UNITS_SHOWN,
        ),
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
