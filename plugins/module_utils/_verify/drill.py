# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The differences of a table as the report tells them: keys, columns, and SQL to look at them on both ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .._core.errors import MigrationError
from .._postgres.driver import psycopg2
from .._postgres.quoting import quote_identifier, quote_literal
from .drill_probe import LONGEST_VALUE, ClientProbe, ServerProbe
from .drill_search import CHANGED, MISSING, UNEXPECTED, search
from .keys import NO_KEY, NONE, Key, key_forms
from .pool import both_ends
from .tables import Table

# Changed rows whose columns are compared.
MOST_COLUMNS = 100
# The hash of all columns of a wide table is no text for people.
LONGEST_SQL = 4000
SHOW, HASH, HIDE = "show", "hash", "hide"
SIDES = ("source", "target")


@dataclass(frozen=True)
class DrillOptions:
    """What the report may say of rows: I(keys) is show, hash or hide; I(limit) is the most differences per table."""

    keys: str = SHOW
    reveal_values: bool = False
    limit: int = 1000


def drill(snapshots: dict, table: Table, key: Key | None, options: DrillOptions) -> dict:
    """Return the differences of a table whose fingerprints differ; an error becomes C(error) of the result.

    C({on, key_kind, key, keys, missing, unexpected, changed, listed, complete, estimate, columns, generated, differences,
    error}): numbers as decimal strings; C(columns) is C({column: rows}) over the changed rows that were looked at, and
    C(generated) names those columns of the table that are computed when rows are loaded. A difference
    is C({kind, key, key_hash, columns, likely, copies, place, values, sql}); C(likely) says that a table without a key
    had a missing and an unexpected row so alike that they are taken for one changed row.
    """
    key = key or NO_KEY
    forms = key_forms(key, table.forms)
    kind = key.kind if forms else NONE
    result = {
        "on": table.full_name,
        "key_kind": kind,
        "key": [name for name, _form in forms or []],
        "keys": options.keys,
        "missing": "0",
        "unexpected": "0",
        "changed": "0",
        "listed": "0",
        "complete": False,
        "estimate": "0",
        "columns": {},
        "generated": [column.name for column in table.columns.get("source", ()) if column.generated],
        "differences": [],
        "error": "",
    }
    if not table.forms:
        return {**result, "error": "The table has no columns that could be compared."}
    probes = {side: _probe(snapshots[side].leader, table, side, forms) for side in SIDES}
    try:
        found = search(probes, options.limit)
        told = _tell(probes, found.listed, options)
    except (MigrationError, psycopg2.Error) as error:
        return {**result, "error": " ".join(str(error).split())}
    return {
        **result,
        **{word: str(found.counts[word]) for word in (MISSING, UNEXPECTED, CHANGED)},
        "listed": str(len(told)),
        "complete": found.complete,
        "estimate": str(found.estimate),
        "columns": dict(Counter(name for item in told for name in item["columns"])),
        "differences": told,
    }


def _probe(session, table: Table, side: str, forms):
    how = table.results.get("source", {})
    if how.get("method") == "client":
        return ClientProbe(session, table, side, forms, how.get("raw", False))
    return ServerProbe(session, table, side, forms)


def _tell(probes: dict, listed: list, options: DrillOptions) -> list:
    """Return the report's entries for the listed differences."""
    keyed = bool(probes["source"].key)
    deep = [identity for kind, identity, _copies in listed if not keyed or kind == CHANGED]
    deep = {*_some(deep, listed, MISSING), *_some(deep, listed, UNEXPECTED), *_some(deep, listed, CHANGED)}
    wanted = [identity for _kind, identity, _copies in listed]
    rows = both_ends(lambda side: probes[side].details(wanted, deep))
    items = [
        {
            "kind": kind,
            "ids": {"source": identity, "target": identity},
            "copies": copies,
            "columns": [],
            "likely": False,
        }
        for kind, identity, copies in listed
    ]
    names = [name for name, _form in probes["source"].table.forms]
    if keyed:
        for item in items:
            if item["kind"] == CHANGED:
                item["columns"] = _columns(names, *(rows[side].get(item["ids"][side]) for side in SIDES))
    else:
        items = _pair(items, rows, names)
    values = _values(probes, items) if options.reveal_values else {}
    entries = [_entry(probes, item, rows, values, options) for item in items]
    return sorted(entries, key=_order)


def _some(deep: list, listed: list, kind: str) -> list:
    chosen = set(deep)
    return [identity for one, identity, _copies in listed if one == kind and identity in chosen][:MOST_COLUMNS]


