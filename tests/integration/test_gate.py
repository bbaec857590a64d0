# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is taken away unless the data is proven to be there, or somebody gives the migration up by its name."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.canonical import digest
from support.migrations import Migration, environment
from support.servers import USER, ask, drop_database, session
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
        refused(completed, "report-unreadable", "cannot be read", "Verify again")


def test_report_of_an_unknown_format(completed):
    with restored(completed):
        edit(completed, format="azpg.migrate/verification/99")
        refused(completed, "report-format", "azpg.migrate/verification/99", "Verify again")


def test_report_that_has_expired(completed):
    with restored(completed):
        edit(completed, finished_at="2026-01-01T00:00:00Z", valid_until="2026-01-02T00:00:00Z")
        refused(completed, "report-expired", "valid until 2026-01-02", "full")


def test_report_from_the_future(completed):
    with restored(completed):
        edit(completed, finished_at="2999-01-01T00:00:00Z", valid_until="2999-01-02T00:00:00Z")
        refused(completed, "report-from-future", "yet to come", "clocks")


def test_report_of_another_server(completed):
    with restored(completed):
        edit(completed, source={**completed.report()["source"], "system_identifier": "1"})
        refused(completed, "source-identity", "not the server that was verified")


KEY = "a shared key of some length"


def opens(one: Migration, **options) -> bool:
    """Tell whether the gate would open, without going through."""
    result = one.module("cleanup", check_mode=True, **options).good()
    assert result["state"] == "absent" or result["refusals"], result
    return not result["refusals"]


