# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the journal that says who did what and when: runs, spans of work, samples, and what sessions waited for."""

from __future__ import annotations

import time

SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY, started REAL NOT NULL, finished REAL, state TEXT, jobs INTEGER NOT NULL, cpu REAL);
CREATE TABLE IF NOT EXISTS span (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, worker INTEGER NOT NULL, database TEXT NOT NULL, unit TEXT NOT NULL,
    kind TEXT NOT NULL, label TEXT NOT NULL, units INTEGER NOT NULL, bytes_total INTEGER NOT NULL, work REAL NOT NULL,
    started REAL NOT NULL, finished REAL, outcome TEXT, rows INTEGER, bytes INTEGER);
CREATE INDEX IF NOT EXISTS span_open ON span (worker) WHERE finished IS NULL;
CREATE TABLE IF NOT EXISTS sample (run INTEGER NOT NULL, at REAL NOT NULL, bytes INTEGER NOT NULL, busy INTEGER NOT NULL, cpu REAL);
CREATE INDEX IF NOT EXISTS sample_at ON sample (at);
CREATE TABLE IF NOT EXISTS cause (cause TEXT PRIMARY KEY, samples REAL NOT NULL);
CREATE TABLE IF NOT EXISTS wait (
    side TEXT NOT NULL, activity TEXT NOT NULL, type TEXT NOT NULL, event TEXT NOT NULL, samples INTEGER NOT NULL,
    PRIMARY KEY (side, activity, type, event));
CREATE TABLE IF NOT EXISTS expected (
    database TEXT NOT NULL, kind TEXT NOT NULL, units INTEGER NOT NULL, rows INTEGER, work REAL NOT NULL,
    PRIMARY KEY (database, kind));
"""

CONTROL = 0  # the engine's own session; workers count from 1
CARRIED = "SELECT COALESCE(sum(bytes_done), 0) FROM unit WHERE kind IN ('table', 'large_objects')"


def complete(connection) -> None:
    """Add the columns of units that a journal of an older version lacks."""
    known = {row[1] for row in connection.execute("PRAGMA table_info(unit)")}
    for name, kind in (("work", "REAL"), ("planned", "INTEGER")):
        if name not in known:
            connection.execute(f"ALTER TABLE unit ADD COLUMN {name} {kind}")


class Trace:
    """What M(journal.Journal) writes for the timeline; needs its C(connection)."""

    run = 0

    def begin_run(self, jobs: int) -> None:
        """Enter that an engine begins; what an earlier one left open ended when that one was last heard of."""
        for number, begun in self.connection.execute("SELECT id, started FROM run WHERE finished IS NULL").fetchall():
            heard = "SELECT max(at) FROM (SELECT max(at) AS at FROM sample WHERE run = ?1 UNION ALL"
            heard += " SELECT max(COALESCE(finished, started)) FROM span WHERE run = ?1)"
            last = self.connection.execute(heard, (number,)).fetchone()[0] or begun
            self._close_run(number, last, "interrupted")
        begin = "INSERT INTO run (started, jobs) VALUES (?, ?)"
        self.run = self.connection.execute(begin, (time.time(), jobs)).lastrowid
        self.sample(0, None)

    def end_run(self, state: str, cpu: float | None = None) -> None:
        """Enter that this engine ends, and how; I(cpu) is the processor time in seconds that it and its workers took."""
        self._close_run(self.run, time.time(), state, cpu)

    def _close_run(self, number: int, at: float, state: str, cpu: float | None = None) -> None:
        self.connection.execute(
            "UPDATE span SET finished = max(started, ?), outcome = ? WHERE run = ? AND finished IS NULL",
            (at, state, number),
        )
        self.connection.execute(
            "UPDATE run SET finished = ?, state = ?, cpu = COALESCE(?, (SELECT max(cpu) FROM sample WHERE run = id))"
            " WHERE id = ?",
            (at, state, cpu, number),
        )

    def begin_span(
        self, database: str, worker: int, unit: str, kind: str, label: str, units: int, size: int, work: float = 0.0
    ) -> None:
        """Enter that a worker begins with a unit, which stands for I(units) units of I(size) bytes and I(work) together."""
        self.end_span(worker, "failed")  # only when a lost connection has ended it without a word
        self.connection.execute(
            "INSERT INTO span (run, worker, database, unit, kind, label, units, bytes_total, work, started)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self.run, worker, database, unit, kind, label, units, size, work, time.time()),
        )

    def end_span(self, worker: int, outcome: str, rows: int | None = None, carried: int | None = None) -> None:
        """Enter that a worker has ended what it did: done or failed, with the rows and bytes that it carried."""
        self.connection.execute(
            "UPDATE span SET finished = ?, outcome = ?, rows = ?, bytes = ? WHERE worker = ? AND finished IS NULL",
            (time.time(), outcome, rows, carried, worker),
        )

    def sample(self, busy: int, cpu: float | None) -> None:
        """Enter how many bytes have been carried by now, how many workers are at work, and the engine's processor time."""
        self.connection.execute(
            f"INSERT INTO sample (run, at, bytes, busy, cpu) SELECT ?, ?, ({CARRIED}), ?, ?",
            (self.run, time.time(), busy, cpu),
        )

    def observe(self, causes: dict, waits: dict) -> None:
        """Add observations: I(causes) is C({cause: workers}), I(waits) C({(side, activity, type, event): sessions})."""
        self.connection.execute("BEGIN")
        self.connection.executemany(
            "INSERT INTO cause VALUES (?, ?) ON CONFLICT (cause) DO UPDATE SET samples = samples + excluded.samples",
            list(causes.items()),
        )
        self.connection.executemany(
            "INSERT INTO wait VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (side, activity, type, event) DO UPDATE SET samples = samples + excluded.samples",
            [(*key, number) for key, number in waits.items()],
        )
        self.connection.execute("COMMIT")

    def expect(self, database: str, totals: dict) -> None:
        """Enter the work to come of a database, C({kind: (units, rows or None, work)}), see M(effort)."""
        self.connection.executemany(
            "INSERT OR REPLACE INTO expected VALUES (?, ?, ?, ?, ?)",
            [(database, kind, *facts) for kind, facts in totals.items()],
        )
