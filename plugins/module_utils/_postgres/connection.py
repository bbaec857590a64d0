# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connecting to a server, and telling the ways apart in which that can fail."""

from __future__ import annotations

import contextlib
import itertools
import re

from .._core.errors import ConnectionFailed
from .._core.redaction import redact
from .._core.request import Endpoint
from .driver import psycopg2, require_driver

# libpq gives no error code for a failed connection, so its message (or the server's) is all there is to tell causes
# apart. Order matters: the first pattern that fits wins.
CAUSES = (
    (
        "name",
        r"could not translate host name|Name or service not known|nodename nor servname",
        "The name does not resolve from the host that executes this task: correct the host name, or link the private DNS zone to its network.",
    ),
    (
        "refused",
        r"Connection refused",
        "The address answers but nothing listens on the port: check port, listen_addresses and that the server runs.",
    ),
    (
        "timeout",
        r"timeout expired|timed out|No route to host|Network is unreachable",
        "Nothing answers: check firewall, network security group, peering and routes between the host that executes this task and the server.",
    ),
    (
        "password",
        r"password authentication failed|no password supplied|SCRAM|SASL",
        "Check user and password of this side.",
    ),
    ("database", r"database \".*\" does not exist", "Correct the name in 'databases' (or 'dbname')."),
    (
        "role",
        r"role \".*\" (does not exist|is not permitted to log in)",
        "Check the user of this side and its attribute LOGIN.",
    ),
    (
        "hba",
        r"no pg_hba\.conf entry|pg_hba\.conf rejects",
        "Allow the host that executes this task, this user and database in pg_hba.conf (or the firewall rules) of the server.",
    ),
    ("tls", r"SSL|certificate|TLS", "Check sslmode and sslrootcert of this side against the server's certificate."),
    ("connect-privilege", r"permission denied for database", "Grant CONNECT on the database to the user."),
    (
        "slots",
        r"too many (clients|connections)|remaining connection slots",
        "Free connections on the server, or raise max_connections.",
    ),
    (
        "starting",
        r"the database system is (starting up|shutting down|not yet accepting)",
        "Wait until the server accepts connections, then run again.",
    ),
)

# Settings that 9.5 does not know.
SINCE_9_6 = frozenset(["idle_in_transaction_session_timeout"])


PORTIONS = itertools.count(1)  # a cursor needs a name of its own


def connection_words(endpoint: Endpoint, dbname: str | None, application_name: str) -> dict:
    """Return the libpq keywords for psycopg2; the keepalives let a dead network path be noticed within two minutes."""
    words = endpoint.as_dict(secrets=True)
    words["dbname"] = dbname or endpoint.dbname or "postgres"
    words.setdefault("connect_timeout", 15)
    words["application_name"] = application_name
    words.update(keepalives=1, keepalives_idle=30, keepalives_interval=10, keepalives_count=6)
    return words


def failure(endpoint: Endpoint, side: str, dbname: str, text: str) -> ConnectionFailed:
    """Turn libpq's message into an error that names side, server, user, database and the likely remedy.

    A name with several addresses is tried address by address, and the message has a part for each; the last one tells
    the cause: a closed port on the first must not hide that the server behind the last one refused the password.
    """
    text = redact(" ".join(text.split()), [endpoint.password])
    last = text.rpartition(" failed: ")[2]
    cause, hint = next(
        ((cause, hint) for cause, pattern, hint in CAUSES if re.search(pattern, last)),
        ("other", "Read the server's own message above."),
    )
    what = f"{side} {endpoint.address}, database {dbname}, user {endpoint.user or '(default)'}"
    return ConnectionFailed(
        f"Cannot connect to the {what}: {text}",
        hint,
        {"side": side, "cause": cause, "server": endpoint.address, "database": dbname, "user": endpoint.user},
    )


