# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge is judged: by what Microsoft recorded, by Microsoft's examples, and by bodies that are wrong on purpose."""

from __future__ import annotations

import copy
import json
from urllib.parse import unquote, urlsplit

import pytest

from tests.azure_simulator import replay
from tests.azure_simulator.judge import Judge, books
from tests.azure_simulator.judge.deviations import TABLE

OLD = ("migrations/2021", "migrations/2022")
ARM = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/target"


def exchanges(name: str):
    """Yield the entries of a recording as the judge is asked about them."""
    entries = replay.load(name)
    for entry in entries:
        parts = urlsplit(entry["uri"])
        yield entry, (entry["method"], unquote(parts.path), parts.query, entry.get("requestBody"), entry["status"]["code"], entry["responseBody"])  # fmt: skip


def examples():
    """Yield name and exchange of each of Microsoft's examples."""
    for operation in books.specification():
        for reference in (operation.words.get("x-ms-examples") or {}).values():
            file = operation.file.parent / reference["$ref"]
            words = json.loads(file.read_text(encoding="utf-8"))
            given = words["parameters"]
            body = next((given.get(one["name"]) for one in operation.parameters if one.get("in") == "body"), None)
            path = "/" + "/".join(
                given.get(part[1:-1], part) if part.startswith("{") else part for part in operation.segments
            )
            query = "&".join(f"{one['name']}={given[one['name']]}" for one in operation.parameters
                             if one.get("in") == "query" and one["name"] in given)  # fmt: skip
            for status, answer in words["responses"].items():
                yield file.name, (operation.method, path, query, body, int(status), answer.get("body"))


@pytest.mark.parametrize("name", [name for name in replay.names() if not name.startswith(OLD)])
def test_recordings_are_as_described_but_for_listed_deviations(name):
    judge = Judge()
    found = [str(one) for _entry, words in exchanges(name) for one in judge.judge(*words, client="AZURECLI")[1]]
    assert found == []


def test_microsofts_examples_are_as_described_but_for_listed_deviations():
    judge = Judge()
    assert [f"{name}: {one}" for name, words in examples() for one in judge.judge(*words)[1]] == []
    assert len(list(examples())) >= 90


@pytest.mark.parametrize("deviation", TABLE, ids=lambda one: f"{one.operation}-{one.where}"[:60])
def test_every_deviation_is_needed_by_its_witness(deviation):
    name, _hash, number = deviation.witness.partition("#")
    without = Judge(tuple(one for one in TABLE if one is not deviation))
    if name.startswith("examples/"):
        witnesses = [words for file, words in examples() if file == name.removeprefix("examples/")]
    else:
        witnesses = [words for entry, words in exchanges(name) if entry["n"] == int(number)]
        if name.startswith(OLD):
            # Judged as if it had been said today.
            witnesses = [
                (method, path, "api-version=2024-08-01", body, status, answer)
                for method, path, _q, body, status, answer in witnesses
            ]
    assert witnesses
    found = [one for words in witnesses for one in without.judge(*words, client="AZURECLI")[1]]
    assert any(deviation.fits(one, "AZURECLI") for one in found)


def test_what_microsofts_program_may_do_is_not_allowed_to_others():
    entry, words = next(
        one for one in exchanges("migrations/2024-10-24_onpremise_migration_b01b5457.json") if one[0]["n"] == 3
    )
    found = {one.where for one in Judge().judge(*words, client="ansible")[1]}
    assert found == {"/properties/migrationMode", "path"}


# -- bodies that are wrong on purpose ------------------------------------------------------------------------------------

PUT = {
    "location": "eastus",
    "properties": {
        "migrationMode": "Offline",
        "migrationOption": "ValidateAndMigrate",
        "sourceType": "OnPremises",
        "sslMode": "Require",
        "sourceDbServerResourceId": "10.0.0.4:5432@mig",
        "dbsToMigrate": ["shop"],
        "overwriteDbsInTarget": "False",
        "secretParameters": {"adminCredentials": {"sourceServerPassword": "a", "targetServerPassword": "b"}},
    },
}
VERSIONS = ("2024-08-01", "2025-08-01", "2026-10-01")


def put(properties: dict) -> None:
    """Do nothing: the body is right."""


def changed(path: str, value: object):
    """Return a function that puts a value at a place in a body; None takes it away."""

    def change(body: dict) -> None:
        *parents, last = path.split("/")
        place = body
        for part in parents:
            place = place[part]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return change


