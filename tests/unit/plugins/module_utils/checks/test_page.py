# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the checks: its light, its order, its commands, and that nothing of a server becomes part of it."""

from __future__ import annotations

import re

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks.page import COMMAND, render
from ansible_collections.azpg.migrate.plugins.module_utils._checks.registry import RULES
from ansible_collections.azpg.migrate.plugins.module_utils._checks.report import to_json
from ansible_collections.azpg.migrate.plugins.module_utils._checks.rule import blind, fine, violated
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request

BY_ID = {rule.id: rule for rule in RULES}
REQUEST = Request.create("shop", {"host": "old"}, {"host": "new"}, ["one"])


def page(*observations) -> str:
    """Return the page for C((rule id, observation)) pairs."""
    findings = [BY_ID[rule].finding(observation) for rule, observation in observations]
    return render(to_json(REQUEST, findings))


@pytest.mark.parametrize(
    ("observations", "headline"),
    [
        ([("source-readable", violated("one", "no"))], "Not ready to begin"),
        ([("tablespaces", violated("one", "some"))], "Ready, with reservations"),
        (
            [("source-long-transactions", blind("old:5432", "hidden", remedy="GRANT x;"))],
            "Ready, as far as can be seen",
        ),
        ([("source-name", fine("old:5432", "10.0.0.1"))], "Ready to begin"),
    ],
)
def test_the_headline(observations, headline):
    assert f"<h1>{headline} " in page(*observations)


def test_those_whom_others_wait_for_come_first():
    text = page(
        ("replica-identity", violated("one", "no key")),
        ("source-readable", violated("one", "no right")),
        ("source-port", violated("old:5432", "closed")),
        ("source-reachable", blind("old:5432", "not looked at", because="source-port")),
    )
    places = [text.index(f"<b>{who}</b>") for who in ("Network", "Database administrator", "Application")]
    assert places == sorted(places)
    assert "To act: network, database administrator, application." in text
    assert "1 other check waits for this" in text


def test_everything_is_escaped():
    nasty = '<img src=x onerror="alert(1)">&'
    text = page(("source-readable", violated(nasty, nasty, remedy=f"GRANT SELECT ON {nasty};", expected=nasty)))
    assert "<img" not in text and "&lt;img src=x" in text
    assert not re.search(r"<script|javascript:|src=\"|style=\"", text)


@pytest.mark.parametrize(
    ("remedy", "commands"),
    [
        ('On the source: ALTER ROLE "mig" REPLICATION;', ['ALTER ROLE "mig" REPLICATION;']),
        ("Let them end, or end them: SELECT pg_terminate_backend(5);", ["SELECT pg_terminate_backend(5);"]),
        (
            "az postgres flexible-server parameter set --name azure.extensions --value a,b and restart the target",
            ["az postgres flexible-server parameter set --name azure.extensions --value a,b"],
        ),
        ("Set 'source.sslmode: require'.", []),
        ("SELECT nothing is a word here", []),
    ],
)
def test_commands_are_told_apart_from_words(remedy, commands):
    assert COMMAND.findall(remedy) == commands


def test_many_objects_of_one_rule_are_cut():
    text = page(*[("source-readable", violated(f"db{number}", "no")) for number in range(150)])
    assert "50 more in the JSON file." in text and text.count("<dt>where</dt>") == 100


def test_each_person_has_the_number_of_things_to_do_and_all_commands_together():
    text = page(
        ("source-port", violated("old:5432", "closed")),
        ("source-readable", violated("one", "no right", remedy='In one: GRANT SELECT ON TABLE t TO "mig"; Or call.')),
        ("source-row-security", violated("two", "hidden", remedy='On the source: ALTER ROLE "mig" BYPASSRLS;')),
        ("tablespaces", violated("one", "some", remedy="Nothing to type.")),
    )
    (table,) = re.findall(r'<table class="people">(.*?)</table>', text, re.DOTALL)
    network, administrator = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    assert "1 must" in network and "should" not in network and "<pre>" not in network
    assert "2 must" in administrator and "1 should" in administrator
    (commands,) = re.findall(r"<pre>(.*?)</pre>", administrator, re.DOTALL)
    assert [line for line in commands.splitlines() if line and not line.startswith("--")] == [
        "GRANT SELECT ON TABLE t TO &quot;mig&quot;;",
        "ALTER ROLE &quot;mig&quot; BYPASSRLS;",
    ]
    assert "Who has to act" not in page(("source-name", fine("old:5432", "10.0.0.1")))
