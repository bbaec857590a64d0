# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input gives one clear error that names the thing and the remedy, before the target is touched."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks.run import run_checks
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import process
from support.migrations import environment
from support.servers import ask, catalogue, drop_database, session


def closed_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def refused(result, *words: str) -> None:
    """Make sure that a module failed in one clear message that has all the words."""
    assert result.failed, result.output[-2000:]
    assert "Traceback" not in result.output and "exception" not in result
    assert result.get("code") != "unexpected", result["msg"]
    missing = [word for word in words if word not in result["msg"]]
    assert not missing, f"{missing} not in: {result['msg']}"


@pytest.fixture
def untouched(clean):
    """After the test both servers hold what they held before."""
    yield
    assert (
        ask(clean.target, "SELECT datname FROM pg_database WHERE datname !~ '^template' AND datname <> 'postgres'")
        == []
    )
    roles = ask(clean.target, "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")
    assert roles == [("migrator",), ("postgres",)]
    assert ask(clean.target, "SELECT * FROM pg_auth_members WHERE member = 'migrator'::regrole") == []


@pytest.fixture
def wrong(migration, untouched):
    """A migration that would go well if one thing were not wrong."""
    return migration("bad-input", seed=None, databases=["seed_small"])


@pytest.mark.parametrize("side", ["source", "target"])
def test_wrong_password(wrong, side):
    wrong.ends[side] = {**wrong.ends[side], "password": "not the password"}
    address = f"{wrong.ends[side]['host']}:{wrong.ends[side]['port']}"
    words = (side, address, "user migrator", "password authentication failed", "Check user and password of this side")
    refused(wrong.module("runtime_server"), *words)
    assert not wrong.state.exists()
    refused(wrong.module("migration"), *words)
    assert not wrong.state.exists()


@pytest.mark.parametrize("side", ["source", "target"])
def test_nothing_listens(wrong, side):
    port = closed_port()
    wrong.ends[side] = {**wrong.ends[side], "port": port}
    words = (side, f":{port}", "Connection refused", "nothing listens on the port")
    refused(wrong.module("migration"), *words)
    assert not wrong.state.exists()


def test_name_that_does_not_resolve(wrong):
    wrong.ends["target"] = {**wrong.ends["target"], "host": "no-such-host.invalid"}
    refused(wrong.module("migration"), "target", "the name no-such-host.invalid does not resolve", "private DNS zone")
    assert not wrong.state.exists()


def test_database_that_does_not_exist(wrong):
    refused(
        wrong.module("migration", databases=["seed_smal"]),
        "has no database of this name",
        "Correct the name in 'databases'",
        "Close to it: seed_small",
    )


def test_target_database_that_holds_tables(migration):
    one = migration("occupied")
    ask(one.lab.target, "CREATE DATABASE occupied OWNER migrator")
    ask(one.lab.target, "CREATE TABLE public.precious AS SELECT 42 AS answer", "occupied")
    before = catalogue(one.lab.target)
    one.provision()
    refused(one.module("migration"), "holds 1 object", "table public.precious", "DROP DATABASE", "occupied")
    assert catalogue(one.lab.target) == before
    assert ask(one.lab.target, "SELECT answer FROM public.precious", "occupied") == [(42,)]
    # The engine itself looks too, should somebody be faster than the checks.
    assert not (one.private / "journal.sqlite").exists()


def test_table_that_the_user_may_not_read(migration, untouched):
    one = migration("unreadable")
    lab = one.lab
    with session(lab.source, "unreadable") as superuser, superuser.cursor() as cursor:
        cursor.execute("CREATE TABLE app.secret (id integer)")  # belongs to the superuser
    one.provision()
    result = one.module("migration")
    statement = 'GRANT SELECT ON TABLE "app"."secret" TO "migrator"'
    refused(result, "user migrator cannot read 1 relation", 'table "app"."secret"', statement)
    ask(lab.source, "GRANT SELECT ON app.secret TO migrator; ALTER TABLE app.secret OWNER TO app_owner", "unreadable")
    assert one.module("migration").good()["state"] == "completed", "nothing is left that stops a correct run"
    lab.clean_target()


