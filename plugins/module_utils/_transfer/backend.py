# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host provider behind the verbs that every provider answers to."""

from __future__ import annotations

import os
import sys
import time

from .._core import status
from .._core.errors import PreconditionFailed
from .._core.files import make_private_directory, read_json, write_json
from .._core.layout import Layout
from .._core.request import Request
from . import process
from .capacity import LEAST_JOBS, MOST_JOBS, processors
from .estimate import estimate
from .online import announcement
from .progress import read_progress

IDENTITY_WORDS = ("provider", "mode", "source", "target", "databases", "role_map")


def default_jobs() -> int:
    """Return the number of processors of this host, within bounds: more streams than that only get in each other's way."""
    return max(LEAST_JOBS, min(MOST_JOBS, processors()))


class HostBackend:
    """One migration on the host that executes the task."""

    def __init__(self, request: Request, layout: Layout, options: dict):
        self.request = request
        self.layout = layout
        self.options = options
        self.asked_at: float | None = None

    def stored(self) -> dict | None:
        """Return what was stored when the migration was started first, or None."""
        return read_json(self.layout.request_file)

    def check_identity(self) -> None:
        """Make sure that a migration of this name is the one that is asked for.

        :raises PreconditionFailed: naming what differs
        """
        stored = self.stored()
        if stored is None or stored["request"]["hash"] == self.request.hash:
            return
        known, asked = Request.from_dict(stored["request"]).identity, self.request.identity
        differing = "; ".join(
            f"{word} is {known[word]!r} there and {asked[word]!r} here"
            for word in IDENTITY_WORDS
            if known[word] != asked[word]
        )
        running = process.living(self.layout)
        raise PreconditionFailed(
            f"Migration {self.request.name} {'is running' if running else 'exists'} on this host with another request: "
            f"{differing}.",
            "Repeat the request as it was, or choose another 'name'; module cleanup takes a finished one away.",
            {"running": bool(running)},
        )

    def status(self) -> dict:
        """Return the progress (see M(progress.read_progress)) with the state as it really is."""
        found = read_progress(self.layout.journal_file)
        if found is None:
            return {"state": status.RUNNING if process.living(self.layout) else status.ABSENT}
        living = process.living(self.layout)
        if living:
            found["engine"] = living
            if found["state"] != status.REPLICATING or os.path.exists(self.layout.cutover_file):
                found["state"] = status.RUNNING
        elif found["state"] in (status.RUNNING, status.REPLICATING):
            found["state"] = status.INTERRUPTED
            found["current"] = []
        return found

    def timeline(self) -> str | None:
        """Return the path of the page that shows who did what and when; None until a transfer has ended."""
        return self.layout.timeline_file if os.path.exists(self.layout.timeline_file) else None

    def estimate(self, measure: bool) -> dict:
        """Return how long the transfer will take and what room it needs (see M(estimate.estimate))."""
        jobs = self.options.get("jobs") or default_jobs()
        return estimate(self.request, jobs, self.options.get("max_bytes_per_second"), measure)

    def planned(self, goal: str) -> list:
        """Return what would be done until I(goal) is reached, in sentences."""
        state = self.status()["state"]
        if state in (status.RUNNING, status.COMPLETED):
            return []
        steps = [f"move {', '.join(self.request.databases)} to {self.request.target.address}"]
        if self.request.mode == "online":
            steps = [] if state == status.REPLICATING else [*steps, *announcement.following(self.request)]
            steps += announcement.cutover(self.request, self.options) if goal == status.COMPLETED else []
        return steps

    def attach(self, dry: bool = False) -> list:
        """Return nothing: a transfer that runs on this host is this migration's without being claimed."""
        return []

    def start(self) -> list:
        """Start the engine, or resume what died; return what was done, in sentences.

        :raises PreconditionFailed: when the runtime server has not been provisioned
        :raises TransferFailed: when the engine does not start
        """
        runtime = read_json(self.layout.runtime_file)
        if runtime is None:
            raise self.not_provisioned()
        steps = self.planned(status.REPLICATING)
        self.store()
        interpreter = runtime.get("python") or sys.executable
        process.start_detached(self.layout, interpreter, runtime["engine"], self.request.secrets)
        return steps

    def not_provisioned(self) -> PreconditionFailed:
        """Return what to raise without a runtime server."""
        return PreconditionFailed(
            f"No runtime server has been provisioned for migration {self.request.name} in {self.layout.directory}.",
            "Run module runtime_server with state=present (playbook azpg.migrate.provision) first.",
        )

    def missing(self) -> list:
        """Return what has to be there before the migration can begin, and is not, in sentences."""
        return [] if os.path.exists(self.layout.runtime_file) else [str(self.not_provisioned())]

    def store(self) -> None:
        """Write down the request, without secrets, and the options for the engine to find."""
        make_private_directory(self.layout.directory)
        write_json(
            self.layout.request_file,
            {
                "request": self.request.as_dict(),
                "options": {**self.options, "jobs": self.options.get("jobs") or default_jobs()},
                "state_directory": self.layout.state_directory,
                "archive_directory": self.layout.archive_directory,
            },
        )

    def cut_over(self) -> list:
        """Ask the engine for the cutover; return what was asked for, in sentences, nothing when that has been done already.

        The options are C(cutover_databases), C(max_lag), C(prove), C(fence), C(fence_methods), C(grace_seconds) and
        C(sequence_margin).

        :raises PreconditionFailed: when the cutover that this object has asked for was refused
        """
        found = self.status()
        refused = found.get("cutover_refused") or {}
        if self.asked_at is not None and refused.get("asked_at") == self.asked_at:
            raise PreconditionFailed(refused["msg"], refused["hint"], refused["details"])
        if found["state"] != status.REPLICATING or self.asked_at is not None:
            return []
        words = ("max_lag", "prove", "fence", "fence_methods", "grace_seconds", "sequence_margin")
        databases = self.options.get("cutover_databases") or list(self.request.databases)
        self.asked_at = time.time()
        order = {word: self.options[word] for word in words if self.options.get(word) is not None}
        write_json(self.layout.cutover_file, {**order, "databases": databases, "asked_at": self.asked_at})
        return [f"cut over {', '.join(databases)} to {self.request.target.address}"]

    def cancel(self, dry: bool = False) -> bool:
        """Stop the engine; return False when none was running. What has arrived on the target stays there."""
        return bool(process.living(self.layout)) if dry else process.stop(self.layout)
