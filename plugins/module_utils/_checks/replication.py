# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: is the source's server ready to hand out its changes (online mode)?"""

from __future__ import annotations

import time

from .._core.units import count_of, human_bytes, human_seconds
from .context import SOURCE, Context
from .kinds import source_kind
from .rule import APPLICATION, AZURE, ONLINE, Rule, fine, violated
from .sizes import service_seconds, source_bytes

SETTINGS = """
SELECT pg_catalog.current_setting('wal_level') AS wal_level,
       pg_catalog.current_setting('max_replication_slots')::int AS slots,
       pg_catalog.current_setting('max_wal_senders')::int AS senders,
       pg_catalog.current_setting('max_worker_processes')::int AS workers,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots) AS slots_used,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication) AS senders_used,
       (SELECT s.setting::bigint FROM pg_catalog.pg_settings s WHERE s.name = 'wal_sender_timeout') AS sender_timeout
"""

SERVICE_WORKERS = 16
# Two samples of the log's position lie at least so far apart.
GROWTH_SECONDS = 2.0
# One session per database applies the changes: a log that grows faster than this is hardly caught up with.
FAST_BYTES = 20_000_000


def settings(context: Context) -> dict:
    """Return the source's settings and use of slots and senders."""
    return context.cached("replication settings", lambda: context.server(SOURCE).rows(SETTINGS)[0])


def wal_level(context: Context):
    """The log holds what logical decoding needs."""
    if not context.identity(SOURCE)["in_recovery"]:
        log_sample(context)  # the first of two; the other one is taken as late as can be
    level = settings(context)["wal_level"]
    found = f"wal_level = {level}"
    if level == "logical":
        yield fine(context.address(SOURCE), found)
    else:
        kind = source_kind(context)
        yield violated(context.address(SOURCE), f"{found} ({kind.label})", remedy=kind.make_logical())


def slots(context: Context):
    """There is a free replication slot per database, and one to spare for the service."""
    row = settings(context)
    spare = 1 if context.by_service else 0
    needed = len(context.request.databases) + spare
    free = row["slots"] - row["slots_used"]
    found = f"{free} of {row['slots']} slots free"
    expected = f"{count_of(needed, 'free slot')}, one per database{' and one to spare' if spare else ''}"
    if free >= needed:
        yield fine(context.address(SOURCE), found, expected=expected)
        return
    change = source_kind(context).change("max_replication_slots", row["slots_used"] + needed + 1)
    yield violated(
        context.address(SOURCE),
        found,
        expected=expected,
        remedy=f"{change}; or drop what nobody reads: SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE "
        "NOT active;",
    )


def senders(context: Context):
    """There is a free WAL sender per database, and no fewer senders than slots."""
    row = settings(context)
    needed = len(context.request.databases)
    free = row["senders"] - row["senders_used"]
    found = f"{free} of {row['senders']} senders free, max_replication_slots = {row['slots']}"
    if free >= needed and row["senders"] >= row["slots"]:
        yield fine(context.address(SOURCE), found)
        return
    wanted = max(row["slots"], row["senders_used"] + needed)
    yield violated(context.address(SOURCE), found, remedy=f"{source_kind(context).change('max_wal_senders', wanted)}.")


def replication_right(context: Context):
    """The user may open a replication connection."""
    identity = context.identity(SOURCE)
    user = context.user(SOURCE)
    managed = context.roles(SOURCE).get("rds_replication", {})
    if identity["superuser"] or identity["replication"] or managed.get("member"):
        yield fine(context.address(SOURCE), f"user {user} may replicate")
        return
    yield violated(
        context.address(SOURCE),
        f"user {user} has no REPLICATION",
        remedy=source_kind(context).allow_replication(user),
    )


def kept_log(context: Context):
    """A slot is not thrown away because the base copy takes long."""
    if context.major(SOURCE) < 13:
        return
    kept = context.server(SOURCE).value("SELECT pg_catalog.current_setting('max_slot_wal_keep_size')")
    if kept != "-1":
        yield violated(
            context.address(SOURCE),
            f"max_slot_wal_keep_size = {kept}",
            remedy=source_kind(context).change("max_slot_wal_keep_size", "-1", restart=False),
        )


def sender_timeout(context: Context):
    """The server does not end the service's idle replication connection during the base copy."""
    milliseconds = settings(context)["sender_timeout"]
    if milliseconds:
        yield violated(
            context.address(SOURCE),
            f"wal_sender_timeout = {human_seconds(milliseconds / 1000)}: during the base copy the service does not read its slot",
            remedy=source_kind(context).change("wal_sender_timeout", 0, restart=False)
            + " Set it back after the cutover.",
        )


def worker_processes(context: Context):
    """There are as many worker processes as Microsoft's guide for logical replication asks for."""
    workers = settings(context)["workers"]
    if workers < SERVICE_WORKERS:
        yield violated(
            context.address(SOURCE),
            f"max_worker_processes = {workers}",
            remedy=f"{source_kind(context).change('max_worker_processes', SERVICE_WORKERS)}.",
        )


