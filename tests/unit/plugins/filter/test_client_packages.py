# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages bring client programs, on families that run here and on those that do not, and which may go again."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.azpg.migrate.plugins.filter.client_packages import (
    client_packages,
    client_record,
    packages_to_go,
)

BOOKWORM = {
    "os_family": "Debian",
    "distribution": "Debian",
    "distribution_release": "bookworm",
    "distribution_major_version": "12",
}
NOBLE = {**BOOKWORM, "distribution": "Ubuntu", "distribution_release": "noble", "distribution_major_version": "24"}
RHEL10 = {
    "os_family": "RedHat",
    "distribution": "RedHat",
    "distribution_release": "Coughlan",
    "distribution_major_version": "10",
}
ROCKY9 = {**RHEL10, "distribution": "Rocky", "distribution_major_version": "9"}
ALMA8 = {**RHEL10, "distribution": "AlmaLinux", "distribution_major_version": "8"}


@pytest.mark.parametrize(
    ("facts", "packages"),
    [
        (BOOKWORM, ["postgresql-client-17"]),
        (NOBLE, ["postgresql-client-17"]),
        (ROCKY9, ["@postgresql:17/client"]),
        (RHEL10, ["postgresql"]),
    ],
)
def test_of_the_distribution(facts, packages):
    assert client_packages(facts, 17, "distribution")["packages"] == packages
    assert client_packages(facts, 17, "distribution")["repository"] is None


def test_of_the_postgresql_project():
    mirror = ("https://mirror.example/apt", "https://mirror.example/key")
    found = client_packages(NOBLE, 17, "postgresql", None, *mirror)
    assert found == {
        "family": "debian",
        "packages": ["postgresql-client-17"],
        "repository": {
            "url": mirror[0],
            "suite": "noble-pgdg",
            "key": mirror[1],
            "key_file": "/usr/share/keyrings/azpg-migrate.asc",
        },
    }
    mirror = client_packages(ROCKY9, 16, "postgresql", [], "https://mirror.example/yum", "https://mirror.example/key")
    assert mirror["packages"] == ["postgresql16"]
    assert mirror["repository"]["url"] == "https://mirror.example/yum/16/redhat/rhel-9-$basearch"
    assert mirror["repository"]["key"] == "https://mirror.example/key"


def test_named_packages_are_taken_as_they_are():
    assert client_packages(RHEL10, 17, "package", ["corp-postgresql17"])["packages"] == ["corp-postgresql17"]


@pytest.mark.parametrize(
    ("facts", "origin", "words"),
    [
        ({"os_family": "Suse", "distribution": "SLES"}, "distribution", "this host is SLES of the family Suse"),
        (ALMA8, "distribution", "cannot be installed on AlmaLinux 8.*dnf install @postgresql:17/client"),
        (ALMA8, "package", "cannot be installed on AlmaLinux 8"),
        (BOOKWORM, "package", "'azpg_client_packages' names none"),
        (BOOKWORM, "postgresql", "'azpg_client_repository' is not set"),
        (BOOKWORM, "backports", "expected present, distribution, postgresql or package"),
    ],
)
def test_what_cannot_be_done_is_said(facts, origin, words):
    with pytest.raises(AnsibleFilterError, match=words):
        client_packages(facts, 17, origin)


RECORD = {
    "packages": ["postgresql-client-17"],
    "before": ["libc6", "tzdata"],
    "installed": ["libpq5", "postgresql-client-17"],
}
REMOVAL = "Reading package lists...\nRemv postgresql-client-17 [17.5-1]\nPurg libpq5 [17.5-1]\n"


def test_what_came_goes_when_nothing_else_would_go_with_it():
    assert packages_to_go(RECORD, {}) == RECORD["installed"]
    assert packages_to_go(RECORD, {"stdout": REMOVAL}) == RECORD["installed"]
    # Somebody has installed what needs the library since.
    assert packages_to_go(RECORD, {"stdout": f"{REMOVAL}Remv python3-psycopg2 [2.9.5-1+b1]\n"}) == []


def test_the_same_in_dnfs_words():
    record = {"packages": ["postgresql17"], "before": ["glibc"], "installed": ["postgresql17", "postgresql17-libs"]}
    results = ["Removed: postgresql17-17.5-1PGDG.rhel9.x86_64", "Removed: postgresql17-libs-17.5-1PGDG.rhel9.x86_64"]
    assert packages_to_go(record, {"results": results}) == record["installed"]
    assert packages_to_go(record, {"results": [*results, "Removed: perl-DBD-Pg-3.15-1.el9.x86_64"]}) == []


CHOICE = {"family": "redhat", "packages": ["postgresql17"], "repository": None, "key": True, "module": None}


def test_what_is_written_down_before_and_after():
    begun = client_record(CHOICE, ["glibc"])
    assert begun == {**CHOICE, "before": ["glibc"], "installed": [], "finished": False}
    there = ["glibc", "postgresql17", "postgresql17-libs", "gpg-pubkey"]
    ended = client_record(begun, there, begun, True)
    assert ended == {**begun, "installed": ["postgresql17", "postgresql17-libs"], "finished": True}
    assert packages_to_go(ended, {}) == ["postgresql17", "postgresql17-libs"]


def test_a_run_after_one_that_broke_off_knows_what_was_there_before_it():
    begun = client_record(CHOICE, ["glibc"])
    again = client_record({**CHOICE, "key": False, "module": "changed"}, ["glibc", "postgresql17-libs"], begun)
    assert again == begun
    ended = client_record(again, ["glibc", "postgresql17", "postgresql17-libs"], again, True)
    assert ended["installed"] == ["postgresql17", "postgresql17-libs"]


def test_another_major_version_later_takes_nothing_for_its_own_that_somebody_has_installed_since():
    begun = client_record(CHOICE, ["glibc"])
    first = client_record(begun, ["glibc", "postgresql17"], begun, True)
    other = {**CHOICE, "packages": ["postgresql18"], "key": False}
    begun = client_record(other, ["glibc", "postgresql17", "theirs"], first)
    assert begun["packages"] == ["postgresql17", "postgresql18"]
    # Until it is known what has come, what was asked for may go, and what came with the first.
    assert packages_to_go(begun, {}) == ["postgresql17", "postgresql18"]
    second = client_record(begun, ["glibc", "postgresql17", "postgresql18", "theirs"], begun, True)
    assert second["installed"] == ["postgresql17", "postgresql18"] and second["key"]


def test_of_a_module_the_package_of_its_name_is_known_after_a_crash():
    begun = client_record({**CHOICE, "packages": ["@postgresql:17/client"]}, ["glibc"])
    assert packages_to_go(begun, {}) == ["postgresql"]


def test_after_a_crash_only_what_was_asked_for_is_known():
    crashed = {**RECORD, "installed": []}
    assert packages_to_go(crashed, {}) == ["postgresql-client-17"]
    assert packages_to_go({**crashed, "before": ["postgresql-client-17"]}, {}) == []
    assert packages_to_go({}, {}) == []


def test_what_is_gone_already_is_passed_over():
    assert packages_to_go(RECORD, {}, ["libc6", "libpq5"]) == ["libpq5"]
