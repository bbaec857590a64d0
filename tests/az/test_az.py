# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A peer that nobody here has written: Microsoft's program az and this collection work on the same simulator."""

from __future__ import annotations

import json
import uuid

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure.client import Azure
from conftest import Refused
from support.azure_migrations import PASSWORDS

GROUP = "shop"
PASSWORD = "Adm1n-of-the-cli-s3cret"
VERSION = "2025-08-01"
SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"


def properties_file(stage, name: str, **properties) -> str:
    """Write a file as the documentation of az describes it; return its path."""
    given = {
        "sourceDbServerResourceId": f"{stage.source['host']}:{stage.source['port']}@{stage.source['user']}",
        "migrationRuntimeResourceId": stage.runtime,
        "secretParameters": {
            "adminCredentials": {
                "sourceServerPassword": PASSWORDS["source"],
                "targetServerPassword": PASSWORDS["target"],
            },
            "targetServerUserName": stage.destination["user"],
        },
        "dbsToMigrate": stage.databases,
        "overwriteDbsInTarget": "false",
        "sourceType": "OnPremises",
        "sslMode": "Prefer",
        **properties,
    }
    path = stage.directory / f"{name}.json"
    path.write_text(json.dumps({"properties": given}), encoding="utf-8")
    return str(path)


@pytest.fixture
def stage(landscape, az):
    """The landscape, with a runtime server that az has made, for a migration of a new name."""
    if landscape.runtime is None:
        made = az(
            "postgres", "flexible-server", "create", "--resource-group", GROUP, "--name", "runtime", "--location", "eastus",
            "--tier", "GeneralPurpose", "--sku-name", "Standard_D4s_v3", "--version", "16", "--storage-size", "128",
            "--admin-user", "dbadmin", "--admin-password", PASSWORD, "--subnet", landscape.subnet, "--private-dns-zone",
            landscape.azure.add_dns_zone(
                "runtime.private.postgres.database.azure.com", GROUP, networks=[landscape.runtime_network]
            ),
            "--yes",
        )  # fmt: skip
        landscape.runtime = made["id"]
    landscape.name = f"m{uuid.uuid4().hex[:12]}"
    return landscape


def words_of(shown: dict) -> dict:
    """Return the properties of what the program shows; some versions leave out the level that holds them."""
    return shown.get("properties") or shown


def state_of(shown: dict) -> tuple:
    """Return the words of the service for state and substate."""
    current = words_of(shown)["currentStatus"]
    return current["state"], (current.get("currentSubStateDetails") or {}).get("currentSubState")


def test_a_server_is_made_shown_and_deleted(az, landscape, azure):
    words = ("--resource-group", GROUP, "--name", "plain")
    made = az(
        "postgres", "flexible-server", "create", *words, "--location", "eastus", "--tier", "GeneralPurpose", "--sku-name",
        "Standard_D2s_v3", "--version", "17", "--storage-size", "64", "--admin-user", "dbadmin", "--admin-password", PASSWORD,
        "--public-access", "None", "--yes",
    )  # fmt: skip
    assert (
        made["id"].lower()
        == f"/subscriptions/{azure.subscription_id}/resourceGroups/{GROUP}/providers/{SERVERS}/plain".lower()
    )
    shown = az("postgres", "flexible-server", "show", *words)
    assert (shown["state"], shown["version"], shown["sku"]["name"]) == ("Ready", "17", "Standard_D2s_v3")
    listed = az("postgres", "flexible-server", "list", "--resource-group", GROUP)
    assert {entry["name"] for entry in listed} >= {"plain", "target"}
    az("postgres", "flexible-server", "parameter", "set", "--resource-group", GROUP, "--server-name", "plain", "--name",
       "checkpoint_timeout", "--value", "900")  # fmt: skip
    az("postgres", "flexible-server", "delete", *words, "--yes")
    with pytest.raises(Refused, match="was not found"):
        az("postgres", "flexible-server", "show", *words)


def test_the_runtime_server_of_az_is_taken_by_the_module_and_the_other_way_round(az, stage):
    found = stage.present()
    assert (found["changed"], found["state"]) == (False, "present")
    assert any("used as it is" in warning for warning in stage.warnings), stage.warnings
    # And what the module makes, az shows and deletes.
    own = stage.present(runtime_server_id=None)
    assert own["changed"]
    name = own["runtime_server"]["name"]
    shown = az("postgres", "flexible-server", "show", "--resource-group", GROUP, "--name", name)
    assert shown["state"] == "Ready" and shown["tags"]["azpg-migration"] == stage.name
    assert shown["network"]["delegatedSubnetResourceId"].lower() == stage.subnet.lower()
    az("postgres", "flexible-server", "delete", "--resource-group", GROUP, "--name", name, "--yes")
    assert stage.absent(runtime_server_id=None)["state"] == "absent"


