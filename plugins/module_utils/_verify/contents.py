# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one database holds: rows, sequences and large objects, compared between both ends."""

from __future__ import annotations

import time
from dataclasses import replace

from .._postgres.connection import rows
from .._postgres.fingerprint import row_hash
from .client_hash import client_fingerprint, same_encoding, table_query
from .drill import drill
from .formats import AUTO, CLIENT, COUNTS, RECHECK, SAMPLE, SERVER
from .inventory import Inventory
from .keys import read_keys
from .large_objects import compare_large_objects, read_alike
from .overrides import of_database
from .parity import compare_inventories
from .pieces import Cutter, whole
from .pool import both_ends, read_everything
from .recheck_mode import carry, entry_of
from .sample import choose, sample_fingerprint
from .sequences import behind_columns, compare_sequences, read_sequences
from .tables import plan, read_tables, server_fingerprint
from .verdict import INCOMPLETE, MATCH, MISMATCH, judge, judge_tables, sum_up, unnoticed_statistics

# last_analyze is there for everybody; pg_stats shows what the user may read.
ANALYSED = (
    "SELECT schemaname::text, relname::text FROM pg_stat_all_tables WHERE last_analyze IS NOT NULL "
    "OR last_autoanalyze IS NOT NULL UNION SELECT DISTINCT schemaname::text, tablename::text FROM pg_stats"
)

# The server cannot say a text in UTF-8, or not at all; or an image is too large whatever is done.
BEYOND_THE_SERVER = ("22021", "22P05", "54000")

# A table that differs lists that many differences even when the tables before it have used up what a report may hold.
FEWEST_LISTED = 10
MOST_LISTED = 20_000


def compare_contents(entry: dict, snapshots: dict, options, written: dict, ledger=None) -> list:
    """Compare rows, sequences and large objects, fill them into the report's I(entry), and return further findings.

    :param snapshots: C({side: Snapshot})
    :param options: M(database.Options)
    :param ledger: a M(ledger.DatabaseLedger), if what is read is to be remembered
    :param written: in mode recheck, C({side: names or None}) of M(recheck_mode.moved)
    """
    left, right = (snapshots[side].leader for side in ("source", "target"))
    counts_only = options.mode == COUNTS
    sequences = both_ends(lambda side: read_sequences(snapshots[side].leader, options.exclude_schemas))
    entry["sequences"] = compare_sequences(sequences["source"], sequences["target"])
    large = read_alike(options.method, left, right, counts_only=counts_only)
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
    findings = compare_inventories(
        *(Inventory(end.server_version, {"large object": item["owners"]}) for end, item in zip((left, right), large)),
        options.rules,
    )
    tables = read_tables(left, right, options.exclude_schemas)
    entry["inventory"] = {
        **{side: sum(bool(getattr(table, side)) for table in tables.values()) for side in ("source", "target")},
        "union": len(tables),
    }
    work = plan(tables, left, right, of_database(options.overrides, entry["name"]))
    if options.mode == RECHECK:
        work = carry(work, entry_of(options.base, entry["name"]), written, left, options.method)
    keys = read_keys(left)
    began = time.monotonic()
    _read(entry["name"], tables, work, keys, snapshots, options, ledger)
    entry["seconds"]["rows"] = f"{time.monotonic() - began:.3f}"
    entry["tables"], entry["skipped"], more = judge_tables(tables, counts_only, options.oldest_version)
    _tell_of_the_rest(entry, options)
    if not counts_only:
        began = time.monotonic()
        _drill(entry, tables, keys, snapshots, options)
        entry["seconds"]["differences"] = f"{time.monotonic() - began:.3f}"
    analysed = {(row["schemaname"], row["relname"]) for row in rows(right, ANALYSED)}
    more += behind_columns(right, sequences["target"])
    return findings + more + unnoticed_statistics(tables, analysed)


