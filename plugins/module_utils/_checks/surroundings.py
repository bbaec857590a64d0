# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: what else goes on at the source's server, beside the databases that are to be moved?"""

from __future__ import annotations

from .._core.units import count_of, human_bytes, human_seconds
from .._postgres.quoting import quote_identifier, quote_literal
from .activity import LONG_SECONDS, PREPARED, all_transactions, name_of, sees_all
from .catalogue import EXTENSIONS
from .context import SOURCE, Context
from .rule import APPLICATION, AZURE, ONLINE, Rule, blind, listed, violated

# Flexible server has at most so many read replicas.
SERVICE_REPLICAS = 5
# Extensions whose workers change data by themselves.
JOBS = ("pg_cron", "pg_partman", "timescaledb", "pgagent", "pg_timetable")
# What pgcopydb, Azure's service (which runs it) and this collection leave behind when they are broken off.
TRACES = "^(pgcopydb|azpg)"


def idle_slots(context: Context):
    """No replication slot keeps the log for nobody."""
    if context.major(SOURCE) >= 10:
        current, received, difference = "pg_current_wal_lsn", "pg_last_wal_receive_lsn", "pg_wal_lsn_diff"
    else:
        current, received, difference = (
            "pg_current_xlog_location", "pg_last_xlog_receive_location", "pg_xlog_location_diff",
        )  # fmt: skip
    position = received if context.identity(SOURCE)["in_recovery"] else current
    kept = f"pg_catalog.{difference}(pg_catalog.{position}(), s.restart_lsn)::bigint"
    rows = context.server(SOURCE).rows(
        f"SELECT s.slot_name::text AS name, s.slot_type::text AS type, s.database::text AS database, {kept} AS bytes"
        " FROM pg_catalog.pg_replication_slots s WHERE NOT s.active ORDER BY 1"
    )
    if rows:
        names = listed(
            f"{row['name']} ({row['type']}{' of ' + row['database'] if row['database'] else ''}, keeps {human_bytes(row['bytes'])})"
            for row in rows
        )
        drops = " ".join(f"SELECT pg_drop_replication_slot({quote_literal(row['name'])});" for row in rows[:20])
        yield violated(
            context.address(SOURCE),
            f"{count_of(len(rows), 'replication slot')} that nobody reads: {names}; the log behind it fills the disk",
            remedy=f"If nobody is going to come back for it, on the source: {drops}",
        )


def other_transactions(context: Context):
    """No open transaction elsewhere on the server keeps a slot from being made."""
    wanted = set(context.request.databases)
    rows = [row for row in all_transactions(context) if row["database"] not in wanted and row["has_written"]]
    long = [row for row in rows if (row["seconds"] or 0) > LONG_SECONDS]
    hidden = [row for row in rows if not row["visible"]]
    others = [name for name in context.databases(SOURCE) if name not in wanted]
    prepared = context.server(SOURCE).rows(PREPARED, (others,))
    if long or prepared:
        names = [f"{name_of(row)}, open for {human_seconds(row['seconds'])}" for row in long]
        names += [f"prepared transaction {row['gid']} of {row['owner']} in {row['database']}" for row in prepared]
        ends = [f"SELECT pg_terminate_backend({row['pid']});" for row in long[:20]]
        ends += [f"ROLLBACK PREPARED {quote_literal(row['gid'])}; (in {row['database']})" for row in prepared[:20]]
        yield violated(
            context.address(SOURCE),
            f"writing transactions in other databases: {listed(names)}; a slot is made only when they have ended",
            remedy=f"Let them end, or end them: {' '.join(ends)}",
        )
    elif hidden and not sees_all(context):
        yield blind(
            context.address(SOURCE),
            f"when the writing transactions of {count_of(len(hidden), 'session')} in other databases began is hidden from user "
            f"{context.user(SOURCE)}",
            remedy=f"GRANT pg_read_all_stats TO {quote_identifier(context.user(SOURCE))};",
        )


def replicas(context: Context):
    """The target can have as many read replicas as the source has."""
    number = context.server(SOURCE).value("SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication")
    if number > SERVICE_REPLICAS:
        yield violated(context.address(SOURCE), f"{count_of(number, 'replica')} follow the source")


