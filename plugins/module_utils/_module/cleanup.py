# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module cleanup does."""

from __future__ import annotations

import os

from .._core import status
from .._core.units import count_of, human_bytes, human_seconds
from .._postgres.fence_standing import keep_record, standing
from .._transfer.journal import utc_now
from .._verify.forcing import overrule
from .edge import Task, difference
from .gate import look_at_gate, require_open_gate
from .giving_up import check_abandonment
from .keepers import keeper_of
from .rollback import ABANDONED, GIVEN_UP, ROLLED_BACK, carry_out, given_up
from .verification import digest_of

TAKES_DOWN = "module verification with 'fence: down' takes it down, as does azpg.migrate.verify with azpg_fence=down"
# So many of what was removed or kept are named in the summary.
NAMED = 12


def ensure(task: Task) -> dict:
    """Remove what the migration made outside source and target data, once the gate is open."""
    return decommission(task, keeper_of(task), task.parameters["outcome"], task.parameters["confirm"])


def decommission(task: Task, keeper, outcome: str = "completed", confirm: str | None = None) -> dict:
    """Remove what the migration made, write the final record, and return the result of the module cleanup.

    :param keeper: of the request's provider, see M(keepers)
    :raises GateRefused: while anything speaks against it
    :raises InvalidRequest: when giving up is not confirmed, or is not what this migration is due
    """
    record = keeper.recall()
    if record:
        return finish(task, keeper, record)
    progress = keeper.progress()
    if progress["state"] == status.ABSENT and not keeper.known():
        return result(False, {}, [], [], [])
    plan = keeper.planned()
    verification: dict = {}
    overruled: list = []
    refusals = plan["refusals"]
    if outcome in GIVEN_UP:
        report = check_abandonment(task, progress, outcome, confirm)
        refusals = keeper.refusals()
        plan = given_up(task, keeper, outcome, plan)
    else:
        report, against = look_at_gate(task, keeper.circumstances(progress))
        refusals = refusals + [reason for reason in against if reason not in refusals]
        refusals, overruled = overrule(refusals, report, task.parameters["force"])
    if refusals and task.check_mode:
        return {**result(False, {}, [], [], []), "state": "refused", "refusals": refusals}
    require_open_gate(refusals)
    if report is not None:
        verification = digest_of(report, None)
    if standing(task.layout) and outcome != ROLLED_BACK:
        plan["keep"].insert(0, f"source: the fence around its databases; {TAKES_DOWN}")
    plan["remove"] += plan["runtime"]
    if task.check_mode:
        return result(True, {}, plan["remove"], plan["keep"], [])
    removed, handed_over, remaining = carry_out(task, keeper, outcome)
    plan["keep"] += handed_over
    plan["remove"] = [line for line in plan["remove"] if not any(kept.startswith(f"{line},") for kept in handed_over)]
    archived = keeper.archive() + keep_record(task.layout)
    if verification:
        path = os.path.join(task.layout.archive, "verification.json")
        verification["report"] = path if path in archived else None
    content = {
        "outcome": outcome,
        "finished_at": utc_now(),
        "verification": verification,
        "forced": overruled,
        "signed_off_by": task.parameters["signed_off_by"],
        "signed_by": task.parameters["signer"],
        **keeper.recorded(progress, archived),
        "removed": plan["remove"],
        "kept": [*plan["keep"], *archived],
        "remaining": remaining,
    }
    content["summary"] = summary(task, content)
    record = keeper.record(content)
    return finish(task, keeper, record, removed)


def finish(task: Task, keeper, record: dict, removed: list | None = None) -> dict:
    """Take the runtime server away, which comes last: until then a crash leaves all that a second run needs.

    :raises GateRefused: when it has come to be needed again since the final record was written
    """
    if keeper.leftovers() and removed is None:
        require_open_gate([] if task.check_mode else keeper.refusals())
    went = keeper.absent()
    remaining = list(record.get("remaining", ()))
    if not task.check_mode:
        remaining += [f"runtime server: {line}" for line in keeper.rest(went)]
    gone = [*(removed or []), *(f"runtime server: {line}" for line in went)]
    return result(bool(gone), record, gone, record["kept"], record["summary"], remaining)


