# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own engine carries each database, as the host provider runs it: offline here, online in `online_engine`."""

from __future__ import annotations

import re
import shutil
import threading
import time

from ansible_collections.azpg.migrate.plugins.module_utils._core import status
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import MigrationError
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import cleanup, runtime
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.backend import HostBackend

from tests.azure_simulator.migrations import target_side
from tests.azure_simulator.migrations.mover import (
    CANCELED,
    CANCELING,
    ENDED,
    FAILED,
    RUNNING,
    SUCCEEDED,
    Job,
    Mover,
    Progress,
)
from tests.azure_simulator.migrations.sessions import rows, session

POLL_SECONDS = 0.2
ROLES = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'"


class Engine(Mover):
    """Carries databases in a thread; each has an engine run, a state directory and a fate of its own."""

    MODE = "offline"

    def __init__(self, job: Job):
        super().__init__(job)
        self._progress = {name: Progress(name) for name in job.databases}
        self._cancelled: set[str] = set()
        self._stopping = threading.Event()
        self._threads = self._lanes()

    def _lanes(self) -> list[threading.Thread]:
        """Return the threads in which databases are carried: one for all of them."""
        return [threading.Thread(target=self._run, args=(self.job.databases,), daemon=True)]

    def start(self, moment: float) -> None:
        for one in self._progress.values():
            one.started = moment
        for thread in self._threads:
            thread.start()

    def progress(self, moment: float) -> dict[str, Progress]:
        return self._progress

    def cut_over(self, databases: list[str], moment: float) -> None:
        """Offline there is nothing to cut over."""

    def cancel(self, databases: list[str], moment: float) -> None:
        for name in databases:
            self._cancelled.add(name)
            if self._progress[name].state == RUNNING:
                self._progress[name].state = CANCELING

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(60)

    def _run(self, databases: list[str]) -> None:
        for name in databases:
            one = self._progress[name]
            try:
                if name not in self._cancelled and not self._stopping.is_set():
                    self._carry(name, self.job.databases.index(name), one)
                one.state = CANCELED if one.state in (RUNNING, CANCELING) else one.state
            except Exception as error:  # noqa: BLE001 - whatever it is, the service would report it for the database
                one.state, one.message = FAILED, " ".join(str(error).split())
            one.ended = time.time()

    def _carry(self, name: str, number: int, one: Progress) -> None:
        job = self.job
        if job.overwrite:
            target_side.drop(job.target, name)
        label = f"{job.directory.name}-{number}"
        request = Request.create(label, job.source, job.target, [name], mode=self.MODE, role_map=self._role_map())
        layout = Layout.create(label, str(job.directory / "state"), str(job.directory / "archive"))
        runtime.present(request, layout, job.options.get("bin_directory"), False)
        options = {**self.options(), "bin_directory": job.options.get("bin_directory")}
        backend = HostBackend(request, layout, options)
        backend.start()
        try:
            found = self._watch(backend, name, one)
        finally:
            backend.cancel()  # does nothing where it has ended
            cleanup.clean_source(layout, request)
        if found["state"] == status.COMPLETED:
            # Before what was lent is given back: with it goes the right to connect, where only the application has it.
            target_side.finish(job.target, name)
            cleanup.clean_target(layout, request)
            one.state = SUCCEEDED
            shutil.rmtree(layout.directory, ignore_errors=True)
        elif found["state"] == status.CANCELLED:
            one.state = CANCELED
        else:
            error = found.get("error") or {}
            one.state, one.errored = FAILED, max(1, one.errored)
            one.message = error.get("msg") or f"The data migration ended as {found['state']}."

    def options(self) -> dict:
        """Return the options of an engine's run."""
        return {"jobs": 2, "foreign_keys": "auto", "toast_compression": "keep", "maintenance_work_mem": "64MB"}

    def _look(self, backend: HostBackend, found: dict, one: Progress) -> None:
        """Do what a status asks for, besides counting tables: nothing, offline."""

    def _watch(self, backend: HostBackend, name: str, one: Progress) -> dict:
        """Follow an engine's run to its end; return its last status."""
        while True:
            found = backend.status()
            self._look(backend, found, one)
            total, done = found.get("tables_total", 0), found.get("tables_done", 0)
            current = found.get("current") or []
            one.loading = min(total - done, sum(work["kind"] == "table" for work in current))
            one.completed, one.queued = done, max(0, total - done - one.loading)
            if found["state"] in status.SETTLED and found["state"] != status.ABSENT:
                return found
            if name in self._cancelled or self._stopping.is_set():
                try:
                    backend.cancel()
                except MigrationError as error:
                    one.message = str(error)
            time.sleep(POLL_SECONDS)

    def _role_map(self) -> dict[str, str]:
        """Map the source's roles that the target lacks to the migration's user: the service creates none."""
        with session(self.job.source, self.job.databases[0]) as source, session(self.job.target) as target:
            present = {name for (name,) in rows(target, ROLES)}
            missing = [name for (name,) in rows(source, ROLES) if name not in present]
        # Roles of other services are theirs; the engine leaves them out by itself.
        return {name: self.job.target["user"] for name in missing if not re.match("rds|azure|cloudsql|alloydb", name)}


__all__ = ["ENDED", "Engine"]
