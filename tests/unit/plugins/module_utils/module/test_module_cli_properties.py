# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties file of Azure's CLI, through the filter; the reading itself is tested with provider azure."""

from __future__ import annotations

import copy

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.azpg.migrate.plugins.filter.cli_properties import cli_properties, display
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request

RUNTIME = "/subscriptions/S/resourceGroups/G/providers/Microsoft.DBforPostgreSQL/flexibleServers/runtime"
SINGLE = "/subscriptions/S/resourceGroups/G/providers/Microsoft.DBforPostgreSQL/servers/old"
FILE = {
    "properties": {
        "SourceDBServerResourceId": "10.20.0.4:5433@mig",
        "MigrationRuntimeResourceId": RUNTIME,
        "targetDbServerFullyQualifiedDomainName": "shop.postgres.database.azure.com",
        "SecretParameters": {
            "AdminCredentials": {"SourceServerPassword": "first!", "TargetServerPassword": "second!"},
            "sourceServerUserName": "reader",
            "targetServerUserName": "pgadmin",
        },
        "DBsToMigrate": ["shop", "billing"],
        "sourceType": "OnPremises",
        "sslMode": "VerifyFull",
    }
}


def changed(**properties) -> dict:
    """Return the file with other properties; None takes one away."""
    found = copy.deepcopy(FILE)
    for word, value in properties.items():
        found["properties"].pop(word, None)
        if value is not None:
            found["properties"][word] = value
    return found


def test_everything_is_said_in_our_words():
    found = cli_properties(FILE)
    assert found == {
        "source": {"host": "10.20.0.4", "port": 5433, "user": "reader", "password": "first!", "sslmode": "verify-full"},
        "target": {
            "host": "shop.postgres.database.azure.com",
            "user": "pgadmin",
            "password": "second!",
            "sslmode": "verify-full",
        },
        "databases": ["shop", "billing"],
        "source_type": "OnPremises",
        "runtime_server_id": RUNTIME,
    }
    assert Request.create("shop", found["source"], found["target"], found["databases"]).name == "shop"


def test_a_single_server_is_a_resource():
    found = cli_properties(changed(SourceDBServerResourceId=SINGLE))
    assert found["source"]["host"] == "old.postgres.database.azure.com"
    assert found["source_server_id"] == SINGLE


def test_the_target_may_be_named_apart():
    without = changed(targetDbServerFullyQualifiedDomainName=None)
    assert cli_properties(without, "10.0.0.9")["target"]["host"] == "10.0.0.9"
    with pytest.raises(AnsibleFilterError, match=r"where the target is\. Name it: cli_properties\(target_host="):
        cli_properties(without)


def test_what_the_cli_drops_is_said(monkeypatch):
    said: list = []
    monkeypatch.setattr(display, "warning", said.append)
    cli_properties(changed(migrationMode="Online"))
    assert len(said) == 1 and "migrationMode" in said[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text", "one object with the key 'properties', not str"),
        ({"a": 1}, "one object with the key 'properties'"),
        (changed(sslMode="on-premises"), "'sslMode' of the properties file given to cli_properties is not Prefer"),
        (changed(DBsToMigrate="shop"), "'dbsToMigrate'"),
        (changed(SourceDBServerResourceId="10.0.0.4"), "'sourceDbServerResourceId'.*host:port@user"),
    ],
)
def test_what_cannot_be_understood_is_named(content, words):
    with pytest.raises(AnsibleFilterError, match=words) as error:
        cli_properties(content)
    assert "first!" not in str(error.value) and "second!" not in str(error.value)
