# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make test` has no time for: an ordinary user on the runtime host, and client programs that come and go."""

from __future__ import annotations

from support.lab import TARGET_MAJOR
from support.remote import REPOSITORY, new_paths, traces, variables, whole_way

from tools.lab.host import ADMINISTRATOR, ORDINARY


def test_the_whole_way_over_ssh_by_an_ordinary_user(migration, host):
    whole_way(migration("over-ssh"), host, ORDINARY, f"/home/{ORDINARY}/.local/state/azpg-migrate", ORDINARY)


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
    one.play("provision", "--check", **variables(one, host, ADMINISTRATOR, **words)).good()
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
