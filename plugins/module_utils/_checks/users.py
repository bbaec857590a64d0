# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: the migration's users last as long as it does, and others can log in afterwards."""

from __future__ import annotations

from .._core.units import count_of
from .._postgres.driver import psycopg2
from .._postgres.quoting import quote_identifier
from .context import SOURCE, TARGET, Context
from .rule import Rule, fine, listed, violated
from .service_target import parameter, setting
from .target_state import needed_roles

# A migration of the service may take so long.
DAYS = 7

EXPIRY = """
SELECT r.rolvaliduntil::text AS until, EXTRACT(epoch FROM r.rolvaliduntil - pg_catalog.now()) / 86400 AS days
FROM pg_catalog.pg_roles r
WHERE r.rolname = current_user AND r.rolvaliduntil < 'infinity'
"""

MD5_ROLES = "SELECT a.rolname::text AS name FROM pg_catalog.pg_authid a WHERE a.rolcanlogin AND a.rolpassword LIKE 'md5%' ORDER BY 1"


def expiry(side: str):
    """Return the look of the rule that the password of I(side)'s user does not expire soon."""

    def look(context: Context):
        rows = context.server(side).rows(EXPIRY)
        if rows and rows[0]["days"] < DAYS:
            yield violated(
                context.address(side),
                f"the password of user {context.user(side)} is valid until {rows[0]['until']}",
                remedy=f"On the {side}: ALTER ROLE {quote_identifier(context.user(side))} VALID UNTIL 'infinity'; and set it back "
                "afterwards.",
            )

    return look


def password_hashes(context: Context):
    """Passwords that are carried are of a form that the target takes."""
    accepted = setting(context, "azure.accepted_password_auth_method")
    if accepted is None or "md5" in accepted.lower():
        yield fine(
            context.address(TARGET),
            "the target takes passwords of every form" if accepted else "the target does not say",
        )
        return
    try:
        rows = context.server(SOURCE).rows(MD5_ROLES)
    except psycopg2.Error:
        yield fine(context.address(SOURCE), f"user {context.user(SOURCE)} may not read passwords, so none is carried")
        return
    needed = needed_roles(context)
    mapped = dict(context.request.role_map)
    names = [row["name"] for row in rows if mapped.get(row["name"], row["name"]) in needed]
    if names:
        asks = " ".join(f"\\password {quote_identifier(name)}" for name in names[:20])
        yield violated(
            context.address(TARGET),
            f"{count_of(len(names), 'role')} with a password in MD5: {listed(names)}; the target accepts {accepted}",
            remedy=f"On the source SET password_encryption = 'scram-sha-256'; and in psql {asks}; or set the passwords anew on the "
            f"target; or {parameter('azure.accepted_password_auth_method', 'md5,scram-sha-256')}",
        )


def expiry_rule(side: str) -> Rule:
    """Return the rule about the end of a user's password on I(side)."""
    return Rule(
        id=f"{side}-user-expiry",
        title=f"The password of the {side}'s user does not expire soon",
        level="server",
        side=side,
        look=expiry(side),
        expected=f"valid for {DAYS} more days, or without an end",
        remedy="ALTER ROLE ... VALID UNTIL 'infinity';",
        documentation="https://www.postgresql.org/docs/current/sql-alterrole.html",
        clean=f"valid for {DAYS} days and more",
        severity="warning",
        needs=(f"{side}-reachable",),
    )


RULES = (
    expiry_rule(SOURCE),
    expiry_rule(TARGET),
    Rule(
        id="role-password-hashes",
        title="The target takes the passwords that are carried",
        level="server",
        side=TARGET,
        look=password_hashes,
        expected="passwords in SCRAM, or a target that accepts MD5",
        remedy="Set the passwords anew.",
        documentation="https://learn.microsoft.com/azure/postgresql/flexible-server/how-to-connect-scram",
        clean="every password that is carried is taken",
        severity="warning",
        needs=("source-database-reachable", "target-reachable"),
    ),
)
