# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's premigration checks that ask the servers, with the numbers of its errors."""

from __future__ import annotations

import psycopg2

from tests.azure_simulator.migrations.findings import (
    COLLATIONS,
    CONNECTIVITY,
    EXTENSIONS,
    PARAMETERS,
    SCHEMA,
    VERSION,
    WARNING,
    Finding,
)
from tests.azure_simulator.migrations.sessions import rows, session, value

REPLICATION = (
    "SELECT current_setting('wal_level'), current_setting('max_replication_slots')::int, current_setting('max_wal_senders')::int,"
    " (SELECT count(*) FROM pg_replication_slots), (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user)"
)
TARGET_USER = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'azure_pg_admin'), rolcreaterole, rolsuper FROM pg_roles WHERE rolname = current_user"
MEMBER = "SELECT pg_has_role(current_user, 'azure_pg_admin', 'MEMBER')"
DATABASE = "SELECT datname, datcollate, pg_has_role(current_user, datdba, 'MEMBER') FROM pg_database WHERE datname = ANY(%s) AND datallowconn"
OWN_COLLATIONS = "SELECT collname FROM pg_collation WHERE collnamespace <> 'pg_catalog'::regnamespace AND oid >= 16384"
OWN_CASTS = (
    "SELECT format('(%s AS %s)', castsource::regtype, casttarget::regtype) FROM pg_cast c WHERE oid >= 16384 AND NOT EXISTS"
    " (SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))"
)
LANGUAGES = "SELECT lanname FROM pg_language WHERE lanname NOT IN ('internal', 'c', 'sql', 'plpgsql')"
WITH_OIDS = (
    "SELECT attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " WHERE a.attname = 'oid' AND a.attnum < 0 AND c.relkind = 'r' AND c.oid >= 16384"
)
NO_IDENTITY = (
    "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
    " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relreplident = 'd'"
    " AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) ORDER BY 1"
)


def look(job: dict) -> list[Finding]:
    """Return what the servers say.

    `job`: source, target (libpq's words), databases, online, overwrite, allowed (extensions, None: not looked at).
    """
    found: list[Finding] = []
    source_version = _connect(job["source"], "source", found)
    target_version = _connect(job["target"], "target", found)
    if source_version is None or target_version is None:
        return found
    if source_version < 90500:
        found.append(
            Finding(VERSION, "603400: The version of the source server is not supported, at least 9.5 is needed.")
        )
    if source_version // 10000 > target_version // 10000:
        text = f"The source server's major version {source_version // 10000} is higher than the target's {target_version // 10000}."
        found.append(Finding(VERSION, text))
    with session(job["source"]) as source, session(job["target"]) as target:
        found += _source_parameters(source, job)
        found += _target_user(target)
        present = {name: (collation, owner) for name, collation, owner in rows(source, DATABASE, (job["databases"],))}
        existing = {name for (name,) in rows(target, "SELECT datname FROM pg_database")}
        available = {name for (name,) in rows(target, "SELECT name FROM pg_available_extensions")}
        known = {
            name for pair in rows(target, "SELECT collname, collcollate FROM pg_collation") for name in pair if name
        }
    for name in job["databases"]:
        if name not in present:
            found.append(Finding(SCHEMA, f"603102: Database {name} does not exist on the source server.", name))
            continue
        collation, owner = present[name]
        if name in existing and not job["overwrite"]:
            text = f"603101: Database {name} already exists on the target server and overwriting it was not allowed."
            found.append(Finding(SCHEMA, text, name))
        if not owner:
            text = f"603110: The migration user is not the owner of database {name} on the source server."
            found.append(Finding(SCHEMA, text, name))
        if _plain(collation) not in {_plain(one) for one in known}:
            text = f"603401: The collation {collation} of database {name} is not available on the target server."
            found.append(Finding(COLLATIONS, text, name))
        found += _database(job, name, target_version, available)
    return found


def _plain(collation: str) -> str:
    return collation.lower().replace("-", "")


