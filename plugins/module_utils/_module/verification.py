# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules verification and verification_info do."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from .._core.errors import ConnectionFailed, PreconditionFailed, VerificationFailed, is_target_database_absent
from .._core.files import read_json
from .._postgres.fence_standing import DOWN, UP, measured, put_up, standing, take_down
from .._verify.carried_evidence import seal
from .._verify.evidence import collect
from .._verify.formats import RECHECK
from .._verify.phases import seconds_of
from .._verify.report import REPORT, read_report
from .._verify.verdict import MATCH, OVERRIDDEN
from . import verifier
from .edge import Task
from .gate import stored_report
from .verification_run import BASE, compare

PASSING = (MATCH, OVERRIDDEN)
DIFFERENCES_SHOWN = 20
ROWS_SHOWN = 5
# Parameters that are options of M(run.verify) by the same name.
HANDED_ON = (
    "jobs", "busy_percent", "ignore", "role_map", "owner_map", "exclude_schemas", "compare_as", "keys", "reveal_values",
    "max_differences", "sample_fraction", "accept_sample", "method",
)  # fmt: skip


def digest_of(report: dict, path: str) -> dict:
    """Return what is worth returning of a report; the whole of it lies in its file."""
    databases = [
        {
            "name": database["name"],
            "verdict": database["verdict"],
            # Empty where the comparison ended before the definitions were read.
            "errors": database["schema"].get("errors", [])[:DIFFERENCES_SHOWN],
            "warnings": len(database["schema"].get("warnings", [])),
            "tables": [_short(table) for table in database["tables"] if table["verdict"] != MATCH][:DIFFERENCES_SHOWN],
        }
        for database in report["databases"]
    ]
    totals = {**report["totals"], "skipped": report["totals"].get("skipped", [])[:DIFFERENCES_SHOWN]}
    return {
        "verdict": report["verdict"],
        "reason": report["reason"],
        "sha256": report["sha256"],
        "mode": report.get("mode"),
        "totals": totals,
        "databases": databases,
        "seconds": {database["name"]: seconds_of(database.get("phases", [])) for database in report["databases"]},
        "finished_at": report["finished_at"],
        "report": path,
    }


def _short(table: dict) -> dict:
    """Return what is worth returning of a table that is not proven equal, with its first differing rows."""
    short = {word: table[word] for word in ("name", "kind", "verdict", "msg", "remedy", "rows") if word in table}
    diff = table.get("diff")
    if diff:
        words = ("missing", "unexpected", "changed", "complete", "estimate", "columns", "error")
        short["diff"] = {word: diff[word] for word in words}
        short["diff"]["differences"] = [
            {word: item[word] for word in ("kind", "key", "key_hash", "columns", "sql")}
            for item in diff["differences"][:ROWS_SHOWN]
        ]
    return short


def options_of(task: Task, directory: str) -> dict:
    """Return what the parameters ask of M(verification_run.compare)."""
    given = task.parameters
    return {
        **{word: given[word] for word in HANDED_ON},
        "mode": given["check"],
        BASE: os.path.join(directory, REPORT) if given["check"] == RECHECK else None,
    }


def nothing_compared(state: str, reason: str, changed: bool, fence: dict) -> dict:
    """Return the result of a run that compared nothing, for I(reason)."""
    return {
        "changed": changed,
        "state": state,
        "run_id": "",
        "fence": fence,
        "verification": {
            "verdict": "INCOMPLETE",
            "reason": reason,
            "sha256": "",
            "totals": {},
            "databases": [],
            "finished_at": "",
            "report": None,
        },
    }


def concluded(record: dict) -> dict:
    """Return the result of a migration that is over and cleaned up: what was proven then, and that nothing was looked at now."""
    proven = record["verification"]
    words = "this is what was proven then" if proven.get("verdict") else "nothing was proven then"
    reason = f"Decommissioned on {record['finished_at']}: {words}; nothing was compared now. {proven.get('reason', '')}"
    result = nothing_compared("decommissioned", "", False, {})
    # A record that is known by its tags in Azure only has no more than a verdict.
    return {**result, "verification": {**result["verification"], **proven, "reason": reason.strip()}}


def check(task: Task) -> dict:
    """Compare source and target, write the report, and fail on what C(fail_on) says."""
    given = task.parameters
    if given["fence"] == DOWN:
        found = take_down(task.request, task.layout, task.check_mode)
        fence = {"verdict": "down", **{word: found[word] for word in ("restored", "left", "written")}}
        return nothing_compared("unfenced", "The fence is down; nothing was to be compared.", found["changed"], fence)
    record = task.final_record()
    if record:
        return concluded(record)
    changed, evidence, run_id = False, None, given["run_id"]
    if given["fence"] == UP and not run_id:
        methods, grace = given["fence_methods"], given["fence_grace_seconds"]
        evidence, changed = put_up(task.request, task.layout, methods, grace, task.check_mode)
    if task.check_mode:
        return trial(task, changed, evidence)
    run_id = run_id or begin(task)
    seconds = given["wait_timeout"] if given["wait"] else verifier.AT_ONCE_SECONDS
    ended = verifier.outcome(task, run_id, seconds, given["poll_interval"])
    if ended is None:
        if given["wait"]:
            raise VerificationFailed(
                f"The verification has not finished within {given['wait_timeout']} s; it goes on.",
                "Run the task again to attach to it, or raise 'wait_timeout'.",
                {"run_id": run_id, "progress": progress_of(task)},
            )
        result = nothing_compared("running", "It is not known yet: the verification runs.", changed, evidence or {})
        return {**result, "run_id": run_id}
    if ended["error"]:
        verifier.raise_for(ended["error"])
    return judged(task, read_report(ended["report"]), ended["report"], changed, evidence, run_id)


