# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process of its own that follows one database.

Like a worker it is told what to do by a line of JSON on its standard input and answers in lines on its standard output. A
later line asks something, C({touched_since: position}), or, empty, lets it end. When its input ends it ends at once: what it
had not committed is taken back by the target, and sent again by the source.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
import time

from ..._core.errors import MigrationError, TransferFailed
from ..._core.redaction import redact
from ..._core.request import Request
from ..._postgres.connection import rows, value
from ..._postgres.driver import psycopg2
from .. import catalogue, load_settings, pulse, searching
from ..heartbeat import ASIDE
from ..sessions import Runner, Sessions
from ..transient import is_transient
from . import confirmation, position, published, slot
from .applier import SETTINGS, Applier
from .follower import Follower, NeedsText
from .lag import Lag
from .pgoutput import BINARY_VALUE, TEXT_VALUE, lsn_number, lsn_text
from .spool import Spool, SpoolFull
from .stream import SILENT_SECONDS, ChangeStream, options_of

LOOK_SECONDS = 1.0
SLOT_SECONDS = 5.0
# Two threads share one interpreter; the default of 5 ms would keep the one that writes waiting after every answer.
SWITCH_SECONDS = 0.0005
# Rows live for a batch, and none refers to itself: looking for such at the usual rate costs a tenth of the time.
GARBAGE_OBJECTS = 100_000
NOW = "SELECT pg_catalog.pg_current_wal_lsn()::text, pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())"


