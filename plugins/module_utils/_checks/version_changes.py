# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: what the source's version knows and the target's does not."""

from __future__ import annotations

from .._core.units import count_of
from .._postgres.driver import psycopg2
from .catalogue import USER_SCHEMA, not_of_extension
from .context import SOURCE, TARGET, Context
from .rule import Rule, listed, violated

# First major version without the thing: a query that finds it.
REMOVED = {
    10: f"""
SELECT pg_catalog.format('column %I.%I.%I of type unknown', n.nspname, c.relname, a.attname) AS name
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.atttypid = 705 AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'm', 'v', 'f', 'c') AND {USER_SCHEMA}
""",
    12: f"""
SELECT pg_catalog.format('column %I.%I.%I of type %s', n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, NULL)) AS name
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.atttypid IN (702, 703, 704, 1023, 1024, 1025) AND a.attnum > 0 AND NOT a.attisdropped
AND c.relkind IN ('r', 'p', 'm', 'v', 'f', 'c') AND {USER_SCHEMA}
""",
    14: f"""
SELECT 'postfix operator ' || o.oid::pg_catalog.regoperator::text AS name FROM pg_catalog.pg_operator o
WHERE o.oprright = 0 AND o.oid >= 16384 AND {not_of_extension("pg_operator", "o.oid")}
UNION ALL
SELECT 'conversion ' || pg_catalog.quote_ident(v.conname) FROM pg_catalog.pg_conversion v
WHERE v.oid >= 16384 AND {not_of_extension("pg_conversion", "v.oid")}
UNION ALL
SELECT 'aggregate ' || p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_aggregate a
JOIN pg_catalog.pg_proc p ON p.oid = a.aggfnoid JOIN pg_catalog.pg_proc f ON f.oid = a.aggtransfn
WHERE p.oid >= 16384 AND f.proname IN ('array_append', 'array_cat', 'array_prepend', 'array_remove', 'array_replace')
AND f.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND {not_of_extension("pg_proc", "p.oid")}
UNION ALL
SELECT 'operator ' || o.oid::pg_catalog.regoperator::text FROM pg_catalog.pg_operator o
JOIN pg_catalog.pg_proc f ON f.oid = o.oprcode
WHERE o.oid >= 16384 AND f.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
AND f.proname IN ('array_append', 'array_cat', 'array_prepend', 'array_remove', 'array_replace', 'array_position')
AND {not_of_extension("pg_operator", "o.oid")}
""",
}

HELP = {
    10: "give the columns a type: ALTER TABLE ... ALTER COLUMN ... TYPE text;",
    12: "ALTER TABLE ... ALTER COLUMN ... TYPE timestamptz (of tinterval make two columns);",
    14: "DROP them on the source and create them in their new form on the target: operators before the operand, aggregates over "
    "anycompatiblearray and anycompatible, conversions with a function of six arguments.",
}

# What is set for databases and for their roles in them, and for functions.
SETTINGS = f"""
SELECT 'database ' || d.datname AS item, s.setconfig AS settings, false AS fatal FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
WHERE d.datname = pg_catalog.current_database()
UNION ALL
SELECT pg_catalog.format('function %I.%I', n.nspname, p.proname), p.proconfig, true
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.proconfig IS NOT NULL AND {USER_SCHEMA} AND {not_of_extension("pg_proc", "p.oid")}
ORDER BY 3 DESC, 1
"""


def removed(context: Context, database: str):
    """Nothing in the database is of a kind that the target's version no longer has."""
    source, target = context.major(SOURCE), context.major(TARGET)
    for major, query in REMOVED.items():
        if not source < major <= target:
            continue
        names = [row["name"] for row in context.rows(SOURCE, database, query)]
        if names:
            yield violated(
                database,
                f"{count_of(len(names), 'object')} that PostgreSQL {major} and newer do not take: {listed(names)}",
                remedy=f"In the source's database {database}: {HELP[major]}",
            )


def known_settings(context: Context) -> set:
    """Return the names of the target's settings, as far as the user may see them."""
    return context.cached(
        "target setting names",
        lambda: {row["name"] for row in context.server(TARGET).rows("SELECT s.name FROM pg_catalog.pg_settings s")},
    )


def unknown(context: Context, name: str) -> bool:
    """Tell whether the target has no such setting; names with a dot are anybody's."""
    if "." in name or name in known_settings(context):
        return False

    def ask() -> bool:
        try:
            return context.server(TARGET).value("SELECT pg_catalog.current_setting(%s, true)", (name,)) is None
        except psycopg2.Error:
            return False  # there, and not for everybody's eyes

    return context.cached(("unknown setting", name), ask)


def settings(context: Context, database: str):
    """Every setting of the database and of its functions exists on the target."""
    for fatal in (True, False):
        found = []
        for row in context.cached_rows(SOURCE, database, SETTINGS):
            if row["fatal"] == fatal:
                names = [word.partition("=")[0] for word in row["settings"]]
                found += [f"{name} of {row['item']}" for name in names if unknown(context, name.lower())]
        if found:
            what = (
                "ALTER FUNCTION ... RESET ...;"
                if fatal
                else "ALTER DATABASE ... RESET ...; or ALTER ROLE ... IN DATABASE ... RESET ...;"
            )
            yield violated(
                database,
                f"the target has no setting {listed(found)}",
                severity="failed" if fatal else "warning",
                remedy=f"In the source's database {database}: {what}",
            )


def database_rule(**words) -> Rule:
    """Return a rule that compares a source database with the target's version."""
    return Rule(
        level="database",
        side=SOURCE,
        needs=("source-database-reachable", "target-reachable"),
        each_database=True,
        **words,
    )


RULES = (
    database_rule(
        id="removed-in-target-version",
        title="The target's version knows every kind of object",
        look=removed,
        expected="no column of abstime, reltime or tinterval (12), no postfix operator, no conversion and no aggregate over anyarray of "
        "the old form (14)",
        remedy="Change or drop them on the source.",
        documentation="https://www.postgresql.org/docs/release/",
        clean="the target's version knows every kind of object",
    ),
    database_rule(
        id="settings-known",
        title="The target knows every setting of database and functions",
        look=settings,
        expected="settings that the target's version has",
        remedy="Reset them on the source.",
        documentation="https://www.postgresql.org/docs/current/sql-alterdatabase.html",
        clean="the target knows every setting",
        severity="warning",
    ),
)
