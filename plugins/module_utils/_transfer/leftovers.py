# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a runner leaves on the servers when it dies: sessions that go on working, and hold locks, for nobody."""

from __future__ import annotations

from .._core.errors import ConnectionFailed, PreconditionFailed
from .._core.waiting import clock
from .probe import NoAnswer, ask
from .sessions import Runner, Sessions

SIDES = ("source", "target")
END_SECONDS = 20
# Servers notice within 90 seconds that the host of a session has vanished; see M(sessions.NOTICE_DEAD_CLIENT).
STRANGER_SECONDS = 120

SESSIONS_OF = """
SELECT a.pid, a.application_name AS label, a.client_addr::text AS address, a.backend_start::text AS since
  FROM pg_catalog.pg_stat_activity a
 WHERE a.usename = current_user AND pg_catalog.starts_with(a.application_name, %s) AND a.pid <> pg_catalog.pg_backend_pid()
"""
END = """
SELECT count(pg_catalog.pg_terminate_backend(a.pid)) AS number FROM pg_catalog.pg_stat_activity a
 WHERE a.usename = current_user AND a.pid = ANY (%s) AND pg_catalog.starts_with(a.application_name, %s)
"""


def runner_of(label: str, family: str) -> Runner | None:
    """Return the runner that an application name speaks of."""
    return Runner.parse(label[len(family) :].split(" ")[0])


def found_sessions(sessions: Sessions, side: str) -> list:
    """Return the sessions of all runners of this migration on a server, C([{pid, label, address, since, runner}]).

    :raises NoAnswer: when the server is silent
    :raises ConnectionFailed: when it lets nobody in
    """
    family = sessions.family(side)
    found = ask(sessions.endpoint(side), side, SESSIONS_OF, (family,))
    return [{**row, "runner": runner_of(row["label"], family)} for row in found]


def terminate(sessions: Sessions, side: str, pids: list) -> None:
    """Ask a server to end sessions of this migration.

    :raises NoAnswer, ConnectionFailed: as M(found_sessions)
    """
    if pids:
        ask(sessions.endpoint(side), side, END, (pids, sessions.family(side)))


def end_own_sessions(sessions: Sessions, runner: Runner, seconds: float = END_SECONDS) -> list:
    """End what one runner has at work on both servers and wait until it has ended.

    :return: sentences about what could not be made sure of
    """
    doubts = []
    for side in SIDES:
        try:
            for _elapsed in clock(seconds, 0.1):
                left = [row["pid"] for row in found_sessions(sessions, side) if row["runner"] == runner]
                if not left:
                    break
                terminate(sessions, side, left)
            else:
                doubts.append(f"Sessions of the migration have not ended on the {side}: processes {left}.")
        except (NoAnswer, ConnectionFailed) as error:
            words = " ".join(str(error).split())
            doubts.append(f"Whether all sessions of the migration have ended on the {side} could not be seen: {words}")
    return doubts


def clear_the_way(sessions: Sessions, journal, tick, seconds: float = STRANGER_SECONDS) -> None:
    """End what earlier runners of this migration left at work, and keep off when another host's runner lives.

    The lock on this host is held by the caller, but a runner of the same migration may live on another host, or under
    another state directory; from here only its sessions are to be seen.

    :raises PreconditionFailed: naming the other runner's process, host and start
    :raises ConnectionFailed: when a server lets nobody in, or is silent
    """
    for side in SIDES:
        said = False
        others: list = []
        for _elapsed in clock(seconds, 1):
            tick()
            try:
                found = [row for row in found_sessions(sessions, side) if row["runner"] != sessions.runner]
            except NoAnswer as error:
                where = sessions.endpoint(side).address
                raise ConnectionFailed(
                    f"The {side} {where} does not answer: {error}", "", {"side": side, "cause": "timeout"}
                ) from None
            dead = [
                row for row in found if row["runner"] is None or (row["runner"].is_here and not row["runner"].is_alive)
            ]
            others = [row for row in found if row not in dead]
            terminate(sessions, side, [row["pid"] for row in dead])
            here = [row for row in others if row["runner"].is_here]
            if here or not others:
                others = here
                if not here and dead:
                    continue  # once more, until they are gone
                break
            if not said:
                said = True
                journal.event(f"Sessions of this migration from another host are on the {side}; waiting for their end.")
        if others:
            one = others[0]
            place = "this host" if one["runner"].is_here else f"host {one['address'] or 'of the server itself'}"
            raise PreconditionFailed(
                f"Another engine runs migration {sessions.request.name}: process {one['runner'].pid} on {place}, "
                f"with a session on the {side} since {one['since']}.",
                "Cancel it there first. If that host is lost, its sessions end by themselves within two minutes.",
                {"side": side, "pid": one["runner"].pid, "host": one["address"], "since": one["since"]},
            )
