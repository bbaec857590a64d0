# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the sessions that load the target, as far as its user may choose them."""

from __future__ import annotations

from .._postgres.connection import rows
from .._postgres.driver import psycopg2
from .contents import HEAP

REPLICA = "session_replication_role"
COMPRESSION = "default_toast_compression"
MOST_BUILD_BYTES = 1 << 30  # an index rarely gains by more
OWN_MEMORY = """
SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) AS shared,
       pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')) AS own
"""


def choose(target, options: dict, standard_conforming_strings: str) -> dict:
    """Return C({name: value}) for the workers' sessions; the session I(target) is asked and keeps its own settings.

    :param options: of the migration: jobs, maintenance_work_mem, foreign_keys, toast_compression
    :param standard_conforming_strings: under which the schema's texts mean what they say
    """
    settings = {
        "synchronous_commit": "off",
        "maintenance_work_mem": options.get("maintenance_work_mem") or build_memory(target, options["jobs"]),
        "standard_conforming_strings": standard_conforming_strings,
        "check_function_bodies": "off",
        "client_min_messages": "error",  # see relay.Receiver
        "default_tablespace": "",
    }
    if target.server_version >= 120000:
        settings["default_table_access_method"] = HEAP
    if options.get("foreign_keys", "auto") == "auto" and may_set(target, REPLICA, "replica"):
        settings[REPLICA] = "replica"
    compress = options.get("toast_compression", "lz4") == "lz4" and target.server_version >= 140000
    if compress and may_set(target, COMPRESSION, "lz4"):
        settings[COMPRESSION] = "lz4"
    return settings


def build_memory(target, jobs: int) -> str:
    """Return the memory for each session that builds indexes, in PostgreSQL's words.

    How much a server has cannot be asked of it. Its shared buffers are about a quarter of it wherever somebody has cared,
    as on managed servers; the sessions share as much again, of which those that copy meanwhile need nothing.
    """
    found = rows(target, OWN_MEMORY)[0]
    return f"{max(found['own'], min(found['shared'] // jobs, MOST_BUILD_BYTES)) >> 10}kB"


def may_set(target, name: str, content: str) -> bool:
    """Return whether the user of a session may give a setting this value, and the server knows it."""
    with target.cursor() as cursor:
        try:
            cursor.execute(f"SET {name} TO {content}")
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.DataError):
            return False
        cursor.execute(f"RESET {name}")
    return True
