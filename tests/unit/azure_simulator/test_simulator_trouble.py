# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trouble on demand: whom it strikes, what it leaves behind."""

from __future__ import annotations

import http.client
import time

import pytest


@pytest.fixture
def path(target):
    return target + "/migrations/first"


def states(azure, target: str) -> list[str]:
    return [one["properties"]["currentStatus"]["state"] for one in azure.migrations(target)]


@pytest.mark.parametrize(
    ("kind", "words", "status", "code"),
    [
        ("throttled", {}, 429, "TooManyRequests"),
        ("gateway_timeout", {}, 504, "GatewayTimeout"),
        ("server_error", {}, 500, "InternalServerError"),
        ("unavailable", {}, 503, "ServiceUnavailable"),
        ("busy", {}, 409, "ServerIsBusy"),
        ("busy", {"code": "ServerBusy"}, 409, "ServerBusy"),
        ("refused", {}, 403, "AuthorizationFailed"),
        ("refused", {"status": 404, "code": "NotFound"}, 404, "NotFound"),
    ],
)
def test_answers_that_are_errors(azure, client, target, kind, words, status, code):
    trouble = azure.trouble.add(kind, method="GET", path="flexibleServers/target", **words)
    found = client.get(target)
    assert (found.status, found.code) == (status, code) and "retry-after" not in found.headers
    assert trouble.hits == 1 and client.get(target).status == 200
    assert [one.trouble for one in azure.calls("GET", "flexibleServers/target$")] == [kind, None]


def test_a_hint_when_to_come_again_is_given_as_asked(azure, client, target):
    azure.trouble.add("throttled", retry_after=7)
    assert client.get(target).headers["retry-after"] == "7"


def test_some_requests_pass_and_so_many_are_struck(azure, client, target):
    azure.trouble.add("unavailable", after=1, times=2)
    assert [client.get(target).status for _number in range(4)] == [200, 503, 503, 200]


def test_only_the_named_moment_method_and_path_are_struck(azure, client, target):
    now = []
    azure.trouble.add("unavailable", method="PATCH", times=None)
    azure.trouble.add("unavailable", path="/configurations", times=None)
    later = azure.trouble.add("unavailable", times=None, when=lambda: bool(now))
    assert client.get(target).status == 200
    assert client.get(target + "/configurations").status == 503
    now.append(1)
    assert client.get(target).status == 503
    later.remove()
    assert client.get(target).status == 200


def test_tokens_are_spared_unless_they_are_named(azure, client, target):
    azure.trouble.add("unavailable", times=None)
    assert client.log_in().status == 200
    azure.trouble.add("unavailable", path="oauth2")
    assert client.log_in().status == 503


@pytest.mark.parametrize("kind", ["gateway_timeout", "server_error", "unavailable", "throttled"])
def test_a_request_may_take_effect_all_the_same(azure, client, path, target, bodies, kind):
    azure.trouble.add(kind, method="PUT", applied=True)
    azure.trouble.add(kind, method="PUT", path="second")
    assert client.call("PUT", path, bodies.migration()).status >= 400
    assert client.call("PUT", target + "/migrations/second", bodies.migration()).status >= 400
    assert [one["name"] for one in azure.migrations(target)] == ["first"]


@pytest.mark.parametrize(("kind", "effect"), [("lost_before", 0), ("lost_after", 1), ("cut_short", 1)])
def test_connections_that_end(azure, client, path, target, bodies, kind, effect):
    azure.trouble.add(kind, method="PUT")
    client.token = client.log_in().body["access_token"]
    with pytest.raises((OSError, http.client.HTTPException)):
        client.call("PUT", path, bodies.migration())
    assert len(azure.migrations(target)) == effect
    lost = azure.calls("PUT")[0]
    assert (lost.status, lost.trouble) == (0, kind)
    assert client.get(target).status == 200


def test_a_slow_answer(azure, client, target):
    azure.trouble.add("slow", seconds=0.3)
    begun = time.monotonic()
    assert client.get(target).status == 200
    assert time.monotonic() - begun >= 0.3


