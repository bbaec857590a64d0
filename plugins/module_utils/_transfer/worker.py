# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker: a process of its own with one session to each side, doing one unit after the other.

It is told what to do in JSON, a line at a time, on its standard input (the first line holds the request with its
secrets) and answers on its standard output. When its input ends, because the engine died or has no more work, so
does the worker, at once: a transaction that is open then is rolled back by the target.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time

from .._core.errors import MigrationError, TransferFailed
from .._core.redaction import redact
from .._core.request import Request
from .._postgres.connection import transaction
from .._postgres.driver import psycopg2
from .._postgres.fingerprint import choose_forms, read_columns, row_hash, table_fingerprint
from .._postgres.quoting import qualified
from . import marker, pulse
from .catalogue import Table
from .copying import copy_batch, copy_part, copy_table
from .copying_large_objects import copy_large_objects, images
from .online import position
from .online.pgoutput import lsn_number
from .relay import Throttle, relay
from .searching import UNRESOLVED, lend_path, with_schema
from .sessions import Runner, Sessions
from .source_program import SourceProgram, relay_program
from .splitting import join_parts
from .transient import is_transient

PROGRESS_SECONDS = 0.5
LEAST_BYTES_FOR_PROGRAM = 16 << 20  # a program and a connection of its own cost as much as these

# The row is the snapshot's, the function looks at what is there now.
REWRITTEN = """
SELECT c.oid FROM pg_catalog.pg_class c
 WHERE c.oid = ANY (%s::oid[]) AND c.relkind = 'r' AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid)
"""
LOCKED = "locked table"  # the kind of a task that copies a table under a snapshot of its own


class Rewritten(Exception):
    """Tables have been emptied or rewritten since the snapshot was taken, so the snapshot does not show their rows any more.

    I(units) are the names of the units that copy them.
    """

    def __init__(self, units: list):
        super().__init__(", ".join(units))
        self.units = units


