# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overruling the gate: for somebody who has read the report, and shows it by quoting its digest.

What a report says, or how old it is, can be answered for. That it is no report of this migration, or that somebody still
needs what is to go, cannot.
"""

from __future__ import annotations

from .gate import refusal

# Everything else stays a refusal, whoever forces.
FORCIBLE = frozenset(
    "report-expired mode-not-full verdict-mismatch verdict-incomplete verdict-error warnings-not-accepted "
    "overrides-not-accepted source-unreadable fence-open fence-unmeasured source-being-written source-moved "
    "recheck-impossible sequences-behind sequences-unreadable".split()
)


def overrule(refusals: list, report: dict | None, force: str | None) -> tuple:
    """Return C((refusals that stand, refusals that are overruled)).

    :param force: the digest of the report as somebody quotes it; None overrules nothing
    """
    if not force:
        return refusals, []
    known = (report or {}).get("sha256")
    if force != known:
        wrong = refusal(
            "force-digest",
            f"'force' quotes the report {force}, and the newest report of this migration is {known or 'missing'}.",
            "Read the newest report, and quote its sha256 if that is the one that you answer for.",
        )
        return [*refusals, wrong], []
    return (
        [reason for reason in refusals if reason["code"] not in FORCIBLE],
        [reason for reason in refusals if reason["code"] in FORCIBLE],
    )
