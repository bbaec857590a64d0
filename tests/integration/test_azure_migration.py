# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations of Azure's service on paper: every path of the module migration against the simulator's control plane."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import (
    InvalidRequest,
    PreconditionFailed,
    TransferFailed,
)
from support.waiting import wait_for


def occupy(shop) -> tuple:
    """Let another migration occupy the target; return its id, and what keeps it from ending until it is removed."""
    frozen = shop.azure.trouble.add("frozen", path="/migrations/other", times=None)
    return shop.create_by_hand("other"), frozen


@contextlib.contextmanager
def meanwhile(work, frozen):
    """Do I(work) in a thread while something is frozen, until the block has seen enough; give its future result."""
    with ThreadPoolExecutor(1) as pool:
        doing = pool.submit(work)
        try:
            yield doing
        finally:
            frozen.remove()


def test_offline_goes_all_the_way_and_a_second_run_changes_nothing(make):
    shop = make()
    done = shop.ensure()
    assert (done["changed"], done["state"]) == (True, "completed")
    assert [record["tags"]["azpg-migration"] for record in shop.records] == ["shop"]
    assert done["migration"]["tables_done"] == done["migration"]["tables_total"] > 0
    (body,) = shop.sent("PUT")
    properties = body["properties"]
    assert properties["migrationInstanceResourceId"] == shop.runtime
    assert properties["overwriteDbsInTarget"] == "False"
    assert properties["sourceDbServerResourceId"] == "localhost:15432@migrator"
    again = shop.ensure()
    assert (again["changed"], again["state"]) == (False, "completed")
    assert len(shop.records) == 1
    assert shop.inform()["state"] == "completed"


def test_check_mode_tells_what_would_be_done_and_does_nothing(make):
    shop = make()
    told = shop.ensure(check_mode=True)
    assert (told["changed"], told["state"]) == (True, "absent")
    assert told["diff"]["after"] == "move shop, billing to target\n"
    assert shop.records == []
    shop.ensure()
    again = shop.ensure(check_mode=True)
    assert (again["changed"], again["diff"]["after"]) == (False, "")


def test_more_databases_than_a_batch_are_carried_in_turn(make):
    shop = make([f"db{number}" for number in range(7)])
    told = shop.ensure(check_mode=True, batch_size=3, overwrite_databases=["db1"])
    assert told["diff"]["after"].splitlines() == [
        "move db0, db2, db3 to target",
        "move db4, db5, db6 to target",
        "move db1 to target, replacing what exists there",
    ]
    done = shop.ensure(batch_size=3, overwrite_databases=["db1"])
    assert done["state"] == "completed"
    assert [body["properties"]["dbsToMigrate"] for body in shop.sent("PUT")] == [
        ["db0", "db2", "db3"],
        ["db4", "db5", "db6"],
        ["db1"],
    ]
    assert [body["properties"]["overwriteDbsInTarget"] for body in shop.sent("PUT")] == ["False", "False", "True"]
    assert {entry["state"] for entry in done["migration"]["databases"]} == {"completed"}
    assert shop.states == ["Succeeded"] * 3


def test_a_dead_controller_leaves_batches_queued_and_the_next_run_carries_them(make):
    shop = make(["a", "b"])
    frozen = shop.azure.trouble.add("frozen", path="migrations/azpg", times=None)
    begun = shop.ensure(batch_size=1, wait=False)
    assert begun["state"] == "running"
    frozen.remove()
    shop.azure.settle()
    # A list that was read a moment ago may be told once more.
    wait_for(lambda: shop.inform()["state"] == "queued", "the next batch's turn")
    assert shop.inform()["migration"]["phase"] == "1 databases have not been begun"
    done = shop.ensure(batch_size=1)
    assert (done["changed"], done["state"]) == (True, "completed")


