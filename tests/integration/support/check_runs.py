# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All faults of databases at once: one database for each, one run of the checks for each provider and mode."""

from __future__ import annotations

from pathlib import Path

from .check_faults import FAULTS, Fault
from .checks import COMBINATIONS, Pair, Servers, troubles


def make(servers: Servers, name: str, fault: Fault) -> None:
    """Make the database of a fault."""
    if fault.options:
        servers.run("source", f"CREATE DATABASE {name} OWNER app {fault.options}")
        servers.run("source", f"GRANT CREATE ON DATABASE {name} TO mig")
    else:
        servers.create(name)
    # Before 12, a row of a system catalogue gets its identifier by itself.
    number = servers.majors[0] >= 12
    words = {"name": name, "oid": ", oid" if number else "", "oid_value": ", 99999" if number else ""}
    servers.run("source", fault.sql.format(**words), name)


def healthy_findings(directory: Path, majors: tuple) -> dict:
    """Return C({(provider, mode): findings above skipped}) of a database with nothing wrong."""
    with Servers(directory, *majors) as servers:
        servers.create("one")
        found = {}
        for provider, mode in COMBINATIONS:
            pair = Pair(servers, directory / "state")
            with pair.ready(provider, mode):
                found[provider, mode] = troubles(pair.check(provider=provider, mode=mode))
        return found


def faulty_findings(directory: Path, majors: tuple, wanted: frozenset = frozenset(FAULTS)) -> dict:
    """Return C({(provider, mode): {fault: findings above skipped, "server": findings of no database}}).

    :param majors: of source and target
    :param wanted: names of the faults to make, as far as the source's version can have them
    """
    with Servers(directory, *majors) as servers:
        names = {}
        for number, (fault, how) in enumerate(FAULTS.items(), 1):
            if fault in wanted and how.since <= majors[0] < how.until:
                names[f"fault_{number}"] = fault
                make(servers, f"fault_{number}", how)
        found: dict = {}
        try:
            for provider, mode in COMBINATIONS:
                pair = Pair(servers, directory / "state")
                with pair.ready(provider, mode):
                    findings = troubles(pair.check(databases=list(names), provider=provider, mode=mode))
                sorted_out: dict = {"server": [], **{fault: [] for fault in names.values()}}
                for finding in findings:
                    sorted_out[names.get(finding.object, "server")].append(finding)
                found[provider, mode] = sorted_out
        finally:
            for name, fault in names.items():
                if FAULTS[fault].undo:
                    servers.run("source", FAULTS[fault].undo.format(name=name), name)
        return found


def assert_as_expected(found: dict, fault: str, provider: str, mode: str) -> None:
    """Make sure that a fault's database has the findings of its table, with their words, and no others."""
    findings = found[provider, mode][fault]
    expected = [expect for expect in FAULTS[fault].expects if provider in expect.providers and mode in expect.modes]
    said = sorted((finding.rule, finding.status) for finding in findings)
    assert said == sorted((expect.rule, expect.status) for expect in expected)
    by_rule = {finding.rule: finding for finding in findings}
    for expect in expected:
        finding = by_rule[expect.rule]
        assert expect.found.format(name=finding.object) in finding.found
        assert expect.remedy.format(name=finding.object) in finding.remedy
        assert expect.code is None or finding.code == expect.code
        assert finding.expected and finding.remedy
