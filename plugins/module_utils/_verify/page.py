# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verification report as one page for people: no scripts, nothing loaded from elsewhere, everything escaped."""

from __future__ import annotations

from .._core.page import document, number, share_bar, text
from .._core.units import human_bytes, human_seconds
from .page_differences import differences
from .page_style import STYLE
from .page_timings import timings

VERDICTS = {
    "MATCH": ("good", "Everything arrived"),
    "MATCH_WITH_OVERRIDES": ("good", "Everything arrived, but for what is not meant to be the same"),
    "MISMATCH": ("bad", "Source and target differ"),
    "INCOMPLETE": ("open", "Not everything could be compared"),
    "ERROR": ("bad", "The verification failed"),
}
# What a match means when not everything was compared.
PARTIAL = {
    "sample": "No difference in the sample",
    "counts": "The numbers of rows agree",
    "schema": "The definitions agree",
}
MODES = {
    "full": "every row, by fingerprint",
    "counts": "rows, sequences and large objects by number only; contents of rows were not compared",
    "schema": "definitions only; no rows were compared",
    "sample": "all rows counted; the contents of a part of them compared, chosen by the hash of their keys",
    "recheck": "rows that may have changed since an earlier report; the others as that report found them",
}
SIGNATURES = {"hmac-sha256": "by a shared key (HMAC with SHA-256)", "ssh": "by an SSH key"}
# More rows than that make a page slow; all of them are in the JSON file.
LONGEST_TABLE = 500
# Tables that are shown at once.
UNFOLDED = 12


def badge(verdict: str) -> str:
    """Return a verdict as a small coloured word."""
    kind = {"MATCH": "good", "AHEAD": "good", "INCOMPLETE": "open"}.get(verdict, "bad")
    return f'<span class="badge {kind}">{text(verdict)}</span>'


def render(report: dict) -> str:
    """Return the page for a report of M(run.verify)."""
    kind, headline = VERDICTS.get(report["verdict"], ("bad", report["verdict"]))
    if report["verdict"] == "MATCH":
        headline = PARTIAL.get(report["mode"], headline)
    title = f"Verification of {report['migration']['name']}: {report['verdict']}"
    body = [
        f'<header class="{kind}"><p class="over">Verification of the migration <b>{text(report["migration"]["name"])}</b></p>'
        f'<h1>{text(headline)} <span class="word">{text(report["verdict"])}</span></h1><p class="why">{text(report["reason"])}</p></header>',
        _figures(report["totals"]),
        _facts(report),
        _limits(report),
        _not_checked(report),
        *(_database(entry) for entry in report["databases"]),
        _roles(report["roles"]),
        timings(report),
        _again(report),
        _method(report),
    ]
    return document(title, STYLE, "".join(body))


def _figures(totals: dict) -> str:
    shown = (
        (number(totals["rows"]), "rows"),
        (f"{totals['match']} of {totals['tables']}", "tables equal"),
        (number(totals["objects"]), "objects"),
        (number(totals["sequences"]), "sequences"),
        (number(totals["large_objects"]), "large objects"),
        (number(totals["errors"]), "errors"),
        (number(totals["warnings"]), "warnings"),
    )
    if totals["differing_rows"] != "0":
        shown = ((number(totals["differing_rows"]), "rows differ"), *shown)
    return '<ul class="figures">' + "".join(f"<li><b>{text(a)}</b>{text(b)}</li>" for a, b in shown) + "</ul>"


def _facts(report: dict) -> str:
    def server(end: dict) -> str:
        version = f"{end['version'] // 10000}.{end['version'] % 10000}"
        system = f", system identifier {end['system_identifier']}" if end.get("system_identifier") else ""
        return f"{end['host']}, PostgreSQL {version}{system}"

    proof = report["source"]["static_proof"]
    facts = (
        ("Source", server(report["source"])),
        ("Target", server(report["target"])),
        ("Compared", MODES[report["mode"]]),
        ("When", f"{report['started_at']} to {report['finished_at']}; holds until {report['valid_until']}"),
        (
            "Consistent point",
            f"next transaction {proof['xmax']}, log position {proof['wal_lsn']}. {report['consistency']}",
        ),
        ("SHA-256", report["sha256"]),
    )
    fence = report["source"].get("fence")
    if fence:
        said = "; ".join([*fence["open"], *fence["unknown"]]) or "nobody but the migration user could write"
        facts += (
            ("Fence", f"{', '.join(fence.get('methods', ()))} on the source, measured when all was read: {said}"),
        )
    if report["resumed"]["pieces"]:
        said = f"{report['resumed']['pieces']} pieces of tables that an earlier run had read, and that nobody wrote to since"
        facts += (("Taken over", f"{said} ({', '.join(report['resumed']['runs'])})"),)
    signature = report.get("signature")
    if signature:
        facts += (("Signature", SIGNATURES.get(signature["kind"], signature["kind"])),)
    base = report["base"]
    if base:
        read = report["totals"]["tables"] - report["totals"]["carried"]
        facts += (
            (
                "Rests on",
                f"the report {base['sha256'][:12]} of {base['finished_at']} ({base['mode']}, {base['verdict']}); "
                f"{read} of {report['totals']['tables']} tables were read again",
            ),
        )
    return '<dl class="facts">' + "".join(f"<dt>{text(a)}</dt><dd>{text(b)}</dd>" for a, b in facts) + "</dl>"