def _read(name: str, tables: dict, work: list, keys: dict, snapshots: dict, options, ledger) -> None:
    """Fill in the results of the tables I(work) in the way that mode and method ask for."""
    done = []
    progress, pace = options.progress, options.pace
    progress.tables(0, len(work))

    news = News(name, tables, options)

    def told(table) -> None:
        done.append(table)
        news.of(table)
        progress.tables(len(done), len(work))
        count = table.results["source"].get("count", "?")
        progress.say(f"{name}: {len(done)}/{len(work)} {table.full_name}, {count} rows")

    def silent(_table) -> None:
        return None

    def in_client(raw: bool):
        return _remembered(
            ledger,
            lambda side, session, piece: [client_fingerprint(session, piece.table, side, raw)],
            lambda side, table: f"{CLIENT} {raw} {table_query(table, side)}",
        )

    in_server = _remembered(
        ledger,
        lambda side, session, piece: server_fingerprint(session, piece, side, options.mode == COUNTS),
        lambda side, table: str(options.mode != COUNTS and row_hash(table.forms, table.columns[side], table.prehash)),
    )

    if options.mode == COUNTS or (options.mode != SAMPLE and options.method == SERVER):
        cut = Cutter(keys)
        read_everything(snapshots, work, in_server, told, cut=cut, pace=pace)
        _again(snapshots, _too_large(work, tables), in_server, cut, pace)
    elif options.method == CLIENT:
        read_everything(snapshots, work, in_client(False), told, pace=pace)
    else:
        _sample(tables, work, keys, snapshots, options, told)
    if options.mode == COUNTS or (options.asked_method not in (AUTO, CLIENT)):
        return
    beyond = [table for table in work if any(end.get("code") in BEYOND_THE_SERVER for end in table.results.values())]
    if beyond:
        raw = same_encoding(snapshots["source"].leader, snapshots["target"].leader)
        read_everything(snapshots, _with_siblings(beyond, tables), in_client(raw), silent, pace=pace)


def _tell_of_the_rest(entry: dict, options) -> None:
    """Tell of what is known only when everything has been read: what could not be, sequences and large objects."""
    for item in [*entry["tables"], *entry["sequences"]]:
        late = item["verdict"] == INCOMPLETE or (item["verdict"] == MISMATCH and "partition_of" not in item)
        if late:
            options.progress.differs(f"{entry['name']}: {item['name']}: {item['msg']}")
    if entry["large_objects"]["verdict"] != MATCH:
        options.progress.differs(f"{entry['name']}: large objects: {entry['large_objects']['msg']}")


class News:
    """Tells of tables that differ as soon as both ends are in; of a partitioned one when all of its leaves are.

    What will be read once more, because a server could not hash it, is not told of: it may be equal then.
    """

    def __init__(self, database: str, tables: dict, options):
        self.database, self.tables, self.options = database, tables, options
        self.counts_only = options.mode == COUNTS
        self.leaves: dict = {}
        for table in tables.values():
            if table.source and table.source["root_name"] and table.facts["kind"] != "p":
                self.leaves.setdefault(_root(table), set()).add(table.full_name)

    def of(self, table) -> None:
        """Take note that the results of a table are in."""
        left = self.leaves.get(_root(table))
        if left is None:
            self._tell(table)
            return
        left.discard(table.full_name)
        root = self.tables.get(_root(table))
        if not left and root is not None and not root.problem:
            whole = replace(root, results={})
            sum_up(whole, [leaf for leaf in self.tables.values() if leaf.source and _root(leaf) == _root(table)])
            self._tell(whole)

    def _tell(self, table) -> None:
        verdict, msg, _remedy = judge(table, self.counts_only)
        if verdict == MISMATCH and table.facts["kind"] != "m":
            self.options.progress.differs(f"{self.database}: {table.full_name}: {msg}")


def _root(table) -> tuple:
    """Return the key of the partitioned table that a table belongs to."""
    return (table.facts["root_schema"], table.facts["root_name"])


def _remembered(ledger, read, told):
    return ledger.reader(read, told) if ledger else read


def _sample(tables: dict, work: list, keys: dict, snapshots: dict, options, told) -> None:
    chosen = choose(tables, keys, snapshots["source"].leader, options.sample_bits)

    def read(side, session, piece) -> list:
        key = (piece.table.schema, piece.table.name)
        return [sample_fingerprint(session, piece.table, side, chosen.get(key), options.sample_bits)]

    read_everything(snapshots, work, read, told, pace=options.pace)
    _again(snapshots, _too_large(work, tables), read, whole, options.pace)


def _too_large(work: list, tables: dict) -> list:
    """Return the tables with rows beyond 1 GB, and their siblings: sums add up only if they are computed alike."""
    large = [table for table in work if any(end.get("too_large") for end in table.results.values())]
    return _with_siblings(large, tables)


def _again(snapshots: dict, tables: list, read, cut, pace) -> None:
    """Read tables once more, each column hashed by itself first."""
    for table in tables:
        table.prehash = True
    if tables:
        read_everything(snapshots, tables, read, lambda table: None, cut=cut, pace=pace)


def _with_siblings(beyond: list, tables: dict) -> list:
    """Return I(beyond) and all leaves of the same partitioned tables: a row may lie in another leaf on the target."""
    chosen = {(table.schema, table.name): table for table in beyond}
    roots = {(table.source["root_schema"], table.source["root_name"]) for table in beyond} - {(None, None)}
    for key, table in tables.items():
        if table.results and table.source and (table.source["root_schema"], table.source["root_name"]) in roots:
            chosen[key] = table
    return list(chosen.values())


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
