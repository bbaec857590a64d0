# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure's service carries real databases between real servers, as a user's playbooks ask for it, offline and online."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.azure_stage import Stage, changing
from support.lab import CACHE
from support.servers import ask, contents, drop_database, run, session
from support.waiting import wait_for

from tests.azure_simulator import Simulator
from tools.lab.binaries import obtain
from tools.lab.cluster import Cluster

OWNER, USER, ADMINISTRATOR = "way_owner", "way_migrator", "way_admin"
SEED = """
CREATE SCHEMA app AUTHORIZATION way_owner;
SET ROLE way_owner;
CREATE TABLE app.parent (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE app.child (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent integer NOT NULL REFERENCES app.parent, note text);
CREATE VIEW app.names AS SELECT name FROM app.parent;
INSERT INTO app.parent SELECT g, 'parent ' || g FROM generate_series(1, 50) g;
INSERT INTO app.child (parent, note) SELECT 1 + g % 50, md5(g::text) FROM generate_series(1, 500) g;
GRANT USAGE ON SCHEMA app TO way_reader;
GRANT SELECT ON app.names TO way_reader;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
RESET ROLE;
"""


class Way(Stage):
    """A stage with real servers behind source and target."""

    def __init__(self, azure, directory, clusters: dict, passwords: dict, databases: list, name: str):
        super().__init__(azure, directory, name)
        self.clusters = clusters
        azure.cloud.find(self.target).behind = clusters["target"]
        azure.add_administrator(self.target, ADMINISTRATOR, passwords["target"])
        azure.add_source(clusters["source"])
        azure.tolerate(603106)
        self.databases = databases
        self.source = words(clusters["source"], USER, passwords["source"])
        self.destination = words(clusters["target"], ADMINISTRATOR, passwords["target"])
        self.runtime = self.add_runtime()
        self.passwords = passwords

    def go(self, playbook: str, *arguments: str, **variables):
        """Run a playbook against the runtime server that is there."""
        given = {"azpg_runtime_server_id": self.runtime, "azpg_poll_interval": 1, **variables}
        given.setdefault("azpg_report_directory", str(self.directory / "reports"))
        return self.play(playbook, *arguments, **given)

    def ask(self, side: str, sql: str, database: str | None = None):
        """Ask a server as its superuser."""
        return ask(self.clusters[side], sql, database or self.databases[0])

    def report(self) -> dict:
        """Return the verification's report, as it was fetched."""
        return json.loads((self.directory / "reports" / self.name / "verification.json").read_text(encoding="utf-8"))


def words(cluster, user: str, password: str) -> dict:
    """Return libpq's words for a server."""
    found = cluster.connection(user, password)
    found.pop("dbname")
    return {word: value for word, value in found.items() if value is not None}


@pytest.fixture(scope="module")
def clusters(tmp_path_factory):
    """A source from which changes can flow, and a target that takes them."""
    directory = tmp_path_factory.mktemp("way")
    source_settings = {"wal_level": "logical", "max_wal_senders": 10, "max_replication_slots": 10}
    with (
        Cluster(obtain(14, CACHE), directory / "source", settings=source_settings) as source,
        Cluster(obtain(17, CACHE), directory / "target") as target,
    ):
        yield {"source": source, "target": target}


