# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: can every extension of the source be created on the target, and does what it holds come along?"""

from __future__ import annotations

from .._core.units import count_of
from .._postgres.quoting import quote_identifier
from .catalogue import EXTENSIONS
from .context import SOURCE, TARGET, Context
from .kinds import source_kind
from .published_extensions import PRELOADED, numbers, published
from .rule import Rule, blind, listed, violated
from .service_target import parameter, setting

# Administrators of managed services create what PostgreSQL itself leaves to superusers.
SERVICE_ADMINISTRATORS = ("azure_pg_admin", "rds_superuser", "cloudsqlsuperuser", "alloydbsuperuser")

# The service takes foreign-data servers from Single Server up to this version.
FOREIGN_DATA_UNTIL = 15

# Tables of extensions with rows in them, of which nothing is carried, since the extension did not mark them.
EXTENSION_TABLES = """
SELECT e.extname::text AS extension, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid
  AND d.deptype = 'e' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN pg_catalog.pg_class c ON c.oid = d.objid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.oid = ANY (COALESCE(e.extconfig, '{}')) AND pg_catalog.pg_relation_size(c.oid) > 0
ORDER BY 1, 2
"""


def extensions(context: Context, database: str) -> list:
    """Return the extensions of a source database."""
    return context.cached_rows(SOURCE, database, EXTENSIONS)


def available(context: Context) -> dict:
    """Return C({extension: default version}) of what can be created on the target."""
    return context.cached(
        "available extensions",
        lambda: {
            row["name"]: row["version"]
            for row in context.server(TARGET).rows(
                "SELECT name::text AS name, default_version AS version FROM pg_catalog.pg_available_extensions"
            )
        },
    )


def allow_list(context: Context) -> set | None:
    """Return the extensions that the target's service lets its administrators create; None where there is no such list."""
    words = setting(context, "azure.extensions")
    return None if words is None else {word.strip().lower() for word in words.split(",") if word.strip()}


def refused_by_name(context: Context, name: str) -> bool:
    """Tell whether Azure's service refuses the extension whatever the target has and allows; other rules say so."""
    if not context.by_service:
        return False
    if name == "postgres_fdw":
        return source_kind(context).value != "PostgreSQLSingleServer" or context.major(SOURCE) > FOREIGN_DATA_UNTIL
    return name in ("azure", "pgaadauth")


def extensions_available(context: Context, database: str):
    """Every extension can be installed on the target in some version."""
    missing = [
        row
        for row in extensions(context, database)
        if row["name"] not in available(context) and not refused_by_name(context, row["name"])
    ]
    if missing:
        drops = " ".join(f"DROP EXTENSION {quote_identifier(row['name'])};" for row in missing)
        own = " Or migrate with 'provider: host' to a server that has them." if context.by_service else ""
        yield violated(
            database,
            f"the target cannot install {listed(row['name'] + ' ' + row['version'] for row in missing)}",
            remedy=f"Install the packages of these extensions on the target's host (on a managed server: allow them), "
            f"or drop what is not used from the source: {drops}{own}",
            code="603408" if context.by_service and context.major(TARGET) == 16 else "",
        )


def allow_listed(context: Context, database: str):
    """The target's service lets its administrators create every extension."""
    allowed = allow_list(context)
    if allowed is None:
        return
    # What no list could allow has findings of its own.
    refused = [
        row["name"]
        for row in extensions(context, database)
        if row["name"] in available(context)
        and row["name"].lower() not in allowed
        and not refused_by_name(context, row["name"])
        and not (context.by_service and not published(row["name"], context.major(TARGET)))
    ]
    if refused:
        value = ",".join(sorted(allowed | {name.lower() for name in refused}))
        yield violated(
            database,
            f"not in azure.extensions of the target: {listed(refused)}",
            remedy=f"The whole new value, what is allowed already included: {parameter('azure.extensions', value)}",
        )


