# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Online: PostgreSQL's own logical replication between the two servers, in this file alone.

The engine's own online mode is younger than this; a mover like `Engine` can take the place of this class, since nothing else
knows how the changes travel. The service itself uses a tool of its own; what is the same is what a user sees: a base
copy, a wait with counters and latency, a cutover that takes what was written up to it, no DDL, sequences at the end.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
import time

import psycopg2
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.environment import client_environment

from tests.azure_simulator.migrations import target_side
from tests.azure_simulator.migrations.mover import (
    CANCELED,
    CANCELING,
    ENDED,
    FAILED,
    RUNNING,
    SUCCEEDED,
    WAITING,
    Job,
    Mover,
    Progress,
)
from tests.azure_simulator.migrations.sessions import literal, quoted, rows, session, value

POLL_SECONDS = 0.2
PATIENCE = 300.0
OWN_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1
"""
UNLOGGED = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND n.nspname !~ '^pg_' ORDER BY 1
"""
COPY_STATES = (
    "SELECT srsubstate FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid WHERE s.subname = %s"
)
CHANGES = "SELECT coalesce(sum(n_tup_ins), 0), coalesce(sum(n_tup_upd), 0), coalesce(sum(n_tup_del), 0) FROM pg_stat_user_tables"
SEQUENCES = "SELECT schemaname, sequencename FROM pg_sequences"
VIEWS = "SELECT format('%I.%I', schemaname, matviewname) FROM pg_matviews WHERE ispopulated ORDER BY (schemaname||'.'||matviewname)"
SERVER = (
    "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = current_database()"
)
#: What pg_restore may complain about where the target has fewer roles or rights than the source.
HARMLESS = re.compile(
    r"role \".*\" does not exist|must be owner of|must be member of role|must be able to SET ROLE|permission denied|"
    r"already exists|unrecognized configuration parameter",
    re.IGNORECASE,
)


class Replication(Mover):
    """Carries each database in a thread of its own. `job.options["administrator"]` are the target's superuser's words."""

    def __init__(self, job: Job):
        super().__init__(job)
        self._progress = {name: Progress(name) for name in job.databases}
        self._cut: dict[str, threading.Event] = {name: threading.Event() for name in job.databases}
        self._cancelled: dict[str, threading.Event] = {name: threading.Event() for name in job.databases}
        self._threads = [threading.Thread(target=self._run, args=(name,), daemon=True) for name in job.databases]

    def start(self, moment: float) -> None:
        for one in self._progress.values():
            one.started = moment
        obstacle = self._obstacle()
        if obstacle:
            for one in self._progress.values():
                one.state, one.ended, one.message = FAILED, moment, obstacle
            return
        for thread in self._threads:
            thread.start()

    def _obstacle(self) -> str | None:
        """Return what of the cluster behind the target would keep changes from flowing, or None."""
        needed = len(self.job.databases) + 1
        with session(self.job.options["administrator"]) as target:
            for name in ("max_logical_replication_workers", "max_worker_processes", "max_replication_slots"):
                if int(value(target, f"SHOW {name}")) < needed:
                    return f"the cluster behind the target needs {name} of at least {needed} for {needed - 1} databases online"
        return None

    def progress(self, moment: float) -> dict[str, Progress]:
        return self._progress

    def cut_over(self, databases: list[str], moment: float) -> None:
        for name in databases:
            if self._progress[name].state == WAITING:
                self._progress[name].state = RUNNING
            self._cut[name].set()

    def cancel(self, databases: list[str], moment: float) -> None:
        for name in databases:
            if self._progress[name].state not in ENDED:
                self._progress[name].state = CANCELING
            self._cancelled[name].set()

    def stop(self) -> None:
        for event in self._cancelled.values():
            event.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(60)

    def _run(self, name: str) -> None:
        one = self._progress[name]
        link = Link(self.job, name)
        outcome = CANCELED
        try:
            if self.job.overwrite:
                target_side.drop(self.job.target, name)
            link.make_tables()
            link.begin()
            if self._copied(link, one) and link.make_the_rest() and self._follow(link, one):
                link.complete()
                outcome = SUCCEEDED
        except Exception as error:  # noqa: BLE001 - whatever it is, the service would report it for the database
            outcome, one.message = FAILED, " ".join(str(error).split())
        link.end()  # before anybody is told that it is over
        one.state, one.ended = outcome, time.time()

    def _copied(self, link: Link, one: Progress) -> bool:
        """Wait for the end of the base copy; return False when it was cancelled."""
        last, since = "", time.monotonic()
        while not self._cancelled[one.name].is_set():
            states = "".join(sorted(link.copy_states()))
            one.queued, one.loading = states.count("i"), states.count("d")
            one.completed = len(states) - one.queued - one.loading
            if one.completed == len(states):
                return True
            if states != last:
                last, since = states, time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                raise RuntimeError(f"603709: the copy of {one.queued + one.loading} tables does not come to an end")
            time.sleep(POLL_SECONDS)
        return False

    def _follow(self, link: Link, one: Progress) -> bool:
        """Let changes flow until the cutover was asked for and has caught up; return False when it was cancelled."""
        link.start_counting()
        if not self._cut[one.name].is_set():
            one.state = WAITING
        while not self._cancelled[one.name].is_set():
            link.count(one)
            if self._cut[one.name].is_set():
                return link.catch_up(self._cancelled[one.name])
            time.sleep(POLL_SECONDS)
        return False


