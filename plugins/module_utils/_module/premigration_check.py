# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module premigration_check does, and the checks that every start of a migration passes."""

from __future__ import annotations

import contextlib
import os
import time

from .._azure.errors import AzureError
from .._checks.catalogue import SETTINGS
from .._checks.page import render
from .._checks.registry import RULES
from .._checks.report import summary, to_json
from .._checks.run import run_checks
from .._core.errors import PreconditionFailed
from .._core.files import make_private_directory, write_json, write_private
from .._core.findings import FAILED, SUCCEEDED, WARNING, fitting, sentence
from .._transfer.backend import default_jobs
from .._transfer.estimate import estimate, read_volume
from .._transfer.target_database import own_databases
from .edge import Task

REASONS_SHOWN = 5
# So many of the largest tables of a database are looked at.
LARGEST = 200
# What a start does not wait for, since it tells nothing that could stop it: measurements, and what is tried out.
NOT_AT_START = ("*-latency", "*-throughput", "log-growth", "target-create-database", "source-create-slot")


def begun(task: Task) -> frozenset:
    """Return the target's databases in which this very migration has been working before, as far as can be found out."""
    request = task.request
    known = frozenset(task.parameters.get("begun") or ())
    with contextlib.suppress(Exception):  # what is wrong with a server, or with Azure, is for its own check to say
        if request.provider == "host":
            names = list(request.databases)
            return known | own_databases(request.target, names, request.name, request.hash, SETTINGS)
        if asks_azure(task):
            from .providers import provider_of

            records = provider_of(task).read().begun
            return known | {database for record in records for database in record.databases}
    return known


def findings_of(task: Task, rules: tuple, own: frozenset, **selection) -> list:
    """Run the checks for the task's request.

    :param rules: what M(rules_of) gives
    :param own: what M(begun) gives
    """
    return run_checks(
        task.request,
        task.layout,
        bin_directory=task.parameters["bin_directory"],
        own_databases=own,
        jobs=task.parameters.get("jobs") or default_jobs(),
        overwrite=frozenset(task.parameters.get("overwrite_databases") or ()),
        rules=rules,
        **selection,
    )


def asks_azure(task: Task) -> bool:
    """Tell whether the task has a login to Azure Resource Manager and is to use it."""
    return task.request.provider == "azure" and task.parameters.get("ask_azure", "auth_source" in task.parameters)


def rules_of(task: Task) -> tuple:
    """Return the rules that there are for the task's provider; those of Azure need a login."""
    if not asks_azure(task):
        return RULES
    from .._azure.rules import azure_rules
    from .azure_session import scene_of

    return (*RULES, *azure_rules(scene_of(task)))


def in_words(findings: list) -> str:
    """Return failed findings as sentences."""
    more = f" And {len(findings) - REASONS_SHOWN} more." if len(findings) > REASONS_SHOWN else ""
    return " ".join(sentence(finding.as_dict()) for finding in findings[:REASONS_SHOWN]) + more


def require_ready(task: Task) -> list:
    """Refuse to start a migration that is going to fail, before anything is touched; return all findings.

    :raises PreconditionFailed: with every failed finding
    """
    put_aside = [*NOT_AT_START, *left_to_the_engine(task), *taken_already(task)]
    findings = findings_of(task, rules_of(task), begun(task), exclude=put_aside)
    failed = [finding for finding in findings if finding.status == FAILED]
    if failed:
        raise PreconditionFailed(
            in_words(failed),
            "Put these right, or look at all findings with module premigration_check.",
            {"findings": fitting([finding.as_dict() for finding in failed])},
        )
    return findings


def left_to_the_engine(task: Task) -> tuple:
    """Return the rules that do not hold up the start of an online migration of the host provider.

    The engine knows what has been decided about tables without identity, and names those that nobody has decided about.
    """
    return ("replica-identity",) if is_followed_from_here(task) else ()


def taken_already(task: Task) -> tuple:
    """Return the rules about what an online migration of the host provider has already when it has begun."""
    return ("replication-slots", "wal-senders") if is_followed_from_here(task) and has_begun(task) else ()


def has_begun(task: Task) -> bool:
    """Return whether the engine has been at work for the task's migration."""
    return os.path.exists(task.layout.journal_file)