def _connect(words: dict, side: str, found: list[Finding]) -> int | None:
    """Return the server's version, or None with a finding."""
    try:
        with session(words) as connection:
            return connection.server_version
    except psycopg2.OperationalError as error:
        text = " ".join(str(error).split())
        if "password authentication failed" in text or "no password supplied" in text:
            message = f"603100: Authentication failed. The password for the {side} server is incorrect."
        elif "does not support SSL" in text:
            message = f"603001: SSL is not enabled on the {side} server."
        else:
            message = f"603000: Connection failed. Unable to connect to the {side} server {words['host']}:{words['port']}. {text}"
        found.append(Finding(CONNECTIVITY, message))
        return None


def _source_parameters(source, job: dict) -> list[Finding]:
    found = []
    if value(source, "SELECT current_setting('default_transaction_read_only')") == "on":
        found.append(Finding(PARAMETERS, "603112: default_transaction_read_only is on at the source server."))
    if not job["online"]:
        return found
    level, slots, senders, used, may = rows(source, REPLICATION)[0]
    if level != "logical":
        found.append(Finding(PARAMETERS, f"603107: wal_level of the source server is {level}, it must be logical."))
    if slots - used < len(job["databases"]):
        needed = used + len(job["databases"])
        text = f"603105: max_replication_slots of the source server is {slots}, it must be at least {needed}."
        found.append(Finding(PARAMETERS, text))
    if senders < slots:
        text = f"603106: max_wal_senders of the source server is {senders}, it must be at least max_replication_slots, {slots}."
        found.append(Finding(PARAMETERS, text))
    if not may:
        found.append(
            Finding(PARAMETERS, "603104: The migration user lacks the REPLICATION attribute on the source server.")
        )
    return found


def _target_user(target) -> list[Finding]:
    like_azure, may_create, superuser = rows(target, TARGET_USER)[0]
    found = []
    if like_azure and not superuser and not value(target, MEMBER):
        found.append(
            Finding(PARAMETERS, "603115: The migration user is no member of azure_pg_admin on the target server.")
        )
    if not (may_create or superuser):
        found.append(
            Finding(PARAMETERS, "603116: The migration user lacks the CREATEROLE attribute on the target server.")
        )
    return found


def _database(job: dict, name: str, target_version: int, available: set[str]) -> list[Finding]:
    """Look into one database of the source."""
    found = []
    with session(job["source"], name) as connection:
        extensions = {one for (one,) in rows(connection, "SELECT extname FROM pg_extension")} - {"plpgsql"}
        missing = sorted(extensions - available)
        if missing:
            text = f"603405: Extension(s) {', '.join(missing)} of database {name} are not supported by the migration service."
            found.append(Finding(EXTENSIONS, text, name))
        if job["allowed"] is not None:
            refused = sorted(one for one in extensions - set(missing) if one.lower() not in job["allowed"])
            if refused:
                text = f"603108: Extension(s) {', '.join(refused)} are not allow-listed in azure.extensions on the target server."
                found.append(Finding(EXTENSIONS, text, name))
        collations = [one for (one,) in rows(connection, OWN_COLLATIONS)]
        if collations:
            text = f"603403: User-defined collations are present in database {name}: {', '.join(sorted(collations))}."
            found.append(Finding(COLLATIONS, text, name))
        casts = [one for (one,) in rows(connection, OWN_CASTS)]
        if casts:
            found.append(
                Finding(SCHEMA, f"603409: User-defined casts are present in database {name}: {', '.join(casts)}.", name)
            )
        languages = [one for (one,) in rows(connection, LANGUAGES)]
        if languages:
            text = f"603413: Unsupported languages are present in database {name}: {', '.join(languages)}."
            found.append(Finding(SCHEMA, text, name))
        if connection.server_version < 120000 <= target_version:
            tables = [one for (one,) in rows(connection, WITH_OIDS)]
            if tables:
                text = f"603404: Tables of database {name} were created WITH OIDS: {', '.join(tables)}."
                found.append(Finding(SCHEMA, text, name))
        if job["online"]:
            bare = [one for (one,) in rows(connection, NO_IDENTITY)]
            if bare:
                text = (
                    f"Non-Primary Key Table CDC Warning: changes of these tables are not replicated: {', '.join(bare)}."
                )
                found.append(Finding(SCHEMA, text, name, WARNING))
    return found