WRONG = {
    "unknown": changed("properties/overwrite_dbs_in_target", "True"),
    "unknown at the top": changed("extra", 1),
    "unknown inside": changed("properties/secretParameters/adminCredentials/password", "x"),
    "boolean for text": changed("properties/overwriteDbsInTarget", True),
    "small letters": changed("properties/sslMode", "require"),
    "unknown choice": changed("properties/sourceType", "on-premises"),
    "read-only": changed("properties/migrationId", "11111111-2222-3333-4444-555555555555"),
    "no location": changed("location", None),
    "no password": changed("properties/secretParameters/adminCredentials/targetServerPassword", None),
    "text for a list": changed("properties/dbsToMigrate", "shop"),
    "too many databases": changed("properties/dbsToMigrate", [f"d{number}" for number in range(51)]),
    "number in a list": changed("properties/dbsToMigrate", [1]),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_right_migration_is_let_through(version):
    judge = Judge()
    name, found = judge.judge("PUT", ARM + "/migrations/m1", f"api-version={version}", PUT, 0, None)
    assert (name, found) == ("Migrations_Create", [])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_migration_is_found(kind, version):
    body = copy.deepcopy(PUT)
    WRONG[kind](body)
    found = Judge().judge("PUT", ARM + "/migrations/m1", f"api-version={version}", body, 0, None)[1]
    assert found and all(one.side == "request" for one in found)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/migrations/m1", {"properties": {"triggerCutover": True}}),
        ("PATCH", "/migrations/m1", {"properties": {"migrationOption": "Validate"}}),
        ("PATCH", "/migrations/m1", {"properties": {"dbsToTriggerCutoverMigrationOn": ["a"]}}),
        ("PATCH", "", {"properties": {"storage_size": 1}}),
        ("PATCH", "", {"properties": {"storage": {"storageSizeGB": "128"}}}),
        ("PUT", "", {"location": "eastus", "properties": {"state": "Ready"}}),
        ("POST", "/checkMigrationNameAvailability", {"name": "m"}),
        ("PUT", "/migrations/Not_A_Name", PUT),
        ("PUT", "/migrations/m1", None),
        ("GET", "/migrations/m1", {"a": 1}),
        ("GET", "/nowhere", None),
        ("DELETE", "/configurations/a", None),
    ],
)
def test_other_wrong_requests_are_found(method, path, body, version):
    assert Judge().judge(method, ARM + path, f"api-version={version}", body, 0, None)[1]


@pytest.mark.parametrize(
    "query", ["", "api-version=2025-08-01&migrationListFilter=Some", "api-version=2025-08-01&extra=1"]
)
def test_wrong_queries_are_found(query):
    assert Judge().judge("GET", ARM + "/migrations", query, None, 0, None)[1]


ANSWER = {
    "properties": {"migrationId": "11111111-2222-3333-4444-555555555555", "currentStatus": {"state": "InProgress"}},
    "location": "East US",
    "id": ARM + "/migrations/m1",
    "name": "m1",
    "type": "Microsoft.DBforPostgreSQL/flexibleServers/migrations",
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "change",
    [
        changed("properties/currentStatus/state", "Working"),
        changed("properties/currentStatus/currentSubStateDetails", {"currentSubState": "Sleeping"}),
        changed("properties/secretParameters", PUT["properties"]["secretParameters"]),
        changed("properties/mood", "good"),
        changed("properties/migrationWindowStartTimeInUtc", 5),
        changed("name", 5),
    ],
)
def test_wrong_answers_are_found(change, version):
    body = copy.deepcopy(ANSWER)
    words = ("GET", ARM + "/migrations/m1", f"api-version={version}", None, 200)
    assert Judge().judge(*words, body)[1] == []
    change(body)
    found = Judge().judge(*words, body)[1]
    assert found and all(one.side == "answer" for one in found)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, None),
        (202, ANSWER),
        (404, {"message": "no"}),
        (418, {"error": {"code": 5}}),
        (202, {"operation": "x", "startTime": "soon"}),
    ],
)
def test_wrong_statuses_and_errors_are_found(status, body):
    method = "PATCH" if status == 202 and "operation" in body else "GET"
    path = ARM if method == "PATCH" else ARM + "/migrations/m1"
    request = {"tags": {}} if method == "PATCH" else None
    assert Judge().judge(method, path, "api-version=2025-08-01", request, status, body)[1]


NETWORK = ARM.partition("/Microsoft.DB")[0] + "/Microsoft.Network/virtualNetworks/net"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "", {"location": "eastus", "properties": {"address_space": {}}}),
        ("PUT", "/subnets/a", {"properties": {"addressPrefix": 5}}),
        ("PUT", "/subnets/a", {"properties": {"addressPrefix": "10.0.0.0/24", "provisioningState": "Succeeded"}}),
        ("POST", "/subnets/a", None),
        ("PATCH", "", {"properties": {}}),
        ("DELETE", "/subnets/a", {"a": 1}),
        ("PUT", "/virtualNetworkPeerings/a", None),
    ],
)
def test_wrong_requests_to_the_network_are_found(method, path, body):
    assert Judge().judge(method, NETWORK + path, "api-version=2024-05-01", body, 0, None)[1]


def test_the_simulator_tells_what_the_judge_found(azure, client, target, bodies):
    azure.mistakes = True
    client.call("PUT", target + "/migrations/m", bodies.migration(overwrite_dbs_in_target="True"))
    (found,) = azure.violations
    assert found.where == "/properties" and "overwrite_dbs_in_target" in found.message
    assert found.document == "Bicep types 2025-08-01" and found.operation == "Migrations_Create"
