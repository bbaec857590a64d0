# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts: what the comparison of tables, databases and of the whole comes to. Pure functions; whatever is missing
or went wrong is never taken for equal."""

from __future__ import annotations

from .._postgres.fingerprint import EXPRESSION, TEXT
from .findings import WARNING, finding
from .formats import CLIENT, SERVER
from .tables import Table, skip_reason

MATCH, MISMATCH, INCOMPLETE, FAILED = "MATCH", "MISMATCH", "INCOMPLETE", "ERROR"
# A match that rests on expressions which somebody put in the place of columns.
OVERRIDDEN = "MATCH_WITH_OVERRIDES"
ORDER = (MATCH, OVERRIDDEN, INCOMPLETE, MISMATCH, FAILED)

KINDS = {"r": "table", "p": "partitioned table", "m": "materialized view", "f": "foreign table"}


def worst(verdicts) -> str:
    """Return the gravest verdict, see ORDER; INCOMPLETE when there is none at all."""
    found = list(verdicts)
    return max(found, key=ORDER.index) if found else INCOMPLETE


def remedy_of(side: str, name: str, code: str, message: str) -> str:
    """Return what helps against an error that kept a table from being read."""
    if "row-level security" in message:
        return (
            f"Rows would be hidden by row-level security on the {side}: ALTER ROLE <migration user> BYPASSRLS there, "
            "or make the user the owner of the table without FORCE ROW LEVEL SECURITY."
        )
    if code == "42501":
        return f"On the {side}: GRANT SELECT ON {name} TO the migration user (and USAGE on its schema)."
    if code == "55P03":
        return (
            f"Somebody holds the table on the {side} in ACCESS EXCLUSIVE mode (pg_locks tells who); verify again when it "
            "is free: 'check: recheck' then reads what is left."
        )
    return f"Read the message of the {side}, put it right, and verify again."


def judge(table: Table, counts_only: bool) -> tuple:
    """Return C((verdict, msg, remedy)) for a table whose two results are in."""
    if table.problem:
        return table.problem
    for side in ("source", "target"):
        result = table.results.get(side, {"error": "no result", "code": ""})
        if "error" in result:
            remedy = remedy_of(side, table.full_name, result["code"], result["error"])
            return INCOMPLETE, f"The {side} could not be read: {result['error']}", remedy
    left, right = table.results["source"], table.results["target"]
    if left["count"] != right["count"]:
        return MISMATCH, f"The source has {left['count']} rows, the target {right['count']}.", "Copy the table again."
    if not counts_only and left["sum"] != right["sum"]:
        return (
            MISMATCH,
            f"The same number of rows ({left['count']}), but their contents differ.",
            "Copy the table again.",
        )
    return MATCH, "", ""


def sum_up(root: Table, leaves: list) -> None:
    """Give a partitioned root the results of its leaves, which add up; an error of a leaf is the root's."""
    for side in ("source", "target"):
        parts = [leaf.results[side] for leaf in leaves if side in leaf.results]
        failed = next((part for part in parts if "error" in part), None)
        if failed:
            root.results[side] = failed
            continue
        seconds = sum(float(part["seconds"]) for part in parts)
        root.results[side] = {
            "count": sum(part["count"] for part in parts),
            "sum": str(sum(int(part["sum"]) for part in parts)),
            "seconds": f"{seconds:.3f}",
            "expression": "",
            # All leaves are read in one way, or those that were not need no looking into: see M(contents).
            "method": CLIENT if any(part.get("method") == CLIENT for part in parts) else SERVER,
            "raw": any(part.get("raw") for part in parts),
            "carried": bool(parts) and all(part.get("carried") for part in parts),
        }
        if any("sampled" in part for part in parts):
            root.results[side]["sampled"] = sum(part.get("sampled", part["count"]) for part in parts)
        # Sums of 128 bits are kept modulo 2^128, and so is their sum.
        if root.results[side]["method"] == CLIENT:
            root.results[side]["sum"] = str(int(root.results[side]["sum"]) % (1 << 128))


