# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every job template of the AWX pattern, run as AWX runs it, from provisioning to the evidence of a workflow that failed."""

from __future__ import annotations

import json

import pytest
from support.passwords import PASSWORDS, set_password, spilled
from support.servers import USER, contents

from tests.awx.job import KEPT_BYTES, SHOWN_BYTES, Awx

# Some seconds for what is moved, so that a job can be cut off in between.
SLOWLY = 500_000


def credential(lab, side: str) -> dict:
    """Return what a person types into the form of a credential."""
    words = lab.endpoint(side)
    return {
        "host": words["host"],
        "port": str(words["port"]),
        "username": USER,
        "password": PASSWORDS[side],
        "sslmode": words["sslmode"],
        "sslrootcert": words["sslrootcert"],
    }


@pytest.fixture
def awx(lab, clean, tmp_path):
    """AWX with two migrations in its inventory, whose users have odd passwords."""
    for side, cluster in (("source", lab.source), ("target", lab.target)):
        set_password(cluster, PASSWORDS[side])
    clean.new_database("slow", "seed_bulk")
    clean.new_database("quick")
    inventory = {
        "migrations": {
            "hosts": {
                "slow": {"azpg_name": "slow", "azpg_databases": ["slow"], "azpg_max_bytes_per_second": SLOWLY},
                "quick": {"azpg_name": "quick", "azpg_databases": ["quick"]},
            },
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                "ansible_pipelining": True,
                "azpg_source": "{{ credential_source }}",
                "azpg_target": "{{ credential_target }}",
                "azpg_bin_directory": str(lab.target.prefix / "bin"),
                "azpg_colocated": True,
                "azpg_state_directory": str(tmp_path / "state"),
                "azpg_archive_directory": str(tmp_path / "archive"),
                "azpg_report_directory": str(tmp_path / "reports"),
                "azpg_jobs": 2,
                "azpg_poll_interval": 1,
            },
        }
    }
    yield Awx(tmp_path, inventory, {side: credential(lab, side) for side in ("source", "target")})
    for side, cluster in (("source", lab.source), ("target", lab.target)):
        set_password(cluster, lab.passwords[side])


def moving(event: dict) -> bool:
    """Tell whether an event is a line of progress that says that bytes have arrived."""
    return event["event"] == "verbose" and "MB of" in event.get("stdout", "") and " 0% " not in event["stdout"]


def test_every_job_template_as_awx_runs_it(lab, awx, tmp_path):
    jobs, artefacts = {}, {}

    def launch(template: str, wanted: str = "successful", **options):
        """Launch with what earlier jobs of the workflow handed on."""
        done = awx.launch(template, artefacts=artefacts, azpg_hosts="slow", **options)
        assert done.status == wanted, done.stdout[-4000:]
        jobs.setdefault(template, []).append(done)
        artefacts.update(done.artefacts)
        return done

    launch("provision")
    assert artefacts["migrations_provisioned"]["slow"]["changed"] is True
    launch("check")
    assert artefacts["migrations_checked"]["slow"]["seconds_expected"] > 0
    launch("migrate", check=True)
    assert artefacts["migrations_moved"]["slow"]["state"] == "absent"

    # Cancelled by a person: the transfer goes on, and the next launch attaches to it and runs into its timeout.
    cancelled = launch("migrate", "canceled", cancel=moving)
    assert cancelled.artefacts == {}
    engine = json.loads((tmp_path / "state" / "migrations" / "slow" / "engine.json").read_text(encoding="utf-8"))
    launch("migrate", "timeout", timeout=3)
    done = launch("migrate")
    again = json.loads((tmp_path / "state" / "migrations" / "slow" / "engine.json").read_text(encoding="utf-8"))
    assert again["pid"] == engine["pid"], "a relaunch started another engine"
    assert artefacts["migrations_moved"]["slow"]["state"] == "completed"
    assert any(moving(event) for event in cancelled.events + done.events)

    refused = launch("rollback", "failed", azpg_confirm="slow")
    assert "is completed" in refused.stdout and "give it up with" in refused.stdout
    assert artefacts["migrations_rolled_back"]["slow"]["state"] == "completed"
    assert "is completed" in artefacts["migrations_rolled_back"]["slow"]["msg"]

    nothing = launch("cutover")
    assert "its databases are complete without a cutover" in nothing.stdout

    launch("verify", azpg_verification_busy_percent="50")
    assert artefacts["migrations_verified"]["slow"]["verdict"] == "MATCH"
    launch("decommission")
    assert artefacts["migrations_decommissioned"]["slow"]["state"] == "decommissioned"
    assert contents(lab.source, "slow") == contents(lab.target, "slow")

    everything = awx.launch("everything", azpg_hosts="quick")
    assert everything.status == "successful", everything.stdout[-4000:]
    assert everything.artefacts["migrations_done"]["quick"] == {
        "moved": "completed",
        "verdict": "MATCH",
        "state": "decommissioned",
    }
    # The answer of a survey that nobody changed names the group: both migrations.
    fleet = awx.launch("fleet")
    assert fleet.artefacts["migrations_summary"].startswith("2 migrations: 2 decommissioned; 2 proven equal")
    evidence = awx.launch("evidence")
    assert (evidence.status, evidence.artefacts) == ("failed", fleet.artefacts)
    assert "slow: decommissioned" in evidence.stdout and "Nothing was removed" in evidence.stdout

    ran = [job for group in jobs.values() for job in group] + [everything, fleet, evidence]
    assert {*jobs, "everything", "fleet", "evidence"} == set(awx.templates)
    for job in ran:
        assert not spilled(job.everything().encode()), f"a password is in what AWX keeps of {job.folder}"
        for event in job.events:
            if event["event"] == "verbose":
                assert len(event.get("stdout", "").encode()) < SHOWN_BYTES
            assert len(json.dumps(event.get("event_data", {}).get("res", {}))) < KEPT_BYTES


def test_wrong_answers_and_missing_credentials_are_told_in_one_sentence(awx):
    assert awx.launch("provision", azpg_hosts="quick").status == "successful"
    refused = awx.launch("decommission", azpg_hosts="quick", azpg_outcome="abandoned")
    assert refused.status == "failed"
    assert "needs its name" in refused.stdout
    assert refused.artefacts["migrations_decommissioned"]["quick"]["state"] == "absent"
    awx.credentials = dict.fromkeys(awx.credentials, "")
    nobody = awx.launch("check", azpg_hosts="quick")
    assert nobody.status == "failed"
    assert not spilled(refused.everything().encode() + nobody.everything().encode())
    assert "The source names no server. Set 'source.host' or 'source.service'." in nobody.stdout
