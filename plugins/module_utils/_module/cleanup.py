# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module cleanup does."""

from __future__ import annotations

import os

from .._core import status
from .._core.errors import InvalidRequest
from .._core.files import read_json
from .._core.final_record import read_final_record, write_final_record
from .._core.units import human_bytes, human_seconds
from .._postgres.fence_standing import keep_record, standing
from .._transfer import cleanup, runtime
from .._transfer.backend import HostBackend
from .._transfer.journal import utc_now
from .._transfer.progress import slowest_tables
from .edge import Task, difference
from .gate import look_at_gate, require_open_gate
from .verification import digest_of


def ensure(task: Task) -> dict:
    """Remove what the migration made outside source and target data, once the gate is open."""
    return decommission(task, task.parameters["outcome"], task.parameters["confirm"])


def decommission(task: Task, outcome: str = "completed", confirm: str | None = None) -> dict:
    """Remove what the migration made, write the final record, and return the result of the module cleanup.

    :raises GateRefused: while anything speaks against it
    :raises InvalidRequest: when giving up is not confirmed, or is not what this migration is due
    """
    record = read_final_record(task.layout, task.request)
    if record:
        return finish(task, record)
    backend = HostBackend(task.request, task.layout, {})
    backend.check_identity()
    progress = backend.status()
    if progress["state"] == status.ABSENT and not os.path.isdir(task.layout.directory):
        return result(False, {}, [], [], [])
    plan = cleanup.planned(task.layout, task.request)
    verification: dict = {}
    if outcome == "abandoned":
        check_abandonment(task, progress, confirm)
        # The target of a migration that is given up is left as it is, and all that it keeps is named.
        plan = {"remove": [], "keep": plan["keep"] + plan["remove"]}
    else:
        report, refusals = look_at_gate(task)
        if refusals and task.check_mode:
            return {**result(False, {}, [], [], []), "state": "refused", "refusals": refusals}
        verification = digest_of(require_open_gate(report, refusals), None)
    if standing(task.layout):
        plan["keep"].append(
            "source: the fence around its databases; module verification with 'fence: down' takes it down"
        )
    plan["remove"] += [f"runtime server: {path}" for path in runtime.leftovers(task.layout)]
    if task.check_mode:
        return result(True, {}, plan["remove"], plan["keep"], [])
    removed = [] if outcome == "abandoned" else cleanup.clean_target(task.layout, task.request)
    archived = cleanup.archive(task.layout) + keep_record(task.layout)
    if verification:
        verification["report"] = os.path.join(task.layout.archive, "verification.json")
    content = {
        "outcome": outcome,
        "finished_at": utc_now(),
        "migration": {
            **progress,
            "current": [],
            "slowest_tables": slowest_tables(task.layout.journal_file),
            "timeline": next((path for path in archived if path.endswith("/timeline.html")), None),
        },
        "verification": verification,
        "runtime_server": read_json(task.layout.runtime_file) or {},
        "removed": plan["remove"],
        "kept": [*plan["keep"], *archived],
    }
    content["summary"] = summary(task, content)
    record = write_final_record(task.layout, task.request, content)
    return finish(task, record, removed)


def finish(task: Task, record: dict, removed: list | None = None) -> dict:
    """Remove the migration's directory, which comes last: until then a crash leaves all that a second run needs."""
    gone = [f"runtime server: {path}" for path in runtime.absent(task.layout, task.check_mode)]
    return result(bool(removed or gone), record, [*(removed or []), *gone], record["kept"], record["summary"])


def result(changed: bool, record: dict, removed: list, kept: list, lines: list) -> dict:
    """Return the module's result."""
    return {
        "changed": changed,
        "state": "decommissioned" if record else "absent",
        "removed": removed,
        "kept": kept,
        "remaining": [],
        "refusals": [],
        "final_record": record,
        "summary": lines,
        "diff": difference(removed, [], "leftovers of the migration"),
    }


def check_abandonment(task: Task, progress: dict, confirm: str | None) -> None:
    """Make sure that giving a migration up is meant, and that nothing is at work any more.

    :raises InvalidRequest: naming what stands against it
    """
    name = task.request.name
    if confirm != name:
        raise InvalidRequest(
            f"Abandoning migration {name} needs its name: 'confirm' is {confirm!r}.",
            f"Set 'confirm: {name}' if it is to be given up; the target keeps what has arrived.",
        )
    if progress["state"] == status.RUNNING:
        raise InvalidRequest(f"Migration {name} is running.", "Cancel it first: module migration with state=cancelled.")
    if progress["state"] == status.COMPLETED:
        raise InvalidRequest(
            f"Migration {name} is completed, not failed or cancelled.", "Leave 'outcome' at completed."
        )


def summary(task: Task, content: dict) -> list:
    """Return what a person wants to read at the end: what moved, how fast, what was proven, where the report lies."""
    progress, verification = content["migration"], content["verification"]
    if not verification:
        return [f"Migration {task.request.name} was abandoned; the target keeps what had arrived."]
    totals = verification["totals"]
    lines = [
        f"Moved: {', '.join(task.request.databases)} from {task.request.source.address} to {task.request.target.address}.",
        f"       {progress['tables_done']} tables, {progress['rows_done']} rows, {human_bytes(progress['bytes_done'])} in "
        f"{human_seconds(progress['elapsed_seconds'])}"
        + (f", {human_bytes(progress['bytes_per_second'])}/s while copying." if progress["bytes_per_second"] else "."),
        f"Proven: {verification['verdict']}. {totals['match']} of {totals['tables']} tables equal row by row; "
        f"{verification['reason']}",
        f"Removed: {len(content['removed'])} things of the migration; kept: {len(content['kept'])}.",
        f"Report: {verification['report']}",
    ]
    if progress.get("warnings"):
        lines.append(f"To do: {len(progress['warnings'])} warnings, for example: {progress['warnings'][0]}")
    return lines