class Child:
    """Follows one database as it was ordered."""

    def __init__(self, order: dict):
        self.order = order
        self.request = Request.from_dict(order["request"], order["secrets"])
        self.database = order["database"]
        self.role = order["role"]
        self.opener = Sessions(self.request, Runner.parse(order["runner"]))
        self.voice = threading.Lock()
        self.lag = Lag()
        self.follower: Follower | None = None
        self.status: dict = {}
        self.barriers = 0
        self.asked: queue.SimpleQueue = queue.SimpleQueue()
        self.ending = threading.Event()
        self.sessions: list = []
        self.looked = 0.0

    # -- talking ------------------------------------------------------------------------------------------------------

    def say(self, event: str, **facts) -> None:
        """Write one line to the engine."""
        with self.voice:
            sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
            sys.stdout.flush()

    def remark(self, sentence: str, level: str = "warning") -> None:
        """Have a sentence entered in the journal."""
        self.say("remark", level=level, message=redact(sentence, self.request.secret_values))

    def open(self, side: str, suffix: str = "", **more):
        """Open a session that the engine and both servers know as this process's."""
        session = self.opener.open(side, self.database, role=self.role + suffix, **more)
        self.sessions.append(session)
        return session

    def descriptors(self) -> list:
        """Return the sockets on which something has to move: the target's while it is asked or written to, else the source's."""
        follower = self.follower
        if follower is None:
            watched = list(self.sessions)
        elif follower.is_looking:
            watched = [follower.lookup]
        elif follower.waiting:
            watched = follower.target_sessions
        else:
            watched = [follower.stream.connection]
        return [session.fileno() for session in watched if not session.closed]

    # -- following ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Follow until the engine says stop; begin again where the kind of stream has to be another one."""
        binary, streaming = True, True
        while True:
            try:
                self.follow(binary, streaming)
                return
            except NeedsText as error:
                self.close()
                binary = False
                self.remark(f"Values come as text: binary images of table {error} may differ on the target.", "info")
            except SpoolFull:
                self.close()
                streaming = False
                self.remark(
                    "Transactions in progress take more room on this host than 'spool_bytes' allows; from now on the source "
                    "keeps them until they commit."
                )

    def close(self) -> None:
        """Close whatever is open."""
        if self.follower:
            self.follower.close()
            self.follower = None
        for session in self.sessions:
            session.close()
        self.sessions = []

    def follow(self, binary: bool, streaming: bool) -> None:
        """Follow with one kind of stream.

        :raises NeedsText: when binary images do not do
        :raises SpoolFull: when transactions in progress do not fit
        """
        # The one that looks moves whatever the others do, so it has a name of its own.
        watcher, lookup = self.open("source", ASIDE), self.open("target")
        known = position.read(lookup, self.request.name)
        if known is None:
            raise TransferFailed("The target knows of no stream.", "Run the migration again.")
        self.check_slot(watcher, known)
        replication = self.open("source", replication=True)
        self.check_system(replication, known)
        binary = binary and self.can_be_binary(watcher)
        options = options_of(replication.server_version, known.publication, binary, streaming)
        roots = roots_of(watcher)
        filters = filters_of(lookup, self.request.name, watcher)
        settings = {**SETTINGS, **self.order.get("settings", {})}
        if load_settings.may_set(lookup, load_settings.REPLICA, "replica"):
            settings[load_settings.REPLICA] = "replica"
        applier = Applier(
            self.open("target", settings=settings),
            self.request.name,
            known.slot,
            known.position,
            BINARY_VALUE if binary else TEXT_VALUE,
            searching.read_search_path(watcher),
            self.order.get("ordered", False),
        )
        spool = Spool(self.order["spool"], self.order["spool_bytes"])
        stream = ChangeStream(replication, known.slot, known.position, options)
        self.follower = Follower(
            stream,
            applier,
            lookup,
            known,
            spool,
            binary,
            filters,
            roots,
            open_session=None if applier.ordered else lambda more: self.open("target", settings={**settings, **more}),
        )
        self.follower.described = self.described
        self.barriers = 0
        self.known = known
        self.looked = time.monotonic()
        watch = threading.Thread(target=self.watch, args=(watcher, self.follower), name="source", daemon=True)
        watch.start()
        self.say("following", binary=binary, replica=load_settings.REPLICA in settings)
        self.follower.run(self.ending.is_set, self.tick)

    def can_be_binary(self, source) -> bool:
        """Return whether all columns of all streamed tables look alike in binary form on both servers."""
        late = {table.oid for table in published.read(source) if table.unlogged}
        return source.server_version >= 140000 and all(
            table.binary or table.oid in late or not table.columns for table in catalogue.read_tables(source)
        )

    def check_slot(self, source, known: position.Stream) -> None:
        """Make sure that the slot still has everything.

        :raises TransferFailed: when changes are lost
        """
        state = slot.read_slot(source, known.slot)
        if state is None or state.lost:
            raise TransferFailed(
                f"Replication slot {known.slot} {'is gone' if state is None else 'has lost log that was still needed'}: "
                "changes of the source are missing.",
                "Run the migration again: a new slot is made, and what was copied is compared with the source and copied "
                "again where it differs.",
                {"slot": known.slot, "lost": True},
            )

    @staticmethod
    def check_system(replication, known: position.Stream) -> None:
        """Make sure that the source is the server that the stream began on.

        :raises TransferFailed: when it is another one
        """
        system = slot.system_of(replication)
        if system != known.system:
            raise TransferFailed(
                f"The source is another server than the one that the stream began on: its identifier is {system}, expected "
                f"{known.system}.",
                "Name the server that the migration began with, or begin a new migration.",
            )

    def described(self, before, after) -> None:
        """Say that a table looks different from here on."""
        old, new = ({column.name: column for column in one.columns} for one in (before, after))
        parts = [f"column {name} came" for name in new if name not in old]
        parts += [f"column {name} went" for name in old if name not in new]
        parts += [f"column {name} changed" for name in new if name in old and new[name][1:3] != old[name][1:3]]
        if before.identity != after.identity:
            parts.append(f"its replica identity is {published.IDENTITY_WORDS.get(after.identity, 'an index')}")
        if (before.schema, before.name) != (after.schema, after.name):
            parts.append(f"it was {before.schema}.{before.name}")
        if parts:
            self.remark(f"Table {after.schema}.{after.name} was altered on the source: {', '.join(parts)}.")

    # -- looking ------------------------------------------------------------------------------------------------------

    def watch(self, source, follower: Follower) -> None:
        """In a thread of its own: look at the source once a second."""
        retained, looked = {}, 0.0
        try:
            while not self.ending.is_set() and not follower.ended.is_set():
                self.looked = now = time.monotonic()
                before = value(source, confirmation.BEFORE)
                oldest, following, after = self.ask(source, confirmation.AFTER)
                written, clock = self.ask(source, NOW)
                with follower.changing:
                    follower.confirmation.learn(lsn_number(before), oldest, following, lsn_number(after))
                    counts = follower.counts
                    seen = {**counts.kinds, "transactions": counts.transactions}
                    applied, received, committed_at = counts.applied, counts.received, counts.committed_at
                    spooled, largest, replayed = counts.spooled, counts.largest, counts.replayed
                    barriers = list(counts.barriers)
                self.lag.learn(now, lsn_number(written), applied, seen)
                if now - looked >= SLOT_SECONDS:
                    looked = now
                    retained = self.look_at_slot(source)
                seconds = self.lag.seconds(now, applied, clock, committed_at)
                trend, left = self.lag.trend(), self.lag.seconds_to_catch_up()
                self.status = {
                    "received": lsn_text(received),
                    "applied": lsn_text(applied),
                    "written": written,
                    "lag_bytes": self.lag.bytes,
                    "lag_seconds": None if seconds is None else round(seconds, 1),
                    "lag_trend_bytes_per_second": None if trend is None else int(trend),
                    "seconds_to_catch_up": None if left is None else int(left + 0.5),
                    "rates": self.lag.rates(),
                    "applied_changes": seen,
                    "spooled_bytes": spooled,
                    "largest_transaction_bytes": largest,
                    "replayed_batches": replayed,
                    "barriers": barriers,
                    **retained,
                }
                self.ending.wait(LOOK_SECONDS)
        except (psycopg2.Error, OSError) as error:
            if not self.ending.is_set() and not follower.ended.is_set():
                follower.failure = follower.failure or error

    @staticmethod
    def ask(source, sql: str) -> tuple:
        """Return the one row of a query."""
        with source.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()

    def look_at_slot(self, source) -> dict:
        """Return what the source says of the slot."""
        state = slot.read_slot(source, self.known.slot)
        return {
            "retained_bytes": state.retained if state else None,
            "slot": "gone" if state is None else "lost" if state.lost else "kept",
        }

    def tick(self) -> None:
        """Tell the engine how it goes; called by the thread that reads."""
        if time.monotonic() - self.looked > SILENT_SECONDS:
            raise TransferFailed(f"The source has not answered for {SILENT_SECONDS:.0f} s.", "", {"transient": True})
        if self.status:
            status, self.status = self.status, {}
            self.say("status", **status)
        counts = self.follower.counts
        if len(counts.barriers) > self.barriers:  # somebody waits for it
            self.barriers = len(counts.barriers)
            self.say("barrier", barriers=list(counts.barriers), applied=lsn_text(counts.applied))
        while not self.asked.empty():
            since = self.asked.get()["touched_since"]
            # What was applied before this process began is not known here.
            is_known = lsn_number(since) >= self.known.position
            self.say("touched", tables=self.follower.touched_since(lsn_number(since)) if is_known else None)