def test_a_busy_target_is_waited_for(make):
    shop = make()
    other, frozen = occupy(shop)
    queued = shop.ensure(wait=False)
    assert (queued["changed"], queued["state"]) == (False, "queued")
    assert "waits for other, which is active on the target" in queued["migration"]["phase"]
    looks = len(shop.azure.calls("GET", "/migrations"))
    with meanwhile(shop.ensure, frozen) as doing:
        wait_for(lambda: len(shop.azure.calls("GET", "/migrations")) > looks + 3, "looks while it waits")
        assert shop.states == ["InProgress"]
    done = doing.result()
    assert (done["changed"], done["state"]) == (True, "completed")
    assert shop.azure.resource(other)["properties"]["currentStatus"]["state"] == "Succeeded"
    assert shop.states == ["Succeeded", "Succeeded"]


def test_a_busy_target_is_refused_when_nobody_wants_to_wait(make):
    shop = make()
    occupy(shop)
    for check_mode in (False, True):
        with pytest.raises(PreconditionFailed, match="waits for other, which is active on the target"):
            shop.ensure(on_busy="fail", check_mode=check_mode)
    assert len(shop.records) == 1


def test_being_turned_away_after_the_answer_is_no_failure(make, monkeypatch):
    shop = make()
    _other, frozen = occupy(shop)
    from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.backend import AzureBackend

    looks = []
    real = AzureBackend.what_stands_in_the_way

    def blind_once(self, found):
        looks.append(found)
        return "" if len(looks) == 1 else real(self, found)

    monkeypatch.setattr(AzureBackend, "what_stands_in_the_way", blind_once)
    with meanwhile(shop.ensure, frozen) as doing:
        wait_for(lambda: "Failed" in shop.states, "the service to turn it away")
    assert doing.result()["state"] == "completed"
    assert sorted(shop.states) == ["Failed", "Succeeded", "Succeeded"]
    names = [record["name"] for record in shop.records]
    assert names[1].endswith("b1r1") and names[2].endswith("b1r2")


def test_a_runtime_server_takes_one_migration_at_a_time_unless_more_are_allowed(make):
    shop, other = make(), make(["crm"], target="elsewhere", name="crm")
    shop.azure.trouble.add("frozen", path="/migrations/azpg", times=None)
    other.ensure(wait=False)
    queued = shop.ensure(wait=False)
    assert queued["state"] == "queued"
    assert (
        "waits for the runtime server runtime, which carries elsewhere/migrations/azpgcrm"
        in queued["migration"]["phase"]
    )
    assert shop.ensure(runtime_concurrency=2, wait=False)["state"] == "running"
    assert len(shop.azure.active_migrations()) == 2
    third = make(["books"], target="third", name="books")
    assert third.ensure(runtime_concurrency=2, wait=False)["state"] == "queued"
    assert third.ensure(runtime_concurrency=0, wait=False)["state"] == "running"


def test_online_replicates_and_cuts_over_when_it_is_told_to(make):
    shop = make()
    done = shop.ensure(state="replicating", mode="online")
    assert (done["changed"], done["state"]) == (True, "replicating")
    assert {entry["state"] for entry in done["migration"]["databases"]} == {"replicating"}
    assert shop.sent("PATCH")[-1]["tags"]["azpg-replicating-since"]
    again = shop.ensure(state="replicating", mode="online")
    assert (again["changed"], again["state"]) == (False, "replicating")
    told = shop.ensure(mode="online", check_mode=True)
    assert told["diff"]["after"] == "cut over shop, billing\n"
    done = shop.ensure(mode="online")
    assert (done["changed"], done["state"]) == (True, "completed")
    assert shop.sent("PATCH")[-1] == {
        "properties": {"triggerCutover": "True", "dbsToTriggerCutoverOn": ["shop", "billing"]}
    }
    again = shop.ensure(mode="online")
    assert (again["changed"], again["state"]) == (False, "completed")


