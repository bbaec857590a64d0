# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: what goes on at the source while the migration wants to start?"""

from __future__ import annotations

from .._core.units import count_of, human_seconds
from .._postgres.quoting import quote_identifier, quote_literal
from .context import SOURCE, Context
from .rule import APPLICATION, OFFLINE, Rule, blind, listed, violated

LONG_SECONDS = 300

# Without pg_read_all_stats the start of other users' transactions is hidden; that they have written is not.
TRANSACTIONS = """
SELECT a.pid, a.datname::text AS database, a.usename::text AS user_name, a.application_name AS application,
       EXTRACT(epoch FROM pg_catalog.now() - a.xact_start)::float8 AS seconds,
       a.backend_xid IS NOT NULL AS has_written,
       pg_catalog.pg_has_role(a.usesysid, 'USAGE') AS visible
FROM pg_catalog.pg_stat_activity a
WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.usesysid IS NOT NULL AND a.application_name !~ '^azpg.migrate '
ORDER BY a.pid
"""

PREPARED = """
SELECT p.gid, p.database::text AS database, p.owner::text AS owner,
       EXTRACT(epoch FROM pg_catalog.now() - p.prepared)::float8 AS seconds
FROM pg_catalog.pg_prepared_xacts p WHERE p.database = ANY (%s) ORDER BY p.prepared
"""


def all_transactions(context: Context) -> list:
    """Return the sessions of the whole server, ours left out."""
    return context.cached(("activity", SOURCE), lambda: context.server(SOURCE).rows(TRANSACTIONS))


def transactions(context: Context) -> list:
    """Return the sessions of the databases to be moved, ours left out."""
    return [row for row in all_transactions(context) if row["database"] in context.request.databases]


def sees_all(context: Context) -> bool:
    """Tell whether the user sees what other users' sessions do."""
    if context.is_superuser(SOURCE):
        return True
    return bool(context.roles(SOURCE).get("pg_read_all_stats", {}).get("member"))


def name_of(row: dict) -> str:
    """Return a session as people tell it from others."""
    application = f" ({row['application']})" if row["application"] else ""
    return f"{row['user_name']}{application} in {row['database']}, pid {row['pid']}"


def other_sessions(context: Context):
    """The application is stopped: nobody else is connected to the databases."""
    rows = transactions(context)
    if not rows:
        return
    groups: dict = {}
    for row in rows:
        key = (row["database"], row["user_name"], row["application"])
        number, written = groups.get(key, (0, 0))
        groups[key] = (number + 1, written + row["has_written"])
    names = [
        f"{count_of(number, 'session')} of {user}{f' ({application})' if application else ''} in {database}"
        + (f", {written} with uncommitted writes" if written else "")
        for (database, user, application), (number, written) in sorted(groups.items(), key=lambda item: str(item[0]))
    ]
    databases = sorted({row["database"] for row in rows})
    fences = " ".join(
        f"ALTER DATABASE {quote_identifier(database)} SET default_transaction_read_only = on;" for database in databases
    )
    names_list = ", ".join(quote_literal(database) for database in databases)
    yield violated(
        context.address(SOURCE),
        f"the application is not stopped: {listed(names)}; what they write after the snapshot does not arrive",
        remedy=f"Stop the application. To fence the source: {fences} SELECT pg_terminate_backend(pid) FROM "
        f"pg_stat_activity WHERE datname IN ({names_list}) AND pid <> pg_backend_pid();",
    )


def long_transactions(context: Context):
    """No transaction has been open for minutes."""
    rows = transactions(context)
    long = [row for row in rows if (row["seconds"] or 0) > LONG_SECONDS]
    hidden = [row for row in rows if not row["visible"]]
    if long:
        names = listed(f"{name_of(row)}, open for {human_seconds(row['seconds'])}" for row in long)
        ends = " ".join(f"SELECT pg_terminate_backend({row['pid']});" for row in long[:20])
        yield violated(context.address(SOURCE), names, remedy=f"Let them end, or end them: {ends}")
    elif hidden and not sees_all(context):
        yield blind(
            context.address(SOURCE),
            f"when the transactions of {count_of(len(hidden), 'session')} began is hidden from user {context.user(SOURCE)}",
            remedy=f"GRANT pg_read_all_stats TO {quote_identifier(context.user(SOURCE))};",
        )


