# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: what of a source database reaches the target as a change (online mode)?"""

from __future__ import annotations

from .._core.units import count_of
from .._postgres.quoting import qualified, quote_identifier
from .catalogue import EXTENSIONS, USER_SCHEMA, not_of_extension
from .context import SOURCE, Context
from .rule import APPLICATION, AZURE, NAMED, ONLINE, OPERATOR, Rule, listed, violated

NO_IDENTITY = f"""
SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
       (SELECT pg_catalog.min(x.relname::text) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
         WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
         AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (
           SELECT 1 FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[]) AND NOT a.attnotnull)) AS usable_index,
       pg_catalog.pg_stat_get_tuples_updated(c.oid) + pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS changes
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND {USER_SCHEMA} AND {not_of_extension("pg_class", "c.oid")}
AND NOT (c.relreplident = 'f'
  OR (c.relreplident = 'd' AND EXISTS (SELECT 1 FROM pg_catalog.pg_index i
       WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate AND i.indisvalid))
  OR (c.relreplident = 'i' AND EXISTS (SELECT 1 FROM pg_catalog.pg_index i
       WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid)))
ORDER BY changes DESC, 2
"""

OTHER_OWNERS = f"""
SELECT pg_catalog.pg_get_userbyid(c.relowner)::text AS owner, pg_catalog.count(*) AS number
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND {USER_SCHEMA} AND {not_of_extension("pg_class", "c.oid")}
AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE') GROUP BY 1 ORDER BY 1
"""

ALWAYS = f"""
SELECT pg_catalog.format('trigger %I of %I.%I', t.tgname, n.nspname, c.relname) AS name
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE t.tgenabled IN ('A', 'R') AND NOT t.tgisinternal AND {USER_SCHEMA}
UNION ALL
SELECT pg_catalog.format('rule %I of %I.%I', r.rulename, n.nspname, c.relname)
FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE r.ev_enabled IN ('A', 'R') AND {USER_SCHEMA}
ORDER BY 1
"""


def replica_identity(context: Context, database: str):
    """Every table has a key by which changed rows are found again."""
    rows = context.rows(SOURCE, database, NO_IDENTITY)
    if not rows:
        return
    names = [f"{row['name']} ({row['changes']} changes so far)" if row["changes"] else row["name"] for row in rows]
    ways = []
    for row in rows[:NAMED]:
        index = row["usable_index"]
        identity = f"USING INDEX {quote_identifier(index)}" if index else "FULL"
        ways.append(f"ALTER TABLE {row['name']} REPLICA IDENTITY {identity};")
    consequence = (
        "their updates and deletes are lost, or fail in the application"
        if context.by_service
        else "the application could not update or delete there"
    )
    yield violated(
        database,
        f"{count_of(len(rows), 'table')} without replica identity: {listed(names)}; {consequence}",
        remedy=f"Add a primary key; or in the source's database {database}: {' '.join(ways)} (FULL is slow for large tables; take "
        "it back after the cutover); or migrate offline.",
    )


def publishable(context: Context, database: str):
    """The user may publish every table: CREATE on the database, and the rights of every table's owner."""
    if context.is_superuser(SOURCE):
        return
    user = quote_identifier(context.user(SOURCE))
    missing, grants = [], []
    if not context.databases(SOURCE)[database]["can_create"]:
        missing.append("has no CREATE on the database")
        grants.append(f"GRANT CREATE ON DATABASE {quote_identifier(database)} TO {user};")
    owners = context.rows(SOURCE, database, OTHER_OWNERS)
    if owners:
        named = listed(f"{row['owner']} ({count_of(row['number'], 'table')})" for row in owners)
        missing.append(f"is no member of the owners {named}")
        grants.append(f"GRANT {', '.join(quote_identifier(row['owner']) for row in owners)} TO {user};")
    if missing:
        yield violated(
            database,
            f"user {context.user(SOURCE)} {' and '.join(missing)}",
            remedy=f"On the source: {' '.join(grants)}",
            severity="warning" if context.by_service else "",
        )


def not_streamed(context: Context, database: str):
    """Unlogged tables and large objects change without a trace in the log."""
    unlogged = [
        relation["name"]
        for relation in context.relations(database)
        if relation["persistence"] == "u" and relation["kind"] in "rp"
    ]
    objects = context.session(SOURCE, database).value(
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata"
    )
    parts = [f"{count_of(len(unlogged), 'unlogged table')} ({listed(unlogged)})"] if unlogged else []
    if objects:
        parts.append(count_of(objects, "large object"))
    if parts:
        fate = "changes after the base copy do not arrive"
        if context.request.provider == "host":
            fate = "they are compared at the cutover and copied again where they differ, while nobody may write"
        yield violated(database, f"{' and '.join(parts)}: {fate}")


