# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: one process per migration, detached from whoever started it."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import itertools
import json
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import Callable

from .._core import status
from .._core.errors import MigrationError, TransferFailed
from .._core.files import read_json, write_private
from .._core.layout import Layout
from .._core.redaction import redact
from .._core.request import Request
from .._postgres.driver import psycopg2
from .._postgres.programs import choose_programs
from . import catalogue, roles, timeline_page
from .database_run import DatabaseRun
from .effort import read_efforts, table_work
from .heartbeat import Watch
from .journal import Journal, utc_now
from .leftovers import clear_the_way, end_own_sessions
from .observation import Observer
from .online.base import FOLLOWED_STATE, OnlineDatabaseRun
from .online.following import Following
from .online.supervision import check, supervise
from .process import ANOTHER_RUNS, Lock, describe_holder, record_self
from .sessions import Sessions
from .subjects import ControlSession
from .timeline import read_timeline
from .trace import CONTROL
from .transient import is_transient

RECONNECTIONS = 5
RECONNECT_SECONDS = (5, 15, 30, 60, 120)


class Cancelled(Exception):
    """Somebody asked the engine to stop."""


@dataclass
class Context:
    """What every step needs to know."""

    request: Request
    layout: Layout
    journal: Journal
    options: dict
    engine: str
    programs: object = None
    roles: roles.RolePlan | None = None
    stopping: list = field(default_factory=list)
    observer: Observer | None = None
    sessions: Sessions | None = None
    watch: Watch | None = None
    following: Following | None = None

    @contextlib.contextmanager
    def session(self, side: str, database: str | None = None, doing: str = "preparation"):
        """Give a control session that the watch looks after, and close it."""
        connection = self.sessions.open(side, database)
        subject = ControlSession(connection, side, self.sessions.label(side, "control"))
        subject.doing = doing
        self.watch.watch(subject)
        try:
            yield subject
        finally:
            self.watch.forget(subject)
            connection.close()

    def tick(self) -> None:
        """Called about once a second by whatever takes long.

        :raises Cancelled: when the engine was asked to stop
        """
        if self.stopping:
            raise Cancelled
        if self.following and threading.current_thread() is threading.main_thread():
            self.following.look()


def say(text: str) -> None:
    """Write to the engine's log."""
    sys.stdout.write(f"{utc_now()} {text}\n")
    sys.stdout.flush()


