# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline as one page for people (see M(timeline) for its figures)."""

from __future__ import annotations

from .._core import status
from .._core.page import document, number, share_bar, text
from .._core.units import human_bytes, human_seconds
from .bottleneck import LEAST_LOOKS, LEAST_SHARE, findings, verdict
from .timeline import largest, slowest
from .timeline_style import STYLE

ENDS = {
    status.COMPLETED: ("good", "Moved in {time}"),
    status.FAILED: ("bad", "Stopped after {time}"),
    status.CANCELLED: ("open", "Cancelled after {time}"),
}
KINDS = {
    "table": "copy",
    "large_objects": "large objects",
    "key": "index or key",
    "foreign_key": "foreign key",
    "materialized_view": "materialised view",
    "statistics": "statistics",
    "prove": "comparison after a restart",
    "step": "schema and other steps",
}
WIDTH = 10000
# Narrower neighbours of one kind are drawn as one block, so that a page of thousands of tables stays small.
NARROW = 25
NARROWEST = 12
WAITS_SHOWN = 30
DASH = "\u2013"


def render(timeline: dict, request) -> str:
    """Return the page.

    :param timeline: see M(timeline.read_timeline)
    :param request: the migration's request, for names
    """
    progress = timeline["progress"]
    kind, headline = ENDS.get(progress["state"], ("open", "At work for {time}"))
    headline = headline.format(time=human_seconds(timeline["seconds"]))
    error = progress["error"]
    why = f"{error['msg']} {error['hint']}".strip() if error else verdict(timeline)
    body = [
        f'<header class="{kind}"><p class="over">Timeline of the migration <b>{text(request.name)}</b></p>'
        f'<h1>{text(headline)} <span class="word">{text(progress["state"].upper())}</span></h1>'
        f'<p class="why">{text(why)}</p></header>',
        _figures(timeline),
        _lanes(timeline),
        _bottleneck(timeline),
        _objects("Largest tables", largest(timeline["spans"]), False),
        _objects("What took longest", slowest(timeline["spans"]), True),
        _facts(timeline, request),
        _waits(timeline),
    ]
    return document(f"Timeline of {request.name}: {progress['state']}", STYLE, "".join(body))


def _figures(timeline: dict) -> str:
    progress = timeline["progress"]
    carried = sum(span["bytes"] or 0 for span in timeline["spans"] if span["outcome"] == "done")
    copying = sum(seconds for _start, seconds, rate in timeline["rates"] if rate > 0)
    shown = [
        (human_bytes(progress["bytes_done"]), "of tables"),
        (number(progress["rows_done"]), "rows"),
        *((f"{number(progress[word + '_done'])} of {number(progress[word + '_total'])}", words)
          for word, words in (("tables", "tables"), ("indexes", "indexes"), ("keys", "keys"),
                              ("foreign_keys", "foreign keys")) if progress[word + "_total"]),
        (f"{human_bytes(carried / copying)}/s" if copying and carried else DASH, "while rows flowed"),
        (human_seconds(sum(run["cpu"] or 0 for run in timeline["runs"])), "processor time of the engine"),
    ]  # fmt: skip
    return '<ul class="figures">' + "".join(f"<li><b>{text(a)}</b>{text(b)}</li>" for a, b in shown) + "</ul>"


def _lanes(timeline: dict) -> str:
    total = timeline["seconds"] or 1.0
    names = {0: "engine", **{lane: str(lane) for lane in range(1, timeline["jobs"] + 1)}}
    blocks = {lane: _blocks([span for span in timeline["spans"] if span["worker"] == lane], total) for lane in names}
    breaks = "".join(
        f'<rect class="break" x="{run["start"] / total * WIDTH - 8:.0f}" width="16" height="20"><title>'
        f"the engine began again</title></rect>"
        for run in timeline["runs"][1:]
    )
    lanes, tips = [], []
    for lane, name in names.items():
        drawn = "".join(_drawn(block) for block in blocks[lane])
        busy = sum(span["seconds"] for span in timeline["spans"] if span["worker"] == lane)
        lanes.append(
            f'<div class="lane"><span class="who">{text(name)}</span><svg viewBox="0 0 {WIDTH} 20" '
            f'preserveAspectRatio="none" role="img" aria-label="worker {text(name)}, busy for {text(human_seconds(busy))}">'
            f'<rect class="waiting" width="{WIDTH}" height="20"><title>waiting</title></rect>{drawn}{breaks}</svg>'
            f'<span class="busy">{busy / total:.0%}</span></div>'
        )
        tips += [
            f'<p class="tip" id="s{block["id"]}">{text(block["words"])} <a href="#lanes">close</a></p>'
            for block in blocks[lane]
        ]
    ticks = "".join(f"<span>{text(human_seconds(total * quarter / 4))}</span>" for quarter in range(5))
    legend = "".join(
        f'<li><i class="k-{kind}"></i>{text(words)} <b>{text(human_seconds(timeline["kinds"][kind]))}</b></li>'
        for kind, words in KINDS.items()
        if kind in timeline["kinds"]
    )
    waiting = timeline["idle_seconds"] + timeline["single_seconds"]
    legend += f'<li><i class="waiting"></i>waiting <b>{text(human_seconds(waiting))}</b></li>'
    return (
        f'<section id="lanes"><h2>Who did what, when</h2><ul class="legend">{legend}</ul>{"".join(lanes)}'
        f'<div class="lane axis"><span class="who"></span><div class="ticks">{ticks}</div><span class="busy"></span></div>'
        f'{_rates(timeline["rates"], total)}<p class="quiet">One row per worker, with the share of time that it was busy. '
        f'Point at a block, or tap it, to see what it was.</p><div class="tips">{"".join(tips)}</div></section>'
    )


