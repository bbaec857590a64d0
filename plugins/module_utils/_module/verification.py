# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules verification and verification_info do."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from .._core.errors import ConnectionFailed, PreconditionFailed
from .._core.files import make_private_directory, read_json, write_json
from .._postgres.fence_standing import DOWN, UP, measured, put_up, standing, take_down
from .._verify.carried_evidence import seal
from .._verify.evidence import collect
from .._verify.formats import RECHECK
from .._verify.report import REPORT, read_report, write_report
from .._verify.run import verify
from .._verify.signature import sign
from .edge import Task
from .gate import stored_report

PASSING = "MATCH"
DIFFERENCES_SHOWN = 20
ROWS_SHOWN = 5


def digest_of(report: dict, path: str) -> dict:
    """Return what is worth returning of a report; the whole of it lies in its file."""
    databases = [
        {
            "name": database["name"],
            "verdict": database["verdict"],
            # Empty where the comparison ended before the definitions were read.
            "errors": database["schema"].get("errors", [])[:DIFFERENCES_SHOWN],
            "warnings": len(database["schema"].get("warnings", [])),
            "tables": [_short(table) for table in database["tables"] if table["verdict"] != "MATCH"][
                :DIFFERENCES_SHOWN
            ],
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
        "seconds": {database["name"]: database.get("seconds", {}) for database in report["databases"]},
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


def compare(task: Task, directory: str, fence, watch) -> dict:
    """Run the verification that the parameters ask for and return its report, signed if there is a key.

    :param fence: measures the fence that stands when all is read; None without one
    :param watch: takes the state of things about once a second
    """
    given = task.parameters
    report = verify(
        task.request,
        mode=given["check"],
        jobs=given["jobs"],
        busy_percent=given["busy_percent"],
        watch=watch,
        fence=fence,
        ignore=given["ignore"],
        role_map=given["role_map"],
        keys=given["keys"],
        reveal_values=given["reveal_values"],
        max_differences=given["max_differences"],
        sample_fraction=given["sample_fraction"],
        accept_sample=given["accept_sample"],
        method=given["method"],
        base=read_report(os.path.join(directory, REPORT)) if given["check"] == RECHECK else None,
    )
    if given["signing_key"] or given["signing_ssh_key"]:
        report["signature"] = sign(report, hmac_key=given["signing_key"], ssh_key=given["signing_ssh_key"])
    return report


def nothing_compared(state: str, reason: str, changed: bool, fence: dict) -> dict:
    """Return the result of a run that compared nothing, for I(reason)."""
    return {
        "changed": changed,
        "state": state,
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


def watcher(task: Task):
    """Return a function that keeps the migration's progress file, or None in check mode, which writes nothing."""
    if task.check_mode:
        return None
    make_private_directory(task.layout.directory)
    mine = {"pid": os.getpid(), "process_started": process_started(os.getpid())}
    return lambda state: write_json(task.layout.verification_progress_file, {**state, **mine})


def process_started(pid: int) -> str | None:
    """Return when a process began, in the system's own clock; None without such a process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()[19]
    except OSError:
        return None


def check(task: Task) -> dict:
    """Compare source and target, write the report, and fail on what C(fail_on) says."""
    given = task.parameters
    if given["fence"] == DOWN:
        found = take_down(task.request, task.layout, task.check_mode)
        fence = {"verdict": "down", "restored": found["restored"], "left": found["left"]}
        return nothing_compared("unfenced", "The fence was taken down; nothing was compared.", found["changed"], fence)
    record = task.final_record()
    if record:
        return {"changed": False, "state": "decommissioned", "fence": {}, "verification": record["verification"]}
    changed, evidence = False, None
    if given["fence"] == UP:
        methods, grace = given["fence_methods"], given["fence_grace_seconds"]
        evidence, changed = put_up(task.request, task.layout, methods, grace, task.check_mode)
    fenced = standing(task.layout) is not None
    directory = given["report_directory"] or task.layout.report_directory
    try:
        measuring = (lambda: measured(task.request, task.layout)) if fenced else None
        report = compare(task, directory, measuring, watcher(task))
    except ConnectionFailed as error:
        # A preview of the whole way comes by here before the target's databases have been made.
        if task.check_mode and (error.details["side"], error.details["cause"]) == ("target", "database"):
            return nothing_compared("pending", f"There is nothing to compare yet: {error.msg}", changed, {})
        raise
    path = None
    if not task.check_mode:
        make_private_directory(directory)
        path = write_report(report, directory)
    result = {
        "changed": changed,
        "state": "verified",
        "fence": report["source"]["fence"] or evidence or {},
        "verification": digest_of(report, path),
    }
    if report["verdict"] != PASSING and given["fail_on"] == "difference":
        where = f" The report is {path}." if path else ""
        result["failure"] = f"Source and target are not proven equal: {report['verdict']}. {report['reason']}{where}"
    return result


def progress_of(task: Task) -> dict:
    """Return how far the verification that runs, or ran last, has come; empty without one."""
    found = read_json(task.layout.verification_progress_file) or {}
    if found.get("state") == "running" and process_started(found.get("pid", 0)) != found.get("process_started"):
        found["state"] = "interrupted"
    return found


def inform(task: Task) -> dict:
    """Read back the newest report, and collect the evidence of the gate when asked to.

    :raises PreconditionFailed: when there is none; evidence says so itself
    """
    result = {"changed": False, "state": "verified", "progress": {}, "evidence": {}}
    record = task.final_record()
    if record:
        return {**result, "state": "decommissioned", "verification": record["verification"]}
    result["progress"] = progress_of(task)
    path = f"{task.parameters['report_directory'] or task.layout.report_directory}/{REPORT}"
    if result["progress"].get("state") == "running":
        return {**result, "state": "running", "verification": {}}
    if task.parameters["evidence"]:
        report, result["evidence"] = evidence_of(task, path)
        if report is None or report["request_hash"] != task.request.hash:
            return {**result, "state": "unverified", "verification": {}}
        return {**result, "verification": digest_of(report, path)}
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
    for word in ("migration_state", "other_users", "runtime_is_endpoint"):
        facts.pop(word)
    return report, seal(report, against, facts, datetime.now(timezone.utc))
