# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: extensions that Azure's service refuses, or takes under a condition."""

from __future__ import annotations

from .._postgres.quoting import quote_identifier
from .context import SOURCE, TARGET, Context
from .extensions import SERVICE_PAGE, allow_list, available, database_rule, extensions, refused_by_name
from .published_extensions import STATE, numbers, published
from .rule import AZURE, HOST_CAN, listed, violated

# What these targets have is older than what sources of today have.
OLD_POSTGIS_TARGETS = (11, 12)


def refused(context: Context, database: str):
    """No extension is one that the service refuses by its name."""
    names = {row["name"] for row in extensions(context, database)}
    azure = sorted(names & {"azure", "pgaadauth"})
    if azure:
        yield violated(
            database,
            f"{listed(azure)}, which belong to a flexible server itself",
            remedy=f"{HOST_CAN} Otherwise, in the source's database {database}: "
            + " ".join(f"DROP EXTENSION {quote_identifier(name)};" for name in azure),
        )
    if "postgres_fdw" in names and refused_by_name(context, "postgres_fdw"):
        yield violated(
            database,
            "postgres_fdw, which the service takes from Single Server only",
            remedy=f"In the source's database {database}: DROP EXTENSION postgres_fdw CASCADE; and set foreign servers up again on the "
            f"target. {HOST_CAN}",
        )


def unpublished(context: Context, database: str):
    """Every extension is on the list that the service publishes, or allowed on the target."""
    major, allowed = context.major(TARGET), allow_list(context) or set()
    names = [
        row["name"]
        for row in extensions(context, database)
        if row["name"] in available(context)
        and not refused_by_name(context, row["name"])
        and row["name"].lower() not in allowed
        and not published(row["name"], major)
    ]
    if names:
        drops = " ".join(f"DROP EXTENSION {quote_identifier(name)};" for name in names)
        yield violated(
            database,
            f"not on the service's list for PostgreSQL {major} ({STATE}), nor allowed on the target: {listed(names)}",
            remedy=f"If nothing uses them, in the source's database {database}: {drops} Or let the service leave all extensions out: "
            "azure.migration_skip_extensions = on.",
            code="603408" if major == 16 else "",
        )


def postgis(context: Context, database: str):
    """The target's PostGIS is not older than the source's."""
    for row in extensions(context, database):
        target = available(context).get(row["name"])
        if row["name"] == "postgis" and target and numbers(target) < numbers(row["version"]):
            old = context.major(TARGET) in OLD_POSTGIS_TARGETS
            yield violated(
                database,
                f"PostGIS {row['version']} on the source, {target} on the target",
                remedy="Use a target of PostgreSQL 13 or newer." if old else "Use a target of a newer major version.",
            )


def repack(context: Context, database: str):
    """pg_repack is not installed while the service works."""
    if any(row["name"] == "pg_repack" for row in extensions(context, database)):
        yield violated(
            database,
            "pg_repack is installed; migrations with it have failed",
            remedy=f"In the source's database {database}: DROP EXTENSION pg_repack; and create it on the target afterwards.",
        )


RULES = (
    database_rule(
        id="service-refused-extensions",
        title="No extension that the service refuses",
        side=SOURCE,
        look=refused,
        expected="none of azure, pgaadauth and postgres_fdw",
        remedy=f"DROP EXTENSION on the source. {HOST_CAN}",
        documentation=SERVICE_PAGE,
        clean="none of azure, pgaadauth and postgres_fdw",
        code="603405",
        providers=AZURE,
    ),
    database_rule(
        id="service-unpublished-extensions",
        title="Every extension is on the service's list",
        look=unpublished,
        expected="extensions that the service publishes for the target's major version, or that the target allows",
        remedy="DROP EXTENSION on the source.",
        documentation="https://learn.microsoft.com/azure/postgresql/extensions/concepts-extensions-versions",
        clean="every extension is on the list or allowed",
        code="603405",
        providers=AZURE,
    ),
    database_rule(
        id="service-postgis-version",
        title="PostGIS is not older on the target",
        look=postgis,
        expected="the source's version of PostGIS or a newer one",
        remedy="Use a target of a newer major version.",
        documentation=SERVICE_PAGE,
        clean="PostGIS is not older on the target, or not used",
        code="603406",
        providers=AZURE,
    ),
    database_rule(
        id="service-pg-repack",
        title="pg_repack is not installed",
        side=SOURCE,
        look=repack,
        expected="no extension pg_repack",
        remedy="DROP EXTENSION pg_repack on the source.",
        documentation=SERVICE_PAGE,
        clean="no extension pg_repack",
        severity="warning",
        providers=AZURE,
    ),
)
