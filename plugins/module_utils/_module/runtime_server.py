# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules runtime_server and runtime_server_info do."""

from __future__ import annotations

from .._core.files import read_json
from .._core.final_record import read_final_record
from .._transfer import runtime
from .edge import Task, difference
from .gate import look_at_gate, require_open_gate


def ensure(task: Task) -> dict:
    """Bring the runtime server to the state that is asked for."""
    if task.parameters["state"] == "absent":
        return remove(task)
    record = task.final_record()
    if record:
        return {"changed": False, "state": "decommissioned", "runtime_server": record["runtime_server"], "changes": []}
    facts, changes = runtime.present(task.request, task.layout, task.parameters["bin_directory"], task.check_mode)
    return {
        "changed": bool(changes),
        "state": "present",
        "runtime_server": facts,
        "changes": changes,
        "diff": difference([], changes, "runtime server"),
    }


def remove(task: Task) -> dict:
    """Remove the runtime server once nothing needs it any more."""
    paths = runtime.leftovers(task.layout)
    if paths and not read_final_record(task.layout, task.request) and read_json(task.layout.request_file):
        require_open_gate(*look_at_gate(task))
    gone = runtime.absent(task.layout, task.check_mode) if paths else []
    return {
        "changed": bool(gone),
        "state": "absent",
        "runtime_server": {},
        "changes": gone,
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
