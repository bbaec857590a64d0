# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verification while it runs: what people see, who outlives whom, and what is left when it dies."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.migrations import Migration, alive, children, environment
from support.servers import USER, ask, drop_database
from support.waiting import wait_for

# Sessions rest for most of the time, so that twelve tables, each of a piece of its own, take some five seconds.
SLOWLY = {"busy_percent": 1, "jobs": 1}
SLOW_PLAY = {**{f"azpg_verification_{word}": value for word, value in SLOWLY.items()}, "azpg_poll_interval": 1}
TABLES = """
SET ROLE app_owner;
DO $$ BEGIN FOR i IN 1..12 LOOP
  EXECUTE format('CREATE TABLE t%s (id integer PRIMARY KEY, note text) WITH (autovacuum_enabled = off)', i);
  EXECUTE format('INSERT INTO t%s SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 30000) g', i);
END LOOP; END $$;
CREATE TABLE parts (id integer PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
INSERT INTO parts SELECT generate_series(1, 150);
RESET ROLE;
ANALYZE;
"""
NAME = "process"
LINE = re.compile(r"^\[(\w+)\] +(\d+)% \| process \| tables \d+/14 \| .*$", re.MULTILINE)


@pytest.fixture(scope="module")
def moved(lab):
    """A database that is the same on both servers."""
    lab.clean_target()
    ask(lab.target, "CREATE ROLE app_owner")
    ask(lab.target, f"GRANT app_owner TO {USER}")
    ask(lab.source, f"GRANT app_owner TO {USER}")
    for cluster in (lab.source, lab.target):
        drop_database(cluster, NAME)
        ask(cluster, f"CREATE DATABASE {NAME} OWNER app_owner TEMPLATE template0")
        cluster.psql(TABLES, dbname=NAME)
    yield lab
    for cluster in (lab.source, lab.target):
        drop_database(cluster, NAME)


@pytest.fixture
def one(moved, tmp_path):
    """A migration that somebody else has done, and of which nothing runs afterwards."""
    found = Migration(moved, tmp_path, NAME, [NAME])
    yield found
    pid = process(found)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not alive(pid), "the verification's end")


def told(one: Migration, name: str) -> dict:
    """Return what is in a file of the migration's directory, nothing while it is not there."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return json.loads((one.private / name).read_text(encoding="utf-8"))
    return {}


def process(one: Migration) -> int | None:
    """Return the process that verifies, if it lives."""
    pid = told(one, "verification-process.json").get("pid")
    return pid if pid and alive(pid) else None


def tables_done(one: Migration) -> int:
    return told(one, "verification-progress.json").get("tables_done", 0)


def sessions(one: Migration) -> list:
    """Return the sessions of verifications on both servers."""
    sql = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'azpg.migrate % verification %'"
    return [row for cluster in (one.lab.source, one.lab.target) for row in ask(cluster, sql)]


def half_way(one: Migration) -> None:
    wait_for(lambda: tables_done(one) >= 4, "a third of the tables", 60)
    assert process(one) and tables_done(one) <= 12


# -- what people see ----------------------------------------------------------------------------------------------


def test_lines_tell_how_far_it_is_and_what_differs_as_it_is_found(one):
    with differing(one):
        begun = time.monotonic()
        begun_play = one.begin_play("verify", **SLOW_PLAY, azpg_wait_timeout=600)
        # It rests, not yet at its end, until what it has found is told and a line after it.
        wait_for(lambda: any("public.t7: The same" in text for text in found_so_far(one)), "a table that differs", 120)
        os.kill(process(one), signal.SIGSTOP)
        early = read_until(begun_play, "public.t7: The same") + read_until(begun_play, LINE)
        os.kill(process(one), signal.SIGCONT)
        play = one.end_play(begun_play)
        play.output = early + play.output
        seconds = time.monotonic() - begun
    assert play.code != 0 and "not proven equal: MISMATCH" in play.output, play.output[-3000:]
    lines = [match[0] for match in LINE.finditer(play.output)]
    shares = [int(match[2]) for match in LINE.finditer(play.output)]
    assert 1 <= len(lines) <= seconds / 5 + 2 and shares == sorted(shares) and shares[0] < 90, lines
    assert any(re.search(r"B of .*B, both ends \|.* \d+ s left$", line) for line in lines), lines
    seen = re.findall(r"^\[process\] warning: (.*)$", play.output, re.MULTILINE)
    assert f"{NAME}: public.t7: The same number of rows (30000), but their contents differ." in seen, seen
    assert f"{NAME}: public.parts: The source has 150 rows, the target 149." in seen, "of partitioned tables the whole"
    assert f"{NAME}: definitions differ: index public.t3_note" in seen
    assert f"{NAME}: public.t7: rows: 1 changed; columns: note" in seen
    assert len(seen) == len(set(seen)) == 5, seen
    mine = [line for line in play.output.splitlines() if line.startswith("[process]")]
    assert max(len(line.encode()) for line in mine) <= 320


def found_so_far(one: Migration) -> list:
    """Return what a verification has found to differ by now."""
    return [event["message"] for event in told(one, "verification-progress.json").get("events", [])]


def read_until(play: subprocess.Popen, pattern) -> str:
    """Return what a play says up to the line that holds I(pattern); the play's own end is a failure."""
    read = []
    for line in play.stdout:
        read.append(line)
        if re.search(pattern, line):
            return "".join(read)
    raise AssertionError("".join(read)[-3000:])


