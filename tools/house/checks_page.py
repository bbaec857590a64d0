# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/checks.md from the rules themselves: `make checks-page`. A drift test holds the page to them."""

from __future__ import annotations

import pathlib
import sys

from ansible_collections.azpg.migrate.plugins.module_utils._azure import rules as azure
from ansible_collections.azpg.migrate.plugins.module_utils._checks import (
    activity,
    capacity,
    extensions,
    locales,
    objects,
    privileges,
    probes,
    reach,
    reach_speed,
    replication,
    replication_tables,
    service_extensions,
    service_settings,
    service_source,
    service_target,
    sizes,
    source_kind,
    superuser,
    surroundings,
    target_state,
    users,
    version_changes,
    versions,
)
from ansible_collections.azpg.migrate.plugins.module_utils._checks.registry import RULES

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "checks.md"

GROUPS = {
    "The way to both servers": (reach, reach_speed),
    "Kind, version and state of the servers": (source_kind, versions),
    "Room and time": (capacity, sizes),
    "Users and what they may": (users, privileges),
    "The target and what it holds": (target_state, service_target, service_settings),
    "What Azure's service asks of the source": (service_source,),
    "Encodings, locales and collations": (locales,),
    "Extensions": (extensions, service_extensions),
    "Objects that are special": (superuser, version_changes, objects),
    "What goes on at the source": (activity, surroundings),
    "Online mode": (replication, replication_tables),
    "What is tried out when asked for": (probes,),
}

# What is asked of Azure Resource Manager, not of a server.
CONTROL_PLANE = "Azure's resources"

# Rules that say what is there and find no fault, so that no test can show one.
WITHOUT_FAULT = {
    "database-size": "a figure",
    "largest-tables": "a figure",
    "disk-needed": "a figure; how much the target has cannot be asked in SQL",
    "service-load-settings": "advice",
    "service-source-keepalives": "advice",
    "service-target-keepalives": "advice",
    "unlogged-tables": "a remark",
}

# Rules whose fault no server that can be had here shows by itself, and what the test does instead.
STAND_INS = {
    "runtime-driver": "the tests need psycopg2 themselves; its import is made to fail",
    "source-version": "the border is moved above the source's version; between major versions a source of 10 shows it",
    "source-encrypted": "no session leaves the host; it is taken for one that does",
    "target-encrypted": "no session leaves the host; it is taken for one that does",
    "source-throughput": "a proxy narrows the network, and the time that counts as long is shortened to seconds",
    "target-throughput": "a proxy narrows the network, and the time that counts as long is shortened to seconds",
    "service-private-to-public": "nothing on the host has a public address; the target is told one",
    "database-locale": "both servers share one operating system; the list of the target's locales is shortened",
    "locale-provider": "every build that could be the target has ICU; its collations of ICU are hidden",
    "estimated-duration": "no test has terabytes; the service's limit of a week is shortened",
    "source-long-transactions": "no test waits for minutes; the time that counts as long is shortened",
    "other-databases-transactions": "no test waits for minutes; the time that counts as long is shortened",
}

# The service's codes that nothing on the servers announces.
UNFORESEEN = {
    "603113": "a cutover of a database that has ended; `migration` reads its state first",
    "603114": "a cutover in offline mode; `migration` refuses it",
    "603701": "making roles failed; an internal step, for sources of Single Server only",
    "603702": "reading roles failed; an internal step, for sources of Single Server only",
    "603703": "changing what was read failed; an internal step",
    "603704": "making roles members failed; an internal step, for sources of Single Server only",
    "603705": "giving rights back failed; an internal step",
    "603707": "making the source's administrator one of the target failed; an internal step",
    "603709": "setting up failed; an internal step, which a new attempt repeats",
}

