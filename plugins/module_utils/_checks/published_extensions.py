# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which extensions flexible server is published to have, and which must be loaded at its start (state of November 2025)."""

from __future__ import annotations

STATE = "November 2025"

# Extension: the library in shared_preload_libraries, where it must be before the extension works.
PRELOADED = {
    "age": "age",
    "anon": "anon",
    "azure_storage": "azure_storage",
    "credcheck": "credcheck",
    "pgaudit": "pgaudit",
    "pg_cron": "pg_cron",
    "pg_duckdb": "pg_duckdb",
    "pg_failover_slots": "pg_failover_slots",
    "pg_hint_plan": "pg_hint_plan",
    "pglogical": "pglogical",
    "pg_squeeze": "pg_squeeze",
    "pg_stat_statements": "pg_stat_statements",
    "timescaledb": "timescaledb",
    "wal2json": "wal2json",
}

# On every major version.
EVERYWHERE = """
address_standardizer address_standardizer_data_us amcheck anon auto_explain bloom btree_gin btree_gist citext cube dblink
dict_int dict_xsyn earthdistance fuzzystrmatch hstore hypopg intagg intarray isn lo login_hook ltree orafce pageinspect pgaudit
pg_buffercache pg_cron pgcrypto pg_freespacemap pg_hint_plan pglogical pg_partman pg_partman_bgw pg_prewarm pg_repack pgrouting
pgrowlocks pg_squeeze pg_stat_statements pgstattuple pg_trgm pg_visibility plpgsql plv8 postgis postgis_raster postgis_sfcgal
postgis_tiger_geocoder postgis_topology postgres_fdw semver session_variable sslinfo tablefunc tds_fdw tsm_system_rows
tsm_system_time unaccent uuid-ossp vector wal2json
""".split()

# First and last major version that have it.
BETWEEN = {
    "age": (13, 16),
    "azure_ai": (12, 17),
    "azure_storage": (12, 99),
    "credcheck": (13, 99),
    "hll": (12, 99),
    "ip4r": (13, 99),
    "oracle_fdw": (12, 99),
    "pg_diskann": (14, 17),
    "pg_duckdb": (14, 99),
    "pg_failover_slots": (11, 16),
    "postgres_protobuf": (12, 99),
    "tdigest": (12, 99),
    "timescaledb": (11, 17),
    "topn": (13, 99),
}


def published(name: str, major: int) -> bool:
    """Tell whether flexible server of that major version is published to have the extension."""
    first, last = BETWEEN.get(name, (0, -1))
    return name in EVERYWHERE or first <= major <= last


def numbers(version: str) -> tuple:
    """Return the leading numbers of a version, for comparison."""
    parts = []
    for part in version.replace("-", ".").split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)