def test_some_databases_cut_over_before_the_others(make):
    shop = make(["a", "b", "c"])
    shop.ensure(state="replicating", mode="online")
    done = shop.ensure(mode="online", cutover_databases=["b"])
    assert (done["changed"], done["state"]) == (True, "replicating")
    states = {entry["name"]: entry["state"] for entry in done["migration"]["databases"]}
    assert states == {"a": "replicating", "b": "completed", "c": "replicating"}
    again = shop.ensure(mode="online", cutover_databases=["b"])
    assert again["changed"] is False
    assert shop.ensure(mode="online")["state"] == "completed"
    cut = [body["properties"]["dbsToTriggerCutoverOn"] for body in shop.sent("PATCH") if "properties" in body]
    assert cut == [["b"], ["a", "c"]]


def test_groups_replicate_and_cut_over_one_after_the_other(make):
    shop = make(["a", "b", "c"])
    with pytest.raises(InvalidRequest, match="'groups'"):
        shop.ensure(mode="online", batch_size=2)
    words = {"mode": "online", "groups": [["a", "c"], ["b"]], "batch_size": 2}
    assert shop.ensure(state="replicating", **words)["state"] == "replicating"
    assert [record["properties"]["dbsToMigrate"] for record in shop.records] == [["a", "c"]]
    assert shop.ensure(**words)["state"] == "completed"
    assert [record["properties"]["dbsToMigrate"] for record in shop.records] == [["a", "c"], ["b"]]


def test_nothing_cuts_over_while_the_target_lags(make):
    shop = make()
    lag = shop.azure.trouble.add("lags", seconds=120, times=None)
    shop.ensure(state="replicating", mode="online", max_lag=300)
    with pytest.raises(TransferFailed, match="waits for cutover") as caught:
        shop.ensure(mode="online", wait_timeout=1)
    assert caught.value.details["migration"]["lag_seconds"] >= 100
    assert not [body for body in shop.sent("PATCH") if "properties" in body]
    lag.remove()
    assert shop.ensure(mode="online")["state"] == "completed"


def test_the_service_validates_once(make):
    shop = make()
    told = shop.ensure("validated", check_mode=True)
    assert (told["changed"], told["findings"]) == (True, [])
    done = shop.ensure("validated")
    assert (done["changed"], done["state"]) == (True, "absent")
    assert {finding["status"] for finding in done["findings"]} == {"succeeded"}
    assert {"service-extensions", "service-source-version"} <= {finding["rule"] for finding in done["findings"]}
    again = shop.ensure("validated")
    assert (again["changed"], again["findings"]) == (False, done["findings"])
    assert shop.sent("PUT")[0]["properties"]["migrationOption"] == "Validate"
    assert shop.ensure()["state"] == "completed"
    assert [record["name"][-4:] for record in shop.records] == ["b1v1", "b1r1"]


def test_a_validation_that_failed_is_repeated(make):
    shop = make()
    shop.azure.trouble.add(
        "validation_fails", code=603405, message="603405: extension azure is not supported.", database="billing"
    )
    with pytest.raises(PreconditionFailed, match="603405: extension azure") as caught:
        shop.ensure("validated")
    (finding,) = [one for one in caught.value.details["findings"] if one["status"] == "failed"]
    assert (finding["object"], finding["code"], finding["rule"]) == ("billing", "603405", "service-extensions")
    assert "azure.migration_skip_extensions" in finding["remedy"]
    assert shop.ensure("validated")["changed"] is True
    assert [record["name"][-4:] for record in shop.records] == ["b1v1", "b1v2"]


def test_a_failed_migration_tells_code_meaning_and_remedy_and_runs_again(make):
    shop = make(["a", "b"])
    shop.azure.trouble.add(
        "migration_fails", code=603709, message="Set-up failed.", database="b", phase="MigratingData"
    )
    failed = shop.ensure()
    assert failed["state"] == "failed"
    assert "603709" in failed["failure"] and "could not set the migration up" in failed["failure"]
    assert failed["migration"]["error"]["details"]["explanations"][0]["code"] == "603709"
    states = {entry["name"]: entry["state"] for entry in failed["migration"]["databases"]}
    assert states["b"] == "failed"
    done = shop.ensure()
    assert (done["changed"], done["state"]) == (True, "completed")
    # What had arrived is not carried again.
    again = shop.sent("PUT")[1]["properties"]["dbsToMigrate"]
    assert again == [name for name in ("a", "b") if states[name] != "completed"]


