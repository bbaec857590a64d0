# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: every way in which it stays shut, each with its own code, and the one way in which it opens."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.canonical import digest
from ansible_collections.azpg.migrate.plugins.module_utils._verify.gate import evaluate, refusal

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=timezone.utc)
SERVER = {
    "system_identifier": "7000000000000000001",
    "host": "source.example:5432",
    "version": 140023,
    "databases": {"shop": {"oid": 16400, "encoding": "UTF8", "collate": "C.UTF-8"}},
}
OTHER = {**SERVER, "system_identifier": "7000000000000000002", "host": "target.example:5432", "version": 170011}


def sealed(report: dict) -> dict:
    """Return the report with the digest of its content."""
    content = {key: item for key, item in report.items() if key != "sha256"}
    return {**content, "sha256": digest(content)}


def good_report() -> dict:
    return sealed(
        {
            "format": "azpg.migrate/verification/1",
            "algorithm": "S64-send/1",
            "mode": "full",
            "verdict": "MATCH",
            "reason": "3 tables agree.",
            "request_hash": "abc",
            "finished_at": "2026-05-01T10:00:00Z",
            "valid_until": "2026-05-02T10:00:00Z",
            "source": SERVER,
            "target": OTHER,
            "databases": [{"name": "shop", "schema": {"warnings": [{"rule": "owner"}]}}],
            "roles": {},
        }
    )


def good_evidence() -> dict:
    return {
        "request_hash": "abc",
        "migration_state": "completed",
        "other_users": [],
        "runtime_is_endpoint": None,
        "source": copy.deepcopy(SERVER),
        "target": copy.deepcopy(OTHER),
        "static": {"holds": True, "proof": {}, "writers": []},
        "recheck": None,
        "sequences": {"checked": 2, "behind": [], "unreadable": []},
    }


def refusals(report=None, evidence=None, **options) -> list:
    found = evaluate(
        sealed({**good_report(), **(report or {})}),
        {**good_evidence(), **(evidence or {})},
        now=options.pop("now", NOW),
        **options,
    )
    assert all(item["msg"] and item["hint"] for item in found)
    return [item["code"] for item in found]


def test_opens():
    assert refusals() == []
    assert refusals(evidence={"fence": {"verdict": "fenced", "open": [], "unknown": []}}) == []


BITS = [("verdict", ""), ("mode", "x"), ("databases", []), ("source", {}), ("extra", 1), ("reason", "3 tables agree!")]


@pytest.mark.parametrize(("word", "value"), BITS)
def test_no_edit_goes_unnoticed(word, value):
    """Whatever is changed, added or taken away without a new digest."""
    edited = {**good_report(), word: value}
    taken = {key: item for key, item in good_report().items() if key != word}
    for report in (edited, taken if word in good_report() else edited):
        assert [item["code"] for item in evaluate(report, good_evidence(), now=NOW)] == ["report-digest"]


@pytest.mark.parametrize("missing", sorted(good_evidence()))
def test_missing_evidence_never_opens(missing):
    evidence = {word: item for word, item in good_evidence().items() if word != missing}
    found = [item["code"] for item in evaluate(good_report(), evidence, now=NOW)]
    # While the write position stands still, nobody needs a recheck.
    assert found or missing == "recheck"


def test_an_unknown_reason_is_a_mistake_of_the_programmer():
    with pytest.raises(ValueError, match="no reason"):
        refusal("because", "", "")


def test_opens_after_a_recheck_that_passed():
    assert refusals(evidence={"static": {"holds": False, "writers": []}, "recheck": {"outcome": "passed"}}) == []


NEW_DATABASE = {"shop": {"oid": 20000, "encoding": "UTF8", "collate": "C.UTF-8"}}


@pytest.mark.parametrize(
    ("report", "evidence", "code"),
    [
        ({}, {"fence": {"verdict": "open", "open": ["anybody"], "unknown": []}}, "fence-open"),
        ({}, {"fence": {"verdict": "unknown", "open": [], "unknown": ["hidden"]}}, "fence-unmeasured"),
        ({}, {"fence": {}}, "fence-unmeasured"),
        ({"format": "azpg.migrate/verification/2"}, {}, "report-format"),
        ({"format": None}, {}, "report-format"),
        ({"algorithm": "md5"}, {}, "report-format"),
        ({"mode": "counts"}, {}, "mode-not-full"),
        ({"mode": "schema"}, {}, "mode-not-full"),
        ({"mode": None}, {}, "mode-not-full"),
        ({"verdict": "MISMATCH"}, {}, "verdict-mismatch"),
        ({"verdict": "INCOMPLETE"}, {}, "verdict-incomplete"),
        ({"verdict": "ERROR"}, {}, "verdict-error"),
        ({"verdict": None}, {}, "verdict-unknown"),
        ({"verdict": "match"}, {}, "verdict-unknown"),
        ({"finished_at": "2026-05-01T13:00:00Z"}, {}, "report-from-future"),
        ({"valid_until": "2026-05-01T12:00:00Z"}, {}, "report-expired"),
        ({"valid_until": None}, {}, "report-undated"),
        ({"finished_at": "yesterday"}, {}, "report-undated"),
        ({"request_hash": "abd"}, {}, "foreign-request"),
        ({"request_hash": None}, {"request_hash": None}, "foreign-request"),
        ({}, {"source": None}, "source-unreadable"),
        ({}, {"target": {"error": "refused"}}, "target-unreadable"),
        ({}, {"source": {**SERVER, "system_identifier": "1"}}, "source-identity"),
        ({}, {"source": {**SERVER, "system_identifier": None}}, "source-identity"),
        ({}, {"source": {**SERVER, "host": "elsewhere:5432"}}, "source-identity"),
        ({}, {"source": {**SERVER, "databases": NEW_DATABASE}}, "source-identity"),
        ({}, {"target": {**OTHER, "databases": {}}}, "target-identity"),
        ({"target": None}, {}, "target-identity"),
        ({"target": {**OTHER, "databases": {}}}, {}, "target-identity"),
        ({}, {"migration_state": "running"}, "migration-not-completed"),
        ({}, {"migration_state": None}, "migration-not-completed"),
        ({}, {"other_users": ["billing"]}, "runtime-in-use"),
        ({}, {"other_users": None}, "runtime-in-use"),
        ({}, {"runtime_is_endpoint": "target"}, "runtime-is-endpoint"),
        ({}, {"static": {"holds": True}}, "source-being-written"),
        (
            {},
            {"static": {"holds": True, "writers": [{"pid": "7", "database": "shop", "user": "bob"}]}},
            "source-being-written",
        ),
        ({}, {"static": {"holds": False, "writers": []}}, "recheck-impossible"),
        (
            {},
            {"static": {"holds": False, "writers": []}, "recheck": {"outcome": "impossible", "reason": "no right"}},
            "recheck-impossible",
        ),
        (
            {},
            {
                "static": {"holds": False, "writers": []},
                "recheck": {"outcome": "differs", "differences": [{"database": "shop", "object": "t", "msg": ""}]},
            },
            "source-moved",
        ),
        ({}, {"sequences": {"checked": 2, "behind": ["shop: s"], "unreadable": []}}, "sequences-behind"),
        ({}, {"sequences": {"checked": 2, "behind": [], "unreadable": ["shop: s"]}}, "sequences-unreadable"),
        ({}, {"sequences": None}, "sequences-unreadable"),
    ],
)
def test_refuses(report, evidence, code):
    assert refusals(report, evidence) == [code]


