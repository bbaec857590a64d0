# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A read-only session of a check."""

from __future__ import annotations

from .._postgres import connection as postgres


class Session:
    """One connection, its side and its database; every statement is its own read-only transaction."""

    def __init__(self, connection, side: str, database: str):
        self.connection = connection
        self.side = side
        self.database = database

    @property
    def closed(self) -> bool:
        """True when the server or the network has ended it, as far as the client knows."""
        return bool(self.connection.closed)

    def rows(self, sql: str, parameters=None) -> list:
        """Run I(sql) and return its rows as dictionaries."""
        return postgres.rows(self.connection, sql, parameters)

    def value(self, sql: str, parameters=None):
        """Run I(sql) and return the first column of its first row, or None."""
        return postgres.value(self.connection, sql, parameters)

    def transport(self) -> dict:
        """Return C({encrypted, protocol, cipher, local}) of the connection, as the client library knows it."""
        info = self.connection.info
        host = info.host or ""
        return {
            "encrypted": bool(info.ssl_in_use),
            "protocol": info.ssl_attribute("protocol") if info.ssl_in_use else None,
            "cipher": info.ssl_attribute("cipher") if info.ssl_in_use else None,
            "local": host.startswith(("/", "127.")) or host in ("", "localhost", "::1"),
        }

    def close(self) -> None:
        """End the session."""
        self.connection.close()
