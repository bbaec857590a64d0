# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: do source, target and client programs fit each other, and are both servers in a state to be used?"""

from __future__ import annotations

from .._core.errors import DependencyMissing
from .._postgres.programs import choose_programs
from .context import SOURCE, TARGET, Context
from .rule import HOST, OFFLINE, ONLINE, OPERATOR, Rule, fine, violated

# By provider: what the transfer engine reads, and what the service takes.
OLDEST_SOURCE = {"host": 110000, "azure": 90500}
READ_ONLY = "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'"


def oldest_source(context: Context) -> str:
    """Return the oldest version that the provider takes, as people write it."""
    number = OLDEST_SOURCE[context.request.provider]
    return str(number // 10000) if number >= 100000 else f"{number // 10000}.{number // 100 % 100}"


def source_version(context: Context):
    """The source is not older than what the transfer reads."""
    found = f"PostgreSQL {context.version(SOURCE)}"
    oldest = oldest_source(context)
    expected = f"PostgreSQL {oldest} or newer"
    if context.identity(SOURCE)["version_number"] < OLDEST_SOURCE[context.request.provider]:
        yield violated(
            context.address(SOURCE),
            found,
            expected=expected,
            remedy=f"Upgrade the source to PostgreSQL {oldest} or newer first (pg_upgrade), or move it with pg_dump.",
        )
    else:
        yield fine(context.address(SOURCE), found, expected=expected)


def target_version(context: Context):
    """The target is not older than the source."""
    source, target = context.version(SOURCE), context.version(TARGET)
    found = f"PostgreSQL {target} on the target, {source} on the source"
    if context.major(TARGET) < context.major(SOURCE):
        yield violated(
            context.address(TARGET),
            found,
            expected=f"PostgreSQL {context.major(SOURCE)} or newer on the target",
            remedy=f"Name a target server of PostgreSQL {context.major(SOURCE)} or newer.",
        )
    else:
        yield fine(context.address(TARGET), found)


def client_programs(context: Context):
    """pg_dump and pg_restore are there and not older than the servers."""
    try:
        programs = choose_programs(context.major(SOURCE), context.major(TARGET), context.bin_directory)
    except DependencyMissing as error:
        item = context.bin_directory or "PATH and the usual package directories"
        expected = f"client programs {error.details['expected_major']} or newer"
        yield violated(item, error.msg, expected=expected, remedy=error.hint)
    else:
        yield fine(programs.directory, f"pg_dump and pg_restore {programs.version}")


def source_standby_offline(context: Context):
    """A standby can be read, but its queries may be cancelled and its writers are elsewhere."""
    if not context.identity(SOURCE)["in_recovery"]:
        return
    if context.major(SOURCE) < 10:
        yield violated(
            context.address(SOURCE),
            f"the source is a standby of PostgreSQL {context.version(SOURCE)}, which cannot export a snapshot",
            severity="failed",
            remedy="Name the primary server in 'source'.",
        )
        return
    delay = context.server(SOURCE).value("SELECT pg_catalog.current_setting('max_standby_streaming_delay')")
    yield violated(
        context.address(SOURCE),
        f"the source is a standby (max_standby_streaming_delay = {delay}): its queries are cancelled when they stand in "
        "the way of replay for longer, and the application has to be stopped on the primary",
    )


def source_standby_online(context: Context):
    """Changes are streamed from a primary."""
    if context.identity(SOURCE)["in_recovery"]:
        yield violated(
            context.address(SOURCE),
            "the source is a standby: a publication cannot be created there, and its slot depends on the primary",
        )


def read_only(side: str, consequence: str):
    """Return the look of the rule that I(side) takes writes."""

    def look(context: Context):
        if context.identity(side)["in_recovery"]:
            yield violated(
                context.address(side),
                "the server is in recovery (a standby, or still being restored)",
                remedy=f"Name the primary server in '{side}', or promote this one: SELECT pg_promote();",
            )
            return
        # The session itself is read only; what it would have been otherwise is the value it resets to. Only a login
        # to the database in question takes the settings of that database.
        known = context.databases(side)
        existing = [name for name in context.request.databases if known.get(name, {}).get("can_connect")]
        for database in dict.fromkeys((context.server(side).database, *existing)):
            rows = context.rows(side, database, READ_ONLY)
            if rows[0]["reset_val"] == "on":
                yield violated(
                    database,
                    f"default_transaction_read_only is on for user {context.user(side)}{consequence}",
                )

    return look


RULES = (
    Rule(
        id="source-version",
        title="The source is not too old",
        level="server",
        side=SOURCE,
        look=source_version,
        expected="PostgreSQL 11 or newer with the host provider, 9.5 or newer with the service",
        remedy="Upgrade the source first (pg_upgrade), or move it with pg_dump.",
        documentation="https://www.postgresql.org/support/versioning/",
        code="603400",
        needs=("source-reachable",),
    ),
    Rule(
        id="target-version",
        who=OPERATOR,
        title="The target is not older than the source",
        level="server",
        side=TARGET,
        look=target_version,
        expected="a target of the source's major version or newer",
        remedy="Name a target server that is not older than the source.",
        documentation="https://www.postgresql.org/docs/current/upgrading.html",
        needs=("source-reachable", "target-reachable"),
    ),
    Rule(
        id="client-programs",
        title="Client programs are there and not older than the servers",
        level="runtime",
        side="runtime",
        look=client_programs,
        expected="pg_dump and pg_restore that are not older than source and target",
        remedy="Install the client programs of the target's major version, or name their directory in 'bin_directory'.",
        documentation="https://www.postgresql.org/docs/current/app-pgdump.html",
        providers=HOST,
        needs=("source-reachable", "target-reachable"),
    ),
    Rule(
        id="source-standby",
        who=OPERATOR,
        title="The source is a primary server",
        level="server",
        side=SOURCE,
        look=source_standby_offline,
        expected="a primary, or a standby whose queries are not cancelled",
        remedy="Name the primary in 'source'; or on the standby: ALTER SYSTEM SET max_standby_streaming_delay = -1; "
        "SELECT pg_reload_conf(); and stop the application on the primary.",
        documentation="https://www.postgresql.org/docs/current/hot-standby.html",
        clean="the source is not in recovery",
        severity="warning",
        modes=OFFLINE,
        needs=("source-reachable",),
    ),
    Rule(
        id="source-standby-online",
        who=OPERATOR,
        title="The source is a primary server",
        level="server",
        side=SOURCE,
        look=source_standby_online,
        expected="a primary server",
        remedy="Name the primary server in 'source'.",
        documentation="https://www.postgresql.org/docs/current/logicaldecoding-explanation.html",
        clean="the source is not in recovery",
        modes=ONLINE,
        needs=("source-reachable",),
    ),
    Rule(
        id="target-writable",
        title="The target takes writes",
        level="server",
        side=TARGET,
        look=read_only(TARGET, ", so nothing can be written"),
        expected="a primary server with default_transaction_read_only = off",
        remedy="On the target: ALTER SYSTEM SET default_transaction_read_only = off; SELECT pg_reload_conf(); or reset "
        "it where it was set: ALTER DATABASE ... RESET default_transaction_read_only; ALTER ROLE ... RESET the same. "
        "On a managed server a full disk can be the reason.",
        documentation="https://www.postgresql.org/docs/current/runtime-config-client.html"
        "#GUC-DEFAULT-TRANSACTION-READ-ONLY",
        clean="the target is a primary and takes writes",
        needs=("target-reachable",),
    ),
)
