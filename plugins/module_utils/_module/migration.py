# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules migration and migration_info do."""

from __future__ import annotations

import contextlib

from .._core import status
from .._core.errors import InvalidRequest, MigrationError, PreconditionFailed, TransferFailed
from .._core.findings import FAILED
from .._core.goals import REPLICATING, reached
from .._core.waiting import clock
from .._core.watching import Watching
from .edge import Task, difference
from .premigration_check import in_words
from .providers import provider_of

STOPPED = (status.FAILED, status.INTERRUPTED, status.CANCELLED)
USUAL_PAUSE = 5
# A look may fail for a moment while the migration goes on.
TOLERATED_FAILURES = 10


def decommissioned(record: dict) -> dict:
    """Return the result of a migration that is over and cleaned up."""
    return {
        "changed": False,
        "state": status.DECOMMISSIONED,
        "migration": record["migration"],
        "timeline": record["migration"].get("timeline"),
    }


def result_of(backend, found: dict, **more) -> dict:
    """Return a module's result for a migration that the backend found like this."""
    return {"changed": False, "state": found["state"], "migration": found, "timeline": backend.timeline(), **more}


def answer(backend, found: dict, steps: list, findings: list | None = None, estimate: dict | None = None) -> dict:
    """Return the result of the module migration after, or before, I(steps)."""
    return result_of(
        backend,
        found,
        changed=bool(steps),
        estimate=estimate or {},
        findings=[finding.as_dict() for finding in findings or ()],
        diff=difference([], steps, "migration"),
    )


def ensure(task: Task) -> dict:
    """Bring the migration to the state that is asked for."""
    record = task.final_record(here=True)
    backend = None if record else provider_of(task, writes=True)
    record = record or backend.recall()
    if record:
        return {**decommissioned(record), "estimate": {}, "findings": [], "diff": difference([], [], "migration")}
    goal = task.parameters["state"]
    if goal == REPLICATING and task.request.mode != "online":
        raise InvalidRequest(
            f"'state' is 'replicating' and 'mode' is {task.request.mode!r}.",
            "An offline migration goes to 'completed'.",
        )
    backend.check_identity()
    before = backend.status()
    if goal == "cancelled":
        return cancel(task, backend, before)
    return validate(task, backend, before) if goal == "validated" else complete(task, backend, before)


def pause_of(task: Task, found: dict) -> float:
    """Return how many seconds to wait before the next look."""
    wanted = task.parameters["poll_interval"]
    return found.get("poll_seconds", USUAL_PAUSE) if wanted is None else wanted


def validate(task: Task, backend, before: dict) -> dict:
    """Find out whether the migration can succeed, and how long it will take.

    :raises PreconditionFailed: with every failed finding
    """
    steps: list = []
    found: dict = {}

    def pause() -> float:
        return pause_of(task, found)

    for elapsed in clock(task.parameters["wait_timeout"], pause):
        found = backend.validate(dry=task.check_mode)
        steps += found["steps"]
        if not found["pending"] or task.check_mode or not task.parameters["wait"]:
            break
        if elapsed >= task.parameters["wait_timeout"]:
            raise TransferFailed(
                f"The validation of migration {task.request.name} has not ended within {int(elapsed)} s; it goes on.",
                "Run the task again to attach to it, or raise 'wait_timeout'.",
            )
    failed = [finding for finding in found["findings"] if finding.status == FAILED]
    if failed:
        raise PreconditionFailed(
            in_words(failed),
            "Put these right, or look at all findings with module premigration_check.",
            {"findings": [finding.as_dict() for finding in failed]},
        )
    # What has begun already is nearer to its end than an estimate of the whole.
    estimate = backend.estimate(measure=not task.check_mode) if before["state"] == status.ABSENT else {}
    return answer(backend, before, steps, found["findings"], estimate)


def is_reached(task: Task, found: dict) -> bool:
    """Return whether a migration is where the task wants it."""
    given = task.parameters
    return reached(given["state"], found, given["max_lag"], given["cutover_databases"])


