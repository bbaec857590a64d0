# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator with real servers behind it: data really moves, parameters are really set."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg2
import pytest
from support.servers import SMALL, ask, contents
from support.waiting import wait_for

from tests.azure_simulator import Simulator
from tests.azure_simulator.client import Client
from tools.lab import dataset
from tools.lab.binaries import obtain
from tools.lab.cluster import Cluster

CACHE = Path(os.environ.get("AZPG_LAB_CACHE", ".cache/postgresql"))
# Passwords that need care wherever they are written.
SOURCE_PASSWORD, TARGET_PASSWORD = 'it\'s a \\ source: "one"', "Target \"one\" 'two' \\ 3"


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """A source and a target of their own, because these tests change server parameters and restart."""
    directory = tmp_path_factory.mktemp("simulated")
    with (
        Cluster(obtain(14, CACHE), directory / "source") as source,
        Cluster(obtain(17, CACHE), directory / "target") as target,
    ):
        dataset.create_roles(source)
        dataset.create_source_user(source, "mig", SOURCE_PASSWORD)
        source.psql("ALTER ROLE mig REPLICATION")
        for name in ("shop", "billing"):
            source.psql(f"CREATE DATABASE {name} OWNER app_owner")
            source.psql(SMALL, dbname=name)
        yield source, target


class Azure:
    """A simulator, a client of it, and a target with a cluster behind it."""

    def __init__(self, azure: Simulator, source: Cluster, target: Cluster):
        self.azure, self.source, self.cluster = azure, source, target
        self.client = Client(azure)
        azure.add_resource_group("rg")
        self.target = azure.add_flexible_server("target", "rg", cluster=target)
        azure.add_administrator(self.target, "dbadmin", TARGET_PASSWORD)
        azure.add_source(source)

    def put(self, name: str, **properties) -> str:
        """Start a migration; return its id."""
        sent = {
            "migrationMode": "Offline",
            "migrationOption": "ValidateAndMigrate",
            "sourceType": "OnPremises",
            "sslMode": "VerifyFull",
            "sourceDbServerResourceId": f"localhost:{self.source.port}@mig",
            "dbsToMigrate": ["shop", "billing"],
            "overwriteDbsInTarget": "True",
            "secretParameters": {
                "adminCredentials": {"sourceServerPassword": SOURCE_PASSWORD, "targetServerPassword": TARGET_PASSWORD}
            },
            **properties,
        }
        path = f"{self.target}/migrations/{name}"
        found = self.client.call("PUT", path, {"location": "eastus", "properties": sent})
        assert found.status == 201, found.body
        return path

    def patch(self, path: str, **properties):
        return self.client.call("PATCH", path, {"properties": properties})

    def finished(self, reply) -> dict:
        assert reply.status == 202, reply.body
        return self.client.finish(reply)

    def ended(self, path: str, state: str, timeout: float = 90.0) -> dict:
        """Wait for a state; return the status."""
        return self.azure.wait_for(path, state, timeout=timeout)["properties"]["currentStatus"]


@pytest.fixture
def azure(ends, tmp_path):
    source, target = ends
    for (name,) in ask(target, "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"):
        ask(target, f'DROP DATABASE "{name}" WITH (FORCE)')
    ask(target, "DROP ROLE IF EXISTS app_owner")
    with Simulator(tmp_path / "azure", time_scale=0.001) as simulator:
        yield Azure(simulator, source, target)
        assert [str(one) for one in simulator.violations] == []


def owners(cluster: Cluster, database: str) -> set:
    return {name for (name,) in ask(cluster, "SELECT tableowner FROM pg_tables WHERE schemaname = 'app'", database)}


def leftovers(source: Cluster, target: Cluster, database: str = "shop") -> list:
    """Return what a migration left behind on either side."""
    found = ask(source, "SELECT slot_name FROM pg_replication_slots") + ask(
        source, "SELECT pubname FROM pg_publication", database
    )
    found += ask(target, "SELECT subname FROM pg_subscription")
    if ask(target, f"SELECT FROM pg_database WHERE datname = '{database}'"):
        found += ask(target, "SELECT nspname FROM pg_namespace WHERE nspname = 'azpg_migrate'", database)
    return found


def test_an_offline_migration_brings_the_data_and_creates_no_role(azure, ends):
    source, target = ends
    status = azure.ended(azure.put("offline"), "Succeeded")
    details = status["currentSubStateDetails"]["dbDetails"]
    assert {name: (one["migrationState"], one["fullLoadCompletedTables"]) for name, one in details.items()} == {
        "shop": ("Succeeded", 3),
        "billing": ("Succeeded", 3),
    }
    for name in ("shop", "billing"):
        assert contents(target, name) == contents(source, name)
        assert owners(target, name) == {"dbadmin"}  # the source's owner does not exist on the target
    assert ask(target, "SELECT count(*) FROM pg_largeobject_metadata", "shop") == [(1,)]
    assert leftovers(source, target) == []
    assert azure.azure.leaks(SOURCE_PASSWORD)["answers"] == []


