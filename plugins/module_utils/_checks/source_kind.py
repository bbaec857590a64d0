# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: what the source is, and which sources the service does not take."""

from __future__ import annotations

from .context import SOURCE, Context
from .kinds import OWN, SELF_MANAGED, detected, named, source_kind, source_type
from .rule import AZURE, HOST_CAN, OPERATOR, Rule, fine, violated

# Databases that a managed service keeps for itself.
SYSTEM_DATABASES = ("rdsadmin", "cloudsqladmin", "alloydbadmin", "alloydbmetadata", "azure_sys", "azure_maintenance")


def recognised(context: Context):
    """What the user says of the source is not contradicted by what it shows."""
    said = source_type(context)
    kind, sign = detected(context)
    address = context.address(SOURCE)
    if said and sign and named(said) != kind:
        yield violated(
            address,
            f"'source_type' is {said}, and the source shows itself as {kind.label} ({sign})",
            remedy=f"Set 'source_type: {kind.value}', or leave it out.",
        )
    elif said and not sign and said not in SELF_MANAGED:
        yield fine(address, f"{named(said).label}, as 'source_type' says; nothing on the server shows it")
    elif sign:
        yield fine(address, f"{kind.label} ({sign})")
    else:
        yield fine(address, f"{named(said).label if said else OWN.label}; no sign of a managed service")


def flexible_source(context: Context):
    """The service does not move a flexible server to another."""
    shown, sign = detected(context)
    # Whatever the user says of it, and by whatever name or address it is reached.
    kind = shown if sign else source_kind(context)
    if kind.value == "PostgreSQLFlexibleServer":
        yield violated(
            context.address(SOURCE),
            f"the source is {kind.label}{f' ({sign})' if sign else ''}; the service refuses its extensions azure and pgaadauth",
        )


def system_databases(context: Context, database: str):
    """The database is the user's, no template and none of the service."""
    row = context.databases(SOURCE)[database]
    if database in SYSTEM_DATABASES:
        yield violated(database, "the database belongs to the managed service", severity="failed")
    elif row["is_template"]:
        yield violated(
            database,
            "the database is a template (datistemplate is true); the service leaves templates out, and on the target it will be "
            "an ordinary database",
        )


RULES = (
    Rule(
        id="source-kind",
        who=OPERATOR,
        title="The kind of source is known",
        level="server",
        side=SOURCE,
        look=recognised,
        expected="a source that shows itself as 'source_type' says",
        remedy="Correct 'source_type', or leave it out.",
        documentation="https://learn.microsoft.com/azure/postgresql/migrate/migration-service/overview-migration-service-postgresql",
        severity="warning",
        needs=("source-reachable",),
    ),
    Rule(
        id="service-flexible-source",
        who=OPERATOR,
        title="The source is none that the service refuses",
        level="server",
        side=SOURCE,
        look=flexible_source,
        expected="any source but a flexible server",
        remedy=HOST_CAN,
        documentation="https://learn.microsoft.com/azure/postgresql/migrate/migration-service/"
        "concepts-known-issues-migration-service",
        clean="no flexible server",
        code="603405",
        providers=AZURE,
        needs=("source-reachable",),
    ),
    Rule(
        id="system-databases",
        who=OPERATOR,
        title="The database is one of the user's",
        level="database",
        side=SOURCE,
        look=system_databases,
        expected="an ordinary database",
        remedy="Leave it out of 'databases'.",
        documentation="https://www.postgresql.org/docs/current/manage-ag-templatedbs.html",
        clean="an ordinary database",
        severity="warning",
        needs=("source-database-reachable",),
        each_database=True,
    ),
)
