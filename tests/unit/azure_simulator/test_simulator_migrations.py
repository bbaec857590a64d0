# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of migrations on paper: states, what is said when, cutover, cancelling, deadlines."""

from __future__ import annotations

import pytest

from tests.azure_simulator.clock import DURATIONS

PREREQUISITES, VALIDATION, DATA = (DURATIONS[f"migration {word}"] for word in ("prerequisites", "validation", "data"))


class Migration:
    """One migration as a client sees it."""

    def __init__(self, azure, client, target: str, name: str = "first"):
        self.azure, self.client = azure, client
        self.path = f"{target}/migrations/{name}"

    def put(self, body: dict):
        return self.client.call("PUT", self.path, body)

    def patch(self, **properties):
        return self.client.call("PATCH", self.path, {"properties": properties})

    def get(self) -> dict:
        return self.client.get(self.path).body

    @property
    def status(self) -> dict:
        return self.get()["properties"]["currentStatus"]

    @property
    def state(self) -> tuple:
        found = self.status
        return found["state"], found["currentSubStateDetails"]["currentSubState"]

    @property
    def databases(self) -> dict:
        return self.status["currentSubStateDetails"]["dbDetails"]

    def run(self, seconds: float) -> tuple:
        """Let time pass, and say the state."""
        self.azure.clock.step(seconds)
        return self.state

    def run_to_cutover(self, body: dict) -> None:
        assert self.put(body).status == 201
        self.run(PREREQUISITES + VALIDATION + DATA + 1)
        assert self.state == ("WaitingForUserAction", "WaitingForCutoverTrigger")


@pytest.fixture
def migration(azure, client, target):
    return Migration(azure, client, target)


def test_put_says_only_the_state_and_get_says_more_and_more(migration, bodies):
    reply = migration.put(bodies.migration())
    properties = reply.body["properties"]
    assert reply.status == 201 and properties["currentStatus"] == {"state": "InProgress"}
    assert reply.body["location"] == "eastus" and "migrateRoles" not in properties
    assert properties["triggerCutover"] == "True" and properties["sslMode"] == "Prefer"
    first = migration.get()
    assert first["location"] == "East US" and first["properties"]["migrateRoles"] == "False"
    assert first["properties"]["currentStatus"]["currentSubStateDetails"] == {
        "currentSubState": "PerformingPreRequisiteSteps",
        "dbDetails": {},
    }
    assert "targetDbServerMetadata" not in first["properties"]
    migration.azure.clock.step(2)
    assert migration.get()["properties"]["targetDbServerMetadata"]["sku"]["name"] == "Standard_D2s_v3"


def test_secrets_never_come_back(azure, migration, bodies):
    migration.put(bodies.migration())
    migration.run(1000)
    found = azure.leaks("source-secret")
    assert len(found["requests"]) == 1 and found["answers"] == []
    assert (
        azure.calls("PUT")[-1].request["properties"]["secretParameters"]["adminCredentials"]["sourceServerPassword"]
        == "(masked)"
    )


def test_an_offline_migration_goes_through_its_states(migration, bodies):
    migration.put(bodies.migration())
    assert migration.state == ("InProgress", "PerformingPreRequisiteSteps")
    assert migration.run(PREREQUISITES + 1) == ("InProgress", "ValidationInProgress")
    assert migration.run(VALIDATION) == ("InProgress", "MigratingData")
    assert {one["migrationState"] for one in migration.databases.values()} == {"InProgress"}
    migration.run(DATA / 2 + 1)
    found = migration.databases
    assert found["shop"]["migrationState"] == "Succeeded" and found["shop"]["fullLoadCompletedTables"] == 10
    assert found["billing"]["fullLoadLoadingTables"] == 1
    assert migration.run(DATA / 2) == ("InProgress", "CompletingMigration")
    assert migration.run(31) == ("Succeeded", "Completed")
    properties = migration.get()["properties"]
    details = properties["currentStatus"]["currentSubStateDetails"]
    assert details["validationDetails"]["status"] == "Succeeded" and "error" not in properties["currentStatus"]
    assert properties["migrationWindowEndTimeInUtc"] > properties["migrationWindowStartTimeInUtc"]


def test_validation_alone_succeeds_without_databases(migration, bodies):
    migration.put(bodies.migration(migrationOption="Validate"))
    assert migration.run(PREREQUISITES + VALIDATION + 1) == ("Succeeded", "Completed")
    assert migration.databases == {}


def test_without_validation_there_are_no_details_of_it(migration, bodies):
    migration.put(bodies.migration(migrationOption="Migrate"))
    assert migration.run(PREREQUISITES + 1) == ("InProgress", "MigratingData")
    assert "validationDetails" not in migration.status["currentSubStateDetails"]