def _blocks(spans: list, total: float) -> list:
    """Return what to draw of one lane: C([{id, kind, bad, x, width, words}])."""
    blocks: list = []
    for span in spans:
        x, width = span["start"] / total * WIDTH, span["seconds"] / total * WIDTH
        bad = span["outcome"] not in ("done", None)
        last = blocks[-1] if blocks else None
        close = last and x - (last["x"] + last["width"]) < NARROWEST
        if close and width < NARROW and last["narrow"] and (last["kind"], last["bad"]) == (span["kind"], bad):
            last["width"] = x + width - last["x"]
            last["number"] += 1
            last["seconds"] += span["seconds"]
            last["words"] = (
                f"{KINDS[span['kind']]}: {last['number']} pieces of work together {human_seconds(last['seconds'])}"
            )
            last["narrow"] = last["width"] < WIDTH / 50
            continue
        blocks.append(
            {
                "id": span["id"], "kind": span["kind"], "bad": bad, "x": x, "width": width, "narrow": width < NARROW,
                "number": 1, "seconds": span["seconds"], "words": _words(span),
            }
        )  # fmt: skip
    return blocks


def _words(span: dict) -> str:
    parts = [f"{KINDS[span['kind']]}: {span['database']} {span['label']}".replace("  ", " ")]
    parts.append(f"{human_seconds(span['seconds'])}, from {human_seconds(span['start'])} on")
    if span["rows"] is not None:
        parts.append(f"{number(span['rows'])} rows")
    if span["bytes"]:
        parts.append(f"{human_bytes(span['bytes'])} at {human_bytes(span['bytes'] / max(span['seconds'], 0.001))}/s")
    if span["outcome"] not in ("done", None):
        parts.append(span["outcome"])
    return "; ".join(parts)


def _drawn(block: dict) -> str:
    return (
        f'<a href="#s{block["id"]}"><rect class="k-{block["kind"]}{" bad" if block["bad"] else ""}" x="{block["x"]:.0f}" '
        f'width="{max(block["width"], NARROWEST):.0f}" height="20"><title>{text(block["words"])}</title></rect></a>'
    )


def _rates(rates: list, total: float) -> str:
    highest = max((rate for _start, _seconds, rate in rates), default=0)
    if not highest:
        return ""
    points, end = ["M0 100"], 0.0
    for start, seconds, rate in rates:
        left, right, top = start / total * WIDTH, (start + seconds) / total * WIDTH, 100 - rate / highest * 96
        points.append(
            (f"L{end:.0f} 100 L{left:.0f} 100 " if left - end > 1 else "")
            + f"L{left:.0f} {top:.1f} L{right:.0f} {top:.1f}"
        )
        end = right
    return (
        f'<div class="lane chart"><span class="who">rate</span><svg viewBox="0 0 {WIDTH} 100" preserveAspectRatio="none" '
        f'role="img" aria-label="bytes per second, at most {text(human_bytes(highest))}"><path d="{" ".join(points)} '
        f'L{end:.0f} 100 Z"/></svg><span class="busy"></span></div>'
        f'<p class="quiet">The rate is that of the rows that flowed, at most {text(human_bytes(highest))}/s.</p>'
    )


