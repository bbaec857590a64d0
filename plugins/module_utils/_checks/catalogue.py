# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalogue queries that several rules share. They run on PostgreSQL 9.5 and newer, for any user."""

from __future__ import annotations

# Read only, and never in anybody's way: a lock is waited for five seconds, an answer one minute.
SETTINGS = {
    "search_path": "",
    "lock_timeout": "5s",
    "statement_timeout": "60s",
    "default_transaction_read_only": "on",
}

# What belongs to the server or to an extension is not the user's.
USER_SCHEMA = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"


def not_of_extension(catalogue_name: str, oid: str) -> str:
    """Return the condition that the object I(oid) of the catalogue belongs to no extension.

    What a type brings with it, such as the constructors of a range type and the cast to its multirange, is no object of
    its own either.
    """
    kinds = "'e', 'i'" if catalogue_name in ("pg_proc", "pg_cast") else "'e'"
    return (
        "NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x "
        f"WHERE x.classid = 'pg_catalog.{catalogue_name}'::pg_catalog.regclass AND x.objid = {oid} "
        f"AND x.deptype IN ({kinds}))"
    )


IDENTITY = """
SELECT pg_catalog.current_setting('server_version_num')::int AS version_number,
       pg_catalog.current_setting('server_version') AS version,
       current_user::text AS user_name,
       pg_catalog.current_setting('is_superuser') = 'on' AS superuser,
       r.rolcreatedb AS create_database, r.rolcreaterole AS create_role, r.rolreplication AS replication,
       r.rolbypassrls AS bypass_row_security, r.rolconnlimit AS connection_limit,
       pg_catalog.pg_is_in_recovery() AS in_recovery
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""


def databases(major: int) -> str:
    """Return the query for all databases; I(major) decides which columns the catalogue has."""
    provider = "d.datlocprovider::text" if major >= 15 else "'c'"
    locale = "d.datlocale" if major >= 17 else "d.daticulocale" if major >= 15 else "NULL::text"
    return f"""
SELECT d.oid, d.datname::text AS name, pg_catalog.pg_get_userbyid(d.datdba)::text AS owner,
       pg_catalog.pg_has_role(d.datdba, 'USAGE') AS owned,
       d.datallowconn AS allows_connections, d.datistemplate AS is_template, d.datconnlimit AS connection_limit,
       pg_catalog.has_database_privilege(d.oid, 'CONNECT') AS can_connect,
       pg_catalog.has_database_privilege(d.oid, 'CREATE') AS can_create,
       pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datcollate::text AS collate, d.datctype::text AS ctype,
       {provider} AS provider, {locale} AS locale, t.spcname::text AS tablespace,
       CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT')
            THEN pg_catalog.pg_database_size(d.oid) END AS bytes
FROM pg_catalog.pg_database d LEFT JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
"""


ROLES = """
SELECT r.oid, r.rolname::text AS name, r.rolsuper AS superuser, r.rolcanlogin AS can_login,
       pg_catalog.pg_has_role(r.oid, 'MEMBER') AS member
FROM pg_catalog.pg_roles r
"""

RELATIONS = f"""
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
       c.relpersistence::text AS persistence, o.rolname::text AS owner, COALESCE(o.rolsuper, false) AS superuser_owned,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS schema_usage,
       CASE WHEN c.relkind = 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
            ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END AS readable,
       c.relrowsecurity AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')) AS rows_hidden,
       c.relforcerowsecurity AS row_security_forced, c.reltablespace AS tablespace
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
WHERE c.relkind IN ('r', 'p', 'S', 'm', 'v', 'f') AND {USER_SCHEMA}
AND {not_of_extension("pg_class", "c.oid")}
ORDER BY n.nspname, c.relname
"""

EXTENSIONS = """
SELECT e.extname::text AS name, e.extversion AS version, n.nspname::text AS schema
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname <> 'plpgsql' ORDER BY e.extname
"""
