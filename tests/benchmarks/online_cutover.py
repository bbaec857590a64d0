# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-online BENCH="--cutover"`: a steady load that is followed, and for how long nobody can write at the cutover.

Ten tables of 200 MB each; one of them is written to by pgbench at 2,000 transactions a second.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import runtime
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.backend import HostBackend

DATABASE = "steady"
TABLES = """
DO $$ BEGIN FOR i IN 1..10 LOOP
  EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, n int, note text)', i);
  EXECUTE format('INSERT INTO t%s SELECT g, 0, repeat(md5(g::text), 4) FROM generate_series(1, {rows}) g', i);
END LOOP; END $$;
"""
SCRIPT = "\\set id random(1, {rows})\nUPDATE t1 SET n = n + 1 WHERE id = :id;\n"


class Steady:
    """One online migration under a steady load, from beginning to end."""

    def __init__(self, source, target, clients: Path, directory: Path, rows: int, rate: int, seconds: int):
        self.source, self.target, self.clients, self.directory = source, target, clients, directory
        self.rows, self.rate, self.seconds = rows, rate, seconds

    def run(self) -> list:
        """Run it; return lines of results."""
        for name in ("state", "archive"):  # an earlier run's speaks of other servers
            shutil.rmtree(self.directory / name, ignore_errors=True)
        self.source.psql(f"CREATE DATABASE {DATABASE}")
        self.source.psql(TABLES.format(rows=self.rows) + "VACUUM ANALYZE;", dbname=DATABASE)
        script = self.directory / "update.sql"
        script.write_text(SCRIPT.format(rows=self.rows), encoding="ascii")
        ends = [cluster.connection() for cluster in (self.source, self.target)]
        for words in ends:
            words.pop("dbname")
        request = Request.create("steady", *ends, [DATABASE], mode="online")
        layout = Layout.create("steady", str(self.directory / "state"), str(self.directory / "archive"))
        options = {
            "jobs": 2, "maintenance_work_mem": "256MB", "bin_directory": str(self.clients / "bin"), "fence": True,
            "grace_seconds": 0, "max_lag": 5, "prove": "resting",
        }  # fmt: skip
        runtime.present(request, layout, options["bin_directory"], False)
        backend = HostBackend(request, layout, options)
        command = [
            self.clients / "bin" / "pgbench",
            "-n",
            "-c",
            "4",
            "-T",
            "100000",
            "-R",
            str(self.rate),
            "-f",
            script,
            DATABASE,
        ]
        with self.source.environment(dbname=DATABASE) as environment:
            print("  base copy", flush=True)
            load = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                backend.start()
                self.wait(backend, self.follows)
                print(f"  the load is followed for {self.seconds} s", flush=True)
                lags, written = self.watch(backend)
                print("  cutover", flush=True)
                backend.cut_over()
                found = self.wait(backend, lambda found: found["state"] == "completed")
            finally:
                load.kill()
                load.wait()
                with contextlib.suppress(Exception):
                    backend.cancel()
        cut = found["cutover"]
        proof = cut["proof"][DATABASE]
        return [
            f"- steady load of {written:,.0f} transactions per second for {self.seconds} s: lag at most {max(lags):.1f} s, median "
            f"{statistics.median(lags):.1f} s",
            f"- cutover of ten tables, {proof['bytes'] / 1e9:.1f} GB: nobody could write for "
            f"**{cut['write_downtime_seconds']:.1f} s**; {proof['proven']} of {proof['tables']} tables, "
            f"{proof['proven_bytes'] / proof['bytes']:.0%} of the bytes, proven within {proof['seconds_before']:.1f} s before that",
        ]

    @staticmethod
    def follows(found: dict) -> bool:
        """Return whether a status says that changes flow and the target is less than two seconds behind."""
        lag = found.get("lag_seconds")
        return found["state"] == "replicating" and lag is not None and lag < 2

    @staticmethod
    def wait(backend, done) -> dict:
        """Wait for a status."""
        deadline = time.monotonic() + 900
        while True:
            found = backend.status()
            if done(found):
                return found
            assert found["state"] not in ("failed", "interrupted"), found.get("error")
            assert time.monotonic() < deadline, f"waited in vain: {found}"
            time.sleep(0.2)

    def watch(self, backend) -> tuple:
        """Return C((lags of every second, transactions per second of the source))."""
        count = f"SELECT xact_commit FROM pg_stat_database WHERE datname = '{DATABASE}'"
        before, begun, lags = int(self.source.psql(count)), time.monotonic(), []
        while time.monotonic() - begun < self.seconds:
            lag = backend.status()["lag_seconds"]
            lags.append(self.seconds if lag is None else lag)
            time.sleep(1)
        return lags, (int(self.source.psql(count)) - before) / (time.monotonic() - begun)