class Link:
    """Publication, subscription and slot of one database."""

    def __init__(self, job: Job, database: str):
        self.job = job
        self.database = database
        self.name = f"azure_migration_{job.directory.name.replace('-', '')[:12]}_{job.databases.index(database)}"
        self.programs = job.options.get("bin_directory")
        self.administrator = job.options["administrator"]
        self._base: tuple = (0, 0, 0)
        self._base_there: tuple = (0, 0, 0)
        self._samples: list[tuple[float, int]] = []

    # -- the schema ----------------------------------------------------------------------------------------------------

    def make_tables(self) -> None:
        """Make the database like the source's, with everything that comes before rows."""
        with session(self.job.source, self.database) as source:
            encoding, collation, kind = rows(source, SERVER)[0]
        with session(self.job.target) as target:
            words = f"ENCODING {literal(encoding)} LC_COLLATE {literal(collation)} LC_CTYPE {literal(kind)}"
            rows(target, f"CREATE DATABASE {quoted(self.database)} TEMPLATE template0 {words}")
        self._pipe(["--section=pre-data"])
        # Large objects and unlogged tables are in no publication: they come with the base copy alone.
        with session(self.job.source, self.database) as source:
            large = value(source, "SELECT count(*) FROM pg_largeobject_metadata")
            unlogged = [name for (name,) in rows(source, UNLOGGED)]
        if large:
            self._pipe(["--data-only", "--blobs", "--exclude-table=*.*"])
        if unlogged:
            self._pipe(["--data-only", *(f"--table={name}" for name in unlogged)])

    def make_the_rest(self) -> bool:
        """Make keys, indexes, constraints and triggers, while no change flows."""
        name = quoted(self.name)
        with session(self.administrator, self.database) as target:
            rows(target, f"ALTER SUBSCRIPTION {name} DISABLE")
        self._pipe(["--section=post-data", "--schema-only"])
        with session(self.administrator, self.database) as target:
            rows(target, f"ALTER SUBSCRIPTION {name} ENABLE")
        return True

    def _pipe(self, options: list[str]) -> None:
        """Dump from the source and restore into the target, through a pipe."""
        dump = [self._program("pg_dump"), "--format=custom", "--no-subscriptions", "--no-publications", *options]
        restore = [self._program("pg_restore"), "--dbname", self.database, "--no-password"]
        source, target = (Endpoint.from_dict(one) for one in (self.job.source, self.job.target))
        with contextlib.ExitStack() as stack:
            giving, given = stack.enter_context(client_environment(source, self.database, "azure-simulator"))
            taking, taken = stack.enter_context(client_environment(target, self.database, "azure-simulator"))
            first = stack.enter_context(
                subprocess.Popen(dump, env=giving, pass_fds=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            )
            second = stack.enter_context(
                subprocess.Popen(
                    restore,
                    env=taking,
                    pass_fds=taken,
                    stdin=first.stdout,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                )
            )
            first.stdout.close()
            complaints = second.stderr.read().decode("utf-8", "replace")
            trouble = first.stderr.read().decode("utf-8", "replace")
        if first.returncode:
            raise RuntimeError(f"pg_dump: {trouble.strip()}")
        errors = [line for line in complaints.splitlines() if "ERROR:" in line and not HARMLESS.search(line)]
        if errors:
            raise RuntimeError(" ".join(errors))

    def _program(self, name: str) -> str:
        return os.path.join(self.programs, name) if self.programs else name

    # -- replication ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Make publication and subscription; the base copy begins."""
        with session(self.job.source, self.database) as source:
            self._base = rows(source, CHANGES)[0]
            tables = [name for (name,) in rows(source, OWN_TABLES)]
            listed = f" FOR TABLE {', '.join(tables)}" if tables else ""
            rows(source, f"CREATE PUBLICATION {quoted(self.name)}{listed}")
        origin = self.job.source
        words = {key: origin[key] for key in ("host", "port", "user", "password") if origin.get(key)}
        words.update(dbname=self.database, sslmode="require")
        text = " ".join(f"{key}='{self._escaped(str(one))}'" for key, one in words.items())
        with session(self.administrator, self.database) as target:
            rows(
                target,
                f"CREATE SUBSCRIPTION {quoted(self.name)} CONNECTION {literal(text)} PUBLICATION {quoted(self.name)}",
            )

    @staticmethod
    def _escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace("'", "\\'")

    def copy_states(self) -> list[str]:
        """Return the state of each table: i waits, d is copied, the others are done."""
        with session(self.administrator, self.database) as target:
            return [state for (state,) in rows(target, COPY_STATES, (self.name,))]

    def start_counting(self) -> None:
        with session(self.administrator, self.database) as target:
            self._base_there = rows(target, CHANGES)[0]

    def count(self, one: Progress) -> None:
        """Bring counters and latency up to date; the statistics of both servers lag a little."""
        with session(self.job.source, self.database) as source, session(self.administrator, self.database) as target:
            here, there = rows(source, CHANGES)[0], rows(target, CHANGES)[0]
            position, confirmed = self._positions(source)
        one.inserts, one.updates, one.deletes = (max(0, int(b - a)) for a, b in zip(self._base_there, there))
        one.applied = one.inserts + one.updates + one.deletes
        one.incoming = max(one.applied, int(sum(here) - sum(self._base)))
        now = time.time()
        self._samples = [*self._samples[-500:], (now, position)]
        late = [moment for moment, sample in self._samples if sample > confirmed]
        one.latency = int(now - min(late)) if late else 0

    def _positions(self, source) -> tuple[int, int]:
        """Return the source's position and the one that has arrived."""
        found = rows(
            source,
            "SELECT pg_current_wal_insert_lsn() - '0/0', coalesce(confirmed_flush_lsn - '0/0', 0)"
            " FROM pg_replication_slots WHERE slot_name = %s",
            (self.name,),
        )
        return (int(found[0][0]), int(found[0][1])) if found else (0, 0)

    def catch_up(self, cancelled: threading.Event) -> bool:
        """Wait until everything up to this moment has arrived; return False when it was cancelled."""
        with session(self.job.source, self.database) as source:
            # A message of our own makes sure that there is something to arrive.
            last = int(value(source, "SELECT pg_logical_emit_message(true, 'azure-simulator', 'cutover') - '0/0'"))
            end = time.monotonic() + PATIENCE
            while not cancelled.is_set():
                if self._positions(source)[1] >= last:
                    return True
                if time.monotonic() > end:
                    raise RuntimeError("603709: the last changes did not arrive at the target")
                time.sleep(0.05)
        return False

    def complete(self) -> None:
        """Bring over what no change stream carries: sequences and materialized views; collect statistics."""
        with session(self.job.source, self.database) as source:
            names = rows(source, SEQUENCES)
            positions = [
                (*name, *rows(source, f"SELECT last_value, is_called FROM {quoted(name[0])}.{quoted(name[1])}")[0])
                for name in names
            ]
            views = [name for (name,) in rows(source, VIEWS)]
        with session(self.administrator, self.database) as target:
            for schema, name, last, called in positions:
                sequence = f"{quoted(schema)}.{quoted(name)}"
                rows(target, "SELECT setval(%s::regclass, %s, %s)", (sequence, last, called))
            self._refresh(target, views)
            rows(target, "ANALYZE")

    @staticmethod
    def _refresh(target, views: list[str]) -> None:
        """Fill materialized views; one that reads another waits for it."""
        while views:
            left = []
            for view in views:
                try:
                    rows(target, f"REFRESH MATERIALIZED VIEW {view}")
                except psycopg2.errors.ObjectNotInPrerequisiteState:
                    left.append(view)
            if len(left) == len(views):
                raise RuntimeError(f"materialized views cannot be filled: {', '.join(left)}")
            views = left

    def end(self) -> None:
        """Take subscription, slot and publication away, whatever has become of them."""
        name = quoted(self.name)
        for words, statements in (
            (self.administrator, (f"DROP SUBSCRIPTION IF EXISTS {name}",)),
            (self.job.source, (f"DROP PUBLICATION IF EXISTS {name}",)),
        ):
            try:
                with session(words, self.database) as connection:
                    for statement in statements:
                        rows(connection, statement)
            except psycopg2.Error:
                continue