HEAD = """# Checks

What `azpg.migrate.premigration_check` looks at, and role `azpg.migrate.premigration` with it. Written by `make checks-page` from
the rules themselves; do not edit this page.

- A finding is `succeeded`, `warning`, `failed` or `skipped`. What could not be looked at is skipped, with the right that would
  let it; so is what is a mere consequence, with `because` naming the rule to put right.
- Everything is read; nothing is written on either server unless `probe` or `scratch` ask for it. Every query has a limit for
  locks (5 s) and for its time (60 s), and at most four sessions per server are open.
- `only` and `exclude` choose by id or pattern (`source-*`), `levels` by level. `severities` weighs rules otherwise, `accept` takes
  known findings with a reason and a last day, `fail_on` says which gravity stops a play.
- The code is the one of Azure's migration service for the same fault. Rules of the provider `azure` foresee what the service
  itself refuses; where the provider `host` can do it all the same, the finding says so.
- What is measured is measured from the host that executes the task.
- A source with 50 databases of 2,000 tables each is checked in less than a minute over a network as quick as loopback, with less than
  300 MB of memory; `make checks-scale` holds that.

"""


def places(rule) -> str:
    """Return provider and mode of a rule, as far as they narrow it."""
    providers = ("azure",) if rule.id.startswith("azure-") else rule.providers
    words = [*(providers if len(providers) == 1 else ()), *(rule.modes if len(rule.modes) == 1 else ())]
    return ", ".join(words) or "all"


def cell(words: str) -> str:
    """Return a text that does not break a table."""
    return words.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def table(rules) -> list:
    """Return the lines of a table of rules."""
    lines = [
        "| rule | how it has to be | expected | what helps | severity | level | who | provider, mode | code |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for rule in rules:
        lines.append(
            f"| `{rule.id}` | [{cell(rule.title)}]({rule.documentation}) | {cell(rule.expected)} | {cell(rule.remedy)} "
            f"| {rule.severity} | {rule.level} | {rule.responsible} | {places(rule)} | {rule.code or ''} |"
        )
    return lines


def rules_by_code() -> dict:
    """Return C({code: [rule id]}): which rules foresee an error of the service."""
    by_code: dict = {}
    for rule in (*RULES, *azure.ALL):
        if rule.code:
            by_code.setdefault(rule.code, []).append(rule.id)
    # Said by rules whose own code is another one.
    by_code.setdefault("603100", []).extend(["source-reachable", "target-reachable", "source-authentication"])
    by_code.setdefault("603102", []).append("source-database-reachable")
    by_code.setdefault("603408", []).extend(["extensions-available", "service-unpublished-extensions"])
    by_code.setdefault("603700", []).append("service-overwrite-sessions")
    return {code: list(dict.fromkeys(names)) for code, names in by_code.items()}


def codes() -> list:
    """Return the lines of a table of the service's error codes: the rules that foresee them, or why none does."""
    rows = {code: ", ".join(f"`{name}`" for name in names) for code, names in rules_by_code().items()}
    rows.update({code: f"none: {reason}" for code, reason in UNFORESEEN.items()})
    return ["| code | rules |", "|---|---|", *(f"| {code} | {words} |" for code, words in sorted(rows.items()))]


def page() -> str:
    """Return the page."""
    lines = [
        HEAD
        + f"There are {len(RULES)} rules that ask the servers, and {len(azure.ALL)} that ask Azure Resource Manager."
    ]
    for title, modules in GROUPS.items():
        lines += ["", f"## {title}", "", *table([rule for module in modules for rule in module.RULES])]
    lines += ["", f"## {CONTROL_PLANE}", "", "With provider `azure`, and a login to Azure.", "", *table(azure.ALL)]
    lines += ["", "## By the service's error code", "", *codes()]
    lines += ["", "## How the rules are tested", ""]
    lines += [
        "Every rule that asks the servers is shown on real ones: one that has exactly its fault, and a pair that has none. Rules that",
        "ask Resource Manager are shown against a simulator of it. The exceptions:",
        "",
        "| rule | instead |",
        "|---|---|",
    ]
    lines += [f"| `{name}` | {words} |" for name, words in sorted({**STAND_INS, **WITHOUT_FAULT}.items())]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(RULES)} rules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
