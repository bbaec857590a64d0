# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's side of the processes that follow databases: begun, listened to, begun again when they die."""

from __future__ import annotations

import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import time

from ..._core.errors import TransferFailed
from ..._core.units import human_bytes
from . import ledger, slot

PAUSES = (1, 5, 15, 30, 60)
ANSWER_SECONDS = 60
GOOD_SECONDS = 120  # one that has lived so long begins its pauses anew
DEFAULT_SPOOL_BYTES = 20 << 30
ALARM_BYTES = 10 << 30


class FollowerProcess:
    """One process and the thread that listens to it; a subject of the watch (see M(heartbeat))."""

    serials = itertools.count(1)
    holds_main_thread = False
    allowance = 0.0

    def __init__(self, database: str, command: list, order: dict, answers: queue.Queue):
        self.database = database
        self.began = self.heard = time.monotonic()
        self.struck = ""
        self.last: dict = {}
        self.touched: dict | None = None
        order = {**order, "role": f"f{next(self.serials)}"}
        self.application = {side: f"{begins} {order['role']}" for side, begins in order["labels"].items()}
        # This runs outside Ansible too, where no module offers run_command.
        self.process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self.listen, args=(answers,), daemon=True).start()
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # its end is noticed by the thread that listens

    def listen(self, answers: queue.Queue) -> None:
        """Pass on what it says, and its end."""
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer["event"] != "status":  # which says nothing of the connections that count
                self.heard = time.monotonic()
            answers.put((self, answer))
        answers.put((self, {"event": "gone"}))

    def ask(self, question: dict) -> None:
        """Ask it something, see M(child)."""
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # its end is noticed by the thread that listens

    def stop(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def what(self) -> str | None:
        """Return what it does for people."""
        return f"The stream of database {self.database}" if self.process.poll() is None else None

    def moved(self) -> float:
        """Return when it was last heard of."""
        return self.heard

    def labels(self) -> dict:
        """Return the application names of its sessions."""
        return self.application

    def strike(self, words: str) -> None:
        """End it; another one takes its place."""
        self.struck = words
        self.process.kill()


class Following:
    """All databases that are followed."""

    def __init__(self, context):
        self.context = context
        self.answers: queue.Queue = queue.Queue()
        self.processes: dict = {}
        self.again: dict = {}
        self.failures: dict = {}
        self.status: dict = {}
        self.alarmed: dict = {}
        self.begun: dict = {}  # how often each database has been begun

    def begin(self, database: str) -> None:
        """Follow a database, if nobody does."""
        if database in self.processes:
            return
        context, options = self.context, self.context.options
        order = {
            "request": context.request.as_dict(),
            "secrets": context.request.secrets,
            "database": database,
            "runner": str(context.sessions.runner),
            "labels": {side: context.sessions.label(side, "").rstrip() for side in ("source", "target")},
            "spool": os.path.join(context.layout.directory, f"spool-{context.request.databases.index(database) + 1}"),
            "spool_bytes": options.get("spool_bytes") or DEFAULT_SPOOL_BYTES,
            "ordered": options.get("apply") == "ordered",
        }
        command = [sys.executable, context.engine, "follow"]
        process = FollowerProcess(database, command, order, self.answers)
        self.processes[database] = process
        self.begun[database] = self.begun.get(database, 0) + 1
        context.watch.watch(process)

    def end(self, database: str) -> None:
        """Follow a database no more."""
        self.again.pop(database, None)
        process = self.processes.pop(database, None)
        if process:
            self.context.watch.forget(process)
            process.stop()

    def close(self) -> None:
        """Follow nothing any more."""
        for database in list(self.processes):
            self.end(database)

    def touched_since(self, database: str, position: str) -> frozenset | None:
        """Return the oids of the source's tables that have changed behind a position; None when that is not known."""
        process = self.processes.get(database)
        if process is None:
            return None
        process.touched = None
        process.ask({"touched_since": position})
        deadline = time.monotonic() + ANSWER_SECONDS
        while process.touched is None:
            if self.processes.get(database) is not process or time.monotonic() > deadline:
                return None
            time.sleep(0.02)
            self.context.tick()
        tables = process.touched["tables"]
        return None if tables is None else frozenset(tables)

    def look(self) -> None:
        """Take in what was said, and begin again what has died and whose time has come.

        :raises TransferFailed: when a database cannot be followed any further
        """
        while True:
            try:
                process, answer = self.answers.get_nowait()
            except queue.Empty:
                break
            if self.processes.get(process.database) is process:
                self.hear(process, answer)
        for database, moment in list(self.again.items()):
            if time.monotonic() >= moment:
                del self.again[database]
                self.begin(database)

    def hear(self, process: FollowerProcess, answer: dict) -> None:
        """Take in one answer."""
        journal, database = self.context.journal, process.database
        if answer["event"] == "status":
            self.status[database] = {word: fact for word, fact in answer.items() if word != "event"}
            ledger.enter(journal, database, self.status[database])
            self.look_at_log(database, self.status[database])
        elif answer["event"] == "barrier":
            self.status.setdefault(database, {}).update(barriers=answer["barriers"], applied=answer["applied"])
        elif answer["event"] == "touched":
            process.touched = answer
        elif answer["event"] == "remark":
            journal.event(answer["message"], answer["level"], database)
        elif answer["event"] == "following":
            form = "binary" if answer["binary"] else "text"
            journal.event(f"Changes of database {database} are followed, values in {form} form.", database=database)
        elif answer["event"] == "failed":
            process.last = answer
        elif answer["event"] == "gone":
            self.bury(process)

    def bury(self, process: FollowerProcess) -> None:
        """Let another process take the place of one that has ended, after a while, unless it is of no use."""
        database = process.database
        self.context.watch.forget(process)
        del self.processes[database]
        process.process.wait()
        last = process.last
        if last and not last["transient"]:
            raise TransferFailed(
                f"Database {database}: {last['message']}", last["hint"], {"database": database, **last["details"]}
            )
        if time.monotonic() - process.began > GOOD_SECONDS:
            self.failures[database] = 0
        number = self.failures.get(database, 0)
        self.failures[database] = number + 1
        pause = PAUSES[min(number, len(PAUSES) - 1)]
        reason = last.get("message") or process.struck or f"its process ended with status {process.process.returncode}"
        self.context.journal.event(f"The stream broke off ({reason}); begun again in {pause} s.", "warning", database)
        self.again[database] = time.monotonic() + pause

    def look_at_log(self, database: str, status: dict) -> None:
        """Say when the slot holds back much of the source's log, and end the stream when it is more than it may be.

        :raises TransferFailed: when the limit has been passed
        """
        retained = status.get("retained_bytes") or 0
        limit = self.context.options.get("max_retained_bytes")
        if limit and retained > limit:
            self.give_up(database, retained, limit)
        threshold = self.alarmed.get(database, min(ALARM_BYTES, limit // 2 if limit else ALARM_BYTES))
        if retained > threshold:
            self.alarmed[database] = 2 * retained
            self.context.journal.event(
                f"Replication slot of database {database} holds back {human_bytes(retained)} of the source's log. Watch its "
                "disk: the log is kept until the target has caught up.",
                "warning",
                database,
            )

    def give_up(self, database: str, retained: int, limit: int) -> None:
        """Drop the slot of a database: the source's disk comes first.

        :raises TransferFailed: always
        """
        self.end(database)
        name = slot.name_of(self.context.request.name, self.context.request.hash, database)
        with self.context.session("source", database, "removal of the slot") as source:
            slot.drop_slot(source.connection, name)
        self.context.journal.removed("source", database, "replication slot", name)
        raise TransferFailed(
            f"Replication slot {name} of database {database} held back {human_bytes(retained)} of the source's log, more than "
            f"the {human_bytes(limit)} of 'max_retained_bytes'. It was dropped, and the stream has ended.",
            "Let the target catch up faster, or raise the limit, then run the migration again: a new slot is made, and only "
            "what differs is copied again.",
            {"database": database, "retained_bytes": retained},
        )
