# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request: what is refused, what makes two requests the same, and where the password is not."""

from __future__ import annotations

import json

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint, Request

SOURCE = {"host": "old.example", "user": "migrator", "password": "source secret"}
TARGET = {"host": "new.example", "user": "admin", "password": "target secret", "sslmode": "require"}
SERVER_ID = "/subscriptions/0/resourceGroups/Shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/shop"


def request(**changes) -> Request:
    words = {"name": "shop", "source": SOURCE, "target": TARGET, "databases": ["shop", "billing"], **changes}
    return Request.create(**words)


@pytest.mark.parametrize(
    "changes",
    [
        {"source": {**SOURCE, "user": "other", "password": "rotated"}},
        {"target": {**TARGET, "password": None}},
        {"source": {**SOURCE, "sslmode": "verify-full", "connect_timeout": 5}},
        {"databases": ["billing", "shop"]},
        {"source": {**SOURCE, "port": 5432}},
        {"role_map": {}},
    ],
    ids=["user", "password", "tls", "order", "default-port", "empty-role-map"],
)
def test_hash_ignores_what_may_change_between_two_runs(changes):
    assert request(**changes).hash == request().hash


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "shop2"},
        {"databases": ["shop"]},
        {"source": {**SOURCE, "host": "older.example"}},
        {"source": {**SOURCE, "port": 5433}},
        {"target": {**TARGET, "host": "newer.example"}},
        {"role_map": {"postgres": "app_owner"}},
        {"provider": "azure", "target_server_id": SERVER_ID},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_hash_tells_different_migrations_apart(changes):
    assert request(**changes).hash != request().hash


def azure(**changes):
    """Return a request for provider azure."""
    return request(**{"provider": "azure", "target_server_id": SERVER_ID, **changes})


def test_hash_of_azure_knows_target_and_mode_and_not_the_runtime_server():
    assert azure(target_server_id=SERVER_ID.upper()).hash == azure().hash
    assert azure(target_server_id=f"{SERVER_ID}2").hash != azure().hash
    assert azure(mode="online").hash != azure().hash
    assert azure(runtime_server_id=f"{SERVER_ID}-runtime").hash == azure().hash


def test_resource_ids_survive_storing():
    asked = azure(runtime_server_id=f"{SERVER_ID}-runtime", source_type="AWS_RDS")
    stored = Request.from_dict(json.loads(json.dumps(asked.as_dict())))
    assert stored.runtime_server_id == asked.runtime_server_id
    assert (stored.source_type, stored.hash) == ("AWS_RDS", asked.hash)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"provider": "azure"}, ["target_server_id", "az postgres flexible-server show"]),
        ({"target_server_id": "shop"}, ["'target_server_id'", "'shop'", "/subscriptions/"]),
        ({"source_server_id": SERVER_ID}, ["'source_server_id'", "DBforPostgreSQL/servers"]),
        (
            {"provider": "azure", "target_server_id": SERVER_ID, "runtime_server_id": SERVER_ID.upper()},
            ["'target_server_id'", "of its own"],
        ),
    ],
    ids=["no-target", "no-id", "other-kind", "runtime-is-target"],
)
def test_refusals_about_azure_name_the_option(changes, words):
    with pytest.raises(InvalidRequest) as caught:
        request(**changes)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Shop"}, ["'Shop'", "lower-case"]),
        ({"name": "-shop"}, ["'-shop'"]),
        ({"name": ""}, ["''"]),
        ({"name": "a" * 64}, ["1 to 63"]),
        ({"name": "shop\n"}, ["lower-case"]),
        ({"databases": []}, ["No database"]),
        ({"databases": ["shop", "shop"]}, ["shop", "more than once"]),
        ({"databases": ["template1"]}, ["template1", "server itself"]),
        ({"source": {"user": "migrator"}}, ["source names no server", "source.host"]),
        ({"target": {"user": "admin"}}, ["target names no server", "target.host"]),
        ({"target": {"host": "old.example", "port": 5432}}, ["same server", "old.example:5432"]),
        ({"source": {**SOURCE, "hostname": "x"}}, ["hostname", "Known are"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_refusals_name_option_and_value(changes, words):
    with pytest.raises(InvalidRequest) as caught:
        request(**changes)
    assert caught.value.hint
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("name", ["a", "0", "a-b_c", "a" * 63])
def test_names_that_are_allowed(name):
    assert request(name=name).name == name


def test_stored_form_holds_no_password_and_comes_back_whole():
    first = request(role_map={"postgres": "app_owner"})
    stored = json.loads(json.dumps(first.as_dict()))
    assert "secret" not in json.dumps(stored)
    assert stored["hash"] == first.hash
    assert stored["databases"] == ["shop", "billing"], "the order of work is kept"
    assert Request.from_dict(stored, first.secrets) == first
    assert Request.from_dict(stored).source.password is None


def test_password_is_not_in_representations():
    assert "secret" not in repr(request())
    assert "password" not in request().source.as_dict()
    assert request().source.as_dict(secrets=True)["password"] == "source secret"
    assert request().secret_values == ["source secret", "target secret"]


def test_address_is_what_people_call_the_server():
    assert Endpoint(host="db", port=6000).address == "db:6000"
    assert Endpoint(host="db").address == "db:5432"
    assert Endpoint(service="shop").address == "service shop"


def test_with_secrets_sets_the_password():
    assert Endpoint(host="db").with_secrets({"password": "x"}) == Endpoint(host="db", password="x")
