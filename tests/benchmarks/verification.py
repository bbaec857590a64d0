# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification beside COPY and beside pgcopydb compare data: C(python -m tests.benchmarks.verification --help).

The cost of reading is the processor time of one backend of the source, alternating with C(COPY table TO '/dev/null') in
the same session. Wall time and memory are those of whole processes, alternating with pgcopydb's: the verification's
include the comparison of definitions, sequences and large objects, which pgcopydb leaves out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint
from ansible_collections.azpg.migrate.plugins.module_utils._verify.keys import read_keys
from ansible_collections.azpg.migrate.plugins.module_utils._verify.pieces import Cutter
from ansible_collections.azpg.migrate.plugins.module_utils._verify.session import open_session, settings
from ansible_collections.azpg.migrate.plugins.module_utils._verify.tables import plan, read_tables, server_fingerprint

from tests.benchmarks import verification_sets as sets
from tests.benchmarks.measuring import Cost, run
from tools.lab.binaries import CACHE, obtain
from tools.lab.cluster import Cluster

# What a server has by default, but for room in memory and quiet from maintenance.
SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB", "autovacuum": "off", "fsync": "off"}


def fill(clusters: list, name: str, scale: float) -> str:
    """Make a data set on both servers at once and return its database."""
    database = f"bench_{name}"

    def make(cluster) -> None:
        cluster.psql(f'DROP DATABASE IF EXISTS "{database}"')
        cluster.psql(f'CREATE DATABASE "{database}"')
        cluster.psql(sets.statements(name, scale), dbname=database)
        cluster.psql("VACUUM ANALYZE", dbname=database)
        cluster.psql("CHECKPOINT")

    with ThreadPoolExecutor() as pool:
        list(pool.map(make, clusters))
    return database


def ends(clusters: list, database: str) -> list:
    """Return libpq's words of both servers."""
    return [{**cluster.connection(), "dbname": database} for cluster in clusters]


def backend_seconds(clusters: list, database: str, name: str, pairs: int) -> dict:
    """Return C({table: [(COPY, fingerprint)]}), seconds of one backend's processor time in alternating order."""
    words = [Endpoint.from_dict(end) for end in ends(clusters, database)]
    sessions = [open_session(end, side, database, settings(150000)) for end, side in zip(words, ("source", "target"))]
    try:
        tables = read_tables(*sessions, ())
        plan(tables, *sessions)
        session = sessions[0]
        cutter = Cutter(read_keys(session))
        pid = session.info.backend_pid

        def spent(work, table: str) -> float:
            before = clock(pid)
            work(table)
            return clock(pid) - before

        def copy(table: str) -> None:
            with session.cursor() as cursor:
                cursor.execute(f"COPY public.{table} TO '/dev/null'")

        def fingerprint(table: str) -> None:
            for piece in cutter("source", session, [tables["public", table]]):
                server_fingerprint(session, piece, "source", False)

        found = {}
        for table in sets.TABLES[name]:
            copy(table), fingerprint(table)  # both warm
            found[table] = []
            for number in range(pairs):
                works = [copy, fingerprint] if number % 2 == 0 else [fingerprint, copy]
                cost = {work: spent(work, table) for work in works}
                found[table].append((cost[copy], cost[fingerprint]))
        return found
    finally:
        for session in sessions:
            session.close()


