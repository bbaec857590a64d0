# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all rules of one run share: the request, one session per server and database, and what has been read."""

from __future__ import annotations

from .._core.errors import ConnectionFailed
from .._core.layout import Layout
from .._core.request import Endpoint, Request
from .._postgres import connection as postgres
from . import catalogue
from .session import Session

SOURCE = "source"
TARGET = "target"
MINIMUM_FREE_BYTES = 200 * 1000 * 1000

# Failures that concern the server or the user as such, so that trying another database would be of no use.
SERVER_CAUSES = ("name", "refused", "timeout", "password", "role", "tls", "slots", "starting", "other")


class Context:
    """Opens sessions lazily, one per side and database and few at a time; remembers failures, caches catalogue reads.

    :param bin_directory: where the client programs are; None looks in the usual places
    :param own_databases: databases on the target that this very migration has created before
    :param resuming: True when the migration has begun before
    :param jobs: how many sessions per side the transfer will use
    :param minimum_free_bytes: room that the state directory needs at least
    :param free_share: room that it needs as a share of the source's bytes
    :param open_sessions: how many sessions per side are kept open at most
    :param overwrite: databases on the target that the service is told to replace
    :param estimator: called without arguments, gives what C(_transfer.estimate) says of the request; None knows nothing
    :param probes: names of what may be tried out on the target, see C(probes.PROBES)
    :param control_plane: what rules about Azure's resources ask; None when there is nothing to ask
    """

    def __init__(
        self,
        request: Request,
        layout: Layout,
        *,
        bin_directory: str | None = None,
        own_databases=frozenset(),
        resuming: bool = False,
        jobs: int = 4,
        minimum_free_bytes: int = MINIMUM_FREE_BYTES,
        free_share: float = 0.01,
        open_sessions: int = 4,
        overwrite=frozenset(),
        estimator=None,
        probes=frozenset(),
        control_plane=None,
    ):
        self.request = request
        self.layout = layout
        self.bin_directory = bin_directory
        self.own_databases = frozenset(own_databases)
        self.resuming = resuming
        self.jobs = jobs
        self.minimum_free_bytes = minimum_free_bytes
        self.free_share = free_share
        self.open_sessions = open_sessions
        self.overwrite = frozenset(overwrite)
        self.estimator = estimator
        self.probes = frozenset(probes)
        self.control_plane = control_plane
        # What probes made on the target and took away again, in words.
        self.written: list = []
        self._sessions: dict = {}
        self._failures: dict = {}
        self._reached: set = set()
        self._cache: dict = {}

    def endpoint(self, side: str) -> Endpoint:
        """Return how the request says to connect to I(side)."""
        return self.request.source if side == SOURCE else self.request.target

    def address(self, side: str) -> str:
        """Return the server of I(side) as people name it."""
        return self.endpoint(side).address

    def user(self, side: str) -> str:
        """Return the name of the user that is logged in on I(side)."""
        return self.identity(side)["user_name"]

    def session(self, side: str, database: str) -> Session:
        """Return the session in I(database); a failure is remembered and raised again, never tried again.

        :raises ConnectionFailed: what C(_postgres.connection.connect) said
        """
        key = (side, database)
        for failed in (side, key):
            if failed in self._failures:
                raise self._failures[failed]
        session = self._sessions.pop(key, None)
        if session is None or session.closed:
            self.make_room(side)
            try:
                connection = postgres.connect(self.endpoint(side), side, database, settings=catalogue.SETTINGS)
            except ConnectionFailed as error:
                alone = side not in self._reached and error.details["cause"] in SERVER_CAUSES
                self._failures[side if alone else key] = error
                raise
            session = Session(connection, side, database)
            self._reached.add(side)
        # The most recently used one is the last.
        self._sessions[key] = session
        return session

    def give_up(self, side: str, why: str) -> None:
        """Have no session of I(side) tried from now on: nobody waits twice for what does not answer."""
        words = {"side": side, "cause": "other", "server": self.address(side), "database": "", "user": None}
        self._failures.setdefault(side, ConnectionFailed(f"The {side} was not asked: {why}", "", words))

    def make_room(self, side: str) -> None:
        """Close the sessions of I(side) that have not been used for longest, so that one more may be opened."""
        mine = [key for key in self._sessions if key[0] == side]
        for key in mine[: max(0, len(mine) - self.open_sessions + 1)]:
            self._sessions.pop(key).close()

    def server(self, side: str) -> Session:
        """Return a session for what concerns the whole server, in whichever of the known databases lets it in.

        :raises ConnectionFailed: the first failure, when none does
        """
        first = None
        for database in dict.fromkeys((self.endpoint(side).dbname or "postgres", *self.request.databases)):
            try:
                return self.session(side, database)
            except ConnectionFailed as error:
                first = first or error
                if error.details["cause"] in SERVER_CAUSES:
                    break
        raise first

    def close(self) -> None:
        """Close every session; whoever asks again gets another one."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def cached(self, key, read):
        """Return what I(read()) gave the first time that I(key) was asked for."""
        if key not in self._cache:
            self._cache[key] = read()
        return self._cache[key]

    def identity(self, side: str) -> dict:
        """Return version, user and state of the server, see C(catalogue.IDENTITY)."""
        return self.cached(("identity", side), lambda: self.server(side).rows(catalogue.IDENTITY)[0])

    def major(self, side: str) -> int:
        """Return the major version; 9.5 and 9.6 give 9."""
        return self.identity(side)["version_number"] // 10000

    def version(self, side: str) -> str:
        """Return the version as people write it, for example C(17.11)."""
        return self.identity(side)["version"].split(" ")[0]

    def databases(self, side: str) -> dict:
        """Return every database of the server by name, see C(catalogue.databases)."""
        return self.cached(
            ("databases", side),
            lambda: {row["name"]: row for row in self.server(side).rows(catalogue.databases(self.major(side)))},
        )

    def roles(self, side: str) -> dict:
        """Return every role of the server by name, see C(catalogue.ROLES)."""
        return self.cached(
            ("roles", side), lambda: {row["name"]: row for row in self.server(side).rows(catalogue.ROLES)}
        )

    def relations(self, database: str) -> list:
        """Return the user's tables, sequences, views and so on of a source database, see C(catalogue.RELATIONS)."""
        return self.cached(("relations", database), lambda: self.session(SOURCE, database).rows(catalogue.RELATIONS))

    def forget(self, database: str) -> None:
        """Let go of what has a row per relation of a database that no rule will look at again."""
        self._cache.pop(("relations", database), None)

    def rows(self, side: str, database: str, sql: str, parameters=None) -> list:
        """Run I(sql) in I(database) of I(side)."""
        return self.session(side, database).rows(sql, parameters)

    def cached_rows(self, side: str, database: str, sql: str) -> list:
        """Run I(sql) in I(database) of I(side) once; later calls get the same list."""
        return self.cached((side, database, sql), lambda: self.rows(side, database, sql))

    def estimate(self) -> dict:
        """Return what the transfer engine expects of time and disk; an empty dictionary when nobody can say."""

        def read() -> dict:
            if not self.estimator:
                return {}
            self.close()  # it has sessions of its own
            return self.estimator() or {}

        return self.cached("estimate", read)

    @property
    def by_service(self) -> bool:
        """True when Azure's service carries the data, not this collection's own engine."""
        return self.request.provider == "azure"

    def is_superuser(self, side: str) -> bool:
        """Tell whether the user of I(side) is a superuser."""
        return self.identity(side)["superuser"]

    def on_target(self, database: str) -> bool:
        """Tell whether I(database) exists on the target."""
        return database in self.databases(TARGET)