def _limits(report: dict) -> str:
    """Say what a sample may have missed."""
    sample = report["sample"]
    if not sample:
        return ""
    chances = "".join(
        f"<li><b>{text(chance)}</b>bad rows in a table: {text(number(bad))}</li>"
        for bad, chance in sample["chance_to_miss"].items()
    )
    return (
        f"<section><h2>A sample, not a proof</h2><p>{text(number(report['totals']['rows_sampled']))} of "
        f"{text(number(report['totals']['rows']))} rows were compared: {text(sample['fraction'])} of the keys, the newest "
        f"{text(number(sample['newest_keys']))} where keys count up, and small tables and those without a key as a whole. "
        f'The probability that none of the bad rows is among them:</p><ul class="figures small">{chances}</ul></section>'
    )


def _not_checked(report: dict) -> str:
    items = [f"{item['what']}: {item['why']}" for item in report["excluded"]]
    items += [f"{item['name']}: {item['reason']}" for item in report["totals"]["skipped"]]
    items += [
        f"{item['database']}, {item['table']}.{item['column']}: {item['expression']} was compared in its place"
        for item in report["overrides"]
    ]
    items += [
        f"{table['name']}.{column}: floating-point numbers at 15 digits only, as an end older than 12 prints them"
        for entry in report["databases"]
        for table in entry["tables"]
        for column in table["fifteen_digits"]
    ]
    items += [_pattern(pattern) for pattern in report["ignore"]]
    items.append("passwords of roles, which no ordinary user can read")
    listed = "".join(f"<li>{text(item)}</li>" for item in items)
    return f"<section><h2>What was not compared</h2><ul>{listed}</ul></section>"


def _pattern(pattern: dict) -> str:
    """Return a pattern of differences that were ignored as people read it."""
    words = ", ".join(f"{word} {pattern[word]}" for word in ("rule", "kind", "object", "attribute") if word in pattern)
    reason = f" ({pattern['reason']})" if pattern.get("reason") else ""
    return f"{pattern['n']} differences of definitions that were to be ignored: {words}{reason}"


def _findings(title: str, items: list, kind: str, unfold: bool = True) -> str:
    if not items:
        return ""
    shown = []
    for item in items[:LONGEST_TABLE]:
        ends = "".join(
            f"<dt>{side}</dt><dd><code>{text(item[side])}</code></dd>" for side in ("source", "target") if item[side]
        )
        ends = f"<dl>{ends}</dl>" if ends else ""
        remedy = f'<p class="remedy">{text(item["remedy"])}</p>' if item["remedy"] else ""
        shown.append(
            f'<li><b>{text(item["kind"])} {text(item["object"])}</b> <code class="rule">{text(item["rule"])}</code>'
            f"<p>{text(item['msg'])}</p>{ends}{remedy}</li>"
        )
    more = f"<p>{len(items) - LONGEST_TABLE} more in the JSON file.</p>" if len(items) > LONGEST_TABLE else ""
    opened = " open" if unfold else ""
    return (
        f'<details class="findings {kind}"{opened}><summary>{text(title)} ({len(items)})</summary>'
        f"<ul>{''.join(shown)}</ul>{more}</details>"
    )


