# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime server of provider azure against the simulator: made, found, kept, handed over, taken away."""

from __future__ import annotations

import json

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import (
    GateRefused,
    InvalidRequest,
    PreconditionFailed,
)
from support.azure_migrations import kill
from support.azure_stage import changing
from support.waiting import wait_for


def test_a_server_is_made_with_zone_and_links_and_a_second_run_changes_nothing(stage):
    told = stage.present(check_mode=True)
    assert told["changed"] and changing(stage.azure) == []
    done = stage.present()
    assert done["changes"] == told["changes"]
    assert done["diff"]["after"].splitlines() == done["changes"]
    server = stage.azure.resource(stage.runtime_name)
    properties = server["properties"]
    assert server["sku"] == {"name": "Standard_D4s_v3", "tier": "GeneralPurpose"}
    assert properties["network"]["delegatedSubnetResourceId"] == stage.subnet
    assert properties["highAvailability"]["mode"] == "Disabled"
    assert properties["backup"]["geoRedundantBackup"] == "Disabled"
    assert properties["backup"]["backupRetentionDays"] == 7
    assert properties["storage"]["storageSizeGB"] == 64
    assert server["tags"]["azpg-migration"] == "shop"
    assert server["tags"]["azpg-created"] == "server zone"
    assert done["runtime_server"]["owner"] == "this migration"
    assert done["runtime_server"]["cores"] == 4
    before = len(changing(stage.azure))
    again = stage.present()
    assert (again["changed"], again["changes"], again["state"]) == (False, [], "present")
    assert len(changing(stage.azure)) == before
    assert stage.look()["state"] == "present"


def test_a_subnet_is_made_and_all_of_it_goes_again(stage):
    own = {
        "delegated_subnet_id": None,
        "virtual_network_id": stage.runtime_network,
        "subnet_address_prefix": "10.10.9.0/28",
    }
    done = stage.present(server=own)
    server = stage.azure.resource(stage.runtime_name)
    subnet = server["properties"]["network"]["delegatedSubnetResourceId"]
    zone = server["properties"]["network"]["privateDnsZoneArmResourceId"]
    assert server["tags"]["azpg-created"] == "server subnet zone"
    assert [line.split()[0] for line in done["changes"]] == ["private", "link", "link", "link", "subnet", "flexible"]
    told = stage.absent(check_mode=True, server=own)
    assert told["changed"] and stage.azure.resource(stage.runtime_name)
    gone = stage.absent(server=own)
    assert gone["changes"] == told["changes"]
    assert gone["state"] == "absent"
    for identifier in (stage.runtime_name, subnet, zone):
        assert stage.azure.resource(identifier) is None
    assert stage.azure.resource(stage.runtime_network) and stage.azure.resource(stage.private_zone)
    assert stage.absent(server=own)["changed"] is False


@pytest.mark.parametrize(
    "path", ["privateDnsZones/[^/]*$", "virtualNetworkLinks", "subnets/azpg", "flexibleServers/azpg"]
)
@pytest.mark.parametrize("after", ["run", "absent"])
def test_whatever_step_fails_a_second_run_heals_it_and_removal_finds_all(stage, path, after):
    own = {
        "delegated_subnet_id": None,
        "virtual_network_id": stage.runtime_network,
        "subnet_address_prefix": "10.10.9.0/28",
    }
    untouched = sorted(stage.azure.cloud.resources)
    trouble = stage.azure.trouble.add("operation_fails", method="PUT", path=path, code="", message="no reason")
    with pytest.raises(Exception, match="no reason"):
        stage.present(server=own)
    assert trouble.hits == 1
    if after == "run":
        stage.present(server=own)
        assert stage.present(server=own)["changed"] is False
    stage.absent(server=own)
    stage.azure.settle()
    assert sorted(stage.azure.cloud.resources) == untouched


