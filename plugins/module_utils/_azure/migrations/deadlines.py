# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's deadlines: a migration lives for seven days, and waits for its cutover for three of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..._core import status
from ..._core.units import human_seconds
from . import identity
from .record import Record
from .words import parse_time, time_text

LIFETIME = timedelta(hours=168)
CUTOVER_WINDOW = timedelta(hours=72)
# How long before a deadline people are told.
NOTICE = timedelta(hours=24)


@dataclass(frozen=True)
class Deadlines:
    """When the service gives a record up: I(ends_by) for its life, I(cut_over_by) while it waits for cutover."""

    ends_by: datetime | None
    cut_over_by: datetime | None

    def as_dict(self) -> dict:
        """Return the moments as texts; None where there is none."""
        return {"ends_by": time_text(self.ends_by), "cut_over_by": time_text(self.cut_over_by)}


def deadlines_of(record: Record) -> Deadlines:
    """Return the deadlines of a record; those of an ended one are none.

    When the wait for cutover began is a tag that the module writes when it first sees it. Without the tag the window is
    counted from the beginning of the migration, which is early, but never late.
    """
    if not record.active or record.started is None:
        return Deadlines(None, None)
    waiting_since = None
    if record.state == status.REPLICATING:
        waiting_since = parse_time(record.tags.get(identity.REPLICATING_SINCE)) or record.started
    ends_by = record.started + LIFETIME
    return Deadlines(ends_by, min(waiting_since + CUTOVER_WINDOW, ends_by) if waiting_since else None)


def warnings_of(record: Record, now: datetime) -> list:
    """Return a sentence for each deadline that is near or has passed."""
    found = deadlines_of(record)
    warnings = []
    if found.cut_over_by and found.cut_over_by - now <= NOTICE:
        guessed = "" if identity.REPLICATING_SINCE in record.tags else " at the earliest"
        warnings.append(
            f"{record.name} waits for its cutover, and the service gives up at {time_text(found.cut_over_by)}{guessed}: "
            f"{remaining(found.cut_over_by - now)}. Complete it with 'state: completed'."
        )
    elif found.ends_by and found.ends_by - now <= NOTICE:
        warnings.append(
            f"{record.name} runs for nearly seven days, and the service ends it at {time_text(found.ends_by)}: "
            f"{remaining(found.ends_by - now)}."
        )
    return warnings


def remaining(left: timedelta) -> str:
    """Return how much time is left, in words."""
    return f"{human_seconds(left.total_seconds())} left" if left > timedelta(0) else "that has passed"
