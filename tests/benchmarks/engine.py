# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: the engine beside its peers on the same machine in the same run, in alternating order.

The engine runs twice in every round: with equal work (foreign keys checked by the target, the target's own TOAST
compression), and as it comes (foreign keys taken over, lz4), for which the target's user is given the right to set
session_replication_role. Where most of the data is compressed the peers run twice too, the second time told to use lz4. After
the first round only the two fastest peers go on, of those with lz4 the fastest two as well; the others' lines say n = 1.
"""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import statistics
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from tests.benchmarks import contenders, floors, workloads
from tools.lab.binaries import CACHE, obtain
from tools.lab.cluster import Cluster

SETTINGS = {
    "shared_buffers": "1GB", "max_wal_size": "8GB", "fsync": "on", "autovacuum": "off", "checkpoint_timeout": "30min",
    "max_locks_per_transaction": "256",
}  # fmt: skip
GOING_ON = 2
# Workloads whose foreign keys, or whose compressed values, let the engine do less than its peers.
WITH_LESS_WORK = "abde"
COMPRESSED = "d"


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


def runners(arena, database: str, name: str, chosen: list) -> dict:
    """Return C({contender: function that runs it once and returns its cost})."""

    def of_engine(options: dict):
        return lambda: contenders.engine(arena, database, **options)

    def of_peer(script: str, settings: str = ""):
        return lambda: contenders.shell(arena, database, script, settings)

    engines = list(contenders.ENGINES.items())[: 2 if name in WITH_LESS_WORK else 1]
    peers = {peer: script for peer, script in contenders.peers().items() if not chosen or peer in chosen}
    return {
        **{title: of_engine(options) for title, options in engines},
        **{peer: of_peer(script) for peer, script in peers.items()},
        **{
            peer + contenders.LZ4: of_peer(script, contenders.LZ4_SETTINGS)
            for peer, script in peers.items()
            if name in COMPRESSED
        },
    }


def measure(contestants: dict, pairs: int) -> dict:
    """Return C({contender: [costs]}) of I(pairs) rounds; every other round runs in reverse order."""
    costs: dict = {name: [] for name in contestants}
    order = list(contestants)
    for number in range(pairs):
        for name in order if number % 2 == 0 else reversed(order):
            cost = contestants[name]()
            costs[name].append(cost)
            print(f"  {name}: {cost.wall:.1f} s, CPU {cost.cpu:.1f} s, {cost.memory / 1e6:.0f} MB", flush=True)
        if number == 0:
            peers = [name for name in order if name not in contenders.ENGINES]
            fastest = [
                name for some in kinds(peers) for name in sorted(some, key=lambda name: costs[name][0].wall)[:GOING_ON]
            ]
            order = [name for name in order if name not in peers or name in fastest]
    return costs


def kinds(peers: list) -> tuple:
    """Divide the names of peers into those that compress as they are used to and those that were told to use lz4."""
    fast = [name for name in peers if name.endswith(contenders.LZ4)]
    return [name for name in peers if name not in fast], fast


def table(costs: dict) -> list:
    """Return the lines of a Markdown table: medians, ranges, and the engine's times as medians of ratios of neighbours."""
    engines = [name for name in contenders.ENGINES if name in costs]
    middle = {name: statistics.median(cost.wall for cost in found) for name, found in costs.items()}
    peers = [name for name in middle if name not in engines]
    best = [min(some, key=middle.get) for some in kinds(peers) if some]
    head = "| contender | n | wall s, median (range) | " + " | ".join(f"{name} / it" for name in engines)
    lines = [head + " | client CPU s | client memory MB | of pg_dump, pg_restore MB |",
             "|---|---|---|" + "---|" * len(engines) + "---|---|---|"]  # fmt: skip
    for name, found in sorted(costs.items(), key=lambda item: middle[item[0]]):
        walls = [cost.wall for cost in found]
        ratios = [
            f"{statistics.median(ours.wall / theirs.wall for ours, theirs in zip(costs[engine], found)):.2f}"
            if name not in engines
            else ""
            for engine in engines
        ]
        title = f"**{name}**" if name in engines else name.replace("|", "\\|")
        lines.append(
            f"| {title}{' (best peer)' if name in best else ''} | {len(found)} "
            f"| {middle[name]:.1f} ({min(walls):.1f} to {max(walls):.1f}) | {' | '.join(ratios)} "
            f"| {statistics.median(cost.cpu for cost in found):.1f} | {max(cost.memory for cost in found) / 1e6:.0f} "
            f"| {max(cost.dump_memory for cost in found) / 1e6:.0f} |"
        )
    return lines


def commit() -> str:
    """Return the commit that is measured, with a word when files differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=False).stdout.strip()

    name = git("rev-parse", "--short", "HEAD") or "unknown"
    dirty = git("status", "--porcelain", "plugins")
    return name + (" and changes" if dirty else "")


def processor() -> str:
    """Return the processor's name."""
    with open("/proc/cpuinfo", encoding="utf-8") as stream:
        return next(
            (line.partition(":")[2].strip() for line in stream if line.startswith("model name")), platform.machine()
        )


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
    parser.add_argument(
        "--results", type=Path, default=None, help="a Markdown file; each workload's part in it is replaced"
    )
    chosen = parser.parse_args()
    prefixes = [obtain(major, CACHE) for major in (chosen.source, chosen.target)]
    user, password = "bench", secrets.token_hex(8)
    with (
        Cluster(prefixes[0], chosen.directory / "source", settings=SETTINGS) as source,
        Cluster(prefixes[1], chosen.directory / "target", settings=SETTINGS) as target,
    ):
        for cluster in (source, target):
            cluster.psql(f"CREATE ROLE {user} LOGIN CREATEDB CREATEROLE PASSWORD '{password}';")
        if chosen.target >= 15:
            target.psql(f"GRANT SET ON PARAMETER session_replication_role TO {user};")
        arena = contenders.Arena(source, target, user, password, prefixes[1] / "bin", chosen.directory / "scratch")
        for name in chosen.workloads:
            print(f"{name}: {workloads.TITLES[name]}", flush=True)
            database = make_source(source, name, chosen.scale, user, password)
            size = source.psql(f"SELECT pg_size_pretty(pg_database_size('{database}'));").split()
            floor = floors.measure(arena, database)
            costs = measure(runners(arena, database, name, chosen.only), chosen.pairs)
            lines = [
                f"### ({name}) {workloads.TITLES[name]}, {size[-2]} {size[-1]}", "",
                f"{datetime.now(timezone.utc):%Y-%m-%d}, commit {commit()}, {os.cpu_count()} processors ({processor()}), "
                f"PostgreSQL {chosen.source} to {chosen.target}, scale {chosen.scale:g}, {chosen.pairs} rounds, TLS on all "
                f"connections, ANALYZE included everywhere; pgcopydb: {contenders.version_of_pgcopydb()}.", "",
                *table(costs), "", *floors.lines(floor, costs),
            ]  # fmt: skip
            print("\n".join(lines), flush=True)
            if chosen.results:
                replace_part(chosen.results, lines)
            source.psql(f'DROP DATABASE "{database}";')
            arena.discard()


def replace_part(path: Path, lines: list) -> None:
    """Put the part of one workload into the file, in the place of an older one, in the workloads' order."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    head, *parts = ("\n" + text).split("\n### ")
    found = {part[:3]: part.strip() for part in parts}
    found[lines[0][4:7]] = "\n".join(lines)[4:].strip()
    body = "\n\n".join("### " + found[key] for key in sorted(found))
    path.write_text(f"{head.strip()}\n\n{body}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