def test_a_second_migration_on_a_target_is_accepted_and_fails_afterwards(azure, client, target, migration, bodies):
    second = Migration(azure, client, target, "second")
    assert migration.put(bodies.migration()).status == 201
    assert second.put(bodies.migration()).body["properties"]["currentStatus"] == {"state": "InProgress"}
    assert second.run(0.5) == ("CleaningUp", "CompletingMigration")
    assert second.status["error"] == "There is already an active Migration Running on this target."
    assert second.run(1) == ("Failed", "Completed")
    assert second.status["error"] == "There is already an active Migration Running on this target."
    assert migration.state[0] == "InProgress"


def test_a_list_names_the_active_ones_unless_all_are_asked_for(azure, client, target, migration, bodies):
    migration.put(bodies.migration(migrationOption="Validate"))
    assert [one["name"] for one in client.get(target + "/migrations").body["value"]] == ["first"]
    migration.run(1000)
    assert client.get(target + "/migrations").body["value"] == []
    assert client.get(target + "/migrations", migrationListFilter="Active").body["value"] == []
    assert [one["name"] for one in client.get(target + "/migrations", migrationListFilter="All").body["value"]] == [
        "first"
    ]


def test_the_same_put_again_is_200_while_it_runs_and_a_name_is_never_free_again(client, target, migration, bodies):
    assert migration.put(bodies.migration()).status == 201
    assert migration.put(bodies.migration()).status == 200
    assert migration.put(bodies.migration(dbsToMigrate=["other"])).status == 409
    migration.run(3600)
    assert migration.put(bodies.migration()).code == "MigrationAlreadyExists"
    kind = "Microsoft.DBforPostgreSQL/flexibleServers/migrations"
    asked = client.call("POST", target + "/checkMigrationNameAvailability", {"name": "first", "type": kind}).body
    assert (asked["nameAvailable"], asked["reason"]) == (False, "AlreadyExists")
    assert client.call("POST", target + "/checkMigrationNameAvailability", {"name": "next", "type": kind}).body[
        "nameAvailable"
    ]


def test_online_waits_for_the_cutover_and_takes_it_twice(migration, bodies):
    migration.run_to_cutover(bodies.migration(migrationMode="Online"))
    assert migration.get()["properties"]["triggerCutover"] == "False"
    first = migration.databases["shop"]
    migration.azure.clock.step(10)
    assert migration.databases["shop"]["appliedChanges"] > first["appliedChanges"] and first["latency"] == 0
    names = ["shop", "billing"]
    reply = migration.patch(triggerCutover="True", dbsToTriggerCutoverOn=names)
    assert reply.status == 200 and reply.body["properties"]["currentStatus"]["state"] == "InProgress"
    assert migration.state == ("InProgress", "CompletingMigration")
    assert migration.patch(triggerCutover="True", dbsToTriggerCutoverOn=names).status == 200
    assert migration.run(31) == ("Succeeded", "Completed")
    assert migration.patch(triggerCutover="True", dbsToTriggerCutoverOn=names).status == 200


def test_a_cutover_of_one_database_leaves_the_others_waiting(migration, bodies):
    migration.run_to_cutover(bodies.migration(migrationMode="Online"))
    migration.patch(triggerCutover="True", dbsToTriggerCutoverOn=["shop"])
    states = {name: one["migrationState"] for name, one in migration.databases.items()}
    assert states == {"shop": "Succeeded", "billing": "WaitingForCutoverTrigger"}
    assert migration.state == ("WaitingForUserAction", "WaitingForCutoverTrigger")
    migration.patch(triggerCutover="True", dbsToTriggerCutoverOn=["billing"])
    assert migration.run(31) == ("Succeeded", "Completed")


def test_a_cutover_at_the_wrong_moment_is_refused(migration, bodies):
    migration.put(bodies.migration(migrationMode="Online"))
    assert migration.patch(triggerCutover="True").code == "MigrationStateNotAllowed"
    migration.run_to_cutover.__self__.run(PREREQUISITES + VALIDATION + DATA + 1)
    assert migration.patch(triggerCutover="True", dbsToTriggerCutoverOn=["none"]).status == 400


def test_offline_has_no_cutover(migration, bodies):
    migration.put(bodies.migration())
    found = migration.patch(triggerCutover="True")
    assert found.status == 400 and "603114" in found.body["error"]["message"]