def _section(schema: dict) -> str:
    """Return the differences of a schema (or of the roles) in the order of their weight."""
    if not schema:
        return ""
    expected = "".join(
        f'<li><code class="rule">{text(item["rule"])}</code> \u00d7 {item["n"]}<p>{text(item["msg"])}</p>'
        f'<p class="remedy">{text(item["remedy"])}</p></li>'
        for item in schema["expected"]
    )
    return (
        _findings("Differences", schema["errors"], "bad")
        + _findings("Could not be compared", schema["not_comparable"], "open")
        + _findings("Warnings", schema["warnings"], "open", len(schema["warnings"]) < 20)
        + (
            f'<details class="findings"><summary>Expected differences</summary><ul>{expected}</ul></details>'
            if expected
            else ""
        )
        + _findings("Ignored as asked", schema["ignored"], "", False)
    )


def _database(entry: dict) -> str:
    parts = [f"<h2>Database {text(entry['name'])} {badge(entry['verdict'])}</h2>"]
    if entry["error"]:
        parts.append(f'<p class="remedy">{text(entry["error"]["msg"])} {text(entry["error"]["hint"])}</p>')
    bad = [table for table in entry["tables"] if table["verdict"] != "MATCH"]
    if bad:
        listed = "".join(
            f"<li><b>{text(table['name'])}</b> {badge(table['verdict'])}<p>{text(table['msg'])}</p>"
            f'<p class="remedy">{text(table["remedy"])}</p>{differences(table["diff"])}</li>'
            for table in bad[:LONGEST_TABLE]
        )
        parts.append(
            f'<details class="findings bad" open><summary>Tables ({len(bad)})</summary><ul>{listed}</ul></details>'
        )
    parts += [
        _section(entry["schema"]),
        _remarks(entry["remarks"]),
        _others(entry),
        _tables(entry["tables"]),
        _objects(entry["schema"]),
    ]
    return f"<section>{''.join(parts)}</section>"


def _remarks(remarks: list) -> str:
    if not remarks:
        return ""
    listed = "".join(
        f"<li><b>{text(item['kind'])} {text(item['object'])}</b><p>{text(item['msg'])}</p>"
        f'<p class="remedy">{text(item["remedy"])}</p></li>'
        for item in remarks[:LONGEST_TABLE]
    )
    return (
        f'<details class="findings"><summary>The same on both ends, and worth knowing ({len(remarks)})</summary>'
        f"<ul>{listed}</ul></details>"
    )


def _others(entry: dict) -> str:
    bad = [item for item in entry["sequences"] if item["verdict"] not in ("MATCH", "AHEAD")]
    listed = "".join(
        f"<li><b>{text(item['name'])}</b> {badge(item['verdict'])} {text(item['msg'])}</li>" for item in bad
    )
    large = entry["large_objects"]
    if large and large["verdict"] != "MATCH":
        listed += f"<li><b>large objects</b> {badge(large['verdict'])} {text(large['msg'])}</li>"
    if not listed:
        return ""
    return (
        f'<details class="findings bad" open><summary>Sequences and large objects</summary><ul>{listed}</ul></details>'
    )


def _tables(tables: list) -> str:
    if not tables:
        return ""
    empty = [table["name"] for table in tables if table["verdict"] == "MATCH" and table["rows"] == ["0", "0"]]
    tables = [table for table in tables if table["name"] not in set(empty)]
    return _with_rows(tables) + _without_rows(empty)


def _without_rows(names: list) -> str:
    """Return the tables of which nothing could be compared but that there is nothing."""
    if not names:
        return ""
    more = f" and {len(names) - LONGEST_TABLE} more" if len(names) > LONGEST_TABLE else ""
    return (
        f"<details><summary>Tables without rows on both ends ({len(names)})</summary>"
        f"<p>{text(', '.join(names[:LONGEST_TABLE]))}{more}</p></details>"
    )


def _with_rows(tables: list) -> str:
    """Return the tables that hold rows: the largest, and all that differ, at once, the others folded."""
    if not tables:
        return ""
    sizes = {table["name"]: int(table["bytes"][0]) for table in tables}
    for table in tables:
        if table["partition_of"] in sizes:
            sizes[table["partition_of"]] += int(table["bytes"][0])
    seconds = {table["name"]: max(float(item or 0) for item in table["seconds"]) for table in tables}
    most = (max(sizes.values()) or 1, max(seconds.values()) or 1)
    order = sorted(tables, key=lambda table: (table["verdict"] == "MATCH", -sizes[table["name"]], table["name"]))
    rows = [_row(table, sizes[table["name"]], seconds[table["name"]], most) for table in order[:LONGEST_TABLE]]
    left = len(tables) - LONGEST_TABLE
    more = f"<p>{left} smaller tables are in the JSON file.</p>" if left > 0 else ""
    folded = ""
    if len(rows) > UNFOLDED:
        rest = "".join(rows[UNFOLDED:])
        folded = f"<details><summary>{len(rows) - UNFOLDED} smaller tables</summary>{_table(rest)}{more}</details>"
    return f"<details open><summary>Tables by size ({len(tables)})</summary>{_table(''.join(rows[:UNFOLDED]))}{folded}</details>"