def _order(entry: dict) -> tuple:
    """Sort changed rows first, those with columns before the others, then by key: numbers by their size."""
    kinds = (CHANGED, MISSING, UNEXPECTED)
    return (
        kinds.index(entry["kind"]),
        not entry["columns"],
        [(len(text), text) for text in entry["key"].values()],
        entry["key_hash"],
    )


def _columns(names: list, left, right) -> list:
    if not left or not right or not left.hashes or not right.hashes:
        return []
    return [name for name, one, other in zip(names, left.hashes, right.hashes) if one != other]


def _pair(items: list, rows: dict, names: list) -> list:
    """Take a missing and an unexpected row with at least half of the columns equal for one changed row, likest first."""
    lost = [item for item in items if item["kind"] == MISSING]
    new = [item for item in items if item["kind"] == UNEXPECTED]
    alike = []
    for i, one in enumerate(lost[:MOST_COLUMNS]):
        for j, other in enumerate(new[:MOST_COLUMNS]):
            number = abs(one["copies"][0] - one["copies"][1])
            left, right = rows["source"].get(one["ids"]["source"]), rows["target"].get(other["ids"]["target"])
            differing = _columns(names, left, right)
            if (
                number == abs(other["copies"][0] - other["copies"][1])
                and differing
                and 2 * len(differing) <= len(names)
            ):
                alike.append((len(differing), i, j, differing))
    gone, came, paired = set(), set(), []
    for _number, i, j, differing in sorted(alike):
        if i in gone or j in came:
            continue
        gone.add(i)
        came.add(j)
        paired.append(
            {
                "kind": CHANGED,
                "ids": {"source": lost[i]["ids"]["source"], "target": new[j]["ids"]["target"]},
                "copies": (lost[i]["copies"][0], new[j]["copies"][1]),
                "columns": differing,
                "likely": True,
            }
        )
    return (
        paired
        + [item for i, item in enumerate(lost) if i not in gone]
        + [item for j, item in enumerate(new) if j not in came]
    )


def _values(probes: dict, items: list) -> dict:
    """Return C({side: {identity: {column: text or None}}}) for the columns that differ."""
    changed = [item for item in items if item["columns"]]
    names = sorted({name for item in changed for name in item["columns"]})
    if not names:
        return {side: {} for side in SIDES}
    ends = both_ends(lambda side: probes[side].values([item["ids"][side] for item in changed], names))
    return {side: {one: dict(zip(names, texts)) for one, texts in ends[side].items()} for side in SIDES}


def _entry(probes: dict, item: dict, rows: dict, values: dict, options: DrillOptions) -> dict:
    ends = {side: rows[side].get(item["ids"][side]) for side in SIDES}
    known = ends["source"] or ends["target"]
    names = probes["source"].key
    return {
        "kind": item["kind"],
        "key": dict(zip(names, known.key)) if names and known and options.keys == SHOW else {},
        "key_hash": f"{item['ids']['source'] % (1 << 64):016x}" if names and options.keys == HASH else "",
        "columns": item["columns"],
        "likely": item["likely"],
        "copies": list(item["copies"]),
        "place": {side: " ".join(end.place) if end else "" for side, end in ends.items()},
        "values": {
            name: [_cut(values[side].get(item["ids"][side], {}).get(name)) for side in SIDES]
            for name in item["columns"]
        }
        if values
        else {},
        "sql": {side: _sql(probes[side], item, side, ends[side], known, options) for side in SIDES},
    }


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "\u2026"


def _sql(probe, item: dict, side: str, here, known, options: DrillOptions) -> str:
    """Return a SELECT that shows the row on one end, or its absence; empty where it could not be told without the key."""
    shown = "*"
    if item["columns"] and len(item["columns"]) < len(probe.table.forms):
        shown = ", ".join(
            quote_identifier(name) for name in dict.fromkeys([*_shown_key(probe, options), *item["columns"]])
        )
    on_server = isinstance(probe, ServerProbe)
    if probe.key and options.keys == SHOW and known:
        tests = [
            f"{quote_identifier(name)} = {quote_literal(text).strip()}" for name, text in zip(probe.key, known.key)
        ]
        return f"SELECT {shown} FROM {probe.relation} WHERE {' AND '.join(tests)};"
    if probe.key and options.keys == HASH and on_server:
        return f"SELECT {shown} FROM {probe.relation} t WHERE {probe.identity} = '{item['ids'][side]}';"
    if here:
        relation, place = here.place
        return f"SELECT ctid, {shown} FROM {relation} WHERE ctid = '{place}';"
    if not probe.key and on_server and len(probe.identity) < LONGEST_SQL:
        return f"SELECT ctid, {shown} FROM {probe.relation} t WHERE {probe.identity} = '{item['ids'][side]}';"
    return ""


def _shown_key(probe, options: DrillOptions) -> list:
    return probe.key if options.keys == SHOW else []
