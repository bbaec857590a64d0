# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: objects that only a superuser can create, or that the target's version no longer knows."""

from __future__ import annotations

from .._core.units import count_of
from .._postgres.quoting import quote_identifier
from .catalogue import USER_SCHEMA, not_of_extension
from .context import SOURCE, TARGET, Context
from .extensions import service_administrator
from .rule import APPLICATION, Rule, listed, violated


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

FILE_FUNCTIONS = f"""
SELECT pg_catalog.format('%%I.%%I', n.nspname, p.proname) AS name
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE {USER_SCHEMA} AND {not_of_extension("pg_proc", "p.oid")} AND p.prosrc ~* %s ORDER BY 1
"""
# What reaches for files or programs of the server's host.
FILES = (
    "\\m(pg_read_file|pg_read_binary_file|pg_write_file|pg_ls_dir|pg_stat_file|lo_import|lo_export)\\s*\\("
    "|\\mcopy\\M[^;]*\\m(from|to)\\s+(program\\s+)?''?/"
    "|\\mcopy\\M[^;]*\\mprogram\\M"
)

WITH_OIDS = f"""
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attname = 'oid' AND a.attnum < 0 AND c.relkind IN ('r', 'p') AND {USER_SCHEMA} ORDER BY 1
"""


def superuser_only(context: Context, database: str):
    """Nothing in the database needs a superuser to be created."""
    if context.is_superuser(TARGET):
        return
    rows = context.rows(SOURCE, database, superuser_objects(context.major(SOURCE)))
    if context.by_service:
        # Casts and languages have rules of their own, with the service's own codes.
        rows = [
            row
            for row in rows
            if row["kind"] not in ("cast without function", "language") and " in " not in row["kind"]
        ]
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
    if context.major(SOURCE) >= 12 or context.major(TARGET) < 12:
        return
    names = [row["name"] for row in context.rows(SOURCE, database, WITH_OIDS)]
    if names:
        alter = " ".join(f"ALTER TABLE {name} SET WITHOUT OIDS;" for name in names[:20])
        yield violated(
            database,
            f"{count_of(len(names), 'table')} WITH OIDS: {listed(names)}",
            remedy=f"When nothing uses the oids, in the source's database {database}: {alter}",
        )


def file_functions(context: Context, database: str):
    """No function reads or writes files of the server's host."""
    if context.is_superuser(TARGET):
        return
    names = [row["name"] for row in context.rows(SOURCE, database, FILE_FUNCTIONS, (FILES,))]
    if names:
        yield violated(
            database,
            f"{count_of(len(names), 'function')} that reach for files or programs of the server's host: {listed(names)}; they arrive, "
            "and fail when they are called",
        )


def database_rule(**words) -> Rule:
    """Return a rule that compares a source database with what the target can do."""
    return Rule(level="database", needs=("source-database-reachable", "target-reachable"), each_database=True, **words)


RULES = (
    database_rule(
        id="superuser-only-objects",
        title="Nothing needs a superuser to be created",
        side=SOURCE,
        look=superuser_only,
        expected="objects that the target's user may create",
        remedy="Use a superuser in 'target.user', or drop the objects on the source.",
        documentation="https://www.postgresql.org/docs/current/role-attributes.html",
        clean="nothing needs a superuser to be created, or the target's user is one",
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
        id="file-functions",
        who=APPLICATION,
        title="No function reaches for the server's files",
        side=SOURCE,
        look=file_functions,
        expected="functions that need nothing but the database",
        remedy="Let the application read and write the files, or use large objects, COPY FROM STDIN, or the extension azure_storage.",
        documentation="https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-GENFILE",
        clean="no function reaches for the server's files, or the target's user is a superuser",
        severity="warning",
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
