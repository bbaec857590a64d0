# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a migration will take and how much disk it needs, from the catalogue and a short sample."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from .._core.request import Request
from .._core.units import human_bytes
from .._postgres.connection import connect
from . import catalogue
from .effort import read_efforts
from .measuring import SESSIONS, Speed, measure

TARGET_DISK_FACTOR = 1.25
BESIDE_TABLE = 16384  # its visibility map and the index of what lies out of line
# Without a measurement: work per second (see M(effort)) of one worker, and of as many as two servers keep busy.
WORKER_RATE = 30_000_000
BUSY_WORKERS = 4
# Connections, definitions, workers; and a statement or two per object.
SECONDS_PER_DATABASE = 1.5
SECONDS_PER_OBJECT = 0.002
DISK_LEAST, DISK_PER_OBJECT = 4_000_000, 4_000
# The range around an estimate that was measured, and around one that was not.
MEASURED_RANGE, GUESSED_RANGE = 1.8, 3.0


@dataclass
class Volume:
    """What is to be carried, of all databases together; works in the unit of M(effort)."""

    tables: list = field(default_factory=list)
    databases: int = 0
    objects: int = 0
    rows: int = 0
    data_bytes: int = 0
    copy_work: float = 0.0
    index_work: float = 0.0
    check_work: float = 0.0
    longest_work: float = 0.0

    def largest(self, number: int) -> dict:
        """Return C({database: rows}) of the I(number) largest tables of each database: oid, schema, name, bytes."""
        found: dict = {}
        for database, table in self.tables:
            found.setdefault(database, []).append(table)
        return {
            database: [
                {"oid": table.oid, "schema": table.schema, "name": table.name, "bytes": table.bytes}
                for table in heapq.nlargest(number, tables, key=lambda table: table.bytes)
            ]
            for database, tables in found.items()
        }


def read_volume(request: Request, settings: dict | None = None) -> Volume:
    """Read the sizes of everything from the source.

    :param settings: of the sessions, for example how long a question may take
    :raises ConnectionFailed: when a database of the source cannot be reached
    """
    volume = Volume()
    for database in request.databases:
        session = connect(request.source, "source", database, settings=settings)
        try:
            tables = catalogue.read_tables(session)
            efforts = read_efforts(session, tables)
        finally:
            session.close()
        totals = efforts.totals
        volume.tables += [(database, table) for table in tables]
        volume.databases += 1
        volume.objects += sum(units for kind, (units, _rows, _work) in totals.items() if kind != "statistics")
        volume.rows += totals["table"][1]
        volume.data_bytes += sum(table.bytes + BESIDE_TABLE for table in tables)
        volume.data_bytes += efforts.index_bytes + efforts.large_object_bytes
        volume.copy_work += totals["table"][2] + totals["large_objects"][2]
        volume.index_work += totals["index"][2] + totals["key"][2] + totals["materialized_view"][2]
        volume.check_work += totals["foreign_key"][2] + totals["statistics"][2]
        volume.longest_work = max(volume.longest_work, efforts.longest)
    return volume


def rates(source: Speed, target: Speed, jobs: int) -> tuple:
    """Return C((copying, indexing, basis)): work per second of all workers, and sentences that say where from."""
    usual = WORKER_RATE * min(jobs, BUSY_WORKERS)
    basis, copying = [], []
    sessions = f"with {SESSIONS} sessions at once"
    for speed, words in ((source, "the source gave"), (target, "the target took")):
        if speed.rate:
            copying.append(speed.rate)
            basis.append(
                f"{words} {human_bytes(speed.rate)}/s of tables {sessions} (measured, {human_bytes(speed.table_bytes)})"
            )
    indexing = usual
    if target.index_rate:
        indexing = target.index_rate
        basis.append(
            f"the target built indexes at the pace of copying {human_bytes(target.index_rate)}/s {sessions} (measured)"
        )
    elif target.rate:
        indexing = target.rate
    if len(copying) < 2 or not target.index_rate:
        basis.append(f"{human_bytes(usual)}/s assumed where nothing was measured")
    return min(copying, default=usual), indexing, basis


def estimate(request: Request, jobs: int, limit: int | None, measured: bool, volume: Volume | None = None) -> dict:
    """Return C({seconds, seconds_low, seconds_high, bytes, target_disk_bytes, runtime_disk_bytes, basis}).

    :param jobs: number of workers
    :param limit: bytes per second that the data stream is held at, or None
    :param measured: take a sample of both servers; nothing of it stays
    :param volume: what was read before; None reads it
    :raises ConnectionFailed: when a database of the source cannot be reached
    """
    volume = volume or read_volume(request)
    source, target = measure(request, volume.tables, volume.rows) if measured else (Speed(), Speed())
    copying, indexing, basis = rates(source, target, jobs)
    if limit and limit < copying:
        copying = float(limit)
        basis.append(f"the stream is held at {human_bytes(limit)}/s")
    fixed = SECONDS_PER_DATABASE * volume.databases + SECONDS_PER_OBJECT * volume.objects
    shared = volume.copy_work / copying + volume.index_work / indexing + volume.check_work / indexing
    # One worker alone is at least as fast as its share.
    longest = volume.longest_work / (min(copying, indexing) / SESSIONS)
    seconds = fixed + max(shared, longest)
    spread = MEASURED_RANGE if source.rate and target.rate else GUESSED_RANGE
    basis.insert(
        0, f"{len(volume.tables)} tables and {human_bytes(volume.data_bytes)} with indexes, from the catalogue"
    )
    return {
        "seconds": int(seconds + 0.5),
        "seconds_low": int(seconds / spread),
        "seconds_high": int(seconds * spread + 1),
        "bytes": volume.data_bytes,
        "target_disk_bytes": int(volume.data_bytes * TARGET_DISK_FACTOR),
        "runtime_disk_bytes": DISK_LEAST + DISK_PER_OBJECT * volume.objects,
        "basis": basis,
    }
