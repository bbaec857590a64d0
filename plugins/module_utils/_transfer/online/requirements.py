# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both servers have to offer before the first slot is made; nothing is changed here."""

from __future__ import annotations

from ..._core.errors import PreconditionFailed
from ..._postgres.connection import rows, value
from ..._postgres.quoting import quote_identifier

OLDEST = 100000  # the first version that has pgoutput

SOURCE = """
SELECT pg_catalog.current_setting('wal_level') AS wal_level, pg_catalog.pg_is_in_recovery() AS standby,
       pg_catalog.current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_catalog.pg_replication_slots)
         AS slots,
       pg_catalog.current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_catalog.pg_stat_replication) AS senders,
       r.rolname AS user_name, r.rolsuper OR r.rolreplication OR EXISTS (
         SELECT 1 FROM pg_catalog.pg_roles m WHERE m.rolname IN ('rds_replication', 'rds_superuser', 'alloydbsuperuser')
            AND pg_catalog.pg_has_role(m.oid, 'MEMBER')) AS replication
  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""


def check_source(source, missing: int) -> None:
    """Make sure that slots can be made on the source.

    :param source: a session to it
    :param missing: how many slots have yet to be made
    :raises PreconditionFailed: naming everything that stands against it
    """
    if source.server_version < OLDEST:
        raise PreconditionFailed(
            "The source is older than PostgreSQL 10 and has no logical replication.", "Use mode 'offline'."
        )
    found = rows(source, SOURCE)[0]
    wrong, remedies = [], []
    if found["standby"]:
        wrong.append("it is a standby")
        remedies.append("name the primary server as source")
    if found["wal_level"] != "logical":
        wrong.append(f"wal_level is {found['wal_level']}, expected logical")
        remedies.append("ALTER SYSTEM SET wal_level = logical and restart it")
    for word, setting in (("slots", "max_replication_slots"), ("senders", "max_wal_senders")):
        if found[word] < missing:
            wrong.append(f"{found[word]} of {setting} are free, expected {missing}")
            remedies.append(f"raise {setting} by {missing - found[word]} and restart it, or free some")
    if not found["replication"]:
        wrong.append(f"user {found['user_name']} has not the attribute REPLICATION")
        remedies.append(f"ALTER ROLE {quote_identifier(found['user_name'])} REPLICATION")
    if wrong:
        raise PreconditionFailed(
            f"The source cannot stream changes: {'; '.join(wrong)}.",
            f"On the source: {'; '.join(remedies)}. Or use mode 'offline'.",
            {"wrong": wrong},
        )


def check_source_database(source, database: str, foreign: list) -> None:
    """Make sure that the tables can be published.

    :param foreign: see M(published.foreign)
    :raises PreconditionFailed: when a right is missing
    """
    user = value(source, "SELECT current_user::text")
    if not value(source, "SELECT pg_catalog.has_database_privilege(%s, 'CREATE')", (database,)):
        raise PreconditionFailed(
            f"User {user} may not create a publication in the source's database {database}.",
            f"On the source: GRANT CREATE ON DATABASE {quote_identifier(database)} TO {quote_identifier(user)}.",
            {"database": database},
        )
    if foreign:
        raise PreconditionFailed(
            f"User {user} may not publish tables that it does not own: {', '.join(foreign[:10])}"
            + (f" and {len(foreign) - 10} more" if len(foreign) > 10 else "")
            + f" in the source's database {database}.",
            f"On the source: GRANT the owners' roles TO {quote_identifier(user)}.",
            {"database": database, "tables": foreign},
        )


def check_target_database(target, database: str) -> None:
    """Make sure that changes can be written.

    :raises PreconditionFailed: when a right is missing
    """
    user = value(target, "SELECT current_user::text")
    if not value(target, "SELECT pg_catalog.has_database_privilege(%s, 'TEMPORARY')", (database,)):
        raise PreconditionFailed(
            f"User {user} may not create temporary tables in the target's database {database}, through which changes go.",
            f"On the target: GRANT TEMPORARY ON DATABASE {quote_identifier(database)} TO {quote_identifier(user)}.",
            {"database": database},
        )
