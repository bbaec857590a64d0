# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of servers behind proxies, made ready again for each trial."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from support.migrations import Migration
from support.servers import USER, Lab, ask, catalogue, contents, drop_database

from tests.faults.dataset import DATABASES
from tests.faults.proxy import Proxy
from tools.lab import dataset as sample
from tools.lab.binaries import CACHE, obtain
from tools.lab.cluster import Cluster

SOURCE_MAJOR = int(os.environ.get("AZPG_SOURCE_MAJOR", "14"))
TARGET_MAJOR = int(os.environ.get("AZPG_TARGET_MAJOR", "17"))
DISK_MB = 700
RATE = 9_000_000  # bytes per second: the copy takes some seconds, so that it can be hit
SIDES = ("source", "target")


class Disk:
    """A small file system in memory, which can be filled up. I(reason) says why there is none."""

    def __init__(self, place: Path):
        self.place = place
        self.reason = ""
        place.mkdir(parents=True)
        if os.geteuid() != 0:
            self.reason = "only root may mount a file system"
            return
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0755", "faults", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            self.reason = f"mount: {done.stderr.strip()}"

    def fill(self, spare: int) -> None:
        """Leave I(spare) bytes."""
        with open(self.place / "ballast", "wb", buffering=0) as ballast:
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(b"\0" * (1 << 20))
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(b"\0" * 4096)
            ballast.truncate(max(0, ballast.tell() - spare))

    def empty(self) -> None:
        """Give the room back."""
        (self.place / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        """Take the file system away."""
        if not self.reason:
            subprocess.run(["umount", "--lazy", str(self.place)], check=False)


class Stage:
    """Both servers, both proxies and the target's disk; use it as a context manager."""

    databases: tuple = DATABASES
    settings: dict = {
        "max_wal_size": "128MB",
        "min_wal_size": "32MB",
        "shared_buffers": "64MB",
        "max_connections": "60",
    }
    migration = Migration

    def __init__(self, directory: Path):
        self.directory = directory
        self.stack = contextlib.ExitStack()
        self.disk = None
        self.lab = None
        self.proxies: dict = {}
        self.rest: dict = {}
        self.number = 0

    def __enter__(self) -> Stage:
        try:
            self._build()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_unused) -> None:
        self.stack.close()

    def _build(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.disk = Disk(self.directory / "disk")
        self.stack.callback(self.disk.close)
        source = Cluster(obtain(SOURCE_MAJOR, CACHE), self.directory / "source", settings=self.settings)
        target = Cluster(obtain(TARGET_MAJOR, CACHE), self.disk.place / "target", settings=self.settings)
        passwords = {side: secrets.token_urlsafe(18) for side in SIDES}
        for cluster in (source, target):
            self.stack.enter_context(cluster)
        self.lab = Lab(source, target, passwords)
        sample.create_roles(source)
        sample.create_source_user(source, USER, passwords["source"])
        sample.create_target_user(target, USER, passwords["target"])
        for _name, owner, template, sql in self.databases:
            ask(source, f"CREATE DATABASE {template} OWNER {owner}")
            source.psql(sql, dbname=template)
        self.proxies = {side: Proxy("127.0.0.1", self.cluster(side).port) for side in SIDES}
        for proxy in self.proxies.values():
            self.stack.callback(proxy.close)

    def cluster(self, side: str) -> Cluster:
        """Return a side's server."""
        return self.lab.source if side == "source" else self.lab.target

    def heal(self) -> None:
        """Make sure that both servers run and can be reached, with all rights and no limits."""
        self.disk.empty()
        for side in SIDES:
            self.cluster(side).start()
            self.proxies[side].restore()
            ask(self.cluster(side), f"ALTER ROLE {USER} LOGIN")

    def new_trial(self) -> Migration:
        """Return a migration of fresh copies of both databases to a clean target."""
        self.heal()
        for side in SIDES:
            ask(self.cluster(side), f"ALTER ROLE {USER} RESET ALL")
        self.lab.clean_target()
        for name, owner, template, _sql in self.databases:
            drop_database(self.lab.source, name)
            ask(self.lab.source, f"CREATE DATABASE {name} OWNER {owner} TEMPLATE {template}")
        self.number += 1
        directory = self.directory / f"trial-{self.number}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        one = self.migration(self.lab, directory, "faults", [name for name, *_rest in self.databases])
        for side in SIDES:
            one.ends[side]["port"] = self.proxies[side].port
        return one

    def source_state(self) -> dict:
        """Return what the source holds, definitions and rows."""
        state = {"catalogue": catalogue(self.lab.source)}
        for name, *_rest in self.databases:
            state[name] = contents(self.lab.source, name)
            state[name]["large objects"] = ask(
                self.lab.source, "SELECT count(*), COALESCE(sum(hashtext(lo_get(oid)::text)::bigint), 0) FROM pg_largeobject_metadata", name
            )[0]  # fmt: skip
        return state

    def own_sessions(self, side: str) -> list:
        """Return the sessions of the migration's user on a server."""
        return ask(
            self.cluster(side),
            "SELECT pid, application_name, datname, state, wait_event_type, wait_event, left(query, 80) FROM pg_stat_activity"
            f" WHERE usename = '{USER}' AND pid <> pg_backend_pid()",
        )

    def end_sessions(self, side: str) -> None:
        """End the sessions of the migration's user on a server."""
        ask(self.cluster(side), f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'")

    def markers(self) -> dict:
        """Return C({(database, unit): when}) of all that the target knows as done."""
        found = {}
        present = {name for (name,) in ask(self.lab.target, "SELECT datname FROM pg_database")}
        for name, *_rest in self.databases:
            if (
                name in present
                and ask(self.lab.target, "SELECT to_regclass('azpg_migrate.unit') IS NOT NULL", name)[0][0]
            ):
                for unit, when in ask(self.lab.target, "SELECT unit, at::text FROM azpg_migrate.unit", name):
                    found[name, unit] = when
        return found
