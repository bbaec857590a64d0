# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one database holds: rows, sequences and large objects, compared between both ends."""

from __future__ import annotations

from dataclasses import replace

from .._postgres.connection import rows
from .drill import drill
from .formats import COUNTS, RECHECK
from .inventory import Inventory
from .keys import read_keys
from .large_objects import compare_large_objects, read_alike
from .news import tell_of_the_rest
from .overrides import of_database
from .parity import compare_inventories
from .phases import DIFFERENCES, OBJECTS, SEQUENCES, STATISTICS, Phases
from .pool import both_ends
from .reading import Reading
from .recheck_mode import carry, entry_of
from .sequences import behind_columns, compare_sequences, read_sequences
from .tables import plan, read_tables
from .verdict import MISMATCH, judge_tables, unnoticed_statistics

# last_analyze is there for everybody; pg_stats shows what the user may read.
ANALYSED = (
    "SELECT schemaname::text, relname::text FROM pg_stat_all_tables WHERE last_analyze IS NOT NULL "
    "OR last_autoanalyze IS NOT NULL UNION SELECT DISTINCT schemaname::text, tablename::text FROM pg_stats"
)

# A table that differs lists that many differences even when the tables before it have used up what a report may hold.
FEWEST_LISTED = 10
MOST_LISTED = 20_000


def compare_contents(entry: dict, snapshots: dict, options, written: dict, phases: Phases, ledger=None) -> list:
    """Compare rows, sequences and large objects, fill them into the report's I(entry), and return further findings.

    :param snapshots: C({side: Snapshot})
    :param options: M(database.Options)
    :param phases: takes note of what takes how long
    :param ledger: a M(ledger.DatabaseLedger), if what is read is to be remembered
    :param written: in mode recheck, C({side: names or None}) of M(recheck_mode.moved)
    """
    left, right = (snapshots[side].leader for side in ("source", "target"))
    counts_only = options.mode == COUNTS
    with phases.of(SEQUENCES):
        sequences = both_ends(lambda side: read_sequences(snapshots[side].leader, options.exclude_schemas))
        entry["sequences"] = compare_sequences(sequences["source"], sequences["target"])
    with phases.of(OBJECTS):
        findings = _large_objects(entry, left, right, options)
    with phases.of(STATISTICS):
        tables = read_tables(left, right, options.exclude_schemas)
        entry["inventory"] = {
            **{side: sum(bool(getattr(table, side)) for table in tables.values()) for side in ("source", "target")},
            "union": len(tables),
        }
        work = plan(tables, left, right, of_database(options.overrides, entry["name"]))
        if options.mode == RECHECK:
            work = carry(work, entry_of(options.base, entry["name"]), written, left, options.method)
        keys = read_keys(left)
    Reading(entry["name"], tables, work, keys, snapshots, options, ledger, phases).run()
    entry["tables"], entry["skipped"], more = judge_tables(tables, counts_only, options.oldest_version)
    tell_of_the_rest(entry, options)
    if not counts_only:
        with phases.of(DIFFERENCES):
            _drill(entry, tables, keys, snapshots, options)
    with phases.of(STATISTICS):
        analysed = {(row["schemaname"], row["relname"]) for row in rows(right, ANALYSED)}
        more += behind_columns(right, sequences["target"])
    return findings + more + unnoticed_statistics(tables, analysed)


def _large_objects(entry: dict, left, right, options) -> list:
    """Compare large objects, fill them into the report's I(entry), and return findings about their owners."""
    large = read_alike(options.method, left, right, counts_only=options.mode == COUNTS)
    verdict, msg = compare_large_objects(*large)
    entry["large_objects"] = {
        "verdict": verdict,
        "msg": msg,
        "method": options.method,
        **{
            side: {"count": item["count"], "sum": item["sum"], "error": item.get("error", "")}
            for side, item in zip(("source", "target"), large)
        },
    }
    return compare_inventories(
        *(Inventory(end.server_version, {"large object": item["owners"]}) for end, item in zip((left, right), large)),
        options.rules,
    )


def _found(diff: dict) -> str:
    """Return in a few words what the search for rows has found."""
    if diff["error"]:
        return f"the rows that differ could not be found: {diff['error']}"
    words = ", ".join(f"{diff[kind]} {kind}" for kind in ("changed", "missing", "unexpected") if diff[kind] != "0")
    columns = ", ".join(sorted(diff["columns"])[:5])
    about = "" if diff["complete"] else f" so far, about {diff['estimate']} in all"
    return f"rows: {words or 'none told apart'}{about}" + (f"; columns: {columns}" if columns else "")


def _drill(entry: dict, tables: dict, keys: dict, snapshots: dict, options) -> None:
    """Find the rows of the tables that differ; partitioned tables as a whole, not leaf by leaf."""
    for snapshot in snapshots.values():
        snapshot.allow_workers()
    room = MOST_LISTED
    for item in entry["tables"]:
        table = tables[item["schema"], item["table"]]
        if item["verdict"] != MISMATCH or table.problem or item["partition_of"]:
            continue
        options.progress.say(f"{entry['name']}: looking for the rows of {table.full_name} that differ")
        if table.facts["kind"] == "p":
            table.prehash = any(
                leaf.prehash
                for leaf in tables.values()
                if leaf.source and (leaf.source["root_schema"], leaf.source["root_name"]) == (table.schema, table.name)
            )
        limit = min(options.drill.limit, max(FEWEST_LISTED, room))
        key = keys.get((table.schema, table.name))
        item["diff"] = drill(snapshots, table, key, replace(options.drill, limit=limit))
        options.progress.differs(f"{entry['name']}: {table.full_name}: {_found(item['diff'])}", more=True)
        room -= int(item["diff"]["listed"])