@contextlib.contextmanager
def differing(one: Migration):
    target = one.lab.target
    ask(target, "UPDATE t7 SET note = 'x' WHERE id = 777", NAME)
    ask(target, "DELETE FROM parts WHERE id = 3; CREATE INDEX t3_note ON t3 (note)", NAME)
    try:
        yield
    finally:
        ask(target, "UPDATE t7 SET note = repeat(md5(id::text), 4) WHERE id = 777", NAME)
        ask(target, "INSERT INTO parts VALUES (3); DROP INDEX t3_note", NAME)


def test_check_mode_is_quiet_and_writes_nothing(one):
    play = one.play("verify", "--check", azpg_verification_busy_percent=20).good()
    assert not re.search(r"^\[process\]", play.output, re.MULTILINE) and play.changed == 0
    assert not (one.private / "reports").exists() and not list(one.directory.rglob("verification*"))


def test_a_short_one_needs_no_lines_and_no_second_look(one):
    play = one.play("verify").good()
    assert not LINE.search(play.output) and "MATCH: 15 tables" in play.output
    assert (one.reports / NAME / "verification.html").exists()


@pytest.mark.long
def test_lines_of_several_hosts_at_once_bear_their_names(moved, tmp_path):
    hosts = {}
    for name in ("north", "south"):
        one = Migration(moved, tmp_path / name, NAME, [NAME])
        one.directory.mkdir()
        one.write_inventory(**SLOW_PLAY)
        inventory = json.loads((one.directory / "inventory.yml").read_text(encoding="utf-8"))
        hosts[name] = inventory["migrations"]["hosts"][NAME]
    (tmp_path / "both.yml").write_text(json.dumps({"migrations": {"hosts": hosts}}), encoding="utf-8")
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run(
        [program, "-i", "both.yml", "-e", f"@{tmp_path / 'north' / 'vault.yml'}", "azpg.migrate.verify"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert {match[1] for match in LINE.finditer(done.stdout)} == {"north", "south"}


# -- who outlives whom --------------------------------------------------------------------------------------------


def test_a_lost_controller_costs_nothing(one):
    controller = one.begin_play("verify", **SLOW_PLAY)
    half_way(one)
    first = process(one)
    os.kill(first, signal.SIGSTOP)  # so that there is time for all that follows
    for pid in [controller.pid, *children(controller.pid)]:
        if pid != first:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    with controller:
        assert controller.wait() == -signal.SIGKILL
    assert process(one) == first, "the verification has ended with its controller"
    found = one.module("verification_info").good()
    assert found["state"] == "running" and found["progress"]["state"] == "running" and found["verification"] == {}
    assert 0 < found["progress"]["share"] < 1 and found["progress"]["tables_total"] == 14
    # The same play attaches to it.
    attached = one.begin_play("verify", **SLOW_PLAY, azpg_wait_timeout=600)
    read_until(attached, LINE)
    os.kill(first, signal.SIGCONT)
    assert "MATCH: 15 tables" in one.end_play(attached).good().output
    assert told(one, "verification-process.json")["pid"] == first
    assert one.report()["totals"]["match"] == 15


@pytest.mark.long
def test_it_can_be_started_and_fetched_later(one):
    started = one.module("verification", wait=False, **SLOWLY).good()
    assert started["state"] == "running" and started["verification"]["verdict"] == "INCOMPLETE"
    half_way(one)
    os.kill(process(one), signal.SIGSTOP)  # so that there is time for all that follows
    again = one.module("verification", wait=False, **SLOWLY).good()
    assert again["run_id"] == started["run_id"]
    other = one.module("verification", wait=False, busy_percent=5, jobs=1)
    assert other.failed and other["code"] == "precondition-failed" and f"kill {process(one)}" in other["msg"]
    early = one.module("verification", run_id=started["run_id"], wait_timeout=1, **SLOWLY)
    assert early.failed and early["code"] == "verification-failed" and "goes on" in early["msg"]
    os.kill(process(one), signal.SIGCONT)
    ended = one.module("verification", run_id=started["run_id"], **SLOWLY).good()
    assert (
        ended["verification"]["verdict"] == "MATCH" and ended["run_id"] == started["run_id"] == one.report()["run_id"]
    )
    assert not (one.private / "verification-ledger.jsonl").exists()
    unknown = one.module("verification", run_id="0" * 8)
    assert unknown.failed and "Nothing is known" in unknown["msg"]


def test_what_it_dies_of_is_told_in_its_own_words(one):
    ends = {**one.ends["source"], "port": 1}
    failed = one.module("verification", source=ends)
    assert failed.failed and failed["code"] == "connection-failed" and failed["details"]["cause"] == "refused"
    found = one.module("verification_info", source=ends).good()
    assert found["state"] == "unverified" and found["progress"]["state"] == "failed"
    assert "Cannot connect to the source" in found["progress"]["error"]
    assert "Traceback" in (one.private / "verification.log").read_text(encoding="utf-8")


# -- a verification that dies -------------------------------------------------------------------------------------


def test_a_killed_one_is_begun_again_and_takes_over_what_nobody_has_changed(one):
    one.module("verification", wait=False, **SLOWLY).good()
    half_way(one)
    os.kill(process(one), signal.SIGKILL)
    wait_for(lambda: not process(one), "its end")
    found = one.module("verification_info").good()
    assert found["state"] == "unverified" and found["progress"]["state"] == "interrupted"
    dead = found["progress"]["run_id"]
    # Two tables are written to meanwhile, and what has been read of them does not count any more.
    ask(one.lab.target, "UPDATE t1 SET note = 'x' WHERE id = 1", NAME)
    ask(one.lab.source, "UPDATE t2 SET note = 'x' WHERE id = 1", NAME)
    try:
        result = one.module("verification", jobs=1)
        report = one.report()
        assert report["resumed"]["runs"] == [dead] and 4 <= report["resumed"]["pieces"] < 26, report["resumed"]
        bad = [table["name"] for table in report["databases"][0]["tables"] if table["verdict"] != "MATCH"]
        assert result.failed and bad == ["public.t1", "public.t2"]
        page = (one.private / "reports" / "verification.html").read_text(encoding="utf-8")
        assert f"{report['resumed']['pieces']} pieces of tables that an earlier run had read" in page
    finally:
        ask(one.lab.target, "UPDATE t1 SET note = repeat(md5(id::text), 4) WHERE id = 1", NAME)
        ask(one.lab.source, "UPDATE t2 SET note = repeat(md5(id::text), 4) WHERE id = 1", NAME)
    # Nothing is left for another one to take over.
    again = one.module("verification", jobs=1).good()
    assert one.report()["resumed"] == {"pieces": 0, "runs": []} and again["verification"]["verdict"] == "MATCH"


def test_sessions_that_a_dead_one_left_are_ended_by_the_next(one):
    one.module("verification", wait=False, **SLOWLY).good()
    half_way(one)
    # Stopped, it does not answer and does not end: as on a host that has been cut off.
    dead = process(one)
    os.kill(dead, signal.SIGSTOP)
    left = sessions(one)
    assert len(left) >= 2
    path = one.private / "verification-process.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, "boot_id": "of another boot"}), encoding="utf-8")
    (one.private / "verification.lock").unlink()
    try:
        assert one.module("verification", jobs=1).good()["verification"]["verdict"] == "MATCH"
        assert not set(left) & set(sessions(one))
    finally:
        os.kill(dead, signal.SIGKILL)
        wait_for(lambda: not alive(dead), "its end")


def test_a_second_death_keeps_what_both_had_read(one):
    for number, options in ((3, SLOWLY), (8, {**SLOWLY, "busy_percent": 2})):
        begun = one.begin("verification", wait=False, **options)
        wait_for(lambda number=number: process(one) and tables_done(one) >= number, f"{number} tables", 60)
        os.kill(process(one), signal.SIGKILL)
        one.end(begun)
        wait_for(lambda: not process(one), "its end")
    one.module("verification", jobs=1).good()
    assert len(one.report()["resumed"]["runs"]) == 2 and one.report()["resumed"]["pieces"] >= 10, one.report()[
        "resumed"
    ]


def test_a_ledger_of_another_request_or_servers_is_of_no_use(one):
    one.module("verification", wait=False, **SLOWLY).good()
    half_way(one)
    os.kill(process(one), signal.SIGKILL)
    wait_for(lambda: not process(one), "its end")
    path = one.private / "verification-ledger.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    foreign = {**json.loads(lines[0]), "head": "0" * 64}
    path.write_text("\n".join([json.dumps(foreign), *lines[1:]]), encoding="utf-8")
    one.module("verification", jobs=1).good()
    assert one.report()["resumed"] == {"pieces": 0, "runs": []}