def judge_tables(tables: dict, counts_only: bool, oldest_version: int) -> tuple:
    """Return C((entries, skipped, findings)) for all tables of a database; I(oldest_version) is that of the older end.

    An entry is C({name, kind, partition_of, rows, sum, bytes, seconds, forms, expression, verdict, msg, remedy, ...}); a
    leaf whose rows differ while the whole partitioned table agrees has the verdict MATCH and gives a warning, and a
    materialised view that differs does, too: its rows date from its last refresh.
    """
    leaves = {}
    for table in tables.values():
        if table.source and table.source["root_name"]:
            leaves.setdefault((table.source["root_schema"], table.source["root_name"]), []).append(table)
    agreed = set()
    for key, table in tables.items():
        if table.facts["kind"] == "p" and not table.problem and not table.facts["root_name"]:
            sum_up(table, leaves.get(key, []))
            if judge(table, counts_only)[0] == MATCH and not any(leaf.problem for leaf in leaves.get(key, [])):
                agreed.add(key)
    entries, skipped, findings = [], [], []
    for _key, table in sorted(tables.items()):
        reason = skip_reason(table)
        inner = table.facts["kind"] == "p" and table.facts["root_name"]
        if reason or inner:
            skipped.append({"name": table.full_name, "reason": reason or "counted with the partitioned table above it"})
            continue
        verdict, msg, remedy = judge(table, counts_only)
        root = (table.facts["root_schema"], table.facts["root_name"])
        informational = None
        if verdict == MISMATCH and root in agreed:
            informational = (
                "rows-in-other-partition",
                "Rows lie in other partitions than on the source; none is lost.",
            )
        elif verdict == MISMATCH and table.facts["kind"] == "m" and not table.problem:
            informational = ("materialized-view-rows", "The rows of the materialised view differ.")
        if informational:
            findings.append(
                finding(
                    WARNING,
                    informational[0],
                    KINDS[table.facts["kind"]],
                    table.full_name,
                    informational[1],
                    remedy="" if root in agreed else f"REFRESH MATERIALIZED VIEW {table.full_name} on the target.",
                )
            )
            verdict = MATCH
        entries.append(_entry(table, verdict, msg, remedy, oldest_version))
    return entries, skipped, findings


def _at_fifteen_digits(table: Table, oldest_version: int) -> list:
    """Return the columns whose floating-point numbers are compared as text at 15 digits, as far as 11 can print them alike."""
    if oldest_version >= 120000:
        return []
    with_floats = {column.name for column in table.columns.get("source", ()) if column.floats}
    return [name for name, form in table.forms or [] if form in (TEXT, EXPRESSION) and name in with_floats]


def _entry(table: Table, verdict: str, msg: str, remedy: str, oldest_version: int) -> dict:
    def both(key, default=""):
        return [str(table.results.get(side, {}).get(key, default)) for side in ("source", "target")]

    facts = table.facts
    return {
        "name": table.full_name,
        "schema": table.schema,
        "table": table.name,
        "kind": KINDS[facts["kind"]],
        "partition_of": f"{facts['root_schema']}.{facts['root_name']}" if facts["root_name"] else "",
        "condition": facts["condition"] or "",
        "rows": both("count"),
        "sum": both("sum"),
        "bytes": [str((side or {}).get("bytes") or 0) for side in (table.source, table.target)],
        "seconds": both("seconds", "0"),
        "expression": both("expression"),
        "forms": [list(item) for item in table.forms or []],
        "overrides": dict(table.overrides),
        "generated": [column.name for column in table.columns.get("source", ()) if column.generated],
        "fifteen_digits": _at_fifteen_digits(table, oldest_version),
        "prehash": table.prehash,
        "method": table.results.get("source", {}).get("method", SERVER),
        "raw": table.results.get("source", {}).get("raw", False),
        "sampled": both("sampled"),
        "carried": bool(table.results.get("source", {}).get("carried")),
        "diff": None,
        "verdict": verdict,
        "msg": msg,
        "remedy": remedy,
    }


def unnoticed_statistics(tables: dict, analysed: set) -> list:
    """Return a warning when tables with rows have no statistics on the target; I(analysed) is C({(schema, name)})."""
    without = [
        table.full_name
        for key, table in sorted(tables.items())
        if key not in analysed
        and table.facts["kind"] in "rm"
        and table.results.get("target", {}).get("count")
        and table.facts["has_columns"]
    ]
    if not without:
        return []
    return [
        finding(
            WARNING,
            "statistics-missing",
            "table",
            f"{len(without)} tables",
            f"The planner has no statistics of {', '.join(without[:10])}{' ...' if len(without) > 10 else ''}.",
            remedy="Run ANALYZE on the target database.",
        )
    ]


def database_verdict(entry: dict) -> str:
    """Return the verdict of one database from everything in its entry of the report."""
    found = [table["verdict"] for table in entry["tables"]]
    found += [OVERRIDDEN for table in entry["tables"] if table["overrides"]]
    found += [MATCH if item["verdict"] == "AHEAD" else item["verdict"] for item in entry["sequences"]]
    if entry["large_objects"]:
        found.append(entry["large_objects"]["verdict"])
    schema = entry["schema"]
    if schema:
        found += [MISMATCH] * bool(schema["errors"]) + [INCOMPLETE] * bool(schema["not_comparable"])
        if sum(source + target for source, target in schema["objects"].values()):
            found.append(MATCH)
    return worst(found)
