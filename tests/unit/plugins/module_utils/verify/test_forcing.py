# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forcing the gate: what can be answered for, by whoever quotes the report, and what cannot."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._verify.forcing import FORCIBLE, overrule
from ansible_collections.azpg.migrate.plugins.module_utils._verify.gate import CODES, refusal

REPORT = {"sha256": "abc"}
# Whatever anybody says: these are about another migration, another server, or others' need of the runtime server.
NEVER = (
    "report-missing report-unreadable report-format report-digest report-undated report-from-future verdict-unknown "
    "signature-missing signature-kind signature-key signature-edited signature-malformed foreign-request source-identity "
    "target-identity target-unreadable migration-not-completed runtime-in-use runtime-is-endpoint runtime-not-owned "
    "runtime-holds-databases runtime-has-replicas force-digest evidence-format evidence-edited evidence-from-future "
    "evidence-expired evidence-foreign"
).split()


def test_every_reason_is_of_one_kind_or_the_other():
    assert FORCIBLE.isdisjoint(NEVER) and FORCIBLE | set(NEVER) == CODES


@pytest.mark.parametrize("code", sorted(FORCIBLE))
def test_quoting_the_report_overrules(code):
    reason = refusal(code, "It is so.", "Do something.")
    assert overrule([reason], REPORT, "abc") == ([], [reason])


@pytest.mark.parametrize("code", NEVER)
def test_nothing_overrules_what_is_about_something_else(code):
    reason = refusal(code, "It is so.", "Do something.")
    assert overrule([reason], REPORT, "abc") == ([reason], [])


@pytest.mark.parametrize("report", [REPORT, None, {}])
@pytest.mark.parametrize("force", ["abd", "ABC", "abc ", "yes"])
def test_another_digest_overrules_nothing_and_is_said(report, force):
    reason = refusal("report-expired", "It is old.", "")
    stand, overruled = overrule([reason], report, force)
    assert [item["code"] for item in stand] == ["report-expired", "force-digest"] and overruled == []


@pytest.mark.parametrize("force", [None, ""])
def test_without_a_word_everything_stands(force):
    reason = refusal("report-expired", "It is old.", "")
    assert overrule([reason], REPORT, force) == ([reason], [])
    assert overrule([reason], {}, force) == ([reason], [])
