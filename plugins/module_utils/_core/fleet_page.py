# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All migrations of a fleet as one page: no scripts, nothing loaded from elsewhere, everything escaped.

What is shown is chosen by radio buttons that the style sheet looks at, so the page can be filtered wherever it is read.
"""

from __future__ import annotations

from urllib.parse import quote

from . import status
from .fleet import NEEDS_SOMEBODY, Row, ordered, summary_line, warnings_words
from .page import document, number, share_bar, text
from .units import human_bytes, human_seconds

GOOD = {status.COMPLETED, status.DECOMMISSIONED}
# Word of a filter, what it is called, which rows it shows.
FILTERS = (
    ("all", "All", lambda row: True),
    ("attention", "Needs somebody", lambda row: row.attention),
    ("busy", "At work", lambda row: row.state in (status.RUNNING, status.REPLICATING)),
    ("open", "To come", lambda row: row.state == status.ABSENT),
    ("moved", "Moved, not proven", lambda row: row.state == status.COMPLETED and row.verdict != "MATCH"),
    ("proven", "Proven equal", lambda row: row.verdict == "MATCH"),
    ("over", "Decommissioned", lambda row: row.state == status.DECOMMISSIONED),
)
STYLE = """
.filters{display:contents}.filters input{position:absolute;opacity:0;pointer-events:none}
.chips{display:flex;flex-wrap:wrap;gap:.4rem;margin:1rem 0}
.chips label{border:1px solid var(--line);border-radius:2rem;padding:.45rem .9rem;background:var(--card);cursor:pointer}
.chips b{font-variant-numeric:tabular-nums}
.badge{border-radius:.4rem;padding:.1rem .5rem;font-size:.85rem;font-weight:600;white-space:nowrap;background:var(--line)}
.badge.good{background:var(--good-soft);color:var(--good)}.badge.bad{background:var(--bad-soft);color:var(--bad)}
.badge.open{background:var(--open-soft);color:var(--open)}
main{max-width:80rem}tbody tr{vertical-align:top}.name{font-weight:600}
.where,.note{display:block;color:var(--quiet);font-size:.9rem;font-weight:400}.note{color:var(--ink)}
.bar{display:block;min-width:0}.bar svg{display:block;width:100%;margin:.5rem 0 .2rem}
@media (min-width:40.01rem){table{table-layout:fixed}th:nth-child(1){width:28%}th:nth-child(2){width:9.5rem}
th:nth-child(3){width:15%}th:nth-child(4){width:7rem}th:nth-child(5){width:8rem}}
@media (max-width:40rem){tbody tr{display:flex;flex-wrap:wrap;align-items:baseline;gap:.2rem .6rem}
td:first-child,td.what{flex:1 0 100%}td:nth-child(3){flex:1 1 8rem}td:empty{display:none}.where{display:block}}
""" + "".join(
    f"#f-{word}:checked~.chips label[for=f-{word}]{{border-color:var(--ink);font-weight:600}}"
    f"#f-{word}:focus-visible~.chips label[for=f-{word}]{{outline:3px solid var(--bar)}}"
    f"#f-{word}:checked~section tbody tr:not(.{word}){{display:none}}"
    for word, _name, _shows in FILTERS
)


def render(rows: list, written_at: str) -> str:
    """Return the page for the rows of M(fleet); I(written_at) is the moment at which they were looked at."""
    rows = ordered(rows)
    kind, headline = verdict_of(rows)
    body = [
        f'<header class="{kind}"><p class="over">Migrations, as they were at {text(written_at)}</p>'
        f'<h1>{text(headline)}</h1><p class="why">{text(summary_line(rows))}.</p></header>',
        figures(rows),
        '<div class="filters">',
        *(
            f'<input type="radio" name="f" id="f-{word}"{" checked" if word == "all" else ""}>'
            for word, _name, _shows in FILTERS
        ),
        chips(rows),
        "<section><h2>Migrations</h2><table><thead><tr><th>migration</th><th>state</th><th>arrived</th><th>time</th>"
        "<th>proof</th><th>what to know</th></tr></thead><tbody>",
        *(line(row) for row in rows),
        "</tbody></table></section></div>",
    ]
    return document(f"Migrations: {headline}", STYLE, "".join(body))


def verdict_of(rows: list) -> tuple:
    """Return C((kind, headline)) for all of them."""
    bad = [row for row in rows if row.attention]
    if bad:
        return "bad", f"{len(bad)} of {len(rows)} need somebody"
    proven = sum(row.verdict == "MATCH" and row.state in GOOD for row in rows)
    if rows and proven == len(rows):
        return "good", "All moved and proven equal"
    return "open", f"{proven} of {len(rows)} moved and proven equal"


def figures(rows: list) -> str:
    """Return the large numbers."""
    moved = sum((row.bytes_total or 0) * row.share for row in rows)
    shown = [
        (number(len(rows)), "migrations"),
        (number(sum(row.verdict == "MATCH" for row in rows)), "proven equal"),
        (human_bytes(moved), f"arrived of {human_bytes(sum(row.bytes_total or 0 for row in rows))} known"),
        (number(sum(row.tables_total or 0 for row in rows)), "tables"),
        (number(sum(len(row.databases) for row in rows)), "databases"),
    ]
    return '<ul class="figures small">' + "".join(f"<li><b>{text(a)}</b>{text(b)}</li>" for a, b in shown) + "</ul>"


def chips(rows: list) -> str:
    """Return the labels of the filters, with how many rows each shows."""
    found = []
    for word, name, shows in FILTERS:
        shown = sum(map(shows, rows))
        found.append(f'<label for="f-{word}">{text(name)} <b>{shown}</b></label>')
    return f'<div class="chips">{"".join(found)}</div>'


def badge(word: str, kind: str) -> str:
    """Return a state or a verdict as a small coloured word."""
    return f'<span class="badge {kind}">{text(word)}</span>' if word else ""


def state_kind(state: str) -> str:
    """Return the colour of a state."""
    return "good" if state in GOOD else "bad" if state in NEEDS_SOMEBODY else ""


def line(row: Row) -> str:
    """Return one migration's line of the table."""
    classes = " ".join(word for word, _name, shows in FILTERS if shows(row))
    arrived = share_bar(row.share, f"{row.share:.0%} of {human_bytes(row.bytes_total)}") if row.bytes_total else ""
    spent = human_seconds(row.elapsed) if row.elapsed else ""
    left = f'<span class="where">{text(human_seconds(row.left))} left</span>' if row.left is not None else ""
    verdict = badge(row.verdict, {"MATCH": "good", "INCOMPLETE": "open"}.get(row.verdict, "bad"))
    return (
        f'<tr class="{classes}"><td><span class="name">{text(row.name)}</span>'
        f'<span class="where">{text(row.source)} \u2192 {text(row.target)}</span>'
        f'<span class="where">{text(", ".join(row.databases))}</span></td>'
        f"<td>{badge(row.state, state_kind(row.state))}</td><td>{arrived}</td><td>{text(spent)}{left}</td>"
        f'<td>{verdict}</td><td class="what">{what(row)}</td></tr>'
    )


def what(row: Row) -> str:
    """Return what is the matter, and where to read on."""
    parts = [f'<span class="note">{text(row.note)}</span>'] if row.note else []
    if row.warnings:
        parts.append(f'<span class="where">{warnings_words(row.warnings)}</span>')
    # Pages lie in a folder of the migration's name, beside this page.
    links = [f'<a href="{quote(row.name)}/{quote(page)}">{text(page.rpartition(".")[0])}</a>' for page in row.pages]
    return "".join(parts) + (f'<span class="where">{" ".join(links)}</span>' if links else "")