def prepare(context: Context) -> None:
    """Look at both servers once: versions, client programs, roles."""
    request = context.request
    context.journal.begin_span("", CONTROL, "preparation", "step", "roles and survey", 0, 0)
    clear_the_way(context.sessions, context.journal, context.tick)
    with context.session("source", request.databases[0]) as first, context.session("target") as second:
        source, target = first.connection, second.connection
        majors = [session.server_version // 10000 for session in (source, target)]
        context.programs = choose_programs(*majors, context.options.get("bin_directory"))
        context.journal.set(source_version=source.server_version, target_version=target.server_version,
                            client_version=context.programs.version)  # fmt: skip
        context.roles = roles.read_plan(source, target, list(request.databases), dict(request.role_map))
        for warning in roles.create_roles(target, context.roles, context.journal):
            context.journal.event(warning, "warning")
        roles.join_owners(target, context.roles, context.journal)
    survey(context)
    context.journal.end_span(CONTROL, "done")


def survey(context: Context) -> None:
    """Enter the tables of the databases to come in the journal, so that progress counts from the whole from the beginning.

    The first database enters its own a moment later, when it is begun.
    """
    for database in context.request.databases[1:]:
        with context.session("source", database, "survey") as survey_session:
            tables = catalogue.read_tables(survey_session.connection)
            efforts = read_efforts(survey_session.connection, tables)
        context.journal.plan(
            database,
            ((table.unit, "table", table.label, table.bytes, table_work(table.bytes)) for table in tables),
        )
        context.journal.expect(database, efforts.totals)


def persist(context: Context, action: Callable[[], None], database: str | None = None) -> None:
    """Do something again when a connection was lost on the way: that is no reason to give up at once."""
    for attempt in range(RECONNECTIONS + 1):
        try:
            action()
            return
        except (psycopg2.Error, MigrationError) as error:
            context.tick()  # whoever asked for the end gets it, not another attempt
            if not is_transient(error) or attempt == RECONNECTIONS:
                raise
            pause = RECONNECT_SECONDS[attempt]
            words = redact(" ".join(str(error).split()), context.request.secret_values)
            context.journal.event(f"Connection lost ({words}); tried again in {pause} s.", "warning", database)
            for _second in range(pause):
                time.sleep(1)
                context.tick()


def carry_databases(context: Context) -> None:
    """Carry one database after the other."""
    for number, database in enumerate(context.request.databases, 1):
        attempts = itertools.count()

        def carry(database: str = database, number: int = number, attempts: itertools.count = attempts) -> None:
            if next(attempts):
                # What a lost connection has left at work on a server must not come in late.
                for doubt in end_own_sessions(context.sessions, context.sessions.runner):
                    context.journal.event(doubt, "warning", database)
            (OnlineDatabaseRun if context.following else DatabaseRun)(context, database, number).run()

        persist(context, carry, database)
        if context.following and context.journal.database_state(database) == FOLLOWED_STATE:
            context.following.begin(database)


def start_watch(context: Context) -> None:
    """Start the thread that looks after all sessions; signals wake it even while the main thread waits for a server."""

    def say(sentence: str, database: str | None) -> None:
        with contextlib.closing(Journal(context.layout.journal_file)) as journal:
            journal.event(sentence, "warning", database)

    context.watch = Watch(context.sessions, say, context.request.secret_values)
    signal.set_wakeup_fd(context.watch.waker.fileno(), warn_on_full_buffer=False)
    context.watch.start()


def leave(context: Context) -> None:
    """End whatever is still at work for this engine on the servers."""
    if context.following:
        context.following.close()
    context.watch.stop()
    for doubt in end_own_sessions(context.sessions, context.sessions.runner):
        context.journal.event(doubt, "warning")


def run(directory: str) -> int:
    """Run the migration whose private directory is I(directory); secrets come on standard input; return the exit status."""
    secrets = json.load(sys.stdin)
    stored = read_json(os.path.join(directory, "request.json"))
    request = Request.from_dict(stored["request"], secrets)
    layout = Layout.create(request.name, stored["state_directory"], stored["archive_directory"])
    lock = Lock(layout)
    if not lock.acquire():
        say(f"Another engine runs migration {request.name}: {describe_holder(layout)}.")
        return ANOTHER_RUNS
    journal = Journal(layout.journal_file)
    context = Context(request, layout, journal, stored["options"], os.path.abspath(sys.argv[0]))
    context.sessions = Sessions(request)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_arguments: context.stopping.append(True))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    faulthandler.register(signal.SIGUSR1)  # all threads' stacks go to the log, for whoever looks into a hang
    journal.set(state=status.RUNNING, started_at=journal.get("started_at") or utc_now(), error=None, finished_at=None)
    for database in request.databases:
        if journal.database_state(database) is None:
            journal.database(database, "pending")
    journal.set(jobs=context.options["jobs"], max_bytes_per_second=context.options.get("max_bytes_per_second"))
    journal.begin_run(context.options["jobs"])
    context.observer = Observer(journal, context.sessions)
    record_self(layout)
    start_watch(context)
    outcome, sentence, level, code = status.COMPLETED, "The transfer is complete.", "info", 0
    failure = None
    try:
        if request.mode == "online":
            context.following = Following(context)
        persist(context, lambda: prepare(context))
        if context.following:
            persist(context, lambda: check(context))
        carry_databases(context)
        if context.following:
            supervise(context, persist)
    except Cancelled:
        outcome, sentence, level, code = status.CANCELLED, "Cancelled on request.", "warning", 4
        if context.following:
            sentence += (
                " The slots on the source keep its log until the migration goes on or is given up (module cleanup)."
            )
    except Exception as error:
        problem = error if isinstance(error, MigrationError) else unexpected(error)
        failure = problem.as_dict()
        failure["msg"] = redact(failure["msg"], request.secret_values)
        outcome, sentence, level, code = status.FAILED, failure["msg"], "error", 1
        say(redact(traceback.format_exc(), request.secret_values))
    try:
        leave(context)  # before the state says that it is over
        journal.set(state=outcome, finished_at=utc_now(), error=failure)
        journal.event(sentence, level)
        return code
    finally:
        journal.end_run(journal.get("state"), context.observer.seconds(None))
        write_timeline(layout, request)
        journal.close()
        lock.release()


def write_timeline(layout: Layout, request: Request) -> None:
    """Write the page that shows who did what and when; a transfer does not fail because of its picture."""
    try:
        write_private(layout.timeline_file, timeline_page.render(read_timeline(layout.journal_file), request))
    except Exception:
        say(redact(traceback.format_exc(), request.secret_values))


def unexpected(error: Exception) -> TransferFailed:
    """Give an error that nobody foresaw the shape of those that were."""
    words = " ".join(str(error).split())
    return TransferFailed(
        f"{type(error).__name__}: {words}",
        "Run the migration again to go on from here; the engine's log has the particulars.",
    )


def main(arguments: list | None = None) -> int:
    """Entry of the installed engine: C(run --directory DIRECTORY).

    Called as C(worker) or C(follow) it serves another one (see M(worker) and M(online.child)).
    """
    parser = argparse.ArgumentParser(prog="azpg-migrate-engine", description="Transfer engine of azpg.migrate.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run or resume a migration").add_argument("--directory", required=True)
    # Also what client programs write, such as definitions with the passwords of user mappings, is nobody else's.
    os.umask(0o077)
    return run(parser.parse_args(arguments).directory)
