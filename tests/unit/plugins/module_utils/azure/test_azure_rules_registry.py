# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of Azure's rules: complete, in order, and none of them in the way of the others."""

from __future__ import annotations

import re

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure.rules import ALL
from ansible_collections.azpg.migrate.plugins.module_utils._checks.registry import RULES


def test_ids_are_unique_and_begin_with_azure():
    ids = [rule.id for rule in ALL]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {rule.id for rule in RULES}
    assert all(re.fullmatch(r"azure-[a-z]+(-[a-z]+)*", name) for name in ids)


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.id)
def test_each_says_all_that_a_finding_needs_and_comes_after_what_it_needs(rule):
    before = [other.id for other in ALL[: ALL.index(rule)]]
    assert set(rule.needs) <= set(before)
    assert rule.expected and rule.remedy and rule.documentation.startswith("https://learn.microsoft.com/")
    assert rule.severity in ("failed", "warning")
    assert rule.level in ("azure", "network") and rule.side in ("source", "target", "runtime")
    assert (rule.look.__doc__ or "").strip()
