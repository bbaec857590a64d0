# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's own decisions: which operation, which version, when to ask again, what an error says."""

from __future__ import annotations

import re
import sys
import types

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure import (
    client,
    errors,
    libraries,
    operations,
    pipeline,
    retrying,
)
from ansible_collections.azpg.migrate.plugins.module_utils._azure.clouds import CLOUDS
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import DependencyMissing, InvalidRequest

SUBSCRIPTION = "/subscriptions/11111111-1111-1111-1111-111111111111"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg"
SERVER = f"{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/shop"


def test_every_operation_is_one_that_the_library_has():
    from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

    there = PostgreSQLManagementClient(object(), "s", base_url="https://localhost", policies=[])
    for _method, _path, group, name in operations.ROUTES:
        assert callable(getattr(getattr(there, group), name)), f"{group}.{name}"


def test_a_single_server_is_read_through_the_library_for_those():
    from azure.mgmt.rdbms.postgresql import PostgreSQLManagementClient

    path = f"{GROUP}/providers/Microsoft.DBforPostgreSQL/servers/old"
    found = operations.find_operation("GET", path, {})
    assert (found.group, found.name, found.arguments, found.of_single_server) == ("servers", "get", ("rg", "old"), True)
    there = PostgreSQLManagementClient(object(), "s", base_url="https://localhost", policies=[])
    assert callable(there.servers.get)
    assert not operations.find_operation("GET", SERVER, {}).of_single_server


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", SERVER, {}, ("servers", "get", ("rg", "shop"))),
        ("GET", SERVER.upper(), {}, ("servers", "get", ("RG", "SHOP"))),
        ("PUT", SERVER, {}, ("servers", "begin_create_or_update", ("rg", "shop"))),
        (
            "GET",
            f"{SERVER}/migrations",
            {"migrationListFilter": "All"},
            ("migrations", "list_by_target_server", ("rg", "shop")),
        ),
        ("PATCH", f"{SERVER}/migrations/m1", {}, ("migrations", "update", ("rg", "shop", "m1"))),
        (
            "PUT",
            f"{SERVER}/configurations/max_wal_size",
            {},
            ("configurations", "begin_put", ("rg", "shop", "max_wal_size")),
        ),
        (
            "GET",
            f"{SUBSCRIPTION}/providers/Microsoft.DBforPostgreSQL/locations/eastus/capabilities",
            {},
            ("capabilities_by_location", "list", ("eastus",)),
        ),
    ],
)
def test_a_request_about_flexible_servers_is_an_operation_of_the_library(method, path, query, expected):
    found = operations.find_operation(method, path, query)
    assert (found.group, found.name, found.arguments) == expected
    assert found.subscription_id.lower() == "11111111-1111-1111-1111-111111111111"


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v", {}),
        ("PATCH", f"{SERVER}/providers/Microsoft.Resources/tags/default", {}),
        ("GET", f"{SERVER}/migrations", {"other": "x"}),
        ("HEAD", SERVER, {}),
        ("GET", f"{SERVER}/migrations/m1/more", {}),
    ],
)
def test_everything_else_is_not(method, path, query):
    assert operations.find_operation(method, path, query) is None


@pytest.mark.parametrize(
    ("path", "version"),
    [
        (SERVER, "2025-08-01"),
        (f"{SERVER}/migrations/m", "2025-08-01"),
        (f"{GROUP}/providers/Microsoft.DBforPostgreSQL/servers/old", "2017-12-01"),
        (f"{SUBSCRIPTION}/providers/Microsoft.DBforPostgreSQL/locations/eastus/checkNameAvailability", "2025-08-01"),
        (f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/s", "2023-09-01"),
        (f"{GROUP}/providers/Microsoft.Network/privateDnsZones/z/virtualNetworkLinks/l", "2020-06-01"),
        (f"{SERVER}/providers/Microsoft.Resources/tags/default", "2022-09-01"),
        (f"{SERVER}/providers/Microsoft.Authorization/permissions", "2022-04-01"),
        (SUBSCRIPTION, "2022-09-01"),
        (GROUP, "2022-09-01"),
    ],
)
def test_each_kind_has_its_version(path, version):
    assert client.api_version_of(path) == version


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/x", "http://management.azure.com/x", "https://management.azure.com.evil.example/x"],
)
def test_a_token_goes_to_resource_manager_only(address):
    with pytest.raises(errors.AzureError, match="which is not the Resource Manager"):
        pipeline.check_host(address, CLOUDS[0])
    pipeline.check_host("https://MANAGEMENT.azure.com/subscriptions", CLOUDS[0])


