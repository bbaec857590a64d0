# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleanup with provider azure against the simulator: the gate, what goes, what stays, and the final record."""

from __future__ import annotations

import json

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import GateRefused, InvalidRequest
from support.azure_stage import changing


@pytest.fixture
def moved(stage):
    """A migration that is completed."""
    stage.present(azure_target={"parameters": {"checkpoint_timeout": 3600}})
    stage.ensure()
    return stage


def codes(result: dict) -> list:
    return [item["code"] for item in result["refusals"]]


def record_file(stage):
    return stage.directory / "archive" / "shop" / "final-record.json"


def test_everything_of_the_migration_goes_and_the_final_record_stays(moved):
    told = moved.clean(check_mode=True, evidence=moved.evidence())
    assert moved.azure.resource(moved.runtime_name) and not record_file(moved).exists()
    done = moved.clean(evidence=moved.evidence(), azure_server=moved.server(price_per_hour=0.5))
    assert done["state"] == "decommissioned"
    assert sorted(done["removed"]) == sorted(told["removed"])
    assert any(line.startswith("runtime server: flexible server") for line in done["removed"])
    assert any("checkpoint_timeout: 3600 -> 600" in line for line in done["removed"])
    assert moved.azure.resource(moved.runtime_name) is None
    assert moved.azure.resource(moved.target) and moved.azure.resource(moved.subnet)
    record = json.loads(record_file(moved).read_text(encoding="utf-8"))
    assert record["runtime_server"]["hours"] >= 0 and record["runtime_server"]["cost"] >= 0
    assert (
        json.loads((record_file(moved).parent / "verification.json").read_text(encoding="utf-8"))["verdict"] == "MATCH"
    )
    (migration,) = moved.records
    told_by_tag = json.loads(migration["tags"]["azpg-final"])
    assert (told_by_tag["outcome"], told_by_tag["verdict"]) == ("completed", "MATCH")
    assert len(migration["tags"]["azpg-final"]) <= 256
    assert migration["tags"]["azpg-migration"] == "shop"


def test_afterwards_every_phase_changes_nothing(moved):
    moved.clean(evidence=moved.evidence())
    before = len(changing(moved.azure))
    again = moved.clean()
    assert (again["changed"], again["state"]) == (False, "decommissioned")
    assert moved.present()["state"] == "decommissioned"
    assert moved.absent()["changed"] is False
    assert moved.look()["state"] == "decommissioned"
    assert moved.ensure()["state"] == "decommissioned"
    assert moved.check() == {}
    assert len(changing(moved.azure)) == before


def test_on_another_controller_the_tag_tells_that_it_is_over(moved, tmp_path):
    moved.clean(evidence=moved.evidence())
    moved.directory = tmp_path / "elsewhere"
    before = len(changing(moved.azure))
    for result in (moved.present(), moved.look(), moved.ensure(), moved.clean()):
        assert (result["state"], result["changed"]) == ("decommissioned", False)
    assert len(changing(moved.azure)) == before


@pytest.mark.parametrize("status", [403, 409])
def test_a_tag_that_azure_does_not_take_is_said_and_no_failure(moved, status):
    moved.azure.trouble.add("refused", method="PATCH", path="/migrations/", times=None, status=status, code="No")
    done = moved.clean(evidence=moved.evidence())
    assert done["state"] == "decommissioned"
    assert any("in the archive directory only" in warning for warning in moved.warnings)
    assert moved.clean()["changed"] is False


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        ({"verdict": "MISMATCH"}, "verdict-mismatch"),
        (
            {"static": {"holds": True, "proof": {}, "writers": [{"user": "u", "database": "d", "pid": 1}]}},
            "source-being-written",
        ),
        ({"request_hash": "other"}, "evidence-foreign"),
    ],
)
def test_the_gate_stays_shut_with_its_code_and_remedy(moved, evidence, code):
    sealed = moved.evidence(**evidence)
    refused = moved.clean(check_mode=True, evidence=sealed)
    assert refused["state"] == "refused" and code in codes(refused)
    assert all(item["msg"] and item["hint"] for item in refused["refusals"])
    before = len(changing(moved.azure))
    for call in (moved.clean, moved.absent):
        with pytest.raises(GateRefused, match=rf"Nothing was removed\. .*\[{code}\]"):
            call(evidence=sealed)
    assert len(changing(moved.azure)) == before


