# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings: what a rule says of one object."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

SUCCEEDED = "succeeded"
WARNING = "warning"
FAILED = "failed"
SKIPPED = "skipped"

# Worst last, so that max() by position gives the verdict of a list.
ORDER = (SUCCEEDED, SKIPPED, WARNING, FAILED)

# AWX drops a task's result above 700,000 bytes, and with it everything that the task said.
LARGEST_RESULT = 500_000


@dataclass(frozen=True)
class Finding:
    """One sentence of a check.

    I(found) and I(expected) are texts for people; I(remedy) is the exact command or variable that helps;
    I(code) is the migration service's own error code (603xxx) where it has one; I(because) names the finding
    whose fault this one is a mere consequence of (then I(status) is C(skipped)).
    """

    rule: str
    title: str
    status: str
    level: str
    side: str
    object: str = ""
    found: str = ""
    expected: str = ""
    remedy: str = ""
    code: str = ""
    because: str = ""

    def as_dict(self) -> dict:
        """Return the finding as a dictionary with every field, ready for JSON."""
        return asdict(self)


def sentence(finding: dict) -> str:
    """Return a finding, as a dictionary, in words: how it ought to be, how it is, and what helps."""
    place = f" ({finding['object']})" if finding["object"] else ""
    found = finding["found"]
    stop = "" if found.endswith((".", "?", "!")) else "."
    wanted = f": {finding['expected']}" if finding["expected"] else ""
    return f"Expected: {finding['title']}{place}{wanted}. Found: {found}{stop} {finding['remedy']}".strip()


def worst(findings: Iterable[Finding]) -> str:
    """Return the gravest status among I(findings); C(skipped) for none at all, since nothing was looked at."""
    statuses = [finding.status for finding in findings]
    return max(statuses, key=ORDER.index) if statuses else SKIPPED


def count(findings: Iterable[Finding]) -> dict:
    """Return how many findings have each status, as C({succeeded, skipped, warning, failed})."""
    totals = dict.fromkeys(ORDER, 0)
    for finding in findings:
        totals[finding.status] += 1
    return totals


def fitting(findings: list, largest: int = LARGEST_RESULT) -> list:
    """Return those of the findings, as dictionaries, that fit into a task's result together, in their order.

    What is well is left out first, then what could not be looked at, then warnings; the gravest stay as far as there is
    room. I(findings) are dictionaries of M(Finding).
    """
    sizes = [len(json.dumps(finding)) + 2 for finding in findings]
    room = largest - sum(sizes)
    kept = [True] * len(findings)
    for gravity in ORDER:
        if room >= 0:
            break
        # All of one kind, so that nobody takes a part for the whole; of the gravest as many as there is room for.
        for number in reversed(range(len(findings))):
            if findings[number]["status"] == gravity and (gravity != FAILED or room < 0):
                kept[number] = False
                room += sizes[number]
    return [finding for finding, stays in zip(findings, kept) if stays]
