# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: can both ends be reached, and is the way there encrypted?"""

from __future__ import annotations

import difflib
import sys

from .._core.errors import ConnectionFailed, DependencyMissing
from .._postgres.driver import MINIMUM, driver_version, require_driver
from .._postgres.quoting import quote_identifier
from . import reach_network
from .context import SOURCE, TARGET, Context
from .rule import OPERATOR, Rule, fine, listed, violated

CONNECT_DOCUMENTATION = "https://www.postgresql.org/docs/current/libpq-connect.html"
CODES = {"password": "603100", "tls": "603001"}


def driver(context: Context):
    """psycopg2 is there and new enough for the interpreter that runs this."""
    try:
        require_driver()
    except DependencyMissing as error:
        yield violated(sys.executable, error.msg, remedy=error.hint)
    else:
        yield fine(sys.executable, f"psycopg2 {driver_version()}")


def reachable(side: str):
    """Return the look of the rule that logs in on I(side)."""

    def look(context: Context):
        try:
            identity = context.identity(side)
        except ConnectionFailed as error:
            code = CODES.get(error.details["cause"], "603000")
            yield violated(context.address(side), error.msg, remedy=error.hint, code=code)
        else:
            yield fine(context.address(side), f"PostgreSQL {context.version(side)}, user {identity['user_name']}")

    return look


def encrypted(side: str):
    """Return the look of the rule that asks whether the session on I(side) is encrypted as it was asked to be."""

    def look(context: Context):
        transport = context.server(side).transport()
        asked = context.endpoint(side).sslmode or "prefer"
        address = context.address(side)
        if transport["encrypted"]:
            yield fine(address, f"{transport['protocol']}, {transport['cipher']} (sslmode={asked})")
        elif transport["local"]:
            yield fine(address, f"not encrypted (sslmode={asked}), but the session does not leave this host")
        else:
            yield violated(
                address,
                f"the session is not encrypted (sslmode={asked})",
                remedy=f"Set '{side}.sslmode: verify-full' with '{side}.sslrootcert', or at least 'require'; "
                "on the server set ssl = on with a certificate.",
            )

    return look


def source_databases(context: Context, database: str):
    """The database exists on the source and lets the user in."""
    known = context.databases(SOURCE)
    if database not in known:
        close = difflib.get_close_matches(database, known, n=3, cutoff=0.5)
        yield violated(
            database,
            f"the source {context.address(SOURCE)} has no database of this name",
            remedy="Correct the name in 'databases' (upper and lower case matter). "
            f"{'Close to it: ' if close else 'It has: '}{listed(close or sorted(known))}.",
            code="603102",
        )
        return
    yield from enter(context, SOURCE, database, known[database])


def target_databases(context: Context, database: str):
    """The database does not exist on the target yet, or lets the user in."""
    known = context.databases(TARGET)
    if database in known:
        yield from enter(context, TARGET, database, known[database])
    else:
        yield fine(database, "does not exist on the target yet; the migration creates it")


def enter(context: Context, side: str, database: str, row: dict):
    """Log in to a database that exists."""
    user = quote_identifier(context.user(side))
    name = quote_identifier(database)
    if not row["allows_connections"]:
        yield violated(
            database,
            f"the {side} lets nobody connect to the database (datallowconn is false)",
            remedy=f"On the {side}: ALTER DATABASE {name} ALLOW_CONNECTIONS true;",
        )
    elif not row["can_connect"]:
        yield violated(
            database,
            f"user {context.user(side)} has no CONNECT privilege on the {side}'s database",
            remedy=f"On the {side}: GRANT CONNECT ON DATABASE {name} TO {user};",
        )
    else:
        try:
            context.session(side, database)
        except ConnectionFailed as error:
            yield violated(database, error.msg, remedy=error.hint)
        else:
            yield fine(database, f"user {context.user(side)} can log in on the {side}")


def login_rule(side: str) -> Rule:
    """Return the rule that the server of I(side) can be reached."""
    return Rule(
        id=f"{side}-reachable",
        title=f"The {side} can be reached and lets the user in",
        level="network",
        side=side,
        look=reachable(side),
        expected=f"a login to the {side} with the given user, from the host that executes this task",
        remedy=f"Check host, port, user, password and TLS words of '{side}', and the firewalls on the way.",
        documentation=CONNECT_DOCUMENTATION,
        code="603000",
        needs=(
            "runtime-driver",
            f"{side}-name",
            f"{side}-port",
            f"{side}-tls",
            f"{side}-certificate",
            f"{side}-certificate-expiry",
        ),
    )


def encryption_rule(side: str) -> Rule:
    """Return the rule that the session of I(side) is encrypted."""
    return Rule(
        id=f"{side}-encrypted",
        title=f"The session with the {side} is encrypted",
        level="network",
        side=side,
        look=encrypted(side),
        expected="TLS, unless the session stays on this host",
        remedy=f"Set '{side}.sslmode: verify-full' with '{side}.sslrootcert'.",
        documentation="https://www.postgresql.org/docs/current/libpq-ssl.html",
        severity="warning",
        needs=(f"{side}-reachable",),
    )


RULES = (
    Rule(
        id="runtime-driver",
        title="psycopg2 is installed",
        level="runtime",
        side="runtime",
        look=driver,
        expected=f"psycopg2 {'.'.join(map(str, MINIMUM))} or newer",
        remedy="python3 -m pip install psycopg2-binary, for the interpreter that executes this task",
        documentation="https://www.postgresql.org/docs/current/external-interfaces.html",
    ),
    *reach_network.RULES,
    login_rule(SOURCE),
    login_rule(TARGET),
    *reach_network.LOGIN_RULES,
    encryption_rule(SOURCE),
    encryption_rule(TARGET),
    Rule(
        id="source-database-reachable",
        who=OPERATOR,
        title="Every database exists on the source and lets the user in",
        level="database",
        side=SOURCE,
        look=source_databases,
        expected="the database exists and the user has the CONNECT privilege",
        remedy="Correct 'databases', or grant CONNECT on the database to the user.",
        documentation="https://www.postgresql.org/docs/current/ddl-priv.html",
        needs=("source-reachable",),
        each_database=True,
    ),
    Rule(
        id="target-database-reachable",
        title="A database that exists on the target already lets the user in",
        level="database",
        side=TARGET,
        look=target_databases,
        expected="the database does not exist yet, or the user has the CONNECT privilege",
        remedy="Grant CONNECT on the target's database to the user.",
        documentation="https://www.postgresql.org/docs/current/ddl-priv.html",
        needs=("target-reachable",),
        each_database=True,
    ),
)