def test_target_older_than_source_and_client_programs_older_than_both(wrong):
    lab = wrong.lab
    new, old = lab.target, lab.source
    wrong.ends = {"source": wrong.ends["target"], "target": wrong.ends["source"]}
    before = catalogue(old)
    ask(new, "CREATE DATABASE seed_new OWNER migrator")
    try:
        result = wrong.module("migration", databases=["seed_new"], bin_directory=str(old.prefix / "bin"))
    finally:
        drop_database(new, "seed_new")
    refused(
        result,
        "The target is not older than the source",
        "PostgreSQL 14.",
        "Name a target server of PostgreSQL 17 or newer",
        "The client programs found are older than the servers: 14.",
        "the source runs PostgreSQL 17",
        "Install the PostgreSQL 17 client programs",
    )
    assert catalogue(old) == before


def test_client_programs_older_than_the_servers(wrong):
    for module in ("runtime_server", "migration"):
        refused(
            wrong.module(module, bin_directory=str(wrong.lab.source.prefix / "bin")),
            "older than the servers: 14.",
            "client programs 17 or newer",
            "postgresql-client-17",
            "bin_directory",
        )
    assert not wrong.state.exists()


def test_no_client_programs_at_all(wrong):
    empty = wrong.directory / "empty"
    empty.mkdir()
    refused(wrong.module("migration", bin_directory=str(empty)), f"No pg_dump and pg_restore in {empty}", "Install")


