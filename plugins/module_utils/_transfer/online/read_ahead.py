# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many small encrypted messages with one call of the operating system.

The source encrypts and sends each change on its own. The TLS library that libpq uses reads each with two calls, one for the
head and one for the rest, unless it is told to take what has come. libpq has no option for that, but gives the library's
handle to whoever asks.
"""

from __future__ import annotations

import ctypes
from typing import Callable

from ..._postgres.driver import psycopg2


def nothing() -> bool:
    """Return that no message can lie between the operating system and libpq."""
    return False


def begin(connection) -> Callable[[], bool]:
    """Read ahead on a connection from now on, if it is encrypted by OpenSSL.

    :return: tells whether something may have been read that libpq has not seen: then waiting for the socket says nothing
    """
    try:
        # The functions of the libraries that psycopg2 was linked with, whichever others there are in the process.
        library = ctypes.PyDLL(psycopg2._psycopg.__file__)
        handle_of, read_ahead, has_pending = library.PQsslStruct, library.SSL_set_read_ahead, library.SSL_has_pending
    except (AttributeError, OSError):
        return nothing
    handle_of.argtypes, handle_of.restype = (ctypes.c_void_p, ctypes.c_char_p), ctypes.c_void_p
    read_ahead.argtypes, read_ahead.restype = (ctypes.c_void_p, ctypes.c_int), None
    has_pending.argtypes, has_pending.restype = (ctypes.c_void_p,), ctypes.c_int

    def handle() -> int | None:
        # Asked for anew each time: libpq frees what it had when it loses the server, and has none from then on.
        return None if connection.closed else handle_of(connection.pgconn_ptr, b"OpenSSL")

    if not handle():
        return nothing
    read_ahead(handle(), 1)

    def is_pending() -> bool:
        found = handle()
        return bool(found and has_pending(found))

    return is_pending