def test_without_a_report_nothing_goes(moved):
    with pytest.raises(GateRefused, match=r"\[report-missing\]"):
        moved.clean()
    with pytest.raises(GateRefused, match=r"\[report-missing\]"):
        moved.absent()
    assert moved.azure.resource(moved.runtime_name)


def test_an_active_migration_on_another_target_keeps_the_gate_shut(moved):
    other = moved.azure.add_flexible_server("other", "shop")
    frozen = moved.azure.trouble.add("frozen", path="migrations/foreign", times=None)
    first, moved.target, moved.runtime = moved.target, other, moved.runtime_name
    record = moved.create_by_hand("foreign")
    moved.target, moved.runtime = first, None
    refused = moved.clean(check_mode=True, evidence=moved.evidence())
    assert codes(refused) == ["runtime-in-use"]
    assert record in refused["refusals"][0]["msg"]
    frozen.remove()
    moved.azure.wait_for(record, "Succeeded")
    assert moved.clean(evidence=moved.evidence())["state"] == "decommissioned"


def test_an_active_migration_in_another_subscription_keeps_the_gate_shut(moved):
    spokes = moved.azure.add_subscription()
    spokes.add_resource_group("spokes")
    other = spokes.add_flexible_server("elsewhere", "spokes")
    frozen = moved.azure.trouble.add("frozen", path="migrations/foreign", times=None)
    first, moved.target, moved.runtime = moved.target, other, moved.runtime_name
    record = moved.create_by_hand("foreign")
    moved.target, moved.runtime = first, None
    refused = moved.clean(check_mode=True, evidence=moved.evidence())
    assert codes(refused) == ["runtime-in-use"]
    assert record in refused["refusals"][0]["msg"]
    frozen.remove()
    moved.azure.wait_for(record, "Succeeded")
    # What may not be read in a subscription of somebody else is told, and keeps nobody from cleaning up.
    moved.azure.trouble.add("refused", method="GET", path=f"{spokes.subscription_id}.*elsewhere/migrations", times=None)
    assert moved.clean(evidence=moved.evidence())["state"] == "decommissioned"
    assert any(f"the migrations of {other} may not be read" in warning for warning in moved.warnings)


def test_who_may_not_see_the_migrations_of_a_target_does_not_delete(moved):
    moved.azure.add_flexible_server("hidden", "shop")
    moved.azure.trouble.add(
        "refused", path="flexibleServers/hidden/migrations", times=None, status=403, code="AuthorizationFailed"
    )
    refused = moved.clean(check_mode=True, evidence=moved.evidence())
    assert codes(refused) == ["runtime-in-use"]
    assert "is unknown: the migrations of /subscriptions/" in refused["refusals"][0]["msg"]
    assert "migrations/read" in refused["refusals"][0]["hint"]


def test_a_runtime_server_of_somebody_else_is_kept_and_said(stage):
    identifier = stage.add_runtime()
    stage.runtime = identifier
    stage.ensure()
    done = stage.clean(evidence=stage.evidence())
    assert done["state"] == "decommissioned"
    assert [line for line in done["kept"] if identifier in line and "was not made by this collection" in line]
    assert stage.azure.resource(identifier)
    assert stage.absent()["changed"] is False