def test_cancelling_ends_what_is_under_way_and_says_what_is_left(make):
    shop = make()
    shop.azure.trouble.add("slow_states", factor=50)
    shop.ensure(wait=False)
    told = shop.ensure("cancelled", check_mode=True)
    assert (told["changed"], told["diff"]["after"]) == (True, "cancel migration shop\n")
    done = shop.ensure("cancelled")
    assert (done["changed"], done["state"]) == (True, "cancelled")
    assert done["migration"]["left_on_target"] == []
    assert shop.sent("PATCH") == [{"properties": {"cancel": "True", "dbsToCancelMigrationOn": ["shop", "billing"]}}]
    again = shop.ensure("cancelled")
    assert (again["changed"], again["state"]) == (False, "cancelled")
    assert "was cancelled" in shop.inform()["migration"]["error"]["msg"]
    assert shop.ensure()["state"] == "completed"
    with pytest.raises(InvalidRequest, match="is completed"):
        shop.ensure("cancelled")


def test_a_name_belongs_to_one_request(make):
    shop = make()
    shop.ensure()
    with pytest.raises(PreconditionFailed, match="with another request"):
        shop.ensure(databases=["shop"])
    other = shop.inform(databases=["shop"])
    assert other["state"] == "absent"
    assert "of this name with another request" in other["migration"]["warnings"][0]


def test_what_the_cli_began_is_taken_over(make):
    shop = make()
    shop.azure.wait_for(shop.create_by_hand("fromthecli"), "Succeeded")
    told = shop.ensure(azure_migration_name="fromthecli", check_mode=True)
    assert told["diff"]["after"] == "take over migration fromthecli of target\n"
    done = shop.ensure(azure_migration_name="fromthecli")
    assert (done["changed"], done["state"]) == (True, "completed")
    assert len(shop.records) == 1
    # Its tags are enough from then on.
    again = shop.ensure()
    assert (again["changed"], again["state"]) == (False, "completed")


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"dbsToMigrate": ["shop"]}, "its list of databases is shop there and billing, shop here"),
        ({"migrationMode": "Online"}, "its mode is online there and offline here"),
        ({"sourceDbServerResourceId": "10.1.1.1:5432@x"}, "its source is 10.1.1.1:5432@x there"),
        ({"migrationInstanceResourceId": None}, "its runtime server is none there"),
        ({"migrationOption": "Validate"}, "it only validates"),
    ],
)
def test_what_is_not_the_one_that_is_asked_for_is_not_taken_over(make, properties, words):
    shop = make()
    shop.create_by_hand("other", **properties)
    with pytest.raises(PreconditionFailed, match=words):
        shop.ensure(azure_migration_name="other")
    with pytest.raises(PreconditionFailed, match="has no migration 'missing'"):
        shop.ensure(azure_migration_name="missing")


def test_a_single_server_is_set_up_for_replication_only_with_leave(make):
    shop = make(["shop"])
    old = shop.azure.add_single_server("old", "rg")
    words = {
        "mode": "online",
        "source_server_id": old,
        "source": {**shop.source, "host": "old.postgres.database.azure.com", "user": "dbadmin@old"},
    }
    with pytest.raises(PreconditionFailed, match="which restarts it"):
        shop.ensure("replicating", **words)
    (body,) = shop.sent("PUT")
    assert body["properties"]["sourceDbServerResourceId"] == old
    assert body["properties"]["sslMode"] == "VerifyFull"
    assert shop.inform(**words)["state"] == "waiting"
    done = shop.ensure("replicating", setup_logical_replication=True, migrate_roles=True, **words)
    assert (done["changed"], done["state"]) == (True, "replicating")
    assert {"properties": {"setupLogicalReplicationOnSourceDbIfNeeded": "True"}} in shop.sent("PATCH")
    assert shop.ensure(setup_logical_replication=True, **words)["state"] == "completed"