def test_an_operation_that_fails_inside_a_200(azure, client, target):
    azure.trouble.add("operation_fails", method="PATCH", code="", message="The server could not be changed.")
    reply = client.call("PATCH", target, {"properties": {"storage": {"storageSizeGB": 256}}})
    azure.clock.step(100)
    found = client.call("GET", reply.headers["azure-asyncoperation"])
    assert found.status == 200 and found.body["error"] == {"code": "", "message": "The server could not be changed."}
    assert client.get(target).body["properties"]["storage"]["storageSizeGB"] == 128
    assert client.get(target).body["properties"]["state"] == "Ready"


def test_an_operation_that_never_ends(azure, client, target):
    azure.trouble.add("operation_stalls", method="DELETE")
    reply = client.call("DELETE", target)
    azure.clock.step(10**6)
    assert client.call("GET", reply.headers["azure-asyncoperation"]).body["status"] == "InProgress"


def test_a_migration_that_does_not_move(azure, client, path, target, bodies):
    trouble = azure.trouble.add("frozen", path="/migrations/first")
    client.call("PUT", path, bodies.migration())
    azure.clock.step(5000)
    assert states(azure, target) == ["InProgress"]
    found = client.get(path).body["properties"]["currentStatus"]["currentSubStateDetails"]
    assert found["currentSubState"] == "PerformingPreRequisiteSteps"
    trouble.remove()
    assert states(azure, target) == ["Succeeded"]


def test_slow_states(azure, client, path, target, bodies):
    azure.trouble.add("slow_states", factor=10)
    client.call("PUT", path, bodies.migration(migrationOption="Validate"))
    azure.clock.step(1000)
    assert states(azure, target) == ["InProgress"]
    azure.clock.step(1000)
    assert states(azure, target) == ["Succeeded"]


def test_a_lag_that_does_not_go_away(azure, client, path, bodies):
    trouble = azure.trouble.add("lags", seconds=900)
    client.call("PUT", path, bodies.migration(migrationMode="Online"))
    azure.clock.step(450)
    azure.clock.step(1)

    def latency() -> int:
        return client.get(path).body["properties"]["currentStatus"]["currentSubStateDetails"]["dbDetails"]["shop"][
            "latency"
        ]

    assert latency() == 900
    trouble.remove()
    assert latency() == 0


def test_a_migration_that_fails_with_a_number(azure, client, path, bodies):
    azure.trouble.add("migration_fails", code=603700, message="Clean-up failed.", database="shop")
    client.call("PUT", path, bodies.migration())
    azure.clock.step(200)
    status = client.get(path).body["properties"]["currentStatus"]
    assert (status["state"], status["error"]) == ("CleaningUp", "shop: 603700: Clean-up failed.")
    azure.clock.step(5)
    status = client.get(path).body["properties"]["currentStatus"]
    assert status["state"] == "Failed"
    details = status["currentSubStateDetails"]["dbDetails"]["shop"]
    assert (details["migrationState"], details["message"]) == ("Failed", "603700: Clean-up failed.")


def test_validation_that_fails_and_validation_that_warns(azure, client, path, target, bodies):
    azure.trouble.add(
        "validation_fails", path="first", database="billing", code=603403, kind_of_check="CollationsValidation"
    )
    azure.trouble.add(
        "validation_warns", path="second", kind_of_check="ServerParametersValidation", code=None, message="Beware."
    )
    client.call("PUT", path, bodies.migration())
    azure.clock.step(200)
    status = client.get(path).body["properties"]["currentStatus"]
    assert status["state"] == "ValidationFailed"
    details = status["currentSubStateDetails"]["validationDetails"]
    by_name = {one["databaseName"]: one["summary"] for one in details["dbLevelValidationDetails"]}
    assert [one["state"] for one in by_name["billing"]] == ["Succeeded", "Succeeded", "Failed"]
    client.call("PUT", target + "/migrations/second", bodies.migration())
    azure.clock.step(200)
    status = client.get(target + "/migrations/second").body["properties"]["currentStatus"]
    assert status["state"] == "InProgress"
    details = status["currentSubStateDetails"]["validationDetails"]
    assert (
        details["status"] == "Warning"
        and details["serverLevelValidationDetails"][2]["messages"][0]["message"] == "Beware."
    )


def test_what_is_unknown_is_refused(azure):
    with pytest.raises(ValueError, match="unknown trouble"):
        azure.trouble.add("nonsense")
    with pytest.raises(ValueError, match="sometimes"):
        azure.trouble.add("throttled", sometimes=True)