@pytest.mark.parametrize(
    "step",
    [
        "DELETE flexibleServers/azpg",
        "DELETE virtualNetworkLinks",
        "DELETE privateDnsZones/azpg[^/]*$",
        "PATCH tags/default",
    ],
)
def test_a_cleanup_that_stops_half_way_is_completed_by_the_next(moved, step):
    method, path = step.split(" ")
    trouble = moved.azure.trouble.add("refused", method=method, path=path, status=400, code="Odd", message="not today")
    with pytest.raises(Exception, match="not today"):
        moved.clean(evidence=moved.evidence())
    assert trouble.hits == 1
    # With the final record written, the gate has been passed; before, it wants its evidence again.
    done = moved.clean(evidence=moved.evidence())
    assert done["state"] == "decommissioned"
    assert moved.azure.resource(moved.runtime_name) is None
    assert not [name for name in moved.azure.cloud.resources if "azpg-" in name]
    assert moved.clean()["changed"] is False


def test_a_runtime_server_that_somebody_has_deleted_is_no_obstacle(moved):
    moved.session().finish("DELETE", moved.runtime_name)
    done = moved.clean(evidence=moved.evidence())
    assert done["state"] == "decommissioned" and done["remaining"] == []
    assert not any(line.startswith("runtime server: flexible server") for line in done["removed"])
    assert not [name for name in moved.azure.cloud.resources if "azpg-" in name]
    assert moved.clean()["changed"] is False


def test_what_azure_does_not_let_go_is_named(moved, monkeypatch):
    """It accepts the deletion, and the server is there all the same."""
    deleted = "ansible_collections.azpg.migrate.plugins.module_utils._azure.removal.delete_server"
    monkeypatch.setattr(deleted, lambda scene, seconds, watch: None)
    done = moved.clean(evidence=moved.evidence())
    (line,) = [line for line in done["remaining"] if "flexible server" in line]
    assert line.startswith("runtime server: flexible server") and line.endswith("Azure says that it is still there")


def test_a_server_that_became_an_end_of_the_migration_meanwhile_is_not_deleted(moved):
    """Whatever happened between plan and deletion, the deletion itself looks again."""
    tags = moved.azure.cloud.find(moved.runtime_name).body["tags"]
    moved.azure.trouble.add(
        "slow", method="GET", path="privateDnsZones/azpg", times=1, seconds=0,
        when=lambda: tags.pop("azpg-request", None) or True,
    )  # fmt: skip
    with pytest.raises(Exception, match="belongs to migration|Nothing was"):
        moved.clean(evidence=moved.evidence())
    assert moved.azure.resource(moved.runtime_name)


def test_a_failed_migration_is_given_up_by_its_name(stage):
    stage.present(azure_target={"parameters": {"autovacuum": False}})
    stage.azure.trouble.add("migration_fails", path="migrations/", code=603709, message="set-up failed")
    with pytest.raises(InvalidRequest, match="needs its name"):
        stage.clean(outcome="abandoned")
    assert stage.ensure()["state"] == "failed"
    before = stage.session().get(f"{stage.target}/configurations/autovacuum")["properties"]["value"]
    assert before == "off"
    done = stage.clean(outcome="abandoned", confirm="shop")
    assert done["state"] == "decommissioned"
    assert stage.azure.resource(stage.runtime_name) is None
    # The target's data stays as it is, its parameters do not.
    assert stage.session().get(f"{stage.target}/configurations/autovacuum")["properties"]["value"] == "on"
    assert done["summary"] == ["Migration shop was abandoned; the target keeps what had arrived."]


def test_what_is_running_is_not_given_up(stage):
    stage.present()
    stage.azure.trouble.add("frozen", path="migrations/", times=None)
    stage.ensure(wait=False)
    with pytest.raises(InvalidRequest, match="is running"):
        stage.clean(outcome="abandoned", confirm="shop")
    with pytest.raises(GateRefused, match=r"\[migration-not-completed\].*\[runtime-in-use\]"):
        stage.clean(evidence=stage.evidence())
    assert stage.azure.resource(stage.runtime_name)


def test_where_there_was_never_anything_there_is_nothing_to_do(stage):
    done = stage.clean()
    assert (done["changed"], done["state"]) == (False, "absent")
    assert changing(stage.azure) == []
