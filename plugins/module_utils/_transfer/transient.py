# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which failures may pass by themselves."""

from __future__ import annotations

from .._core.errors import MigrationError
from .._postgres.driver import psycopg2

# Classes of SQLSTATE in which the same statement may succeed a moment later.
CLASSES = ("08", "40", "53", "57")
DISK_FULL = "53100"
# Causes of a failed connection that last until somebody does something; see M(connect).
LASTING_CAUSES = ("password", "database", "role", "hba", "connect-privilege")


def is_transient(error: BaseException) -> bool:
    """Return whether an error speaks of the connection or the moment rather than of the work."""
    if isinstance(error, MigrationError):
        if error.code == "connection-failed":
            return error.details.get("cause") not in LASTING_CAUSES
        return bool(error.details.get("transient"))
    if not isinstance(error, psycopg2.Error):
        return False
    if error.pgcode:
        return error.pgcode[:2] in CLASSES and error.pgcode != DISK_FULL
    # Of a connection that ends while rows or changes flow, libpq may have no words; then there is no class of its own either.
    return error.__class__ is psycopg2.DatabaseError or isinstance(
        error, (psycopg2.OperationalError, psycopg2.InterfaceError)
    )
