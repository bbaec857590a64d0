# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target made ready for a load, and back again, against the simulator."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest, PreconditionFailed
from support.azure_stage import changing


def parameter(stage, name: str) -> tuple:
    found = stage.session().get(f"{stage.target}/configurations/{name}")["properties"]
    return found["value"], found["source"]


def tags(stage) -> dict:
    return stage.azure.resource(stage.target).get("tags") or {}


@pytest.fixture
def ready(stage):
    """A landscape with a runtime server, so that only the target is left to change."""
    stage.present()
    return stage


def test_nothing_of_the_target_is_changed_that_is_not_asked_for(ready):
    before = len(changing(ready.azure))
    assert ready.present(azure_target={"parameters": {}})["changed"] is False
    assert len(changing(ready.azure)) == before
    assert tags(ready) == {}


def test_parameters_are_raised_kept_in_tags_and_restored(ready):
    wanted = {"parameters": {"max_wal_size": 32768, "autovacuum": False}, "extensions": ["vector"]}
    before = {name: parameter(ready, name) for name in ("max_wal_size", "autovacuum", "azure.extensions")}
    told = ready.present(check_mode=True, azure_target=wanted)
    assert tags(ready) == {}
    done = ready.present(azure_target=wanted)
    assert done["changes"] == told["changes"] and len(done["changes"]) == 3
    assert parameter(ready, "max_wal_size") == ("32768", "user-override")
    assert parameter(ready, "autovacuum")[0] == "off"
    kept = tags(ready)
    assert kept["azpg-was-max_wal_size"] == f"{before['max_wal_size'][1]}:{before['max_wal_size'][0]}"
    assert "azpg-was-azure.extensions" not in kept
    assert ready.present(azure_target=wanted)["changed"] is False
    gone = ready.absent()
    assert f"target target: parameter max_wal_size: 32768 -> {before['max_wal_size'][0]}" in gone["changes"]
    for name in ("max_wal_size", "autovacuum"):
        assert parameter(ready, name) == before[name]
    # What the databases need stays.
    assert "vector" in parameter(ready, "azure.extensions")[0].lower().split(",")
    assert tags(ready) == {}


def test_static_parameters_are_batched_into_one_restart_that_has_to_be_allowed(ready):
    wanted = {"parameters": {"max_replication_slots": 30, "max_worker_processes": 24, "checkpoint_timeout": 3600}}
    with pytest.raises(PreconditionFailed, match="restarted for max_replication_slots, max_worker_processes"):
        ready.present(azure_target=wanted)
    assert tags(ready) == {}
    ready.present(azure_target={**wanted, "restart": True})
    assert len(ready.azure.calls("POST", "target/restart")) == 1
    session = ready.session()
    assert not [
        entry["name"]
        for entry in session.list(f"{ready.target}/configurations")
        if entry["properties"].get("isConfigPendingRestart")
    ]
    ready.absent()
    assert len(ready.azure.calls("POST", "target/restart")) == 2


def test_the_target_is_scaled_up_and_back(ready):
    ready.present(azure_target={"sku": "Standard_D8s_v3"}, server={"sku": "Standard_D8s_v3"})
    assert ready.azure.resource(ready.target)["sku"]["name"] == "Standard_D8s_v3"
    assert tags(ready)["azpg-was-sku"] == "Standard_D4s_v3/GeneralPurpose"
    ready.absent()
    assert ready.azure.resource(ready.target)["sku"]["name"] == "Standard_D4s_v3"
    assert tags(ready) == {}


def test_recommended_parameters_are_all_taken_back(ready):
    session = ready.session()
    before = {entry["name"]: entry["properties"]["value"] for entry in session.list(f"{ready.target}/configurations")}
    done = ready.present(azure_target={"recommended_parameters": True})
    assert len(done["changes"]) >= 5
    assert len(tags(ready)) <= 50
    ready.absent()
    assert {
        entry["name"]: entry["properties"]["value"] for entry in session.list(f"{ready.target}/configurations")
    } == before


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"parameters": {"no_such_parameter": 1}}, "which the target does not have"),
        ({"parameters": {"max_wal_size": 1}}, "allowed is"),
        ({"sku": "Standard_Q1"}, "does not offer"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_changed(ready, wanted, problem):
    with pytest.raises((InvalidRequest, PreconditionFailed), match=problem):
        ready.present(azure_target=wanted)
    assert tags(ready) == {}


def test_a_target_that_another_migration_has_prepared_is_left_alone(ready):
    ready.present(azure_target={"parameters": {"checkpoint_timeout": 3600}})
    kept = tags(ready)
    ready.databases = ["other"]
    with pytest.raises(PreconditionFailed, match="was prepared for another migration"):
        ready.present(azure_target={"parameters": {"checkpoint_timeout": 900}})
    ready.absent()
    assert tags(ready) == kept
    assert parameter(ready, "checkpoint_timeout")[0] == "3600"


@pytest.mark.parametrize("step", ["configurations/autovacuum", "configurations/max_worker_processes", "restart"])
def test_wherever_it_fails_the_record_is_there_and_removal_restores(ready, step):
    wanted = {"parameters": {"autovacuum": False, "max_worker_processes": 24}, "restart": True}
    before = {name: parameter(ready, name) for name in ("autovacuum", "max_worker_processes")}
    method = "POST" if step == "restart" else "PUT"
    ready.azure.trouble.add("operation_fails", method=method, path=f"target/{step}", message="not today")
    with pytest.raises(Exception, match="not today"):
        ready.present(azure_target=wanted)
    assert set(tags(ready)) == {"azpg-was-autovacuum", "azpg-was-max_worker_processes", "azpg-prepared-by"}
    ready.absent()
    assert {name: parameter(ready, name) for name in before} == before
    assert tags(ready) == {}


@pytest.mark.parametrize("step", ["PUT .*configurations/autovacuum", "POST .*restart", "PATCH .*tags/default"])
def test_a_restoration_that_fails_is_completed_by_the_next_run(ready, step):
    wanted = {"parameters": {"autovacuum": False, "max_worker_processes": 24}, "restart": True}
    before = {name: parameter(ready, name) for name in ("autovacuum", "max_worker_processes")}
    ready.present(azure_target=wanted)
    method, path = step.split(" ")
    ready.azure.trouble.add("refused", method=method, path=f"target{path}", status=400, code="Odd", message="not today")
    with pytest.raises(Exception, match="not today"):
        ready.absent()
    assert ready.azure.resource(ready.runtime_name)
    ready.absent()
    assert {name: parameter(ready, name) for name in before} == before
    assert tags(ready) == {}
    assert ready.azure.resource(ready.runtime_name) is None
