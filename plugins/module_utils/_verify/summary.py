# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a whole report comes to: its totals, its verdict, and the sentence that says why."""

from __future__ import annotations

from .._core.errors import is_target_database_absent
from .._core.units import count_of
from .._postgres.fence_measure import FENCED
from .formats import CLIENT, COUNTS, FULL, RECHECK, SAMPLE, SCHEMA
from .verdict import FAILED, INCOMPLETE, MATCH, MISMATCH, worst


def totals(report: dict) -> dict:
    """Return the sums over all databases; row counts as decimal strings."""
    tables = [table for entry in report["databases"] for table in entry["tables"]]
    skipped = [
        {"name": f"{entry['name']}: {item['name']}", "reason": item["reason"]}
        for entry in report["databases"]
        for item in entry["skipped"]
    ]
    sections = [entry["schema"] for entry in report["databases"] if entry["schema"]] + [report["roles"] or {}]
    return {
        "databases": len(report["databases"]),
        "tables": len(tables),
        **{
            word: sum(table["verdict"] == verdict for table in tables)
            for word, verdict in (("match", MATCH), ("mismatch", MISMATCH), ("incomplete", INCOMPLETE))
        },
        "skipped": skipped,
        # Nothing was compared there but that there is nothing.
        "empty": sum(table["verdict"] == MATCH and table["rows"] == ["0", "0"] for table in tables),
        "overridden": sum(len(table["overrides"]) for table in tables),
        "carried": sum(table["carried"] for table in tables),
        "in_client": sum(table["method"] == CLIENT for table in tables),
        "rows_sampled": str(sum(int(table["sampled"][0] or 0) for table in tables if not table["partition_of"])),
        "differing_rows": _differing(tables),
        "rows": str(sum(int(table["rows"][0] or 0) for table in tables if not table["partition_of"])),
        "bytes": str(sum(int(table["bytes"][0]) for table in tables)),
        "sequences": sum(len(entry["sequences"]) for entry in report["databases"]),
        "large_objects": str(
            sum(entry["large_objects"].get("source", {}).get("count", 0) for entry in report["databases"])
        ),
        "objects": sum(
            pair[0] for entry in report["databases"] for pair in entry["schema"].get("objects", {}).values()
        ),
        **{
            word: sum(len(section.get(word, [])) for section in sections)
            for word in ("errors", "warnings", "not_comparable", "ignored")
        },
        "expected": sum(item["n"] for section in sections for item in section.get("expected", [])),
    }


def _differing(tables: list) -> str:
    """Return the number of rows that differ, estimated where not all were looked at."""
    return str(sum(int(table["diff"]["estimate"]) for table in tables if table["diff"]))


def overall(report: dict) -> str:
    """Return the verdict of the whole: the gravest of the databases, and INCOMPLETE when no table was compared."""
    found = [entry["verdict"] for entry in report["databases"]]
    if not fence_holds(report):
        found.append(INCOMPLETE)
    sums = report["totals"]
    if sums["match"] + sums["mismatch"] + sums["incomplete"] != sums["tables"]:
        found.append(FAILED)
    # Whatever either end has was compared, or is named as left out.
    if sum(entry["inventory"]["union"] for entry in report["databases"]) != sums["tables"] + len(sums["skipped"]):
        found.append(FAILED)
    if report["mode"] != SCHEMA and not sums["match"] + sums["mismatch"]:
        found.append(INCOMPLETE)
    return worst(found)


def fence_holds(report: dict) -> bool:
    """Return whether there is no fence around the source, or one that was found to hold after everything was read."""
    fence = report["source"].get("fence")
    return fence is None or fence["verdict"] == FENCED


def reason(report: dict) -> str:
    """Return one sentence that says why the verdict is what it is."""
    sums, verdict = report["totals"], report["verdict"]
    if verdict == FAILED:
        failed = [entry for entry in report["databases"] if entry["error"]]
        if not failed:
            return "The totals contradict the parts."
        error = failed[0]["error"]
        absent = is_target_database_absent(error.get("details") or {})
        return f"Database {failed[0]['name']}: {error['msg']}{' It has not been migrated yet.' if absent else ''}"
    bad_sequences = sum(item["verdict"] == MISMATCH for entry in report["databases"] for item in entry["sequences"])
    bad_objects = sum(entry["large_objects"].get("verdict") == MISMATCH for entry in report["databases"])
    if verdict == MISMATCH:
        parts = [
            (sums["mismatch"], "table differs", "tables differ"),
            (bad_sequences, "sequence is behind or missing", "sequences are behind or missing"),
            (bad_objects, "database differs in large objects", "databases differ in large objects"),
            (sums["errors"], "object differs or is missing", "objects differ or are missing"),
        ]
        return ", ".join(count_of(*part) for part in parts if part[0]) + "."
    if verdict == INCOMPLETE:
        if not fence_holds(report):
            fence = report["source"]["fence"]
            said = "; ".join([*fence["open"], *fence["unknown"]][:3])
            return f"The fence around the source did not hold to the end: {said}."
        if report["mode"] != SCHEMA and not sums["match"]:
            return f"No table was compared.{first_unread(report)}"
        parts = [
            (sums["incomplete"], count_of(sums["incomplete"], "table")),
            (sums["not_comparable"], count_of(sums["not_comparable"], "object")),
        ]
        said = ", ".join(words for number, words in parts if number)
        return f"{said or 'Sequences or large objects'} could not be read or compared.{first_unread(report)}"
    what = _compared(report)
    if sums["overridden"]:
        what += f"; of {count_of(sums['overridden'], 'column')} an expression in its place"
    return (
        f"{count_of(sums['tables'], 'table')} with {count_of(sums['rows'], 'row')}, {count_of(sums['sequences'], 'sequence')}, "
        f"{count_of(sums['large_objects'], 'large object')} and {count_of(sums['objects'], 'object')} agree ({what}); "
        f"{count_of(sums['warnings'], 'warning')}."
    )


def first_unread(report: dict) -> str:
    """Return the first thing that could not be read or compared, why, and what helps; empty where nothing was."""
    for entry in report["databases"]:
        tables = [(table["name"], table) for table in entry["tables"] if table["verdict"] == INCOMPLETE]
        objects = [(f"{item['kind']} {item['object']}", item) for item in entry["schema"].get("not_comparable", [])]
        sequences = [(item["name"], item) for item in entry["sequences"] if item["verdict"] == INCOMPLETE]
        for name, item in [*tables, *objects, *sequences]:
            stop = "" if item["msg"].endswith((".", "?", "!")) else "."
            return f" {entry['name']}: {name}: {item['msg']}{stop} {item.get('remedy', '')}".rstrip()
    return ""


def _compared(report: dict) -> str:
    """Return in a few words what was compared of the rows."""
    sums, mode = report["totals"], report["mode"]
    if mode == SAMPLE:
        return f"all rows counted, the contents of {sums['rows_sampled']} compared, a sample of {report['sample']['fraction']}"
    if mode == RECHECK:
        again = sums["tables"] - sums["carried"]
        return (
            f"{count_of(again, 'table')} read again, {sums['carried']} unchanged since the report {report['base']['sha256'][:12]} of "
            f"{report['base']['finished_at']}"
        )
    return {FULL: "rows by fingerprint", COUNTS: "rows by number only", SCHEMA: "no rows"}[mode]
