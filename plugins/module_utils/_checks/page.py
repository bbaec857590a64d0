# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of the checks as one page: may it begin, what comes first, who has to do it, with which commands."""

from __future__ import annotations

import re

from .._core.findings import FAILED, SKIPPED, SUCCEEDED, WARNING
from .._core.page import document, number, text
from .._core.units import human_bytes, human_seconds
from .page_style import STYLE
from .rule import APPLICATION, CLOUD, DATABASE, NETWORK, OPERATOR, RUNTIME

# In the order in which they can act: nobody looks at a database before the network lets him.
ORDER = (OPERATOR, CLOUD, NETWORK, RUNTIME, DATABASE, APPLICATION)
NAMES = {
    OPERATOR: "Whoever runs the migration",
    CLOUD: "Azure subscription",
    NETWORK: "Network",
    RUNTIME: "Runtime server",
    DATABASE: "Database administrator",
    APPLICATION: "Application",
}
TAGS = {
    FAILED: ("bad", "must"),
    WARNING: ("open", "should"),
    SKIPPED: ("none", "not seen"),
    SUCCEEDED: ("good", "fine"),
}
SIDES = {"source": "source", "target": "target", "runtime": "runtime server", "both": "source and target"}
# What is worth knowing though nothing is wrong with it.
FIGURES = (
    "source-kind",
    "source-reachable",
    "target-reachable",
    "disk-needed",
    "estimated-duration",
    "log-growth",
    "source-latency",
    "source-throughput",
    "target-latency",
    "target-throughput",
    "database-size",
    "largest-tables",
    "service-load-settings",
)
# More objects of one rule than that are in the JSON file only.
LONGEST = 100

# Statements and programs inside a sentence, to be copied as they stand.
COMMAND = re.compile(
    r"((?:ALTER|COPY|CREATE|DROP|GRANT|REFRESH|REINDEX|REVOKE|ROLLBACK PREPARED|COMMIT PREPARED|SELECT|SET|UPDATE|DO)\b[^;]*;"
    r"|\\password [^;]*?(?=;|$)|(?:az|aws|gcloud) [a-z]+ [^;(]*?(?=;|\(| and |$))"
)


def render(report: dict) -> str:
    """Return the page for a report of M(report.to_json)."""
    request, summary, findings = report["request"], report["summary"], report["findings"]
    kind, light, headline, why = verdict(summary["counts"], findings)
    title = f"Readiness of {request['name']}: {headline}"
    lights = "".join(f'<li class="{colour if colour == light else ""}"></li>' for colour in ("red", "amber", "green"))
    body = [
        f'<header class="{kind}"><ul class="lights" aria-hidden="true">{lights}</ul>'
        f'<p class="over">Readiness of the migration <b>{text(request["name"])}</b></p>'
        f'<h1>{text(headline)} <span class="word">{text(light.upper())}</span></h1><p class="why">{text(why)}</p></header>',
        _counts(summary["counts"]),
        _facts(report),
        _people(findings),
        _steps("What must be done first", findings, FAILED),
        _steps("What should be looked at", findings, WARNING),
        _unseen(findings),
        _accepted(findings),
        _figures(findings),
        _all(findings),
    ]
    return document(title, STYLE, "".join(body))


def verdict(counts: dict, findings: list) -> tuple:
    """Return C((kind, light, headline, reason)) for the numbers of findings by status."""
    failed, warnings = counts[FAILED], counts[WARNING]
    unseen = len([item for item in findings if item["status"] == SKIPPED and not item["because"]])
    if failed:
        who = sorted({item["who"] for item in findings if item["status"] == FAILED}, key=ORDER.index)
        return (
            "bad",
            "red",
            "Not ready to begin",
            f"{_times(failed, 'thing')} must be put right first. To act: {', '.join(NAMES[one].lower() for one in who)}.",
        )
    if warnings:
        return (
            "open",
            "amber",
            "Ready, with reservations",
            f"Nothing stops the migration; {_times(warnings, 'warning')} to read.",
        )
    if unseen:
        return (
            "good",
            "green",
            "Ready, as far as can be seen",
            f"{_times(unseen, 'check')} could not look; the rights are named below.",
        )
    return "good", "green", "Ready to begin", "Every check passed."