def scheduled_jobs(context: Context, database: str):
    """No extension works on the data by itself while they are copied."""
    names = [row["name"] for row in context.cached_rows(SOURCE, database, EXTENSIONS) if row["name"] in JOBS]
    if names:
        yield violated(
            database,
            f"{listed(names)} may run jobs while the data is copied, and run them again on the target from the first moment",
            remedy="Before the copy, on the source: UPDATE cron.job SET active = false; for pg_partman stop its background worker or "
            "the calls of run_maintenance; afterwards switch them on again where they are to run.",
        )


def earlier_attempts(context: Context, database: str):
    """Nothing is left of a migration that was broken off."""
    found = [
        f"schema {row['name']}"
        for row in context.rows(
            SOURCE,
            database,
            "SELECT n.nspname::text AS name FROM pg_catalog.pg_namespace n WHERE n.nspname ~ %s ORDER BY 1",
            (TRACES,),
        )
    ]
    drops = [f"DROP SCHEMA {quote_identifier(name[7:])} CASCADE;" for name in found]
    if context.major(SOURCE) >= 10:
        rows = context.rows(
            SOURCE,
            database,
            "SELECT p.pubname::text AS name FROM pg_catalog.pg_publication p WHERE p.pubname ~ %s ORDER BY 1",
            (TRACES,),
        )
        found += [f"publication {row['name']}" for row in rows]
        drops += [f"DROP PUBLICATION {quote_identifier(row['name'])};" for row in rows]
    if found:
        yield violated(
            database,
            f"left by an earlier migration: {listed(found)}",
            remedy=f"If no migration of this database is running, in the source's database {database}: {' '.join(drops)}",
        )


SLOTS = "https://www.postgresql.org/docs/current/logicaldecoding-explanation.html#LOGICALDECODING-REPLICATION-SLOTS"

RULES = (
    Rule(
        id="idle-slots",
        title="No replication slot keeps the log for nobody",
        level="server",
        side=SOURCE,
        look=idle_slots,
        expected="slots that somebody reads",
        remedy="SELECT pg_drop_replication_slot(...) on the source.",
        documentation=SLOTS,
        clean="every replication slot is read by somebody",
        severity="warning",
        needs=("source-reachable",),
    ),
    Rule(
        id="other-databases-transactions",
        who=APPLICATION,
        title="No open transaction keeps a slot from being made",
        level="server",
        side=SOURCE,
        look=other_transactions,
        expected=f"no writing transaction older than {LONG_SECONDS // 60} minutes anywhere on the server, and no prepared one",
        remedy="Let them end, or end them with pg_terminate_backend or ROLLBACK PREPARED.",
        documentation=SLOTS,
        clean="no long writing transaction in other databases",
        severity="warning",
        modes=ONLINE,
        needs=("source-reachable",),
    ),
    Rule(
        id="source-replicas",
        title="The target can have as many replicas as the source",
        level="server",
        side=SOURCE,
        look=replicas,
        expected=f"at most {SERVICE_REPLICAS} replicas, which is what flexible server can have",
        remedy="Plan for fewer read replicas on the target, or for replicas of replicas; they are made anew after the migration.",
        documentation="https://learn.microsoft.com/azure/postgresql/flexible-server/concepts-read-replicas",
        clean=f"at most {SERVICE_REPLICAS} replicas",
        severity="warning",
        providers=AZURE,
        needs=("source-reachable",),
    ),
    Rule(
        id="scheduled-jobs",
        title="No job changes the data by itself",
        level="database",
        side=SOURCE,
        look=scheduled_jobs,
        expected="no extension that runs jobs, or jobs that are switched off",
        remedy="Switch the jobs off while the migration lasts.",
        documentation="https://learn.microsoft.com/azure/postgresql/migrate/migration-service/concepts-migration-extensions",
        clean="no extension that runs jobs",
        severity="warning",
        needs=("source-database-reachable",),
        each_database=True,
    ),
    Rule(
        id="earlier-attempts",
        title="Nothing is left of an earlier migration",
        level="database",
        side=SOURCE,
        look=earlier_attempts,
        expected="no schema and no publication of pgcopydb or of this collection",
        remedy="Drop what is left.",
        documentation="https://learn.microsoft.com/azure/postgresql/migrate/migration-service/concepts-known-issues-migration-service",
        clean="nothing is left of an earlier migration",
        severity="warning",
        needs=("source-database-reachable",),
        each_database=True,
    ),
)