def test_a_signature_that_is_asked_for(completed):
    with restored(completed):
        refused(completed, "signature-missing", "not signed", signing_key=KEY)
        result = completed.module("verification", signing_key=KEY).good()
        assert KEY not in result.output and KEY not in json.dumps(completed.report())
        assert completed.report()["signature"]["kind"] == "hmac-sha256"
        refused(
            completed, "signature-key", "another key", signing_key=KEY + "!", module="runtime_server", state="absent"
        )
        refused(completed, "signature-kind", allowed_signers="/dev/null")
        assert opens(completed, signing_key=KEY) and opens(completed)
        # Whoever edits the report and makes its digest fit again does not have the key.
        report = completed.report()
        content = {word: item for word, item in report.items() if word not in ("sha256", "signature")}
        content["reason"] = "all is well"
        forged = {**content, "sha256": digest(content), "signature": report["signature"]}
        path = completed.private / "reports" / "verification.json"
        path.write_text(json.dumps(forged), encoding="utf-8")
        refused(completed, "signature-edited", "edited after it was signed", signing_key=KEY)
        path.write_text(json.dumps({**report, "signature": {"kind": "wax", "value": ""}}), encoding="utf-8")
        refused(completed, "signature-malformed", "wax", signing_key=KEY)
        # A recheck rests on a signed report as on any other.
        path.write_text(json.dumps(report), encoding="utf-8")
        assert completed.module("verification", check="recheck").good()["verification"]["verdict"] == "MATCH"


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen")
def test_a_signature_by_ssh_key(completed, tmp_path):
    for name in ("mine", "foreign"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
        public = (tmp_path / f"{name}.pub").read_text(encoding="utf-8")
        (tmp_path / f"{name}.signers").write_text(f"{name}@example.org {public}", encoding="utf-8")
    with restored(completed):
        completed.module("verification", signing_ssh_key=str(tmp_path / "mine")).good()
        signers = str(tmp_path / "mine.signers")
        assert opens(completed, allowed_signers=signers, signer="mine@example.org")
        refused(completed, "signature-key", "not signed by", allowed_signers=str(tmp_path / "foreign.signers"))
        refused(completed, "signature-key", "somebody", allowed_signers=signers, signer="somebody@example.org")


def test_a_sample_opens_only_where_both_sides_say_so(completed):
    with restored(completed):
        completed.module("verification", check="sample").good()
        refused(completed, "mode-not-full", accept_sample=True)
        completed.module("verification", check="sample", accept_sample=True).good()
        refused(completed, "mode-not-full")
        assert opens(completed, accept_sample=True)


def collected(one: Migration, **options) -> dict:
    """Collect evidence as a host would that reaches both servers."""
    return one.module("verification_info", evidence=True, **options).good()["evidence"]


# What a host has to say of the servers that reaches neither: their addresses, and no way to them.
def unreachable(one: Migration) -> dict:
    return {side: {**words, "user": "nobody", "password": "wrong"} for side, words in one.ends.items()}


def test_evidence_opens_the_gate_on_a_host_that_reaches_no_server(completed):
    evidence = collected(completed)
    assert evidence["report"] == completed.report() and evidence["against"] == []
    text = json.dumps(evidence)
    assert not any(words["password"] in text for words in completed.ends.values())
    refusals = completed.module("cleanup", check_mode=True, **unreachable(completed)).good()["refusals"]
    assert {item["code"] for item in refusals} == {"source-unreadable", "target-unreadable"}
    assert opens(completed, evidence=evidence, **unreachable(completed))
    # The report here is not looked at: it may lie on the other host.
    with restored(completed):
        shutil.rmtree(completed.private / "reports")
        assert opens(completed, evidence=evidence)


@pytest.mark.parametrize("module", ["cleanup", "runtime_server"])
def test_evidence_that_is_edited_stale_or_foreign(completed, module):
    def seal(**changes) -> dict:
        content = {word: item for word, item in {**evidence, **changes}.items() if word != "sha256"}
        return {**content, "sha256": digest(content)}

    options = {"state": "absent"} if module == "runtime_server" else {}
    evidence = collected(completed)
    facts = {**evidence["facts"], "sequences": {"checked": 7, "behind": [], "unreadable": []}}
    for code, found in (
        ("evidence-edited", {**evidence, "facts": facts}),
        ("evidence-expired", seal(collected_at="2026-01-01T00:00:00Z")),
        ("evidence-from-future", seal(collected_at="2999-01-01T00:00:00Z")),
        ("evidence-foreign", seal(facts={**facts, "request_hash": "0" * 64})),
        ("evidence-format", seal(format="azpg.migrate/evidence/99")),
        ("report-digest", seal(report={**evidence["report"], "reason": "all is well"})),
        ("report-missing", seal(report=None)),
    ):
        refused(completed, code, module=module, evidence=found, **options)


def test_evidence_of_a_source_that_moved_or_a_report_that_is_none(completed):
    source = completed.lab.source
    ask(source, "UPDATE app.parent SET name = 'changed' WHERE id = 7", "gated")
    try:
        refused(completed, "source-moved", "app.parent", evidence=collected(completed))
    finally:
        ask(source, "UPDATE app.parent SET name = 'parent 7' WHERE id = 7", "gated")
    assert opens(completed, evidence=collected(completed))
    with restored(completed):
        edit(completed, sign=False, reason="all is well")
        evidence = collected(completed)
        assert completed.module("verification_info", evidence=True)["state"] == "unverified"
    refused(completed, "report-digest", "edited", evidence=evidence)


def test_evidence_survives_the_way_through_a_playbook(completed):
    """Registered, templated and handed to another module it is still what was collected."""
    given = completed.arguments("cleanup")
    call = {
        word: given[word] for word in ("name", "source", "target", "databases", "state_directory", "archive_directory")
    }
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            "tasks": [
                {"azpg.migrate.verification_info": {**call, "evidence": True}, "register": "proof"},
                {
                    "azpg.migrate.cleanup": {**call, "evidence": "{{ proof.evidence }}"},
                    "check_mode": True,
                    "register": "gate",
                },
                {"ansible.builtin.assert": {"that": ["gate.refusals == []", "gate is changed"]}},
            ],
        }
    ]
    path = completed.directory.parent / "evidence.yml"
    path.write_text(json.dumps(play), encoding="utf-8")
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run(
        [program, "-i", "localhost,", path], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "changed=1" in done.stdout, done.stdout + done.stderr


@pytest.fixture
def fencing(completed):
    """The migration user with the rights that a fence needs, and no fence afterwards."""
    lab = completed.lab
    ask(lab.source, f"GRANT app_owner, pg_signal_backend, pg_read_all_stats TO {USER}")
    state = (
        "SELECT datacl::text, (SELECT setconfig::text FROM pg_db_role_setting WHERE setdatabase = d.oid AND setrole = 0) "
        "FROM pg_database d WHERE datname = 'gated'"
    )
    before = ask(lab.source, state)
    with restored(completed):
        yield completed
        completed.module("verification", fence="down").good()
    normal = [(None, None)]
    assert ask(lab.source, state) in (before, normal) or "=Tc" in ask(lab.source, state)[0][0]
    ask(lab.source, f"REVOKE pg_signal_backend, pg_read_all_stats FROM {USER}")


def can_write(one: Migration) -> bool:
    """Tell whether an application's new session may write to the source."""
    source = one.lab.source
    ask(source, "DROP ROLE IF EXISTS application")
    ask(source, "CREATE ROLE application LOGIN PASSWORD 'app' IN ROLE app_owner")
    try:
        with psycopg2.connect(**{**source.connection("application", "app"), "dbname": "gated"}) as connection:
            connection.cursor().execute("UPDATE app.quiet SET amount = amount WHERE false")
        return True
    except psycopg2.Error:
        return False
    finally:
        with contextlib.suppress(UnboundLocalError):
            connection.close()
        ask(source, "DROP ROLE application")


def test_a_fence_is_measured_stands_and_is_taken_down(fencing):
    assert can_write(fencing)
    trial = fencing.module("verification", fence="up", check_mode=True).good()
    assert trial["changed"] and can_write(fencing), "check mode fences nothing"
    first = fencing.module("verification", fence="up", fence_grace_seconds=1).good()
    assert first["changed"] and first["fence"]["verdict"] == "fenced" and not can_write(fencing)
    assert fencing.report()["source"]["fence"]["verdict"] == "fenced"
    assert not fencing.module("verification", fence="up", fence_grace_seconds=1).good()["changed"]
    assert opens(fencing)
    kept = fencing.module("cleanup", check_mode=True).good()["kept"]
    assert any("fence: down" in item for item in kept)
    # By the playbook: that is what was asked for, and it reads like it.
    down = fencing.play("verify", azpg_fence="down").good()
    assert down.changed == 1 and can_write(fencing)
    assert (
        "The fence around the source is down; nothing was to be compared." in down.output
        and "INCOMPLETE" not in down.output
    )
    again = fencing.module("verification", fence="down").good()
    assert not again["changed"] and again["state"] == "unfenced" and not (fencing.private / "fence.json").exists()
    assert opens(fencing), "a fence that was taken down on purpose does not shut the gate"


def test_a_fence_that_does_not_hold_shuts_the_gate(fencing):
    fencing.module("verification", fence="up", fence_grace_seconds=1).good()
    ask(
        fencing.lab.source,
        "GRANT CONNECT ON DATABASE gated TO PUBLIC; ALTER DATABASE gated RESET default_transaction_read_only",
    )
    refused(fencing, "fence-open", "new sessions may write", "fence: down")
    # The verification sees it too, and does not say that all is well.
    result = fencing.module("verification", fail_on="never").good()
    assert result["verification"]["verdict"] == "INCOMPLETE" and "fence" in result["verification"]["reason"]
    # Up once more, it holds again.
    assert fencing.module("verification", fence="up", fence_grace_seconds=1).good()["changed"]
    assert opens(fencing)


def test_a_fence_that_cannot_keep_everybody_out_fails(fencing):
    with session(fencing.lab.source, "gated"):
        result = fencing.module("verification", fence="up", fence_grace_seconds=1)
        assert result.failed and result["code"] == "fence-failed" and "fence: down" in result["msg"]
        assert "postgres" in result["msg"]
    assert (fencing.private / "fence.json").exists(), "the way back is on record"


def test_progress_can_be_asked_for(completed):
    found = completed.module("verification_info").good()
    assert found["state"] == "verified" and found["progress"]["state"] == "finished" and found["progress"]["share"] == 1
    paths = [completed.private / f"verification-{word}.json" for word in ("progress", "process")]
    before = [path.read_text(encoding="utf-8") for path in paths]
    state, process = (json.loads(text) for text in before)
    state = {**state, "state": "running", "verdict": "", "share": 0.5, "seconds_left": 7}
    try:
        # Of a process that lives, and of one that does not.
        mine = Path(f"/proc/{os.getpid()}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
        paths[0].write_text(json.dumps(state), encoding="utf-8")
        paths[1].write_text(json.dumps({**process, "pid": os.getpid(), "start_time": int(mine)}), encoding="utf-8")
        found = completed.module("verification_info").good()
        assert (found["state"], found["progress"]["seconds_left"], found["verification"]) == ("running", 7, {})
        paths[1].write_text(json.dumps(process), encoding="utf-8")
        found = completed.module("verification_info").good()
        assert (found["state"], found["progress"]["state"]) == ("verified", "interrupted")
    finally:
        for path, text in zip(paths, before):
            path.write_text(text, encoding="utf-8")


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
