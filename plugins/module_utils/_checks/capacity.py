# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: is there room, on disk and in the servers' fixed-size tables?"""

from __future__ import annotations

import os

from .._core.units import count_of, human_bytes
from .context import SOURCE, TARGET, Context
from .rule import HOST, Rule, fine, violated
from .sizes import source_bytes

VOLATILE = ("tmpfs", "ramfs", "overlay", "aufs")
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs")


def existing_ancestor(path: str) -> str:
    """Return I(path) or the closest directory above it that exists."""
    path = os.path.realpath(path)
    while not os.path.isdir(path):
        parent = os.path.dirname(path)
        if parent == path:
            break
        path = parent
    return path


def file_system(path: str, mounts: str = "/proc/self/mountinfo") -> tuple:
    """Return C((type, mount point)) of the file system that holds I(path); empty texts where it cannot be told."""
    best = ("", "")
    try:
        with open(mounts, encoding="utf-8", errors="replace") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return best
    for line in lines:
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if not dash or len(fields) < 5:
            continue
        # The kernel writes blanks and backslashes of a path as octal escapes; a later mount hides an earlier one.
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[1]):
            best = (after.split(" ")[0], point)
    return best


def state_room(context: Context):
    """The state directory can be written and has room."""
    wanted = context.layout.directory
    directory = existing_ancestor(wanted)
    if not os.access(directory, os.W_OK | os.X_OK):
        yield violated(
            wanted,
            f"{directory} cannot be written by user id {os.geteuid()}",
            remedy=f"Make {directory} writable for the user that executes the task, or set 'state_directory'.",
        )
        return
    information = os.statvfs(directory)
    free = information.f_bavail * information.f_frsize
    source = source_bytes(context)
    needed = max(context.minimum_free_bytes, int(source * context.free_share))
    expected = f"{human_bytes(needed)} free, for schema dumps, journal and reports"
    found = f"{human_bytes(free)} free in {directory}"
    if free < needed:
        yield violated(
            wanted,
            found,
            expected=expected,
            remedy=f"Free at least {human_bytes(needed - free)} there, or set 'state_directory' to a larger disk.",
        )
    else:
        yield fine(wanted, found, expected=expected)


def state_file_system(context: Context):
    """The state directory survives a restart and is local."""
    kind, point = file_system(existing_ancestor(context.layout.directory))
    if kind in VOLATILE:
        yield violated(
            context.layout.directory,
            f"it lies on {kind} ({point}): after a restart of the host or container nothing of the migration is left",
        )
    elif kind in NETWORK:
        yield violated(
            context.layout.directory,
            f"it lies on the network file system {kind} ({point}), where the journal's locks cannot be relied upon",
        )
    else:
        yield fine(context.layout.directory, f"on {kind or 'a file system of unknown type'} {point}".rstrip())


def lock_slots(context: Context, side: str) -> int:
    """Return how many locks the server has room for."""
    return context.cached(
        ("lock slots", side),
        lambda: context.server(side).value(
            "SELECT pg_catalog.current_setting('max_locks_per_transaction')::bigint"
            " * (pg_catalog.current_setting('max_connections')::bigint"
            " + pg_catalog.current_setting('max_prepared_transactions')::bigint)"
        ),
    )


def source_locks(context: Context, database: str):
    """pg_dump locks every table in one transaction; each worker's own locks come on top."""
    tables = sum(relation["kind"] in "rp" for relation in context.relations(database))
    slots = lock_slots(context, SOURCE)
    found = f"{count_of(tables, 'table')}, room for {slots} locks"
    if tables > slots * 0.9:
        yield violated(database, found, remedy=lock_remedy(context, SOURCE, tables))
    else:
        yield fine(database, found)


def target_locks(context: Context, database: str):
    """Many objects created in few transactions need as many locks on the target."""
    relations = context.cached_rows(
        SOURCE,
        database,
        "SELECT pg_catalog.count(*) AS number FROM pg_catalog.pg_class "
        "WHERE relkind IN ('r', 'i', 'p', 'I', 't', 'S', 'm') AND oid >= 16384",
    )
    number = relations[0]["number"]
    slots = lock_slots(context, TARGET)
    found = f"{count_of(number, 'relation')} on the source, room for {slots} locks on the target"
    if number > slots:
        yield violated(database, found, remedy=lock_remedy(context, TARGET, number))
    else:
        yield fine(database, found)


