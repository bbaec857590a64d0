# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages bring client programs, on families that run here and on those that do not, and which may go again."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.azpg.migrate.plugins.filter.client_packages import client_packages, packages_to_go

BOOKWORM = {
    "os_family": "Debian",
    "distribution": "Debian",
    "distribution_release": "bookworm",
    "distribution_major_version": "12",
}
NOBLE = {**BOOKWORM, "distribution": "Ubuntu", "distribution_release": "noble", "distribution_major_version": "24"}
RHEL8 = {
    "os_family": "RedHat",
    "distribution": "RedHat",
    "distribution_release": "Ootpa",
    "distribution_major_version": "8",
}
ROCKY9 = {**RHEL8, "distribution": "Rocky", "distribution_major_version": "9"}
RHEL10 = {**RHEL8, "distribution_major_version": "10"}


@pytest.mark.parametrize(
    ("facts", "packages"),
    [
        (BOOKWORM, ["postgresql-client-17"]),
        (NOBLE, ["postgresql-client-17"]),
        (RHEL8, ["@postgresql:17/client"]),
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
        "repository": {"url": mirror[0], "suite": "noble-pgdg", "key": mirror[1]},
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


def test_after_a_crash_only_what_was_asked_for_is_known():
    crashed = {**RECORD, "installed": []}
    assert packages_to_go(crashed, {}) == ["postgresql-client-17"]
    assert packages_to_go({**crashed, "before": ["postgresql-client-17"]}, {}) == []
    assert packages_to_go({}, {}) == []


def test_what_is_gone_already_is_passed_over():
    assert packages_to_go(RECORD, {}, ["libc6", "libpq5"]) == ["libpq5"]
