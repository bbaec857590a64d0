# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log: what was said, with secrets masked, and where they went."""

from __future__ import annotations

from tests.azure_simulator import Simulator
from tests.azure_simulator.client import Client


def test_exchanges_are_numbered_and_hold_both_sides(azure, client, target):
    client.get(target)
    found = azure.calls("GET", "flexibleServers/target$")[0]
    assert (found.method, found.status, found.query) == ("GET", 200, {"api-version": "2025-08-01"})
    assert found.answer["name"] == "target" and found.operation == "Servers_Get"
    assert found.request_headers["authorization"] == "(masked)"
    assert [one.number for one in azure.exchanges] == list(range(1, len(azure.exchanges) + 1))


def test_secrets_are_masked_where_one_reads_and_found_where_one_looks(azure, client):
    client.log_in()
    form = azure.exchanges[0].request
    assert form["client_secret"] == "(masked)" and form["client_id"] == azure.client_id
    assert azure.exchanges[0].answer["access_token"] == "(masked)"
    assert azure.leaks(azure.client_secret)["requests"] == [1]
    assert azure.leaks("nobody said this") == {"requests": [], "answers": []}


def test_a_secret_is_found_however_it_is_written(azure, client, target, bodies):
    secret = 'a"b\\c d/é'
    client.call("PUT", target + "/migrations/m", bodies.migration(secretParameters={"adminCredentials": {
        "sourceServerPassword": secret, "targetServerPassword": "x-other"}}))  # fmt: skip
    assert len(azure.leaks(secret)["requests"]) == 1


def test_the_environment_names_everything(azure):
    found = azure.environment
    assert found["AZURE_TENANT"] == found["AZURE_TENANT_ID"] == azure.tenant_id
    assert found["AZURE_SECRET"] == found["AZURE_CLIENT_SECRET"] == azure.client_secret
    assert found["AZURE_AUTHORITY_HOST"] == azure.url and found["REQUESTS_CA_BUNDLE"] == str(azure.certificate)
    assert "AZURE_CLIENT_SECRET" not in azure.managed_identity_environment
    assert azure.client_secret not in azure.cli_environment("/x").values()


def test_two_simulators_live_side_by_side(tmp_path):
    with Simulator(tmp_path / "a") as first, Simulator(tmp_path / "b") as second:
        assert first.url != second.url and first.tenant_id != second.tenant_id
        assert Client(first).log_in().status == 200
        assert Client(second).log_in(client_secret=first.client_secret).status == 401


def test_settling_waits_for_operations_and_migrations(tmp_path, bodies):
    with Simulator(tmp_path / "azure", time_scale=0.0005, control_plane_only=True) as azure:
        azure.add_resource_group("rg")
        target = azure.add_flexible_server("target", "rg")
        client = Client(azure)
        client.call("PUT", target + "/migrations/m", bodies.migration())
        client.call("PATCH", target, {"tags": {"a": "b"}})
        assert len(azure.active_migrations()) == 1
        assert azure.wait_for(target + "/migrations/m", "Succeeded")["name"] == "m"
        azure.settle()
        assert azure.active_migrations() == []
        assert azure.resource(target)["tags"] == {"a": "b"}


def test_a_fleet_of_hundreds(tmp_path, bodies):
    """Two hundred migrations on twenty targets: each target takes one at a time."""
    with Simulator(tmp_path / "azure", time_scale=0.001, control_plane_only=True, judge=False) as azure:
        azure.add_resource_group("rg")
        targets = [azure.add_flexible_server(f"target{number}", "rg") for number in range(20)]
        client = Client(azure)
        waiting = {target: [f"m{number}" for number in range(10)] for target in targets}
        while any(waiting.values()):
            for target, names in waiting.items():
                active = client.get(target + "/migrations").body["value"]
                assert len(active) <= 1
                if not active and names:
                    client.call(
                        "PUT", f"{target}/migrations/{names.pop()}", bodies.migration(migrationOption="Validate")
                    )
        azure.settle()
        ended = [one["properties"]["currentStatus"]["state"] for target in targets for one in azure.migrations(target)]
        assert ended == ["Succeeded"] * 200
