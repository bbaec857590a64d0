# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence on its way from one host to another: believed while it is young, whole, unedited and meant for this request."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.canonical import digest
from ansible_collections.azpg.migrate.plugins.module_utils._verify.carried_evidence import doubts, seal

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=timezone.utc)
FACTS = {"request_hash": "abc", "source": {"host": "s"}, "sequences": {"checked": 2, "behind": []}}


def evidence(**changes) -> dict:
    return {**seal({"verdict": "MATCH"}, [], copy.deepcopy(FACTS), NOW), **changes}


def sealed_anew(**changes) -> dict:
    content = {word: item for word, item in evidence(**changes).items() if word != "sha256"}
    return {**content, "sha256": digest(content)}


def codes(found, request_hash="abc", now=NOW) -> list:
    reasons = doubts(found, request_hash, now)
    assert all(reason["msg"] and reason["hint"] for reason in reasons)
    return [reason["code"] for reason in reasons]


def test_believed_as_it_was_collected_and_after_a_way_as_text():
    assert codes(evidence()) == []
    assert codes(json.loads(json.dumps(evidence()))) == []
    assert codes(seal(None, [{"code": "report-missing"}], FACTS, NOW)) == []


@pytest.mark.parametrize(
    ("age", "found"),
    [
        (timedelta(minutes=15), []),
        (timedelta(minutes=15, seconds=1), ["evidence-expired"]),
        (timedelta(days=1), ["evidence-expired"]),
        (-timedelta(minutes=5), []),
        (-timedelta(minutes=5, seconds=1), ["evidence-from-future"]),
    ],
)
def test_holds_for_a_quarter_of_an_hour(age, found):
    assert codes(evidence(), now=NOW + age) == found


@pytest.mark.parametrize("word", ["collected_at", "report", "against", "facts"])
def test_an_edit_is_noticed(word):
    assert codes(evidence(**{word: "2026-05-01T11:59:59Z"})) == ["evidence-edited"]


def test_an_edit_deep_inside_is_noticed():
    found = evidence()
    found["facts"]["sequences"]["behind"] = ["s"]
    assert codes(found) == ["evidence-edited"]


@pytest.mark.parametrize("found", [{}, "text", 7, [], evidence(format="azpg.migrate/evidence/2"), evidence(more=1)])
def test_what_is_no_evidence_is_refused(found):
    assert codes(found) == ["evidence-format"]


@pytest.mark.parametrize("word", sorted(evidence()))
def test_a_part_that_is_missing_is_refused(word):
    found = evidence()
    del found[word]
    assert codes(found) == ["evidence-format"]


def test_of_another_request():
    assert codes(evidence(), request_hash="abd") == ["evidence-foreign"]
    assert codes(sealed_anew(facts=None)) == ["evidence-foreign"]


def test_a_moment_that_is_none():
    assert codes(sealed_anew(collected_at="yesterday")) == ["evidence-from-future"]