def test_a_stopped_server_of_ours_is_started_scaled_and_relieved_of_high_availability(stage):
    stage.present()
    server = stage.azure.cloud.find(stage.runtime_name)
    server.properties["state"] = "Stopped"
    server.body["sku"] = {"name": "Standard_D2s_v3", "tier": "GeneralPurpose"}
    server.properties["highAvailability"] = {"mode": "ZoneRedundant", "state": "Healthy"}
    told = stage.present(check_mode=True, server={"tags": {"team": "data"}})
    assert [line.split(": ", 1)[1] for line in told["changes"]] == [
        "started",
        "size Standard_D2s_v3 -> Standard_D4s_v3",
        "high availability ZoneRedundant -> Disabled",
        "tags team",
    ]
    done = stage.present(server={"tags": {"team": "data"}})
    assert done["changes"] == told["changes"]
    now = stage.azure.resource(stage.runtime_name)
    assert now["properties"]["state"] == "Ready"
    assert now["sku"]["name"] == "Standard_D4s_v3"
    assert now["tags"]["team"] == "data" and now["tags"]["azpg-migration"] == "shop"
    assert stage.present(server={"tags": {"team": "data"}})["changed"] is False


def test_a_server_of_somebody_else_is_used_as_it_is_and_never_deleted(stage):
    identifier = stage.add_runtime(tags={"team": "dba"})
    done = stage.present(runtime_server_id=identifier)
    assert (done["changed"], done["runtime_server"]["owner"]) == (False, None)
    assert "belongs to nobody that this collection knows" in stage.warnings[0]
    assert changing(stage.azure) == []
    with pytest.raises(GateRefused, match=r"\[runtime-not-owned\].*was not handed over"):
        stage.absent(runtime_server_id=identifier)
    refused = stage.absent(check_mode=True, runtime_server_id=identifier)
    assert (refused["state"], [item["code"] for item in refused["refusals"]]) == ("refused", ["runtime-not-owned"])
    assert stage.azure.resource(identifier)["tags"] == {"team": "dba"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"sku": "Standard_D2s_v3"}, "Its size Standard_D2s_v3 .* is below the target's"),
        ({"state": "Stopped"}, "Its state is Stopped, expected Ready"),
        ({"delegated_subnet_id": None, "private_dns_zone_id": None}, "not integrated into a virtual network"),
        ({"elastic_cluster": True}, "elastic cluster"),
    ],
)
def test_a_server_of_somebody_else_that_does_not_fit_is_refused_with_the_reason(stage, words, reason):
    identifier = stage.add_runtime(**words)
    with pytest.raises(PreconditionFailed, match=reason):
        stage.present(runtime_server_id=identifier)
    assert changing(stage.azure) == []


def test_a_server_that_is_handed_over_is_started_scaled_and_deleted(stage):
    identifier = stage.add_runtime(sku="Standard_D2s_v3", state="Stopped", tags={"team": "dba"})
    told = stage.present(check_mode=True, runtime_server_id=identifier, server={"adopt": True})
    assert changing(stage.azure) == []
    done = stage.present(runtime_server_id=identifier, server={"adopt": True})
    assert done["changes"] == told["changes"]
    assert done["runtime_server"]["adopted"]
    tags = stage.azure.resource(identifier)["tags"]
    assert tags["team"] == "dba" and tags["azpg-adopted-at"] and "azpg-created" not in tags
    assert stage.present(runtime_server_id=identifier)["changed"] is False
    gone = stage.absent(runtime_server_id=identifier)
    assert f"flexible server {identifier}" in gone["changes"][0]
    assert stage.azure.resource(identifier) is None
    # What was there before stays.
    assert stage.azure.resource(stage.subnet)
    assert [
        item for item in stage.azure.cloud.resources if item.endswith("runtime.private.postgres.database.azure.com")
    ]


def test_a_server_that_is_handed_over_with_databases_on_it_stays(stage):
    identifier = stage.add_runtime()
    stage.present(runtime_server_id=identifier, server={"adopt": True})
    stage.session().finish("PUT", f"{identifier}/databases/crm", {"properties": {}})
    with pytest.raises(GateRefused, match=r"\[runtime-holds-databases\].*crm"):
        stage.absent(runtime_server_id=identifier)
    assert stage.azure.resource(identifier)


