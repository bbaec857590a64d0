# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client programs come and go with dnf, and nothing is left of them: packages, stream of a module, repository, key, record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from enterprise import PROJECT, enterprise, make_repositories
from support.lab import CACHE
from support.migrations import Play, environment

MODULE = "/etc/dnf/modules.d/postgresql.module"
RECORD = "/var/lib/azpg-migrate/client-programs/record.json"
KEY_FILE = "/etc/pki/rpm-gpg/RPM-GPG-KEY-azpg-migrate"
ORIGINS = {
    "distribution": {"azpg_client_programs": "distribution"},
    "postgresql": {
        "azpg_client_programs": "postgresql",
        "azpg_client_repository": f"file://{PROJECT}",
        "azpg_client_repository_key": f"file://{PROJECT}/key",
    },
    "package": {"azpg_client_programs": "package", "azpg_client_packages": ["postgresql"]},
}
# The tasks of both roles that are about the programs, as the roles include them.
PLAY = """
- hosts: all
  gather_facts: false
  vars: {azpg_name: shop, provision_programs: {details: {expected_major: 17}}}
  tasks:
    - ansible.builtin.include_role: {name: azpg.migrate.%s, tasks_from: %s}
"""
STATE = f"rpm -qa --qf '%{{NAME}} %{{VERSION}}\\n' | sort; cat {MODULE} 2>&1; find /etc/yum.repos.d /etc/pki /var/lib/azpg-migrate 2>&1 | sort"


@pytest.fixture(scope="module")
def host(request, tmp_path_factory):
    """A host of a major release with repositories."""
    with enterprise(tmp_path_factory.mktemp(f"el{request.param}") / "host", CACHE, request.param) as made:
        make_repositories(made)
        made.release = request.param
        yield made


@pytest.fixture
def play(host, tmp_path):
    """Give a function that runs tasks of a role on the host, and returns what came of it."""

    def run(role: str, *arguments: str, tasks: str = "client_programs", **variables) -> Play:
        words = {**host.variables("root"), "ansible_remote_tmp": "/tmp", "ansible_pipelining": True, **variables}
        inventory, book = tmp_path / "inventory.json", tmp_path / f"{role}.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {"el": words}}}), encoding="utf-8")
        book.write_text(PLAY % (role, tasks), encoding="utf-8")
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(book), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
            env=environment(),
            encoding="utf-8",
            check=False,
        )
        return Play(done.stdout, done.returncode)

    return run


def packages(host) -> set:
    """Return the names of the host's packages."""
    return set(host.run("rpm -qa --qf '%{NAME}\\n'").split())


@pytest.mark.parametrize(
    ("host", "origin"),
    [*(("9", origin) for origin in ORIGINS), ("10", "distribution"), ("10", "postgresql")],
    indirect=["host"],
)
def test_programs_come_and_go_and_nothing_is_left(host, play, origin):
    words = ORIGINS[origin]
    if (origin, host.release) == ("package", "9"):
        # A package of a module without a default stream is to be had once a stream is enabled; that is the host's own then.
        host.run("dnf -q -y module enable postgresql:16 2>&1")
    before, there = host.run(STATE), packages(host)
    play("provision", "--check", "--diff", **words).good()
    assert host.run(STATE) == before
    play("provision", **words).good()
    came = packages(host) - there - {"gpg-pubkey"}
    names = (
        {"postgresql17", "postgresql17-libs"} if origin == "postgresql" else {"postgresql", "postgresql-private-libs"}
    )
    assert came == names
    record = json.loads(host.run(f"cat {RECORD}"))
    assert record["finished"] and set(record["installed"]) == names
    assert record["key"] == (origin == "postgresql") == ("gpg-pubkey" in packages(host) - there)
    if (origin, host.release) == ("distribution", "9"):
        assert "stream=17" in host.run(f"cat {MODULE}")
    tried = play("decommission", "--check", **words).good()
    assert tried.changed and packages(host) - there - {"gpg-pubkey"} == names
    play("decommission", **words).good()
    assert host.run(STATE) == before
    assert play("decommission", **words).good().changed == 0
    if (origin, host.release) == ("package", "9"):
        host.run("dnf -q -y module reset postgresql 2>&1")


@pytest.mark.parametrize("host", ["9"], indirect=True)
def test_what_others_need_by_now_stays_and_is_named(host, play):
    words = ORIGINS["postgresql"]
    before = host.run(STATE)
    play("provision", **words).good()
    host.run("dnf -q -y install needs-libraries 2>&1")
    done = play("decommission", **words).good()
    assert "postgresql17, postgresql17-libs" in done.output and "stay, since others need them" in done.output
    assert {"postgresql17", "postgresql17-libs", "needs-libraries"} <= packages(host)
    host.run(
        "dnf -q -y remove needs-libraries postgresql17 postgresql17-libs 2>&1; rpm --erase --allmatches gpg-pubkey"
    )
    assert host.run(STATE) == before


@pytest.mark.parametrize("host", ["9"], indirect=True)
def test_an_installation_that_fails_half_way_leaves_nothing_unknown(host, play):
    words = {**ORIGINS["postgresql"], "azpg_client_repository": "file:///srv/nowhere"}
    before = host.run(STATE)
    failed = play("provision", **words)
    assert failed.code and "gpg-pubkey" in packages(host)
    assert json.loads(host.run(f"cat {RECORD}"))["key"]
    play("decommission", **words).good()
    assert host.run(STATE) == before


@pytest.mark.parametrize("host", ["9"], indirect=True)
@pytest.mark.parametrize("again", [True, False], ids=["and is run again", "and is given up"])
def test_a_crash_before_the_installation_is_written_down_leaves_nothing_unknown(host, play, again):
    words = ORIGINS["postgresql"]
    before, names = host.run(STATE), {"postgresql17", "postgresql17-libs"}
    play("provision", **words).good()
    record = json.loads(host.run(f"cat {RECORD}"))
    text = json.dumps({**record, "finished": False, "installed": []})
    host.run(f"cat > {RECORD} <<'END'\n{text}\nEND")
    if again:
        play("provision", **words).good()
        assert set(json.loads(host.run(f"cat {RECORD}"))["installed"]) == names
    done = play("decommission", **words).good()
    if not again:
        # Only what was asked for is certain to have come; the rest is named.
        assert "postgresql17" not in packages(host) and "postgresql17-libs" in done.output
        host.run("dnf -q -y remove postgresql17-libs 2>&1")
    assert host.run(STATE) == before