def complete(task: Task, backend, before: dict) -> dict:
    """Start, resume or attach to the transfer; wait for its end when asked to."""
    estimate: dict = {}
    if not is_reached(task, before) and before["state"] == status.ABSENT:
        # No migration fails for want of an estimate.
        with contextlib.suppress(Exception):
            estimate = backend.estimate(measure=False)
    if task.check_mode:
        if not is_reached(task, before) and before["state"] in (status.ABSENT, *STOPPED):
            backend.require_ready()
        steps = backend.attach(dry=True)
        steps += [] if is_reached(task, before) else backend.planned(task.parameters["state"])
        return answer(backend, before, steps, estimate=estimate)
    steps = backend.attach()
    steps += advance(task, backend, before)
    after = wait(task, backend, steps) if task.parameters["wait"] else backend.status()
    result = answer(backend, after, steps, estimate=estimate)
    if after["state"] in STOPPED:
        result["failure"] = failure_of(after)
    return result


def advance(task: Task, backend, found: dict) -> list:
    """Take the next step if one is due; return what was done, in sentences."""
    if is_reached(task, found) or found["state"] == status.RUNNING:
        return []
    if found["state"] == status.REPLICATING:
        return backend.cut_over() if task.parameters["state"] == "completed" else []
    if found["state"] in (status.ABSENT, *STOPPED):
        backend.require_ready()
    return backend.start()


def failure_of(progress: dict) -> str:
    """Return one sentence for a transfer that has stopped short of its end."""
    error = progress.get("error")
    if progress["state"] in (status.FAILED, status.CANCELLED) and error:
        return f"{error['msg']} {error['hint']}".strip()
    if progress["state"] == status.CANCELLED:
        return "The transfer was cancelled. Run the migration again to go on from where it stopped."
    return "The transfer's engine ended without a word, killed or with the host. Run the migration again to resume it."


def wait(task: Task, backend, steps: list) -> dict:
    """Take every step that becomes due, until the migration is where it is wanted or has settled; return its status.

    :param steps: what was done is added to these
    :raises TransferFailed: when that takes longer than C(wait_timeout); the transfer goes on
    """
    watching, noticed, failures, found = Watching(), [], 0, {"state": status.ABSENT}

    def pause() -> float:
        return pause_of(task, found)

    for _elapsed in clock(task.parameters["wait_timeout"], pause):
        try:
            found = backend.status()
            steps += [] if found["state"] in status.SETTLED else advance(task, backend, found)
            failures = 0
        except MigrationError as error:
            failures += 1
            if not getattr(error, "retryable", False) or failures > TOLERATED_FAILURES:
                raise
            continue
        noticed += watching.notice(found)
        if found["state"] in status.SETTLED or is_reached(task, found):
            return {**found, "warnings": [*found.get("warnings", ()), *noticed]} if noticed else found
    phase = f" ({found['phase']})" if found.get("phase") else ""
    raise TransferFailed(
        f"Migration {task.request.name} has not {ending(task)} within {task.parameters['wait_timeout']} s{phase}; it goes on.",
        "Run the task again to attach to it, or raise 'wait_timeout'.",
        {"migration": found},
    )


def ending(task: Task) -> str:
    """Return what the task waits for, as the end of a sentence."""
    return "come to replicate" if task.parameters["state"] == REPLICATING else "finished"


def cancel(task: Task, backend, before: dict) -> dict:
    """Stop the transfer."""
    if before["state"] == status.COMPLETED:
        raise InvalidRequest(
            f"Migration {task.request.name} is completed; there is nothing to cancel.",
            "Use module cleanup to take its runtime away.",
            {"state": before["state"]},
        )
    stopped = backend.cancel(dry=task.check_mode)
    after = before if task.check_mode else backend.status()
    return answer(backend, after, [f"cancel migration {task.request.name}"] if stopped else [])


def inform(task: Task) -> dict:
    """Report progress."""
    record = task.final_record(here=True)
    backend = None if record else provider_of(task)
    record = record or backend.recall()
    if record:
        return {**decommissioned(record), "missing": []}
    return result_of(backend, found := backend.status(), missing=backend.missing() if may_begin(found) else [])


def may_begin(found: dict) -> bool:
    """Return whether a migration of this status moves no data, so that the next thing to happen is that it begins."""
    return found["state"] in (status.ABSENT, status.QUEUED, *STOPPED)
