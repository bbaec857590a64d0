# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of one migration: every unit of work, recorded before and after it is done.

One SQLite file on a local disk with exactly one writer, the engine's own process; any number of readers. It feeds
progress, resume and the summary. Whether a unit's effect reached the target is never read from here alone: the marker
table on the target (see M(marker)) is committed together with the effect and settles what a crash left open.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing, contextmanager
from datetime import datetime, timezone

from . import trace

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS database (
    name TEXT PRIMARY KEY, state TEXT NOT NULL, started_at TEXT, finished_at TEXT, snapshot TEXT);
CREATE TABLE IF NOT EXISTS unit (
    database TEXT NOT NULL, unit TEXT NOT NULL, kind TEXT NOT NULL, label TEXT NOT NULL, state TEXT NOT NULL,
    bytes_total INTEGER NOT NULL DEFAULT 0, bytes_done INTEGER NOT NULL DEFAULT 0, rows INTEGER,
    started REAL, finished REAL, attempts INTEGER NOT NULL DEFAULT 0, error TEXT, work REAL,
    planned INTEGER, PRIMARY KEY (database, unit));
CREATE TABLE IF NOT EXISTS created (
    id INTEGER PRIMARY KEY, side TEXT NOT NULL, database TEXT, kind TEXT NOT NULL, name TEXT NOT NULL,
    state TEXT NOT NULL, at TEXT NOT NULL, UNIQUE (side, database, kind, name));
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, level TEXT NOT NULL, database TEXT, message TEXT NOT NULL);
"""

PENDING, RUNNING, DONE, FAILED = "pending", "running", "done", "failed"
READ_TIMEOUT_SECONDS = 10
LOG_PAGES = 8000  # of 4 kB


def utc_now() -> str:
    """Return the present moment in UTC as ISO 8601 with seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Journal(trace.Trace):
    """The writer's view. Not thread-safe by design: one process, one thread writes."""

    def __init__(self, path: str):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        # Whoever empties the log waits for the disk, in the midst of handing out work.
        self.connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        self.connection.executescript(SCHEMA + trace.SCHEMA)
        trace.complete(self.connection)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @contextmanager
    def transaction(self):
        """Give the connection for several changes that are one."""
        self.connection.execute("BEGIN")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def set(self, **values) -> None:
        """Store facts about the whole migration; values are JSON."""
        self.connection.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", [(key, json.dumps(value)) for key, value in values.items()]
        )

    def get(self, key: str):
        """Return a fact stored by M(set), or None."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def event(self, message: str, level: str = "info", database: str | None = None) -> None:
        """Record a sentence for people; level is info, warning or error. A warning is recorded once, however often a
        resumed run comes across its cause."""
        known = "SELECT 1 FROM event WHERE level = 'warning' AND message = ? AND database IS ?"
        if level == "warning" and self.connection.execute(known, (message, database)).fetchone():
            return
        self.connection.execute(
            "INSERT INTO event (at, level, database, message) VALUES (?, ?, ?, ?)",
            (utc_now(), level, database, message),
        )

    def database(self, name: str, state: str, snapshot: str | None = None) -> None:
        """Record the state of a database: pending, running or done."""
        self.connection.execute("INSERT OR IGNORE INTO database (name, state) VALUES (?, ?)", (name, PENDING))
        self.connection.execute(
            "UPDATE database SET state = ?, snapshot = COALESCE(?, snapshot),"
            " started_at = CASE WHEN ? = 'running' THEN COALESCE(started_at, ?) ELSE started_at END,"
            " finished_at = CASE WHEN ? = 'done' THEN ? ELSE NULL END WHERE name = ?",
            (state, snapshot, state, utc_now(), state, utc_now(), name),
        )

    def database_state(self, name: str) -> str | None:
        """Return the recorded state of a database, or None."""
        row = self.connection.execute("SELECT state FROM database WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def plan(self, database: str, units, whole: bool = False) -> None:
        """Record units as pending: I(units) yields C((unit, kind, label, bytes_total, work)); known ones are kept.

        :param whole: these are all units of the database; what an earlier run has cut otherwise is forgotten
        """
        with self.transaction() as connection:
            if whole:
                connection.execute("UPDATE unit SET planned = NULL WHERE database = ?", (database,))
            connection.executemany(
                "INSERT INTO unit (database, unit, kind, label, state, bytes_total, work, planned)"
                " VALUES (?, ?, ?, ?, 'pending', ?, ?, 1)"
                " ON CONFLICT (database, unit) DO UPDATE SET bytes_total = excluded.bytes_total, label = excluded.label,"
                " work = excluded.work, planned = 1",
                ((database, *unit) for unit in units),
            )
            if whole:
                connection.execute("DELETE FROM unit WHERE database = ? AND planned IS NULL", (database,))

    def started(self, database: str, *units: str) -> None:
        """Record that units begin."""
        with self.transaction() as connection:
            connection.executemany(
                "UPDATE unit SET state = 'running', started = ?, finished = NULL, bytes_done = 0, attempts = attempts + 1,"
                " error = NULL WHERE database = ? AND unit = ?",
                [(time.time(), database, unit) for unit in units],
            )

    def progress(self, database: str, unit: str, bytes_done: int) -> None:
        """Record how many bytes of a unit have been carried."""
        self.connection.execute(
            "UPDATE unit SET bytes_done = ? WHERE database = ? AND unit = ?", (bytes_done, database, unit)
        )

    def finished(self, database: str, units: dict) -> None:
        """Record that units are done; I(units) is C({unit: (rows or None, bytes or None)})."""
        now = time.time()
        with self.transaction() as connection:
            connection.executemany(
                "UPDATE unit SET state = 'done', finished = ?, started = COALESCE(started, ?), rows = COALESCE(?, rows),"
                " bytes_done = COALESCE(?, bytes_done) WHERE database = ? AND unit = ?",
                [(now, now, rows, carried, database, unit) for unit, (rows, carried) in units.items()],
            )

    def failed(self, database: str, unit: str, error: str) -> None:
        """Record that a unit failed."""
        self.connection.execute(
            "UPDATE unit SET state = 'failed', finished = ?, error = ? WHERE database = ? AND unit = ?",
            (time.time(), error, database, unit),
        )

    def creating(self, side: str, database: str | None, kind: str, name: str) -> None:
        """Write down that something is about to be created, before it is: nothing is ever left behind unknown.

        It is on disk when this returns, so that it outlives the host's power as well.
        """
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute(
            "INSERT INTO created (side, database, kind, name, state, at) VALUES (?, ?, ?, ?, 'intended', ?)"
            " ON CONFLICT (side, database, kind, name) DO UPDATE SET state = 'intended', at = excluded.at"
            " WHERE state = 'removed'",
            (side, database or "", kind, name, utc_now()),
        )
        self.connection.execute("PRAGMA synchronous = NORMAL")

    def created(self, side: str, database: str | None, kind: str, name: str) -> None:
        """Write down that it now exists."""
        self.connection.execute(
            "UPDATE created SET state = 'created' WHERE side = ? AND database = ? AND kind = ? AND name = ?",
            (side, database or "", kind, name),
        )

    def removed(self, side: str, database: str | None, kind: str, name: str) -> None:
        """Write down that it has been taken away again."""
        self.connection.execute(
            "UPDATE created SET state = 'removed' WHERE side = ? AND database = ? AND kind = ? AND name = ?",
            (side, database or "", kind, name),
        )

    def creations(self, side: str | None = None, kind: str | None = None) -> list:
        """Return what was created or intended, as dictionaries, newest first."""
        return creations(self.connection, side, kind)


def creations(connection, side: str | None = None, kind: str | None = None) -> list:
    """Return the inventory of created things as C([{side, database, kind, name, state}]), newest first."""
    found = connection.execute(
        "SELECT side, database, kind, name, state FROM created"
        " WHERE (?1 IS NULL OR side = ?1) AND (?2 IS NULL OR kind = ?2) ORDER BY id DESC",
        (side, kind),
    )
    return [dict(zip(("side", "database", "kind", "name", "state"), row)) for row in found]


def open_reader(path: str):
    """Open the journal for reading and return a context manager around the connection, or None without a journal."""
    if not os.path.exists(path):
        return None
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=READ_TIMEOUT_SECONDS)
    return closing(connection)