def _table(rows: str) -> str:
    return (
        '<table class="tables"><thead><tr><th>table</th><th class="n">rows</th><th>size</th><th>time to compare</th>'
        f"<th>verdict</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(table: dict, size: int, spent: float, most: tuple) -> str:
    same = table["rows"][0] == table["rows"][1]
    count = number(table["rows"][0]) if same else f"{number(table['rows'][0])} / {number(table['rows'][1])}"
    return (
        f'<tr><td data-label="table"><span class="name">{text(table["name"])}</span></td>'
        f'<td data-label="rows" class="n">{count}</td>'
        f'<td data-label="size" class="share">{share_bar(size / most[0], human_bytes(size))}</td>'
        f'<td data-label="time" class="share">{share_bar(spent / most[1], human_seconds(spent))}</td>'
        f'<td data-label="verdict">{badge(table["verdict"])}</td></tr>'
    )


def _objects(schema: dict) -> str:
    objects = (schema or {}).get("objects") or {}
    present = {kind: pair for kind, pair in objects.items() if any(pair)}
    if not present:
        return ""
    rows = "".join(
        f'<li class="{"" if pair[0] == pair[1] else "differs"}"><b>{pair[0]}{"" if pair[0] == pair[1] else f" / {pair[1]}"}</b>'
        f"{text(kind)}</li>"
        for kind, pair in sorted(present.items(), key=lambda item: -item[1][0])
    )
    none = ", ".join(kind for kind, pair in sorted(objects.items()) if not any(pair))
    return (
        f'<details><summary>Objects by kind</summary><ul class="figures small">{rows}</ul>'
        f'<p class="quiet">Looked for, and none on either side: {text(none) or "nothing"}.</p></details>'
    )


def _roles(roles: dict) -> str:
    if not roles:
        return ""
    return (
        f"<section><h2>Roles</h2><p>{roles['roles']} roles and {roles['memberships']} memberships that the databases "
        f"refer to were compared.</p>{_section(roles)}</section>"
    )


def _again(report: dict) -> str:
    """Say how to check what this page says, and how to check again."""
    return (
        "<section><h2>How to check again</h2><ul>"
        "<li>Single rows: run the SQL of a difference on both servers.</li>"
        "<li>After something was put right: module <code>azpg.migrate.verification</code> with <code>check: recheck</code> "
        "reads only tables that differed or may have been written to since; <code>check: full</code> reads all.</li>"
        f"<li>This report: <code>azpg.migrate.verification_info</code> checks its digest; it was made on "
        f"{text(report['tool']['host'])} with {text(report['tool']['name'])} {text(report['tool']['version'])}, reading as "
        f"{text(report['source']['user'])} on the source and {text(report['target']['user'])} on the target.</li></ul></section>"
    )


def _method(report: dict) -> str:
    return (
        f"<section><h2>What this proves</h2><p>{_proof(report)} It finds errors, not forgery: whoever may write to both "
        "servers can make them agree.</p>"
        f"<p>The digest {text(report['sha256'][:12])}\u2026 covers the whole report: an edited one is refused. "
        f"{_authenticity(report)}</p></section>"
    )


def _authenticity(report: dict) -> str:
    if report.get("signature"):
        return "The signature says who made it, to those who have the key."
    return "It does not say who made it."


def _proof(report: dict) -> str:
    if report["mode"] in ("counts", "schema"):
        return "That definitions agree" + (" and rows are as many." if report["mode"] == "counts" else ".")
    in_client = report["totals"]["in_client"]
    where = "to 64 bits on the server where it lies"
    if report["method"]["used"] == "client":
        where = "to 128 bits by this program, which reads all rows in the same way from both ends"
    elif in_client:
        where += f" (in {in_client} tables that the servers cannot hash, to 128 bits by this program)"
    which = "Every row of the sample" if report["mode"] == "sample" else "Every row"
    return (
        f"{which} is hashed {where}, from the binary image of its columns; a table's fingerprint is the number of its rows "
        "and the sum of the hashes. A table whose hashed rows differ goes unnoticed with a probability of about 1 in 18 "
        "billion billion (2<sup>\u221264</sup>)."
    )
