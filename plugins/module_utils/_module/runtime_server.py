# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules runtime_server and runtime_server_info do."""

from __future__ import annotations

from .._core.files import read_json
from .._transfer import runtime
from .cleanup import decommission
from .edge import Task, difference


def ensure(task: Task) -> dict:
    """Bring the runtime server to the state that is asked for."""
    if task.parameters["state"] == "absent":
        return remove(task)
    record = task.final_record()
    if record:
        return {
            "changed": False,
            "state": "decommissioned",
            "runtime_server": record["runtime_server"],
            "changes": [],
            "refusals": [],
        }
    facts, changes = runtime.present(task.request, task.layout, task.parameters["bin_directory"], task.check_mode)
    return {
        "changed": bool(changes),
        "state": "present",
        "runtime_server": facts,
        "changes": changes,
        "refusals": [],
        "diff": difference([], changes, "runtime server"),
    }


def remove(task: Task) -> dict:
    """Remove the runtime server once nothing needs it any more.

    A migration that has begun ends only by way of the gate and leaves a final record: taking its runtime server away is
    the same as cleaning up after it.
    """
    paths = runtime.leftovers(task.layout)
    if paths and not task.final_record() and read_json(task.layout.request_file):
        ended = decommission(task)
        gone = ended["removed"]
        if ended["refusals"]:
            return {**answer("refused", []), "changed": False, "refusals": ended["refusals"]}
    else:
        gone = runtime.absent(task.layout, task.check_mode) if paths else []
    return answer("absent", gone)


def answer(state: str, gone: list) -> dict:
    """Return the module's result after a removal."""
    return {
        "changed": bool(gone),
        "state": state,
        "runtime_server": {},
        "changes": gone,
        "refusals": [],
        "diff": difference(gone, [], "runtime server"),
    }


def inform(task: Task) -> dict:
    """Report what the runtime server offers, without changing anything."""
    record = task.final_record()
    if record:
        return {"changed": False, "state": "decommissioned", "runtime_server": record["runtime_server"]}
    provisioned = read_json(task.layout.runtime_file) or {}
    facts = runtime.inspect(task.request, task.layout, task.parameters["bin_directory"])
    if provisioned:
        facts["engine"] = provisioned["engine"]
    return {"changed": False, "state": "present" if provisioned else "absent", "runtime_server": facts}
