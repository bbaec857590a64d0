# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real PostgreSQL servers that play servers of Azure: their ordinary administrators, and servers made on request."""

from __future__ import annotations

import contextlib
import secrets

import psycopg2
from psycopg2 import sql

from tests.azure_simulator.cloud import Cloud
from tools.lab.cluster import Cluster

GROUP = "azure_pg_admin"
#: What Azure's administrators may hand on, as far as a version has it.
MEMBERSHIPS = (
    "pg_monitor", "pg_signal_backend", "pg_checkpoint", "pg_read_all_settings", "pg_read_all_stats", "pg_read_all_data",
    "pg_stat_scan_tables", "pg_create_subscription",
)  # fmt: skip


def add_administrator(cluster: Cluster, user: str, password: str) -> None:
    """Make an administrator as Azure has them, who is no superuser; one that exists gets the password."""
    name, group = sql.Identifier(user), sql.Identifier(GROUP)
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(contextlib.closing(psycopg2.connect(**cluster.connection())))
        stack.enter_context(connection)
        cursor = stack.enter_context(connection.cursor())
        cursor.execute("SELECT rolname FROM pg_roles")
        known = {role for (role,) in cursor.fetchall()}
        if GROUP not in known:
            cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN CREATEROLE CREATEDB").format(group))
            for role in known & set(MEMBERSHIPS):
                cursor.execute(sql.SQL("GRANT {} TO {} WITH ADMIN OPTION").format(sql.Identifier(role), group))
        if user not in known:
            cursor.execute(sql.SQL("CREATE ROLE {}").format(name))
        # The password must not reach the server's log when a statement is logged.
        cursor.execute("SET LOCAL log_statement = 'none'; SET LOCAL log_min_duration_statement = -1")
        words = sql.SQL("ALTER ROLE {} LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS PASSWORD {}")
        cursor.execute(words.format(name, sql.Literal(password)))
        cursor.execute(sql.SQL("GRANT {} TO {} WITH ADMIN OPTION").format(group, name))


def create(cloud: Cloud, name: str, user: str, password: str) -> Cluster:
    """Make and start a cluster below the simulator's directory, with its administrator."""
    directory = cloud.directory / "servers" / f"{name}-{secrets.token_hex(3)}"
    cluster = Cluster(cloud.cluster_prefix, directory)
    cluster.create()
    cluster.start()
    add_administrator(cluster, user, password)
    return cluster
