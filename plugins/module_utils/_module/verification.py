# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules verification and verification_info do."""

from __future__ import annotations

import os

from .._core.errors import ConnectionFailed, PreconditionFailed
from .._core.files import make_private_directory
from .._verify.formats import RECHECK
from .._verify.report import REPORT, read_report, write_report
from .._verify.run import verify
from .edge import Task

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


def compare(task: Task, directory: str) -> dict:
    """Run the verification that the parameters ask for and return its report."""
    given = task.parameters
    return verify(
        task.request,
        mode=given["check"],
        jobs=given["jobs"],
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


def nothing_to_compare(error: ConnectionFailed) -> dict:
    """Return the result of a preview of a migration that has not been carried out yet."""
    return {
        "changed": False,
        "state": "pending",
        "verification": {
            "verdict": "INCOMPLETE",
            "reason": f"There is nothing to compare yet: {error.msg}",
            "sha256": "",
            "totals": {},
            "databases": [],
            "finished_at": "",
            "report": None,
        },
    }


def check(task: Task) -> dict:
    """Compare source and target, write the report, and fail on what C(fail_on) says."""
    record = task.final_record()
    if record:
        return {"changed": False, "state": "decommissioned", "verification": record["verification"]}
    directory = task.parameters["report_directory"] or task.layout.report_directory
    try:
        report = compare(task, directory)
    except ConnectionFailed as error:
        # A preview of the whole way comes by here before the target's databases have been made.
        if task.check_mode and (error.details["side"], error.details["cause"]) == ("target", "database"):
            return nothing_to_compare(error)
        raise
    path = None
    if not task.check_mode:
        make_private_directory(directory)
        path = write_report(report, directory)
    result = {"changed": False, "state": "verified", "verification": digest_of(report, path)}
    if report["verdict"] != PASSING and task.parameters["fail_on"] == "difference":
        where = f" The report is {path}." if path else ""
        result["failure"] = f"Source and target are not proven equal: {report['verdict']}. {report['reason']}{where}"
    return result


def inform(task: Task) -> dict:
    """Read back the newest report.

    :raises PreconditionFailed: when there is none
    """
    record = task.final_record()
    if record:
        return {"changed": False, "state": "decommissioned", "verification": record["verification"]}
    path = f"{task.parameters['report_directory'] or task.layout.report_directory}/{REPORT}"
    report = read_report(path)
    if report is None:
        raise PreconditionFailed(f"There is no verification report at {path}.", "Run module verification first.")
    if report["request_hash"] != task.request.hash:
        raise PreconditionFailed(
            f"The report {path} belongs to another request ({report['request_hash'][:12]}).", "Run module verification."
        )
    return {"changed": False, "state": "verified", "verification": digest_of(report, path)}
