# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: what both servers are set to while Azure's service carries the data: timeouts, keepalives, the load."""

from __future__ import annotations

from .._core.units import human_seconds
from .._postgres.quoting import quote_identifier
from .context import SOURCE, TARGET, Context
from .kinds import source_kind
from .rule import Rule, fine, listed, violated
from .service_target import SERVICE, database_rule, parameter, server_rule, setting

# Settings that end a session of the service, or a statement of hours.
TIMEOUTS = ("idle_in_transaction_session_timeout", "statement_timeout", "idle_session_timeout", "transaction_timeout")
TIMEOUT_VALUES = (
    "SELECT s.name, s.reset_val::bigint AS milliseconds FROM pg_catalog.pg_settings s WHERE s.name = ANY (%s)"
)

# What Microsoft advises while the data is loaded; all can be changed without a restart.
LOAD_SETTINGS = {
    "maintenance_work_mem": "2097151",
    "max_wal_size": "65536",
    "checkpoint_timeout": "3600",
    "checkpoint_completion_target": "0.9",
    "wal_compression": "on",
}
# What Microsoft advises where something on the way ends connections that are idle; the values are seconds and a number.
KEEPALIVES = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 60}
KEEPALIVE_VALUES = "SELECT s.name, s.setting::bigint AS value FROM pg_catalog.pg_settings s WHERE s.name = ANY (%s)"


def timeouts(side: str):
    """Return the look of the rule that nothing on I(side) ends the service's sessions."""

    def look(context: Context, database: str):
        if database not in context.databases(side):
            yield fine(database, f"does not exist on the {side} yet")
            return
        rows = context.rows(side, database, TIMEOUT_VALUES, (list(TIMEOUTS),))
        short = [row for row in rows if row["milliseconds"]]
        if not short:
            yield fine(database, "no timeout is set")
            return
        user = quote_identifier(context.user(side))
        words = " ".join(
            source_kind(context).change(row["name"], 0, restart=False)
            if side == SOURCE
            else f"{parameter(row['name'], 0)};"
            for row in short
        )
        role = " ".join(f"ALTER ROLE {user} SET {row['name']} = 0;" for row in short)
        yield violated(
            database,
            f"on the {side}: "
            + listed(f"{row['name']} = {human_seconds(row['milliseconds'] / 1000)}" for row in short),
            remedy=f"For the migration user only, on the {side}: {role} Or for all: {words}",
        )

    return look


def load_settings(context: Context):
    """Settings that make the load quicker."""
    other = {name: value for name, value in LOAD_SETTINGS.items() if plain(context, name) not in (value, None)}
    if not other:
        yield fine(context.address(TARGET), "the target is set for the load")
        return
    found = ", ".join(f"{name} = {setting(context, name)}" for name in other)
    yield fine(
        context.address(TARGET),
        f"{found}; larger values make the load quicker",
        remedy="For the load only, written down to be taken back: "
        + "; ".join(parameter(name, value) for name, value in other.items()),
    )


def plain(context: Context, name: str) -> str | None:
    """Return a setting of the target in its own unit."""
    return context.cached(
        ("target value", name),
        lambda: context.server(TARGET).value(
            "SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = %s", (name,)
        ),
    )


def keepalives(side: str):
    """Return the look of what I(side) does so that an idle connection of the service is not ended on the way."""

    def look(context: Context):
        rows = context.server(side).rows(KEEPALIVE_VALUES, (list(KEEPALIVES),))
        held = {row["name"]: row["value"] for row in rows}
        found = ", ".join(f"{name} = {held[name]}" for name in KEEPALIVES if name in held)
        other = [name for name in KEEPALIVES if held.get(name) != KEEPALIVES[name]]
        if not other:
            yield fine(context.address(side), found)
            return
        commands = [
            source_kind(context).change(name, KEEPALIVES[name], restart=False)
            if side == SOURCE
            else f"{parameter(name, KEEPALIVES[name])};"
            for name in other
        ]
        yield fine(
            context.address(side),
            f"{found}; enough unless a firewall or gateway on the way ends idle connections",
            remedy="Only if sessions end with 'server closed the connection unexpectedly', 'SSL SYSCALL error: EOF' or "
            f"'Connection reset by peer', without a restart: {' '.join(commands)}",
        )

    return look


def timeout_rule(side: str) -> Rule:
    """Return the rule about settings of I(side) that end sessions."""
    return database_rule(
        id=f"service-{side}-timeouts",
        title=f"Nothing on the {side} ends the service's sessions",
        side=side,
        look=timeouts(side),
        expected="no timeout for statements and idle sessions of the migration user",
        remedy="Set the timeouts to 0 for the migration user.",
        documentation=f"{SERVICE}best-practices-migration-service-postgresql",
        severity="warning",
        needs=(f"{side}-database-reachable",),
    )


def keepalive_rule(side: str) -> Rule:
    """Return the rule about the keepalives of I(side)."""
    return server_rule(
        id=f"service-{side}-keepalives",
        title=f"Keepalives of the {side}",
        side=side,
        look=keepalives(side),
        expected="idle 10, interval 10, count 60 where connections are ended on the way",
        remedy="Set tcp_keepalives_idle and tcp_keepalives_interval to 10, tcp_keepalives_count to 60.",
        documentation=f"{SERVICE}troubleshoot-error-codes",
        severity="warning",
        needs=(f"{side}-reachable",),
    )


RULES = (
    timeout_rule(SOURCE),
    timeout_rule(TARGET),
    keepalive_rule(SOURCE),
    keepalive_rule(TARGET),
    server_rule(
        id="service-load-settings",
        title="Settings for the load",
        look=load_settings,
        expected="nothing in particular",
        remedy="Raise maintenance_work_mem and max_wal_size while the data is loaded.",
        documentation=f"{SERVICE}best-practices-migration-service-postgresql",
        severity="warning",
    ),
)
