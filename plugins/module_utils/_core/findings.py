# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings: what a rule says of one object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

SUCCEEDED = "succeeded"
WARNING = "warning"
FAILED = "failed"
SKIPPED = "skipped"

# Worst last, so that max() by position gives the verdict of a list.
ORDER = (SUCCEEDED, SKIPPED, WARNING, FAILED)


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