def preloaded(context: Context, database: str):
    """Extensions that work only when the server loads them at its start are loaded."""
    wanted = [row["name"] for row in extensions(context, database) if PRELOADED.get(row["name"])]
    wanted = [name for name in wanted if name in available(context)]
    if not wanted:
        return
    roles = context.roles(TARGET)
    if not context.is_superuser(TARGET) and not roles.get("pg_read_all_settings", {}).get("member"):
        user = quote_identifier(context.user(TARGET))
        yield blind(
            context.address(TARGET),
            f"user {context.user(TARGET)} may not see shared_preload_libraries, which {listed(wanted)} must be in",
            remedy=f"On the target: GRANT pg_read_all_settings TO {user};",
        )
        return
    loaded = [word.strip() for word in (setting(context, "shared_preload_libraries") or "").split(",") if word.strip()]
    missing = [name for name in wanted if PRELOADED[name] not in loaded]
    if missing:
        value = ",".join([*loaded, *(PRELOADED[name] for name in missing)])
        azure = allow_list(context) is not None
        command = (
            parameter("shared_preload_libraries", value)
            if azure
            else f"ALTER SYSTEM SET shared_preload_libraries = {value};"
        )
        yield violated(
            database,
            f"not in shared_preload_libraries of the target: {listed(missing)}",
            remedy=f"{command} and restart the target",
        )


def service_administrator(context: Context) -> bool:
    """Tell whether the target's user is the administrator of a managed service."""
    return any(context.roles(TARGET).get(name, {}).get("member") for name in SERVICE_ADMINISTRATORS)


def extensions_installable(context: Context, database: str):
    """The target's user may install every extension."""
    wanted = [row["name"] for row in extensions(context, database) if row["name"] in available(context)]
    if not wanted or context.is_superuser(TARGET) or service_administrator(context):
        return
    trusted = "v.trusted" if context.major(TARGET) >= 13 else "false"
    locked = {
        row["name"]
        for row in context.server(TARGET).rows(
            "SELECT v.name::text AS name FROM pg_catalog.pg_available_extension_versions v"
            f" GROUP BY v.name HAVING pg_catalog.bool_and(v.superuser AND NOT {trusted})"
        )
    }
    present = set()
    if context.on_target(database):
        present = {row["name"] for row in context.rows(TARGET, database, EXTENSIONS)}
    refused = [name for name in wanted if name in locked and name not in present]
    if refused:
        commands = " ".join(f"CREATE EXTENSION IF NOT EXISTS {quote_identifier(name)};" for name in refused)
        yield violated(
            database,
            f"user {context.user(TARGET)} may not install {listed(refused)}: not trusted, so only a superuser may",
            remedy=f"Let a superuser of the target create the database and install them there first: {commands}",
        )


def extension_versions(context: Context, database: str):
    """The target's version of an extension is not older."""
    older = [
        f"{row['name']} {row['version']} (target {available(context)[row['name']]})"
        for row in extensions(context, database)
        if row["name"] in available(context)
        and numbers(available(context)[row["name"]]) < numbers(row["version"])
        and not (context.by_service and row["name"].startswith("postgis"))
    ]
    if older:
        yield violated(database, f"older on the target: {listed(older)}")


def partition_manager(context: Context, database: str):
    """pg_partman is not moved over the border between its versions 4 and 5."""
    for row in extensions(context, database):
        target = available(context).get(row["name"])
        if row["name"] == "pg_partman" and target and numbers(row["version"]) < (5,) <= numbers(target):
            yield violated(
                database,
                f"pg_partman {row['version']} on the source, {target} on the target; what 4 keeps about its partitions 5 does not take, "
                "and trigger-based partitioning is gone",
            )


def topology(context: Context, database: str):
    """The sequence of PostGIS' topologies belongs to the extension and is not carried."""
    if any(row["name"] == "postgis_topology" for row in extensions(context, database)):
        yield violated(
            database,
            "postgis_topology is installed; the sequence topology.topology_id_seq begins anew on the target",
            remedy=f"Afterwards, in the target's database {database}: SELECT setval('topology.topology_id_seq', (SELECT max(id) FROM "
            "topology.topology));",
        )