def _times(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _counts(counts: dict) -> str:
    shown = ((FAILED, "must be put right"), (WARNING, "warnings"), (SKIPPED, "not looked at"), (SUCCEEDED, "fine"))
    return (
        '<ul class="figures">'
        + "".join(f"<li><b>{number(counts[status])}</b>{text(words)}</li>" for status, words in shown)
        + "</ul>"
    )


def _facts(report: dict) -> str:
    request, estimate = report["request"], report["estimate"]
    carried = {"azure": "Azure's migration service", "host": "this collection's transfer engine on a host of your own"}
    facts = [
        ("Source", request["source"]),
        ("Target", request["target"]),
        ("Databases", ", ".join(request["databases"])),
        ("How", f"{request['mode']}, by {carried[request['provider']]}"),
        (
            "Looked at",
            report["created"].replace("T", " ").replace("+00:00", " UTC")
            + (f", in {human_seconds(report['seconds'])}" if report["seconds"] else ""),
        ),
    ]
    if estimate:
        facts.append(
            (
                "Expected",
                f"{human_seconds(estimate['seconds'])} ({human_seconds(estimate['seconds_low'])} to "
                f"{human_seconds(estimate['seconds_high'])}) for {human_bytes(estimate['bytes'])}; "
                f"{human_bytes(estimate['target_disk_bytes'])} of disk on the target",
            )
        )
    return '<dl class="facts">' + "".join(f"<dt>{text(a)}</dt><dd>{text(b)}</dd>" for a, b in facts) + "</dl>"


def grouped(findings: list) -> list:
    """Return findings in groups of one rule, those whom others wait for first."""
    groups: dict = {}
    for item in findings:
        groups.setdefault(item["rule"], []).append(item)
    return sorted(groups.values(), key=lambda group: ORDER.index(group[0]["who"]))


def _people(findings: list) -> str:
    """Return who has to act: how much, on what, and all commands of one person together."""
    rows = []
    for who in ORDER:
        theirs = [item for item in findings if item["who"] == who and item["status"] in (FAILED, WARNING)]
        if not theirs:
            continue
        ordered = sorted(theirs, key=lambda item: item["status"] != FAILED)
        must = len([item for item in theirs if item["status"] == FAILED])
        titles = list(dict.fromkeys(item["title"] for item in ordered))
        rows.append(
            f"<tr><td><b>{text(NAMES[who])}</b></td><td>{_number_tag(FAILED, must)} {_number_tag(WARNING, len(theirs) - must)}</td>"
            f"<td>{text('; '.join(titles))}{_commands(ordered)}</td></tr>"
        )
    if not rows:
        return ""
    head = "<thead><tr><th>who</th><th>how much</th><th>so that</th></tr></thead>"
    return (
        f'<section><h2>Who has to act</h2><table class="people">{head}<tbody>{"".join(rows)}</tbody></table></section>'
    )


def _number_tag(status: str, count: int) -> str:
    kind, word = TAGS[status]
    return f'<span class="tag {kind}">{count} {word}</span>' if count else ""


def _commands(findings: list) -> str:
    """Return the commands of some findings as a text to be copied, each below what it is for."""
    lines = []
    for item in findings[:LONGEST]:
        found = COMMAND.findall(item["remedy"])
        if found:
            lines += [f"-- {item['object']}: {item['title']}", *(command.strip() for command in found), ""]
    if not lines:
        return ""
    return (
        f"<details><summary>Commands to choose from</summary><pre>{text(chr(10).join(lines).strip())}</pre></details>"
    )


def _steps(title: str, findings: list, status: str) -> str:
    groups = grouped([item for item in findings if item["status"] == status])
    if not groups:
        return ""
    steps = []
    for group in groups:
        first = group[0]
        waiting = len({item["rule"] for item in findings if item["because"] == first["rule"]})
        more = [
            f'<a href="{text(first["documentation"])}" rel="noreferrer">documentation</a>',
            f"rule {text(first['rule'])}",
        ]
        more += [f"code {text(first['code'])}"] if first["code"] else []
        more += [f"{_times(waiting, 'other check')} wait{'s' if waiting == 1 else ''} for this"] if waiting else []
        steps.append(
            f'<li class="{TAGS[status][0]}"><h3>{text(first["title"])}</h3><p class="who"><b>{text(NAMES[first["who"]])}</b>, '
            f"{text(SIDES[first['side']])}</p>{''.join(map(_one, group[:LONGEST]))}"
            + (f"<p>{len(group) - LONGEST} more in the JSON file.</p>" if len(group) > LONGEST else "")
            + f'<p class="more">{" | ".join(more)}</p></li>'
        )
    says = '<p class="quiet">Each heading says how it has to be.</p>'
    return f'<section><h2>{text(title)}</h2>{says}<ol class="steps">{"".join(steps)}</ol></section>'


def _one(item: dict) -> str:
    """Return one object of a step: where, what was found, what helps."""
    return (
        f"<dl><dt>where</dt><dd><b>{text(item['object'])}</b></dd><dt>found</dt><dd>{text(item['found'])}</dd>"
        f"<dt>expected</dt><dd>{text(item['expected'])}</dd></dl>" + (_help(item["remedy"]) if item["remedy"] else "")
    )


def _help(remedy: str) -> str:
    """Return a remedy with its commands told apart from its words."""
    parts = COMMAND.split(remedy)
    return (
        '<p class="help">'
        + "".join(f"<code>{text(part.strip())}</code>" if place % 2 else text(part) for place, part in enumerate(parts))
        + "</p>"
    )


def _unseen(findings: list) -> str:
    blind = [item for item in findings if item["status"] == SKIPPED and not item["because"]]
    if not blind:
        return ""
    listed = "".join(
        f"<li><b>{text(item['title'])}</b>: {text(item['object'])}, {text(item['found'])}"
        f"{_help(item['remedy']) if item['remedy'] else ''}</li>"
        for item in blind[:LONGEST]
    )
    return f'<section><h2>What could not be looked at</h2><ul class="told">{listed}</ul></section>'


def _accepted(findings: list) -> str:
    known = [item for item in findings if item["because"] == "accepted"]
    if not known:
        return ""
    listed = "".join(
        f"<li><b>{text(item['title'])}</b>: {text(item['object'])}, {text(item['found'])}</li>" for item in known
    )
    return f'<section><h2>What was accepted</h2><ul class="told">{listed}</ul></section>'


def _figures(findings: list) -> str:
    shown = sorted(
        (item for item in findings if item["rule"] in FIGURES and item["status"] == SUCCEEDED),
        key=lambda item: FIGURES.index(item["rule"]),
    )
    if not shown:
        return ""
    rows = "".join(
        f"<tr><td>{text(item['title'])}</td><td>{text(item['object'])}</td><td>{text(item['found'])}</td></tr>"
        for item in shown[:LONGEST]
    )
    return (
        "<section><h2>Size, time and network</h2><table><thead><tr><th>what</th><th>where</th><th>figure</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></section>"
    )


def _all(findings: list) -> str:
    rows = "".join(
        f"<tr><td>{text(item['title'])}</td><td>{text(item['object'])}</td><td>{_tag(item)}</td><td>{text(_words(item))}</td></tr>"
        for item in findings[: 10 * LONGEST]
    )
    more = f"<p>{len(findings) - 10 * LONGEST} more in the JSON file.</p>" if len(findings) > 10 * LONGEST else ""
    return (
        f"<section><details><summary>Everything that was checked ({len(findings)})</summary><table><thead><tr><th>check</th>"
        f"<th>where</th><th></th><th>found</th></tr></thead><tbody>{rows}</tbody></table>{more}</details></section>"
    )


def _tag(item: dict) -> str:
    kind, word = TAGS[item["status"]]
    return f'<span class="tag {kind}">{text(word)}</span>'


def _words(item: dict) -> str:
    waits = item["because"] and item["because"] != "accepted"
    return f"waits for {item['because']}" if waits else item["found"]
