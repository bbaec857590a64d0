# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runtime host over SSH, as an ordinary user and as one who becomes root: ready, used, and left as it was."""

from __future__ import annotations

import json

import pytest
from support.lab import TARGET_MAJOR
from support.remote import REPOSITORY, traces, variables
from support.servers import catalogue, contents

from tools.lab.host import ADMINISTRATOR, ORDINARY


def new_paths(host, before: dict) -> set:
    """Return the paths that have come to the host, or have changed."""
    after = traces(host)
    return {path for path in {*before, *after} if after.get(path) != before.get(path)}


@pytest.mark.parametrize(
    ("user", "state"),
    [(ORDINARY, f"/home/{ORDINARY}/.local/state/azpg-migrate"), (ADMINISTRATOR, "/var/lib/azpg-migrate")],
    ids=["ordinary-user", "become"],
)
def test_the_whole_way_over_ssh_leaves_the_archive_and_nothing_else(migration, host, user, state):
    one = migration(f"over-ssh-{user}")
    words = variables(one, host, user, ansible_become=user == ADMINISTRATOR)
    before, source = traces(host), catalogue(one.lab.source)
    refused = one.play("provision", **{**words, "azpg_colocated": False})
    assert refused.code and "is the source and the target of the migration" in refused.output
    played = one.play("provision", "migrate", "verify", "decommission", **words).good()
    assert played.changes == [1, 1, 0, 1]
    assert contents(one.lab.source, one.databases[0]) == contents(one.lab.target, one.databases[0])
    assert catalogue(one.lab.source) == source
    record = json.loads(host.run(f"cat {state}/archive/{one.name}/final-record.json"))
    # What is new is the archive, and everything in it is named, but for the record itself and its page.
    new = new_paths(host, before)
    archive = f"{state}/archive/{one.name}"
    inside = {path for path in new if path.startswith(f"{archive}/")}
    pages = {f"{archive}/final-record.{kind}" for kind in ("json", "html")}
    assert inside == {path for path in record["kept"] if path.startswith("/")} | pages
    assert all(archive.startswith(path) for path in new - inside), new - inside
    assert host.run(f"stat -c '%a %U' {state}").split() == ["700", user if user == ORDINARY else "root"]


def packages(host) -> set:
    """Return the names of the packages that the host has."""
    return set(host.run("dpkg-query --show --showformat '${Package}\\n'").split())


def test_client_programs_come_from_a_repository_and_go_with_the_last_migration(migration, host):
    one, two = migration("first-with-programs"), migration("second-with-programs")
    major = TARGET_MAJOR
    words = {
        "ansible_become": True,
        "azpg_bin_directory": "{{ omit }}",
        "azpg_client_programs": "postgresql",
        "azpg_client_repository": f"file:{REPOSITORY}",
        "azpg_client_repository_key": f"file://{REPOSITORY}/key.asc",
    }
    before, there = traces(host), packages(host)
    missing = one.play(
        "provision", **variables(one, host, ADMINISTRATOR, **{**words, "azpg_client_programs": "present"})
    )
    assert missing.code and f"expected are client programs {major} or newer" in missing.output
    assert one.play("provision", "--check", **variables(one, host, ADMINISTRATOR, **words)).code == 0
    assert traces(host) == before
    assert one.play("provision", **variables(one, host, ADMINISTRATOR, **words)).good().changed
    assert packages(host) - there == {f"postgresql-client-{major}", "lab-client-common"}
    assert one.play("provision", **variables(one, host, ADMINISTRATOR, **words)).good().changed == 0
    assert two.play("provision", **variables(two, host, ADMINISTRATOR, **words)).good().changed == 2
    end = {"azpg_outcome": "abandoned", "azpg_keep": []}
    given = variables(one, host, ADMINISTRATOR, **words, **end, azpg_confirm=one.name)
    assert one.play("decommission", **given).good().changed
    assert packages(host) - there == {f"postgresql-client-{major}", "lab-client-common"}, (
        "the other one needs them still"
    )
    given = variables(two, host, ADMINISTRATOR, **words, **end, azpg_confirm=two.name)
    assert two.play("decommission", "decommission", **given).good().changes[1] == 0
    assert packages(host) == there
    records = {path for path in new_paths(host, before) if not path.startswith("/var/lib/dpkg/")}
    archives = {f"/var/lib/azpg-migrate/archive/{name}" for name in (one.name, two.name)}
    assert {path.rpartition("/")[0] for path in records if path.count("/") > 5} <= archives
