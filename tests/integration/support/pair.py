# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two servers of different versions with the same data set, moved by hand, and words for what a report holds."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._verify.run import verify

from support.servers import ask, run, session
from tools.lab import binaries, dataset
from tools.lab.cluster import Cluster

CACHE = Path(os.environ.get("AZPG_LAB_CACHE", ".cache/postgresql"))
PASSWORD = "mig password"
# Nothing but the tests writes.
QUIET = {"autovacuum": "off"}


class Pair:
    """Two servers and the data set, moved by hand as superuser."""

    def __init__(self, source: Cluster, target: Cluster):
        self.clusters = {"source": source, "target": target}

    def request(self, databases=("shop", "billing"), role_map=None) -> Request:
        ends = []
        for cluster in self.clusters.values():
            words = cluster.connection("mig", PASSWORD)
            words.pop("dbname")
            ends.append(words)
        return Request.create("pair", ends[0], ends[1], list(databases), role_map=role_map)

    def run(self, side: str, sql: str, dbname: str = "shop") -> str:
        return self.clusters[side].psql(sql, dbname=dbname)

    def verify(self, databases=("shop",), **options) -> dict:
        return verify(self.request(databases, options.pop("request_role_map", None)), **options)


def move(source: Cluster, target: Cluster, directory: Path) -> None:
    """Dump and restore with the programs of the target."""
    for name in dataset.DATABASES:
        archive = str(directory / f"{name}.dump")
        with source.environment(dbname=name) as environment:
            subprocess.run([target.prefix / "bin" / "pg_dump", "-Fc", "-C", "-f", archive], env=environment, check=True)
        with target.environment() as environment:
            command = [target.prefix / "bin" / "pg_restore", "-C", "-d", "postgres", "--exit-on-error", archive]
            subprocess.run(command, env=environment, check=True)
        target.psql("ANALYZE", dbname=name)


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """One for all files; each test leaves it as it found it."""
    directory = tmp_path_factory.mktemp("verification")
    with contextlib.ExitStack() as stack:
        clusters = [
            stack.enter_context(Cluster(binaries.obtain(major, CACHE), directory / side, settings=QUIET))
            for side, major in (("source", 14), ("target", 17))
        ]
        source, target = clusters
        dataset.load(source, 0.01)
        dataset.create_roles(target)
        dataset.create_source_user(source, "mig", PASSWORD)
        dataset.create_target_user(target, "mig", PASSWORD)
        target.psql("GRANT app_owner, billing_owner, app_write TO mig")
        source.psql("GRANT app_write TO mig")
        move(source, target, directory)
        yield Pair(source, target)


def findings(report: dict, severity: str = "errors") -> list:
    sections = [entry["schema"] for entry in report["databases"]] + [report["roles"]]
    return [item for section in sections for item in section.get(severity, [])]


def said(report: dict) -> str:
    """Return everything that a report holds against the migration, as one text for messages of assertions."""
    lines = [report["verdict"] + ": " + report["reason"]]
    for severity in ("errors", "warnings", "not_comparable"):
        lines += [f"{severity} {i['rule']} {i['kind']} {i['object']}: {i['msg']}" for i in findings(report, severity)]
    for entry in report["databases"]:
        lines += [str(entry["error"])] if entry["error"] else []
        lines += [f"{i['name']}: {i['msg']} {i['remedy']}" for i in entry["tables"] if i["verdict"] != "MATCH"]
        lines += [f"{i['name']}: {i['msg']}" for i in entry["sequences"] if i["verdict"] != "MATCH"]
    return "\n".join(lines)


# A copy of a database lacks what hangs on the database itself.
LIKE_THE_ORIGINAL = """
SET allow_system_table_mods = on;
UPDATE pg_database n SET datacl = o.datacl, datdba = o.datdba, datconnlimit = o.datconnlimit
    FROM pg_database o WHERE n.datname = 'shop' AND o.datname = 'shop_original';
INSERT INTO pg_db_role_setting SELECT n.oid, s.setrole, s.setconfig FROM pg_db_role_setting s
    JOIN pg_database o ON o.oid = s.setdatabase, pg_database n WHERE n.datname = 'shop' AND o.datname = 'shop_original';
INSERT INTO pg_shdescription SELECT n.oid, d.classoid, d.description FROM pg_shdescription d
    JOIN pg_database o ON o.oid = d.objoid, pg_database n WHERE n.datname = 'shop' AND o.datname = 'shop_original'
    AND d.classoid = 'pg_database'::regclass;
"""


@pytest.fixture
def fault(pair):
    """Put a copy in the place of the target's database and yield a function that does something to it."""
    target = pair.clusters["target"]
    with session(target) as administrator:
        run(administrator, "ALTER DATABASE shop RENAME TO shop_original")
        try:
            run(administrator, "CREATE DATABASE shop TEMPLATE shop_original")
            run(administrator, LIKE_THE_ORIGINAL)
            yield lambda sql: ask(target, sql, "shop")
        finally:
            run(administrator, "DROP DATABASE IF EXISTS shop WITH (FORCE)")
            run(administrator, "ALTER DATABASE shop_original RENAME TO shop")
            run(administrator, "ALTER ROLE alice CONNECTION LIMIT 20; GRANT app_read TO alice")
