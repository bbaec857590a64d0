# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate in front of deletion: a pure decision over the report and the evidence. Whatever is missing counts as no."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from .._core.canonical import digest
from .._core.status import COMPLETED
from .formats import ALGORITHMS, FORMAT, SAMPLE, rests_on_full
from .identity import same_server
from .recheck import DIFFERS, PASSED
from .signature import content
from .verdict import FAILED, INCOMPLETE, MATCH, MISMATCH, OVERRIDDEN

# Clocks of two hosts may differ by so much without anything being wrong.
CLOCK_TOLERANCE = timedelta(minutes=5)

# Every reason by its code; docs/troubleshooting.md has a line for each.
CODES = frozenset(
    "report-missing report-unreadable report-format report-digest report-undated report-from-future report-expired "
    "signature-missing signature-kind signature-key signature-edited signature-malformed "
    "mode-not-full verdict-mismatch verdict-incomplete verdict-error verdict-unknown warnings-not-accepted overrides-not-accepted "
    "foreign-request source-identity target-identity source-unreadable target-unreadable "
    "migration-not-completed runtime-in-use runtime-is-endpoint runtime-not-owned runtime-holds-databases "
    "runtime-has-replicas fence-open fence-unmeasured "
    "source-being-written source-moved recheck-impossible sequences-behind sequences-unreadable "
    "force-digest evidence-format evidence-edited evidence-from-future evidence-expired evidence-foreign".split()
)

VERIFY_AGAIN = "Run the module verification with 'check: full' again."


def refusal(code: str, msg: str, hint: str) -> dict:
    """Return one reason why the gate stays shut; I(code) is one of CODES."""
    if code not in CODES:
        raise ValueError(f"{code} is no reason that the gate knows")
    return {"code": code, "msg": msg, "hint": hint}


