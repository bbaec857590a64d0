# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A question to a server with a deadline for everything: connecting, asking, and the answer."""

from __future__ import annotations

import select
import time

from .._core.request import Endpoint
from .._postgres.connection import connection_words, failure
from .._postgres.driver import psycopg2, require_driver

SILENT = ("timeout", "refused", "name")


class NoAnswer(Exception):
    """The server is silent: nothing came back in time, or nobody listens."""


def wait_until(connection, deadline: float) -> None:
    """Drive an asynchronous connection until it is at rest.

    :raises NoAnswer: when that takes longer than to I(deadline), in the seconds of a monotonic clock
    """
    while True:
        state = connection.poll()
        if state == psycopg2.extensions.POLL_OK:
            return
        reading = [connection] if state == psycopg2.extensions.POLL_READ else []
        writing = [connection] if state == psycopg2.extensions.POLL_WRITE else []
        left = deadline - time.monotonic()
        if left <= 0 or not any(select.select(reading, writing, [], left)):
            raise NoAnswer("no answer in time")


def ask(endpoint: Endpoint, side: str, sql: str, parameters=None, *, seconds: float = 10, label: str = "") -> list:
    """Ask over a connection of its own, in the endpoint's database, and return rows as dictionaries.

    :raises NoAnswer: when the server is silent
    :raises ConnectionFailed: when it answers, but lets nobody in
    """
    require_driver()
    deadline = time.monotonic() + seconds
    words = connection_words(endpoint, None, label or f"azpg.migrate {side}")
    connection = None
    try:
        connection = psycopg2.connect(**words, client_encoding="UTF8", async_=True)
        wait_until(connection, deadline)
        cursor = connection.cursor()
        cursor.execute(sql, parameters)
        wait_until(connection, deadline)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]
    except psycopg2.Error as error:
        problem = failure(endpoint, side, words["dbname"], str(error))
        if problem.details["cause"] in SILENT or "closed the connection" in str(error) or "SSL SYSCALL" in str(error):
            raise NoAnswer(" ".join(str(error).split())) from None
        raise problem from None
    finally:
        if connection is not None:
            connection.close()
