# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks for the runtime server in Azure as a user runs them, and that no secret is to be seen anywhere."""

from __future__ import annotations

import re

from support.azure_migrations import PASSWORDS, read_all
from support.azure_stage import changing


def secrets_of(stage) -> list:
    """Return everything that must not be seen: passwords, the principal's secret, tokens, the administrator's password."""
    server = stage.azure.cloud.find(stage.runtime_name)
    made = [server.private["password"]] if server else []
    return [*PASSWORDS.values(), stage.azure.client_secret, *stage.azure.cloud.tokens, *made]


def test_provision_and_decommission_tell_what_they_do_and_no_secret(stage):
    trial = stage.play("provision", "--check", "--diff", "-vvv").good()
    assert "+flexible server" in trial.output
    assert changing(stage.azure) == []
    stage.azure.clock.scale = 0.005  # long enough for a line of progress
    first = stage.play("provision", "--diff", "-vvv").good()
    assert first.changed == 1
    assert re.search(r"\[shop\] runtime server creating, [0-9.]+ s", first.output)
    made = secrets_of(stage)
    again = stage.play("provision").good()
    assert again.changed == 0
    stage.ensure()
    last = stage.play("decommission", "--diff", "-vvv", azpg_gate_evidence=stage.evidence()).good()
    assert "-runtime server: flexible server" in last.output
    assert stage.azure.resource(stage.runtime_name) is None
    # The file of secrets is the only one that may hold them.
    (stage.directory / "vault.json").unlink()
    outputs = trial.output + first.output + again.output + last.output
    files = read_all(stage.directory / "state") + read_all(stage.directory / "archive")
    for secret in {*made, *secrets_of(stage)}:
        assert secret not in outputs
        assert secret.encode() not in files
        assert stage.azure.leaks(secret)["answers"] == [] or secret in stage.azure.cloud.tokens


def test_passwords_are_in_no_request_that_is_not_about_them(stage):
    stage.present()
    password = stage.azure.cloud.find(stage.runtime_name).private["password"]
    stage.check()
    stage.ensure()
    stage.clean(evidence=stage.evidence())
    for secret in (*PASSWORDS.values(), password, stage.azure.client_secret):
        for number in stage.azure.leaks(secret)["requests"]:
            call = next(call for call in stage.azure.exchanges if call.number == number)
            assert (call.method, call.path.rsplit("/", 2)[-2]) in (
                ("PUT", "flexibleServers"),
                ("PUT", "migrations"),
                ("POST", "v2.0"),
            )


def test_without_a_runtime_server_nothing_is_made_on_the_target_either(stage):
    """Nobody is at the addresses of source and target, so that who asks them for roles fails by that."""
    failed = stage.play("migrate")
    assert failed.code != 0 and f"There is no runtime server {stage.runtime_name}" in failed.output
    assert "playbook azpg.migrate.provision" in failed.output and "connection-failed" not in failed.output
    stage.present()
    reached = stage.play("migrate")
    assert "connection-failed" in reached.output and "There is no runtime server" not in reached.output


def test_a_failure_is_one_message_with_code_and_hint_and_no_secret(stage):
    stage.azure.trouble.add(
        "operation_fails", method="PUT", path="flexibleServers/azpg", code="", message="no room left"
    )
    failed = stage.play("provision", "-vvv")
    assert failed.code != 0
    assert "no room left" in failed.output and "azure-operation-failed" in failed.output
    assert "Traceback" not in failed.output
    for secret in secrets_of(stage):
        assert secret not in failed.output
    assert stage.present()["changed"]
    assert stage.azure.resource(stage.runtime_name)