def result(changed: bool, record: dict, removed: list, kept: list, lines: list, remaining: list | None = None) -> dict:
    """Return the module's result."""
    return {
        "changed": changed,
        "state": "decommissioned" if record else "absent",
        "removed": removed,
        "kept": kept,
        "remaining": remaining or [],
        "refusals": [],
        "final_record": record,
        "summary": lines,
        "diff": difference(removed, [], "leftovers of the migration"),
    }


def summary(task: Task, content: dict) -> list:
    """Return what a person wants to read at the end: what moved, how fast, what was proven, where the report lies."""
    progress, verification = content["migration"], content["verification"]
    if content.get("outcome") == ROLLED_BACK:
        return [f"Migration {task.request.name} was rolled back: {count_of(len(content['removed']), 'thing')} removed."]
    report = [f"Report: {verification['report']}"] if verification.get("report") else []
    if content.get("outcome") == ABANDONED or not verification:
        lines = [f"Migration {task.request.name} was abandoned; the target keeps what had arrived."]
        lines += [f"Not proven: {verification['verdict']}. {verification['reason']}"] if verification else []
        return lines + report
    totals = verification["totals"]
    lines = [
        f"Moved: {', '.join(task.request.databases)} from {task.request.source.address} to {task.request.target.address}.",
        f"       {volume(progress)} in {human_seconds(progress['elapsed_seconds'])}"
        + (f", {human_bytes(progress['bytes_per_second'])}/s while copying." if progress["bytes_per_second"] else "."),
        *downtime(progress),
        f"Proven: {verification['verdict']}. {totals['match']} of {count_of(totals['tables'], 'table')} equal row by row"
        f"{counted_otherwise(progress, totals)}; {verification['reason']}",
        f"Removed: {count_of(len(content['removed']), 'thing')} of the migration"
        + (f": {some(content['removed'])}." if content["removed"] else "."),
        *([f"Kept: {some(content['kept'])}."] if content["kept"] else []),
    ]
    lines += report
    if content.get("forced"):
        lines.append(f"Forced by whoever answers for it: {', '.join(reason['code'] for reason in content['forced'])}.")
    if content.get("signed_off_by"):
        lines.append(f"Signed off by {content['signed_off_by']}.")
    spent = content.get("runtime_server") or {}
    if spent.get("hours") is not None:
        cost = f", which cost {spent['cost']:.2f}" if spent.get("cost") is not None else ""
        lines.append(f"Runtime server: {spent['name']}, {spent['hours']} hours{cost}.")
    if progress.get("warnings"):
        first = "" if len(progress["warnings"]) == 1 else "for example: "
        lines.append(f"To do: {count_of(len(progress['warnings']), 'warning')}, {first}{progress['warnings'][0]}")
    return lines


def some(lines: list) -> str:
    """Return the first of I(lines), and how many more the final record has."""
    more = f"; and {len(lines) - NAMED} more, in the final record" if len(lines) > NAMED else ""
    return "; ".join(lines[:NAMED]) + more


def counted_otherwise(progress: dict, totals: dict) -> str:
    """Return why more tables were compared than were moved; empty where it is the same number."""
    if totals["tables"] == progress["tables_done"]:
        return ""
    return " (partitioned tables and materialised views count as well)"


def downtime(progress: dict) -> list:
    """Return the sentence that tells what the cutover has cost, nothing when there was none that this host did."""
    seconds = (progress.get("cutover") or {}).get("write_downtime_seconds")
    return [] if seconds is None else [f"Cut over: nobody could write for {human_seconds(seconds)}."]


def volume(progress: dict) -> str:
    """Return how much was moved, as far as the provider counts it."""
    parts = [count_of(progress["tables_done"], "table")]
    if progress["rows_done"] is not None:
        parts.append(count_of(progress["rows_done"], "row"))
    if progress["bytes_done"] is not None:
        parts.append(human_bytes(progress["bytes_done"]))
    return ", ".join(parts)
