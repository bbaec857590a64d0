# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification of one database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from .._core.errors import MigrationError
from .._core.request import Request
from .._postgres.connection import connect, rows
from .._postgres.driver import psycopg2
from .expressions import Canonicaliser
from .findings import sort_out
from .identity import counters
from .inventory import Inventory, read_inventory
from .large_objects import compare_large_objects, read_both
from .parity import Rules, compare_inventories, object_counts
from .roles import read_referenced
from .sequences import compare_sequences, read_sequences
from .session import Snapshot, settings
from .tables import Reader, plan, read_tables
from .verdict import FAILED, database_verdict, judge_tables, unnoticed_statistics

# last_analyze is there for everybody; pg_stats shows what the user may read.
ANALYSED = (
    "SELECT schemaname::text, relname::text FROM pg_stat_all_tables WHERE last_analyze IS NOT NULL "
    "OR last_autoanalyze IS NOT NULL UNION SELECT DISTINCT schemaname::text, tablename::text FROM pg_stats"
)


@dataclass(frozen=True)
class Options:
    """What the databases of one run have in common."""

    mode: str
    jobs: int
    progress: Callable
    ignore: tuple
    exclude_schemas: tuple
    rules: Rules
    oldest_version: int


def empty_entry(name: str) -> dict:
    """Return the report's entry of a database of which nothing is known yet; its verdict is ERROR until it is."""
    return {
        "name": name,
        "snapshot": {},
        "counters": {},
        "schema": {},
        "tables": [],
        "skipped": [],
        "sequences": [],
        "large_objects": {},
        "error": None,
        "referenced_roles": [],
        "verdict": FAILED,
    }


def verify_database(request: Request, name: str, options: Options) -> dict:
    """Compare one database and return its entry of the report; an error becomes part of it."""
    entry = empty_entry(name)
    words = settings(options.oldest_version)
    jobs = 1 if options.mode == "schema" else max(1, options.jobs)
    try:
        with (
            Snapshot(request.source, "source", name, jobs, words, before=counters) as source,
            Snapshot(request.target, "target", name, jobs, words) as target,
        ):
            _compare(request, entry, source, target, options)
    except MigrationError as error:
        entry.update(error=error.as_dict(), verdict=FAILED)
    except psycopg2.Error as error:
        text = " ".join(str(error).split())
        entry.update(error={"code": error.pgcode or "", "msg": text, "hint": "", "details": {}}, verdict=FAILED)
    return entry


def _compare(request: Request, entry: dict, source: Snapshot, target: Snapshot, options: Options) -> None:
    name, mode = entry["name"], options.mode
    entry["snapshot"] = {"source": source.position, "target": target.position}
    entry["counters"] = source.before
    entry["referenced_roles"] = sorted(read_referenced(source.leader))
    left, right = (end.leader for end in (source, target))
    findings, objects = [], {}
    if mode != "counts":
        options.progress(f"{name}: comparing the inventory of objects")
        inventories = [read_inventory(leader, options.exclude_schemas) for leader in (left, right)]
        objects = object_counts(*inventories)
        session = connect(request.target, "target", name, settings=settings(options.oldest_version))
        try:
            findings = compare_inventories(*inventories, options.rules, Canonicaliser(session))
        finally:
            session.close()
    if mode != "schema":
        findings += _contents(entry, source, target, options)
        objects["large object"] = [entry["large_objects"]["source"]["count"], entry["large_objects"]["target"]["count"]]
    entry["schema"] = {"objects": objects, **sort_out(findings, options.ignore)}
    entry["verdict"] = database_verdict(entry)


def _contents(entry: dict, source: Snapshot, target: Snapshot, options: Options) -> list:
    """Compare rows, sequences and large objects, fill them into I(entry), and return further findings."""
    name, counts_only = entry["name"], options.mode == "counts"
    left, right = source.leader, target.leader
    sequences = [read_sequences(leader, options.exclude_schemas) for leader in (left, right)]
    entry["sequences"] = compare_sequences(*sequences)
    large = read_both(left, right, counts_only)
    verdict, msg = compare_large_objects(*large)
    entry["large_objects"] = {
        "verdict": verdict,
        "msg": msg,
        **{
            side: {"count": item["count"], "sum": item["sum"], "error": item.get("error", "")}
            for side, item in zip(("source", "target"), large)
        },
    }
    findings = compare_inventories(
        *(Inventory(end.server_version, {"large object": item["owners"]}) for end, item in zip((left, right), large)),
        options.rules,
    )
    tables = read_tables(left, right, options.exclude_schemas)
    work = plan(tables, left, right)
    analysed = {(row["schemaname"], row["relname"]) for row in rows(right, ANALYSED)}
    done = []

    def told(table) -> None:
        done.append(table)
        count = table.results["source"].get("count", "?")
        options.progress(f"{name}: {len(done)}/{len(work)} {table.full_name}, {count} rows")

    Reader({"source": source, "target": target}, counts_only, told).read(work)
    entry["tables"], entry["skipped"], more = judge_tables(tables, counts_only)
    return findings + more + unnoticed_statistics(tables, analysed)
