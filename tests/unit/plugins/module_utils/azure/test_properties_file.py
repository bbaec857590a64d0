# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Azure CLI's properties file: accepted as the CLI does, and its silent losses told."""

from __future__ import annotations

import json

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.properties_file import (
    merged_with,
    read_properties_file,
)
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest

RUNTIME = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.DBforPostgreSQL/flexibleServers/RT"
SINGLE = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.DBforPostgreSQL/servers/OLD"
USUAL = {
    "sourceDbServerResourceId": "10.20.0.4:5432@mig",
    "migrationRuntimeResourceId": RUNTIME,
    "targetDbServerFullyQualifiedDomainName": "tgt.postgres.database.azure.com",
    "secretParameters": {
        "adminCredentials": {"sourceServerPassword": "one-secret", "targetServerPassword": "other-secret"},
        "sourceServerUserName": "mig",
        "targetServerUserName": "pgadmin",
    },
    "dbsToMigrate": ["app1", "app2"],
    "overwriteDbsInTarget": "false",
    "sourceType": "OnPremises",
    "sslMode": "Require",
}


@pytest.fixture
def read(tmp_path):
    """Give a function that reads a file with these properties."""

    def one(properties, **top):
        path = tmp_path / "mig.json"
        path.write_text(json.dumps({"properties": properties, **top}), encoding="utf-8")
        return read_properties_file(str(path))

    return one


def test_a_file_as_the_guides_show_it_becomes_options(read):
    found = read(USUAL)
    assert found.warnings == []
    assert found.options == {
        "source": {"host": "10.20.0.4", "port": 5432, "user": "mig", "password": "one-secret", "sslmode": "require"},
        "target": {"user": "pgadmin", "password": "other-secret"},
        "target_server_fqdn": "tgt.postgres.database.azure.com",
        "databases": ["app1", "app2"],
        "source_type": "OnPremises",
        "runtime_server_id": RUNTIME,
    }
    assert sorted(found.secrets) == ["one-secret", "other-secret"]


def test_case_does_not_matter_and_overwriting_names_the_databases(read):
    found = read({"DBSTOMIGRATE": ["a"], "OverwriteDBsInTarget": "True", "SourceDbServerResourceId": SINGLE})
    assert found.options["overwrite_databases"] == found.options["databases"] == ["a"]
    assert found.options["source_server_id"] == SINGLE


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        (
            {"migrateRoles": "true"},
            "ignores 'properties.migrateRoles', and so does this module. Use the option 'migrate_roles'.",
        ),
        ({"migrationInstanceResourceId": RUNTIME}, "Use the option 'runtime_server_id'."),
        ({"migrationRuntimResourceId": RUNTIME}, "Is 'migrationRuntimeResourceId' meant?"),
        ({"targetServerUserName": "x"}, "It belongs into 'secretParameters'."),
        ({"startDataMigration": "true"}, "ignores 'properties.startDataMigration'"),
        ({"somethingElse": 1}, "ignores 'properties.somethingElse'"),
        ({"overwriteDbsInTarget": True}, 'wants "true" in quotes'),
        ({"secretParameters": {"adminCredential": {}}}, "Is 'adminCredentials' meant?"),
    ],
)
def test_what_the_cli_drops_without_a_word_is_told(read, properties, words):
    (warning,) = read(properties).warnings
    assert words in warning


def test_what_lies_beside_the_properties_is_told(read):
    assert "ignores 'location'" in read({}, location="westeurope").warnings[0]


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"sourceDbServerResourceId": "host"}, "'sourceDbServerResourceId' .* is not host:port@user"),
        ({"dbsToMigrate": "a"}, "'dbsToMigrate' .* is not a list of names"),
        ({"sslMode": "maybe"}, "'sslMode' .* is not Prefer"),
        ({"overwriteDbsInTarget": "yes"}, '\'overwriteDbsInTarget\' .* is not "true" or "false"'),
        ({"secretParameters": "p4ss"}, "'secretParameters' .* is not an object"),
    ],
)
def test_values_that_the_cli_would_not_take_are_refused(read, properties, words):
    with pytest.raises(InvalidRequest, match=words) as caught:
        read(properties)
    assert "p4ss" not in str(caught.value)


def test_files_that_are_none(tmp_path, read):
    with pytest.raises(InvalidRequest, match="cannot be read: No such file"):
        read_properties_file(str(tmp_path / "missing.json"))
    (tmp_path / "odd.json").write_text('{"properties": {"a": p4ss', encoding="utf-8")
    with pytest.raises(InvalidRequest, match="is not JSON") as caught:
        read_properties_file(str(tmp_path / "odd.json"))
    assert "p4ss" not in str(caught.value)
    (tmp_path / "odd.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="has no object 'properties'"):
        read_properties_file(str(tmp_path / "odd.json"))


def test_options_add_to_the_file(read):
    given = {
        "source": {"sslmode": "require", "host": None},
        "target": {"host": "tgt"},
        "databases": ["app2", "app1"],
        "name": "x",
    }
    found = merged_with(given, read(USUAL), {})
    assert found["source"]["host"] == "10.20.0.4"
    assert found["target"] == {"host": "tgt", "user": "pgadmin", "password": "other-secret"}
    assert (found["databases"], found["name"]) == (["app2", "app1"], "x")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"databases": ["app1"]}, r"'databases' .*: \['app1'\] here and \['app1', 'app2'\] there"),
        ({"source": {"port": 5433}}, r"'source.port' .*: 5433 here and 5432 there"),
        ({"target": {"password": "third-secret"}}, "'target.password' and the properties file say different things\\."),
        ({"runtime_server_id": RUNTIME + "x"}, "'runtime_server_id'"),
    ],
)
def test_options_that_contradict_the_file_are_refused(read, given, words):
    with pytest.raises(InvalidRequest, match=words) as caught:
        merged_with(given, read(USUAL), {})
    assert "secret" not in str(caught.value)


def test_defaults_give_way_to_the_file(read):
    found = read({**USUAL, "overwriteDbsInTarget": "true"})
    assert merged_with({"overwrite_databases": []}, found, {"overwrite_databases": []})["overwrite_databases"] == [
        "app1",
        "app2",
    ]
