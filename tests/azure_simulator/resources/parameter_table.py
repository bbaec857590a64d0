# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server parameters that a flexible server has without a real server behind it, and those that only Azure has.

Defaults are those of version 17 on a small server, from Microsoft's pages on server parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass
class Parameter:
    """One server parameter: `kind` is Boolean, Integer, Numeric, Enumeration, String or Set; `allowed` as Azure says it."""

    name: str
    kind: str
    default: str
    allowed: str
    dynamic: bool = True
    read_only: bool = False
    unit: str = ""
    description: str = ""
    value: str | None = None
    pending: bool = False
    overridden: bool = False

    def copy(self) -> Parameter:
        return replace(self)


def _whole(name: str, default: int, least: int, most: int, *, static: bool = False, unit: str = "") -> Parameter:
    return Parameter(name, "Integer", str(default), f"{least}-{most}", not static, unit=unit)


def _switch(name: str, default: str, *, static: bool = False, read_only: bool = False) -> Parameter:
    return Parameter(name, "Boolean", default, "on,off", not static, read_only)


#: Those of PostgreSQL that a migration looks at or changes.
POSTGRESQL = [
    _switch("autovacuum", "on"),
    _whole("maintenance_work_mem", 99328, 1024, 2097151, unit="kB"),
    _whole("max_wal_size", 12288, 32, 65536, unit="MB"),
    _whole("min_wal_size", 80, 32, 2147483647, unit="MB"),
    _whole("checkpoint_timeout", 600, 30, 86400, unit="s"),
    Parameter("checkpoint_completion_target", "Numeric", "0.9", "0-1"),
    Parameter("wal_compression", "Enumeration", "on", "pglz,lz4,zstd,on,off"),
    _whole("max_parallel_workers", 8, 0, 1024),
    _whole("max_parallel_workers_per_gather", 2, 0, 1024),
    _whole("max_parallel_maintenance_workers", 2, 0, 64),
    _whole("work_mem", 4096, 4096, 2097151, unit="kB"),
    _whole("max_connections", 859, 25, 5000, static=True),
    _whole("max_replication_slots", 10, 2, 262143, static=True),
    _whole("max_wal_senders", 10, 5, 100, static=True),
    _whole("max_worker_processes", 8, 0, 262143, static=True),
    _whole("max_locks_per_transaction", 64, 10, 8388608, static=True),
    _whole("max_prepared_transactions", 0, 0, 262143, static=True),
    _whole("shared_buffers", 262144, 16, 1073741823, static=True, unit="8kB"),
    _whole("idle_in_transaction_session_timeout", 0, 0, 2147483647, unit="ms"),
    _whole("statement_timeout", 0, 0, 2147483647, unit="ms"),
    _whole("lock_timeout", 0, 0, 2147483647, unit="ms"),
    _whole("tcp_keepalives_idle", 120, 0, 2147483647, unit="s"),
    _whole("tcp_keepalives_interval", 30, 0, 2147483647, unit="s"),
    _whole("tcp_keepalives_count", 9, 0, 2147483647),
    _whole("wal_sender_timeout", 60000, 0, 2147483647, unit="ms"),
    _whole("log_min_duration_statement", -1, -1, 2147483647, unit="ms"),
    Parameter("log_statement", "Enumeration", "none", "none,ddl,mod,all"),
    Parameter("wal_level", "Enumeration", "replica", "replica,logical", dynamic=False),
    Parameter("synchronous_commit", "Enumeration", "on", "local,remote_write,remote_apply,on,off", read_only=True),
    _switch("fsync", "on", read_only=True),
    _switch("full_page_writes", "on", read_only=True),
    _switch("default_transaction_read_only", "off"),
    _switch("row_security", "on"),
    Parameter("TimeZone", "String", "UTC", "[A-Za-z0-9/+_-]+"),
    Parameter("server_encoding", "String", "UTF8", "UTF8", read_only=True),
]

PRELOADED = (
    "age,anon,auto_explain,azure_storage,credcheck,pg_cron,pg_duckdb,pg_failover_slots,pg_hint_plan,pg_partman_bgw,"
    "pg_prewarm,pg_squeeze,pg_stat_statements,pgaudit,pglogical,timescaledb,wal2json"
)
EXTENSIONS = (
    "address_standardizer,address_standardizer_data_us,amcheck,azure_ai,azure_storage,bloom,btree_gin,btree_gist,citext,cube,"
    "dblink,dict_int,dict_xsyn,earthdistance,fuzzystrmatch,hll,hstore,hypopg,intagg,intarray,ip4r,isn,lo,ltree,oracle_fdw,"
    "orafce,pageinspect,pg_buffercache,pg_cron,pg_diskann,pg_freespacemap,pg_hint_plan,pg_partman,pg_prewarm,pg_repack,"
    "pg_squeeze,pg_stat_statements,pg_trgm,pg_visibility,pgaudit,pgcrypto,pglogical,pgrouting,pgrowlocks,pgstattuple,plpgsql,"
    "plv8,postgis,postgis_raster,postgis_sfcgal,postgis_tiger_geocoder,postgis_topology,postgres_fdw,semver,"
    "session_variable,sslinfo,tablefunc,tdigest,timescaledb,topn,tsm_system_rows,tsm_system_time,unaccent,uuid-ossp,vector"
)

#: Those that only Azure has; they are kept in memory even where a real server is behind.
AZURE = [
    Parameter("azure.extensions", "Set", "", EXTENSIONS),
    Parameter("azure.accepted_password_auth_method", "Set", "md5,scram-sha-256", "md5,scram-sha-256"),
    _switch("azure.migration_copy_with_binary", "off"),
    _whole("azure.migration_table_split_size", 20480, 1, 204800),
    _switch("azure.migration_skip_large_objects", "off"),
    _switch("azure.migration_skip_extensions", "off"),
    _switch("azure.migration_skip_analyze", "off"),
    _switch("azure.migration_skip_role_user", "on", read_only=True),
    _switch("azure.single_to_flex_migration", "off", read_only=True),
    _switch("azure.enable_temp_tablespaces_on_local_ssd", "on", static=True),
    Parameter("azure.mirror_databases", "String", "", ".*"),
    _switch("azure.fabric_mirror_enabled", "off"),
    Parameter("pg_qs.query_capture_mode", "Enumeration", "none", "top,all,none"),
]
#: Of PostgreSQL, but with Azure's values: what real servers here could load differs.
PRELOAD = Parameter("shared_preload_libraries", "Set", "pg_cron,pg_stat_statements", PRELOADED, dynamic=False)
#: What Azure lets nobody change.
READ_ONLY = {
    "fsync", "full_page_writes", "synchronous_commit", "server_encoding", "data_directory", "hba_file", "ident_file",
    "config_file", "port", "listen_addresses", "ssl", "ssl_cert_file", "ssl_key_file", "unix_socket_directories",
}  # fmt: skip
