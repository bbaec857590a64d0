# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting a verification as a process of its own, finding the one that runs, and fetching how it ended."""

from __future__ import annotations

import sys
import uuid

from .._core.canonical import digest
from .._core.errors import (
    MigrationError,
    PreconditionFailed,
    TransferFailed,
    VerificationFailed,
    is_target_database_absent,
)
from .._core.files import make_private_directory, read_json
from .._core.waiting import clock
from .._transfer import installation, process
from . import verification_run
from .edge import Task

PROGRAM = ("_core", "_postgres", "_verify", "_transfer.process", "_module.verification_run")
MAIN = f"""import sys

from {verification_run.__name__} import main

sys.exit(main())
"""
# A short verification is over before anybody would look at it again.
AT_ONCE_SECONDS = 3.0
LOOK_SECONDS = 0.1
AGAIN = "Run the task again: it begins anew, and takes over what the sources have not changed since."


def living(task: Task) -> dict | None:
    """Return C({pid, run_id, asked, ...}) of the verification of this migration that runs on this host, or None."""
    return process.living(task.layout.verification)


def start(task: Task, options: dict, keys: dict, *, report_directory: str, fenced: bool) -> str:
    """Start a verification, or find the one that runs and does the same; return its C(run_id).

    :param options: I(keys) and I(fenced) as of M(verification_run.compare)
    :raises PreconditionFailed: when one runs that was asked for something else
    :raises TransferFailed: when its process does not start
    """
    asked = digest({"request": task.request.hash, "options": options, "directory": report_directory, "fenced": fenced})
    known = living(task)
    if known is None:
        make_private_directory(task.layout.directory)
        program, _changed = installation.put(
            task.layout, installation.sources_of(MAIN, PROGRAM), "verifier", check_mode=False
        )
        run_id = str(uuid.uuid4())
        job = {
            "run_id": run_id,
            "asked": asked,
            "request": task.request.as_dict(),
            "secrets": task.request.secrets,
            "options": options,
            "keys": keys,
            "fenced": fenced,
            "report_directory": report_directory,
            "state_directory": task.layout.state_directory,
            "archive_directory": task.layout.archive_directory,
        }
        try:
            known = process.start_detached(task.layout.verification, sys.executable, program, job)
        except TransferFailed:
            known = read_json(task.layout.verification.process_file) or {}
            if known.get("run_id") != run_id:
                raise
            # It began, and has ended already.
    if known["asked"] != asked:
        raise PreconditionFailed(
            f"Another verification of migration {task.request.name} runs with other options: process {known['pid']}, "
            f"started at {known['started_at']}.",
            f"Wait for its end, or end it with 'kill {known['pid']}'.",
            {"run_id": known["run_id"]},
        )
    return known["run_id"]


def has_ended(task: Task, run_id: str, seconds: float, interval: float) -> bool:
    """Wait until the run I(run_id) has ended, and return whether it has."""
    for _elapsed in clock(seconds, interval):
        known = living(task)
        if known is None or known["run_id"] != run_id:
            return True
    return False


def outcome(task: Task, run_id: str, seconds: float, interval: float) -> dict | None:
    """Wait until the run I(run_id) has ended, and return C({report, error}) of it; None when that takes longer.

    :raises VerificationFailed: when it has ended without a word, or nothing is known of it
    """
    at_once = min(seconds, AT_ONCE_SECONDS)
    if not (has_ended(task, run_id, at_once, LOOK_SECONDS) or has_ended(task, run_id, seconds - at_once, interval)):
        return None
    ended = read_json(task.layout.verification_result_file) or {}
    if ended.get("run_id") != run_id:
        last = read_json(task.layout.verification.process_file) or {}
        if last.get("run_id") != run_id:
            raise VerificationFailed(
                f"Nothing is known on this host of the verification {run_id} of migration {task.request.name}.",
                "Run the task without 'run_id'.",
            )
        raise VerificationFailed(
            f"The verification of migration {task.request.name} (process {last['pid']}) ended without a report, killed or "
            f"with the host: {process.log_tail(task.layout.verification)}",
            AGAIN,
        )
    return ended


def raise_for(problem: dict) -> None:
    """Raise what a verification ended with, in its own words.

    :param problem: C({code, msg, hint, details})
    :raises MigrationError: always
    """
    hint, found = problem["hint"], problem["details"]
    if is_target_database_absent(found):
        hint = f"It has not been migrated yet: run azpg.migrate.migrate, or module migration, before. {hint}"
    error = MigrationError(problem["msg"], hint, found)
    error.code = problem["code"]
    raise error