def test_cutting_over_what_has_ended_is_refused_with_its_number(migration, bodies):
    migration.run_to_cutover(bodies.migration(migrationMode="Online"))
    migration.patch(cancel="True")
    assert migration.run(21) == ("Canceled", "Completed")
    assert "603113" in migration.patch(triggerCutover="True").body["error"]["message"]


def test_a_migration_is_cancelled_by_patch_and_by_delete(azure, client, target, migration, bodies):
    migration.put(bodies.migration())
    migration.run(PREREQUISITES + VALIDATION + 10)
    assert migration.patch(cancel="True", dbsToCancelMigrationOn=["shop", "billing"]).status == 200
    assert migration.state == ("InProgress", "CancelingRequestedDBMigrations")
    assert migration.run(21) == ("Canceled", "Completed")
    assert {one["migrationState"] for one in migration.databases.values()} == {"Canceled"}
    second = Migration(azure, client, target, "second")
    second.put(bodies.migration())
    deleted = client.call("DELETE", second.path)
    assert deleted.status == 200 and deleted.body["name"] == "second"
    assert second.run(21)[0] == "Canceled"
    assert client.call("DELETE", target + "/migrations/none").status == 204
    assert client.get(target + "/migrations", migrationListFilter="All").body["value"][1]["name"] == "second"


def test_what_has_ended_cannot_be_cancelled(migration, bodies):
    migration.put(bodies.migration())
    migration.run(3600)
    assert migration.patch(cancel="True").code == "MigrationStateNotAllowed"


def test_cancelling_one_database_lets_the_others_finish(migration, bodies):
    migration.put(bodies.migration())
    migration.run(PREREQUISITES + VALIDATION + 1)
    migration.patch(cancel="True", dbsToCancelMigrationOn=["billing"])
    assert migration.run(DATA + 60) == ("Succeeded", "Completed")
    assert {name: one["migrationState"] for name, one in migration.databases.items()} == {
        "shop": "Succeeded",
        "billing": "Canceled",
    }


def test_a_database_that_exists_stops_validation_or_waits_for_consent(azure, client, target, migration, bodies):
    azure.add_databases(target, "shop")
    migration.put(bodies.migration(overwriteDbsInTarget="False"))
    assert migration.run(PREREQUISITES + VALIDATION + 1) == ("ValidationFailed", "Completed")
    assert "603101" in str(migration.status)
    second = Migration(azure, client, target, "second")
    second.put(bodies.migration(overwriteDbsInTarget="False", migrationOption="Migrate"))
    assert second.run(PREREQUISITES + 1) == ("WaitingForUserAction", "WaitingForTargetDBOverwriteConfirmation")
    second.patch(overwriteDbsInTarget="True")
    assert second.state == ("InProgress", "MigratingData")


def test_a_window_in_the_future_is_waited_for(migration, bodies):
    migration.put(bodies.migration(migrationWindowStartTimeInUtc="2099-01-01T00:00:00Z"))
    assert migration.run(PREREQUISITES + VALIDATION + 1) == ("InProgress", "WaitingForDataMigrationWindow")
    migration.patch(startDataMigration="True")
    assert migration.state == ("InProgress", "MigratingData")


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"dbsToMigrate": []}, "at least one"),
        ({"dbsToMigrate": [f"d{number}" for number in range(51)]}, "at most 50"),
        ({"sourceDbServerResourceId": "nonsense"}, "sourceDbServerResourceId"),
        ({"secretParameters": {"adminCredentials": {"sourceServerPassword": "x"}}}, "targetServerPassword"),
        ({"migrationInstanceResourceId": "/subscriptions/x/resourceGroups/y/providers/A/b/c"}, "flexible server"),
        ({"overwriteDbsInTarget": True}, "System.String"),
        ({"sslMode": "Never"}, "sslMode"),
    ],
)
def test_what_a_put_may_not_say(azure, migration, bodies, properties, text):
    azure.mistakes = True
    found = migration.put(bodies.migration(**properties))
    assert found.status == 400 and text in found.body["error"]["message"]


def test_the_runtime_server_is_not_the_target_and_must_be_ready(azure, client, target, migration, bodies):
    refused = migration.put(bodies.migration(migrationInstanceResourceId=target))
    assert "cannot be the same" in refused.body["error"]["message"]
    network = azure.add_network("net", "rg", subnets={"runtime": {"addresses": "10.10.1.0/24", "delegated": True}})
    zone = azure.add_dns_zone("x.private.postgres.database.azure.com", "rg", [network])
    words = {"delegated_subnet_id": network + "/subnets/runtime", "private_dns_zone_id": zone}
    runtime = azure.add_flexible_server("runtime", "rg", state="Stopped", **words)
    migration.put(bodies.migration(migrationInstanceResourceId=runtime))
    migration.run(PREREQUISITES + 5)
    assert migration.state == ("Failed", "Completed") and "603709" in migration.status["error"]
    second = Migration(azure, client, target, "second")
    azure.cloud.find(runtime).properties["state"] = "Ready"
    second.put(bodies.migration(migrationInstanceResourceId=runtime))
    assert second.get()["properties"]["migrationInstanceResourceId"] == runtime
    client.call("DELETE", runtime)
    assert second.run(PREREQUISITES / 2)[0] == "Failed"  # the runtime server is gone before the prerequisites are met
    assert "runtime server" in second.status["error"]


