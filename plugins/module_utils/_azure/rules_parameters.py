# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the target's server parameters, as the control plane tells them."""

from __future__ import annotations

from .._checks.rule import Rule, blind, fine, listed, violated
from .._core.errors import ConnectionFailed
from .preparation import merged_list, words_of_list
from .rules_login import LOGIN
from .rules_target import EXISTS, command

ALLOWED, PRELOADED = "azure.extensions", "shared_preload_libraries"
EXTENSIONS = "SELECT extname::text AS name FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' ORDER BY extname"
PAGE = "https://learn.microsoft.com/azure/postgresql/extensions/how-to-allow-extensions"
# Extensions that work only when the server loads a library at its start, and the library's name.
LIBRARIES = {
    name: name
    for name in (
        "age", "anon", "azure_storage", "credcheck", "pg_cron", "pg_duckdb", "pg_failover_slots", "pg_hint_plan",
        "pg_prewarm", "pg_squeeze", "pg_stat_statements", "pgaudit", "pglogical", "timescaledb",
    )
}  # fmt: skip
LIBRARIES["pg_partman"] = "pg_partman_bgw"
# On Azure's own servers only.
NOT_CARRIED = ("azure", "pgaadauth")


def source_extensions(context) -> list:
    """Return the names of the extensions of the source's databases.

    :raises ConnectionFailed: when the source cannot be reached from here
    """
    found = set()
    for database in context.request.databases:
        found.update(row["name"] for row in context.cached_rows("source", database, EXTENSIONS))
    return sorted(found.difference(NOT_CARRIED))


def setting_command(scene, name: str, value: str) -> str:
    """Return the az command that sets a parameter of the target."""
    target = scene.target
    return (
        f"az postgres flexible-server parameter set --resource-group {target.id.resource_group} --server-name {target.id.name} "
        f"--name {name} --value '{value}'"
    )


def allow_list(scene, context):
    """Every extension of the source is in azure.extensions of the target."""
    try:
        wanted = source_extensions(context)
    except ConnectionFailed as error:
        yield blind(scene.target.id.name, f"the source's extensions cannot be read from here: {error.msg}")
        return
    value = str(scene.parameters(scene.target).get(ALLOWED, {}).get("value") or "")
    allowed = {word.lower() for word in words_of_list(value)}
    missing = [name for name in wanted if name.lower() not in allowed]
    if missing:
        yield violated(
            scene.target.id.name,
            f"{ALLOWED} lacks {listed(missing)}",
            remedy=setting_command(scene, ALLOWED, merged_list(value, missing))
            + ", or 'azure_target.extensions' of module runtime_server.",
            code="603108",
        )
    else:
        yield fine(scene.target.id.name, f"{len(wanted)} extensions of the source are allowed")


def preloaded(scene, context):
    """Libraries that extensions of the source need are loaded by the target at its start."""
    try:
        wanted = source_extensions(context)
    except ConnectionFailed as error:
        yield blind(scene.target.id.name, f"the source's extensions cannot be read from here: {error.msg}")
        return
    value = str(scene.parameters(scene.target).get(PRELOADED, {}).get("value") or "")
    loaded = {word.lower() for word in words_of_list(value)}
    missing = [LIBRARIES[name] for name in wanted if name in LIBRARIES and LIBRARIES[name] not in loaded]
    if missing:
        yield violated(
            scene.target.id.name,
            f"{PRELOADED} lacks {listed(missing)}",
            remedy=f"{setting_command(scene, PRELOADED, merged_list(value, missing))}, then {command(scene.target, 'restart')}",
            code="603109",
        )


def nothing_pending(scene, context):
    """No parameter of the target waits for a restart."""
    waiting = sorted(
        name for name, words in scene.parameters(scene.target).items() if words.get("isConfigPendingRestart") is True
    )
    if waiting:
        yield violated(
            scene.target.id.name,
            f"these parameters wait for a restart: {listed(waiting)}",
            remedy=command(scene.target, "restart"),
        )


def slots(scene, context):
    """The target has replication slots, which count as origins too, for every database of an online migration."""
    words = scene.parameters(scene.target).get("max_replication_slots") or {}
    wanted = len(scene.request.databases) + 1
    try:
        held = int(words.get("value") or 0)
    except ValueError:
        return
    if held < wanted:
        yield violated(
            scene.target.id.name,
            f"max_replication_slots is {held}, for {len(scene.request.databases)} databases",
            expected=f"at least {wanted}",
            remedy=f"{setting_command(scene, 'max_replication_slots', str(wanted))}, then {command(scene.target, 'restart')}",
        )


def rule(name: str, title: str, look, expected: str, remedy: str, **more) -> Rule:
    """Return a rule about the target's parameters."""
    words = {"clean": "as expected", "documentation": PAGE, **more}
    return Rule(
        id=f"azure-target-{name}",
        title=title,
        level="azure",
        side="target",
        look=look,
        expected=expected,
        remedy=remedy,
        needs=(LOGIN, EXISTS),
        **words,
    )


RULES = (
    rule(
        "extensions",
        "Every extension of the source is allowed on the target",
        allow_list,
        f"every extension of the source in {ALLOWED}",
        "Add them; what is there stays.",
        code="603108",
    ),
    rule(
        "libraries",
        "Libraries that extensions need are loaded when the target starts",
        preloaded,
        f"the library of every such extension in {PRELOADED}",
        "Add them and restart the target.",
        code="603109",
        clean="nothing is missing",
    ),
    rule(
        "pending-restart",
        "No parameter of the target waits for a restart",
        nothing_pending,
        "no parameter that waits for a restart",
        "Restart the target.",
        severity="warning",
        clean="no parameter waits",
        documentation="https://learn.microsoft.com/azure/postgresql/server-parameters/concepts-server-parameters",
    ),
    rule(
        "replication-slots",
        "The target has a replication slot for each database and one more",
        slots,
        "one more than there are databases",
        "Raise max_replication_slots and restart the target.",
        modes=("online",),
        documentation="https://learn.microsoft.com/azure/postgresql/migrate/migration-service/concepts-migration-server-parameters",
    ),
)