def log_sample(context: Context) -> tuple:
    """Return C((seconds of a monotonic clock, bytes of log written so far)), read once."""
    return context.cached("log position", lambda: (time.monotonic(), log_position(context)))


def log_position(context: Context) -> int:
    """Return how many bytes of log the source has written since it was made."""
    name = "pg_current_wal_lsn" if context.major(SOURCE) >= 10 else "pg_current_xlog_location"
    high, low = context.server(SOURCE).value(f"SELECT pg_catalog.{name}()::text").split("/")
    return (int(high, 16) << 32) + int(low, 16)


def log_growth(context: Context):
    """How fast the log grows, and what a slot will keep of it until the base copy is done."""
    begun, before = log_sample(context)
    time.sleep(max(0.0, begun + GROWTH_SECONDS - time.monotonic()))
    seconds = time.monotonic() - begun
    rate = max(0, log_position(context) - before) / seconds
    copying = (
        service_seconds(source_bytes(context)) if context.by_service else context.estimate().get("seconds_high", 0)
    )
    kept = f"; a slot keeps {human_bytes(rate * copying)} of it while the base copy runs" if copying else ""
    found = f"{human_bytes(rate)}/s of log, {human_bytes(rate * 3600)} per hour (measured over {human_seconds(seconds)}){kept}"
    if rate > FAST_BYTES:
        yield violated(
            context.address(SOURCE), f"{found}; one session per database applies the changes and may never catch up"
        )
    else:
        yield fine(context.address(SOURCE), found, expected="room for that on the disk of the source's log")


def server_rule(**words) -> Rule:
    """Return a rule about the source's server in online mode."""
    return Rule(**{"level": "server", "side": SOURCE, "modes": ONLINE, "needs": ("source-reachable",), **words})


CONFIGURATION = "https://www.postgresql.org/docs/current/runtime-config-replication.html"

RULES = (
    server_rule(
        id="wal-level",
        title="The source's log can be decoded",
        look=wal_level,
        expected="wal_level = logical",
        remedy="Set wal_level = logical on the source and restart it.",
        documentation="https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-WAL-LEVEL",
        code="603107",
    ),
    server_rule(
        id="replication-slots",
        title="The source has free replication slots",
        look=slots,
        expected="one free slot per database",
        remedy="Raise max_replication_slots on the source and restart it.",
        documentation=CONFIGURATION,
        code="603105",
    ),
    server_rule(
        id="wal-senders",
        title="The source has free WAL senders",
        look=senders,
        expected="one free sender per database, and max_wal_senders not below max_replication_slots",
        remedy="Raise max_wal_senders on the source and restart it.",
        documentation=CONFIGURATION,
        code="603106",
    ),
    server_rule(
        id="replication-attribute",
        title="The source's user may replicate",
        look=replication_right,
        expected="the REPLICATION attribute, or rds_replication",
        remedy="ALTER ROLE ... REPLICATION on the source.",
        documentation="https://www.postgresql.org/docs/current/role-attributes.html",
        code="603104",
    ),
    server_rule(
        id="slot-wal-limit",
        title="A slot keeps the log as long as it is needed",
        look=kept_log,
        expected="max_slot_wal_keep_size = -1, or more than the log of the whole migration",
        remedy="Set max_slot_wal_keep_size = -1 on the source.",
        documentation=CONFIGURATION,
        clean="a slot keeps the log without limit",
        severity="warning",
    ),
    server_rule(
        id="wal-sender-timeout",
        title="The source keeps an idle replication connection",
        look=sender_timeout,
        expected="wal_sender_timeout = 0",
        remedy="Set wal_sender_timeout = 0 on the source.",
        documentation=CONFIGURATION,
        clean="wal_sender_timeout = 0",
        severity="warning",
        providers=AZURE,
    ),
    server_rule(
        id="worker-processes",
        title="The source has worker processes to spare",
        look=worker_processes,
        expected=f"max_worker_processes of {SERVICE_WORKERS} or more, as Microsoft advises",
        remedy="Raise max_worker_processes on the source and restart it.",
        documentation="https://learn.microsoft.com/azure/postgresql/flexible-server/concepts-logical",
        clean=f"{SERVICE_WORKERS} or more",
        severity="warning",
        providers=AZURE,
    ),
    server_rule(
        id="log-growth",
        who=APPLICATION,
        title="The source's log does not grow faster than it can be applied",
        look=log_growth,
        expected=f"less than {human_bytes(FAST_BYTES)}/s of log",
        remedy="Migrate in a quiet time, or lower the load while the migration catches up; see that the disk of the source's log "
        "has room for what a slot keeps.",
        documentation=CONFIGURATION,
        severity="warning",
        # Databases come in between: the two samples lie far apart without waiting.
        needs=("wal-level", "source-standby-online", "source-database-reachable"),
    ),
)
