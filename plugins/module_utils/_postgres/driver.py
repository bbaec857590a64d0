# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""psycopg2, imported in one place."""

from __future__ import annotations

import sys

from .._core.errors import DependencyMissing

MINIMUM = (2, 9)

try:
    import psycopg2
    import psycopg2.extensions
    import psycopg2.extras
    import psycopg2.sql

    IMPORT_ERROR = None
except ImportError as error:  # the sanity tests and `ansible-doc` import this file without the library
    psycopg2 = None
    IMPORT_ERROR = str(error)


def driver_version() -> str | None:
    """Return the version of psycopg2, for example C(2.9.9), or None when it cannot be imported."""
    return psycopg2.__version__.split(" ")[0] if psycopg2 else None


def require_driver() -> None:
    """Make sure that psycopg2 is there and new enough.

    :raises DependencyMissing: naming the interpreter that lacks it, the version found and the one expected
    """
    wanted = ".".join(map(str, MINIMUM))
    remedy = (
        f"Install it for that interpreter: '{sys.executable} -m pip install psycopg2-binary', or the package "
        "python3-psycopg2 of the distribution; or point ansible_python_interpreter at one that has it."
    )
    if psycopg2 is None:
        raise DependencyMissing(f"{sys.executable} has no psycopg2 >= {wanted} ({IMPORT_ERROR}).", remedy)
    version = driver_version()
    if tuple(int(part) for part in version.split(".")[:2]) < MINIMUM:
        raise DependencyMissing(f"{sys.executable} has psycopg2 {version}, expected >= {wanted}.", remedy)