class Worker:
    """Does units as they come."""

    def __init__(self, order: dict):
        self.request = Request.from_dict(order["request"], order["secrets"])
        self.database = order["database"]
        self.snapshot = order["snapshot"]
        self.settings = order["settings"]
        self.rate = order["rate"]
        self.psql = order["psql"]
        self.source_version = order["source_version"]
        self.opener = Sessions(self.request, Runner.parse(order["runner"]))
        self.role = order["role"]
        self.search_path = order.get("search_path") or ""
        self.live = order.get("live", False)
        self.helped = False
        self.sessions: dict = {}
        self.reader: SourceProgram | None = None
        self.reported = 0.0
        self.voice = threading.Lock()

    def source(self):
        """Return the session to the source, which sees the engine's snapshot."""
        if "source" not in self.sessions:
            session = self.opener.open("source", self.database, role=self.role)
            self.sessions["source"] = session
            try:
                with session.cursor() as cursor:
                    cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    cursor.execute("SET TRANSACTION SNAPSHOT %s", (self.snapshot,))
            except (psycopg2.DataError, psycopg2.ProgrammingError, psycopg2.OperationalError) as error:
                # Its holder is gone or going; the engine hears of that on its own and starts again with a new one.
                words = " ".join(str(error).split())
                raise TransferFailed(f"The snapshot cannot be taken up: {words}", "", {"transient": True}) from None
        return self.sessions["source"]

    def target(self):
        """Return the session to the target."""
        if "target" not in self.sessions:
            self.sessions["target"] = self.opener.open("target", self.database, role=self.role, settings=self.settings)
        return self.sessions["target"]

    def program(self) -> SourceProgram:
        """Return a psql, not yet started, that sees the engine's snapshot and is known to the source by this worker's name."""
        label = self.opener.label("source", self.role)
        source = self.request.source
        self.reader = SourceProgram(self.psql, source, self.database, label, self.snapshot, self.source_version)
        return self.reader

    def close(self) -> None:
        """Close both sessions; the next unit opens new ones."""
        for session in self.sessions.values():
            session.close()
        self.sessions = {}

    def say(self, event: str, **facts) -> None:
        """Write one line to the engine."""
        with self.voice:
            sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
            sys.stdout.flush()

    def descriptors(self) -> list:
        """Return the sockets of both sessions."""
        return [session.fileno() for session in list(self.sessions.values()) if not session.closed]

    def programs(self) -> list:
        """Return the process of the psql that reads, if one does."""
        process = self.reader.process if self.reader else None
        return [process.pid] if process and process.returncode is None else []

    @contextlib.contextmanager
    def reading(self):
        """Let go of the locks on the source's tables afterwards, and give what makes sure that their rows were to be seen.

        The transaction goes on for as long as the worker, and an application may want to empty a table meanwhile.
        """
        with self.source().cursor() as cursor:
            cursor.execute("SAVEPOINT azpg_reading")
            try:
                yield self.check_rows_are_there
            finally:
                if not self.source().closed:
                    cursor.execute("ROLLBACK TO SAVEPOINT azpg_reading; RELEASE SAVEPOINT azpg_reading")

    def check_rows_are_there(self, tables: list) -> None:
        """Make sure that no table's rows have vanished from the snapshot: TRUNCATE and rewriting ask no snapshot.

        :raises Rewritten: when a table lies in another file than the snapshot says; while nobody writes it never does
        """
        if not self.live:
            return
        oids = [oid for table in tables for oid in (table.oid, *table.leaves)]
        with self.source().cursor() as cursor:
            cursor.execute(REWRITTEN, (oids,))
            found = {oid for (oid,) in cursor.fetchall()}
        if found:
            raise Rewritten([table.unit for table in tables if found.intersection((table.oid, *table.leaves))])

    def progress(self, unit: str, carried: int) -> None:
        """Report bytes carried, at most twice a second."""
        if time.monotonic() - self.reported >= PROGRESS_SECONDS:
            self.reported = time.monotonic()
            self.say("progress", unit=unit, bytes=carried)

    def do(self, unit: str, names: list, attempt: int, task: dict) -> dict:
        """Do one unit, unless an attempt whose answer was lost has done it; return what there is to say of it."""
        try:
            return self.work(unit, names, task)
        except Rewritten as rewritten:
            return {"later": rewritten.units}
        except marker.Happened:
            with self.target().cursor() as cursor:
                if attempt > 1 and marker.are_set(cursor, self.request.name, names):
                    return {}
            raise TransferFailed(
                f"The target has a part of {unit} already.", "Run the migration again: it begins with what is there.",
                {"transient": True},
            ) from None  # fmt: skip

    def work(self, unit: str, names: list, task: dict) -> dict:
        """Do one unit and return what there is to say of it."""
        name = self.request.name
        path = self.search_path if self.helped else ""
        if task["kind"] == "batch":
            task = {**task, "tables": [Table(*words) for words in task["tables"]]}
            throttle = Throttle(self.rate)
            with self.reading() as check:
                return {"members": copy_batch(self.source(), self.target(), task, names, name, throttle, path, check)}
        if task["kind"] in ("table", "part"):
            table = Table(*task["table"])
            throttle = Throttle(self.rate)

            def stream(copy_out: str, cursor, copy_in: str) -> tuple:
                report = (throttle, lambda size: self.progress(unit, size))
                if self.psql and task["kind"] == "table" and table.bytes >= LEAST_BYTES_FOR_PROGRAM:
                    found = relay_program(self.program(), copy_out, cursor, copy_in, *report)
                    self.check_rows_are_there([table])
                    return found
                with self.reading() as check, self.source().cursor() as source_cursor:
                    found = relay(source_cursor, copy_out, cursor, copy_in, *report)
                    check([table])
                    return found

            if task["kind"] == "part":
                count, carried = copy_part(stream, self.target(), table, task["pages"], name, unit, path)
            else:
                count, carried = copy_table(stream, self.target(), table, name, unit, path)
            return {"rows": count, "bytes": carried}
        if task["kind"] == LOCKED:
            count, carried = self.copy_locked(Table(*task["table"]), unit, path)
            return {"rows": count, "bytes": carried}
        if task["kind"] == "join":
            count = join_parts(self.target(), name, unit, task["parts"])
            return {"later": [unit]} if count is None else {"rows": count}
        if task["kind"] == "large_objects":
            count, carried = copy_large_objects(
                self.source(), self.target(), task["numbers"], name, unit, Throttle(self.rate),
                lambda n: self.progress(unit, n),
            )  # fmt: skip
            return {"rows": count, "bytes": carried}
        if task["kind"] == "prove table":
            return {"equal": self.table_is_equal(Table(*task["table"]))}
        if task["kind"] == "prove large objects":
            return {"equal": self.large_objects_are_equal(task["numbers"])}
        with transaction(self.target()) as cursor:
            marker.take(cursor, name, names)
            text = task["text"]
            if path:
                path = with_schema(path, task.get("schema", ""))
                cursor.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (path,))
                text = lend_path(text, task.get("functions", ()), path)
            cursor.execute(text)
        return {}

    def copy_locked(self, table: Table, unit: str, path: str) -> tuple:
        """Copy a table that an application empties now and then; return C((rows, bytes)).

        It is locked before the snapshot is taken, so nothing can be missing from that; the marker names this snapshot.
        """
        source = self.opener.open("source", self.database, role=self.role)
        try:
            with source.cursor() as cursor:
                cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                only = "" if table.tree else "ONLY "
                cursor.execute(f"LOCK TABLE {only}{qualified(table.schema, table.name)} IN ACCESS SHARE MODE")
                cursor.execute(
                    "SELECT pg_catalog.txid_current_snapshot()::text, pg_catalog.pg_current_wal_insert_lsn()::text"
                )
                content, after = cursor.fetchone()
                number = position.enter_snapshot(self.target(), self.request.name, content, lsn_number(after))

                def stream(copy_out: str, target_cursor, copy_in: str) -> tuple:
                    # That of an attempt whose answer was lost names an older snapshot.
                    marker.remove_markers(target_cursor, self.request.name, [unit])
                    target_cursor.execute(
                        "SELECT pg_catalog.set_config(%s, %s, true)", (position.NUMBER_SETTING, str(number))
                    )
                    report = (Throttle(self.rate), lambda size: self.progress(unit, size))
                    return relay(cursor, copy_out, target_cursor, copy_in, *report)

                return copy_table(stream, self.target(), table, self.request.name, unit, path)
        finally:
            source.close()

    def table_is_equal(self, table: Table) -> bool:
        """Return whether source (under the snapshot) and target hold the same rows."""
        source, target = self.source(), self.target()
        ours = read_columns(source, table.schema, table.name)
        theirs = read_columns(target, table.schema, table.name)
        forms = choose_forms(ours, theirs)
        only = not table.tree
        found = [
            table_fingerprint(session, table.schema, table.name, row_hash(forms, columns), only=only)
            for session, columns in ((source, ours), (target, theirs))
        ]
        return found[0] == found[1]

    def large_objects_are_equal(self, numbers: list) -> bool:
        """Return whether the same large objects with the same bytes are on both sides, from the first to the last number."""
        source, target = (images(session, numbers[0], numbers[-1]) for session in (self.source(), self.target()))
        return source == target

    def handle(self, line: str) -> None:
        """Do the unit of one line and report how it went."""
        order = json.loads(line)
        unit = order["unit"]
        failure = self.attempt(order)
        # What creates tables means what it says without a path, and is tried entry by entry if it fails.
        alone = not order["task"].get("creates")
        if failure is not None and alone and failure["sqlstate"] in UNRESOLVED and self.search_path:
            # A function that looks for something needs a path; see the module searching.
            self.helped = True
            failure = self.attempt(order)
            self.helped = False
        if failure is None:
            return
        if order["task"].get("dispensable") and failure["sqlstate"] and not failure["transient"]:
            self.say("done", unit=unit, warning=failure["message"])
            return
        self.say("failed", unit=unit, **failure)

    def attempt(self, order: dict) -> dict | None:
        """Do a unit and report its end; return why it failed, C({message, transient, sqlstate, hint}), if so."""
        unit = order["unit"]
        try:
            result = self.do(unit, order["names"], order["attempt"], order["task"])
        except Exception as error:
            facts = {"transient": is_transient(error), "sqlstate": getattr(error, "pgcode", None), "hint": ""}
            words = str(error)
            if isinstance(error, MigrationError):
                words = error.msg
                facts.update(sqlstate=error.details.get("sqlstate"), hint=error.hint)
            self.close()
            return {"message": redact(" ".join(words.split()), self.request.secret_values), **facts}
        self.say("done", unit=unit, **result)
        return None


def main() -> int:
    """Serve until the input ends."""
    lines: queue.Queue = queue.Queue()
    worker = Worker(json.loads(sys.stdin.readline()))

    def listen() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    pulse.start(worker.descriptors, lambda: worker.say("alive"), worker.programs)
    worker.say("ready")
    while True:
        worker.handle(lines.get())