def test_a_server_with_a_read_replica_stays(stage):
    stage.present()
    replica = stage.azure.add_replica("copy", stage.runtime_name)
    refused = stage.absent(check_mode=True)
    assert (refused["state"], [item["code"] for item in refused["refusals"]]) == ("refused", ["runtime-has-replicas"])
    assert replica in refused["refusals"][0]["msg"]
    with pytest.raises(GateRefused, match=r"\[runtime-has-replicas\].*Delete or promote them first"):
        stage.absent()
    assert stage.azure.resource(stage.runtime_name)


@pytest.mark.parametrize("side", ["target", "source"])
def test_an_end_of_the_migration_is_no_runtime_server(stage, side):
    identifier = stage.add_runtime("elsewhere")
    if side == "source":
        stage.source = {**stage.source, "host": "elsewhere.postgres.database.azure.com"}
    else:
        stage.destination = {**stage.destination, "host": "Elsewhere.postgres.database.azure.com"}
    for call in (stage.present, stage.absent):
        with pytest.raises((PreconditionFailed, GateRefused), match=f"is the {side} of"):
            call(runtime_server_id=identifier)
    refused = stage.absent(check_mode=True, runtime_server_id=identifier)
    assert [item["code"] for item in refused["refusals"]] == ["runtime-is-endpoint"]
    assert changing(stage.azure) == []
    with pytest.raises(InvalidRequest, match="is the server of 'target_server_id'"):
        stage.absent(runtime_server_id=stage.target.upper())


