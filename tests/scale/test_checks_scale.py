# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of 100,000 tables, in 50 databases and in one schema: time, memory, sessions, locks."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import psycopg2
import pytest

SECONDS, SESSIONS, MEMORY = 60, 4, 300_000_000
DATABASES, TABLES = 50, 2000
PROGRAM = Path(__file__).with_name("check_once.py")
# A row, a key and, for the text, a table out of line with its index: four relations each.
MAKE = """
CREATE SCHEMA shop AUTHORIZATION app; GRANT USAGE ON SCHEMA shop TO mig;
ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA shop GRANT SELECT ON TABLES TO mig;
SET ROLE app;
DO $$ BEGIN
  FOR i IN 1..{tables} LOOP
    EXECUTE format('CREATE TABLE shop.t%s (id int PRIMARY KEY, body text); INSERT INTO shop.t%1$s VALUES (1)', i);
    IF i % 2000 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
"""


class Watch:
    """Looks at both servers while the checks run: how many sessions they have, and which locks on relations."""

    def __init__(self, clusters):
        self.clusters = clusters
        self.most = 0
        self.modes: set = set()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.ended.set()
        self.thread.join()

    def look(self) -> None:
        """Ask again and again."""
        sessions = [psycopg2.connect(**cluster.connection()) for cluster in self.clusters]
        for session in sessions:
            session.autocommit = True
        while not self.ended.wait(0.02):
            for session in sessions:
                with session.cursor() as cursor:
                    cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'mig'")
                    self.most = max(self.most, cursor.fetchone()[0])
                    cursor.execute(
                        "SELECT DISTINCT mode FROM pg_locks JOIN pg_stat_activity USING (pid)"
                        " WHERE usename = 'mig' AND locktype = 'relation'"
                    )
                    self.modes.update(mode for (mode,) in cursor)
        for session in sessions:
            session.close()


def checked(servers, directory: Path, databases: list, mode: str) -> dict:
    """Run the module, and hold it to what it may take."""
    source, target = servers
    options = {
        "name": "scale",
        "source": {**source.connection("mig", "mig"), "dbname": None},
        "target": {**target.connection("mig", "mig"), "dbname": None},
        "databases": databases,
        "mode": mode,
        "fail_on": "never",
        "bin_directory": str(target.prefix / "bin"),
        "state_directory": str(directory / "state"),
        "report_directory": str(directory / "report"),
    }
    with Watch(servers) as watch:
        done = subprocess.run(
            [sys.executable, str(PROGRAM)], input=json.dumps(options), capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    page = (directory / "report" / "premigration.html").stat().st_size
    print(
        f"\n{len(databases)} databases, {mode}: {found['seconds']:.1f} s ({found['cpu']:.1f} s of them its own processor time), "
        f"peak {found['peak_bytes'] / 1e6:.0f} MB ({found['start_bytes'] / 1e6:.0f} MB before it began), at most {watch.most} "
        f"sessions on a server, locks {sorted(watch.modes)}, {found['findings']} findings, page of {page / 1e3:.0f} kB"
    )
    assert found["failed"] == []
    assert found["estimate"] > 0
    assert watch.most <= SESSIONS
    assert watch.modes <= {"AccessShareLock"} and watch.modes
    assert found["peak_bytes"] < MEMORY
    assert page < 2_000_000
    return found


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_fifty_databases_of_two_thousand_tables(servers, tmp_path, mode):
    source, _target = servers
    names = [f"shop{number:02d}" for number in range(DATABASES)]
    if not source.psql("SELECT 1 FROM pg_database WHERE datname = 'shop00'").strip():
        source.psql("CREATE DATABASE shop00 OWNER app")
        source.psql(MAKE.format(tables=TABLES), dbname="shop00")
        for name in names[1:]:
            source.psql(f"CREATE DATABASE {name} TEMPLATE shop00 STRATEGY FILE_COPY OWNER app")
        for name in names:
            source.psql(f"GRANT CREATE ON DATABASE {name} TO mig")
        source.restart()
    assert checked(servers, tmp_path, names, mode)["seconds"] < SECONDS


def test_one_schema_of_a_hundred_thousand_tables(servers, tmp_path):
    source, _target = servers
    source.psql("CREATE DATABASE large OWNER app; GRANT CREATE ON DATABASE large TO mig")
    source.psql(MAKE.format(tables=DATABASES * TABLES), dbname="large")
    source.restart()
    assert checked(servers, tmp_path, ["large"], "online")["seconds"] < SECONDS
