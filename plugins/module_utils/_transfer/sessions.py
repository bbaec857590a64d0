# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of one run of the engine: recognisable on both servers, and noticed there when this end is gone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from dataclasses import dataclass

from .._core.errors import ConnectionFailed
from .._core.request import Request
from .._postgres.connection import connect, quiet_settings
from .._postgres.driver import psycopg2
from .process import boot_id, start_time

# Without these a server would take two hours to notice that a client has vanished, and keep its locks as long.
# TCP_USER_TIMEOUT is not among them: it would also end a connection whose other end is alive and only slow to read.
NOTICE_DEAD_CLIENT = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "6"}
CHECK_INTERVAL = ("client_connection_check_interval", "2s")  # from 14 on: a long statement notices too
OPEN_SECONDS = 60  # libpq gives each address of a server 15 seconds
LABEL_BYTES = 63  # what a server keeps of an application name


def host_id() -> str:
    """Return eight characters that stand for this boot of this host, and for the container if that is what it is."""
    return hashlib.sha256(f"{boot_id()} {os.readlink('/proc/self/ns/pid')}".encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Runner:
    """The process that runs a migration, as the application names of its sessions tell."""

    host: str
    pid: int
    started: int

    @classmethod
    def of_this_process(cls) -> Runner:
        """Return the calling process."""
        return cls(host_id(), os.getpid(), start_time(os.getpid()))

    @classmethod
    def parse(cls, text: str) -> Runner | None:
        """Return the runner that C(HOST.PID.START) names, None for other text."""
        parts = text.split(".")
        try:
            return cls(parts[0], int(parts[1], 16), int(parts[2], 16)) if len(parts) == 3 else None
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.host}.{self.pid:x}.{self.started:x}"

    @property
    def is_here(self) -> bool:
        """Whether this process could see the runner if it lived."""
        return self.host == host_id()

    @property
    def is_alive(self) -> bool:
        """Whether the runner lives; asked of one that is here."""
        return start_time(self.pid) == self.started


class Sessions:
    """Opens sessions for one runner of one migration.

    Their application names are C(azpg.migrate SIDE MIGRATION.HOST.PID.START ROLE), where MIGRATION stands for name and
    request; so whatever a runner left behind on a server can be told from everybody else's work.
    """

    def __init__(self, request: Request, runner: Runner | None = None):
        self.request = request
        self.runner = runner or Runner.of_this_process()
        self.migration = hashlib.sha256(f"{request.name} {request.hash}".encode()).hexdigest()[:8]

    def family(self, side: str) -> str:
        """Return how the application names of all runners of this migration begin."""
        return f"azpg.migrate {side} {self.migration}."

    def label(self, side: str, role: str) -> str:
        """Return the application name of this runner's session for I(role)."""
        return f"{self.family(side)}{self.runner} {role}"[:LABEL_BYTES]

    def endpoint(self, side: str):
        """Return the server of a side."""
        return self.request.source if side == "source" else self.request.target

    def open(
        self,
        side: str,
        database: str | None = None,
        *,
        role: str = "control",
        settings: dict | None = None,
        replication: bool = False,
    ):
        """Open a session in which no time limit of an administrator holds; I(replication) makes it one for those commands.

        libpq limits the time of connecting, but nothing limits the first questions after it, and nobody looks after a
        session that is not open yet. So a thread does it, and is left to itself when it takes too long.

        :raises ConnectionFailed: see M(connect)
        """
        settings = {**quiet_settings(), **NOTICE_DEAD_CLIENT, **(settings or {})}
        outcome: list = []
        late = threading.Event()

        def connecting() -> None:
            try:
                session = self.connect(side, database, self.label(side, role), settings, replication)
                if late.is_set():
                    session.close()
                outcome.append(session)
            except BaseException as error:
                outcome.append(error)

        thread = threading.Thread(target=connecting, name=f"connecting to the {side}", daemon=True)
        thread.start()
        thread.join(OPEN_SECONDS)
        if not outcome:
            late.set()
            raise ConnectionFailed(
                f"The {side} {self.endpoint(side).address} has not answered within {OPEN_SECONDS} s.",
                "Check the network between this host and the server.",
                {"side": side, "cause": "timeout", "server": self.endpoint(side).address},
            )
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    def connect(self, side: str, database: str | None, label: str, settings: dict, replication: bool = False):
        """Open a session and let the server look after its client."""
        session = connect(
            self.endpoint(side), side, database, settings=settings, application_name=label, replication=replication
        )
        if session.server_version >= 140000:
            # Some systems cannot tell, and then the server refuses the setting.
            with contextlib.suppress(psycopg2.DataError), session.cursor() as cursor:
                cursor.execute("SELECT pg_catalog.set_config(%s, %s, false)", CHECK_INTERVAL)
        return session
