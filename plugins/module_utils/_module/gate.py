# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one gate in front of every deletion: cleanup and the runtime server's end both pass through it."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from .._core import status
from .._core.errors import GateRefused
from .._postgres.fence_standing import measured
from .._verify.carried_evidence import doubts
from .._verify.evidence import collect
from .._verify.gate import disproves, evaluate, refusal
from .._verify.report import ReportRefused, read_report
from .._verify.signature import SignatureRefused, check
from .edge import Task


def look_at_gate(task: Task, circumstances: dict) -> tuple:
    """Return C((report, refusals)) from the evidence that was handed in, or else collected here.

    No refusals means that the gate is open.

    :param circumstances: C({migration_state, other_users, runtime_is_endpoint}), see M(evidence.collect)
    """
    look = circumstances["migration_state"] == status.COMPLETED
    now = datetime.now(timezone.utc)
    carried = task.parameters["evidence"]
    if carried is not None:
        against = doubts(carried, task.request.hash, now)
        if against:
            return None, against + [item for item in evaluate(None, circumstances, now=now) if not about_report(item)]
        report, against = carried["report"], list(carried["against"])
        evidence = {**carried["facts"], **circumstances}
    else:
        report, against = stored_report(task.layout.verification_file)
        evidence = {**circumstances, "fence": measured(task.request, task.layout)}
        if report is not None and look:
            evidence = collect(task.request, report, **evidence)
    against += signature_refusals(report, task.parameters) if report is not None else []
    reasons = evaluate(
        report,
        evidence,
        now=now,
        accept_warnings=task.parameters["accept_warnings"],
        accept_sample=task.parameters["accept_sample"],
        accept_overrides=task.parameters["accept_overrides"],
    )
    # A report that cannot be believed is there all the same: its own reason says more than that there is none.
    return report, against + [reason for reason in reasons if not against or not about_report(reason)]


def disproof(task: Task) -> dict | None:
    """Return the newest report of this request if it does not find source and target equal, else None.

    :raises GateRefused: when evidence that was handed in, or the report's signature, is not to be believed
    """
    carried = task.parameters["evidence"]
    if carried is not None:
        require_open_gate(doubts(carried, task.request.hash, datetime.now(timezone.utc)))
        report = carried["report"]
    else:
        report, _against = stored_report(task.layout.verification_file)
    if not disproves(report, task.request.hash):
        return None
    require_open_gate(signature_refusals(report, task.parameters))
    return report


def about_report(reason: dict) -> bool:
    """Return whether a reason only says that there is no report."""
    return reason["code"] == "report-missing"


def stored_report(path: str) -> tuple:
    """Return C((report, refusals)): no report without a file, and a refusal where the file is no report as it was written."""
    if not os.path.exists(path):
        return None, []
    try:
        return read_report(path), []
    except ReportRefused as error:
        return None, [refusal(f"report-{error.details['cause']}", error.msg, error.hint)]


def signature_refusals(report: dict, parameters: dict) -> list:
    """Return a refusal for a report that is not signed as the keys that were given ask for; none without keys."""
    words = {"hmac_key": parameters["signing_key"], "allowed_signers": parameters["allowed_signers"]}
    if not any(words.values()):
        return []
    try:
        check(report, **words, identity=parameters["signer"])
    except SignatureRefused as error:
        return [refusal(f"signature-{error.details['cause']}", error.msg, error.hint)]
    return []


def require_open_gate(against: list) -> None:
    """Go on only when nothing is I(against) it.

    :raises GateRefused: with every reason
    """
    if against:
        reasons = " ".join(f"[{reason['code']}] {reason['msg']} {reason['hint']}" for reason in against)
        raise GateRefused(f"Nothing was removed. {reasons}", "", {"reasons": against})
