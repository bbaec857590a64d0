# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream between one database and its counterpart, without the engine around it."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.connection import connect, quiet_settings, value
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import marker, searching
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import (
    child,
    confirmation,
    pgoutput,
    position,
    slot,
)
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.applier import SETTINGS, Applier
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.follower import Follower
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.spool import Spool
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.stream import ChangeStream, options_of

NAME = "stream"
TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'azpg_migrate')
   AND n.nspname ~ %s ORDER BY 1, 2
"""
# Rows of a hash partition by an enum lie in another partition on the target.
LEAVES = """
WITH RECURSIVE up AS (
  SELECT i.inhrelid AS leaf, i.inhparent AS parent FROM pg_inherits i UNION ALL
  SELECT up.leaf, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.parent)
SELECT n.nspname, c.relname FROM up JOIN pg_class c ON c.oid = up.leaf JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE up.parent IN (SELECT partrelid FROM pg_partitioned_table WHERE partstrat = 'h')
"""
ROOTS = """
SELECT n.nspname, c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.partstrat = 'h' AND n.nspname ~ %s
"""
# Floating point numbers are written in other ways before 12.
COLUMNS = """
SELECT attname, atttypid IN (700, 701) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


class Pipe:
    """A source's database and a target's, both reached as superusers.

    :param source: a M(tools.lab.cluster.Cluster), I(target) likewise; both have the database
    """

    def __init__(self, source, target, database: str, directory: Path):
        self.clusters = {"source": source, "target": target}
        self.database = database
        self.directory = directory
        self.binary = True
        self.streaming = True
        self.ordered = False
        self.replica = True
        self.spool_bytes = 1 << 30
        self.fitted = None
        self.spooled = 0

    def session(self, side: str, settings: dict | None = None, replication: bool = False):
        """Open a session as the engine does."""
        cluster = self.clusters[side]
        endpoint = Endpoint.from_dict(cluster.connection())
        return connect(
            endpoint, side, self.database, settings={**quiet_settings(), **(settings or {})}, replication=replication
        )

    def run(self, side: str, sql: str) -> str:
        """Run statements."""
        return self.clusters[side].psql(sql, dbname=self.database)

    def both(self, sql: str) -> None:
        """Run statements on both sides."""
        for side in self.clusters:
            self.run(side, f"SET azpg.side = '{side}';\n{sql}")

    def tables(self, side: str, schemas: str = ".") -> list:
        """Return the names of the tables."""
        with contextlib.closing(self.session(side)) as session, session.cursor() as cursor:
            cursor.execute(TABLES, (schemas,))
            return cursor.fetchall()

    def begin(self, tables: list | None = None) -> None:
        """Publish tables, all if none are given, and make the slot."""
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(contextlib.closing(self.session("source")))
            target = stack.enter_context(contextlib.closing(self.session("target")))
            replication = stack.enter_context(contextlib.closing(self.session("source", replication=True)))
            slot.publish(source, NAME, self.tables("source") if tables is None else tables)
            made = slot.create_slot(replication, NAME, lambda: None)
            with target.cursor() as cursor:
                marker.claim(cursor, NAME, "hash")
            position.prepare(target)
            stream = position.Stream(slot.system_of(replication), NAME, NAME, 0, made.position, made.position, None)
            position.enter(target, NAME, stream, "1:1:", [])

    def end(self) -> None:
        """Take slot and publication away."""
        with contextlib.closing(self.session("source")) as source:
            slot.drop_slot(source, NAME)
            slot.unpublish(source, NAME)

    def written(self) -> int:
        """Return the source's position."""
        with contextlib.closing(self.session("source")) as source:
            return pgoutput.lsn_number(value(source, "SELECT pg_current_wal_insert_lsn()::text"))

    def follower(self) -> Follower:
        """Return a follower that goes on where the target is."""
        lookup, source = self.session("target"), self.session("source")
        known = position.read(lookup, NAME)
        replication = self.session("source", replication=True)
        binary = self.binary and source.server_version >= 140000
        options = options_of(source.server_version, NAME, binary, self.streaming)
        extra = {"session_replication_role": "replica"} if self.replica else {}
        settings = {**SETTINGS, **extra}
        applier = Applier(
            self.session("target", settings),
            NAME,
            NAME,
            known.position,
            pgoutput.BINARY_VALUE if binary else pgoutput.TEXT_VALUE,
            searching.read_search_path(source),
            self.ordered,
        )
        spool = Spool(str(self.directory / "spool"), self.spool_bytes)
        stream = ChangeStream(replication, NAME, known.position, options)
        roots = child.roots_of(source)
        source.close()
        found = Follower(
            stream, applier, lookup, known, spool, binary, child.filters_of(lookup, NAME, self), roots,
            open_session=None if self.ordered else lambda more: self.session("target", {**settings, **more}),
        )  # fmt: skip
        keep = spool.add

        def add(xid: int, data: bytes) -> None:
            keep(xid, data)
            self.spooled = max(self.spooled, spool.largest)

        spool.add = add
        if self.fitted:
            self.fitted(found)
        return found

    # child.filters_of asks this for the source's version, and then for nothing: no table was copied.
    server_version = 0

    def catch_up(self, seconds: float = 60, least_seconds: float = 0) -> Follower:
        """Follow until everything that has been committed by now is on the target, and for some seconds at the least."""
        end = self.written()
        follower = self.follower()
        watcher = self.session("source")
        watch = Watcher(watcher, follower, end, seconds, least_seconds)
        try:
            follower.run(watch.is_over)
            assert not watch.late, f"not caught up after {seconds} s: {follower.counts}"
        finally:
            follower.close()
            follower.lookup.close()
            watcher.close()
        return follower

    def contents(self, side: str, schemas: str = ".", names: dict | None = None) -> dict:
        """Return C({table: sorted rows as text}); I(names) gives columns of tables, to compare only these."""
        found = {}
        with contextlib.closing(self.session(side)) as session, session.cursor() as cursor:
            everything = self.tables(side, schemas)
            hashed: list = []
            if session.server_version >= 110000:
                cursor.execute(LEAVES)
                leaves = set(cursor.fetchall())
                cursor.execute(ROOTS, (schemas,))
                hashed = cursor.fetchall()
                everything = [table for table in everything if table not in leaves] + hashed
            for schema, table in everything:
                relation = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table))
                cursor.execute(COLUMNS, (relation,))
                known = dict(cursor.fetchall())
                columns = (names or {}).get((schema, table)) or list(known)
                quoted = {name: '"' + name.replace('"', '""') + '"' for name in columns}
                shown = ", ".join(
                    f"encode(float8send({quoted[name]}), 'hex')" if known.get(name) else f"{quoted[name]}::text"
                    for name in columns
                )
                only = "" if (schema, table) in hashed else "ONLY"
                cursor.execute(f"SELECT {shown} FROM {only} {relation}")
                rows = sorted(cursor.fetchall(), key=repr)
                found[schema, table] = (tuple(columns), rows)
        return found

    def differences(self, schemas: str = ".") -> dict:
        """Return C({table: (rows only on the source, rows only on the target)}) of tables that differ."""
        source = self.contents("source", schemas)
        names = {table: columns for table, (columns, _rows) in source.items()}
        target = self.contents("target", schemas, names)
        differing = {}
        for table, (_columns, rows) in source.items():
            other = target[table][1] if table in target else ["no such table"]
            if rows != other:
                differing[table] = (
                    [row for row in rows if row not in other][:3],
                    [row for row in other if row not in rows][:3],
                )
        return differing


class Watcher:
    """Tells when a follower has come far enough, or takes too long, and asks the source for moments on the way."""

    def __init__(self, session, follower: Follower, end: int, seconds: float, least_seconds: float):
        self.session = session
        self.follower = follower
        self.end = end
        self.begun = self.asked = time.monotonic()
        self.deadline = self.begun + seconds
        self.least = self.begun + least_seconds
        self.late = False

    def is_over(self) -> bool:
        """Return whether to stop."""
        now = time.monotonic()
        if now - self.asked > 0.3:
            self.asked = now
            self.ask()
        self.late = now > self.deadline
        return self.late or (self.follower.counts.applied >= self.end and now >= self.least)

    def ask(self) -> None:
        """Let the follower know a moment of the source, as the engine's process does once a second."""
        before = value(self.session, confirmation.BEFORE)
        with self.session.cursor() as cursor:
            cursor.execute(confirmation.AFTER)
            oldest, following, after = cursor.fetchone()
        with self.follower.changing:
            self.follower.confirmation.learn(pgoutput.lsn_number(before), oldest, following, pgoutput.lsn_number(after))