def test_another_subscription_than_the_targets_is_refused():
    with pytest.raises(InvalidRequest, match="'subscription_id' is a, but the target is in b"):
        client.Azure.login({"subscription_id": "a"}, "b", {})


@pytest.mark.parametrize("missing", ["azure.identity", "azure.mgmt.postgresqlflexibleservers"])
def test_without_microsofts_libraries_the_command_that_installs_them_is_said(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    words = {"client_id": "c", "tenant": "t", "secret": "s"}
    with pytest.raises(DependencyMissing, match=rf"cannot import {missing} .*-m pip install 'azure-identity>=1.19.0'"):
        client.Azure.login(words, environment={}).pipelines.postgresql("s")


def test_a_library_that_is_too_old_is_said(monkeypatch):
    old = types.ModuleType("azure.mgmt.postgresqlflexibleservers")
    old.__version__ = "1.1.0"
    monkeypatch.setitem(sys.modules, old.__name__, old)
    with pytest.raises(DependencyMissing, match="1.1.0, expected 2.0.0 or newer"):
        libraries.postgresql_client()


# -- asking again -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "Thu, 01 Jan 1970 00:01:40 GMT"}, 40.0),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:10 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "inf"}, None),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"x-ms-retry-after-ms": "20"}, 0.02),
    ],
)
def test_azures_hint_is_read(headers, seconds):
    assert retrying.hinted_pause(headers, now=lambda: 60.0) == seconds


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.time = 0.0
        self.pauses: list = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds


def busy(pause=None, reached=True, worked=False) -> errors.AzureError:
    problem = errors.TryLater("busy") if reached else errors.Unreachable("silence")
    problem.pause, problem.reached, problem.may_have_worked = pause, reached, worked
    return problem


def run(*results, seconds=600.0):
    """Run attempts that fail or return in turn; return C((result or error, pauses))."""
    clock, left = Clock(), list(results)

    def attempt():
        item = left.pop(0) if left else results[-1]
        if isinstance(item, Exception):
            raise item
        return item

    try:
        return retrying.Patience(seconds, clock.now, clock.sleep).run(attempt), clock.pauses
    except errors.AzureError as error:
        return error, clock.pauses


def test_pauses_grow_and_azures_hint_goes_before_them():
    assert run(*[busy()] * 8, "done") == ("done", [1, 2, 4, 8, 16, 32, 60, 60])
    assert run(busy(), busy(7.0), busy(), "done") == ("done", [1, 7.0, 4])


def test_patience_ends():
    error, pauses = run(busy(), seconds=100)
    assert isinstance(error, errors.TryLater) and sum(pauses) <= 100
    error, pauses = run(busy(3600.0))
    assert isinstance(error, errors.TryLater) and pauses == []


def test_silence_is_given_up_after_a_few_attempts():
    error, pauses = run(busy(reached=False))
    assert isinstance(error, errors.Unreachable) and len(pauses) == retrying.UNREACHED_ATTEMPTS - 1
    done, pauses = run(*[busy(reached=False)] * 3, busy(), *[busy(reached=False)] * 3, "done")
    assert done == "done"


def test_who_does_not_want_to_wait_for_a_busy_resource_is_told_at_once():
    clock = Clock()

    def attempt():
        raise errors.Busy("busy")

    with pytest.raises(errors.Busy):
        retrying.Patience(600.0, clock.now, clock.sleep).run(attempt, wait_when_busy=False)
    assert clock.pauses == []


