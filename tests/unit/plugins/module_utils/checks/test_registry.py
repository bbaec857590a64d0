# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every rule."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks.registry import RULES

LEVELS = {"server", "database", "table", "network", "runtime", "azure"}
SIDES = {"source", "target", "runtime", "both"}
BY_ID = {rule.id: rule for rule in RULES}


def test_ids_are_unique():
    assert [rule_id for rule_id, number in Counter(rule.id for rule in RULES).items() if number > 1] == []


def test_there_are_enough_rules_for_the_host_provider():
    assert sum("host" in rule.providers and "offline" in rule.modes for rule in RULES) >= 30


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_is_complete(rule):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)
    assert rule.level in LEVELS
    assert rule.side in SIDES
    assert rule.severity in ("failed", "warning")
    assert rule.modes and set(rule.modes) <= {"offline", "online"}
    assert rule.providers and set(rule.providers) <= {"host", "azure"}
    assert re.fullmatch(r"(603\d{3})?", rule.code)
    assert re.match(r"https://(www\.postgresql\.org|learn\.microsoft\.com)/", rule.documentation)
    for text in (rule.title, rule.expected, rule.remedy, rule.look.__doc__ or "closure"):
        assert text.strip()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_needs_exist_and_come_first(rule):
    order = [known.id for known in RULES]
    for needed in rule.needs:
        assert needed in BY_ID
        assert order.index(needed) < order.index(rule.id), "so that no cycle can be"
        assert set(rule.modes) <= set(BY_ID[needed].modes)
        assert set(rule.providers) <= set(BY_ID[needed].providers)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.each_database], ids=lambda rule: rule.id)
def test_rules_of_databases_need_a_server(rule):
    assert any(needed.endswith("reachable") for needed in rule.needs)