def _bottleneck(timeline: dict) -> str:
    found = findings(timeline)
    if not found:
        return ""
    x, parts = 0.0, []
    for item in found:
        width = item["share"] * WIDTH
        words = f"{item['title']}: {item['share']:.0%}"
        parts.append(
            f'<rect class="c-{item["cause"]}" x="{x:.0f}" width="{width:.0f}" height="20"><title>{text(words)}</title></rect>'
        )
        x += width
    listed = "".join(
        f'<li><span class="share"><b>{item["share"]:.0%}</b></span><div><h3><i class="c-{item["cause"]}"></i>{text(item["title"])}</h3>'
        f'<ul class="measured">{"".join(f"<li>{text(figure)}</li>" for figure in item["figures"])}</ul>'
        f'<p class="remedy">{text(item["advice"])}</p></div></li>'
        for item in found
        if item["share"] >= LEAST_SHARE
    )
    few = ""
    if timeline["looks"] < LEAST_LOOKS:
        few = f'<p class="quiet">Only {timeline["looks"]} looks at the sessions were taken: the shares of busy workers are a guess.</p>'
    return (
        f'<section><h2>What held it up, and what would make it faster</h2><div class="whole"><svg viewBox="0 0 {WIDTH} 20" '
        f'preserveAspectRatio="none" role="img" aria-label="shares of the workers\' time">{"".join(parts)}</svg></div>{few}'
        f'<ol class="causes">{listed}</ol><p class="quiet">All shares together are the time of all workers: their number times '
        f"the duration. Waiting is exact. The rest is shared out as {timeline['looks']} looks at our own sessions on both "
        "servers found them; a session that waits for nothing counts as running, though it may wait for a processor.</p></section>"
    )


def _objects(title: str, spans: list, kinds: bool) -> str:
    if not spans:
        return ""
    longest = max(span["seconds"] for span in spans) or 1.0
    rows = []
    for span in spans:
        size = span["bytes_total"] or span["bytes"] or 0
        rate = (
            f"{human_bytes((span['bytes'] or size) / max(span['seconds'], 0.001))}/s" if span["bytes"] or size else DASH
        )
        what = f'<span class="quiet">{text(KINDS[span["kind"]])}</span> ' if kinds else ""
        rows.append(
            f'<tr><td data-label="object">{what}{text(span["database"])} {text(span["label"])}</td>'
            f'<td class="n">{text(human_bytes(size)) if size else DASH}</td>'
            f'<td class="n">{number(span["rows"]) if span["rows"] is not None else DASH}</td>'
            f'<td class="n">{text(rate)}</td><td>{share_bar(span["seconds"] / longest, human_seconds(span["seconds"]))}</td></tr>'
        )
    return (
        f'<section><h2>{text(title)}</h2><table class="objects"><thead><tr><th>object</th><th class="n">size</th><th class="n">rows</th>'
        f'<th class="n">rate</th><th>time</th></tr></thead><tbody>{"".join(rows)}</tbody></table></section>'
    )


def _facts(timeline: dict, request) -> str:
    progress = timeline["progress"]

    def server(side: str) -> str:
        found = progress["versions"][side]
        version = f", PostgreSQL {found // 10000}.{found % 10000}" if found else ""
        return f"{getattr(request, side).address}{version}"

    facts = [("Source", server("source")), ("Target", server("target")), ("Databases", ", ".join(request.databases))]
    facts.append(("When", f"{progress['started_at']} to {progress['finished_at'] or 'now'}"))
    facts.append(("Workers", timeline["jobs"]))
    if len(timeline["runs"]) > 1:
        ends = ", ".join(f"{human_seconds(run['seconds'])} ({run['state']})" for run in timeline["runs"])
        facts.append(("Runs", f"{len(timeline['runs'])}: {ends}; the pauses between them are left out"))
    listed = "".join(f"<dt>{text(a)}</dt><dd>{text(b)}</dd>" for a, b in facts)
    return f'<section><h2>The migration</h2><dl class="facts">{listed}</dl></section>'


def _waits(timeline: dict) -> str:
    waits = timeline["waits"][:WAITS_SHOWN]
    if not waits:
        return ""
    most = waits[0]["samples"]
    rows = "".join(
        f"<tr><td>{text(row['side'])}: {text(row['activity'])}</td>"
        f"<td>{text(': '.join(filter(None, (row['type'], row['event']))) or 'running')}</td>"
        f"<td>{share_bar(row['samples'] / most, number(row['samples']))}</td></tr>"
        for row in waits
    )
    return (
        "<section><details><summary>What the sessions were seen at</summary><table><thead><tr><th>session</th><th>wait event</th>"
        f"<th>times seen</th></tr></thead><tbody>{rows}</tbody></table></details></section>"
    )
