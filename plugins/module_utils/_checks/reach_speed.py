# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: how long a question takes, and how many bytes per second come through, without reading or writing a table."""

from __future__ import annotations

import statistics
import time

from .._core.errors import ConnectionFailed
from .._core.units import human_bytes, human_seconds
from .context import SOURCE, TARGET, Context
from .rule import Rule, blind, fine, violated
from .sizes import source_bytes

ROUNDS = 9
SLOW_SECONDS = 0.1
# A measurement ends after so long, or when so much went through.
MEASURED_SECONDS = 1.0
MEASURED_BYTES = 64 << 20
PIECE = 1 << 20
# More than that for all data at the measured rate deserves a thought before the migration begins.
LONG_SECONDS = 8 * 3600.0


class Counter:
    """A file that counts what is written to it, and ends the reading when time or bytes are up."""

    def __init__(self):
        self.begun = time.monotonic()
        self.taken = 0

    def write(self, data) -> int:
        """Count, and keep nothing."""
        self.taken += len(data)
        return len(data)


def round_trips(context: Context, side: str) -> float:
    """Return the median of the seconds that a question without work takes on an open session."""
    session = context.server(side)
    taken = []
    for _number in range(ROUNDS):
        begun = time.monotonic()
        session.value("SELECT 1")
        taken.append(time.monotonic() - begun)
    return statistics.median(taken)


def latency(side: str):
    """Return the look of the rule about the time between a question and its answer."""

    def look(context: Context):
        seconds = round_trips(context, side)
        found = f"{human_seconds(seconds)} for a question and its answer (median of {ROUNDS})"
        if seconds > SLOW_SECONDS:
            yield violated(context.address(side), f"{found}; every object costs several of them")
        else:
            yield fine(context.address(side), found)

    return look


def download(context: Context) -> tuple:
    """Return C((bytes, seconds)) of rows that the source makes up and sends, in pieces until time or bytes are up."""
    session = context.server(SOURCE)
    counter, rows = Counter(), 4
    with session.connection.cursor() as cursor:
        while counter.taken < MEASURED_BYTES and time.monotonic() - counter.begun < MEASURED_SECONDS:
            cursor.copy_expert(
                f"COPY (SELECT pg_catalog.repeat('0123456789abcdef', 4096) FROM pg_catalog.generate_series(1, {rows})) TO STDOUT",
                counter,
            )
            rows = min(rows * 4, 256)
    return counter.taken, time.monotonic() - counter.begun


def upload(context: Context) -> tuple:
    """Return C((bytes, seconds)) of constants that the target reads and forgets."""
    session = context.server(TARGET)
    begun, given, size = time.monotonic(), 0, 1 << 15
    while given < MEASURED_BYTES and time.monotonic() - begun < MEASURED_SECONDS:
        session.value("SELECT pg_catalog.length(%s)", ("0123456789abcdef" * (size >> 4),))
        given += size
        size = min(size * 4, PIECE)
    return given, time.monotonic() - begun


def throughput(side: str):
    """Return the look of the rule about the bytes per second of one session."""

    def look(context: Context):
        if side == TARGET:
            logged = context.server(side).value("SELECT pg_catalog.current_setting('log_statement')")
            if logged == "all":
                yield blind(
                    context.address(side),
                    "the target logs every statement (log_statement = all), so megabytes of them are not sent for a measurement",
                    remedy="On the target, for the time of the checks: ALTER ROLE the user SET log_statement = 'none';",
                )
                return
        size, seconds = download(context) if side == SOURCE else upload(context)
        rate = size / seconds
        found = f"{human_bytes(rate)}/s with one session"
        try:
            total = source_bytes(context)
        except ConnectionFailed:  # which has a finding of its own
            yield fine(context.address(side), found)
            return
        needed = total / rate
        if needed > LONG_SECONDS:
            yield violated(
                context.address(side),
                f"{found}: {human_bytes(total)} take {human_seconds(needed)} at that rate",
                expected=f"all data within {human_seconds(LONG_SECONDS)}",
            )
        else:
            yield fine(
                context.address(side), f"{found}; {human_bytes(total)} take {human_seconds(needed)} at that rate"
            )

    return look


def rules(side: str) -> tuple:
    """Return the rules about the speed of the way to I(side)."""
    nearer = "Run this from a host nearer to both ends: the host that carries the data should stand beside the target."
    return (
        Rule(
            id=f"{side}-latency",
            title=f"The {side} answers quickly",
            level="network",
            side=side,
            look=latency(side),
            expected=f"less than {human_seconds(SLOW_SECONDS)} from the host that executes this task",
            remedy=nearer,
            documentation="https://www.postgresql.org/docs/current/libpq-pipeline-mode.html",
            severity="warning",
            needs=(f"{side}-reachable",),
        ),
        Rule(
            id=f"{side}-throughput",
            title=f"The network to the {side} carries enough",
            level="network",
            side=side,
            look=throughput(side),
            expected="a rate at which the data arrive in reasonable time",
            remedy=f"{nearer} Several sessions carry more than one ('jobs'); look at the bandwidth of VPN, gateway and machines.",
            documentation="https://learn.microsoft.com/azure/postgresql/migrate/migration-service/"
            "best-practices-migration-service-postgresql",
            severity="warning",
            needs=(f"{side}-reachable",),
        ),
    )


RULES = (*rules(SOURCE), *rules(TARGET))
