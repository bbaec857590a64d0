"""Real PostgreSQL servers that play servers of Azure: their ordinary administrators, and servers made on request."""

from __future__ import annotations

import secrets

from tests.azure_simulator.cloud import Cloud
from tools.lab.cluster import Cluster

#: Azure's administrators may create roles and databases, are members of azure_pg_admin, and are no superusers.
ADMINISTRATOR = """
SELECT 'CREATE ROLE azure_pg_admin NOLOGIN CREATEROLE CREATEDB' WHERE NOT EXISTS
    (SELECT FROM pg_roles WHERE rolname = 'azure_pg_admin') \\gexec
SELECT 'GRANT pg_monitor, pg_signal_backend TO azure_pg_admin WITH ADMIN OPTION' \\gexec
SELECT format('GRANT %I TO azure_pg_admin WITH ADMIN OPTION', rolname) FROM pg_roles
    WHERE rolname IN ('pg_checkpoint', 'pg_read_all_settings', 'pg_read_all_stats', 'pg_create_subscription', 'pg_read_all_data')
    \\gexec
SELECT format('CREATE ROLE %I', :'user') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \\gexec
SELECT format('ALTER ROLE %I LOGIN CREATEROLE CREATEDB REPLICATION PASSWORD %L', :'user', :'password') \\gexec
SELECT format('GRANT azure_pg_admin TO %I WITH ADMIN OPTION', :'user') \\gexec
"""


def add_administrator(cluster: Cluster, user: str, password: str) -> None:
    """Make an administrator as Azure has them; one that exists gets the password."""
    quoted = password.replace("'", "''")
    # The password reaches psql through its standard input, not through a variable on its command line.
    cluster.psql(f"\\set password '{quoted}'\n" + ADMINISTRATOR, variables={"user": user})


def create(cloud: Cloud, name: str, user: str, password: str) -> Cluster:
    """Make and start a cluster below the simulator's directory, with its administrator."""
    directory = cloud.directory / "servers" / f"{name}-{secrets.token_hex(3)}"
    cluster = Cluster(cloud.cluster_prefix, directory)
    cluster.create()
    cluster.start()
    add_administrator(cluster, user, password)
    return cluster