def test_leave_to_overwrite_is_given_for_databases_that_are_named_only(make):
    shop = make(["a", "b"])
    shop.azure.add_databases(shop.target, "a")
    words = {"unsafe_skip_validation": True, "batch_size": 2}
    with pytest.raises(PreconditionFailed, match="to replace databases that exist on the target: a\\."):
        shop.ensure(**words)
    assert shop.sent("PUT")[0]["properties"]["migrationOption"] == "Migrate"
    with pytest.raises(PreconditionFailed, match="that exist on the target: a\\."):
        shop.ensure(overwrite_databases=["b"], **words)
    assert shop.sent("PATCH") == []
    told = shop.ensure(overwrite_databases=["a"], check_mode=True, **words)
    assert "answer azpgshop" in told["diff"]["after"]
    done = shop.ensure(overwrite_databases=["a"], **words)
    assert (done["changed"], done["state"]) == (True, "completed")
    assert shop.sent("PATCH") == [{"properties": {"overwriteDbsInTarget": "True"}}]


def test_a_window_is_waited_for(make):
    shop = make()
    start = datetime.now(timezone.utc) + timedelta(seconds=3)
    done = shop.ensure(migration_window_start=f"{start:%Y-%m-%dT%H:%M:%SZ}", wait=False)
    assert done["state"] == "running"
    done = shop.ensure(migration_window_start=f"{start:%Y-%m-%dT%H:%M:%SZ}")
    assert (done["changed"], done["state"]) == (False, "completed")


def test_a_file_of_the_cli_is_enough(make, tmp_path):
    shop = make()
    path = tmp_path / "mig.json"
    properties = {
        "SourceDbServerResourceId": "localhost:15432@migrator",
        "migrationRuntimeResourceId": shop.runtime,
        "secretParameters": {
            "adminCredentials": {
                "sourceServerPassword": "file-secret-one",
                "targetServerPassword": "file-secret-two",
            },
            "targetServerUserName": "dbadmin",
        },
        "dbsToMigrate": shop.databases,
        "overwriteDbsInTarget": "false",
        "migrateRole": "true",
    }
    path.write_text(json.dumps({"properties": properties}), encoding="utf-8")
    words = {
        "properties_file": str(path),
        "source": None,
        "databases": None,
        "runtime_server_id": None,
        "target": {"host": shop.destination["host"]},
    }
    done = shop.module(poll_interval=1, **words).good()
    assert done["state"] == "completed"
    assert "'properties.migrateRole', and so does this module" in str(done["warnings"])
    assert "file-secret" not in done.output
    assert shop.sent("PUT")[0]["properties"]["dbsToMigrate"] == shop.databases
    # The same by options is the same migration.
    assert shop.ensure()["changed"] is False
    refused = shop.module(**{**words, "databases": ["shop"]})
    assert refused.failed and "'databases' and the properties file say different things" in refused["msg"]


def test_what_a_request_lacks_is_said_before_anything_is_asked(make):
    shop = make()
    with pytest.raises(InvalidRequest, match="needs 'source.password'"):
        shop.ensure(source={**shop.source, "password": None})
    with pytest.raises(PreconditionFailed, match="There is no runtime server"):
        shop.ensure(runtime_server_id=f"{shop.runtime}x")
    assert shop.sent("PUT") == []


def test_two_migrations_of_one_name_at_the_same_moment_are_one(make):
    shop = make()
    shop.azure.trouble.add("slow_states", factor=3)
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _number: shop.ensure(), range(6)))
    assert [result["state"] for result in results] == ["completed"] * 6
    assert len([result for result in results if result["changed"]]) == 1
    assert shop.states == ["Succeeded"]


def test_where_networks_allow_it_no_runtime_server_is_needed(make):
    shop = make()
    with pytest.raises(InvalidRequest, match="'without_runtime_server' is set, and 'runtime_server_id' is"):
        shop.ensure(without_runtime_server=True)
    done = shop.ensure(without_runtime_server=True, runtime_server_id=None)
    assert done["state"] == "completed"
    assert "migrationInstanceResourceId" not in shop.sent("PUT")[0]["properties"]
