# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules verification and verification_info do."""

from __future__ import annotations

from .._core.errors import PreconditionFailed
from .._core.files import make_private_directory
from .._verify.report import read_report, write_report
from .._verify.run import verify
from .edge import Task

PASSING = ("MATCH", "MATCH_WITH_WARNINGS", "MATCH_WITH_OVERRIDES")
DIFFERENCES_SHOWN = 20


def digest_of(report: dict, path: str) -> dict:
    """Return what is worth returning of a report; the whole of it lies in its file."""
    databases = [
        {
            "name": database["name"],
            "verdict": database["verdict"],
            "errors": database["schema"]["errors"][:DIFFERENCES_SHOWN],
            "warnings": len(database["schema"]["warnings"]),
            "tables": [table for table in database["tables"] if table["verdict"] != "MATCH"][:DIFFERENCES_SHOWN],
        }
        for database in report["databases"]
    ]
    return {
        "verdict": report["verdict"],
        "reason": report["reason"],
        "sha256": report["sha256"],
        "totals": report["totals"],
        "databases": databases,
        "finished_at": report["finished_at"],
        "report": path,
    }


def check(task: Task) -> dict:
    """Compare source and target, write the report, and fail on what C(fail_on) says."""
    record = task.final_record()
    if record:
        return {"changed": False, "state": "decommissioned", "verification": record["verification"]}
    given = task.parameters
    report = verify(
        task.request, mode=given["check"], jobs=given["jobs"], ignore=given["ignore"], role_map=given["role_map"]
    )
    directory = given["report_directory"] or task.layout.report_directory
    path = None
    if not task.check_mode:
        make_private_directory(directory)
        path = write_report(report, directory)
    result = {"changed": False, "state": "verified", "verification": digest_of(report, path)}
    if report["verdict"] not in PASSING and given["fail_on"] == "difference":
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
    path = f"{task.parameters['report_directory'] or task.layout.report_directory}/verification.json"
    report = read_report(path)
    if report is None:
        raise PreconditionFailed(f"There is no verification report at {path}.", "Run module verification first.")
    if report["request_hash"] != task.request.hash:
        raise PreconditionFailed(
            f"The report {path} belongs to another request ({report['request_hash'][:12]}).", "Run module verification."
        )
    return {"changed": False, "state": "verified", "verification": digest_of(report, path)}
