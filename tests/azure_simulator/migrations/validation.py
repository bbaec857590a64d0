# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service looks at before it moves anything."""

from __future__ import annotations

from collections.abc import Callable

from tests.azure_simulator.migrations import choosing, ends, findings, reach
from tests.azure_simulator.migrations.findings import (
    CONNECTIVITY,
    EXTENSIONS,
    FAILED,
    SCHEMA,
    SERVER_CHECKS,
    WARNING,
    Finding,
)
from tests.azure_simulator.resources import configurations, databases, single_servers

FLEXIBLE_TEXT = (
    "603405: Extension(s) azure, pgaadauth of database {name} are not supported by the migration service: a flexible server "
    "cannot be the source."
)


def prerequisites(migration) -> str | None:
    """Return what keeps the service from starting at all, or None."""
    target, runtime_id = migration.target, migration.sent.get("migrationInstanceResourceId")
    if target.properties["state"] != "Ready":
        return f"603709: Set-up failed: the target server is in state '{target.properties['state']}'."
    if not runtime_id:
        return None
    runtime = migration.cloud.find(runtime_id)
    if runtime is None:
        return f"603709: Set-up failed: the migration runtime server '{runtime_id}' was not found."
    if runtime.properties["state"] != "Ready":
        return f"603709: Set-up failed: the migration runtime server is in state '{runtime.properties['state']}'."
    return None


def checks(migration) -> Callable[[], list[Finding]]:
    """Return a function that asks the servers; it needs no lock. What needs none of them is looked at here."""
    tolerated = {str(number) for number in migration.cloud.tolerated}

    def passed(findings_: list[Finding]) -> list[Finding]:
        return [one for one in findings_ if one.message.partition(":")[0] not in tolerated]

    found = passed(_from_outside(migration))
    if not choosing.moves_data(migration) or any(one.check == CONNECTIVITY for one in found):
        return lambda: found
    # This driver is not needed where nothing is asked of a server.
    from tests.azure_simulator.migrations import sql_checks

    allowed = configurations.table(migration.target)["azure.extensions"].value or ""
    job = {
        "source": ends.source_of(migration).words,
        "target": ends.target_words(migration),
        "databases": list(migration.databases),
        "online": migration.online,
        "overwrite": migration.sent["overwriteDbsInTarget"] == "True",
        "allowed": {one.strip().lower() for one in allowed.split(",")},
    }
    # A Single Server gets its wal_level from the service itself.
    online_later = migration.online and migration.sent["sourceType"] == "PostgreSQLSingleServer"
    if online_later:
        job["online"] = False
    return lambda: [*found, *passed(sql_checks.look(job))]


def _from_outside(migration) -> list[Finding]:
    found = _meant(migration) + reach.look(migration)
    if migration.target.properties["authConfig"].get("passwordAuth") == "Disabled":
        text = "603100: Authentication failed. Password authentication is not enabled on the target server."
        found.append(Finding(CONNECTIVITY, text))
    if migration.sent["sourceType"] == "PostgreSQLFlexibleServer":
        found += [Finding(EXTENSIONS, FLEXIBLE_TEXT.format(name=name), name) for name in migration.databases]
    if not choosing.moves_data(migration) and migration.sent["overwriteDbsInTarget"] != "True":
        for name in existing_databases(migration):
            text = f"603101: Database {name} already exists on the target server and overwriting it was not allowed."
            found.append(Finding(SCHEMA, text, name))
    return found


def _meant(migration) -> list[Finding]:
    """Return what a test asked for."""
    found = []
    for kind, state in (("validation_fails", FAILED), ("validation_warns", WARNING)):
        trouble = migration.troubles.for_migration(kind, migration.id)
        if trouble is None:
            continue
        check = trouble.words.get("kind_of_check", EXTENSIONS)
        code, text = trouble.words.get("code", 603405), trouble.words.get("message", "Validation did not succeed.")
        database = None if check in SERVER_CHECKS else trouble.words.get("database", migration.databases[0])
        found.append(Finding(check, f"{code}: {text}" if code else text, database, state))
    return found


def shown(found: list[Finding], migration, began: float, ended: float) -> dict:
    return findings.shown(found, migration.databases, began, ended)


def existing_databases(migration) -> list[str]:
    """Return which of the databases the target has already."""
    return [name for name in migration.databases if name in databases.existing(migration.target)]


def replication_missing(migration) -> bool:
    """Whether a Single Server has yet to be set up for logical replication; only there the service offers to do it."""
    source = ends.source_of(migration)
    if source.resource is None or not migration.online:
        return False
    return single_servers.replication_support(source.resource) != "LOGICAL"


def set_up_replication(migration) -> None:
    """Set up a Single Server for logical replication, which restarts it."""
    single_servers.set_replication_support(ends.source_of(migration).resource, "LOGICAL")