@pytest.fixture
def way(clusters, tmp_path):
    """Give a function that lays out a migration of one new database."""
    passwords = {"source": secrets.token_urlsafe(12), "target": secrets.token_urlsafe(12)}
    ask(clusters["source"], f"CREATE ROLE {OWNER} NOLOGIN CONNECTION LIMIT 9; CREATE ROLE way_reader LOGIN")
    ask(
        clusters["source"],
        f"CREATE ROLE {USER} LOGIN REPLICATION BYPASSRLS PASSWORD '{passwords['source']}' IN ROLE {OWNER}",
    )
    ask(clusters["source"], f"CREATE DATABASE way_shop OWNER {OWNER}")
    ask(clusters["source"], f"GRANT CREATE ON DATABASE way_shop TO {USER}")
    clusters["source"].psql(SEED, dbname="way_shop")
    with Simulator(tmp_path / "azure", time_scale=0.005) as azure:
        yield Way(azure, tmp_path, clusters, passwords, ["way_shop"], "way")
        # The description does not know the locale that the lab's own clusters are made with.
        assert [one for one in azure.violations if not one.where.endswith("/collation")] == []
    for cluster in clusters.values():
        drop_database(cluster, "way_shop")
        for role in (OWNER, "way_reader", USER, ADMINISTRATOR):
            if ask(cluster, f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                ask(cluster, f"DROP OWNED BY {role}")
                ask(cluster, f"DROP ROLE {role}")


def differences(report: dict) -> list:
    """Return what the report says of definitions and roles."""
    found = [
        finding for entry in report["databases"] for finding in entry["schema"]["errors"] + entry["schema"]["warnings"]
    ]
    return [f"{one['rule']} {one['kind']} {one['object']}" for one in found + report["roles"].get("findings", [])]


def test_offline_the_playbooks_carry_everything_and_say_no_secret(way):
    trial = way.go("migrate", "--check", "--diff").good()
    assert "+move way_shop to target" in trial.output and "+create role way_owner" in trial.output
    assert way.records == []
    first = way.go("migrate", "--diff", "-vvv").good()
    assert "+move way_shop to target" in first.output
    assert first.changed == 2  # the roles and the databases: with its owner there, the service restores owners itself
    assert re.search(r"\[way\] migration running \| the service", first.output)
    proof = way.go("verify").good()
    assert way.report()["verdict"] == "MATCH"
    assert differences(way.report()) == []
    assert contents(way.clusters["source"], "way_shop") == contents(way.clusters["target"], "way_shop")
    assert way.ask("target", "SELECT datdba::regrole::text FROM pg_database WHERE datname = 'way_shop'") == [(OWNER,)]
    again = way.go("migrate").good()
    assert again.changed == 0, again.output
    # The gate asks both servers itself, from here; the runtime server is somebody else's.
    gone = way.go("decommission").good()
    assert "Removed: 0 things of the migration" in gone.output
    assert (way.directory / "archive" / "way" / "final-record.json").is_file()
    for secret in (*way.passwords.values(), way.azure.client_secret, *way.azure.cloud.tokens):
        for play in (trial, first, proof, again, gone):
            assert secret not in play.output
        assert secret not in json.dumps(way.records)


@pytest.mark.long
def test_online_changes_flow_until_the_cutover(way):
    first = way.go("migrate", azpg_mode="online").good()
    assert first.changed == 2
    assert way.inform(mode="online", runtime_server_id=way.runtime)["state"] == "replicating"
    assert way.ensure("replicating", mode="online", runtime_server_id=way.runtime)["changed"] is False
    way.ask(
        "source",
        "INSERT INTO app.parent VALUES (51, 'late'); UPDATE app.child SET note = 'changed' WHERE id = 7; DELETE FROM app.child WHERE id = 8",
    )
    told = way.ensure("completed", check_mode=True, mode="online", runtime_server_id=way.runtime)
    assert told["diff"]["after"] == "cut over way_shop\n"
    done = way.go("cutover", "--diff", azpg_mode="online").good()
    assert done.changed >= 1 and "+cut over way_shop" in done.output
    way.go("verify", azpg_mode="online").good()
    assert way.report()["verdict"] == "MATCH"
    assert differences(way.report()) == []
    assert way.ask("target", "SELECT count(*) FROM app.parent WHERE name = 'late'") == [(1,)]
    assert way.go("cutover", azpg_mode="online").good().changed == 0


def test_the_cutover_waits_for_a_target_that_really_lags_and_loses_nothing(way):
    words = {"runtime_server_id": way.runtime, "mode": "online", "poll_interval": 0.1}
    assert way.ensure("replicating", **words)["state"] == "replicating"
    (path,) = [record["id"] for record in way.records]

    def latency() -> float:
        found = way.azure.resource(path)["properties"]["currentStatus"]["currentSubStateDetails"]["dbDetails"]
        return found["way_shop"]["latency"]

    stopped = threading.Event()
    written = []

    def write() -> None:
        """Be the application: one row after the other until it is stopped."""
        with session(way.clusters["source"], "way_shop") as application:
            while not stopped.is_set():
                written.append(
                    run(application, "INSERT INTO app.child (parent, note) VALUES (1, 'live') RETURNING id")[0]
                )
                time.sleep(0.02)

    with session(way.clusters["target"], "way_shop") as holder, ThreadPoolExecutor(2) as pool:
        run(holder, "BEGIN; LOCK TABLE app.child IN EXCLUSIVE MODE")  # nothing is applied to it meanwhile
        writing = pool.submit(write)
        try:
            wait_for(lambda: latency() > 1, "a target that lags")
            cutover = pool.submit(way.ensure, "completed", max_lag=1, **words)
            looks = len(way.azure.calls("GET", "/migrations"))
            wait_for(lambda: len(way.azure.calls("GET", "/migrations")) > looks + 3, "looks of the module")
            assert not [body for body in way.sent("PATCH") if "triggerCutover" in body.get("properties", {})]
            assert not cutover.done() and latency() > 1
        finally:
            stopped.set()
            writing.result()
            run(holder, "ROLLBACK")
        assert cutover.result()["state"] == "completed"
    assert len(written) > 20
    assert contents(way.clusters["source"], "way_shop") == contents(way.clusters["target"], "way_shop")


def test_a_database_that_is_there_is_overwritten_only_when_it_is_named(way):
    ask(way.clusters["target"], f"CREATE DATABASE way_shop OWNER {ADMINISTRATOR}")
    words = {"runtime_server_id": way.runtime, "poll_interval": 0.2}
    failed = way.ensure(**words)
    assert failed["state"] == "failed"
    assert "603101" in failed["failure"] and "name it in 'overwrite_databases'" in failed["failure"]
    done = way.ensure(overwrite_databases=["way_shop"], **words)
    assert done["state"] == "completed"
    assert way.ask("target", "SELECT count(*) FROM app.parent") == [(50,)]


def test_cancelling_says_what_is_left_on_the_target(way):
    words = {"runtime_server_id": way.runtime, "mode": "online", "poll_interval": 0.2}
    way.ensure("replicating", **words)
    done = way.ensure("cancelled", **words)
    assert done["state"] == "cancelled"
    existing = [
        name for (name,) in ask(way.clusters["target"], "SELECT datname FROM pg_database WHERE datname = 'way_shop'")
    ]
    assert done["migration"]["left_on_target"] == existing


def test_the_site_playbook_goes_from_nothing_to_the_final_record_and_a_second_run_changes_nothing(way):
    way.runtime = None  # it is made, and taken away
    variables = {
        "azpg_poll_interval": 1,
        "azpg_report_directory": str(way.directory / "reports"),
        "azpg_checks_exclude": ["estimated-duration"],
        # What asks the servers runs there, with no login to Azure.
        "azpg_data_host": "way",
    }
    first = way.play("site", "--diff", **variables).good()
    assert first.changed >= 5
    assert "is offline; its databases are complete without a cutover" in first.output
    assert differences(way.report()) == []
    assert way.report()["verdict"] == "MATCH"
    assert contents(way.clusters["source"], "way_shop") == contents(way.clusters["target"], "way_shop")
    assert way.azure.resource(way.runtime_name) is None
    assert [record["properties"]["migrationOption"] for record in way.records] == ["Validate", "ValidateAndMigrate"]
    ask(way.clusters["source"], "ALTER DATABASE way_shop ALLOW_CONNECTIONS false")
    before = len(changing(way.azure))
    assert way.play("site", **variables).good().changed == 0
    assert len(changing(way.azure)) == before
