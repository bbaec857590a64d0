# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create the application's roles, databases and rows in a cluster."""

from __future__ import annotations

import concurrent.futures
import secrets
from pathlib import Path

from tools.lab.cluster import Cluster

#: The databases of the data set and who owns them.
DATABASES = {"shop": "app_owner", "billing": "billing_owner"}

#: Roles that cannot log in: owners and groups.
GROUP_ROLES = ("app_owner", "billing_owner", "app_read", "app_write")

#: Roles that people log in as.
LOGIN_ROLES = ("alice", "bob")

#: A statement that fails is written to the server's log, and these hold passwords.
UNLOGGED = "SET log_min_error_statement = panic; SET log_statement = none;\n"

ROLE_DETAILS = """
GRANT app_read TO app_write;
GRANT app_read TO alice;
GRANT app_write TO bob WITH ADMIN OPTION;
GRANT app_write TO app_owner;
ALTER ROLE alice CONNECTION LIMIT 20;
ALTER ROLE bob VALID UNTIL '2100-01-01 00:00:00+00';
ALTER ROLE alice SET statement_timeout TO '10min';
ALTER ROLE bob SET search_path TO app, "Odd Schema", public;
ALTER ROLE app_read NOINHERIT;
COMMENT ON ROLE app_read IS 'May look at the shop''s tables';
COMMENT ON ROLE alice IS 'Alice, "analyst"';
"""

ROLE_IN_DATABASE_SETTINGS = """
ALTER ROLE alice IN DATABASE shop SET work_mem TO '8MB';
ALTER ROLE alice IN DATABASE shop SET search_path TO crm, app;
ALTER ROLE bob IN DATABASE billing SET timezone TO 'Asia/Tokyo';
"""


def create_roles(cluster: Cluster) -> dict[str, str]:
    """Create the application's roles, memberships and role settings; what is there already is left as it is.

    Returns the random passwords of the roles that were created and may log in. Raises LabError.
    """
    present = set(cluster.psql("SELECT rolname FROM pg_roles").split())
    statements, passwords = [], {}
    for role in GROUP_ROLES:
        if role not in present:
            statements.append(f"CREATE ROLE {role} NOLOGIN;")
    for role in LOGIN_ROLES:
        if role not in present:
            passwords[role] = secrets.token_urlsafe(18)
            statements.append(f"CREATE ROLE {role} LOGIN PASSWORD '{passwords[role]}';")
    if statements:
        cluster.psql(UNLOGGED + "\n".join(statements) + ROLE_DETAILS)
    return passwords


def load(cluster: Cluster, scale: float = 1.0) -> None:
    """Create both databases with everything in them; ``scale`` 1.0 is about 300 MB, 0.02 a few MB.

    Creates the roles first if need be. All objects are owned by the databases' owners. Raises LabError when a
    statement fails, also when a database of that name is there already.
    """
    if scale < 0:
        raise ValueError("scale must not be negative")
    create_roles(cluster)
    for database, owner in DATABASES.items():
        cluster.psql(f"CREATE DATABASE {database} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'")
    with concurrent.futures.ThreadPoolExecutor(len(DATABASES)) as pool:
        # list() brings the first error out of the threads.
        list(pool.map(lambda database: _fill(cluster, database, scale), DATABASES))
    cluster.psql(ROLE_IN_DATABASE_SETTINGS)


def create_source_user(cluster: Cluster, name: str, password: str) -> None:
    """Create an ordinary role that may read everything in the data set, as a migration needs on the source.

    Member of the owners, past row-level security; no superuser, no replication. Raises LabError.
    """
    cluster.psql(
        f"{UNLOGGED}CREATE ROLE {_identifier(name)} LOGIN BYPASSRLS NOSUPERUSER NOREPLICATION NOCREATEDB NOCREATEROLE "
        f"PASSWORD {_literal(password)} IN ROLE {', '.join(sorted(set(DATABASES.values())))};"
    )


def create_target_user(cluster: Cluster, name: str, password: str) -> None:
    """Create an ordinary role that may create databases and roles, as a managed service's administrator can.

    No superuser, no replication, member of nothing. Raises LabError.
    """
    cluster.psql(
        f"{UNLOGGED}CREATE ROLE {_identifier(name)} LOGIN CREATEDB CREATEROLE BYPASSRLS NOSUPERUSER NOREPLICATION "
        f"PASSWORD {_literal(password)};"
    )


def _fill(cluster: Cluster, database: str, scale: float) -> None:
    """Run the database's files in the order of their names, all in one session, then collect statistics."""
    files = sorted((Path(__file__).parent / database).glob("*.sql"))
    start = f"SET client_min_messages = warning; SET SESSION AUTHORIZATION {DATABASES[database]};"
    cluster.psql(start, dbname=database, files=files, variables={"scale": scale})
    cluster.psql("ANALYZE;", dbname=database)


def _identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """Quote a text for SQL, whatever it holds."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
