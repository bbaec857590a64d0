# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of a verification: several of one side and database that all see the same snapshot."""

from __future__ import annotations

from .._core.errors import ConnectionFailed, PreconditionFailed
from .._core.request import Endpoint, Request
from .._postgres.connection import connect, quiet_settings, rows, value
from .._postgres.driver import psycopg2
from .._postgres.fingerprint import check_canaries

# Reading needs ACCESS SHARE only; whoever keeps that away for longer (a VACUUM FULL, say) is named in the report.
LOCK_TIMEOUT = "30s"

ORPHANS = (
    "SELECT count(pg_catalog.pg_terminate_backend(a.pid)) FROM pg_catalog.pg_stat_activity a WHERE a.usename = current_user "
    "AND a.application_name = %s AND a.pid <> pg_catalog.pg_backend_pid()"
)

# From this version on every large table can be read in pieces, see M(pieces).
PIECES_SINCE = 140000
WORKERS = "max_parallel_workers_per_gather"


def settings(oldest_version: int) -> dict:
    """Return the session settings of both ends, given the older server's version.

    Until 11 floats print with up to 18 digits at extra_float_digits 3, from 12 on with as few as are exact; so text
    images compare at 15 digits when one end is that old. Binary images do not depend on it.
    """
    words = {**quiet_settings(), "lock_timeout": LOCK_TIMEOUT}
    if oldest_version >= 110000:
        words["jit"] = "off"  # there is none before
    if oldest_version < 120000:
        words["extra_float_digits"] = "0"
    return words


def application_name(side: str, run: str) -> str | None:
    """Return the name under which a server shows the sessions of a run; None for a run without a name."""
    return f"azpg.migrate {side} verification {run}" if run else None


def open_session(endpoint: Endpoint, side: str, dbname: str, words: dict, run: str = ""):
    """Open a session for reading: one transaction, repeatable read, read only, begun with its first statement.

    :param run: whose session it is, see M(application_name)
    """
    connection = connect(endpoint, side, dbname, settings=words, application_name=application_name(side, run))
    if connection.server_version >= PIECES_SINCE:
        # Sessions share the work by pieces; workers beside them would be more than anybody asked for. And a query whose
        # client has died ends soon.
        value(
            connection,
            f"SELECT pg_catalog.set_config('{WORKERS}', '0', false), CASE WHEN pg_catalog.version() ~ 'linux' "
            "THEN pg_catalog.set_config('client_connection_check_interval', '2s', false) END",
        )
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
    return connection


def settle(session, words: dict) -> None:
    """Apply settings to the transaction that I(session) is in, which a pooler cannot take away between two of them."""
    words = {**words, "client_encoding": "UTF8"}
    if session.server_version >= PIECES_SINCE:
        words[WORKERS] = "0"
    if session.server_version >= 170000:
        words["transaction_timeout"] = "0"
    calls = ", ".join(["pg_catalog.set_config(%s, %s, true)"] * len(words))
    with session.cursor() as cursor:
        cursor.execute(f"SELECT {calls}", [text for item in words.items() for text in item])


def end_orphans(request: Request, run: str) -> int:
    """End what a run that has died has left at work on both servers, and return how much that was.

    Before 14 a server notices only when a query ends that nobody waits for it any more.
    """
    ended = 0
    for side, endpoint in (("source", request.source), ("target", request.target)):
        session = connect(endpoint, side, endpoint.dbname or request.databases[0])
        try:
            ended += value(session, ORPHANS, (application_name(side, run),))
        finally:
            session.close()
    return ended


class Snapshot:
    """Up to I(jobs) sessions of one side and database under one exported snapshot; a context manager.

    C(leader) is the session that exported it. C(position) is what the snapshot saw: C({id, xmax, xip}), the last two
    as decimal strings and list of them. C(counters) are the statistics read before the snapshot was taken, so that
    whatever was written after it shows as a difference from them.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        side: str,
        dbname: str,
        jobs: int,
        words: dict,
        before=None,
        checked: bool = True,
        run: str = "",
    ):
        """I(checked) asks for proof that the server computes the known hashes; I(run) as in M(open_session)."""
        self.side, self.dbname, self.run = side, dbname, run
        self.sessions = []
        try:
            self.leader = open_session(endpoint, side, dbname, words, run)
            self.sessions.append(self.leader)
            self.before = before(self.leader) if before else None
            self.leader.rollback()
            self._export(endpoint, words, jobs)
            if checked and not all(check_canaries(session) for session in self.sessions):
                raise PreconditionFailed(
                    f"The {side} computes other hashes than the servers that this was tested with (another byte "
                    "order, or a changed hash function), so fingerprints would mean nothing.",
                    "Compare with 'check: counts', or move the data to a server whose hashes are the known ones.",
                )
        except BaseException:
            self.close()
            raise

    def _export(self, endpoint: Endpoint, words: dict, jobs: int) -> None:
        new = "pg_current_snapshot()" if self.leader.server_version >= 130000 else "txid_current_snapshot()"
        prefix = "pg_snapshot" if self.leader.server_version >= 130000 else "txid_snapshot"
        seen = rows(
            self.leader,
            f"SELECT {new}::text AS id, {prefix}_xmax({new})::text AS xmax, "
            f"ARRAY(SELECT x::text FROM {prefix}_xip({new}) x) AS xip",
        )[0]
        self.position = seen
        settle(self.leader, words)
        if jobs > 1:
            exported = value(self.leader, "SELECT pg_export_snapshot()")
            for _number in range(jobs - 1):
                try:
                    session = open_session(endpoint, self.side, self.dbname, words, self.run)
                except ConnectionFailed as error:
                    if error.details["cause"] != "slots":
                        raise
                    return  # the sessions that are there do all of the work
                self.sessions.append(session)
                with session.cursor() as cursor:
                    cursor.execute("SET TRANSACTION SNAPSHOT %s", (exported,))
                settle(session, words)

    def allow_workers(self) -> None:
        """Let the leader's queries use parallel workers again; for the rest of its transaction it works alone."""
        if self.leader.server_version >= PIECES_SINCE:  # nobody has taken them away from the others
            with self.leader.cursor() as cursor:
                cursor.execute(f"SET LOCAL {WORKERS} TO DEFAULT")

    def close(self) -> None:
        """End every session."""
        for session in self.sessions:
            try:
                session.close()
            except psycopg2.Error:
                continue

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_unused) -> None:
        self.close()