def is_followed_from_here(task: Task) -> bool:
    """Return whether changes are followed by the host provider."""
    return (task.request.provider, task.request.mode) == ("host", "online")


def severities(task: Task) -> dict:
    """Return how grave rules are: what I(online) has decided about tables without identity is for people to know only."""
    decided = (task.parameters.get("online") or {}).get("without_identity", "fail") != "fail"
    milder = {"replica-identity": WARNING} if is_followed_from_here(task) and decided else {}
    return {**milder, **task.parameters["severities"]}


class Expectation:
    """What the transfer engine expects of time and disk; asked for at most once, and by whoever wants to know first."""

    def __init__(self, task: Task, scratch: bool):
        self.task = task
        self.scratch = scratch
        self.known: dict = {}
        self.largest: dict = {}
        self.failure = ""
        self.tried = False

    def __call__(self) -> dict:
        """Return C(_transfer.estimate)'s answer and the largest tables by database; else C({failure}), or nothing."""
        if not self.tried and self.task.request.provider == "host":
            self.tried = True
            try:
                volume = read_volume(self.task.request, SETTINGS)
                self.largest = volume.largest(LARGEST)
                self.known = self.estimated(volume)
            except Exception as error:  # no check fails for want of it; what is unreachable has findings of its own
                self.failure = " ".join(str(error).split())
        if self.known:
            return {**self.known, "largest": self.largest}
        return {"failure": self.failure} if self.failure else {}

    def estimated(self, volume) -> dict:
        """Return what comes of so much."""
        given = self.task.parameters
        jobs, limit = given["jobs"] or default_jobs(), given["max_bytes_per_second"]
        return estimate(self.task.request, jobs, limit, measured=self.scratch, volume=volume)


def check(task: Task) -> dict:
    """Run the checks that are asked for and fail as C(fail_on) says."""
    empty = {
        "changed": False,
        "findings": [],
        "summary": {},
        "estimate": {},
        "begun": [],
        "probed": [],
        "report": None,
        "page": None,
    }
    record = None
    with contextlib.suppress(AzureError):  # what is wrong with Azure is for its own checks to say
        record = task.final_record(here=not task.parameters["ask_azure"])
    if record:
        return {**empty, "state": "decommissioned"}
    given = task.parameters
    started = time.monotonic()
    # Whoever asks what would happen is not answered by making it happen.
    expectation = Expectation(task, scratch=given["scratch"] and not task.check_mode)
    probed: list = []
    rules, own = rules_of(task), begun(task)
    findings = findings_of(
        task,
        rules,
        own,
        only=given["only"],
        levels=given["levels"],
        exclude=[*given["exclude"], *taken_already(task)],
        severities=severities(task),
        accept=[{key: value for key, value in entry.items() if value is not None} for entry in given["accept"]],
        estimator=expectation,
        probes=() if task.check_mode else given["probe"],
        written=probed,
    )
    if expectation.scratch and expectation.tried:
        probed.append(f"temporary tables filled on {task.request.target.address} and rolled back")
    report = to_json(task.request, findings, rules, estimate=expectation.known, seconds=time.monotonic() - started)
    path, page = write(task, report)
    result = {
        "changed": bool(probed),
        "state": "checked",
        "findings": fitting(report["findings"]),
        "summary": summary(findings),
        "estimate": expectation.known,
        "begun": sorted(own),
        "probed": probed,
        "report": path,
        "page": page,
    }
    grave = {"failed": (FAILED,), "warning": (FAILED, WARNING), "never": ()}[given["fail_on"]]
    against = [finding for finding in findings if finding.status in grave]
    if against:
        result["failure"] = in_words(against)
        # What is well is left out of an error, where it would bury the rest.
        result["findings"] = fitting([finding for finding in report["findings"] if finding["status"] != SUCCEEDED])
    return result


def write(task: Task, report: dict) -> tuple:
    """Write the report as JSON and as a page where that was asked for; return their paths, None for what was not."""
    directory = task.parameters["report_directory"]
    if not directory or task.check_mode:
        return None, None
    make_private_directory(directory)
    path, page = (os.path.join(directory, f"premigration.{ending}") for ending in ("json", "html"))
    write_json(path, report)
    write_private(page, render(report))
    return path, page
