# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is taken away unless the data is proven to be there, or somebody gives the migration up by its name."""

from __future__ import annotations

import contextlib
import json
import shutil

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.canonical import digest
from support.migrations import Migration
from support.servers import ask, drop_database, session
from support.waiting import wait_for

UNTOUCHED = "SELECT count(*) FROM azpg_migrate.migration"


@pytest.fixture(scope="module")
def completed(lab, tmp_path_factory):
    """A migration that is completed and verified; every test leaves it so."""
    lab.clean_target()
    lab.new_database("gated")
    one = Migration(lab, tmp_path_factory.mktemp("gate"), "gated", ["gated"])
    one.migrate()
    one.module("verification").good()
    yield one
    one.close()


def refused(one: Migration, code: str, *words: str, module: str = "cleanup", **options) -> None:
    """Make sure that the gate stays shut for one reason, and that nothing is gone."""
    before = sorted(path.relative_to(one.directory) for path in one.directory.rglob("*"))
    result = one.module(module, **options)
    assert result.failed and not result.get("changed"), result.output[-2000:]
    assert "Traceback" not in result.output
    assert result["code"] == "gate-refused", result["msg"]
    assert [reason["code"] for reason in result["details"]["reasons"]] == [code], result["msg"]
    missing = [word for word in ("Nothing was removed.", *words) if word not in result["msg"]]
    assert not missing, f"{missing} not in: {result['msg']}"
    assert sorted(path.relative_to(one.directory) for path in one.directory.rglob("*")) == before
    assert ask(one.lab.target, UNTOUCHED, one.databases[0]) == [(1,)]
    assert not one.archive.exists()


def edit(one: Migration, sign: bool = True, **changes) -> None:
    """Change the verification report; with I(sign) its digest fits again."""
    report = {**one.report(), **changes}
    if sign:
        report["sha256"] = digest({key: item for key, item in report.items() if key != "sha256"})
    (one.private / "reports" / "verification.json").write_text(json.dumps(report), encoding="utf-8")


@contextlib.contextmanager
def restored(one: Migration):
    """Put the reports back afterwards."""
    safe = one.directory.parent / "safe-reports"
    shutil.copytree(one.private / "reports", safe)
    try:
        yield
    finally:
        shutil.rmtree(one.private / "reports", ignore_errors=True)
        shutil.move(safe, one.private / "reports")


def test_an_open_transaction_on_the_source_keeps_the_gate_shut(completed):
    """What it wrote is not to be seen yet, so no fingerprint could tell."""
    with session(completed.lab.source, completed.databases[0]) as writer:
        writer.autocommit = False
        with writer.cursor() as cursor:
            cursor.execute("UPDATE app.quiet SET amount = 0 WHERE id = 1")
            refused(completed, "source-being-written", "postgres in gated", "Stop what still writes")
        writer.rollback()


@pytest.mark.parametrize("module", ["cleanup", "runtime_server"])
def test_without_a_report(completed, module):
    options = {"state": "absent"} if module == "runtime_server" else {}
    with restored(completed):
        shutil.rmtree(completed.private / "reports")
        refused(completed, "report-missing", "no verification report", "verification", module=module, **options)


def test_report_of_another_request(completed):
    with restored(completed):
        edit(completed, request_hash="0" * 64)
        refused(completed, "foreign-request", "belongs to another migration")


def test_edited_report(completed):
    with restored(completed):
        edit(completed, sign=False, reason="all is well")
        refused(completed, "report-digest", "edited")


def test_report_that_is_cut_off(completed):
    with restored(completed):
        path = completed.private / "reports" / "verification.json"
        path.write_text(path.read_text(encoding="utf-8")[:500], encoding="utf-8")
        refused(completed, "report-digest", "cannot be read")


def test_report_that_did_not_compare_rows(completed):
    with restored(completed):
        completed.module("verification", check="counts").good()
        refused(completed, "mode-not-full", "expected 'full'")


@pytest.mark.parametrize("module", ["cleanup", "runtime_server"])
def test_source_written_after_the_verification(completed, module):
    options = {"state": "absent"} if module == "runtime_server" else {}
    source = completed.lab.source
    ask(source, "UPDATE app.parent SET name = 'changed' WHERE id = 7", "gated")
    try:
        refused(completed, "source-moved", "gated", "app.parent", "verify", module=module, **options)
    finally:
        ask(source, "UPDATE app.parent SET name = 'parent 7' WHERE id = 7", "gated")


def test_completed_migration_is_not_abandoned(completed):
    result = completed.module("cleanup", outcome="abandoned", confirm="gated")
    assert result.failed and "is completed, not failed or cancelled" in result["msg"]
    assert completed.private.is_dir()