def test_what_does_not_heal_is_not_repeated():
    error, pauses = run(errors.Forbidden("no"), "done")
    assert isinstance(error, errors.Forbidden) and pauses == []
    error, pauses = run(errors.Untrusted("no"), "done")
    assert isinstance(error, errors.Untrusted) and pauses == []


def test_a_refusal_after_an_attempt_that_may_have_worked_says_so():
    error, _pauses = run(busy(worked=True), errors.Conflict("exists"))
    assert error.uncertain
    error, _pauses = run(busy(), errors.Conflict("exists"))
    assert not error.uncertain


# -- errors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "InvalidAuthenticationToken", errors.LoginFailed),
        (403, "AuthorizationFailed", errors.Forbidden),
        (404, "ResourceNotFound", errors.NotFound),
        (409, "MissingSubscriptionRegistration", errors.NotRegistered),
        (409, "ServerIsBusy", errors.Busy),
        (409, "ServerBusy", errors.Busy),
        (409, "Conflict", errors.Conflict),
        (429, "TooManyRequests", errors.TryLater),
        (400, "AnotherOperationInProgress", errors.Busy),
        (503, "", errors.TryLater),
        (504, "GatewayTimeout", errors.TryLater),
        (400, "InvalidParameter", errors.AzureError),
    ],
)
def test_each_refusal_is_of_its_kind(status, code, kind):
    body = {"error": {"code": code, "message": "because  of\nthat"}}
    error = errors.refusal("PUT", "x", status, body, {"x-ms-request-id": "r1"})
    assert error.__class__ is kind
    assert error.details["azure_code"] == code
    assert (error.status, error.request_id) == (status, "r1")
    assert "because of that" in error.msg and f"HTTP status {status}" in error.msg


def test_registration_is_left_to_people():
    error = errors.refusal("PUT", "x", 409, {"error": {"code": "MissingSubscriptionRegistration"}}, {})
    assert "az provider register --namespace Microsoft.DBforPostgreSQL" in error.hint


@pytest.mark.parametrize("body", [None, "text", [], {}, {"error": None}, {"error": {"code": None, "message": None}}])
def test_an_answer_without_an_explanation_is_no_trouble(body):
    error = errors.refusal("GET", "x", 500, body, {})
    assert "no explanation" in error.msg


def test_the_right_that_is_lacking_is_told():
    message = (
        "The client 'a' with object id 'b' does not have authorization to perform action "
        "'Microsoft.Network/virtualNetworks/read' over scope '/subscriptions/s' or the scope is invalid."
    )
    error = errors.refusal("GET", "x", 403, {"error": {"code": "AuthorizationFailed", "message": message}}, {})
    assert error.details["action"] == "Microsoft.Network/virtualNetworks/read"
    assert error.details["scope"] == "/subscriptions/s"


def test_secrets_are_taken_out_of_what_azure_says():
    body = {"error": {"code": "x", "message": "your geheim is wrong", "details": [{"message": "geheim"}]}}
    error = errors.refusal("PUT", "x", 400, body, {}, ["geheim"])
    assert "geheim" not in str(error) + str(error.as_dict())
    failed = errors.failed_operation("PUT x", "Failed", {"error": {"code": "", "message": "geheim!"}}, {}, ["geheim"])
    assert "geheim" not in str(failed)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"status": "Failed", "error": {"code": "", "message": "no room"}}, "ended as Failed: no room"),
        ({"status": "Failed", "error": {"code": "X", "message": "no room"}}, "ended as Failed: X: no room"),
        ({"status": "Failed"}, "ended as Failed: Azure gives no reason"),
        ({"status": "Failed", "error": {"code": "", "message": ""}}, "Azure gives no reason"),
        (None, "Azure gives no reason"),
    ],
)
def test_an_operation_that_failed_inside_a_200_is_told(body, words):
    assert re.search(words, errors.failed_operation("PUT x", "Failed", body, {}).msg)