def test_elastic_clusters_and_flexible_sources_are_refused(azure, client, target, migration, bodies):
    elastic = azure.add_flexible_server("elastic", "rg", elastic_cluster=True)
    refused = Migration(azure, client, elastic).put(bodies.migration())
    assert refused.code == "ElasticClusterNotSupported"
    migration.put(bodies.migration(sourceType="PostgreSQLFlexibleServer"))
    assert migration.run(PREREQUISITES + VALIDATION + 1)[0] == "ValidationFailed"
    assert "pgaadauth" in str(migration.status)


def test_a_single_server_as_source_fills_in_what_was_not_said(azure, migration, bodies):
    source = azure.add_single_server("old", "rg", location="westus2")
    reply = migration.put(bodies.migration(sourceDbServerResourceId=source))
    assert reply.body["properties"]["sourceType"] == "PostgreSQLSingleServer"
    assert reply.body["properties"]["sslMode"] == "VerifyFull"
    azure.clock.step(2)
    found = migration.get()["properties"]["sourceDbServerMetadata"]
    assert found == {"location": "westus2", "version": "11", "storageMb": 102400, "sku": {}}


def test_a_single_server_is_set_up_for_replication_when_the_user_says_so(azure, client, migration, bodies):
    source = azure.add_single_server("old", "rg")
    migration.put(bodies.migration(sourceDbServerResourceId=source, migrationMode="Online"))
    wanted = ("WaitingForUserAction", "WaitingForLogicalReplicationSetupRequestOnSourceDB")
    assert migration.run(PREREQUISITES + VALIDATION + 1) == wanted
    migration.patch(setupLogicalReplicationOnSourceDbIfNeeded="True")
    azure.clock.step(0.1)
    assert migration.state == ("InProgress", "PerformingPreRequisiteSteps")
    for _attempt in range(200):
        if migration.run(121) == ("InProgress", "MigratingData"):
            break
    parameter = client.get(source + "/configurations/azure.replication_support", version="2017-12-01")
    assert parameter.body["properties"]["value"] == "LOGICAL"


def test_cutover_must_come_within_three_days(migration, bodies):
    migration.run_to_cutover(bodies.migration(migrationMode="Online"))
    assert migration.run(71 * 3600)[0] == "WaitingForUserAction"
    migration.run(2 * 3600)
    assert migration.run(5) == ("Failed", "Completed") and "3 days" in migration.status["error"]


def test_a_migration_can_be_made_older(azure, migration, bodies):
    migration.run_to_cutover(bodies.migration(migrationMode="Online"))
    before = migration.get()["properties"]["migrationWindowStartTimeInUtc"]
    azure.age(migration.path, hours=50)
    assert migration.get()["properties"]["migrationWindowStartTimeInUtc"] < before
    assert migration.state[0] == "WaitingForUserAction"
    azure.age(migration.path, hours=23)
    azure.clock.step(5)
    assert migration.state[0] == "Failed"


def test_seven_days_are_the_end_of_everything(migration, bodies):
    migration.put(bodies.migration(migrationWindowStartTimeInUtc="2099-01-01T00:00:00Z"))
    migration.run(168 * 3600 + 1)
    assert migration.run(5)[0] == "Failed" and "7 days" in migration.status["error"]


def test_tags_can_be_changed_at_any_time(client, migration, bodies):
    body = {**bodies.migration(), "tags": {"a": "1"}}
    assert migration.put(body).body["tags"] == {"a": "1"}
    migration.run(3600)
    found = client.call("PATCH", migration.path, {"tags": {"a": "2", "b": "3"}})
    assert found.status == 200 and found.body["tags"] == {"a": "2", "b": "3"}


def test_a_target_without_password_login_fails_validation(azure, client, bodies):
    entra = azure.add_flexible_server("entra", "rg", authentication="Entra")
    migration = Migration(azure, client, entra)
    migration.put(bodies.migration())
    assert migration.run(PREREQUISITES + VALIDATION + 1)[0] == "ValidationFailed"
    assert "603100" in str(migration.status)
