# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options in messages, the variables behind them, and variables that are none."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._module.variables import in_playbooks, misspelled


@pytest.mark.parametrize(
    ("module", "words", "variables"),
    [
        ("runtime_server", "If this one is meant, set 'colocated: true'.", "azpg_colocated"),
        ("premigration_check", "Correct the name in 'databases' (or 'dbname').", "azpg_databases"),
        ("premigration_check", "Set 'probe: [create_database]' (not with --check).", "azpg_checks_probe"),
        ("premigration_check", "Check 'source.port', and 'source.host'.", "azpg_source"),
        ("migration", "Name it with 'role_map', or in 'databases'.", "azpg_role_map, azpg_databases"),
        ("cleanup", "Give it up with 'outcome: abandoned'.", "azpg_outcome"),
        ("cleanup", "Module verification with 'fence: down' does it.", "azpg_fence"),
        ("cleanup", "Verify again with 'check: full'.", "azpg_verification_check"),
        ("verification", "Raise 'wait_timeout', or 'jobs'.", "azpg_wait_timeout, azpg_verification_jobs"),
        ("runtime_server", "Raise 'wait_timeout'.", "azpg_azure_wait_timeout"),
        ("migration", "Raise 'jobs', or decide with 'without_identity'.", "azpg_jobs, azpg_online"),
        ("migration", "Correct 'subscription_id'.", "azpg_azure"),
        (
            "migration",
            "'full' sets it for a while, 'exclude' copies the table; decide with 'table_identity'.",
            "azpg_online",
        ),
    ],
)
def test_variables_behind_options_are_named(module, words, variables):
    assert in_playbooks(words, module) == f"{words} (In this collection's playbooks: {variables}.)"


@pytest.mark.parametrize(
    "words",
    [
        "'state' is 'online'.",
        "Provider 'azure' does not know it.",
        "Database 'shop' has no table 'orders'.",
        "Run it without 'run_id'.",
        "",
    ],
)
def test_nothing_is_said_where_no_option_is_named(words):
    assert in_playbooks(words) == words


def test_misspelled_variables_are_named_with_what_may_be_meant():
    known = ["azpg_jobs", "azpg_hosts", "jobs", "azpg", "ansible_azpg_x", "azpg_verification_jobs"]
    assert misspelled(known) == []
    first, second = misspelled([*known, "azpg_jbos", "azpg_nothing_like_it_anywhere"])
    assert first == "No role of azpg.migrate knows the variable azpg_jbos; it is ignored. Is azpg_jobs meant?"
    assert second.endswith("azpg_nothing_like_it_anywhere; it is ignored.")
