# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the servers need by themselves: the floor below which no copier on this machine can go.

Every step is measured alone, in one session, with a warm cache: creating all that comes before the rows, reading all tables
(COPY TO in binary form to the server's null device), writing them (COPY FROM a file of the server into emptied tables,
frozen), and building all indexes and keys. What is not about one of the largest tables goes in transactions of 50 statements,
without emptying a table first. Source and target share the processors, so with P of them nobody can be faster than the sum of all steps divided by P, nor,
where a table goes in one stream, than writing it and building its slowest index.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass

from tests.benchmarks import contenders

STATEMENTS = 50
TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' ' || (pg_table_size(c.oid) > 1048576)::int
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY pg_table_size(c.oid) DESC
"""


@dataclass(frozen=True)
class Floor:
    """Seconds of each step alone; I(chain) is the longest chain of one table's writing and its slowest index."""

    create: float
    read: float
    write: float
    index: float
    chain: float

    @property
    def share(self) -> float:
        """Seconds of all steps on all processors at once."""
        return (self.create + self.read + self.write + self.index) / (os.cpu_count() or 1)


def timed(cluster, sql: str, database: str) -> float:
    """Run SQL as the superuser in one session; return the seconds it took."""
    begun = time.monotonic()
    cluster.psql("SET maintenance_work_mem = '512MB'; SET synchronous_commit = off; " + sql, dbname=database)
    return time.monotonic() - begun


def together(statements: list) -> str:
    """Return a script of the statements in transactions of 50."""
    wanted = [words for words in statements if words.strip()]
    groups = [wanted[start : start + STATEMENTS] for start in range(0, len(wanted), STATEMENTS)]
    return "".join(f"BEGIN;\n{';'.join(group)};\nCOMMIT;\n" for group in groups) or "SELECT 1;"


def measure(arena, database: str) -> Floor:
    """Measure the steps; the target's database is made for this and is gone afterwards."""
    source, target = arena.source, arena.target
    tables = source.psql(TABLES, dbname=database).split("\n")
    found = [line.split() for line in tables if "." in line]
    tables = [table for table, _large in found]
    large = [table for table, is_large in found if is_large == "1"][:20]
    files = (arena.scratch / "floor").absolute()
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    files.chmod(0o777)
    arena.empty_target(database, create=True)
    with source.environment(arena.user, arena.password, database) as environment:
        dump = [str(arena.bin / "pg_dump"), "--schema-only", "--section"]
        sections = [
            subprocess.run([*dump, section], env=environment, check=True, capture_output=True, text=True).stdout
            for section in ("pre-data", "post-data")
        ]
    creating = timed(target, together(plain(sections[0]).split(";\n")), database)
    try:
        reading = timed(source, "".join(f"COPY {table} TO '/dev/null' (FORMAT binary);" for table in tables), database)
        paths = {table: f"{files}/{number}" for number, table in enumerate(tables)}
        source.psql(
            "".join(f"COPY {table} TO '{path}' (FORMAT binary);" for table, path in paths.items()), dbname=database
        )
        loads = {
            table: f"BEGIN; TRUNCATE {table}; COPY {table} FROM '{path}' (FORMAT binary, FREEZE); COMMIT;"
            for table, path in paths.items()
        }
        writing = {table: timed(target, loads[table], database) for table in large}
        small = [f"COPY {table} FROM '{paths[table]}' (FORMAT binary)" for table in tables if table not in large]
        writing[""] = timed(target, together(small), database)
        statements = [
            words for words in plain(sections[1]).split(";\n") if "FOREIGN KEY" not in words and words.strip()
        ]
        indexing = [
            (words, timed(target, words + ";", database))
            for words in statements
            if any(f" {table}" in words for table in large)
        ]
        others = [words for words in statements if not any(f" {table}" in words for table in large)]
        rest = timed(target, together(others), database)
        chains = [
            writing[table] + max((seconds for words, seconds in indexing if f" {table}" in words), default=0)
            for table in large
        ]
        index = rest + sum(seconds for _words, seconds in indexing)
        return Floor(creating, reading, sum(writing.values()), index, max(chains, default=0))
    finally:
        shutil.rmtree(files, ignore_errors=True)


def plain(script: str) -> str:
    """Return a script of pg_dump without comments, psql's own words, and what sets the session."""
    lines = script.splitlines()
    return "\n".join(
        line for line in lines if not line.startswith(("--", "\\", "SET ", "SELECT pg_catalog.set_config"))
    )


def lines(floor: Floor, costs: dict) -> list:
    """Return the Markdown lines that compare the floor with the engine that does equal work."""
    name = next(iter(contenders.ENGINES))
    wall = statistics.median(cost.wall for cost in costs[name])
    words = (
        f"Floor: creating {floor.create:.1f} s, reading {floor.read:.1f} s, writing {floor.write:.1f} s, indexes and keys "
        f"{floor.index:.1f} s, each alone in one session; all of it on {os.cpu_count()} processors at once {floor.share:.1f} s"
    )
    if not floor.chain:
        return [f"{words}. {name}: {wall / floor.share:.2f} times that."]
    return [
        f"{words}; longest chain of one table's writing and its slowest index {floor.chain:.1f} s. "
        f"{name}: {wall / floor.share:.2f} times the former, {wall / floor.chain:.2f} times the latter."
    ]
