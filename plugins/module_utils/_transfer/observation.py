# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look now and then at what our own sessions wait for on both servers, and at the engine's own processor time.

It tells afterwards what the bottleneck was. It costs one small query per side, needs no right beyond a user's own
sessions in C(pg_stat_activity), and never fails a run: what cannot be seen is not counted.
"""

from __future__ import annotations

import os
import re
import time

from .._postgres.driver import psycopg2

FIRST_SECONDS, LONGEST_SECONDS = 0.25, 2.0
# A look may cost this share of the time between two of them.
COST = 0.02
FAILURES = 3
TICKS = os.sysconf("SC_CLK_TCK")

# The source's control session sits in a transaction, within which the view would never change.
FRESH = "SELECT pg_catalog.pg_stat_clear_snapshot()"
SESSIONS = """
SELECT a.backend_type = 'parallel worker', COALESCE(a.wait_event_type, ''), COALESCE(a.wait_event, ''),
       pg_catalog.left(a.query, 300), a.state = 'active'
  FROM pg_catalog.pg_stat_activity a
 WHERE a.usename = current_user AND a.datname = pg_catalog.current_database() AND pg_catalog.starts_with(a.application_name, %s)
   AND a.pid <> pg_catalog.pg_backend_pid()
"""
ACTIVITIES = (
    ("copy", re.compile(r"\s*(COPY|TRUNCATE)\b", re.IGNORECASE)),
    ("large objects", re.compile(r".*\blo_(get|put|from_bytea)\b", re.IGNORECASE | re.DOTALL)),
    ("foreign key", re.compile(r".*\b(FOREIGN KEY|VALIDATE CONSTRAINT)\b", re.IGNORECASE | re.DOTALL)),
    ("index", re.compile(r".*\b(CREATE (UNIQUE )?INDEX|ADD CONSTRAINT)\b", re.IGNORECASE | re.DOTALL)),
    ("statistics", re.compile(r"\s*ANALYZE\b", re.IGNORECASE)),
    ("materialized view", re.compile(r"\s*REFRESH\b", re.IGNORECASE)),
)
# What a target session waits for while the rows come in, and a source session while nobody takes them.
DATA = "data"


def activity_of(query: str) -> str:
    """Return what a session's statement is about."""
    return next((name for name, pattern in ACTIVITIES if pattern.match(query)), "other")


def class_of(kind: str, event: str) -> str:
    """Return what a wait is about: cpu, wal, disk, lock, data or other. No wait at all means running, or wanting to."""
    if not kind:
        return "cpu"
    if kind == "Client":
        return DATA
    if "WAL" in event.upper():
        return "wal"
    if kind in ("IO", "BufferPin", "BufferIO"):
        return "disk"
    if kind in ("Lock", "LWLock"):
        return "lock"
    return "helper" if kind == "IPC" else "other"


def classes_of(sessions: list) -> list:
    """Return the class of every leading session that is active; one that waits for its parallel workers does as they do."""
    active = [session for session in sessions if session[4]]
    helpers = [class_of(kind, event) for parallel, kind, event, _query, _active in active if parallel]
    found = [class_of(kind, event) for parallel, kind, event, _query, _active in active if not parallel]
    return [(helpers[0] if helpers else "cpu") if name == "helper" else name for name in found]


def leading(sessions: list) -> int:
    """Return how many sessions there are, parallel workers aside."""
    return sum(1 for session in sessions if not session[0])


def blame(busy: int, source: list, target: list, cores: float) -> dict:
    """Return what the workers' time goes to at one moment, as C({cause: workers}), together I(busy).

    A worker whose target session does something is held by the target; one without a session there has yet to connect.
    The others wait for rows: as many source sessions as are at work hold them; for what is left it is neither server,
    so the engine, as far as its processor time goes, or the way between.

    :param busy: workers that have a unit
    :param source: our sessions on the source (see M(Observer.sessions))
    :param target: our sessions on the target
    :param cores: processors that the engine and its workers keep busy
    """
    causes: dict = {}
    left = float(busy)

    def take(cause: str, number: float) -> None:
        nonlocal left
        number = min(number, left)
        if number > 0:
            causes[cause] = causes.get(cause, 0.0) + number
            left -= number

    take("start", busy - leading(target))
    for side, sessions in (("target", target), ("source", source)):
        for name in classes_of(sessions):
            if name != DATA:
                take(f"{side}_{name}", 1)
    take("client", left * min(1.0, cores / busy) if busy else 0)
    take("between", left)
    return causes


def process_seconds(pid: int) -> float:
    """Return the processor time of a living process and its children that it has waited for; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


class Observer:
    """Looks at intervals that grow from a quarter of a second to two, so that short runs are seen too."""

    def __init__(self, journal, sessions):
        self.journal = journal
        self.names = {side: sessions.label(side, "") for side in ("source", "target")}
        self.began = time.monotonic()
        self.next = 0.0
        self.failures = {"source": 0, "target": 0}
        self.cpu: tuple = (0.0, 0.0)

    def seconds(self, pool) -> float:
        """Return the processor time so far of the engine and its workers."""
        own = os.times()
        workers = [worker.process.pid for worker in pool.workers if worker.process.returncode is None] if pool else []
        return sum(own[:4]) + sum(map(process_seconds, workers))

    def look(self, source, target, pool) -> None:
        """Take a sample when it is time for one.

        :param source: the control session to the source
        :param target: the control session to the target
        :param pool: the workers; None counts the processor time only
        """
        now = time.monotonic()
        if now < self.next:
            return
        busy = sum(1 for worker in pool.workers if worker.unit) if pool else 0
        seconds = self.seconds(pool)
        cores = (seconds - self.cpu[1]) / max(now - self.cpu[0], 0.01) if self.cpu[0] else 0.0
        self.cpu = (now, seconds)
        self.journal.sample(busy, round(seconds, 2))
        if busy:
            seen = {side: self.sessions(side, session) for side, session in (("source", source), ("target", target))}
            if None not in seen.values():
                causes = blame(busy, seen["source"], seen["target"], cores)
                self.journal.observe({**causes, "samples": 1}, counted(seen))
        done = time.monotonic()
        usual = min(LONGEST_SECONDS, max(FIRST_SECONDS, (done - self.began) / 60))
        self.next = done + max(usual, (done - now) / COST)

    def sessions(self, side: str, session) -> list | None:
        """Return C([(parallel, wait type, wait event, query, active)]) of our sessions on one side; None when unseen.

        In a transaction, which the source's session holds the snapshot by, an error is taken back to a savepoint.
        """
        if self.failures[side] >= FAILURES or session is None or session.closed:
            return None
        guarded = session.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE
        try:
            with session.cursor() as cursor:
                if guarded:
                    cursor.execute("SAVEPOINT observation")
                try:
                    cursor.execute(f"{FRESH}; {SESSIONS}", (self.names[side],))
                    found = cursor.fetchall()
                except psycopg2.Error:
                    if guarded and not session.closed:
                        cursor.execute("ROLLBACK TO SAVEPOINT observation")
                    raise
                finally:
                    if guarded and not session.closed:
                        cursor.execute("RELEASE SAVEPOINT observation")
            return found
        except psycopg2.Error:
            self.failures[side] += 1
            return None


def counted(seen: dict) -> dict:
    """Return C({(side, activity, wait type, wait event): sessions}) of the active ones, parallel workers included."""
    waits: dict = {}
    for side, sessions in seen.items():
        for _parallel, kind, event, query, active in sessions:
            if active:
                key = (side, activity_of(query), kind, event)
                waits[key] = waits.get(key, 0) + 1
    return waits
