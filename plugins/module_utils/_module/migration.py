# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules migration and migration_info do."""

from __future__ import annotations

import contextlib

from .._core import status
from .._core.errors import InvalidRequest, TransferFailed
from .._core.waiting import clock
from .._transfer.backend import HostBackend
from .edge import Task
from .premigration_check import require_ready

BACKENDS = {"host": HostBackend}
OPTIONS = (
    "jobs", "foreign_keys", "toast_compression", "maintenance_work_mem", "max_bytes_per_second", "bin_directory",
)  # fmt: skip


def backend_of(task: Task):
    """Return the provider's backend for the task's request."""
    options = {word: task.parameters[word] for word in OPTIONS if word in task.parameters}
    return BACKENDS[task.request.provider](task.request, task.layout, options)


def decommissioned(record: dict) -> dict:
    """Return the result of a migration that is over and cleaned up."""
    return {
        "changed": False,
        "state": status.DECOMMISSIONED,
        "migration": record["migration"],
        "timeline": record["migration"].get("timeline"),
    }


def result_of(backend, changed: bool, found: dict, **more) -> dict:
    """Return a module's result for a migration that the backend found like this."""
    return {"changed": changed, "state": found["state"], "migration": found, "timeline": backend.timeline(), **more}


def ensure(task: Task) -> dict:
    """Bring the migration to the state that is asked for."""
    record = task.final_record()
    if record:
        return {**decommissioned(record), "estimate": {}}
    backend = backend_of(task)
    backend.check_identity()
    before = backend.status()
    if task.parameters["state"] == "cancelled":
        return cancel(task, backend, before)
    if task.parameters["state"] == "validated":
        require_ready(task)
        # What has begun already is nearer to its end than an estimate of the whole.
        absent = before["state"] == status.ABSENT
        estimate = backend.estimate(measure=not task.check_mode) if absent else {}
        return result_of(backend, False, before, estimate=estimate)
    return complete(task, backend, before)


def complete(task: Task, backend, before: dict) -> dict:
    """Start, resume or attach to the transfer; wait for its end when asked to."""
    changed, estimate = False, {}
    if before["state"] not in (status.RUNNING, status.COMPLETED):
        require_ready(task)
        changed = True
        # No migration fails for want of an estimate.
        with contextlib.suppress(Exception):
            estimate = backend.estimate(measure=False) if before["state"] == status.ABSENT else {}
        if not task.check_mode:
            backend.start()
    if task.check_mode:
        after = before
    elif task.parameters["wait"]:
        after = wait(task, backend)
    else:
        after = backend.status()
    result = result_of(backend, changed, after, estimate=estimate)
    if after["state"] in (status.FAILED, status.INTERRUPTED, status.CANCELLED) and not task.check_mode:
        result["failure"] = failure_of(after)
    return result


def failure_of(progress: dict) -> str:
    """Return one sentence for a transfer that has stopped short of its end."""
    error = progress.get("error")
    if progress["state"] == status.FAILED and error:
        return f"{error['msg']} {error['hint']}".strip()
    if progress["state"] == status.CANCELLED:
        return "The transfer was cancelled. Run the migration again to go on from where it stopped."
    return "The transfer's engine ended without a word, killed or with the host. Run the migration again to resume it."


def wait(task: Task, backend) -> dict:
    """Wait until the transfer has settled and return its status.

    :raises TransferFailed: when that takes longer than C(wait_timeout); the transfer goes on
    """
    for _elapsed in clock(task.parameters["wait_timeout"], task.parameters["poll_interval"]):
        found = backend.status()
        if found["state"] in status.SETTLED:
            return found
    raise TransferFailed(
        f"Migration {task.request.name} has not finished within {task.parameters['wait_timeout']} s; it goes on.",
        "Run the task again to attach to it, or raise 'wait_timeout'.",
        {"migration": found},
    )


def cancel(task: Task, backend, before: dict) -> dict:
    """Stop the transfer."""
    running = before["state"] == status.RUNNING
    if before["state"] == status.COMPLETED:
        raise InvalidRequest(
            f"Migration {task.request.name} is completed; there is nothing to cancel.",
            "Use module cleanup to take its runtime away.",
        )
    if running and not task.check_mode:
        backend.cancel()
    after = before if task.check_mode else backend.status()
    return result_of(backend, running, after, estimate={})


def inform(task: Task) -> dict:
    """Report progress."""
    record = task.final_record()
    if record:
        return decommissioned(record)
    backend = backend_of(task)
    return result_of(backend, False, backend.status())
