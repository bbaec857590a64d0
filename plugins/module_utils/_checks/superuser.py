# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: extensions and objects that only a superuser can create."""

from __future__ import annotations

from .._postgres.quoting import quote_identifier
from .catalogue import EXTENSIONS, USER_SCHEMA, not_of_extension
from .context import SOURCE, TARGET, Context
from .rule import Rule, count_of, listed, violated

# Administrators of managed services create what PostgreSQL itself leaves to superusers.
SERVICE_ADMINISTRATORS = ("azure_pg_admin", "rds_superuser", "cloudsqlsuperuser", "alloydbsuperuser")


def superuser_objects(major: int) -> str:
    """Return the query for everything in a database that only a superuser can create; I(major) is the server's."""
    function = "p.prokind <> 'a'" if major >= 11 else "NOT p.proisagg"
    publications = (
        "UNION ALL SELECT 'publication FOR ALL TABLES', pg_catalog.quote_ident(b.pubname)"
        " FROM pg_catalog.pg_publication b WHERE b.puballtables"
        if major >= 10
        else ""
    )

    def own(catalogue_name: str, alias: str) -> str:
        return f"{alias}.oid >= 16384 AND {not_of_extension(catalogue_name, f'{alias}.oid')}"

    return f"""
SELECT o.kind, o.name FROM (
  SELECT 'base type' AS kind, pg_catalog.format('%I.%I', n.nspname, t.typname) AS name
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
   WHERE t.typtype = 'b' AND {own("pg_type", "t")}
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type a WHERE a.typarray = t.oid)
  UNION ALL SELECT 'text search parser', pg_catalog.quote_ident(s.prsname)
    FROM pg_catalog.pg_ts_parser s WHERE {own("pg_ts_parser", "s")}
  UNION ALL SELECT 'text search template', pg_catalog.quote_ident(s.tmplname)
    FROM pg_catalog.pg_ts_template s WHERE {own("pg_ts_template", "s")}
  UNION ALL SELECT 'access method', pg_catalog.quote_ident(m.amname)
    FROM pg_catalog.pg_am m WHERE {own("pg_am", "m")}
  UNION ALL SELECT 'operator family', pg_catalog.quote_ident(f.opfname)
    FROM pg_catalog.pg_opfamily f WHERE {own("pg_opfamily", "f")}
  UNION ALL SELECT 'foreign-data wrapper', pg_catalog.quote_ident(w.fdwname)
    FROM pg_catalog.pg_foreign_data_wrapper w WHERE {own("pg_foreign_data_wrapper", "w")}
  UNION ALL SELECT 'cast without function',
         pg_catalog.format_type(c.castsource, NULL) || ' to ' || pg_catalog.format_type(c.casttarget, NULL)
    FROM pg_catalog.pg_cast c WHERE c.castmethod = 'b' AND {own("pg_cast", "c")}
  UNION ALL SELECT 'language', pg_catalog.quote_ident(l.lanname)
    FROM pg_catalog.pg_language l WHERE {own("pg_language", "l")}
  UNION ALL SELECT 'function in ' || l.lanname, pg_catalog.format('%I.%I', n.nspname, p.proname)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
   WHERE NOT l.lanpltrusted AND {function} AND {own("pg_proc", "p")}
  UNION ALL SELECT 'leakproof function', pg_catalog.format('%I.%I', n.nspname, p.proname)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
   WHERE p.proleakproof AND l.lanpltrusted AND {own("pg_proc", "p")}
  {publications}
) o ORDER BY o.kind, o.name
"""


EVENT_TRIGGERS = f"""
SELECT e.evtname::text AS name FROM pg_catalog.pg_event_trigger e
WHERE e.oid >= 16384 AND {not_of_extension("pg_event_trigger", "e.oid")} ORDER BY 1
"""

