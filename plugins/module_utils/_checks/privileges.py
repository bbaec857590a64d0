# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: may the source's user read everything that is to be moved, and will it see all of it?"""

from __future__ import annotations

from .._core.units import count_of
from .._postgres.quoting import qualified, quote_identifier, quote_literal
from .context import SOURCE, Context
from .rule import NAMED, Rule, listed, violated

KINDS = {"r": "table", "p": "partitioned table", "S": "sequence", "m": "materialized view"}
PRIVILEGES = "https://www.postgresql.org/docs/current/ddl-priv.html"

# Large objects have rights of their own unless the server is told to ignore them.
UNREADABLE_LARGE_OBJECTS = """
SELECT m.oid, pg_catalog.count(*) OVER () AS total
FROM pg_catalog.pg_largeobject_metadata m
WHERE NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')
AND pg_catalog.current_setting('lo_compat_privileges') = 'off'
AND NOT EXISTS (
  SELECT 1 FROM pg_catalog.aclexplode(m.lomacl) a
  WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))
ORDER BY m.oid LIMIT 20
"""


def schema_usage(context: Context, database: str):
    """The user may look into every schema that holds something to move."""
    if context.is_superuser(SOURCE):
        return
    closed = dict.fromkeys(
        relation["schema"] for relation in context.relations(database) if not relation["schema_usage"]
    )
    if closed:
        user = quote_identifier(context.user(SOURCE))
        schemas = listed(quote_identifier(schema) for schema in closed)
        yield violated(
            database,
            f"user {context.user(SOURCE)} has no USAGE privilege on {count_of(len(closed), 'schema')}: {schemas}",
            remedy=f"In the source's database {database}: GRANT USAGE ON SCHEMA {schemas} TO {user};",
        )


def readable(context: Context, database: str):
    """The user may read every table, sequence and materialized view."""
    closed = [
        relation for relation in context.relations(database) if relation["kind"] in KINDS and not relation["readable"]
    ]
    if not closed:
        return
    names = [
        f"{KINDS[relation['kind']]} {qualified(relation['schema'], relation['name'])} of {relation['owner']}"
        for relation in closed
    ]
    yield violated(
        database,
        f"user {context.user(SOURCE)} cannot read {count_of(len(closed), 'relation')}: {listed(names)}",
        remedy=grant_select(context, database, closed),
    )


def grant_select(context: Context, database: str, relations: list) -> str:
    """Return the statements that let the user read I(relations): one by one, by schema when they are many."""
    user = quote_identifier(context.user(SOURCE))
    statements = []
    for words, kinds in (("TABLE", "rpm"), ("SEQUENCE", "S")):
        chosen = [relation for relation in relations if relation["kind"] in kinds]
        if len(chosen) > NAMED:
            schemas = ", ".join(dict.fromkeys(quote_identifier(relation["schema"]) for relation in chosen))
            statements.append(f"GRANT SELECT ON ALL {words}S IN SCHEMA {schemas} TO {user};")
        elif chosen:
            names = ", ".join(qualified(relation["schema"], relation["name"]) for relation in chosen)
            statements.append(f"GRANT SELECT ON {words} {names} TO {user};")
    text = f"In the source's database {database}: {' '.join(statements)}"
    if context.major(SOURCE) >= 14:
        text += f" Or once for all databases: GRANT pg_read_all_data TO {user};"
    return text


def large_objects(context: Context, database: str):
    """The user may read every large object."""
    closed = context.rows(SOURCE, database, UNREADABLE_LARGE_OBJECTS)
    if not closed:
        return
    total = closed[0]["total"]
    identifiers = [str(row["oid"]) for row in closed]
    more = f" and {total - len(closed)} more" if total > len(closed) else ""
    user = quote_identifier(context.user(SOURCE))
    grant = f"GRANT SELECT ON LARGE OBJECT {', '.join(identifiers)} TO {user};"
    if more:
        grant = (
            "DO $$ DECLARE lo oid; BEGIN FOR lo IN SELECT oid FROM pg_largeobject_metadata LOOP "
            f"EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO %I', lo, {quote_literal(context.user(SOURCE))}); END LOOP; END $$;"
        )
    yield violated(
        database,
        f"user {context.user(SOURCE)} cannot read {count_of(total, 'large object')}: {', '.join(identifiers)}{more}",
        remedy=f"In the source's database {database}: {grant}",
    )


def hidden_rows(context: Context, database: str):
    """No row-level security policy hides rows from the user."""
    identity = context.identity(SOURCE)
    if identity["superuser"] or identity["bypass_row_security"]:
        return
    hidden = [relation for relation in context.relations(database) if relation["rows_hidden"]]
    if not hidden:
        return
    user = quote_identifier(context.user(SOURCE))
    names = listed(qualified(relation["schema"], relation["name"]) for relation in hidden)
    yield violated(
        database,
        f"row-level security hides rows of {count_of(len(hidden), 'table')} from user {context.user(SOURCE)}: {names}",
        remedy=f"On the source, as a superuser: ALTER ROLE {user} BYPASSRLS; or migrate as the owner of these tables, "
        "after ALTER TABLE ... NO FORCE ROW LEVEL SECURITY where it is forced.",
    )


RULES = (
    Rule(
        id="source-schema-usage",
        title="The source's user may use every schema",
        level="database",
        side=SOURCE,
        look=schema_usage,
        expected="the USAGE privilege on every schema that holds relations",
        remedy="GRANT USAGE ON SCHEMA ... TO the source's user.",
        documentation=PRIVILEGES,
        clean="every schema can be used",
        code="603110",
        needs=("source-database-reachable",),
        each_database=True,
    ),
    Rule(
        id="source-readable",
        title="The source's user may read every table and sequence",
        level="table",
        side=SOURCE,
        look=readable,
        expected="the SELECT privilege on every table, sequence and materialized view",
        remedy="GRANT SELECT ON ALL TABLES IN SCHEMA ... TO the source's user.",
        documentation=PRIVILEGES,
        clean="every table, sequence and materialized view can be read",
        code="603110",
        needs=("source-database-reachable",),
        each_database=True,
    ),
    Rule(
        id="source-large-objects-readable",
        title="The source's user may read every large object",
        level="database",
        side=SOURCE,
        look=large_objects,
        expected="the SELECT privilege on every large object",
        remedy="GRANT SELECT ON LARGE OBJECT ... TO the source's user.",
        documentation="https://www.postgresql.org/docs/current/lo-implementation.html",
        clean="every large object can be read",
        code="603110",
        needs=("source-database-reachable",),
        each_database=True,
    ),
    Rule(
        id="source-row-security",
        title="No row-level security hides rows from the source's user",
        level="table",
        side=SOURCE,
        look=hidden_rows,
        expected="a user that sees every row: BYPASSRLS, or the owner of a table where it is not forced",
        remedy="ALTER ROLE ... BYPASSRLS on the source.",
        documentation="https://www.postgresql.org/docs/current/ddl-rowsecurity.html",
        clean="no table hides rows from the user",
        needs=("source-database-reachable",),
        each_database=True,
    ),
)
