# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the report's page that names rows: keys, columns, and SQL to copy. Everything is escaped."""

from __future__ import annotations

from .._core.page import text

# Rows of a table on the page; all that are listed are in the JSON file.
MOST_ROWS = 100
UNFOLDED = 10

COMPUTED = (
    "Only generated columns differ. They were computed anew when the rows were loaded: a function that they use, or the "
    "collation or time zone that it depends on, is another one on the target."
)
WORDS = {"changed": "changed", "missing": "missing on the target", "unexpected": "only on the target"}


def differences(diff: dict | None) -> str:
    """Return the rows of one table that differ, from the C(diff) of its entry in the report; nothing without any."""
    if not diff:
        return ""
    if diff["error"]:
        return f'<p class="remedy">The rows that differ could not be found: {text(diff["error"])}</p>'
    shown = diff["differences"][:MOST_ROWS]
    more = int(diff["listed"]) - len(shown)
    listed = [_row(item, diff) for item in shown]
    first, rest = "".join(listed[:UNFOLDED]), "".join(listed[UNFOLDED:])
    parts = [_summary(diff), f'<ol class="rows">{first}</ol>' if first else ""]
    note = f'<p class="quiet">{more} more are listed in the JSON file.</p>' if more > 0 else ""
    if rest:
        parts.append(
            f"<details><summary>{len(listed) - UNFOLDED} more rows</summary>"
            f'<ol class="rows" start="{UNFOLDED + 1}">{rest}</ol>{note}</details>'
        )
    return "".join(parts)


def _summary(diff: dict) -> str:
    counts = [f"{diff[kind]} {word}" for kind, word in WORDS.items() if diff[kind] != "0"]
    how = "rows told by the " + diff["key_kind"] if diff["key"] else "no key: rows told by their whole contents"
    if diff["key"]:
        how += f" ({', '.join(diff['key'])})"
    found = "" if diff["complete"] else f" in what was looked at; about {diff['estimate']} rows differ in all"
    looked = sum(bool(item["columns"]) for item in diff["differences"])
    columns = sorted(diff["columns"].items(), key=lambda item: (-item[1], item[0]))
    named = "".join(
        f"<li><code>{text(name)}</code> \u00d7 {number}{' (generated)' if name in diff['generated'] else ''}</li>"
        for name, number in columns[:50]
    )
    return (
        f"<p>{text(', '.join(counts) or 'No row could be told apart')}{text(found)} "
        f'<span class="quiet">({text(how)})</span></p>'
        + (
            f'<ul class="columns"><li class="quiet">Columns that differ in the {looked} changed rows looked into:</li>{named}</ul>'
            if named
            else ""
        )
        + (f'<p class="remedy">{COMPUTED}</p>' if columns and set(diff["columns"]) <= set(diff["generated"]) else "")
    )


def _row(item: dict, diff: dict) -> str:
    word = WORDS[item["kind"]]
    if item["likely"]:
        word += " (likely: the most alike of a missing and an unexpected row)"
    if not diff["key"] and item["copies"] != [1, 1]:
        word += f", {item['copies'][0]} times on the source, {item['copies'][1]} on the target"
    keys = ", ".join(f"{text(name)} = <code>{text(value)}</code>" for name, value in item["key"].items())
    if item["key_hash"]:
        keys = f"hash of the key = <code>{text(item['key_hash'])}</code>"
    columns = ", ".join(f"<code>{text(name)}</code>" for name in item["columns"])
    values = "".join(
        f"<dt>{text(name)}</dt><dd><code>{_value(pair[0])}</code> \u2192 <code>{_value(pair[1])}</code></dd>"
        for name, pair in item["values"].items()
    )
    return (
        f"<li><p><b>{text(word)}</b> {keys}</p>"
        + (f"<p>columns: {columns}</p>" if columns else "")
        + (f"<dl>{values}</dl>" if values else "")
        + _statements(item["sql"])
        + "</li>"
    )


def _value(value) -> str:
    return "<i>NULL</i>" if value is None else text(value)


def _statements(sql: dict) -> str:
    """Return the statements of both ends, folded; one click on a statement marks the whole of it for copying."""
    if sql["source"] and sql["source"] == sql["target"]:
        shown = [("source and target", sql["source"])]
    else:
        shown = [(side, sql[side]) for side in ("source", "target") if sql[side]]
    if not shown:
        return ""
    listed = "".join(f'<p class="quiet">on the {side}</p><pre class="sql">{text(one)}</pre>' for side, one in shown)
    return f"<details><summary>SQL</summary>{listed}</details>"
