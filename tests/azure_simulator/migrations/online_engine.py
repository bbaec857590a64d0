# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Online: the collection's own engine copies, follows, and cuts over when it is told to.

What a user sees is the service's: a base copy, a wait with counters and latency, a cutover that takes what was written up to it
and keeps nobody from writing, no changes of tables without a key before that.
"""

from __future__ import annotations

import threading

from ansible_collections.azpg.migrate.plugins.module_utils._core import status
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.backend import HostBackend

from tests.azure_simulator.migrations.engine import Engine
from tests.azure_simulator.migrations.mover import RUNNING, WAITING, Job, Progress


class OnlineEngine(Engine):
    """Carries all databases at once, each in a thread of its own until its cutover."""

    MODE = "online"

    def __init__(self, job: Job):
        self._cut: set[str] = set()
        super().__init__(job)

    def _lanes(self) -> list[threading.Thread]:
        return [threading.Thread(target=self._run, args=([name],), daemon=True) for name in self.job.databases]

    def options(self) -> dict:
        # The service trusts that the application has stopped, proves nothing, and sets sequences to where they are.
        cutover = {"fence": False, "prove": "none", "sequence_margin": 0}
        return {**super().options(), "without_identity": "exclude", **cutover}

    def cut_over(self, databases: list[str], moment: float) -> None:
        for name in databases:
            self._cut.add(name)
            if self._progress[name].state == WAITING:
                self._progress[name].state = RUNNING

    def _look(self, backend: HostBackend, found: dict, one: Progress) -> None:
        """Bring counters and latency up to date; cut over when that was asked for.

        Raises PreconditionFailed when the engine refuses to.
        """
        stream = (found["databases"][0].get("stream") if found.get("databases") else None) or {}
        changes = stream.get("applied_changes") or {}
        one.inserts, one.updates, one.deletes = (changes.get(kind, 0) for kind in ("inserts", "updates", "deletes"))
        one.applied = one.incoming = one.inserts + one.updates + one.deletes
        one.latency = int(stream.get("lag_seconds") or 0)
        if found["state"] != status.REPLICATING:
            return
        if one.name in self._cut:
            backend.cut_over()
        elif one.state == RUNNING:
            one.state = WAITING
            if one.name in self._cut:  # asked for just now, by the thread that answers requests
                one.state = RUNNING
