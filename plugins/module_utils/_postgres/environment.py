# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of client programs: every connection word reaches them, no secret touches argv or a disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .._core.request import Endpoint

# https://www.postgresql.org/docs/current/libpq-envars.html
VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "options": "PGOPTIONS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
}


def password_file_line(password: str) -> str:
    """Return a line of a password file that fits every connection.

    The escapes are those of https://www.postgresql.org/docs/current/libpq-pgpass.html.
    """
    return "*:*:*:*:" + password.replace("\\", "\\\\").replace(":", "\\:") + "\n"


@contextmanager
def client_environment(endpoint: Endpoint, dbname: str, application_name: str) -> Iterator[tuple[dict, tuple]]:
    """Yield C((environment, pass_fds)) for a libpq program started with M(subprocess).

    The password travels in an anonymous memory file (Linux), which the program opens as its password file through
    the inherited descriptor: it is in no argument, no environment variable and no file system, and gone with the
    last process that holds it. libpq wants a regular file that others cannot read, hence the C(fchmod).
    """
    words = endpoint.as_dict(secrets=True)
    password = words.pop("password", None)
    environment = {key: text for key, text in os.environ.items() if not key.startswith("PG")}
    environment.update({VARIABLES[word]: str(words[word]) for word in words if word in VARIABLES})
    environment.update(PGDATABASE=dbname, PGAPPNAME=application_name, PGCLIENTENCODING="UTF8")
    environment.setdefault("PGCONNECT_TIMEOUT", "15")
    if password is None:
        yield environment, ()
        return
    descriptor = os.memfd_create("password", 0)
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, password_file_line(password).encode("utf-8"))
        environment["PGPASSFILE"] = f"/proc/self/fd/{descriptor}"
        yield environment, (descriptor,)
    finally:
        os.close(descriptor)
