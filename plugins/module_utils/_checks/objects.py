# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: what travels differently than people expect, or was broken before."""

from __future__ import annotations

from .._core.units import count_of
from .._postgres.quoting import qualified
from .catalogue import USER_SCHEMA, not_of_extension
from .context import SOURCE, Context
from .rule import APPLICATION, OFFLINE, Rule, blind, fine, listed, violated

FOREIGN = f"""
SELECT pg_catalog.quote_ident(s.srvname) AS name FROM pg_catalog.pg_foreign_server s
WHERE {not_of_extension("pg_foreign_server", "s.oid")} ORDER BY 1
"""

TABLESPACES = """
SELECT t.spcname::text AS name, pg_catalog.count(c.oid) AS number
FROM pg_catalog.pg_tablespace t
JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
LEFT JOIN pg_catalog.pg_class c ON c.reltablespace = t.oid AND c.relkind IN ('r', 'p', 'm', 'i', 'I')
  AND c.relnamespace <> 'pg_toast'::pg_catalog.regnamespace
WHERE t.spcname NOT IN ('pg_default', 'pg_global') AND (c.oid IS NOT NULL OR t.oid = d.dattablespace)
GROUP BY t.spcname ORDER BY t.spcname
"""

INVALID_INDEXES = f"""
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND {USER_SCHEMA} ORDER BY 1
"""

NOT_VALIDATED = f"""
SELECT pg_catalog.format('%I.%I.%I', n.nspname, c.relname, t.conname) AS name,
       pg_catalog.format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I;', n.nspname, c.relname, t.conname) AS remedy
FROM pg_catalog.pg_constraint t JOIN pg_catalog.pg_class c ON c.oid = t.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.convalidated AND {USER_SCHEMA} ORDER BY 1
"""

SECURITY_LABELS = """
SELECT DISTINCT l.provider AS name FROM pg_catalog.pg_seclabels l ORDER BY 1
"""

SEQUENCES_NEAR_END = """
SELECT pg_catalog.format('%I.%I', s.schemaname, s.sequencename) AS name, s.last_value, s.max_value
FROM pg_catalog.pg_sequences s
WHERE NOT s.cycle AND s.increment_by > 0 AND s.last_value IS NOT NULL
AND s.last_value::numeric > 0.9 * s.max_value::numeric ORDER BY 1
"""


def foreign_tables(context: Context, database: str):
    """Foreign tables and servers are moved as definitions only."""
    tables = [
        f"foreign table {qualified(relation['schema'], relation['name'])}"
        for relation in context.relations(database)
        if relation["kind"] == "f"
    ]
    servers = [row["name"] for row in context.rows(SOURCE, database, FOREIGN)]
    if servers or tables:
        mappings = " ".join(
            f"CREATE USER MAPPING FOR CURRENT_USER SERVER {name} OPTIONS (user '...', password '...');"
            for name in servers[:20]
        )
        yield violated(
            database,
            f"definitions without data: {listed([*(f'server {name}' for name in servers), *tables])}",
            remedy="Make sure that the target reaches these servers, and move the data behind them separately. On the target, for "
            f"everybody who reads them: {mappings}",
        )


def tablespaces(context: Context, database: str):
    """Everything goes to the target's default tablespace."""
    rows = context.rows(SOURCE, database, TABLESPACES)
    if rows:
        names = listed(f"{row['name']} ({count_of(row['number'], 'relation')})" for row in rows)
        yield violated(database, f"tablespaces in use: {names}; everything goes to the target's default tablespace")


def unlogged(context: Context, database: str):
    """Unlogged tables are copied like others."""
    names = [
        qualified(relation["schema"], relation["name"])
        for relation in context.relations(database)
        if relation["persistence"] == "u" and relation["kind"] in "rp"
    ]
    found = f"{count_of(len(names), 'unlogged table')}: {listed(names)}; copied, and unlogged on the target too"
    yield fine(database, found if names else "no unlogged table")


def invalid_indexes(context: Context, database: str):
    """An invalid index is built anew and may then fail."""
    names = [row["name"] for row in context.rows(SOURCE, database, INVALID_INDEXES)]
    if names:
        yield violated(
            database,
            f"{count_of(len(names), 'index', 'indexes')} marked invalid: {listed(names)}",
            remedy=f"In the source's database {database}: "
            + " ".join(f"REINDEX INDEX {name};" for name in names[:20])
            + " or DROP INDEX what is not needed.",
        )


