# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-online`: applying a backlog of changes, beside a subscription of PostgreSQL's own, in alternating order.

Every contestant has a slot of its own that was made before the changes, so all of them meet the same backlog, and a fresh copy
of the target's database. Both are over when a row that was changed last has arrived.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import psycopg2
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import installation, marker
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import position
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import slot as slots
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.sessions import Sessions

from tests.benchmarks.contenders import version_of_pgcopydb
from tests.benchmarks.engine import commit, processor
from tests.benchmarks.measuring import proportional_memory
from tests.benchmarks.online_cutover import Steady
from tests.benchmarks.online_pgcopydb import Follow
from tools.lab.binaries import CACHE, obtain
from tools.lab.cluster import Cluster

SETTINGS = {
    "shared_buffers": "1GB", "max_wal_size": "8GB", "fsync": "on", "autovacuum": "off", "checkpoint_timeout": "30min",
    "max_replication_slots": "40", "max_wal_senders": "40",
}  # fmt: skip
OURS, NATIVE = "azpg.migrate", "subscription"
PUBLICATION = "bench"
LOOK_SECONDS = 0.05

TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, n int, note text, at timestamptz);"
FILLED = TABLE + " INSERT INTO t SELECT g, g % 1000, md5(g::text), '2026-01-01' FROM generate_series(1, {rows}) g;"
LAST = "CREATE TABLE last_one (id int PRIMARY KEY, n int); INSERT INTO last_one VALUES (1, 0);"


@dataclass(frozen=True)
class Workload:
    """A backlog: what is there before, what makes it, and how many changed rows it has."""

    title: str
    before: str
    changes: object
    rows: int


