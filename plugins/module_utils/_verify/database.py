# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification of one database."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from .._core.errors import MigrationError
from .._core.request import Request
from .._postgres.connection import connect
from .._postgres.driver import psycopg2
from .contents import compare_contents
from .drill import DrillOptions
from .expressions import Canonicaliser
from .findings import ERROR, is_ignored, sort_out
from .formats import AUTO, COUNTS, SCHEMA, SERVER
from .identity import counters
from .inventory import read_inventory
from .ledger import Ledger
from .locales import compare_locales, read_locales
from .overrides import expect, named, of_database
from .parity import Rules, compare_inventories, object_counts
from .phases import CONNECTING, DEFINITIONS, Phases
from .pool import Pace, both_ends
from .progress import Progress
from .recheck_mode import entry_of, moved
from .remarks import leftovers, unfinished
from .roles import read_referenced
from .session import Snapshot, settings
from .verdict import FAILED, database_verdict

# Definitions that differ and are named in one line.
FEW = 4


@dataclass(frozen=True)
class Options:
    """What the databases of one run have in common.

    I(asked_method) is what the user wants, I(method) what it comes to: server or client. I(base) is the earlier report
    of a recheck, I(proofs) C({side: write position}) as this run began, I(active) C({side: {database: moment}}) of the
    sessions of others, see M(arrival.await_counters);
    I(pace) says how hard these work; I(overrides) are those of M(overrides.checked); I(run)
    is the name of the run by which its sessions are known, I(ledger) remembers what was read.
    """

    mode: str
    jobs: int
    progress: Progress
    ignore: tuple
    exclude_schemas: tuple
    rules: Rules
    oldest_version: int
    drill: DrillOptions = DrillOptions()
    sample_bits: int = 0
    asked_method: str = AUTO
    method: str = SERVER
    base: dict | None = None
    proofs: dict = field(default_factory=dict)
    active: dict = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)
    overrides: tuple = ()
    run: str = ""
    ledger: Ledger | None = None


def empty_entry(name: str) -> dict:
    """Return the report's entry of a database of which nothing is known yet; its verdict is ERROR until it is."""
    return {
        "name": name,
        "snapshot": {},
        "sessions": {},
        "phases": [],
        "counters": {},
        "target_counters": {},
        "inventory": {"source": 0, "target": 0, "union": 0},
        "schema": {},
        "tables": [],
        "skipped": [],
        "sequences": [],
        "large_objects": {},
        "remarks": [],
        "error": None,
        "referenced_roles": [],
        "verdict": FAILED,
    }


def verify_database(request: Request, name: str, options: Options) -> dict:
    """Compare one database and return its entry of the report; an error becomes part of it."""
    entry = empty_entry(name)
    words = settings(options.oldest_version)
    jobs = 1 if options.mode == SCHEMA else max(1, options.jobs)
    checked = options.method == SERVER
    written = {}
    ledger = options.ledger.database(name) if options.ledger else None
    phases = Phases(options.progress.begun)
    entry["phases"] = phases.found
    options.progress.begin(name)
    began = time.monotonic()

    def before(side: str):
        def look(connection) -> dict:
            now = counters(connection)
            last = options.active.get(side, {}).get(name)
            if options.base:
                base = entry_of(options.base, name)
                written[side] = moved(side, options.base, base, options.proofs[side], now, last)
            if ledger:
                ledger.look(connection, side, options.proofs[side], now, last)
            return now

        return look

    def snapshot(side: str) -> Snapshot:
        end = getattr(request, side)
        return Snapshot(end, side, name, jobs, words, before=before(side), checked=checked, run=options.run)

    try:
        with snapshot("source") as source, snapshot("target") as target:
            phases.add(CONNECTING, began, time.monotonic())
            _compare(request, entry, source, target, options, written, phases, ledger)
    except MigrationError as error:
        entry.update(error=error.as_dict(), verdict=FAILED)
    except psycopg2.Error as error:
        text = " ".join(str(error).split())
        entry.update(error={"code": error.pgcode or "", "msg": text, "hint": "", "details": {}}, verdict=FAILED)
    options.progress.end(name)
    return entry


def _compare(
    request: Request, entry: dict, source: Snapshot, target: Snapshot, options: Options, written: dict, phases, ledger
) -> None:
    name, mode = entry["name"], options.mode
    if ledger:
        ledger.begin(source.before, target.before)
    entry["snapshot"] = {"source": source.position, "target": target.position}
    entry["counters"], entry["target_counters"] = source.before, target.before
    entry["referenced_roles"] = sorted(read_referenced(source.leader))
    ends = {"source": source, "target": target}
    entry["sessions"] = {side: len(end.sessions) for side, end in ends.items()}
    findings, objects = [], {}
    overridden = named(of_database(options.overrides, name), (source.leader, target.leader))
    if mode != COUNTS:
        with phases.of(DEFINITIONS):
            findings, objects = _definitions(request, entry, ends, options)
            _tell(name, findings, options)
    if mode != SCHEMA:
        findings += compare_contents(entry, ends, options, written, phases, ledger)
        objects["large object"] = [entry["large_objects"]["source"]["count"], entry["large_objects"]["target"]["count"]]
    entry["schema"] = {"objects": objects, **sort_out(expect(findings, overridden), options.ignore)}
    entry["verdict"] = database_verdict(entry)


def _tell(name: str, findings: list, options: Options) -> None:
    """Tell of definitions that differ, but for those that are accepted; one line for a handful."""
    grave = [item for item in findings if item["severity"] == ERROR and not is_ignored(item, options.ignore)]
    if grave:
        said = ", ".join(f"{item['kind']} {item['object']}" for item in grave[:FEW])
        more = f" and {len(grave) - FEW} more" if len(grave) > FEW else ""
        options.progress.differs(f"{name}: definitions differ: {said}{more}")


def _definitions(request: Request, entry: dict, ends: dict, options: Options) -> tuple:
    """Compare the inventories of both ends; return C((findings, {kind: [number, number]}))."""
    name = entry["name"]
    options.progress.say(f"{name}: comparing the inventory of objects")
    known: dict = {}
    found = both_ends(lambda side: read_inventory(ends[side].leader, options.exclude_schemas, known))
    known.clear()
    entry["remarks"] = unfinished(found["source"], found["target"])
    entry["remarks"] += [item for side in ends for item in leftovers(ends[side].leader, side)]
    order = compare_locales(*(read_locales(ends[side].leader) for side in ("source", "target")))
    words = settings(options.oldest_version)
    session = connect(request.target, "target", name, settings=words)
    try:
        objects = object_counts(found["source"], found["target"])
        canonicaliser = Canonicaliser(session, words)
        return compare_inventories(found["source"], found["target"], options.rules, canonicaliser) + order, objects
    finally:
        session.close()