def test_busy_neighbour_and_maintenance_do_not_shut_the_gate(completed):
    source = completed.lab.source
    completed.lab.new_database("busy")
    before = ask(source, "SELECT txid_snapshot_xmax(txid_current_snapshot())")
    with session(source, "busy") as neighbour, neighbour.cursor() as cursor:
        cursor.execute("INSERT INTO app.quiet SELECT g, g FROM generate_series(1000, 2000) g")
        ask(source, "VACUUM ANALYZE", "gated")
        cursor.execute("BEGIN; UPDATE app.quiet SET amount = amount + 1")
        result = completed.module("cleanup", check_mode=True).good()
        cursor.execute("ROLLBACK")
    drop_database(source, "busy")
    assert ask(source, "SELECT txid_snapshot_xmax(txid_current_snapshot())") > before
    # Check mode says what would go, and nothing goes.
    assert result["changed"] and "target: schema azpg_migrate in database gated" in result["removed"]
    assert f"runtime server: {completed.private}" in result["removed"]
    assert result["diff"]["before"] and not result["diff"]["after"]
    assert completed.private.is_dir() and not completed.archive.exists()
    assert ask(completed.lab.target, UNTOUCHED, "gated") == [(1,)]


def test_the_gate_opens_at_last(completed):
    # The target is in use already: that is what it is there for.
    ask(completed.lab.target, "DELETE FROM app.child WHERE id = 1", "gated")
    result = completed.module("cleanup").good()
    assert result["changed"] and result["state"] == "decommissioned"
    record = json.loads((completed.archive / "final-record.json").read_text(encoding="utf-8"))
    assert record["sha256"] == digest({key: item for key, item in record.items() if key != "sha256"})
    assert record["outcome"] == "completed" and record["verification"]["verdict"] == "MATCH"
    assert not completed.private.exists()
    assert ask(completed.lab.target, "SELECT to_regnamespace('azpg_migrate')", "gated") == [(None,)]
    again = completed.module("cleanup").good()
    assert not again["changed"] and again["final_record"] == record


def test_giving_a_migration_up(migration):
    one = migration("given-up", "seed_bulk")
    database = one.databases[0]
    one.provision()
    one.module("migration", wait=False, max_bytes_per_second=600000).good()
    wait_for(lambda: one.journal("SELECT 1 FROM unit WHERE kind = 'table' AND state = 'done'"), "the first table")
    running = one.module("cleanup", outcome="abandoned", confirm="given-up")
    assert running.failed and "is running" in running["msg"] and "state=cancelled" in running["msg"]
    assert one.module("migration", state="cancelled").good()["state"] == "cancelled"
    unproven = one.module("cleanup")
    assert unproven.failed and unproven["code"] == "gate-refused"
    codes = {reason["code"] for reason in unproven["details"]["reasons"]}
    assert codes == {"migration-not-completed", "report-missing"} and "outcome: abandoned" in unproven["msg"]
    for confirm in (None, "given-in"):
        unnamed = one.module("cleanup", outcome="abandoned", confirm=confirm)
        assert unnamed.failed and "needs its name" in unnamed["msg"] and "confirm: given-up" in unnamed["msg"]
        assert one.private.is_dir()
    arrived = ask(one.lab.target, "SELECT relname FROM pg_class WHERE relname ~ '^bulk_.$' ORDER BY 1", database)
    assert len(arrived) == 6
    result = one.module("cleanup", outcome="abandoned", confirm="given-up").good()
    assert result["changed"] and result["final_record"]["outcome"] == "abandoned"
    assert not one.private.exists() and (one.archive / "journal.sqlite").exists()
    left = ask(one.lab.target, "SELECT relname FROM pg_class WHERE relname ~ '^bulk_.$' ORDER BY 1", database)
    assert left == arrived, "the target keeps what has arrived"
    assert not one.module("cleanup", outcome="abandoned", confirm="given-up").good()["changed"]


def test_taking_the_runtime_server_away_is_a_cleanup(migration):
    """Both doors lead through the same gate to the same final record."""
    one = migration("both-doors")
    one.provision()
    one.migrate()
    one.module("verification").good()
    result = one.module("runtime_server", state="absent").good()
    assert result["changed"]
    assert any("azpg_migrate" in thing for thing in result["changes"]), result["changes"]
    record = json.loads((one.archive / "final-record.json").read_text(encoding="utf-8"))
    assert record["outcome"] == "completed"
    assert not one.module("runtime_server", state="absent").good()["changed"]
    assert not one.module("cleanup").good()["changed"]