def test_an_active_migration_on_any_target_keeps_the_server(stage):
    stage.present()
    stage.runtime = stage.runtime_name
    other = stage.azure.add_flexible_server("other", "shop", sku="Standard_D2s_v3")
    stage.target, first = other, stage.target
    frozen = stage.azure.trouble.add("frozen", path="migrations/foreign", times=None)
    record = stage.create_by_hand("foreign")
    stage.target = first
    stage.runtime = None
    with pytest.raises(GateRefused, match=rf"\[runtime-in-use\].*{record}"):
        stage.absent()
    assert stage.azure.resource(stage.runtime_name)
    frozen.remove()
    stage.azure.wait_for(record, "Succeeded")
    assert stage.absent()["changed"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"delegated_subnet_id": None}, "needs a subnet of its own, and none is named"),
        ({"virtual_network_id": "x"}, "Give one or the other"),
        ({"delegated_subnet_id": "runtime"}, "expected the resource id of a microsoft.network/virtualnetworks/subnets"),
        ({"sku": "Standard_D2s_v3"}, "is smaller than the target's Standard_D4s_v3"),
        ({"sku": "Standard_Z9"}, "which this region does not offer"),
        ({"tier": "Burstable", "sku": "Standard_D4s_v3"}, "but 'tier' is Burstable"),
        ({"storage_size_gb": 100}, "no size of a disk there"),
        ({"version": "9"}, "which this region does not offer"),
        ({"price_per_hour": -0.5}, "'azure_server.price_per_hour' is -0.5, expected 0 or more"),
        ({"price_per_hour": float("nan")}, "'azure_server.price_per_hour' is nan"),
        ({"private_dns_zone_id": "{zone}/privatelink.postgres.database.azure.com"}, "the zone of private endpoints"),
        ({"private_dns_zone_id": "{zone}/example.org"}, "does not end in .postgres.database.azure.com"),
        ({"private_dns_zone_id": "{zone}/none.postgres.database.azure.com"}, "there is no such zone"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_made(stage, words, problem):
    zones = stage.private_zone.rsplit("/", 1)[0]
    words = {word: value.format(zone=zones) if isinstance(value, str) else value for word, value in words.items()}
    for check_mode in (True, False):
        with pytest.raises((InvalidRequest, PreconditionFailed), match=problem):
            stage.present(check_mode, server=words)
    assert changing(stage.azure) == []


@pytest.mark.parametrize(
    ("prefix", "problem"),
    [
        ("10.10.9.0/29", "expected /28 or larger"),
        ("10.99.0.0/24", "outside the network's 10.10.0.0/16"),
        ("10.10.1.128/25", "overlaps with subnet runtime"),
        ("ten", "no IPv4 prefix"),
    ],
)
def test_a_subnet_that_cannot_be_made_is_refused_before_anything_is(stage, prefix, problem):
    words = {"delegated_subnet_id": None, "virtual_network_id": stage.runtime_network, "subnet_address_prefix": prefix}
    with pytest.raises(InvalidRequest, match=problem):
        stage.present(server=words)
    assert changing(stage.azure) == []


def test_a_name_that_somebody_else_has_is_refused_with_the_way_out(stage, monkeypatch):
    stage.azure.add_resource_group("theirs")
    stage.azure.add_flexible_server("wanted", "theirs")
    identifier = stage.target.replace("/target", "/wanted")
    monkeypatch.setattr(
        "ansible_collections.azpg.migrate.plugins.module_utils._azure.runtime_creation.HIDDEN_SECONDS", 0
    )
    with pytest.raises(PreconditionFailed, match="already used.*Choose another name"):
        stage.present(runtime_server_id=identifier)
    assert changing(stage.azure) == []


def test_without_waiting_each_run_goes_on_from_where_the_one_before_stopped(stage):
    stage.azure.clock.scale = 0.008  # nothing ends between two looks of one call
    words = {"wait": False}
    first = stage.present(**words)
    assert (first["changed"], first["state"]) == (True, "creating")
    states = [first["state"]]
    while states[-1] != "present":
        result = stage.present(**words, operation=first["operation"])
        assert not result["changed"]
        states.append(result["state"])
        assert len(states) < 500
    assert "creating" in states
    assert len(stage.azure.calls("PUT", "flexibleServers/azpg[^/]*$")) == 1
    going = stage.absent(**words)
    assert (going["changed"], going["state"]) == (True, "deleting")
    stage.azure.settle()
    assert stage.absent(**words, operation=going["operation"])["state"] == "absent"
    assert stage.azure.resource(stage.runtime_name) is None


def test_without_waiting_the_failure_of_a_creation_is_told_by_the_next_run(stage):
    stage.azure.trouble.add("operation_fails", method="PUT", path="flexibleServers/azpg", message="no capacity left")
    stage.azure.clock.scale = 0.008
    first = stage.present(wait=False)
    stage.azure.settle()
    with pytest.raises(Exception, match="no capacity left"):
        stage.present(wait=False, operation=first["operation"])
    stage.present()
    assert stage.azure.resource(stage.runtime_name)


def test_login_with_entra_has_no_administrator(stage):
    stage.present(server={"authentication": "entra"})
    (call,) = stage.azure.calls("PUT", "flexibleServers/azpg[^/]*$")
    properties = json.loads(call.raw_request[call.raw_request.index(b"{") :])["properties"]
    assert "administratorLogin" not in properties
    assert properties["authConfig"] == {
        "passwordAuth": "Disabled",
        "activeDirectoryAuth": "Enabled",
        "tenantId": stage.azure.tenant_id,
    }


def test_the_administrators_password_is_nowhere_but_in_the_request(stage):
    result = stage.present()
    (call,) = stage.azure.calls("PUT", "flexibleServers/azpg[^/]*$")
    password = stage.azure.cloud.find(stage.runtime_name).private["password"]
    assert len(password) >= 40
    assert stage.azure.leaks(password) == {"requests": [call.number], "answers": []}
    assert password not in str(result)
    assert password not in str(stage.look())


@pytest.mark.parametrize(
    "kind",
    [
        ("throttled", {"retry_after": 0.1, "times": 3}),
        ("throttled", {"times": 1}),
        ("gateway_timeout", {"applied": True}),
        ("unavailable", {}),
        ("busy", {"code": "ServerBusy"}),
        ("lost_before", {}),
        ("lost_after", {}),
        ("cut_short", {}),
    ],
    ids=lambda kind: "-".join([kind[0], *map(str, kind[1].values())]),
)
def test_trouble_at_the_creation_of_the_server_heals_by_itself(stage, kind):
    name, words = kind
    trouble = stage.azure.trouble.add(name, method="PUT", path="flexibleServers/azpg", **words)
    stage.present()
    assert trouble.hits == words.get("times", 1)
    assert stage.present()["changed"] is False
    stage.absent()
    assert stage.azure.resource(stage.runtime_name) is None


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", ["gateway_timeout", "lost_before", "throttled"])
def test_trouble_while_reading_polling_and_deleting_heals_by_itself(stage, method, name):
    path = "azureAsyncOperation|virtualNetworkLinks" if method == "GET" else None
    trouble = stage.azure.trouble.add(name, method=method, path=path, times=2)
    stage.present()
    stage.absent()
    assert trouble.hits == 2
    assert stage.azure.resource(stage.runtime_name) is None


def test_two_migrations_that_share_a_server_make_one_and_the_first_owns_it(stage):
    """Both begin at the same time; whose request comes first makes it, the other one takes it as it is."""
    # It takes some seconds, as it takes minutes in Azure: so long that the second one cannot miss it between two requests.
    stage.azure.cloud.clock.scale = 0.02
    identifier = stage.target.replace("/target", "/shared")
    first = stage.begin_module("runtime_server", runtime_server_id=identifier)
    stage.name = "other"
    second = stage.begin_module("runtime_server", runtime_server_id=identifier)
    results = []
    for process in (first, second):
        with process:
            results.append(json.loads(process.stdout.read()))
    assert [result.get("failed", False) for result in results] == [False, False], results
    owners = {result["runtime_server"]["owner"] for result in results}
    assert "this migration" in owners and len(owners) == 2
    owner = stage.azure.resource(identifier)["tags"]["azpg-migration"]
    assert owners == {"this migration", owner}


@pytest.mark.parametrize("method", ["PUT .*/subnets/azpg", "PUT .*flexibleServers/azpg"])
def test_a_run_that_is_killed_leaves_nothing_unknown(stage, method):
    own = {
        "delegated_subnet_id": None,
        "virtual_network_id": stage.runtime_network,
        "subnet_address_prefix": "10.10.9.0/28",
    }
    untouched = sorted(stage.azure.cloud.resources)
    verb, path = method.split(" ")
    process = stage.begin_module("runtime_server", azure_server=stage.server(**own))
    wait_for(lambda: stage.azure.calls(verb, path), "the request")
    kill(process)
    stage.present(server=own)
    assert len(stage.azure.calls("PUT", "flexibleServers/azpg[^/]*$")) == 1
    assert stage.present(server=own)["changed"] is False
    stage.absent(server=own)
    stage.azure.settle()
    assert sorted(stage.azure.cloud.resources) == untouched


def test_tags_of_the_user_are_on_everything_that_is_made(stage):
    words = {"tags": {"cost-center": 4711}}
    stage.present(server=words)
    made = [item for item in stage.azure.cloud.resources.values() if "azpg-" in item.id and item.body.get("tags")]
    assert len(made) == 5
    assert {item.body["tags"]["cost-center"] for item in made} == {"4711"}
    assert stage.present(server=words)["changed"] is False
    with pytest.raises(InvalidRequest, match="tags that begin with azpg- are the collection's"):
        stage.present(server={"tags": {"azpg-request": "x"}})


def test_a_private_endpoint_that_may_not_be_seen_keeps_nobody_from_making_the_server(stage):
    stage.azure.trouble.add("refused", path="privateEndpoints/", times=None, status=403, code="AuthorizationFailed")
    done = stage.present()
    assert stage.azure.resource(stage.runtime_name)
    assert [
        item for item in done["findings"] if item["rule"] == "azure-private-endpoint" and item["status"] == "skipped"
    ]
    assert not [line for line in done["changes"] if "spoke" in line]
