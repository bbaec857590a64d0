# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether counters that stand still prove that nothing was written: only if all that was written has arrived in them.

Sessions may keep counters to themselves while they live (up to a minute, before 15 until their next statement), and hand
them over before they leave the list of sessions. So that list is read first, and the counters afterwards; the other way
round, a session that leaves between the two would go unnoticed with what it wrote.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Callable

from .._core.waiting import clock
from .._postgres.connection import rows

# How long sessions that are about to leave are waited for, in seconds; what stays makes the counters tell nothing.
LEAVE = 2.0
# Before 15, what a session hands over when it leaves passes a process that brings out new numbers twice a second.
COLLECTED = 1.0
SHARED_MEMORY_SINCE = 150000

# Server processes without a user are no writers.
SESSIONS = (
    "SELECT datname::text AS name, pg_catalog.bool_or(state IS DISTINCT FROM 'idle' OR state_change IS NULL) AS busy, "
    "pg_catalog.max(state_change) AS last FROM pg_catalog.pg_stat_activity "
    "WHERE datname = ANY (%s::name[]) AND usesysid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid() "
    "AND pid <> ALL (%s::int[]) GROUP BY 1"
)
ALWAYS = datetime.max.replace(tzinfo=timezone.utc)


def moment(words: str | None) -> datetime:
    """Return the moment that a write position was taken at; the beginning of time for one that does not say."""
    if not words:
        return datetime.min.replace(tzinfo=timezone.utc)
    return datetime.strptime(words, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def await_counters(connection, databases, since: datetime, own=(), sleep: Callable = time.sleep) -> dict:
    """Wait until counters that are read from now on hold all that sessions which have left have written.

    Return C({database: moment}), when the newest of the sessions that are still there did something; M(counters_tell)
    wants it. The write position must have been taken before, and the counters must be read afterwards.

    :param connection: in autocommit mode, to any database of the server
    :param since: what sessions did before that moment is of no interest
    :param own: process numbers of sessions that are known to write nothing
    """
    found: dict = {}
    for _elapsed in clock(LEAVE, 0.05, sleep=sleep):
        found = {
            row["name"]: ALWAYS if row["busy"] else row["last"]
            for row in rows(connection, SESSIONS, (list(databases), list(own)))
        }
        if not any(last > since for last in found.values()):
            break
    if connection.server_version < SHARED_MEMORY_SINCE:
        sleep(COLLECTED)
    return found


def counters_tell(entry: dict, stored: dict, live: dict, now: dict, last: datetime | None) -> bool:
    """Return whether counters that did not move prove that nothing was written to a database.

    :param entry: the earlier counters, as C(counters)
    :param stored: the write position that was taken before them
    :param live: the write position that was taken before I(now), the counters now
    :param last: when a session that is there did something last, of M(await_counters); None when there is none
    """
    return (
        stored.get("track_counts") == live.get("track_counts") == "on"
        and stored.get("postmaster_start") == live.get("postmaster_start")
        and entry["counters"].get("stats_reset") == now["stats_reset"]
        and bool(stored.get("taken_at"))
        and (last is None or last <= moment(stored["taken_at"]))
    )