def pgbench(count: int):
    """Return a function that runs I(count) TPC-B-like transactions."""

    def run(bench) -> None:
        with bench.source.environment(dbname=bench.database) as environment:
            program = bench.clients / "bin" / "pgbench"
            subprocess.run(
                [program, "-n", "-c", "4", "-t", str(count // 4)], env=environment, check=True, capture_output=True
            )

    return run


def statements(sql: str):
    """Return a function that runs statements on the source."""
    return lambda bench: bench.source.psql(sql, dbname=bench.database)


def loop(count: int, sql: str) -> str:
    """Return a block in which each turn, numbered C(g), is a transaction."""
    return f"DO $$ BEGIN FOR g IN 1..{count} LOOP {sql}; COMMIT; END LOOP; END $$;"


def workloads(scale: float) -> dict:
    """Return the backlogs, C({letter: Workload}); scale 1.0 is the size that results speak of."""
    transactions = int(200_000 * scale)
    inserts, rows = max(1, int(200 * scale)), 5000
    scattered = int(20_000 * scale)
    large = int(5_000_000 * scale)
    return {
        "t": Workload(f"{transactions} TPC-B-like transactions at scale 10", "", pgbench(transactions), 4 * transactions),
        "i": Workload(
            f"{inserts} transactions that insert {rows} rows each",
            TABLE,
            statements(loop(inserts, f"INSERT INTO t SELECT g * {rows} + i, i, md5(i::text), now() FROM generate_series(1, {rows}) i")),
            inserts * rows,
        ),
        "s": Workload(
            f"{scattered} transactions that update 15 scattered rows and delete 5 of 1,000,000 each",
            FILLED.format(rows=1_000_000),
            statements(
                loop(
                    scattered,
                    "UPDATE t SET n = n + 1, at = now() WHERE id IN (SELECT (random() * 1000000)::int FROM generate_series(1, 15)); "
                    "DELETE FROM t WHERE id IN (SELECT (random() * 1000000)::int FROM generate_series(1, 5))",
                )
            ),
            scattered * 20,
        ),
        "l": Workload(
            f"one transaction that inserts {large} rows",
            TABLE,
            statements(f"INSERT INTO t SELECT g, g % 1000, md5(g::text), now() FROM generate_series(1, {large}) g"),
            large,
        ),
    }  # fmt: skip


@dataclass
class Run:
    """What one run took: seconds of wall time, processor seconds of the client and of the target's session, peak memory."""

    wall: float
    client: float
    target: float
    memory: int


def seconds_of(pid: int) -> float:
    """Return the processor time of a process so far; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    """A source with one backlog, and a target whose database is made anew for each run."""

    def __init__(self, source: Cluster, target: Cluster, clients: Path, directory: Path, majors: tuple):
        self.source, self.target, self.clients = source, target, clients
        self.directory = directory
        self.majors = majors
        self.database = "bench"
        self.peer: Follow | None = None
        self.engine = directory / "engine.pyz"
        self.engine.write_bytes(installation.build(installation.engine_sources()))

    def fill(self, workload: Workload, pairs: int) -> None:
        """Make the database on both sides, all slots, and then the backlog."""
        for cluster in (self.source, self.target):
            cluster.psql(f"DROP DATABASE IF EXISTS {self.database}; DROP DATABASE IF EXISTS original")
        self.source.psql(f"CREATE DATABASE {self.database}")
        if workload.before:
            self.source.psql(workload.before, dbname=self.database)
        else:
            with self.source.environment(dbname=self.database) as environment:
                program = self.clients / "bin" / "pgbench"
                subprocess.run([program, "-i", "-q", "-s", "10"], env=environment, check=True, capture_output=True)
            self.source.psql("ALTER TABLE pgbench_history REPLICA IDENTITY FULL", dbname=self.database)
        self.source.psql(LAST, dbname=self.database)
        with self.source.environment(dbname=self.database) as environment:
            dump = subprocess.run([self.clients / "bin" / "pg_dump"], env=environment, check=True, capture_output=True)
        self.target.psql("CREATE DATABASE original")
        self.target.psql(dump.stdout.decode(), dbname="original")
        self.target.psql("VACUUM ANALYZE", dbname="original")
        if self.peer:
            self.peer.prepare()
        self.source.psql(f"CREATE PUBLICATION {PUBLICATION} FOR ALL TABLES", dbname=self.database)
        for number in range(pairs):
            for name in ("ours", "native"):
                self.source.psql(
                    f"SELECT pg_create_logical_replication_slot('{name}_{number}', 'pgoutput')", dbname=self.database
                )
        workload.changes(self)
        self.source.psql("UPDATE last_one SET n = 1", dbname=self.database)
        self.source.psql("CHECKPOINT")

    def anew(self) -> None:
        """Make the target's database anew."""
        self.target.psql(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
        self.target.psql(f"CREATE DATABASE {self.database} TEMPLATE original")
        self.target.psql("CHECKPOINT")

    def wait(self, look) -> float:
        """Wait for the last row; call I(look) on the way; return the seconds that took."""
        begun = time.monotonic()
        with contextlib.closing(psycopg2.connect(**self.target.connection(dbname=self.database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                while True:
                    cursor.execute("SELECT n FROM last_one")
                    if cursor.fetchone()[0] == 1:
                        return time.monotonic() - begun
                    look(cursor)
                    time.sleep(LOOK_SECONDS)

    def native(self, number: int) -> Run:
        """Let a subscription apply the backlog, with everything switched on that makes it fast."""
        self.anew()
        words = self.source.connection(dbname=self.database)
        address = (
            " ".join(f"{word}='{words[word]}'" for word in ("host", "port", "user", "password", "dbname"))
            + " sslmode=require"
        )
        options = f"connect=false, enabled=false, create_slot=false, copy_data=false, slot_name='native_{number}'"
        options += ", binary=true" if self.majors[0] >= 14 else ""
        options += (
            ", streaming=parallel" if min(self.majors) >= 16 else ", streaming=on" if self.majors[0] >= 14 else ""
        )
        quoted = address.replace("'", "''")
        self.target.psql(
            f"CREATE SUBSCRIPTION s{number} CONNECTION '{quoted}' PUBLICATION {PUBLICATION} WITH ({options})",
            dbname=self.database,
        )
        seen: dict = {}

        def look(cursor) -> None:
            cursor.execute("SELECT pid FROM pg_stat_subscription WHERE pid IS NOT NULL")
            for (pid,) in cursor.fetchall():
                seen[pid] = max(seen.get(pid, 0.0), seconds_of(pid))

        self.target.psql(
            f"ALTER SUBSCRIPTION s{number} ENABLE; ALTER SUBSCRIPTION s{number} REFRESH PUBLICATION WITH (copy_data=false)",
            dbname=self.database,
        )
        wall = self.wait(look)
        self.target.psql(
            f"ALTER SUBSCRIPTION s{number} DISABLE; ALTER SUBSCRIPTION s{number} SET (slot_name = NONE); DROP SUBSCRIPTION s{number}",
            dbname=self.database,
        )
        return Run(wall, 0.0, sum(seen.values()), 0)

    def request(self) -> Request:
        """Return the request of a migration between the two servers."""
        ends = [cluster.connection() for cluster in (self.source, self.target)]
        for words in ends:
            words.pop("dbname")
        return Request.create("bench", *ends, [self.database], mode="online")

    def ours(self, number: int) -> Run:
        """Let a process of the engine's apply the backlog, as the engine would start it."""
        self.anew()
        request, name = self.request(), f"ours_{number}"
        with contextlib.closing(psycopg2.connect(**self.target.connection(dbname=self.database))) as target:
            target.autocommit = True
            with contextlib.closing(Sessions(request).open("source", self.database, replication=True)) as replication:
                system = slots.system_of(replication)
            with target.cursor() as cursor:
                marker.claim(cursor, request.name, request.hash)
            position.prepare(target)
            stream = position.Stream(system, name, PUBLICATION, 0, 0, 0, None)
            position.enter(target, request.name, stream, "1:1:", [])
        sessions = Sessions(request)
        order = {
            "request": request.as_dict(), "secrets": request.secrets, "database": self.database, "role": f"f{number}",
            "runner": str(sessions.runner), "spool": str(self.directory / "spool"), "spool_bytes": 20 << 30, "ordered": False,
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, str(self.engine), "follow"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        said: list = []
        threading.Thread(target=lambda: said.extend(process.stdout), daemon=True).start()
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        peak, served = [0], {}

        def look(cursor) -> None:
            peak[0] = max(peak[0], proportional_memory(process.pid)[0])
            cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'azpg.migrate target %'")
            for (pid,) in cursor.fetchall():
                served[pid] = max(served.get(pid, 0.0), seconds_of(pid))
            assert process.poll() is None, said[-3:]

        try:
            wall = self.wait(look)
            return Run(wall, seconds_of(process.pid), sum(served.values()), peak[0])
        finally:
            process.kill()
            process.wait()

    def same(self) -> bool:
        """Return whether source and target hold the same rows."""
        tables = self.source.psql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'", dbname=self.database
        ).split()
        query = " UNION ALL ".join(
            f"SELECT '{name}', count(*), sum(hashtext(t::text)::bigint) FROM {name} t" for name in sorted(tables)
        )
        return self.source.psql(query, dbname=self.database) == self.target.psql(query, dbname=self.database)


def measure(bench: Bench, pairs: int) -> dict:
    """Return C({contestant: [Run]}); every other pair runs in reverse order."""
    found: dict = {OURS: [], NATIVE: []}
    for number in range(pairs):
        contestants = [(OURS, bench.ours), (NATIVE, bench.native)]
        for name, run in contestants if number % 2 == 0 else reversed(contestants):
            one = run(number)
            assert bench.same(), f"{name} has not brought the same rows"
            found[name].append(one)
            print(
                f"  {name}: {one.wall:.1f} s, CPU client {one.client:.1f} target {one.target:.1f} s, {one.memory / 1e6:.0f} MB",
                flush=True,
            )
    return found


def follow(bench: Bench, known: dict, letters: str) -> list:
    """Return what comes of the peer that follows too, with one backlog after the other, as the lines of a table."""
    lines = ["| backlog | what came of it |", "|---|---|"]
    for letter in letters:
        bench.peer = Follow(bench)
        bench.fill(known[letter], 0)
        try:
            words = bench.peer.run()
        finally:
            bench.peer.close()
        print(f"  {letter}: {words}", flush=True)
        lines.append(f"| ({letter}) {known[letter].title} | {words} |")
    return lines


def table(found: dict, rows: int) -> list:
    """Return the lines of a Markdown table."""
    ratio = statistics.median(native.wall / ours.wall for ours, native in zip(found[OURS], found[NATIVE]))
    lines = ["| contestant | n | wall s, median (range) | rows per second | rate / subscription's | client CPU s | target CPU s | client memory MB |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for name, runs in found.items():
        walls = [run.wall for run in runs]
        middle = statistics.median(walls)
        client = f"{statistics.median(run.client for run in runs):.1f}" if name == OURS else ""
        memory = f"{max(run.memory for run in runs) / 1e6:.0f}" if name == OURS else ""
        lines.append(
            f"| {name} | {len(runs)} | {middle:.1f} ({min(walls):.1f} to {max(walls):.1f}) | {rows / middle:,.0f} "
            f"| {f'**{ratio:.2f}**' if name == OURS else '1'} | {client} | {statistics.median(run.target for run in runs):.1f} | {memory} |"
        )
    return lines


def write(path: Path, title: str, lines: list) -> None:
    """Put a part into a page in the place of the one with the same title."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    parts = text.split("\n### ")
    kept = [part for part in parts[1:] if not part.startswith(title)]
    new = title + "\n" + "\n".join(lines).rstrip() + "\n"
    path.write_text(
        "\n### ".join([parts[0].rstrip() + "\n", *(part.rstrip() + "\n" for part in kept), new]), encoding="utf-8"
    )


def heading(chosen) -> list:
    """Return the line that says what was measured on what."""
    pairs = "" if chosen.cutover or chosen.pgcopydb else f"{chosen.pairs} pairs, "
    return [
        f"{datetime.now(timezone.utc):%Y-%m-%d}, commit {commit()}, {os.cpu_count()} processors ({processor()}), PostgreSQL "
        f"{chosen.source} to {chosen.target}, scale {chosen.scale:g}, {pairs}TLS on all connections."
    ]


def main() -> None:
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(prog="make bench-online", description=__doc__)
    parser.add_argument("--workloads", default="tisl")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--source", type=int, default=17)
    parser.add_argument("--target", type=int, default=18)
    parser.add_argument("--directory", type=Path, default=Path(".cache/bench-online"))
    parser.add_argument("--pgcopydb", action="store_true", help="the backlogs with the pgcopydb that is on PATH")
    parser.add_argument("--cutover", action="store_true", help="steady load and cutover instead of backlogs")
    parser.add_argument(
        "--results", type=Path, default=None, help="a Markdown file; each workload's part in it is replaced"
    )
    chosen = parser.parse_args()
    prefixes = [obtain(major, CACHE) for major in (chosen.source, chosen.target)]
    chosen.directory.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        source, target = (
            stack.enter_context(
                Cluster(
                    prefix,
                    chosen.directory / f"{side}-{secrets.token_hex(3)}",
                    settings=SETTINGS,
                    client_prefix=prefixes[1],
                )
            )
            for side, prefix in zip(("source", "target"), prefixes)
        )
        if chosen.cutover:
            rows = max(1000, int(1_200_000 * chosen.scale))
            steady = Steady(source, target, prefixes[1], chosen.directory, rows, 2000, max(5, int(60 * chosen.scale)))
            lines = ["", *heading(chosen), "", *steady.run()]
            print("\n".join(lines), flush=True)
            if chosen.results:
                write(chosen.results, "Steady load and cutover", lines)
            return
        bench = Bench(source, target, prefixes[1], chosen.directory, (chosen.source, chosen.target))
        known = workloads(chosen.scale)
        if chosen.pgcopydb:
            lines = [
                "",
                *heading(chosen),
                f"On PATH: {version_of_pgcopydb()}.",
                "",
                *follow(bench, known, chosen.workloads),
            ]
            print("\n".join(lines), flush=True)
            if chosen.results:
                write(chosen.results, "The same with pgcopydb follow", lines)
            return
        for letter in chosen.workloads:
            workload = known[letter]
            print(f"{letter}: {workload.title}", flush=True)
            bench.fill(workload, chosen.pairs)
            found = measure(bench, chosen.pairs)
            lines = ["", *heading(chosen), "", *table(found, workload.rows)]
            print("\n".join(lines), flush=True)
            for name in source.psql("SELECT slot_name FROM pg_replication_slots").split():
                source.psql(f"SELECT pg_drop_replication_slot('{name}')")
            if chosen.results:
                write(chosen.results, f"({letter}) {workload.title}", lines)


if __name__ == "__main__":
    main()