def lock_remedy(context: Context, side: str, number: int) -> str:
    """Return the command that makes room for I(number) locks."""
    connections = int(context.server(side).value("SELECT pg_catalog.current_setting('max_connections')"))
    wanted = max(128, -(-number * 5 // (4 * connections)))
    return (
        f"On the {side}: ALTER SYSTEM SET max_locks_per_transaction = {wanted}; and restart it (on a managed server "
        "set the server parameter of that name)."
    )


def connection_room(side: str):
    """Return the look of the rule that I(side) has connections to spare."""

    def look(context: Context):
        row = context.server(side).rows(
            "SELECT pg_catalog.current_setting('max_connections')::int AS total,"
            " pg_catalog.current_setting('superuser_reserved_connections')::int"
            " + COALESCE(pg_catalog.current_setting('reserved_connections', true), '0')::int AS reserved,"
            " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE usesysid IS NOT NULL) AS used,"
            " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE usename = current_user) AS own"
            if context.major(side) > 9
            else "SELECT pg_catalog.current_setting('max_connections')::int AS total,"
            " pg_catalog.current_setting('superuser_reserved_connections')::int AS reserved,"
            " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity) AS used,"
            " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE usename = current_user) AS own"
        )[0]
        # One session for control, one that holds the snapshot, one for pg_dump or pg_restore.
        needed = context.jobs + 3
        limit = context.identity(side)["connection_limit"]
        free = row["total"] - row["reserved"] - row["used"]
        found = f"{free} of {row['total']} connections free"
        if free < needed:
            yield violated(context.address(side), found, expected=f"{needed} free connections")
        elif 0 <= limit < row["own"] + needed:
            yield violated(
                context.address(side),
                f"user {context.user(side)} may hold {limit} connections and holds {row['own']}",
                expected=f"{needed} free connections for the user",
                remedy=f'On the {side}: ALTER ROLE "{context.user(side)}" CONNECTION LIMIT -1;',
            )
        else:
            yield fine(context.address(side), found, expected=f"{needed} free connections")

    return look


def connection_rule(side: str) -> Rule:
    """Return the rule that I(side) has connections to spare."""
    return Rule(
        id=f"{side}-connections",
        title=f"The {side} has connections to spare",
        level="server",
        side=side,
        look=connection_room(side),
        expected="one free connection per job and three more",
        remedy=f"End connections on the {side} that are not needed, raise max_connections (restart), or lower 'jobs'.",
        documentation="https://www.postgresql.org/docs/current/runtime-config-connection.html",
        needs=(f"{side}-reachable",),
    )


RULES = (
    Rule(
        id="state-directory-room",
        title="The state directory can be written and has room",
        level="runtime",
        side="runtime",
        look=state_room,
        expected="200 MB or 1 % of the source's size free, whichever is more",
        remedy="Free room on the disk of the state directory, or set 'state_directory' to another one.",
        documentation="https://www.postgresql.org/docs/current/app-pgdump.html",
        providers=HOST,
        needs=("source-reachable",),
    ),
    Rule(
        id="state-directory-file-system",
        title="The state directory is on a local disk that survives a restart",
        level="runtime",
        side="runtime",
        look=state_file_system,
        expected="a local disk",
        remedy="Set 'state_directory' to a directory on a local disk; in a container, to a mounted volume.",
        documentation="https://www.postgresql.org/docs/current/creating-cluster.html#CREATING-CLUSTER-NFS",
        severity="warning",
        providers=HOST,
    ),
    Rule(
        id="source-lock-table",
        title="The source's lock table holds a lock on every table",
        level="database",
        side=SOURCE,
        look=source_locks,
        expected="fewer tables than max_locks_per_transaction x (max_connections + max_prepared_transactions)",
        remedy="ALTER SYSTEM SET max_locks_per_transaction = 256; and restart the source.",
        documentation="https://www.postgresql.org/docs/current/runtime-config-locks.html",
        needs=("source-database-reachable",),
        each_database=True,
    ),
    Rule(
        id="target-lock-table",
        title="The target's lock table holds a lock on every relation",
        level="database",
        side=TARGET,
        look=target_locks,
        expected="fewer relations than max_locks_per_transaction x (max_connections + max_prepared_transactions)",
        remedy="ALTER SYSTEM SET max_locks_per_transaction = 256; and restart the target.",
        documentation="https://www.postgresql.org/docs/current/runtime-config-locks.html",
        severity="warning",
        needs=("source-database-reachable", "target-reachable"),
        each_database=True,
    ),
    connection_rule(SOURCE),
    connection_rule(TARGET),
)