def test_what_az_begins_the_module_takes_over(az, stage):
    frozen = stage.azure.trouble.add("frozen", path=f"migrations/{stage.name}", times=None)
    made = az.migration(
        "create", stage.target, "--name", stage.name, "--properties", properties_file(stage, stage.name),
        "--migration-mode", "offline", "--migration-option", "ValidateAndMigrate",
    )  # fmt: skip
    assert words_of(made)["migrationInstanceResourceId"].lower() == stage.runtime.lower()
    told = stage.ensure(azure_migration_name=stage.name, check_mode=True)
    assert told["diff"]["after"] == f"take over migration {stage.name} of target\n"
    frozen.remove()
    done = stage.ensure(azure_migration_name=stage.name)
    assert (done["changed"], done["state"]) == (True, "completed")
    shown = az.migration("show", stage.target, "--name", stage.name)
    assert state_of(shown) == ("Succeeded", "Completed") and shown["tags"]["azpg-migration"] == stage.name
    assert stage.ensure()["changed"] is False


def test_the_file_of_az_is_enough_for_the_module(az, stage):
    path = properties_file(stage, stage.name, migrateRole="true")
    words = {"properties_file": path, "source": None, "databases": None, "runtime_server_id": None}
    done = stage.ensure(**words, target={"host": stage.destination["host"]})
    assert done["state"] == "completed"
    (record,) = [entry for entry in az.migration("list", stage.target, "--filter", "All") if entry["tags"]
                 and entry["tags"].get("azpg-migration") == stage.name]  # fmt: skip
    assert words_of(record)["dbsToMigrate"] == stage.databases


def test_what_the_module_begins_az_lists_shows_and_cancels(az, stage):
    frozen = stage.azure.trouble.add("frozen", path=f"migrations/azpg{stage.name}", times=None)
    begun = stage.ensure(wait=False)
    assert begun["state"] == "running"
    record = begun["migration"]["records"][-1]["name"]
    (active,) = az.migration("list", stage.target, "--filter", "Active")
    assert active["name"] == record
    shown = az.migration("show", stage.target, "--name", record)
    assert words_of(shown)["migrationOption"] == "ValidateAndMigrate"
    free = az.migration("check-name-availability", stage.target, "--name", record)
    assert (free["nameAvailable"], free["reason"]) == (False, "AlreadyExists")
    az.migration("update", stage.target, "--name", record, "--cancel")
    frozen.remove()
    stage.azure.settle()
    assert stage.inform()["state"] == "cancelled"


def test_online_az_replicates_and_the_module_cuts_over(az, stage):
    az.migration(
        "create", stage.target, "--name", stage.name, "--properties", properties_file(stage, stage.name),
        "--migration-mode", "online", "--migration-option", "ValidateAndMigrate",
    )  # fmt: skip
    words = {"mode": "online", "azure_migration_name": stage.name}
    assert stage.ensure("replicating", **words)["state"] == "replicating"
    shown = az.migration("show", stage.target, "--name", stage.name)
    assert state_of(shown) == ("WaitingForUserAction", "WaitingForCutoverTrigger")
    assert stage.ensure("completed", **words)["state"] == "completed"


def test_online_the_module_replicates_and_az_cuts_over(az, stage):
    waiting = stage.ensure("replicating", mode="online")
    (record,) = [entry["name"] for entry in waiting["migration"]["records"] if entry["state"] == "replicating"]
    body = {"properties": {"triggerCutover": "True", "dbsToTriggerCutoverOn": stage.databases}}
    # The command 'update --cutover' of az 2.91 ends with a TypeError before it sends anything.
    az(
        "rest",
        "--method",
        "patch",
        "--uri",
        f"{stage.target}/migrations/{record}?api-version={VERSION}",
        "--body",
        json.dumps(body),
    )
    done = stage.ensure("completed", mode="online")
    assert done["state"] == "completed"
    assert len([body for body in stage.sent("PATCH") if "triggerCutover" in (body.get("properties") or {})]) >= 1


def test_the_login_of_az_is_enough_for_the_module(az, azure, stage, monkeypatch):
    for word, value in az.environment.items():
        monkeypatch.setenv(word, value)
    session = Azure.login(
        {"auth_source": "cli", "cloud_environment": azure.url, "ca_certificates": str(azure.certificate)}
    )
    try:
        assert session.get(stage.target)["name"] == "target"
    finally:
        session.close()


def test_no_password_of_a_migration_is_in_what_az_is_told(az, azure):
    for secret in PASSWORDS.values():
        assert azure.leaks(secret)["answers"] == []
        assert not [text for text in az.said if secret in text]
