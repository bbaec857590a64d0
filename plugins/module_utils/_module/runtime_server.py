# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules runtime_server and runtime_server_info do."""

from __future__ import annotations

from .._core.findings import SUCCEEDED
from .cleanup import decommission
from .edge import Task, difference
from .gate import require_open_gate
from .keepers import keeper_of


def ensure(task: Task) -> dict:
    """Bring the runtime server to the state that is asked for."""
    keeper = keeper_of(task)
    record = keeper.recall()
    if task.parameters["state"] == "absent":
        return remove(task, keeper, record)
    if record:
        return {
            "changed": False,
            "state": "decommissioned",
            "runtime_server": record["runtime_server"],
            "changes": [],
            "refusals": [],
            "findings": [],
            "operation": None,
        }
    facts, changes, pending = keeper.present()
    return {
        "changed": bool(changes),
        "state": pending or "present",
        "runtime_server": facts,
        "changes": changes,
        "refusals": [],
        "findings": [finding.as_dict() for finding in keeper.findings if finding.status != SUCCEEDED],
        "operation": keeper.operation,
        "diff": difference([], changes, "runtime server"),
    }


def remove(task: Task, keeper, record: dict | None) -> dict:
    """Remove the runtime server once nothing needs it any more.

    A migration that has begun ends only by way of the gate and leaves a final record: taking its runtime server away is
    the same as cleaning up after it.
    """
    if not record and keeper.begun():
        ended = decommission(task, keeper)
        if ended["refusals"]:
            return {**answer("refused", []), "changed": False, "refusals": ended["refusals"]}
        return answer(keeper.pending or "absent", ended["removed"], keeper.operation)
    refusals = keeper.refusals(asked=not record)
    if refusals and task.check_mode:
        return {**answer("refused", []), "changed": False, "refusals": refusals}
    require_open_gate(refusals)
    gone = keeper.absent()
    return answer(keeper.pending or "absent", gone, keeper.operation)


def answer(state: str, gone: list, operation: str | None = None) -> dict:
    """Return the module's result after a removal."""
    return {
        "changed": bool(gone),
        "state": state,
        "runtime_server": {},
        "changes": gone,
        "refusals": [],
        "findings": [],
        "operation": operation,
        "diff": difference(gone, [], "runtime server"),
    }


def inform(task: Task) -> dict:
    """Report what the runtime server offers, without changing anything."""
    keeper = keeper_of(task)
    record = keeper.recall()
    if record:
        return {"changed": False, "state": "decommissioned", "runtime_server": record["runtime_server"]}
    state, facts = keeper.inspect()
    return {"changed": False, "state": state, "runtime_server": facts}