def test_owners_that_exist_are_restored(azure, ends):
    ask(ends[1], "CREATE ROLE app_owner")
    ask(ends[1], "GRANT app_owner TO dbadmin WITH ADMIN OPTION")
    azure.ended(azure.put("owned", dbsToMigrate=["shop"]), "Succeeded")
    assert owners(ends[1], "shop") == {"app_owner"}


def test_databases_are_overwritten_only_by_consent_and_by_who_may(azure, ends):
    ask(ends[1], "CREATE DATABASE shop")
    refused = azure.ended(azure.put("refused", overwriteDbsInTarget="False"), "ValidationFailed")
    assert "603101: Database shop" in str(refused)
    waiting = azure.put("waiting", overwriteDbsInTarget="False", migrationOption="Migrate")
    azure.azure.wait_for(waiting, "WaitingForUserAction", "WaitingForTargetDBOverwriteConfirmation")
    azure.patch(waiting, overwriteDbsInTarget="True")
    # The database belongs to the superuser: the migration's user may not drop it.
    failed = azure.ended(waiting, "Failed")
    assert "603117" in failed["error"]
    states = {name: one["migrationState"] for name, one in failed["currentSubStateDetails"]["dbDetails"].items()}
    assert states == {"shop": "Failed", "billing": "Succeeded"}
    ask(ends[1], "ALTER DATABASE shop OWNER TO dbadmin")
    azure.ended(azure.put("again"), "Succeeded")
    assert contents(ends[1], "shop") == contents(ends[0], "shop")


@pytest.mark.parametrize(
    ("properties", "number"),
    [
        (
            {
                "secretParameters": {
                    "adminCredentials": {"sourceServerPassword": "no", "targetServerPassword": TARGET_PASSWORD}
                }
            },
            603100,
        ),
        (
            {
                "secretParameters": {
                    "adminCredentials": {"sourceServerPassword": SOURCE_PASSWORD, "targetServerPassword": "no"}
                }
            },
            603100,
        ),
        ({"sourceDbServerResourceId": "localhost:1@mig", "sslMode": "Require"}, 603000),
        ({"dbsToMigrate": ["shop", "none"]}, 603102),
    ],
)
def test_validation_finds_what_the_servers_say(azure, properties, number):
    status = azure.ended(azure.put("bad", migrationOption="Validate", **properties), "ValidationFailed")
    assert f"{number}:" in str(status)


def test_validation_looks_into_databases(azure, ends):
    source, target = ends
    source.psql('CREATE EXTENSION hstore; CREATE COLLATION mine FROM "C"', dbname="billing")
    try:
        text = str(azure.ended(azure.put("objects", migrationOption="Validate"), "ValidationFailed"))
        assert "603108" in text and "603403" in text
        azure.azure.tolerate(603403)
        path = azure.target + "/configurations/azure.extensions"
        body = {"properties": {"value": "hstore", "source": "user-override"}}
        assert azure.finished(azure.client.call("PUT", path, body))["status"] == "Succeeded"
        assert ask(target, "SHOW azure.extensions") == [("hstore",)]
        azure.ended(azure.put("allowed", migrationOption="Validate"), "Succeeded")
    finally:
        source.psql("DROP EXTENSION hstore; DROP COLLATION mine", dbname="billing")


def test_an_online_migration_follows_until_the_cutover(azure, ends):
    source, target = ends
    path = azure.put("online", migrationMode="Online", dbsToMigrate=["shop"])
    azure.ended(path, "WaitingForUserAction")
    ask(source, "INSERT INTO app.child (parent, note) SELECT 1, 'late' FROM generate_series(1, 20)", "shop")
    ask(source, "UPDATE app.parent SET name = 'renamed' WHERE id = 7", "shop")
    ask(source, "DELETE FROM app.quiet WHERE id <= 5", "shop")
    assert azure.patch(path, triggerCutover="True", dbsToTriggerCutoverOn=["shop"]).status == 200
    assert azure.patch(path, triggerCutover="True", dbsToTriggerCutoverOn=["shop"]).status == 200
    azure.ended(path, "Succeeded")
    assert contents(target, "shop") == contents(source, "shop")
    asked = "INSERT INTO app.child (parent) VALUES (1) RETURNING id"
    assert ask(target, asked, "shop") == ask(source, asked, "shop")  # the sequence goes on where it was
    assert leftovers(source, target) == []


