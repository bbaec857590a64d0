# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module premigration_check does, and the checks that every start of a migration passes."""

from __future__ import annotations

import contextlib

from .._azure.errors import AzureError
from .._checks.registry import RULES
from .._checks.report import summary, to_json
from .._checks.run import run_checks
from .._core.errors import PreconditionFailed
from .._core.files import make_private_directory, write_json
from .._core.findings import FAILED, SUCCEEDED, WARNING
from .._transfer.backend import default_jobs
from .._transfer.target_database import own_databases
from .edge import Task

REASONS_SHOWN = 5


def own(task: Task) -> frozenset:
    """Return the target's databases in which this very migration has been working before."""
    request = task.request
    return frozenset(own_databases(request.target, list(request.databases), request.name, request.hash))


def findings_of(task: Task, **selection) -> list:
    """Run the checks for the task's request."""
    resumed: frozenset = frozenset()
    if not asks_azure_alone(selection):
        with contextlib.suppress(Exception):  # what is wrong with the target is for its own check to say
            resumed = own(task)
    return run_checks(
        task.request,
        task.layout,
        bin_directory=task.parameters["bin_directory"],
        own_databases=resumed,
        jobs=task.parameters.get("jobs") or default_jobs(),
        rules=rules_of(task),
        **selection,
    )


def asks_azure_alone(selection: dict) -> bool:
    """Tell whether only rules are asked for that ask Resource Manager."""
    only = selection.get("only") or []
    return bool(only) and all(str(name).startswith("azure-") for name in only)


def rules_of(task: Task) -> tuple:
    """Return the rules that there are for the task's provider; those of Azure need a login."""
    if task.request.provider != "azure" or not task.parameters.get("ask_azure", "auth_source" in task.parameters):
        return RULES
    from .._azure.rules import azure_rules
    from .azure_session import scene_of

    return (*RULES, *azure_rules(scene_of(task)))


def in_words(findings: list) -> str:
    """Return failed findings as sentences."""
    sentences = [
        f"{finding.title}: {finding.found} (expected: {finding.expected}). {finding.remedy}" for finding in findings
    ]
    more = f" And {len(findings) - REASONS_SHOWN} more." if len(findings) > REASONS_SHOWN else ""
    return " ".join(sentences[:REASONS_SHOWN]) + more


def require_ready(task: Task) -> list:
    """Refuse to start a migration that is going to fail, before anything is touched; return all findings.

    :raises PreconditionFailed: with every failed finding
    """
    findings = findings_of(task)
    failed = [finding for finding in findings if finding.status == FAILED]
    if failed:
        raise PreconditionFailed(
            in_words(failed),
            "Put these right, or look at all findings with module premigration_check.",
            {"findings": [finding.as_dict() for finding in failed]},
        )
    return findings


def check(task: Task) -> dict:
    """Run the checks that are asked for and fail as C(fail_on) says."""
    record = None
    with contextlib.suppress(AzureError):  # what is wrong with Azure is for its own checks to say
        record = task.final_record(here=not task.parameters["ask_azure"])
    if record:
        return {"changed": False, "findings": [], "summary": {}, "state": "decommissioned", "report": None}
    given = task.parameters
    findings = findings_of(
        task,
        only=given["only"],
        exclude=given["exclude"],
        severities=given["severities"],
        accept=given["accept"],
    )
    report = to_json(task.request, findings)
    path = None
    if given["report_directory"]:
        path = f"{given['report_directory']}/premigration-{task.request.name}.json"
        if not task.check_mode:
            make_private_directory(given["report_directory"])
            write_json(path, report)
    result = {
        "changed": False,
        "state": "checked",
        "findings": [finding.as_dict() for finding in findings],
        "summary": summary(findings),
        "report": path,
    }
    grave = {"failed": (FAILED,), "warning": (FAILED, WARNING), "never": ()}[given["fail_on"]]
    against = [finding for finding in findings if finding.status in grave]
    if against:
        result["failure"] = in_words(against)
        # What is well is left out of an error, where it would bury the rest.
        result["findings"] = [finding.as_dict() for finding in findings if finding.status != SUCCEEDED]
    return result
