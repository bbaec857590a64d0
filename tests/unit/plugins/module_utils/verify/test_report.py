# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports on disk: private, whole, and refused when they are not what was written."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.canonical import digest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import PreconditionFailed
from ansible_collections.azpg.migrate.plugins.module_utils._verify.findings import finding, sort_out
from ansible_collections.azpg.migrate.plugins.module_utils._verify.report import read_report, write_report
from ansible_collections.azpg.migrate.plugins.module_utils._verify.run import totals
from ansible_collections.azpg.migrate.plugins.module_utils._verify.verdict import ORDER

EVIL = "<script>alert('x')</script>\"&"


def make_diff() -> dict:
    row = {
        "kind": "changed", "key": {EVIL: EVIL}, "key_hash": EVIL, "columns": [EVIL], "likely": True, "copies": [1, 1],
        "place": {"source": EVIL, "target": EVIL}, "values": {EVIL: [EVIL, None]}, "sql": {"source": EVIL, "target": "x"},
    }  # fmt: skip
    return {
        "on": EVIL, "key_kind": "primary key", "key": [EVIL], "keys": "show", "missing": "0", "unexpected": "1",
        "changed": "250", "listed": "250", "complete": False, "estimate": "300", "columns": {EVIL: 250}, "error": "", "generated": [EVIL],
        "differences": [row] * 250,
    }  # fmt: skip


def make_report(verdict="MISMATCH") -> dict:
    table = {
        "name": EVIL, "kind": "table", "partition_of": "", "rows": ["12", "11"], "sum": ["1", "2"], "bytes": ["8192", "0"],
        "seconds": ["0.100", "0.200"], "verdict": "MISMATCH", "msg": EVIL, "remedy": EVIL, "carried": False,
        "method": "server", "sampled": ["", ""], "diff": make_diff(), "overrides": {EVIL: EVIL}, "fifteen_digits": [EVIL],
    }  # fmt: skip
    found = [
        finding("error", "missing", "index", EVIL, EVIL, source=EVIL, target=None, remedy=EVIL),
        finding("warning", "owner", "table", EVIL, EVIL),
        finding("expected", "superuser-owner", "table", EVIL, EVIL, remedy=EVIL),
        finding("not_comparable", "view-definition", "view", EVIL, EVIL),
        finding("error", "missing", "table", "left out", "x"),
    ]
    server = {"host": EVIL, "version": 140023, "system_identifier": "1", "user": EVIL}
    override = {"database": EVIL, "table": EVIL, "column": EVIL, "expression": EVIL}
    report = {
        "format": "azpg.migrate/verification/1",
        "mode": "full",
        "base": None,
        "sample": None,
        "resumed": {"pieces": 2, "runs": [EVIL]},
        "method": {"asked": "auto", "used": "server"},
        "verdict": verdict,
        "reason": EVIL,
        "migration": {"name": EVIL},
        "source": {**server, "static_proof": {"xmax": "1", "wal_lsn": "0/1"}},
        "target": server,
        "started_at": "2026-05-01T10:00:00Z",
        "finished_at": "2026-05-01T10:00:00Z",
        "valid_until": "2026-05-02T10:00:00Z",
        "consistency": EVIL,
        "tool": {"name": "azpg.migrate", "version": EVIL, "host": EVIL},
        "ignore": [{"object": EVIL, "reason": EVIL, "n": 1}],
        "overrides": [override],
        "excluded": [{"what": EVIL, "why": EVIL}],
        "roles": {"roles": 1, "memberships": 0, **sort_out([])},
        "databases": [
            {
                "name": EVIL,
                "verdict": "MISMATCH",
                "error": {"msg": EVIL, "hint": EVIL},
                "remarks": [{"kind": EVIL, "object": EVIL, "msg": EVIL, "remedy": EVIL}],
                "phases": [
                    {"phase": "connecting", "side": "", "began": "0.000", "ended": "0.250"},
                    {"phase": EVIL, "side": EVIL, "began": "0.250", "ended": "1.000"},
                    {"phase": "rows", "side": "source", "began": "1.000", "ended": "3.000"},
                ],
                "sessions": {"source": 2, "target": 2},
                "inventory": {"source": 2, "target": 2, "union": 2},
                "tables": [table],
                "skipped": [{"name": EVIL, "reason": EVIL}],
                "sequences": [{"name": EVIL, "verdict": "MISMATCH", "msg": EVIL}],
                "large_objects": {"verdict": "INCOMPLETE", "msg": EVIL, "source": {"count": 3}},
                "schema": {"objects": {EVIL: [1, 2], "cast": [0, 0]}, **sort_out(found, [{"object": "left*"}])},
            }
        ],
    }
    report["totals"] = totals(report)
    report["sha256"] = digest(report)
    return report


def test_written_reports_are_private_and_read_back(tmp_path):
    report = make_report()
    directory = tmp_path / "reports"
    path = write_report(report, str(directory))
    assert path == str(directory / "verification.json")
    assert read_report(path) == report
    assert read_report(str(directory / f"verification-{report['sha256'][:12]}.json")) == report
    assert sorted(os.listdir(directory)) == [
        f"verification-{report['sha256'][:12]}.json", "verification.html", "verification.json",
    ]  # fmt: skip
    assert {oct(os.stat(directory / name).st_mode & 0o777) for name in os.listdir(directory)} == {"0o600"}
    assert oct(os.stat(directory).st_mode & 0o777) == "0o700"


def test_the_page_escapes_everything_and_loads_nothing(tmp_path):
    write_report(make_report(), str(tmp_path))
    page = (tmp_path / "verification.html").read_text(encoding="utf-8")
    assert "<script" not in page and "alert('x')" not in page
    assert "&lt;script&gt;" in page
    assert "src=" not in page and "@import" not in page and "://" not in page
    assert "MISMATCH" in page and "12 / 11" in page
    assert page.count('<pre class="sql">') == 200 and "150 more are listed" in page and "about 300 rows differ" in page


@pytest.mark.parametrize("verdict", ORDER)
def test_every_verdict_has_a_headline(tmp_path, verdict):
    write_report(make_report(verdict), str(tmp_path))
    assert f'<span class="word">{verdict}</span>' in (tmp_path / "verification.html").read_text(encoding="utf-8")


def test_ignored_differences_are_counted_not_lost():
    report = make_report()
    assert report["totals"]["ignored"] == 1 and report["totals"]["errors"] == 1


def test_an_absent_report(tmp_path):
    with pytest.raises(PreconditionFailed, match="no verification report"):
        read_report(str(tmp_path / "verification.json"))


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda text: text.replace('"MISMATCH"', '"MATCH"'), "was edited"),
        (lambda text: text.replace("verification/1", "verification/9"), "format"),
        (lambda text: json.dumps({**json.loads(text), "sha256": None}), "was edited"),
        (lambda text: json.dumps({**json.loads(text), "more": 1}), "was edited"),
        (lambda text: "[]", "format"),
    ],
)
def test_spoilt_reports_are_refused(tmp_path, spoil, word):
    path = write_report(make_report(), str(tmp_path))
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(spoil(text))
    with pytest.raises(PreconditionFailed, match=word):
        read_report(path)
