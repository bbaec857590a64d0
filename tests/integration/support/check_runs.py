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


def faulty_findings(directory: Path, majors: tuple, wanted=FAULTS) -> dict:
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