def prepared(context: Context):
    """No transaction waits for its second phase."""
    rows = context.server(SOURCE).rows(PREPARED, (list(context.request.databases),))
    if rows:
        names = listed(
            f"{row['gid']} of {row['owner']} in {row['database']}, {human_seconds(row['seconds'])} old" for row in rows
        )
        ends = " ".join(f"ROLLBACK PREPARED {quote_literal(row['gid'])};" for row in rows[:20])
        yield violated(
            context.address(SOURCE),
            f"{count_of(len(rows), 'prepared transaction')}: {names}; its rows are in no snapshot, its locks are held",
            remedy=f"Ask the owner, then in the database in question COMMIT PREPARED, or {ends}",
        )


def subscriptions(context: Context, database: str):
    """Nothing is replicated into the database from elsewhere."""
    if context.major(SOURCE) < 10:
        return
    names = [
        row["name"]
        for row in context.rows(
            SOURCE,
            database,
            "SELECT s.subname::text AS name FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d"
            " ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database() AND s.subenabled ORDER BY 1",
        )
    ]
    if names:
        disables = " ".join(f"ALTER SUBSCRIPTION {quote_identifier(name)} DISABLE;" for name in names)
        yield violated(
            database,
            f"{count_of(len(names), 'subscription')} write into the database: {listed(names)}; they are not moved",
            remedy=f"In the source's database {database}, before the copy: {disables} Set them up on the target afterwards.",
        )


def publications(context: Context, database: str):
    """Nobody replicates from the database."""
    if context.major(SOURCE) < 10:
        return
    names = [
        row["name"]
        for row in context.rows(
            SOURCE, database, "SELECT p.pubname::text AS name FROM pg_catalog.pg_publication p ORDER BY 1"
        )
    ]
    if names:
        yield violated(
            database, f"{count_of(len(names), 'publication')}: {listed(names)}; subscribers keep following the source"
        )


RULES = (
    Rule(
        id="source-quiet",
        who=APPLICATION,
        title="The application is stopped",
        level="server",
        side=SOURCE,
        look=other_sessions,
        expected="no session of others in the databases to be moved",
        remedy="Stop the application before the copy starts.",
        documentation="https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW",
        clean="no session of others in the databases",
        severity="warning",
        modes=OFFLINE,
        needs=("source-reachable",),
    ),
    Rule(
        id="source-long-transactions",
        who=APPLICATION,
        title="No transaction has been open for long",
        level="server",
        side=SOURCE,
        look=long_transactions,
        expected=f"no transaction older than {LONG_SECONDS // 60} minutes",
        remedy="Let long transactions end, or end them with pg_terminate_backend.",
        documentation="https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW",
        clean="no long transaction in the databases",
        severity="warning",
        needs=("source-reachable",),
    ),
    Rule(
        id="source-prepared-transactions",
        who=APPLICATION,
        title="No prepared transaction is open",
        level="server",
        side=SOURCE,
        look=prepared,
        expected="no prepared transaction in the databases to be moved",
        remedy="COMMIT PREPARED or ROLLBACK PREPARED on the source.",
        documentation="https://www.postgresql.org/docs/current/sql-prepare-transaction.html",
        clean="no prepared transaction",
        needs=("source-reachable",),
    ),
    Rule(
        id="source-subscriptions",
        title="No subscription writes into the database",
        level="database",
        side=SOURCE,
        look=subscriptions,
        expected="no enabled subscription",
        remedy="ALTER SUBSCRIPTION ... DISABLE on the source before the copy.",
        documentation="https://www.postgresql.org/docs/current/sql-altersubscription.html",
        clean="no enabled subscription",
        severity="warning",
        needs=("source-database-reachable",),
        each_database=True,
    ),
    Rule(
        id="source-publications",
        who=APPLICATION,
        title="Nobody subscribes to the database",
        level="database",
        side=SOURCE,
        look=publications,
        expected="no publication",
        remedy="Point the subscribers at the target after the migration; DROP PUBLICATION what nobody follows.",
        documentation="https://www.postgresql.org/docs/current/logical-replication-publication.html",
        clean="no publication",
        severity="warning",
        needs=("source-database-reachable",),
        each_database=True,
    ),
)