def extension_data(context: Context, database: str):
    """No rows lie in tables of extensions that are not carried."""
    rows = context.rows(SOURCE, database, EXTENSION_TABLES)
    if rows:
        names = listed(f"{row['name']} of {row['extension']}" for row in rows)
        yield violated(
            database,
            f"{count_of(len(rows), 'table')} of extensions hold rows that are not carried: {names}",
            remedy="Let the extension make them anew on the target, or carry them afterwards, on the source and then on the target: "
            + " ".join(f"COPY {row['name']} TO STDOUT; COPY {row['name']} FROM STDIN;" for row in rows[:20]),
        )


def database_rule(**words) -> Rule:
    """Return a rule that compares a source database with what the target can do."""
    return Rule(
        **{
            "level": "database",
            "side": TARGET,
            "needs": ("source-database-reachable", "target-reachable"),
            "each_database": True,
            **words,
        }
    )


EXTENSION_PAGE = "https://www.postgresql.org/docs/current/sql-createextension.html"
SERVICE_PAGE = "https://learn.microsoft.com/azure/postgresql/migrate/migration-service/concepts-migration-extensions"

RULES = (
    database_rule(
        id="extensions-available",
        title="Every extension is available on the target",
        look=extensions_available,
        expected="every extension of the source in pg_available_extensions of the target",
        remedy="Install the extension's package on the target's host, or DROP EXTENSION on the source.",
        documentation=EXTENSION_PAGE,
        clean="every extension of the source is available",
        code="603405",
    ),
    database_rule(
        id="extensions-allow-listed",
        title="Every extension is allowed on the target",
        look=allow_listed,
        expected="every extension of the source in the target's parameter azure.extensions, where it has one",
        remedy="Add the extensions to azure.extensions.",
        documentation="https://learn.microsoft.com/azure/postgresql/extensions/how-to-allow-extensions",
        clean="every extension is allowed, or the target has no list of allowed ones",
        code="603108",
    ),
    database_rule(
        id="extensions-preloaded",
        title="Extensions that must be loaded at the start are",
        look=preloaded,
        expected="every such extension of the source in the target's shared_preload_libraries",
        remedy="Add the extensions to shared_preload_libraries and restart the target.",
        documentation="https://learn.microsoft.com/azure/postgresql/extensions/how-to-load-libraries",
        clean="no extension of the source must be loaded at the target's start, or all are",
        code="603109",
    ),
    database_rule(
        id="extensions-installable",
        title="The target's user may install every extension",
        look=extensions_installable,
        expected="extensions that are trusted, need no superuser, or are installed already",
        remedy="Let a superuser install the extensions on the target first.",
        documentation=EXTENSION_PAGE,
        clean="the user may install every extension",
    ),
    database_rule(
        id="extension-versions",
        title="Extensions are not older on the target",
        look=extension_versions,
        expected="the source's version of the extension or a newer one",
        remedy="Install a newer package of the extension on the target's host.",
        documentation="https://www.postgresql.org/docs/current/sql-alterextension.html",
        clean="no extension is older on the target",
        severity="warning",
    ),
    database_rule(
        id="pg-partman-version",
        title="pg_partman keeps its major version",
        look=partition_manager,
        expected="pg_partman of the same major version, or 5 on both sides",
        remedy="Upgrade pg_partman on the source first, as its own guide from 4 to 5 says, or choose a target that has the source's "
        "major version.",
        documentation=SERVICE_PAGE,
        clean="no pg_partman that would change its major version",
    ),
    database_rule(
        id="postgis-topology",
        title="No sequence of topologies begins anew",
        side=SOURCE,
        look=topology,
        expected="no extension postgis_topology, or its sequence set by hand",
        remedy="Set topology.topology_id_seq on the target afterwards.",
        documentation=SERVICE_PAGE,
        clean="no extension postgis_topology",
        severity="warning",
    ),
    database_rule(
        id="extension-data",
        title="No rows in tables of extensions that are not carried",
        side=SOURCE,
        look=extension_data,
        expected="rows of extensions in their configuration tables only",
        remedy="Copy these rows by hand after the migration, or let the extension make them anew on the target.",
        documentation="https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-CONFIG-TABLES",
        clean="every row of an extension is in a configuration table",
        severity="warning",
    ),
)
