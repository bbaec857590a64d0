# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every single fault is found, and named to row and column, or object; without one, everything matches."""

from __future__ import annotations

import pytest
from support.mutations import DATA, FAULTS, NAMED, SCHEMA, SOFT
from support.pair import findings, said


def test_there_are_many_kinds():
    assert len(FAULTS) >= 100 and set(NAMED) <= set(FAULTS)
    assert min(sum(kind == one for kind, _sql, _word in FAULTS.values()) for one in (DATA, SCHEMA, SOFT)) >= 20


@pytest.mark.parametrize("name", FAULTS)
def test_every_single_fault_is_found(pair, fault, name):
    kind, sql, word = FAULTS[name]
    difference, columns, key = NAMED.get(name, (None, [], None))
    keys = sorted(pair.run("target", key).strip().splitlines()) if key else []
    fault(sql)
    report = pair.verify()
    if kind == SOFT:
        assert report["verdict"] == "MATCH", said(report)
        assert any(word in item["object"] or word in item["kind"] for item in findings(report, "warnings")), said(
            report
        )
        return
    assert report["verdict"] == "MISMATCH", said(report)
    entry = report["databases"][0]
    if kind == SCHEMA:
        assert any(word in item["object"] for item in findings(report)), said(report)
        return
    bad = [item["name"] for item in entry["tables"] + entry["sequences"] if item["verdict"] == "MISMATCH"]
    bad += ["large objects"] if entry["large_objects"]["verdict"] == "MISMATCH" else []
    assert any(word in item for item in bad), said(report)
    assert bool(difference) == any(item["diff"] for item in entry["tables"]), said(report)
    for diff in [item["diff"] for item in entry["tables"] if item["diff"]]:
        assert diff["error"] == "" and diff["complete"], diff
        found = diff["differences"]
        assert found and {item["kind"] for item in found} == {difference}, found
        assert all(item["columns"] == columns for item in found), found
        assert sorted(" ".join(item["key"].values()) for item in found) == (keys or [""] * len(found))
    assert not [item for item in findings(report) if item["kind"] != "large object"], said(report)


def test_the_fault_fixture_leaves_a_copy_that_matches(pair, fault):
    report = pair.verify()
    assert report["verdict"] == "MATCH" and findings(report, "warnings") == [], said(report)
