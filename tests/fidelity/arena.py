# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two servers, an ordinary migration user on both, and the engine's own program between them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import psycopg2
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import installation, progress, runtime
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.backend import HostBackend
from ansible_collections.azpg.migrate.plugins.module_utils._verify.run import verify

from tools.lab.binaries import obtain
from tools.lab.cluster import Cluster

CACHE = Path(os.environ.get("AZPG_LAB_CACHE", ".cache/postgresql"))
USER, PASSWORD = "migrator", "carries it all"
OWNERS = ("app_owner", "other_owner")
# The last one lets a test put a security label into the catalogue, for which there is no provider here.
SMALL = {"autovacuum": "off", "wal_level": "logical", "max_wal_size": "2GB", "fsync": "off",
         "allow_system_table_mods": "on"}  # fmt: skip


def identifier(name: str) -> str:
    """Return a quoted name."""
    return '"' + name.replace('"', '""') + '"'


class Outcome:
    """What became of one run of the engine: exit status, state, warnings as migration_info returns them, memory in MB."""

    def __init__(self, code: int, status: dict, peak: float, log: str):
        self.code = code
        self.status = status
        self.warnings = status["warnings"]
        self.peak = peak
        self.log = log

    def good(self) -> Outcome:
        """Return itself, after making sure that the run ended well."""
        error = self.status.get("error") or {}
        assert self.code == 0, f"{error.get('msg')}\n{self.log[-3000:]}"
        return self

    def warned(self, *words: str) -> bool:
        """Tell whether one warning holds all the words."""
        return any(all(word in warning for word in words) for warning in self.warnings)


class Arena:
    """A source and a target of two majors."""

    def __init__(self, majors: tuple, directory: Path, stack: contextlib.ExitStack, settings: dict | None = None):
        self.majors = majors
        self.directory = directory
        self.client = obtain(max(*majors, 14), CACHE)
        self.source, self.target = (
            stack.enter_context(
                Cluster(
                    obtain(major, CACHE),
                    directory / side,
                    settings={**SMALL, **(settings or {})},
                    client_prefix=self.client,
                )
            )
            for side, major in zip(("source", "target"), majors)
        )
        for name in OWNERS:
            self.run("source", f"CREATE ROLE {name}")
        self.run("source", f"CREATE ROLE {USER} LOGIN BYPASSRLS PASSWORD '{PASSWORD}' IN ROLE {', '.join(OWNERS)}")
        self.run("target", f"CREATE ROLE {USER} LOGIN CREATEDB CREATEROLE BYPASSRLS PASSWORD '{PASSWORD}'")

    def cluster(self, side: str) -> Cluster:
        """Return one server."""
        return self.source if side == "source" else self.target

    @contextlib.contextmanager
    def session(self, side: str, dbname: str = "postgres", user: str | None = None):
        """Give a session outside transactions; without a user, a superuser's."""
        words = self.cluster(side).connection(user, PASSWORD if user else None, dbname)
        connection = psycopg2.connect(**words)
        connection.autocommit = True
        connection.set_client_encoding("UTF8")
        try:
            yield connection
        finally:
            connection.close()

    def run(self, side: str, sql: str, dbname: str = "postgres") -> None:
        """Run statements as superuser; several at once are one transaction."""
        with self.session(side, dbname) as connection, connection.cursor() as cursor:
            cursor.execute(sql)

    def ask(self, side: str, sql: str, dbname: str = "postgres", parameters=None) -> list:
        """Return the rows of a superuser's query."""
        with self.session(side, dbname) as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    def both(self, sql: str, dbname: str = "postgres", parameters=None) -> list:
        """Return the rows of a query, which must be some, and the same on both sides."""
        ours, theirs = (self.ask(side, sql, dbname, parameters) for side in ("source", "target"))
        assert ours, f"nothing to compare on the source: {sql}"
        assert ours == theirs
        return ours

    def request(self, name: str, databases, superuser: bool = False, **options) -> Request:
        """Return a request; I(superuser) takes the source's superuser."""
        ends = [
            self.source.connection() if superuser else self.source.connection(USER, PASSWORD),
            self.target.connection(USER, PASSWORD),
        ]
        for end in ends:
            end.pop("dbname")
        return Request.create(name, *ends, list(databases), **options)

    def carry(self, request: Request, jobs: int = 2) -> Outcome:
        """Run the engine's program once, as the module does, and wait for its end."""
        layout = Layout.create(request.name, str(self.directory / f"state-{request.name}"))
        runtime.present(request, layout, str(self.client / "bin"), False)
        options = {"jobs": jobs, "maintenance_work_mem": "64MB", "max_bytes_per_second": None,
                   "bin_directory": str(self.client / "bin")}  # fmt: skip
        HostBackend(request, layout, options).store()
        program = installation.install(layout)[0]
        command = [sys.executable, program, "run", "--directory", layout.directory]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
        ) as process:
            watch = Watch(process.pid)
            log = process.communicate(json.dumps(request.secrets), timeout=600)[0]
            watch.stop()
        for secret in request.secret_values:
            assert secret not in log
        return Outcome(process.returncode, progress.read_progress(layout.journal_file), watch.peak, log)

    def verify(self, request: Request, **options) -> dict:
        """Return the collection's own report."""
        return verify(request, **options)


class Watch:
    """Notes the largest resident memory, in MB, that one process below I(pid) ever had."""

    def __init__(self, pid: int):
        self.pid = pid
        self.peak = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        while not self.ended.wait(0.1):
            for process in descendants(self.pid):
                with contextlib.suppress(OSError, ValueError):
                    text = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
                    for line in text.splitlines():  # a process that has ended has no such line any more
                        if line.startswith("VmHWM"):
                            self.peak = max(self.peak, int(line.split()[1]) / 1024)

    def stop(self) -> None:
        """End the watch."""
        self.ended.set()
        self.thread.join()


def descendants(pid: int) -> list:
    """Return a process and those that it started."""
    found = [pid]
    for process in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{process}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return found
