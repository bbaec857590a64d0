# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper of the host provider: the executing host is the runtime server."""

from __future__ import annotations

import os

from .._core.files import read_json
from .._core.final_record import read_final_record, write_final_record
from .._transfer import cleanup, runtime, traces, undoing
from .._transfer.backend import HostBackend
from .._transfer.progress import slowest_tables
from .edge import Task


class HostKeeper:
    """See M(keepers)."""

    pending, operation, findings = "", None, ()

    def __init__(self, task: Task):
        self.task = task
        self.request = task.request
        self.layout = task.layout

    def present(self) -> tuple:
        """Make this host ready."""
        facts, changes = runtime.present(
            self.request,
            self.layout,
            self.task.parameters["bin_directory"],
            self.task.check_mode,
            self.task.parameters["colocated"],
            self.task.parameters["max_migrations"],
        )
        return facts, changes, ""

    def inspect(self) -> tuple:
        """Return what this host offers."""
        provisioned = read_json(self.layout.runtime_file) or {}
        facts = runtime.inspect(self.request, self.layout, self.task.parameters["bin_directory"])
        if provisioned:
            facts["engine"] = provisioned["engine"]
        return ("present" if provisioned else "absent"), facts

    def begun(self) -> bool:
        """Tell whether a migration has begun here."""
        return bool(self.leftovers()) and bool(read_json(self.layout.request_file))

    def known(self) -> bool:
        """Tell whether this host has a directory of the migration, or the servers something that it made."""
        return os.path.isdir(self.layout.directory) or bool(traces.created(self.layout, self.request))

    def progress(self) -> dict:
        """Return the transfer's status.

        :raises InvalidRequest: when the directory belongs to another request
        """
        backend = HostBackend(self.request, self.layout, {})
        backend.check_identity()
        return backend.status()

    def circumstances(self, progress: dict) -> dict:
        """Return what the gate has to know."""
        # Another migration on this host is served by an engine of its own; it does not need this one's directory.
        return {"migration_state": progress["state"], "other_users": [], "runtime_is_endpoint": None}

    def planned(self) -> dict:
        """Return what goes and what stays; paths of the runtime server are named last."""
        plan = cleanup.planned(self.layout, self.request)
        runtime_server = [f"runtime server: {path}" for path in self.leftovers()]
        return {**plan, "runtime": plan.pop("source") + runtime_server, "refusals": []}

    def clean(self, abandoned: bool) -> tuple:
        """Take back what the engine made on source and target; return C((removed, handed_over)), see M(cleanup)."""
        traces.keep(self.layout, self.request)
        gone = cleanup.clean_source(self.layout, self.request)
        removed, handed_over = ([], []) if abandoned else cleanup.clean_target(self.layout, self.request)
        return gone + removed, handed_over

    def remaining(self) -> list:
        """Return what of the migration is on the target still, see M(cleanup.remaining)."""
        return cleanup.remaining(self.layout, self.request)

    def named(self, databases, roles) -> list:
        """Return what of the target is to be dropped, see M(undoing.named)."""
        return undoing.named(self.layout, self.request, databases, roles)

    def undo(self, databases, roles) -> tuple:
        """Take back what the engine made, and what is named of the target; return C((removed, handed_over))."""
        undoing.end_sessions(self.request)
        traces.keep(self.layout, self.request)
        gone = undoing.drop_databases(self.request, databases)
        removed, handed_over = self.clean(False)
        return gone + removed + undoing.drop_roles(self.request, roles), handed_over

    def archive(self) -> list:
        """Copy reports and journal to where they stay."""
        return cleanup.archive(self.layout, self.task.parameters["keep"])

    def recorded(self, progress: dict, archived: list) -> dict:
        """Return this provider's part of the final record."""
        return {
            "migration": {
                **progress,
                "current": [],
                "slowest_tables": slowest_tables(self.layout.journal_file),
                "timeline": next((path for path in archived if path.endswith("/timeline.html")), None),
            },
            "runtime_server": read_json(self.layout.runtime_file) or {},
        }

    def recall(self) -> dict | None:
        """Read the final record."""
        return read_final_record(self.layout, self.request)

    def record(self, content: dict) -> dict:
        """Write the final record."""
        return write_final_record(self.layout, self.request, content)

    def refusals(self, asked: bool = False) -> list:
        """Return what stands against taking the migration's directory away without the gate: nothing."""
        return []

    def leftovers(self) -> list:
        """Return the paths that would go."""
        return runtime.leftovers(self.layout)

    def rest(self, gone: list) -> list:
        """Return what is still here after M(absent), see M(runtime.rest)."""
        return runtime.rest(self.layout)

    def absent(self) -> list:
        """Remove the migration's directory, and the engine when no other migration lives here."""
        return runtime.absent(self.layout, self.task.check_mode)