def not_validated(context: Context, database: str):
    """A constraint that was never validated may not hold for the rows that are there."""
    rows = context.rows(SOURCE, database, NOT_VALIDATED)
    if rows:
        yield violated(
            database,
            f"{count_of(len(rows), 'constraint')} NOT VALID: {listed(row['name'] for row in rows)}; they arrive as they are",
            remedy=f"In the source's database {database}: " + " ".join(row["remedy"] for row in rows[:20]),
        )


def security_labels(context: Context, database: str):
    """A security label needs its provider on the target."""
    names = [row["name"] for row in context.rows(SOURCE, database, SECURITY_LABELS)]
    if names:
        yield violated(database, f"security labels of the provider {listed(names)}")


def sequences(context: Context, database: str):
    """No sequence is about to run out of numbers."""
    if context.major(SOURCE) < 10:
        yield blind(
            database,
            f"PostgreSQL {context.version(SOURCE)} has no list of all sequences and how far they are",
            remedy="Ask each sequence: SELECT last_value, max_value FROM its_name;",
        )
        return
    hidden = sum(relation["kind"] == "S" and not relation["readable"] for relation in context.relations(database))
    if hidden:
        yield blind(database, f"{count_of(hidden, 'sequence')} not seen", because="source-readable")
    rows = context.rows(SOURCE, database, SEQUENCES_NEAR_END)
    if rows:
        names = listed(f"{row['name']} at {row['last_value']} of {row['max_value']}" for row in rows)
        yield violated(database, f"{count_of(len(rows), 'sequence')} past 90 %: {names}")


def database_rule(**words) -> Rule:
    """Return a warning about a source database."""
    return Rule(
        level="database",
        side=SOURCE,
        severity="warning",
        needs=("source-database-reachable",),
        each_database=True,
        **words,
    )


RULES = (
    database_rule(
        id="foreign-tables",
        title="No foreign tables or servers",
        look=foreign_tables,
        expected="data that lies in the database itself",
        remedy="Make sure that the target reaches these servers, set user mappings with their passwords there, and move "
        "the data behind them separately.",
        documentation="https://www.postgresql.org/docs/current/ddl-foreign-data.html",
        clean="no foreign table or server",
    ),
    database_rule(
        id="tablespaces",
        title="No tablespaces of its own",
        look=tablespaces,
        expected="everything in the default tablespace",
        remedy="Nothing has to be done when one disk is enough; else create tablespaces on the target and move the "
        "relations afterwards: ALTER TABLE ... SET TABLESPACE ...;",
        documentation="https://www.postgresql.org/docs/current/manage-ag-tablespaces.html",
        clean="everything is in the default tablespace",
    ),
    database_rule(
        id="unlogged-tables",
        title="Unlogged tables",
        look=unlogged,
        expected="nothing in particular",
        remedy="ALTER TABLE ... SET LOGGED on the source when the table should survive a crash.",
        documentation="https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-UNLOGGED",
        modes=OFFLINE,
    ),
    database_rule(
        id="invalid-indexes",
        title="No invalid index",
        look=invalid_indexes,
        expected="indexes that were built to the end",
        remedy="REINDEX INDEX or DROP INDEX on the source.",
        documentation="https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY",
        clean="every index is valid",
    ),
    database_rule(
        id="not-valid-constraints",
        who=APPLICATION,
        title="No constraint that was not validated",
        look=not_validated,
        expected="constraints that hold for every row",
        remedy="ALTER TABLE ... VALIDATE CONSTRAINT on the source.",
        documentation="https://www.postgresql.org/docs/current/sql-altertable.html",
        clean="every constraint is validated",
    ),
    database_rule(
        id="security-labels",
        title="No security labels",
        look=security_labels,
        expected="no security labels, or their provider loaded on the target",
        remedy="Load the provider on the target (shared_preload_libraries) and set the labels there.",
        documentation="https://www.postgresql.org/docs/current/sql-security-label.html",
        clean="no security labels",
    ),
    database_rule(
        id="sequences-near-end",
        who=APPLICATION,
        title="No sequence is about to run out",
        look=sequences,
        expected="sequences below 90 % of their maximum",
        remedy="ALTER SEQUENCE ... AS bigint MAXVALUE ...; and widen the column that it feeds.",
        documentation="https://www.postgresql.org/docs/current/sql-altersequence.html",
        clean="every sequence that can be read is below 90 % of its maximum",
    ),
)
