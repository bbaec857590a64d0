# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module and the role of the checks: what they write and where, what they change when asked to, what they refuse."""

from __future__ import annotations

import json
import os
import re

from support.servers import ask, catalogue

LIMITS = {"lock_timeout": "5s", "statement_timeout": "60s", "default_transaction_read_only": "on"}


def pages(migration) -> tuple:
    """Return the two files of a report that was fetched to the controller."""
    home = migration.reports / migration.name
    return home / "premigration.json", home / "premigration.html"


def test_a_report_for_programs_and_one_for_people(migration, tmp_path):
    one = migration("report")
    trial = one.module("premigration_check", check_mode=True, report_directory=str(tmp_path / "r")).good()
    assert trial["report"] is None and trial["page"] is None and not (tmp_path / "r").exists()
    result = one.module("premigration_check", report_directory=str(tmp_path / "r")).good()
    report = json.loads((tmp_path / "r" / "premigration.json").read_text(encoding="utf-8"))
    assert (result["report"], result["page"]) == tuple(
        str(tmp_path / "r" / f"premigration.{end}") for end in ("json", "html")
    )
    assert not result["changed"] and not one.state.exists()
    assert report["findings"] == result["findings"] and report["estimate"] == result["estimate"]
    assert {os.stat(tmp_path / "r" / name).st_mode & 0o777 for name in ("premigration.json", "premigration.html")} == {
        0o600
    }
    page = (tmp_path / "r" / "premigration.html").read_text(encoding="utf-8")
    assert "Readiness of the migration" in page and "<script" not in page
    for secret in one.lab.passwords.values():
        assert secret not in page and secret not in json.dumps(report)


def test_every_session_has_limits_before_it_asks_anything(migration):
    """As the servers' logs tell it: the first statement of each session sets them, and no later one takes them back."""
    one = migration("limits", "seed_bulk")
    ends = (one.lab.source, one.lab.target)
    for cluster in ends:
        ask(cluster, "ALTER ROLE migrator SET log_statement = 'all'")
    begun = [cluster.log.stat().st_size for cluster in ends]
    try:
        one.module("premigration_check", mode="offline").good()
    finally:
        for cluster in ends:
            ask(cluster, "ALTER ROLE migrator RESET log_statement")
    for cluster, start in zip(ends, begun):
        text = cluster.log.read_text(encoding="utf-8", errors="replace")[start:]
        sessions: dict = {}
        for process, words in re.findall(r"\[(\d+)\] migrator@\S+ LOG:  statement: ([^\n]*)", text):
            sessions.setdefault(process, []).append(words)
        assert len(sessions) >= 2
        for statements in sessions.values():
            first, *others = [words for words in statements if not words.startswith(("BEGIN", "SET client_encoding"))]
            assert all(f"set_config('{name}', '{value}'" in first for name, value in LIMITS.items()), first
            assert not [words for words in others if re.search(r"\b(SET|set_config)\b.*_timeout", words)]


def test_the_estimate_is_measured_only_when_asked_for(migration):
    one = migration("scratch", "seed_bulk")
    before = catalogue(one.lab.target)
    trial = one.module("premigration_check", check_mode=True, scratch=True, probe=["create_database"]).good()
    assert (trial["changed"], trial["probed"]) == (False, [])
    assert trial["estimate"]["seconds"] > 0 and any("assumed" in words for words in trial["estimate"]["basis"])
    tried = one.module("premigration_check", scratch=True, probe=["create_database"]).good()
    assert tried["changed"] and len(tried["probed"]) == 2
    assert any("made and dropped" in words for words in tried["probed"])
    assert any("rolled back" in words for words in tried["probed"])
    assert any("(measured" in words for words in tried["estimate"]["basis"])
    assert catalogue(one.lab.target) == before


def test_levels_severities_and_accepted_findings(migration):
    one = migration("choices")
    ask(one.lab.source, "CREATE ROLE reporting LOGIN")
    try:
        ask(one.lab.source, f"GRANT CREATE ON DATABASE {one.databases[0]} TO reporting")
        only = {"only": ["target-role-passwords"]}
        warned = one.module("premigration_check", **only, levels=["server"]).good()
        assert warned["summary"]["rules"] == {"failed": [], "warning": ["target-role-passwords"]}
        assert {(finding["who"], finding["level"]) for finding in warned["findings"]} == {
            ("database administrator", "server")
        }
        refused = one.module("premigration_check", **only, severities={"target-role-*": "failed"})
        assert refused.failed and "reporting" in refused["msg"]
        known = {"rule": "target-role-passwords", "reason": "they use certificates", "until": "2999-12-31"}
        accepted = one.module("premigration_check", **only, accept=[known], fail_on="warning").good()
        assert accepted["findings"][0]["because"] == "accepted" and "certificates" in accepted["findings"][0]["found"]
        over = one.module("premigration_check", **only, accept=[{**known, "until": "2020-01-01"}], fail_on="warning")
        assert over.failed and "the acceptance expired on 2020-01-01" in over["msg"]
    finally:
        ask(one.lab.source, f"REVOKE CREATE ON DATABASE {one.databases[0]} FROM reporting")
        ask(one.lab.source, "DROP ROLE reporting")


def test_the_role_brings_the_report_home_whatever_it_says(migration):
    one = migration("home")
    data, page = pages(one)
    # With --check nothing is written, and the role goes through.
    assert one.play("premigration", "--check", "--diff").good().changed == 0
    assert not data.exists()
    ask(one.lab.target, "ALTER ROLE migrator NOCREATEDB")
    try:
        # A variable that is misspelled is ignored by Ansible, and named.
        play = one.play("premigration", azpg_jbos=3)
    finally:
        ask(one.lab.target, "ALTER ROLE migrator CREATEDB")
    assert play.code == 2 and "has no CREATEDB" in play.output
    # How it ought to be is told from how it is, and the end is short: the rules, and where the page is.
    assert "Expected: The target's user may create the database and what is in it (home): CREATEDB, or" in play.output
    (last,) = [line for line in play.output.splitlines() if line.startswith("fatal:")]
    assert (
        "1 finding speaks against it (target-database-creatable)" in last and f"See {page}" in last and len(last) < 600
    )
    assert "variable azpg_jbos; it is ignored. Is azpg_jobs meant?" in " ".join(play.output.split())
    bad = json.loads(data.read_text(encoding="utf-8"))
    assert bad["summary"]["rules"]["failed"] == ["target-database-creatable"]
    assert "Not ready to begin" in page.read_text(encoding="utf-8") and page.stat().st_size > 10_000
    # Nothing but a place to fetch it from was made, and that is gone.
    assert not one.state.exists()
