# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a run of checks as data."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from .._core.findings import FAILED, WARNING, Finding, count, worst
from .._core.request import Request
from .registry import RULES

FORMAT = "azpg.migrate/checks/2"


def summary(findings: Iterable[Finding]) -> dict:
    """Return C({verdict, total, counts, by_side, rules}); C(rules) lists the ids with failures and with warnings."""
    findings = list(findings)
    sides = sorted({finding.side for finding in findings})
    return {
        "verdict": worst(findings),
        "total": len(findings),
        "counts": count(findings),
        "by_side": {side: count(finding for finding in findings if finding.side == side) for side in sides},
        "rules": {
            status: sorted({finding.rule for finding in findings if finding.status == status})
            for status in (FAILED, WARNING)
        },
    }


def in_full(finding: Finding, rules: dict) -> dict:
    """Return a finding with what its rule knows of everybody's findings: who has to act, and where to read more."""
    rule = rules[finding.rule]
    return {**finding.as_dict(), "who": rule.responsible, "documentation": rule.documentation}


def to_json(
    request: Request,
    findings: Iterable[Finding],
    rules=RULES,
    estimate: dict | None = None,
    seconds: float | None = None,
) -> dict:
    """Return the report as a JSON-serialisable dictionary, without secrets.

    :param rules: the rules that the findings are of
    :param estimate: what C(_transfer.estimate) says, or nothing
    :param seconds: how long the checks took
    """
    findings = list(findings)
    known = {rule.id: rule for rule in rules}
    return {
        "format": FORMAT,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "seconds": None if seconds is None else round(seconds, 1),
        "request": request.identity,
        "request_hash": request.hash,
        "summary": summary(findings),
        "estimate": estimate or {},
        "findings": [in_full(finding, known) for finding in findings],
    }
