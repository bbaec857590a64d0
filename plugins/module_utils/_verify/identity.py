# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a server is, and what proves that nothing was written to it since."""

from __future__ import annotations

from .._core.request import Endpoint
from .._postgres.connection import rows, value
from .._postgres.driver import psycopg2

COUNTED = (
    "SELECT format('%I.%I', n.nspname, c.relname) AS name, pg_stat_get_tuples_inserted(c.oid) AS ins, "
    "pg_stat_get_tuples_updated(c.oid) AS upd, pg_stat_get_tuples_deleted(c.oid) AS del, "
    "pg_relation_filenode(c.oid)::int8 AS node FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE (c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') "
    "OR c.oid = 'pg_catalog.pg_largeobject'::regclass"
)


def _try(connection, sql: str, parameters=None):
    """Return the first value of I(sql), or None when it may not be read; the connection is in autocommit mode."""
    try:
        return value(connection, sql, parameters)
    except psycopg2.Error:
        return None


def identity(connection, endpoint: Endpoint, databases) -> dict:
    """Return what tells this server from every other: C({system_identifier, timeline, version, host, address, databases}).

    I(connection) is in autocommit mode. C(databases) is C({name: {oid, encoding, collate}}) of those of I(databases)
    that exist. What the server does not tell is None, and a comparison with None fails.
    """
    found = rows(
        connection,
        "SELECT datname, oid::int8 AS oid, pg_encoding_to_char(encoding)::text AS encoding, datcollate AS collate "
        "FROM pg_database WHERE datname = ANY(%s::name[]) ORDER BY datname",
        (list(databases),),
    )
    return {
        "system_identifier": _try(connection, "SELECT system_identifier::text FROM pg_control_system()"),
        "timeline": _try(connection, "SELECT timeline_id FROM pg_control_checkpoint()"),
        "version": connection.server_version,
        "host": endpoint.address,
        "address": _try(connection, "SELECT host(inet_server_addr())"),
        "user": value(connection, "SELECT current_user::text"),
        "databases": {row.pop("datname"): row for row in found},
    }


def same_server(stored: dict | None, live: dict | None) -> bool:
    """Return whether two identities are of the same server and databases; what is missing counts as different.

    Where the server hides its system identifier, address and every database's identifier have to do.
    """
    if not stored or not live or not stored.get("databases") or stored.get("host") != live.get("host"):
        return False
    if stored.get("system_identifier") != live.get("system_identifier"):
        return False
    return all(
        item.get("oid") is not None and (live.get("databases") or {}).get(name, {}).get("oid") == item["oid"]
        for name, item in stored["databases"].items()
    )


def static_proof(connection) -> dict:
    """Return the server's write position: equal C(xmax) with an empty C(xip) later means that no row was written.

    C({xmax, xip, prepared, wal_lsn, postmaster_start, track_counts, in_recovery}); the connection is in autocommit
    mode. The position in the log is for information: it moves on an idle server too.
    """
    modern = connection.server_version >= 130000
    snapshot, prefix = (
        ("pg_current_snapshot()", "pg_snapshot") if modern else ("txid_current_snapshot()", "txid_snapshot")
    )
    recovery = value(connection, "SELECT pg_is_in_recovery()")
    if connection.server_version >= 100000:
        log = "pg_last_wal_replay_lsn()" if recovery else "pg_current_wal_insert_lsn()"
    else:
        log = "pg_last_xlog_replay_location()" if recovery else "pg_current_xlog_insert_location()"
    return rows(
        connection,
        f"SELECT {prefix}_xmax({snapshot})::text AS xmax, ARRAY(SELECT x::text FROM {prefix}_xip({snapshot}) x) AS xip, "
        f"(SELECT count(*) FROM pg_prepared_xacts) AS prepared, {log}::text AS wal_lsn, "
        "extract(epoch FROM pg_postmaster_start_time())::int8::text AS postmaster_start, "
        "current_setting('track_counts') AS track_counts, pg_is_in_recovery() AS in_recovery, "
        "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS taken_at",
    )[0]


def open_writers(connection, databases: list) -> list:
    """Return the sessions of others that have written in I(databases) and have not ended their transaction.

    The write position does not show the newest of them. Every user may see a session's transaction id; what it runs may
    be hidden. C([{pid, database, user}]), prepared transactions with their name as C(pid).
    """
    return rows(
        connection,
        "SELECT pid::text AS pid, datname::text AS database, COALESCE(usename, '')::text AS user FROM pg_stat_activity"
        " WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() AND datname = ANY (%s)"
        " UNION ALL SELECT gid, database::text, owner::text FROM pg_prepared_xacts WHERE database = ANY (%s) ORDER BY 1",
        (list(databases), list(databases)),
    )


def counters(connection) -> dict:
    """Return the statistics of the current database that move when rows are written.

    C({stats_reset, tuples: [inserted, updated, deleted], tables: {name: [inserted, updated, deleted, file]}}), all
    numbers as decimal strings. The file number is there because TRUNCATE moves no counter but gives a table a new file.
    """
    database = rows(
        connection,
        "SELECT extract(epoch FROM stats_reset)::int8::text AS stats_reset, tup_inserted, tup_updated, tup_deleted "
        "FROM pg_stat_database WHERE datname = current_database()",
    )[0]
    tables = rows(connection, COUNTED)
    return {
        "stats_reset": database["stats_reset"],
        "tuples": [str(database[key]) for key in ("tup_inserted", "tup_updated", "tup_deleted")],
        "tables": {row["name"]: [str(row[key]) for key in ("ins", "upd", "del", "node")] for row in tables},
    }


def counter_names(connection, keys: list) -> dict:
    """Return C({(schema, table): name}) with the names under which counters keep tables."""
    found = rows(
        connection,
        "SELECT s, t, pg_catalog.format('%%I.%%I', s, t) AS name FROM ROWS FROM "
        "(pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::text[])) x(s, t)",
        ([schema for schema, _name in keys], [name for _schema, name in keys]),
    )
    return {(row["s"], row["t"]): row["name"] for row in found}