def begin(task: Task) -> str:
    """Start the verification as a process of its own, or find the one that runs already; return its C(run_id)."""
    directory = directory_of(task)
    if task.parameters["check"] == RECHECK:
        read_report(os.path.join(directory, REPORT))  # what is wrong with it is said before anything is started
    return verifier.start(
        task,
        options_of(task, directory),
        keys_of(task),
        report_directory=directory,
        fenced=standing(task.layout) is not None,
    )


def directory_of(task: Task) -> str:
    """Return where the report belongs."""
    return task.parameters["report_directory"] or task.layout.report_directory


def keys_of(task: Task) -> dict:
    """Return what the report is to be signed with."""
    return {"hmac_key": task.parameters["signing_key"], "ssh_key": task.parameters["signing_ssh_key"]}


def trial(task: Task, changed: bool, evidence: dict | None) -> dict:
    """Compare here and now, and write nothing."""
    fenced = standing(task.layout) is not None
    try:
        report = compare(task.request, task.layout, options_of(task, directory_of(task)), keys_of(task), fenced=fenced)
    except ConnectionFailed as error:
        # A preview of the whole way comes by here before the target's databases have been made.
        if is_target_database_absent(error.details):
            return nothing_compared("pending", f"There is nothing to compare yet: {error.msg}", changed, {})
        raise
    return judged(task, report, None, changed, evidence, "")


def judged(task: Task, report: dict, path: str | None, changed: bool, evidence: dict | None, run_id: str) -> dict:
    """Return the module's result for a report, which lies at I(path) unless nothing was to be written."""
    result = {
        "changed": changed,
        "state": "verified",
        "run_id": run_id,
        "fence": report["source"]["fence"] or evidence or {},
        "verification": digest_of(report, path),
    }
    if report["verdict"] not in PASSING and task.parameters["fail_on"] == "difference":
        where = f" The report is {path}." if path else ""
        result["failure"] = f"Source and target are not proven equal: {report['verdict']}. {report['reason']}{where}"
    return result


def progress_of(task: Task) -> dict:
    """Return how far the verification that runs, or ran last, has come; empty without one."""
    found = read_json(task.layout.verification_progress_file) or {}
    known = verifier.living(task)
    if known and found.get("run_id") != known["run_id"]:
        # It has only just begun.
        return {"state": "running", "run_id": known["run_id"], "started_at": known["started_at"], "events": []}
    if found.get("state") == "running" and not known:
        found["state"] = "interrupted"
    return found


def inform(task: Task) -> dict:
    """Read back the newest report, and collect the evidence of the gate when asked to.

    :raises PreconditionFailed: when there is none and no verification has run; evidence says so itself
    """
    result = {"changed": False, "state": "verified", "progress": {}, "evidence": {}}
    record = task.final_record()
    if record:
        return {**result, "state": "decommissioned", "verification": record["verification"]}
    result["progress"] = progress_of(task)
    path = os.path.join(directory_of(task), REPORT)
    if verifier.living(task):
        return {**result, "state": "running", "verification": {}}
    if task.parameters["evidence"]:
        report, result["evidence"] = evidence_of(task, path)
        if report is None or report["request_hash"] != task.request.hash:
            return {**result, "state": "unverified", "verification": {}}
        return {**result, "verification": digest_of(report, path)}
    if result["progress"] and not os.path.exists(path):
        return {**result, "state": "unverified", "verification": {}}
    report = read_report(path)
    if report["request_hash"] != task.request.hash:
        raise PreconditionFailed(
            f"The report {path} belongs to another request ({report['request_hash'][:12]}).", "Run module verification."
        )
    return {**result, "verification": digest_of(report, path)}


def evidence_of(task: Task, path: str) -> tuple:
    """Return C((report or None, evidence)): what the gate has to know of the report I(path) and of both servers now."""
    report, against = stored_report(path)
    facts = collect(
        task.request,
        report,
        # Where the gate is asked is where these are known.
        migration_state="",
        other_users=[],
        runtime_is_endpoint=None,
        fence=measured(task.request, task.layout),
    )
    for word in ("migration_state", "other_users", "unseen", "runtime_is_endpoint"):
        facts.pop(word)
    return report, seal(report, against, facts, datetime.now(timezone.utc))
