# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that is carried from the host that reaches both servers to the one that decides: sealed, dated, short-lived.

A digest binds report and facts to each other and to the moment. It shows edits, not forgery; who made the report is
what the report's own signature says.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from .._core.canonical import digest
from .formats import EVIDENCE_FORMAT
from .gate import CLOCK_TOLERANCE, moment, refusal

# The source may be written to from the moment on at which it was looked at.
LONGEST_AGE = timedelta(minutes=15)
WORDS = frozenset(["format", "collected_at", "report", "against", "facts", "sha256"])
COLLECT = "Collect it anew: module verification_info with 'evidence: true', right before this task."


def seal(report: dict | None, against: list, facts: dict, now: datetime) -> dict:
    """Return the evidence C({format, collected_at, report, against, facts, sha256}).

    :param report: the newest report as it was written, or None
    :param against: refusals for a file that is no report that could be believed
    :param facts: what M(evidence.collect) returned
    :param now: the present, with a time zone
    """
    content = {
        "format": EVIDENCE_FORMAT,
        "collected_at": now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "report": report,
        "against": against,
        "facts": facts,
    }
    return {**content, "sha256": digest(content)}


def doubts(evidence, request_hash: str, now: datetime) -> list:
    """Return the reasons C({code, msg, hint}) not to believe I(evidence); an empty list means that it can be judged.

    :param request_hash: of the request that the gate is asked for
    """
    if not isinstance(evidence, dict) or evidence.get("format") != EVIDENCE_FORMAT or set(evidence) != WORDS:
        found = evidence.get("format") if isinstance(evidence, dict) else type(evidence).__name__
        return [
            refusal(
                "evidence-format", f"The evidence's format is {found!r}, expected a whole {EVIDENCE_FORMAT!r}.", COLLECT
            )
        ]
    content = {word: item for word, item in evidence.items() if word != "sha256"}
    try:
        computed = digest(content)
    except (TypeError, ValueError):
        computed = None
    if not computed or evidence["sha256"] != computed:
        return [refusal("evidence-edited", "The evidence does not match its own digest: it was edited.", COLLECT)]
    collected = moment(evidence["collected_at"])
    if collected is None or collected > now + CLOCK_TOLERANCE:
        return [
            refusal(
                "evidence-from-future",
                f"The evidence was collected at {evidence['collected_at']}, which is no moment that has come.",
                "Set the clocks of controller and data host right, then collect it anew.",
            )
        ]
    if now - collected > LONGEST_AGE:
        minutes = LONGEST_AGE.total_seconds() / 60
        return [
            refusal(
                "evidence-expired",
                f"The evidence was collected at {evidence['collected_at']} and holds for {minutes:.0f} minutes.",
                COLLECT,
            )
        ]
    facts = evidence["facts"]
    if not isinstance(facts, dict) or facts.get("request_hash") != request_hash:
        return [
            refusal(
                "evidence-foreign",
                "The evidence was collected for another migration or for other parameters of this one.",
                "Give verification_info exactly the parameters of this task.",
            )
        ]
    return []
