# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: is the source ready to hand out its changes (online mode)?"""

from __future__ import annotations

from .._postgres.quoting import quote_identifier
from .catalogue import USER_SCHEMA, not_of_extension
from .context import SOURCE, Context
from .rule import ONLINE, Rule, count_of, fine, listed, violated

SETTINGS = """
SELECT pg_catalog.current_setting('wal_level') AS wal_level,
       pg_catalog.current_setting('max_replication_slots')::int AS slots,
       pg_catalog.current_setting('max_wal_senders')::int AS senders,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots) AS slots_used,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication) AS senders_used
"""

NO_IDENTITY = f"""
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND {USER_SCHEMA} AND {not_of_extension("pg_class", "c.oid")}
AND NOT (c.relreplident = 'f'
  OR (c.relreplident = 'd' AND EXISTS (SELECT 1 FROM pg_catalog.pg_index i
       WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate AND i.indisvalid))
  OR (c.relreplident = 'i' AND EXISTS (SELECT 1 FROM pg_catalog.pg_index i
       WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid)))
ORDER BY 1
"""

MANAGED = (
    "on RDS and Aurora rds.logical_replication = 1, on Cloud SQL cloudsql.logical_decoding = on, on AlloyDB "
    "alloydb.logical_decoding = on"
)


def settings(context: Context) -> dict:
    """Return the source's settings and use of slots and senders."""
    return context.cached("replication settings", lambda: context.server(SOURCE).rows(SETTINGS)[0])


def wal_level(context: Context):
    """The log holds what logical decoding needs."""
    level = settings(context)["wal_level"]
    found = f"wal_level = {level}"
    yield fine(context.address(SOURCE), found) if level == "logical" else violated(context.address(SOURCE), found)


def slots(context: Context):
    """There is a free replication slot per database."""
    row = settings(context)
    needed = len(context.request.databases)
    free = row["slots"] - row["slots_used"]
    found = f"{free} of {row['slots']} slots free"
    expected = f"{count_of(needed, 'free slot')}, one per database"
    if free >= needed:
        yield fine(context.address(SOURCE), found, expected=expected)
        return
    yield violated(
        context.address(SOURCE),
        found,
        expected=expected,
        remedy=f"On the source: ALTER SYSTEM SET max_replication_slots = {row['slots_used'] + needed + 1}; and restart "
        "it, or drop what nobody reads: SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT "
        "active;",
    )


def senders(context: Context):
    """There is a free WAL sender per database, and no fewer senders than slots."""
    row = settings(context)
    needed = len(context.request.databases)
    free = row["senders"] - row["senders_used"]
    found = f"{free} of {row['senders']} senders free, max_replication_slots = {row['slots']}"
    if free >= needed and row["senders"] >= row["slots"]:
        yield fine(context.address(SOURCE), found)
        return
    wanted = max(row["slots"], row["senders_used"] + needed)
    yield violated(
        context.address(SOURCE),
        found,
        remedy=f"On the source: ALTER SYSTEM SET max_wal_senders = {wanted}; and restart it.",
    )


def replication_right(context: Context):
    """The user may open a replication connection."""
    identity = context.identity(SOURCE)
    user = context.user(SOURCE)
    managed = context.roles(SOURCE).get("rds_replication", {})
    if identity["superuser"] or identity["replication"] or managed.get("member"):
        yield fine(context.address(SOURCE), f"user {user} may replicate")
        return
    grant = "GRANT rds_replication TO" if managed else "ALTER ROLE"
    yield violated(
        context.address(SOURCE),
        f"user {user} has no REPLICATION",
        remedy=f"On the source: {grant} {quote_identifier(user)}{'' if managed else ' REPLICATION'};",
    )


def kept_log(context: Context):
    """A slot is not thrown away because the base copy takes long."""
    if context.major(SOURCE) < 13:
        return
    kept = context.server(SOURCE).value("SELECT pg_catalog.current_setting('max_slot_wal_keep_size')")
    if kept != "-1":
        yield violated(context.address(SOURCE), f"max_slot_wal_keep_size = {kept}")


def replica_identity(context: Context, database: str):
    """Every table has a key by which changed rows are found again."""
    names = [row["name"] for row in context.rows(SOURCE, database, NO_IDENTITY)]
    if names:
        alter = " ".join(f"ALTER TABLE {name} REPLICA IDENTITY FULL;" for name in names[:20])
        yield violated(
            database,
            f"{count_of(len(names), 'table')} without replica identity: {listed(names)}",
            remedy=f"Add a primary key, or in the source's database {database}: ALTER TABLE ... REPLICA IDENTITY USING "
            f"INDEX ...; or, slower: {alter}",
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
        yield violated(database, f"{' and '.join(parts)}: changes after the base copy do not arrive")


def server_rule(**words) -> Rule:
    """Return a rule about the source's server in online mode."""
    return Rule(level="server", side=SOURCE, modes=ONLINE, needs=("source-reachable",), **words)


def database_rule(**words) -> Rule:
    """Return a rule about a source database in online mode."""
    return Rule(side=SOURCE, modes=ONLINE, needs=("source-database-reachable",), each_database=True, **words)


CONFIGURATION = "https://www.postgresql.org/docs/current/runtime-config-replication.html"

RULES = (
    server_rule(
        id="wal-level",
        title="The source's log can be decoded",
        look=wal_level,
        expected="wal_level = logical",
        remedy=f"On the source: ALTER SYSTEM SET wal_level = logical; and restart it ({MANAGED}).",
        documentation="https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-WAL-LEVEL",
        code="603107",
    ),
    server_rule(
        id="replication-slots",
        title="The source has free replication slots",
        look=slots,
        expected="one free slot per database",
        remedy="Raise max_replication_slots on the source and restart it.",
        documentation=CONFIGURATION,
        code="603105",
    ),
    server_rule(
        id="wal-senders",
        title="The source has free WAL senders",
        look=senders,
        expected="one free sender per database, and max_wal_senders not below max_replication_slots",
        remedy="Raise max_wal_senders on the source and restart it.",
        documentation=CONFIGURATION,
        code="603106",
    ),
    server_rule(
        id="replication-attribute",
        title="The source's user may replicate",
        look=replication_right,
        expected="the REPLICATION attribute, or rds_replication",
        remedy="ALTER ROLE ... REPLICATION on the source.",
        documentation="https://www.postgresql.org/docs/current/role-attributes.html",
        code="603104",
    ),
    server_rule(
        id="slot-wal-limit",
        title="A slot keeps the log as long as it is needed",
        look=kept_log,
        expected="max_slot_wal_keep_size = -1, or more than the log of the whole migration",
        remedy="On the source: ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf();",
        documentation=CONFIGURATION,
        clean="a slot keeps the log without limit",
        severity="warning",
    ),
    database_rule(
        id="replica-identity",
        title="Every table has a replica identity",
        level="table",
        look=replica_identity,
        expected="a primary key, or a replica identity by index or FULL",
        remedy="Add a primary key, or ALTER TABLE ... REPLICA IDENTITY USING INDEX or FULL on the source.",
        documentation="https://www.postgresql.org/docs/current/logical-replication-publication.html",
        clean="every table has a replica identity",
    ),
    database_rule(
        id="not-streamed",
        title="Nothing changes without a trace in the log",
        level="database",
        look=not_streamed,
        expected="no unlogged tables and no large objects",
        remedy="ALTER TABLE ... SET LOGGED on the source; leave large objects alone until cutover, or migrate offline.",
        documentation="https://www.postgresql.org/docs/current/logical-replication-restrictions.html",
        clean="no unlogged table and no large object",
        severity="warning",
    ),
)