def small_disk(point) -> tuple:
    """Return a command's prefix that gives it a disk of 20 MB at I(point), or nothing where the system forbids it."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
    command = f'mount -t tmpfs -o size=20m tmpfs "{point}" && exec "$@"'
    prefix = (*unshare, "sh", "-c", command, "sh")
    done = (
        shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    )
    return prefix if done else ()


def test_too_little_disk_in_the_state_directory(wrong, monkeypatch):
    wrong.state.mkdir()
    prefix = small_disk(wrong.state)
    words = ("free in", "200 MB free, for schema dumps, journal and reports", "set 'state_directory' to a larger disk")
    if prefix:
        result = wrong.end(wrong.begin("migration", prefix=prefix))
        refused(result, *words, str(wrong.state))
    else:
        # Mounting is forbidden here: only what the system says of the disk is replaced, all else is real.
        real = os.statvfs(wrong.state)
        monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result([*real[:4], 100, *real[5:]]))
        request = Request.create("bad-input", wrong.ends["source"], wrong.ends["target"], wrong.databases)
        layout = Layout.create("bad-input", str(wrong.state))
        findings = run_checks(request, layout, bin_directory=wrong.bin_directory, only=["state-directory-room"])
        (finding,) = [finding for finding in findings if finding.status == "failed"]
        text = f"{finding.found} {finding.expected} {finding.remedy}"
        assert all(word in text for word in words), text
    assert list(wrong.state.iterdir()) == []


def run_engine(one) -> subprocess.CompletedProcess:
    """Run the installed engine as the module does, but wait for its end."""
    runtime = json.loads((one.private / "runtime.json").read_text(encoding="utf-8"))
    return subprocess.run(
        [sys.executable, runtime["engine"], "run", "--directory", str(one.private)],
        input=json.dumps({side: {"password": one.ends[side]["password"]} for side in ("source", "target")}),
        capture_output=True,
        env=environment(),
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_two_engines_for_one_migration(migration):
    one = migration("twice", "seed_bulk")
    one.provision()
    one.module("migration", wait=False, max_bytes_per_second=1200000).good()
    first = one.engine()
    second = run_engine(one)
    assert second.returncode == 3, second.stderr
    assert f"Another engine runs migration twice: process {first} on host " in second.stdout
    assert "Traceback" not in second.stdout + second.stderr
    assert one.engine() == first
    # A module that saw no engine a moment ago attaches to the one that was faster.
    layout = Layout.create("twice", str(one.state))
    secrets = {side: {"password": one.ends[side]["password"]} for side in ("source", "target")}
    engine = json.loads((one.private / "runtime.json").read_text(encoding="utf-8"))["engine"]
    assert process.start_detached(layout, sys.executable, engine, secrets)["pid"] == first
    assert one.engine() == first
    # Another request under the same name is refused, naming what differs.
    refused(
        one.module("migration", databases=["twice", "seed_small"]),
        "Migration twice is running",
        "databases is ['twice'] there and ['seed_small', 'twice'] here",
        "choose another 'name'",
    )
    assert one.engine() == first
    # Whoever fills the target behind the checks is not overwritten by the engine either.
    assert one.module("migration", state="cancelled").good()["changed"]
    target = one.lab.target
    drop_database(target, "twice")
    ask(target, "CREATE DATABASE twice OWNER migrator")
    ask(target, "CREATE TABLE public.precious AS SELECT 42 AS answer", "twice")
    assert run_engine(one).returncode == 1
    info = one.module("migration_info").good()
    assert info["state"] == "failed" and "already holds 1 objects of users" in info["migration"]["error"]["msg"]
    assert "Nothing is overwritten" in info["migration"]["error"]["hint"]
    assert ask(target, "SELECT answer FROM public.precious", "twice") == [(42,)]


def test_two_runs_that_start_at_the_same_moment(migration):
    one = migration("moment")
    one.provision()
    both = [one.begin("migration") for _run in range(2)]
    results = [one.end(process) for process in both]
    assert [result["state"] for result in results] == ["completed", "completed"], [r.get("msg") for r in results]
    assert max(one.attempts().values()) == 1, "one engine did the work, the other run attached to it"
    assert one.module("migration_info").good()["state"] == "completed"


def test_the_playbook_says_it_in_one_message_too(wrong):
    wrong.ends["target"] = {**wrong.ends["target"], "password": "not the password"}
    play = wrong.play("site")
    assert play.code == 2
    assert "Traceback" not in play.output
    assert 'password authentication failed for user \\"migrator\\"' in play.output
    assert "Check user and password of this side" in play.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"jbos": 3}, ("Unsupported parameters", "jbos")),
        ({"jobs": "many"}, ("jobs", "many")),
        ({"source": {"host": "localhost", "hots": "x"}}, ("Unsupported parameters", "source.hots")),
        ({"name": "No Such Name!"}, ("No Such Name!", "lower-case letters")),
        ({"databases": ["seed_small", "seed_small"]}, ("seed_small", "more than once")),
        ({"databases": []}, ("No database is named",)),
        ({"databases": ["template1"]}, ("template1", "belongs to the server itself")),
        ({"state": "finished"}, ("state", "finished", "completed")),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_options_that_make_no_sense(wrong, options, words):
    refused(wrong.module("migration", **options), *words)
    assert not wrong.state.exists()


def test_same_server_as_source_and_target(wrong):
    result = wrong.module("migration", target=wrong.ends["source"])
    refused(result, f"same server, {wrong.ends['source']['host']}:{wrong.ends['source']['port']}", "needs two servers")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"only": ["source-reachabel"]}, ("'only'", "source-reachabel", "The closest is 'source-reachable'")),
        ({"exclude": ["nothing-*"]}, ("'exclude'", "nothing-*")),
        ({"severities": {"source-reachable": "fatal"}}, ("fatal", "Use 'failed' or 'warning'")),
        ({"accept": [{"rule": "source-quiet", "reason": "night"}]}, ("missing required arguments: until", "accept")),
        (
            {"accept": [{"rule": "source-quiet", "reason": "night", "until": "Monday"}]},
            ("'Monday', which is no date", "YYYY-MM-DD"),
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_rules_that_do_not_exist(wrong, options, words):
    refused(wrong.module("premigration_check", **options), *words)


def test_migration_without_a_runtime_server(wrong):
    refused(wrong.module("migration"), "No runtime server has been provisioned", "runtime_server with state=present")
    assert not wrong.state.exists()