def test_counters_and_latency_of_an_online_migration(azure, ends):
    path = azure.put("counting", migrationMode="Online", dbsToMigrate=["shop"])
    azure.ended(path, "WaitingForUserAction")
    ask(ends[0], "INSERT INTO app.child (parent, note) SELECT 1, 'late' FROM generate_series(1, 30)", "shop")

    def applied() -> bool:
        found = azure.azure.resource(path)["properties"]["currentStatus"]["currentSubStateDetails"]["dbDetails"]["shop"]
        return found["cdcInsertCounter"] >= 30 and found["appliedChanges"] >= 30 and found["latency"] == 0

    wait_for(applied, "30 rows in the counters", 60)
    azure.patch(path, cancel="True")
    azure.ended(path, "Canceled")
    assert leftovers(*ends) == []


def test_a_cutover_that_the_engine_refuses_fails_the_migration_and_releases_the_source(azure, ends):
    path = azure.put("altered", migrationMode="Online", dbsToMigrate=["shop"])
    azure.ended(path, "WaitingForUserAction")
    ask(ends[0], "CREATE FUNCTION app.late() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "shop")
    try:
        azure.patch(path, triggerCutover="True", dbsToTriggerCutoverOn=["shop"])
        status = azure.ended(path, "Failed")
    finally:
        ask(ends[0], "DROP FUNCTION app.late()", "shop")
    assert "function app.late() is new on the source" in str(status)
    assert leftovers(*ends) == []


def test_cancelling_stops_the_engine(azure, ends):
    path = azure.put("stopped")
    azure.azure.wait_for(path, "InProgress", "MigratingData")
    azure.patch(path, cancel="True")
    status = azure.ended(path, "Canceled")
    states = {one["migrationState"] for one in status["currentSubStateDetails"]["dbDetails"].values()}
    assert states <= {"Canceled", "Succeeded"} and "Canceled" in states


def test_a_migration_through_a_runtime_server_by_every_documented_way(azure, ends):
    """Private source to private endpoint: on premises, virtual machine, AWS; a Single Server's endpoint likewise."""
    simulator = azure.azure
    near = simulator.add_network(
        "near", "rg", addresses=("10.20.0.0/16",), subnets={"pe": {"addresses": "10.20.0.0/24"}}
    )
    hub = simulator.add_network("hub", "rg", subnets={"runtime": {"addresses": "10.10.1.0/24", "delegated": True}})
    spoke = simulator.add_network(
        "spoke", "rg", addresses=("10.30.0.0/16",), subnets={"pe": {"addresses": "10.30.0.0/24"}}
    )
    for network in (near, spoke):
        simulator.add_peering(hub, network)
    own = simulator.add_dns_zone("hub.private.postgres.database.azure.com", "rg", [hub])
    link = simulator.add_dns_zone("privatelink.postgres.database.azure.com", "rg", [hub])
    runtime = simulator.add_flexible_server(
        "runtime", "rg", delegated_subnet_id=hub + "/subnets/runtime", private_dns_zone_id=own
    )
    azure.target = simulator.add_flexible_server("private", "rg", cluster=ends[1], public_network_access="Disabled")
    simulator.add_private_endpoint("target-pe", "rg", spoke + "/subnets/pe", azure.target, zone=link)
    simulator.place_source(f"localhost:{ends[0].port}", near)
    words = {"migrationInstanceResourceId": runtime, "dbsToMigrate": ["shop"]}
    for kind in ("OnPremises", "AzureVM", "AWS_RDS"):
        azure.ended(azure.put(kind.lower().replace("_", ""), sourceType=kind, **words), "Succeeded")
        assert contents(ends[1], "shop") == contents(ends[0], "shop")
        ask(ends[1], "DROP DATABASE shop WITH (FORCE)")
    single = simulator.add_single_server("old", "rg", cluster=ends[0], private_endpoint=near + "/subnets/pe")
    record = {"properties": {"ttl": 10, "aRecords": [{"ipv4Address": "10.20.0.5"}]}}
    azure.client.call("PUT", link + "/A/old", record, version="2024-06-01")
    secrets = {"adminCredentials": {"sourceServerPassword": SOURCE_PASSWORD, "targetServerPassword": TARGET_PASSWORD}}
    secrets.update(sourceServerUsername="mig@old", targetServerUsername="dbadmin")
    sent = {"sourceDbServerResourceId": single, "secretParameters": secrets, "sourceType": "PostgreSQLSingleServer"}
    azure.ended(azure.put("single", **sent, **words), "Succeeded")
    assert contents(ends[1], "shop") == contents(ends[0], "shop")


def test_parameters_are_those_of_the_real_server(azure, ends):
    base = azure.target + "/configurations/"

    def put(name: str, value: str) -> dict:
        body = {"properties": {"value": value, "source": "user-override"}}
        return azure.finished(azure.client.call("PUT", base + name, body))

    assert put("work_mem", "8192")["status"] == "Succeeded"
    assert ask(ends[1], "SHOW work_mem") == [("8MB",)]
    assert put("max_locks_per_transaction", "128")["status"] == "Succeeded"
    found = azure.client.get(base + "max_locks_per_transaction").body["properties"]
    assert (found["value"], found["isConfigPendingRestart"], found["isDynamicConfig"]) == ("128", True, False)
    assert ask(ends[1], "SHOW max_locks_per_transaction") == [("64",)]
    azure.finished(azure.client.call("POST", azure.target + "/restart", {"restartWithFailover": False}))
    assert ask(ends[1], "SHOW max_locks_per_transaction") == [("128",)]
    assert azure.client.get(base + "max_locks_per_transaction").body["properties"]["isConfigPendingRestart"] is False
    assert put("work_mem", "1")["error"]["code"] == "InvalidParameterValue"
    for name in ("work_mem", "max_locks_per_transaction"):
        body = {"properties": {"source": "system-default"}}
        assert azure.finished(azure.client.call("PUT", base + name, body))["status"] == "Succeeded"


def test_databases_are_those_of_the_real_server(azure, ends):
    azure.finished(azure.client.call("PUT", azure.target + "/databases/made", {"properties": {"charset": "utf8"}}))
    assert ask(ends[1], "SELECT count(*) FROM pg_database WHERE datname = 'made'") == [(1,)]
    names = [one["name"] for one in azure.client.get(azure.target + "/databases").body["value"]]
    assert "made" in names
    azure.finished(azure.client.call("DELETE", azure.target + "/databases/made"))
    assert ask(ends[1], "SELECT count(*) FROM pg_database WHERE datname = 'made'") == [(0,)]


def test_a_server_that_is_created_can_be_a_real_one(azure, ends):
    azure.azure.make_clusters_with(ends[1].prefix)
    path = azure.target.replace("/target", "/fresh")
    body = {
        "location": "eastus",
        "sku": {"name": "Standard_D2s_v3", "tier": "GeneralPurpose"},
        "properties": {"administratorLogin": "boss", "administratorLoginPassword": "Fresh-2026-pw", "version": "17"},
    }
    assert azure.finished(azure.client.call("PUT", path, body))["status"] == "Succeeded"
    host, port = azure.azure.address(path)
    words = {"host": host, "port": port, "user": "boss", "dbname": "postgres", "sslmode": "require"}
    with psycopg2.connect(**words, password="Fresh-2026-pw") as session, session.cursor() as cursor:
        cursor.execute(
            "SELECT pg_has_role('azure_pg_admin', 'MEMBER'), rolsuper FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (True, False)
    session.close()
    azure.finished(azure.client.call("DELETE", path))
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(**words, password="Fresh-2026-pw")


def test_a_single_server_is_set_up_for_replication(azure, ends, tmp_path):
    with Cluster(obtain(14, CACHE), tmp_path / "single", settings={"wal_level": "replica"}) as single:
        single.psql(
            "CREATE ROLE mig LOGIN SUPERUSER REPLICATION PASSWORD 'single pw'; CREATE TABLE kept (id integer PRIMARY KEY)"
        )
        single.psql("CREATE DATABASE shop")
        single.psql(
            "CREATE TABLE kept (id integer PRIMARY KEY); INSERT INTO kept SELECT generate_series(1, 9)", dbname="shop"
        )
        server = azure.azure.add_single_server("old", "rg", cluster=single, administrator_login="mig")
        secrets = {"adminCredentials": {"sourceServerPassword": "single pw", "targetServerPassword": TARGET_PASSWORD}}
        words = {
            "sourceDbServerResourceId": server,
            "secretParameters": secrets,
            "sourceType": "PostgreSQLSingleServer",
        }
        path = azure.put("single", migrationMode="Online", dbsToMigrate=["shop"], **words)
        azure.azure.wait_for(path, "WaitingForUserAction", "WaitingForLogicalReplicationSetupRequestOnSourceDB")
        azure.patch(path, setupLogicalReplicationOnSourceDbIfNeeded="True")
        azure.azure.wait_for(path, "WaitingForUserAction", "WaitingForCutoverTrigger", timeout=60)
        assert single.psql("SHOW wal_level").strip() == "logical"
        azure.patch(path, triggerCutover="True")
        azure.ended(path, "Succeeded")
        assert ask(ends[1], "SELECT count(*) FROM kept", "shop") == [(9,)]