def always_triggers(context: Context, database: str):
    """No trigger or rule fires for rows that replication brings."""
    names = [row["name"] for row in context.rows(SOURCE, database, ALWAYS)]
    if names:
        yield violated(
            database,
            f"{count_of(len(names), 'trigger or rule', 'triggers and rules')} that fire for replicated rows too: {listed(names)}; "
            "what they did on the source they do again on the target",
        )


def time_series(context: Context, database: str):
    """TimescaleDB's tables are moved offline only."""
    if any(row["name"] == "timescaledb" for row in context.cached_rows(SOURCE, database, EXTENSIONS)):
        yield violated(
            database, "the extension timescaledb is installed; its hypertables cannot be replicated logically"
        )


def materialized_views(context: Context, database: str):
    """What a refresh after the base copy changes does not arrive."""
    names = [
        qualified(relation["schema"], relation["name"])
        for relation in context.relations(database)
        if relation["kind"] == "m"
    ]
    if names:
        refresh = " ".join(f"REFRESH MATERIALIZED VIEW {name};" for name in names[:NAMED])
        yield violated(
            database,
            f"{count_of(len(names), 'materialized view')}: {listed(names)}; they keep the state of the base copy",
            remedy=f"After the cutover, in the target's database {database}: {refresh}",
        )


def database_rule(**words) -> Rule:
    """Return a rule about a source database in online mode."""
    return Rule(side=SOURCE, modes=ONLINE, needs=("source-database-reachable",), each_database=True, **words)


PUBLICATION = "https://www.postgresql.org/docs/current/logical-replication-publication.html"
RESTRICTIONS = "https://www.postgresql.org/docs/current/logical-replication-restrictions.html"

RULES = (
    database_rule(
        id="replica-identity",
        who=APPLICATION,
        title="Every table has a replica identity",
        level="table",
        look=replica_identity,
        expected="a primary key, or a replica identity by index or FULL",
        remedy="Add a primary key, or ALTER TABLE ... REPLICA IDENTITY USING INDEX or FULL on the source.",
        documentation=PUBLICATION,
        clean="every table has a replica identity",
    ),
    database_rule(
        id="publication-rights",
        title="The source's user may publish every table",
        level="database",
        look=publishable,
        expected="CREATE on the database, and membership in the owner of every table",
        remedy="GRANT CREATE ON DATABASE ..., and the owners' roles, to the source's user.",
        documentation="https://www.postgresql.org/docs/current/logical-replication-security.html",
        clean="the user may publish every table",
    ),
    database_rule(
        id="not-streamed",
        title="Nothing changes without a trace in the log",
        level="database",
        look=not_streamed,
        expected="no unlogged tables and no large objects",
        remedy="ALTER TABLE ... SET LOGGED on the source; leave large objects alone until cutover, or migrate offline.",
        documentation=RESTRICTIONS,
        clean="no unlogged table and no large object",
        severity="warning",
    ),
    database_rule(
        id="always-triggers",
        title="No trigger or rule fires for replicated rows",
        level="table",
        look=always_triggers,
        expected="triggers and rules that are enabled for the origin only",
        remedy="ALTER TABLE ... ENABLE TRIGGER ... (without ALWAYS or REPLICA) on the target until the cutover.",
        documentation="https://www.postgresql.org/docs/current/sql-altertable.html",
        clean="no trigger and no rule fires for replicated rows",
        severity="warning",
        providers=AZURE,  # the host provider creates triggers and rules at the cutover
    ),
    database_rule(
        id="timescaledb-online",
        who=OPERATOR,
        title="No table of TimescaleDB is to be replicated",
        level="database",
        look=time_series,
        expected="no extension timescaledb in online mode",
        remedy="Migrate this database with 'mode: offline'.",
        documentation="https://learn.microsoft.com/azure/postgresql/migrate/migration-service/concepts-migration-extensions",
        clean="no extension timescaledb",
    ),
    database_rule(
        id="service-materialized-views",
        title="No materialized view has to be refreshed after the cutover",
        level="database",
        look=materialized_views,
        expected="no materialized view, or a refresh after the cutover",
        remedy="REFRESH MATERIALIZED VIEW ... on the target after the cutover.",
        documentation=RESTRICTIONS,
        clean="no materialized view",
        severity="warning",
        providers=AZURE,
    ),
)