def clock(pid: int) -> float:
    """Return the seconds that a process has had a processor."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def ours(clusters: list, database: str, jobs: int, mode: str) -> Cost:
    """Verify in a process of its own."""
    source, target = ends(clusters, database)
    given = {"source": source, "target": target, "databases": [database], "jobs": jobs, "mode": mode}
    command = [sys.executable, "-m", "tests.benchmarks.verify_once"]
    # What a runtime server runs lies there with its byte code, too; the first round makes it.
    return run(command, dict(os.environ), json.dumps(given).encode())


def theirs(clusters: list, database: str, program: str, scratch: Path) -> Cost:
    """Compare with pgcopydb."""
    shutil.rmtree(scratch, ignore_errors=True)
    # Throw-away servers: their passwords may stand in the command line.
    uris = ["postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**end) for end in ends(clusters, database)]
    command = [program, "compare", "data", "--source", uris[0], "--target", uris[1], "--dir", str(scratch)]
    # It waits for ever for workers that have failed.
    return run(["timeout", "-k", "5", "300", *command], dict(os.environ))


def middle(numbers: list, digits: int = 2) -> str:
    """Return median and range."""
    return f"{statistics.median(numbers):.{digits}f} ({min(numbers):.{digits}f} to {max(numbers):.{digits}f})"


def main() -> None:
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.verification", description=__doc__)
    parser.add_argument("--sets", nargs="*", default=list(sets.TITLES), choices=list(sets.TITLES))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--mode", default="full")
    parser.add_argument("--source", type=int, default=15)
    parser.add_argument("--target", type=int, default=17)
    parser.add_argument("--pgcopydb", default=shutil.which("pgcopydb"), help="a program that knows 'compare data'")
    parser.add_argument("--directory", type=Path, default=Path(".cache/bench-verify"))
    parser.add_argument("--results", type=Path, default=None, help="a Markdown file to write")
    chosen = parser.parse_args()
    prefixes = [obtain(major, CACHE) for major in (chosen.source, chosen.target)]
    lines = [heading(chosen), ""]
    cost_lines = ["| data set | table | COPY s | fingerprint s | fingerprint / COPY |", "|---|---|---|---|---|"]
    wall_lines = ["| data set | size | verification s | pgcopydb s | verification / pgcopydb | client memory MB |",
                  "|---|---|---|---|---|---|"]  # fmt: skip
    with (
        Cluster(prefixes[0], chosen.directory / "source", settings=SETTINGS) as source,
        Cluster(prefixes[1], chosen.directory / "target", settings=SETTINGS) as target,
    ):
        clusters = [source, target]
        for name in chosen.sets:
            database = fill(clusters, name, chosen.scale)
            size = int(source.psql(f"SELECT pg_database_size('{database}')").strip())
            pairs = chosen.pairs if name not in ("small", "large") else min(5, chosen.pairs)
            for table, costs in backend_seconds(clusters, database, name, pairs).items():
                ratios = [fingerprint / copy for copy, fingerprint in costs]
                cost_lines.append(
                    f"| {sets.TITLES[name]} | {table} | {middle([one for one, _other in costs])} "
                    f"| {middle([other for _one, other in costs])} | {middle(ratios)} |"
                )
                print(cost_lines[-1], flush=True)
            walls: dict = {"ours": [], "theirs": []}
            for number in range(pairs):
                for who in ("ours", "theirs") if number % 2 == 0 else ("theirs", "ours"):
                    if who == "ours":
                        walls[who].append(ours(clusters, database, chosen.jobs, chosen.mode))
                    elif chosen.pgcopydb:
                        walls[who].append(theirs(clusters, database, chosen.pgcopydb, chosen.directory / "pgcopydb"))
                    print(f"  {name} {who}: {walls[who][-1] if walls[who] else 'left out'}", flush=True)
            mine, other = ([cost.wall for cost in walls[who]] for who in ("ours", "theirs"))
            wall_lines.append(
                f"| {sets.TITLES[name]} | {size / 1e6:.0f} MB | {middle(mine)} | {middle(other) if other else ''} "
                f"| {middle([one / two for one, two in zip(mine, other)]) if other else ''} "
                f"| {max(cost.memory for cost in walls['ours']) / 1e6:.0f} |"
            )
            print(wall_lines[-1], flush=True)
            for cluster in clusters:
                cluster.psql(f'DROP DATABASE "{database}"')
    lines += ["## Processor time of one backend", "", *cost_lines, "", "## Wall time", "", *wall_lines]
    print("\n".join(lines))
    if chosen.results:
        chosen.results.write_text("\n".join(lines) + "\n", encoding="utf-8")


def heading(chosen) -> str:
    """Return a sentence about where, when and with what."""
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
         if line.startswith("model name")), platform.machine(),
    )  # fmt: skip
    return (
        f"Taken {datetime.now(timezone.utc):%Y-%m-%d} at commit {git.stdout.strip()}: {os.cpu_count()} processors ({model}), "
        f"PostgreSQL {chosen.source} and {chosen.target} on the same machine, scale {chosen.scale}, {chosen.pairs} alternating "
        f"pairs ({min(5, chosen.pairs)} of the small tables and the large database), {chosen.jobs} sessions per server, mode "
        f"{chosen.mode}. Median and range."
    )


if __name__ == "__main__":
    main()