def connect(
    endpoint: Endpoint,
    side: str,
    dbname: str | None = None,
    *,
    settings: dict | None = None,
    autocommit: bool = True,
    application_name: str | None = None,
    replication: bool = False,
):
    """Open a session and return the psycopg2 connection.

    :param side: C(source) or C(target), for messages and the application name
    :param dbname: the database; None takes the endpoint's own, else C(postgres)
    :param settings: session settings to apply, C({name: value})
    :param autocommit: False leaves transactions to the caller
    :param application_name: what the server shows of the session; None gives C(azpg.migrate SIDE)
    :param replication: for the replication commands of this database
    :raises ConnectionFailed: C(details.cause) is one of name, refused, timeout, password, database, role, hba, tls,
        connect-privilege, slots, starting, other
    :raises DependencyMissing: without psycopg2
    """
    require_driver()
    words = connection_words(endpoint, dbname, application_name or f"azpg.migrate {side}")
    if replication:
        words["connection_factory"] = psycopg2.extras.LogicalReplicationConnection
    try:
        connection = psycopg2.connect(**words)
    except psycopg2.OperationalError as error:
        raise failure(endpoint, side, words["dbname"], str(error)) from None
    if not replication:  # such a connection knows no transactions of the client's
        connection.autocommit = True
    # Through the driver: a role's setting may name another encoding, in which it would go on reading names.
    connection.set_client_encoding("UTF8")
    if settings and settings.get("statement_timeout") == "0" and connection.server_version >= 170000:
        settings = {**settings, "transaction_timeout": "0"}  # who may take any time may do so in one transaction
    if settings and connection.server_version < 90600:
        settings = {name: text for name, text in settings.items() if name not in SINCE_9_6}
    if settings:
        calls = ", ".join(["pg_catalog.set_config(%s, %s, false)"] * len(settings))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {calls}", [str(word) for item in settings.items() for word in item])
    if not replication:
        connection.autocommit = autocommit
    return connection


@contextlib.contextmanager
def transaction(connection):
    """Give a cursor in a transaction of the session I(connection), which is rolled back when anything fails."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            yield cursor
            cursor.execute("COMMIT")
        except BaseException:
            if not connection.closed:
                cursor.execute("ROLLBACK")
            raise


def rows(connection, sql: str, parameters=None) -> list:
    """Run I(sql) and return its rows as dictionaries keyed by column name."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def portions(connection, sql: str, parameters=None, size: int = 2000):
    """Run I(sql) and yield its rows as tuples, which come from the server in portions of I(size).

    For results with a row per object of a database: only a portion of them is in memory.
    """
    inside = connection.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE
    with connection.cursor() as cursor:
        if not inside:
            cursor.execute("BEGIN READ ONLY")
        try:
            # All rows are wanted, so the plan has to be that of a query, not one for the first few rows.
            cursor.execute("SET LOCAL cursor_tuple_fraction TO 1")
            name = f"azpg_portions_{next(PORTIONS)}"
            cursor.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}", parameters)
            while True:
                cursor.execute(f"FETCH {int(size)} FROM {name}")
                found = cursor.fetchall()
                yield from found
                if len(found) < size:
                    break
            cursor.execute(f"CLOSE {name}")
        finally:
            if not inside and not connection.closed:
                cursor.execute("ROLLBACK")


def value(connection, sql: str, parameters=None):
    """Run I(sql) and return the first column of its first row, or None without rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
        return row[0] if row else None


def major(connection) -> int:
    """Return the server's major version, for example 17; 9.5 and 9.6 give 9."""
    return connection.server_version // 10000


def quiet_settings() -> dict:
    """Return session settings under which values print and compare alike on every server.

    They are those of the fingerprint rules: no dependence on locale, time zone or search path, and a filtered read of
    a table with row-level security is an error rather than a silent subset.
    """
    return {
        "search_path": "",
        "DateStyle": "ISO,YMD",
        "IntervalStyle": "iso_8601",
        "TimeZone": "UTC",
        "extra_float_digits": "3",
        "bytea_output": "hex",
        "xmloption": "content",
        "lc_monetary": "C",
        "quote_all_identifiers": "off",
        "standard_conforming_strings": "on",
        "array_nulls": "on",
        "row_security": "off",
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
    }