WITH_OIDS = f"""
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attname = 'oid' AND a.attnum < 0 AND c.relkind IN ('r', 'p') AND {USER_SCHEMA} ORDER BY 1
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


def extensions_available(context: Context, database: str):
    """Every extension can be installed on the target in some version."""
    missing = [row for row in extensions(context, database) if row["name"] not in available(context)]
    if missing:
        drops = " ".join(f"DROP EXTENSION {quote_identifier(row['name'])};" for row in missing)
        yield violated(
            database,
            f"the target cannot install {listed(row['name'] + ' ' + row['version'] for row in missing)}",
            remedy=f"Install the packages of these extensions on the target's host (on a managed server: allow them), "
            f"or drop what is not used from the source: {drops}",
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
        if row["name"] in available(context) and numbers(available(context)[row["name"]]) < numbers(row["version"])
    ]
    if older:
        yield violated(database, f"older on the target: {listed(older)}")


def numbers(version: str) -> tuple:
    """Return the leading numbers of a version, for comparison."""
    parts = []
    for part in version.replace("-", ".").split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


def superuser_only(context: Context, database: str):
    """Nothing in the database needs a superuser to be created."""
    if context.is_superuser(TARGET):
        return
    rows = context.rows(SOURCE, database, superuser_objects(context.major(SOURCE)))
    if rows:
        names = listed(f"{row['kind']} {row['name']}" for row in rows)
        yield violated(
            database,
            f"{count_of(len(rows), 'object')} that only a superuser can create: {names}",
            remedy=f"Use a superuser in 'target.user' instead of {context.user(TARGET)}, or drop on the source what is "
            "not needed; what comes as an extension elsewhere is better installed as that extension.",
        )


def event_triggers(context: Context, database: str):
    """Event triggers fire while the migration creates objects, and only a superuser can create them."""
    names = [row["name"] for row in context.rows(SOURCE, database, EVENT_TRIGGERS)]
    if names and not context.is_superuser(TARGET) and not service_administrator(context):
        drops = " ".join(f"DROP EVENT TRIGGER {quote_identifier(name)};" for name in names[:20])
        yield violated(
            database,
            f"{count_of(len(names), 'event trigger')} that user {context.user(TARGET)} may not create: {listed(names)}",
            remedy=f"Use a superuser in 'target.user', or drop them on the source and create them on the target "
            f"afterwards: {drops}",
        )


def with_oids(context: Context, database: str):
    """No table has the hidden oid column, which is gone since PostgreSQL 12."""
    if context.major(SOURCE) >= 12:
        return
    names = [row["name"] for row in context.rows(SOURCE, database, WITH_OIDS)]
    if names:
        alter = " ".join(f"ALTER TABLE {name} SET WITHOUT OIDS;" for name in names[:20])
        yield violated(
            database,
            f"{count_of(len(names), 'table')} WITH OIDS: {listed(names)}",
            remedy=f"When nothing uses the oids, in the source's database {database}: {alter}",
        )


def database_rule(**words) -> Rule:
    """Return a rule that compares a source database with what the target can do."""
    return Rule(level="database", needs=("source-database-reachable", "target-reachable"), each_database=True, **words)


EXTENSION_PAGE = "https://www.postgresql.org/docs/current/sql-createextension.html"

RULES = (
    database_rule(
        id="extensions-available",
        title="Every extension is available on the target",
        side=TARGET,
        look=extensions_available,
        expected="every extension of the source in pg_available_extensions of the target",
        remedy="Install the extension's package on the target's host, or DROP EXTENSION on the source.",
        documentation=EXTENSION_PAGE,
        clean="every extension of the source is available",
        code="603405",
    ),
    database_rule(
        id="extensions-installable",
        title="The target's user may install every extension",
        side=TARGET,
        look=extensions_installable,
        expected="extensions that are trusted, need no superuser, or are installed already",
        remedy="Let a superuser install the extensions on the target first.",
        documentation=EXTENSION_PAGE,
        clean="the user may install every extension",
    ),
    database_rule(
        id="extension-versions",
        title="Extensions are not older on the target",
        side=TARGET,
        look=extension_versions,
        expected="the source's version of the extension or a newer one",
        remedy="Install a newer package of the extension on the target's host.",
        documentation="https://www.postgresql.org/docs/current/sql-alterextension.html",
        clean="no extension is older on the target",
        severity="warning",
    ),
    database_rule(
        id="superuser-only-objects",
        title="Nothing needs a superuser to be created",
        side=SOURCE,
        look=superuser_only,
        expected="objects that the target's user may create",
        remedy="Use a superuser in 'target.user', or drop the objects on the source.",
        documentation="https://www.postgresql.org/docs/current/role-attributes.html",
        clean="nothing needs a superuser to be created, or the target's user is one",
        code="603413",
    ),
    database_rule(
        id="event-triggers",
        title="No event trigger that the target's user may not create",
        side=SOURCE,
        look=event_triggers,
        expected="no event trigger, or a superuser on the target",
        remedy="DROP EVENT TRIGGER on the source, CREATE EVENT TRIGGER on the target afterwards.",
        documentation="https://www.postgresql.org/docs/current/sql-createeventtrigger.html",
        clean="no event trigger that the target's user may not create",
    ),
    database_rule(
        id="tables-with-oids",
        title="No table has hidden oids",
        side=SOURCE,
        look=with_oids,
        expected="no table WITH OIDS",
        remedy="ALTER TABLE ... SET WITHOUT OIDS on the source.",
        documentation="https://www.postgresql.org/docs/11/ddl-system-columns.html",
        clean="no table has hidden oids",
        code="603404",
    ),
)
