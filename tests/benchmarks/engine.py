"""`make bench`: the engine beside its peers on the same machine in the same run, in alternating order."""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import statistics
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from tests.benchmarks import contenders, workloads
from tools.lab.binaries import obtain
from tools.lab.cluster import Cluster

SETTINGS = {
    "shared_buffers": "1GB", "max_wal_size": "8GB", "fsync": "on", "autovacuum": "off", "checkpoint_timeout": "30min",
    "max_locks_per_transaction": "256",
}  # fmt: skip
OURS = "azpg.migrate"


def make_source(source: Cluster, name: str, scale: float, user: str, password: str) -> str:
    """Make data set I(name) on the source and return its database."""
    database = f"bench_{name}"
    source.psql(f'CREATE DATABASE "{database}" OWNER "{user}";')
    if name == "a":
        with source.environment(user, password, database) as environment:
            subprocess.run(
                [str(source.prefix / "bin" / "pgbench"), "-i", "-q", "-s", str(max(1, int(100 * scale))), "--foreign-keys"],
                env=environment, check=True, capture_output=True,
            )  # fmt: skip
    else:
        source.psql(workloads.statements(name, scale), dbname=database, user=user, password=password)
    source.psql("VACUUM ANALYZE;", dbname=database)
    return database


def measure(arena, database: str, pairs: int, chosen: list) -> dict:
    """Return C({contender: [costs]}) of I(pairs) rounds; every other round runs in reverse order."""
    scripts = contenders.peers()
    costs: dict = {name: [] for name in [OURS, *scripts] if name == OURS or not chosen or name in chosen}
    for number in range(pairs):
        order = list(costs) if number % 2 == 0 else list(reversed(costs))
        for name in order:
            cost = (
                contenders.engine(arena, database) if name == OURS else contenders.shell(arena, database, scripts[name])
            )
            costs[name].append(cost)
            print(f"  {name}: {cost.wall:.1f} s, CPU {cost.cpu:.1f} s, {cost.memory / 1e6:.0f} MB", flush=True)
    return costs


def table(costs: dict) -> list:
    """Return the lines of a Markdown table of medians, ranges and ratios to the engine."""
    middle = {name: statistics.median(cost.wall for cost in found) for name, found in costs.items()}
    best = min((name for name in middle if name != OURS), key=middle.get, default=None)
    lines = ["| contender | wall s, median (range) | engine / it | client CPU s | client memory MB | pg_dump, pg_restore MB |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for name, found in sorted(costs.items(), key=lambda item: middle[item[0]]):
        walls = [cost.wall for cost in found]
        ratios = [ours.wall / theirs.wall for ours, theirs in zip(costs[OURS], found)]
        ratio = "" if name == OURS else f"{statistics.median(ratios):.2f}"
        lines.append(
            f"| {'**' + name + '**' if name == OURS else name}{' (best peer)' if name == best else ''} "
            f"| {middle[name]:.1f} ({min(walls):.1f} to {max(walls):.1f}) | {ratio} "
            f"| {statistics.median(cost.cpu for cost in found):.1f} | {max(cost.memory for cost in found) / 1e6:.0f} "
            f"| {max(cost.dump_memory for cost in found) / 1e6:.0f} |"
        )
    return lines


def main() -> None:
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engine", description=__doc__)
    parser.add_argument("--workloads", default="abcde")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], help="names of peers; all that are on PATH if not given")
    parser.add_argument("--source", type=int, default=15)
    parser.add_argument("--target", type=int, default=17)
    parser.add_argument("--directory", type=Path, default=Path(".cache/bench"))
    parser.add_argument("--results", type=Path, default=None, help="a Markdown file to write")
    chosen = parser.parse_args()
    cache = Path(".cache/postgresql")
    prefixes = [obtain(major, cache) for major in (chosen.source, chosen.target)]
    user, password = "bench", secrets.token_hex(8)
    lines = [f"Taken {datetime.now(timezone.utc):%Y-%m-%d}, {os.cpu_count()} processors ({platform.machine()}), "
             f"PostgreSQL {chosen.source} to {chosen.target}, scale {chosen.scale}, {chosen.pairs} alternating rounds, TLS "
             f"on all connections, ANALYZE included everywhere; pgcopydb: {contenders.version_of_pgcopydb()}."]  # fmt: skip
    with (
        Cluster(prefixes[0], chosen.directory / "source", settings=SETTINGS) as source,
        Cluster(prefixes[1], chosen.directory / "target", settings=SETTINGS) as target,
    ):
        for cluster in (source, target):
            cluster.psql(f"CREATE ROLE {user} LOGIN CREATEDB CREATEROLE PASSWORD '{password}';")
        arena = contenders.Arena(source, target, user, password, prefixes[1] / "bin", chosen.directory / "scratch")
        for name in chosen.workloads:
            print(f"{name}: {workloads.TITLES[name]}", flush=True)
            database = make_source(source, name, chosen.scale, user, password)
            size = source.psql(f"SELECT pg_size_pretty(pg_database_size('{database}'));").strip()
            costs = measure(arena, database, chosen.pairs, chosen.only)
            lines += [
                "",
                f"### ({name}) {workloads.TITLES[name]}, {size.split()[-2]} {size.split()[-1]}",
                "",
                *table(costs),
            ]
            source.psql(f'DROP DATABASE "{database}";')
    print("\n".join(lines))
    if chosen.results:
        chosen.results.write_text("# Benchmarks\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