def test_without_any_proof_of_stillness_both_reasons_are_told():
    assert refusals(evidence={"static": None}) == ["source-being-written", "recheck-impossible"]


@pytest.mark.parametrize("word", sorted(good_evidence()))
def test_evidence_that_is_missing_counts_as_no(word):
    evidence = good_evidence()
    del evidence[word]
    found = evaluate(good_report(), evidence, now=NOW)
    # A recheck is needed only when the write position has moved.
    assert bool(found) == (word != "recheck")


@pytest.mark.parametrize("word", sorted(set(good_report()) - {"databases", "roles", "reason", "sha256"}))
def test_a_report_without_a_part_is_refused(word):
    report = good_report()
    del report[word]
    assert evaluate(sealed(report), good_evidence(), now=NOW)


def test_no_report():
    assert [item["code"] for item in evaluate(None, good_evidence(), now=NOW)] == ["report-missing"]


def test_an_edited_report():
    report = {**good_report(), "verdict": "MATCH", "mode": "full", "reason": "edited"}
    assert [item["code"] for item in evaluate(report, good_evidence(), now=NOW)] == ["report-digest"]
    assert [item["code"] for item in evaluate({"format": "x"}, good_evidence(), now=NOW)] == ["report-format"]


def test_every_reason_is_told_at_once():
    codes = refusals({"mode": "counts", "verdict": "MISMATCH"}, {"other_users": ["x"], "migration_state": "failed"})
    assert set(codes) == {"mode-not-full", "verdict-mismatch", "runtime-in-use", "migration-not-completed"}


def test_warnings_are_accepted_by_default_or_by_name():
    assert refusals(accept_warnings=("owner", "acl")) == []
    assert refusals(accept_warnings=("acl",)) == ["warnings-not-accepted"]


def test_overrides_are_accepted_only_where_told():
    assert refusals({"verdict": "MATCH_WITH_OVERRIDES"}) == ["overrides-not-accepted"]
    assert refusals({"verdict": "MATCH_WITH_OVERRIDES"}, accept_overrides=True) == []
    assert refusals({"verdict": "MISMATCH"}, accept_overrides=True) == ["verdict-mismatch"]


def test_clocks_may_differ_a_little():
    assert refusals(now=NOW - timedelta(hours=2, minutes=4)) == []
    assert refusals(now=NOW - timedelta(hours=2, minutes=6)) == ["report-from-future"]


FULL_LINK, RECHECK_LINK = {"mode": "full", "sha256": "1"}, {"mode": "recheck", "sha256": "2"}


@pytest.mark.parametrize("chain", [[FULL_LINK], [RECHECK_LINK, RECHECK_LINK, FULL_LINK]])
def test_opens_for_rechecks_that_go_back_to_a_full_report(chain):
    assert refusals({"mode": "recheck", "base": {"chain": chain}}) == []


@pytest.mark.parametrize("base", [None, {}, {"chain": [RECHECK_LINK]}, {"chain": [{"mode": "sample"}, FULL_LINK]}])
def test_refuses_rechecks_of_anything_else(base):
    assert refusals({"mode": "recheck", "base": base}) == ["mode-not-full"]


@pytest.mark.parametrize(
    ("written", "told", "opens"), [(True, True, True), (True, False, False), (False, True, False), (None, True, False)]
)
def test_a_sample_opens_only_if_report_and_gate_say_so(written, told, opens):
    found = refusals({"mode": "sample", "accept_sample": written}, accept_sample=told)
    assert found == ([] if opens else ["mode-not-full"])


def test_accepting_samples_accepts_nothing_else():
    assert refusals({"mode": "counts", "accept_sample": True}, accept_sample=True) == ["mode-not-full"]


def test_opens_for_hashes_computed_by_the_client_but_no_unknown_ones():
    assert refusals({"algorithm": "B128-copy/1"}) == []
    assert refusals({"algorithm": "B128-copy/2"}) == ["report-format"]