def roots_of(source) -> dict:
    """Return C({leaf's oid: (schema, name) of its root}) of the leaves that are reached through their root."""
    if source.server_version < 110000:
        return {}
    names = """
    SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY (%s::oid[])
    """
    found = rows(source, catalogue.LOAD_VIA_ROOT)
    roots = {row["oid"]: (row["schema"], row["name"]) for row in rows(source, names, ([row["root"] for row in found],))}
    return {row["leaf"]: roots[row["root"]] for row in found}


def filters_of(target, migration: str, source) -> list:
    """Return C([(Snapshot, oids of the source's tables that were copied under it)])."""
    known = position.snapshots(target, migration)
    leaves: dict = {}
    if source.server_version >= 110000:
        for row in rows(source, catalogue.LOAD_VIA_ROOT):
            leaves.setdefault(row["root"], set()).add(row["leaf"])
    oids: dict = {}
    for unit, number in position.snapshots_of_units(target, migration).items():
        if unit.startswith("table:") and ":part " not in unit:
            oid = int(unit.rpartition(":")[2])
            oids.setdefault(number, set()).update({oid}, leaves.get(oid, ()))
    return [(known[number], frozenset(found)) for number, found in oids.items() if number in known]


def failure(error: BaseException, secrets: list) -> dict:
    """Return an error as the engine is told it: C({message, hint, details, transient})."""
    if isinstance(error, MigrationError):
        words, hint, details = error.msg, error.hint, error.details
    else:
        words, hint, details = " ".join(str(error).split()), "", {"sqlstate": getattr(error, "pgcode", None)}
    return {"message": redact(words, secrets), "hint": hint, "details": details, "transient": is_transient(error)}


def leave(status: int) -> None:
    """End this process at once.

    Closing a connection waits for the thread that asks something over it, which may wait for a server that is out of reach.
    """
    os._exit(status)


def main() -> None:
    """Follow until the input ends."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(GARBAGE_OBJECTS)
    child = Child(json.loads(sys.stdin.readline()))

    def listen() -> None:
        for line in sys.stdin:
            question = json.loads(line)
            if question:
                child.asked.put(question)
            else:
                child.ending.set()
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    pulse.start(child.descriptors, lambda: child.say("alive"), list)
    try:
        child.run()
    except Exception as error:
        child.say("failed", **failure(error, child.request.secret_values))
        leave(1)
    child.say("ended")
    leave(0)