def moment(text) -> datetime | None:
    """Return a moment that the report wrote, or None when it is not one."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except (TypeError, ValueError):
        return None


def evaluate(
    report: dict | None,
    evidence: dict,
    *,
    now: datetime,
    accept_warnings=(),
    accept_sample: bool = False,
    accept_overrides: bool = False,
) -> list:
    """Return every reason C({code, msg, hint}) against deleting the runtime server; an empty list allows it.

    :param report: the newest verification report, None when there is none
    :param evidence: what M(evidence.collect) returned
    :param now: the present, with a time zone
    :param accept_sample: open for a report of mode sample too, if that says so itself and nothing was written since
    :param accept_overrides: open for a report too in which expressions stand in the place of columns
    :param accept_warnings: rules whose warnings are accepted; empty accepts all, since the runtime server holds no data
    """
    reasons = _circumstances(evidence) + _fence(evidence.get("fence"))
    if not isinstance(report, dict):
        return [refusal("report-missing", "There is no verification report of this migration.", VERIFY_AGAIN), *reasons]
    whole = _whole(report)
    if whole:
        return whole + reasons
    return (
        reasons
        + _content(report, accept_warnings, accept_sample, accept_overrides)
        + _time(report, now)
        + _identities(report, evidence)
        + _stillness(evidence)
    )


def disproves(report, request_hash: str) -> bool:
    """Return whether a report, whole and of this very request, does not find source and target equal."""
    return (
        isinstance(report, dict)
        and not _whole(report)
        and report.get("request_hash") == request_hash
        and report.get("verdict") in (MISMATCH, INCOMPLETE, FAILED)
    )


def _whole(report: dict) -> list:
    """Refuse what is not a report of this format, or was edited; nothing in it can be believed then."""
    if report.get("format") != FORMAT or report.get("algorithm") not in ALGORITHMS:
        return [
            refusal(
                "report-format",
                f"The report's format is {report.get('format')!r} with algorithm {report.get('algorithm')!r}, expected "
                f"{FORMAT!r} with {' or '.join(ALGORITHMS)}.",
                VERIFY_AGAIN,
            )
        ]
    try:
        computed = digest(content(report))
    except (TypeError, ValueError):
        computed = None
    if not computed or report.get("sha256") != computed:
        return [
            refusal(
                "report-digest", "The report does not match its own digest: it was edited or cut off.", VERIFY_AGAIN
            )
        ]
    return []


def in_use(evidence: dict) -> list:
    """Refuse when somebody else uses the runtime server, or nobody knows.

    :param evidence: C(other_users), None when it is not known, and C(unseen), what could not be looked at for that
    """
    others = evidence.get("other_users")
    if others:
        return [
            refusal(
                "runtime-in-use",
                f"Other active migrations use the runtime server: {', '.join(others)}.",
                "Wait until they are completed, or cancel them.",
            )
        ]
    if others is None:
        unseen = "; ".join((evidence.get("unseen") or [])[:5])
        return [
            refusal(
                "runtime-in-use",
                "Whether other active migrations use the runtime server is unknown"
                + (f": {unseen} may not be read by this identity." if unseen else "."),
                "Let the identity read them (action Microsoft.DBforPostgreSQL/flexibleServers/migrations/read, which the role Reader "
                "has), and run the task again.",
            )
        ]
    return []


def _circumstances(evidence: dict) -> list:
    """Refuse by what the evidence says without any report."""
    reasons = []
    state = evidence.get("migration_state")
    if state != COMPLETED:
        reasons.append(
            refusal(
                "migration-not-completed",
                f"The migration's state is {state!r}, expected {COMPLETED!r}.",
                "Bring the migration to its end, or give it up with 'outcome: abandoned'.",
            )
        )
    reasons += in_use(evidence)
    endpoint = evidence.get("runtime_is_endpoint", "unknown")
    if endpoint is not None:
        reasons.append(
            refusal(
                "runtime-is-endpoint",
                f"The runtime server is the {endpoint} of the migration.",
                "Name the right runtime server; source and target are never deleted.",
            )
        )
    return reasons


def _fence(fence: dict | None) -> list:
    """Refuse while a fence that was put up around the source, and not taken down, does not hold any more."""
    if fence is None or fence.get("verdict") == "fenced":
        return []
    code = "fence-open" if fence.get("verdict") == "open" else "fence-unmeasured"
    said = "; ".join([*fence.get("open", []), *fence.get("unknown", [])][:5]) or "nothing is known of it"
    return [
        refusal(
            code,
            f"The fence around the source does not keep writers out for certain: {said}.",
            "Put it up again and verify (fence: up), or take it down on purpose (fence: down).",
        )
    ]


def _content(report: dict, accept_warnings, accept_sample: bool, accept_overrides: bool) -> list:
    """Refuse by what the report says."""
    reasons = []
    sampled = accept_sample and report.get("mode") == SAMPLE and report.get("accept_sample") is True
    if not sampled and not rests_on_full(report):
        reasons.append(
            refusal(
                "mode-not-full",
                f"The verification's mode was {report.get('mode')!r}, expected 'full' or a recheck of a full one.",
                VERIFY_AGAIN,
            )
        )
    verdict = report.get("verdict")
    if verdict == OVERRIDDEN and not accept_overrides:
        reasons.append(
            refusal(
                "overrides-not-accepted",
                "The report rests on expressions that stand in the place of columns ('compare_as').",
                "Read which in the report; set 'accept_overrides: true' here if that is meant.",
            )
        )
    elif verdict not in (MATCH, OVERRIDDEN):
        code = f"verdict-{verdict.lower()}" if verdict in ("MISMATCH", "INCOMPLETE", "ERROR") else "verdict-unknown"
        reasons.append(
            refusal(
                code,
                f"The verdict is {verdict}: {report.get('reason') or 'no reason is given'}",
                "Put right what the report names, then verify again with 'check: full'; or give the migration up with "
                "'outcome: abandoned'.",
            )
        )
    if accept_warnings:
        sections = [entry.get("schema") or {} for entry in report.get("databases") or []] + [report.get("roles") or {}]
        found = {item["rule"] for section in sections for item in section.get("warnings", [])}
        unaccepted = sorted(found - set(accept_warnings))
        if unaccepted:
            reasons.append(
                refusal(
                    "warnings-not-accepted",
                    f"Warnings of rules that are not accepted: {', '.join(unaccepted)}.",
                    "Put them right and verify again, or add the rules to accept_warnings.",
                )
            )
    return reasons


def _time(report: dict, now: datetime) -> list:
    """Refuse what is stale or from the future."""
    finished, until = moment(report.get("finished_at")), moment(report.get("valid_until"))
    if finished is None or until is None:
        return [
            refusal("report-undated", "The report does not say when it was made or until when it holds.", VERIFY_AGAIN)
        ]
    if finished > now + CLOCK_TOLERANCE:
        return [
            refusal(
                "report-from-future",
                f"The report was made at {report['finished_at']}, which is yet to come.",
                "Set the clocks of controller and runtime host right, then verify again.",
            )
        ]
    if now >= until:
        return [refusal("report-expired", f"The report was valid until {report['valid_until']}.", VERIFY_AGAIN)]
    return []


def _identities(report: dict, evidence: dict) -> list:
    """Refuse a report of another request or of other servers."""
    reasons = []
    if not report.get("request_hash") or report["request_hash"] != evidence.get("request_hash"):
        reasons.append(
            refusal(
                "foreign-request",
                "The report belongs to another migration or to other parameters of this one.",
                "Verify with exactly the parameters of this migration.",
            )
        )
    for side in ("source", "target"):
        live = evidence.get(side) or {"error": "it was not looked at"}
        if "error" in live:
            reasons.append(
                refusal(
                    f"{side}-unreadable",
                    f"The {side} could not be looked at now: {live['error']}",
                    f"Make the {side} reachable for this host; without looking nothing is deleted.",
                )
            )
        elif not same_server(report.get(side), live):
            reasons.append(
                refusal(
                    f"{side}-identity",
                    f"The {side} is not the server that was verified, or a database of it was made anew since.",
                    f"Check the address of the {side}, then verify again.",
                )
            )
    return reasons


def _stillness(evidence: dict) -> list:
    """Refuse when the source has gone on, or when that cannot be told."""
    if any("error" in (evidence.get(side) or {"error": ""}) for side in ("source", "target")):
        return []
    reasons = []
    writers = (evidence.get("static") or {}).get("writers")
    if writers is None or writers:
        said = ", ".join(
            f"{item['user']} in {item['database']} (process {item['pid']})" for item in (writers or [])[:10]
        )
        reasons.append(
            refusal(
                "source-being-written",
                f"Transactions that have written to the migrated databases are open on the source: {said or 'unknown'}.",
                "Stop what still writes there and let it end; if it commits, the target lacks what it wrote.",
            )
        )
    if not (evidence.get("static") or {}).get("holds"):
        again = evidence.get("recheck") or {}
        outcome = again.get("outcome")
        if outcome == DIFFERS:
            items = [f"{item['database']}: {item['object']}" for item in again["differences"]]
            said = ", ".join(items[:10]) + (" ..." if len(items) > 10 else "")
            reasons.append(
                refusal(
                    "source-moved",
                    f"Rows on the source have changed since the verification: {said}.",
                    "Stop what still writes to the source, migrate again, then verify.",
                )
            )
        elif outcome != PASSED:
            reasons.append(
                refusal(
                    "recheck-impossible",
                    "The source was written to since the verification, and whether its rows are "
                    f"still those that were verified could not be told: {again.get('reason') or 'no recheck was made'}.",
                    VERIFY_AGAIN,
                )
            )
    sequences = evidence.get("sequences") or {"unreadable": ["all"]}
    if sequences.get("behind"):
        reasons.append(
            refusal(
                "sequences-behind",
                f"Sequences on the target are behind the source: {', '.join(sequences['behind'][:10])}.",
                "Stop what still draws numbers on the source, set the sequences on the target, then verify again.",
            )
        )
    if sequences.get("unreadable", ["all"]):
        reasons.append(
            refusal(
                "sequences-unreadable",
                f"Sequences could not be compared: {', '.join(sequences['unreadable'][:10])}.",
                "Grant SELECT on them to the migration user, or check that the target has them.",
            )
        )
    return reasons
