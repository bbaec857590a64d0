# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The final record as a page for people: what was moved, proven, removed and kept, what it cost, and who answers for it."""

from __future__ import annotations

from .page import document, number, text
from .units import human_bytes, human_seconds

# Per outcome: the colour of the head, and its words.
HEADS = {
    "completed": ("good", "Moved, proven and cleaned up"),
    "abandoned": ("open", "Given up"),
    "rolled_back": ("open", "Rolled back"),
}


def facts(pairs) -> str:
    """Return a list of facts; those without a value are left out."""
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in pairs if value not in (None, ""))
    return f'<dl class="facts">{rows}</dl>'


def section(title: str, lines, empty: str) -> str:
    """Return a section with one line for each thing."""
    items = "".join(f"<li>{text(line)}</li>" for line in lines)
    return (
        f"<section><h2>{text(title)}</h2>" + (f"<ul>{items}</ul>" if items else f"<p>{text(empty)}</p>") + "</section>"
    )


def moved(record: dict) -> list:
    """Return the facts of what was moved, as far as the provider counts it."""
    migration, request = record.get("migration") or {}, record["request"]
    tables, rows, size = (migration.get(word) for word in ("tables_done", "rows_done", "bytes_done"))
    elapsed = migration.get("elapsed_seconds")
    return [
        ("From", request.get("source")),
        ("To", request.get("target")),
        ("Databases", ", ".join(request.get("databases") or ())),
        ("Provider and mode", f"{request.get('provider')}, {request.get('mode')}"),
        ("Tables", number(tables) if tables is not None else None),
        ("Rows", number(rows) if rows is not None else None),
        ("Size", human_bytes(size) if size is not None else None),
        ("Time", human_seconds(elapsed) if elapsed else None),
    ]


def proven(record: dict) -> list:
    """Return the facts of the verification; empty without one."""
    found = record.get("verification") or {}
    totals = found.get("totals") or {}
    equal = f"{totals['match']} of {totals['tables']}" if "match" in totals and "tables" in totals else None
    return [
        ("Verdict", found.get("verdict")),
        ("Because", found.get("reason")),
        ("Tables equal row by row", equal),
        ("Report", found.get("report")),
        ("SHA-256 of the report", found.get("sha256")),
    ]


def spent(record: dict) -> list:
    """Return the facts of the runtime server and of what it cost."""
    found = record.get("runtime_server") or {}
    return [
        ("Runtime server", found.get("name") or found.get("id") or found.get("engine")),
        ("Size", found.get("sku")),
        ("Hours", found.get("hours")),
        ("Cost, by the price that was given", f"{found['cost']:.2f}" if found.get("cost") is not None else None),
    ]


def final_page(record: dict) -> str:
    """Return the whole page of a final record."""
    outcome = record.get("outcome") or "unknown"
    colour, words = HEADS.get(outcome, ("open", "How it ended is not said"))
    name = record["request"].get("name")
    answered = [
        ("Signed off by", record.get("signed_off_by") or "nobody was named"),
        ("Report signed by", record.get("signed_by")),
        ("Ended at", record.get("finished_at")),
        ("SHA-256 of this record", record.get("sha256")),
    ]
    body = [
        f'<header class="{colour}"><p class="over">Final record</p><h1>{text(name)} <span class="word">'
        f'{text(outcome.replace("_", " ").upper())}</span></h1><p class="why">{text(words)}.</p></header>',
        f"<section><h2>Moved</h2>{facts(moved(record))}</section>",
        f"<section><h2>Proven</h2>{facts(proven(record)) if record.get('verification') else '<p>Nothing was proven.</p>'}</section>",
    ]
    if record.get("forced"):
        lines = [f"[{reason['code']}] {reason['msg']}" for reason in record["forced"]]
        body.append(section("Overruled by whoever answers for it", lines, ""))
    body += [
        section("Removed", record.get("removed") or (), "Nothing had to be removed."),
        section("Kept", record.get("kept") or (), "Nothing was kept but this record."),
        *([section("Still there", record["remaining"], "")] if record.get("remaining") else []),
        f"<section><h2>Runtime server</h2>{facts(spent(record))}</section>",
        f"<section><h2>Who answers for it</h2>{facts(answered)}</section>",
    ]
    warnings = (record.get("migration") or {}).get("warnings") or ()
    if warnings:
        body.append(section("To do", warnings, ""))
    return document(f"{name}: final record", "", "".join(body))
