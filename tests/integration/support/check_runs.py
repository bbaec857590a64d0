# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of databases, looked at in one run of the checks for each provider and mode.

Faults that cannot be taken for one another share a database, so that a run is short; C(alone) gives each its own.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from ansible_collections.azpg.migrate.plugins.module_utils._checks.registry import RULES

from .check_faults import FAULTS, Fault
from .checks import COMBINATIONS, Pair, Servers, troubles

NEEDS = {rule.id: rule.needs for rule in RULES}


def rules_of(name: str) -> set:
    """Return the rules that find a fault."""
    return {expect.rule for expect in FAULTS[name].expects}


def apart(one: str, other: str) -> bool:
    """Tell whether two faults must not share a database: a rule finds both, or is not asked because of the other."""
    if FAULTS[one].options or FAULTS[other].options:
        return True
    mine, theirs = rules_of(one), rules_of(other)
    needs = {needed for rule in mine for needed in NEEDS[rule]}, {needed for rule in theirs for needed in NEEDS[rule]}
    return bool(mine & theirs or needs[0] & theirs or needs[1] & mine)


def possible(major: int, wanted=tuple(FAULTS)) -> list:
    """Return the names of the I(wanted) faults that a source of that major version can have."""
    return [name for name in FAULTS if name in wanted and FAULTS[name].since <= major < FAULTS[name].until]


def sorted_into_databases(names: list, alone: bool = False) -> dict:
    """Return C({database: [fault, ...]})."""
    groups: list = []
    for name in names:
        for group in () if alone else groups:
            if not any(apart(name, other) for other in group):
                group.append(name)
                break
        else:
            groups.append([name])
    return {f"fault_{number}": group for number, group in enumerate(groups, 1)}


def create(servers: Servers, database: str, faults: list) -> None:
    """Create the database of these faults."""
    (options,) = {FAULTS[fault].options for fault in faults}
    if options:
        servers.run("source", f"CREATE DATABASE {database} OWNER app {options}")
        servers.run("source", f"GRANT CREATE ON DATABASE {database} TO mig")
    else:
        servers.create(database)


def words_for(servers: Servers, fault: Fault, database: str) -> str:
    """Return the SQL that makes a fault."""
    # Before 12, a row of a system catalogue gets its identifier by itself.
    number = servers.majors[0] >= 12
    return fault.sql.format(name=database, oid=", oid" if number else "", oid_value=", 99999" if number else "")


def check(servers: Servers, directory: Path, databases: list) -> dict:
    """Return C({(provider, mode): findings above skipped})."""
    found = {}
    for provider, mode in COMBINATIONS:
        pair = Pair(servers, directory / "state")
        with pair.ready(provider, mode):
            found[provider, mode] = troubles(pair.check(databases=databases, provider=provider, mode=mode))
    return found


class Found:
    """What a run of the checks said of databases with faults.

    :param servers: a pair that runs
    :param names: of the faults to make
    :param alone: one database for each of them
    """

    def __init__(self, servers: Servers, directory: Path, names: list, alone: bool = False):
        self.servers = servers
        self.databases = sorted_into_databases(names, alone)
        with contextlib.ExitStack() as stack:
            for database, faults in self.databases.items():
                create(servers, database, faults)
                for fault in faults:
                    servers.run("source", words_for(servers, FAULTS[fault], database), database)
                    if FAULTS[fault].undo:
                        stack.callback(servers.run, "source", FAULTS[fault].undo.format(name=database), database)
            self.findings = check(servers, directory, list(self.databases))

    def of_server(self, provider: str, mode: str) -> list:
        """Return the findings of no database."""
        return [finding for finding in self.findings[provider, mode] if finding.object not in self.databases]

    def assert_only_expected(self, database: str, provider: str, mode: str) -> None:
        """Make sure that a database has the findings of its faults, with their words, and no others."""
        findings = [finding for finding in self.findings[provider, mode] if finding.object == database]
        expected = [
            expect
            for fault in self.databases[database]
            for expect in FAULTS[fault].expects
            if provider in expect.providers and mode in expect.modes
        ]
        said = sorted((finding.rule, finding.status) for finding in findings)
        assert said == sorted((expect.rule, expect.status) for expect in expected)
        by_rule = {finding.rule: finding for finding in findings}
        for expect in expected:
            finding = by_rule[expect.rule]
            assert expect.found.format(name=finding.object) in finding.found
            assert expect.remedy.format(name=finding.object) in finding.remedy
            assert expect.code is None or finding.code == expect.code
            assert finding.expected and finding.remedy
