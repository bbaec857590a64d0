# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journal says of streams, and the progress that is made of it."""

from __future__ import annotations

import json
import time

SCHEMA = "CREATE TABLE IF NOT EXISTS stream (database TEXT PRIMARY KEY, at REAL NOT NULL, content TEXT NOT NULL)"
SHOWN = (
    "received", "applied", "written", "lag_bytes", "lag_seconds", "lag_trend_bytes_per_second", "seconds_to_catch_up",
    "rates", "applied_changes", "spooled_bytes", "largest_transaction_bytes", "replayed_batches", "retained_bytes", "slot",
)  # fmt: skip
STALE_SECONDS = 15  # after which what was seen last is older than what is shown


def enter(journal, database: str, status: dict) -> None:
    """Enter what a follower has said last."""
    journal.connection.execute(SCHEMA)
    journal.connection.execute(
        "INSERT OR REPLACE INTO stream VALUES (?, ?, ?)", (database, time.time(), json.dumps(status))
    )


def read(connection) -> dict:
    """Return C({database: (moment, status)}) of a journal."""
    known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'stream'"
    if not connection.execute(known).fetchone():
        return {}
    found = connection.execute("SELECT database, at, content FROM stream").fetchall()
    return {database: (at, json.loads(content)) for database, at, content in found}


def summary(connection, databases: list, now: float) -> dict:
    """Return the part of the progress that is about streams; empty for an offline migration.

    The lag is that of the slowest database, and has grown since it was seen last when nobody has looked of late. The
    entries of I(databases) get a key C(stream) each.
    """
    streams = read(connection)
    if not streams:
        return {}
    lags, sizes = [], []
    for entry in databases:
        if entry["name"] not in streams or entry["state"] == "done":
            continue
        at, status = streams[entry["name"]]
        entry["stream"] = {word: status.get(word) for word in SHOWN}
        lag, late = status.get("lag_seconds"), now - at
        if lag is not None and late > STALE_SECONDS:
            entry["stream"]["lag_seconds"] = lag = round(lag + late, 1)
        lags.append(lag)
        sizes.append(status.get("lag_bytes") or 0)
    if not lags:
        return {"lag_seconds": None, "lag_bytes": None}
    return {"lag_seconds": None if None in lags else max(lags), "lag_bytes": sum(sizes)}
