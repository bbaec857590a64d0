# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C(pgcopydb follow) as a peer that applies a backlog, where there is the program.

It makes its slot itself when it begins to follow, so it is begun before the changes, ended when the slot is there, and begun
again for the backlog.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

SLOT = "pgcopydb"
SETUP_SECONDS = 30
MOST_SECONDS = 90  # for a backlog
# Where on the source the transaction ends that was applied last.
REACHED = f"SELECT remote_lsn FROM pg_replication_origin_status WHERE external_id = '{SLOT}'"


def uri(words: dict) -> str:
    """Return a connection without its password, which lies in a file."""
    return f"postgresql://{words['user']}@{words['host']}:{words['port']}/{words['dbname']}?sslmode=require"


class Follow:
    """One program and one slot of its own."""

    def __init__(self, bench):
        self.bench = bench
        self.directory = bench.directory / "pgcopydb"
        self.log = bench.directory / "pgcopydb.log"
        self.problem = ""
        told = subprocess.run(["pgcopydb", "follow", "--help"], capture_output=True, text=True, check=False)
        # The oldest ones know one plugin only, which is no part of PostgreSQL.
        self.plugin = ["--plugin", "pgoutput"] if "pgoutput" in told.stdout + told.stderr else []

    def environment(self) -> dict:
        """Return the environment in which it finds both ends, with their passwords in a file."""
        ends = [self.bench.source, self.bench.target]
        ends = [cluster.connection(dbname=self.bench.database) for cluster in ends]
        passwords = self.directory.parent / "pgcopydb.pass"
        passwords.touch(0o600)
        lines = [":".join([words["host"], str(words["port"]), "*", words["user"], words["password"]]) for words in ends]
        passwords.write_text("\n".join(lines) + "\n", encoding="ascii")
        named = {f"PGCOPYDB_{side}_PGURI": uri(words) for side, words in zip(("SOURCE", "TARGET"), ends)}
        return {**os.environ, **named, "PGPASSFILE": str(passwords)}

    def begin(self, *more: str) -> subprocess.Popen:
        """Begin to follow."""
        names = ["--slot-name", SLOT, "--origin", SLOT]
        command = ["pgcopydb", "follow", "--dir", self.directory, *names, *self.plugin, *more]
        with open(self.log, "ab") as log:
            return subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log, start_new_session=True)

    def end(self, process: subprocess.Popen) -> None:
        """End it and everything that it has begun; it does not always listen to SIGTERM."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + SETUP_SECONDS
        busy = f"SELECT 1 FROM pg_replication_slots WHERE slot_name = '{SLOT}' AND active"
        while self.bench.source.psql(busy) and time.monotonic() < deadline:
            time.sleep(0.1)

    def complaint(self) -> str:
        """Return the first error that it has logged."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        found = re.search(r" ERROR +(?:\S+\.c:\d+ +)?(.*)", text)
        return found[1] if found else ""

    def prepare(self) -> None:
        """Have the slot made; I(problem) says why there is none."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.log.unlink(missing_ok=True)
        self.bench.anew()
        process = self.begin("--create-slot")
        there = f"SELECT 1 FROM pg_replication_slots WHERE slot_name = '{SLOT}' AND confirmed_flush_lsn IS NOT NULL AND active"
        deadline = time.monotonic() + SETUP_SECONDS
        try:
            while not self.bench.source.psql(there):
                if process.poll() is not None or time.monotonic() > deadline:
                    self.problem = f"made no slot: {self.complaint() or 'without a reason'}"
                    return
                time.sleep(0.1)
        finally:
            self.end(process)

    def run(self) -> str:
        """Let it apply the backlog; return what came of it, in words."""
        if self.problem:
            return self.problem
        bench = self.bench
        bench.anew()
        start = bench.source.psql(f"SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '{SLOT}'").strip()
        end = bench.source.psql("SELECT pg_current_wal_flush_lsn()").strip()
        # It reads ahead, and applies nothing before it is told so.
        with open(self.log, "ab") as log:
            subprocess.run(
                ["pgcopydb", "stream", "sentinel", "set", "apply", "--dir", self.directory],
                env=self.environment(),
                stdout=log,
                stderr=log,
                check=False,
            )
        process, begun = self.begin("--resume", "--not-consistent", "--endpos", end), time.monotonic()
        try:
            while time.monotonic() - begun < MOST_SECONDS:
                if bench.target.psql("SELECT n FROM last_one", dbname=bench.database).strip() == "1":
                    seconds = time.monotonic() - begun
                    return f"{seconds:.1f} s, {'the same rows' if bench.same() else '**other rows than the source**'}"
                if process.poll() is not None:
                    break
                time.sleep(0.1)
            state = (
                "did not finish"
                if process.poll() is None
                else f"ended with status {process.returncode} without the last row"
            )
            seconds = time.monotonic() - begun
            reached = bench.target.psql(REACHED).strip() or start
            share = bench.source.psql(
                f"SELECT round(100 * pg_wal_lsn_diff('{reached}', '{start}') / pg_wal_lsn_diff('{end}', '{start}'))"
            ).strip()
            return f"{state} after {seconds:.0f} s, {share}% of the log applied"
        finally:
            self.end(process)

    def close(self) -> None:
        """Remove what it has made on the servers."""
        bench = self.bench
        for sql in (
            f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{SLOT}'",
            "DROP SCHEMA IF EXISTS pgcopydb CASCADE",
        ):
            bench.source.psql(sql, dbname=bench.database)
        bench.target.psql(
            f"SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname = '{SLOT}'"
        )
        for path in (self.directory, Path(f"{self.directory}.pass")):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
