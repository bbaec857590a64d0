# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""psql as the reading end of a large copy.

COPY TO sends a message for every row, and psql passes it on in less processor time than the driver needs for it. The
target's end stays with the driver, whose session holds the transaction with the table's marker.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess

from .._core.errors import TransferFailed
from .._core.redaction import redact
from .._core.request import Endpoint
from .._postgres.connection import quiet_settings
from .._postgres.driver import psycopg2
from .._postgres.environment import client_environment
from .._postgres.quoting import quote_literal
from .client_program import LOST, die_with_parent, memory_file
from .relay import F_SETPIPE_SZ, PIPE_BYTES, Receiver, Throttle
from .sessions import CHECK_INTERVAL, NOTICE_DEAD_CLIENT
from .transient import CLASSES, DISK_FULL

SQLSTATE = re.compile(r"\S:  ([0-9A-Z]{5}): ")  # behind the severity, a word of the server's language
COUNT = re.compile(r"^COPY (\d+)$", re.MULTILINE)
TO_STDOUT = re.compile(r"COPY (.*) TO STDOUT (\([^()]*\))")
BUFFER_BYTES = 1 << 18


def rows_to_output(copy_out: str) -> str:
    """Return psql's words for a COPY TO STDOUT whose rows go to its standard output while everything else goes to a file.

    These have to be on one line; where a name has several, the rows take the way that psql opens itself.
    """
    words = TO_STDOUT.fullmatch(copy_out)  # no dot stands for the end of a line
    return rf"\copy {words[1]} to pstdout {words[2]}" if words else rf"{copy_out} \g /dev/stdout"


def script(copy_out: str, snapshot: str, notes: str, settings: dict, wishes: dict) -> str:
    """Return what psql is to do: under I(snapshot), write the rows to its standard output.

    :param notes: a file for everything else that it has to say
    :param settings: of the session, all of which are needed
    :param wishes: settings that the server may refuse
    """
    lines = [rf"\o {notes}", r"\set VERBOSITY verbose"]
    # Some systems cannot tell a server that its client has gone, and then the server refuses to be asked to look.
    lines += [f"SET {name} TO {quote_literal(text)};" for name, text in wishes.items()]
    lines.append(r"\set ON_ERROR_STOP on")
    lines += [f"SET {name} TO {quote_literal(text)};" for name, text in settings.items()]
    lines += [
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;",
        f"SET TRANSACTION SNAPSHOT {quote_literal(snapshot)};",
        rows_to_output(copy_out),
        "COMMIT;",
    ]
    return "\n".join(lines) + "\n"


def command_of(psql: str) -> list:
    """Return the command that runs psql; it writes in large pieces where the system has a program that sees to that.

    By itself psql makes a system call for every 4 kB that go into a pipe.
    """
    helper = shutil.which("stdbuf")
    return [*([helper, f"--output={BUFFER_BYTES}"] if helper else []), psql, "--no-psqlrc", "--file=-"]


class SourceProgram:
    """A psql that writes the rows of one COPY to a pipe; use it as a context manager."""

    def __init__(self, psql: str, source: Endpoint, database: str, label: str, snapshot: str, server_version: int):
        self.psql = psql
        self.source = source
        self.database = database
        self.label = label
        self.snapshot = snapshot
        self.settings = {**quiet_settings(), **({"transaction_timeout": "0"} if server_version >= 170000 else {})}
        self.wishes = {**NOTICE_DEAD_CLIENT, **(dict([CHECK_INTERVAL]) if server_version >= 140000 else {})}
        self.process = None
        self.failure = None

    @contextlib.contextmanager
    def run(self, copy_out: str):
        """Start psql and give the descriptor to read the rows from; psql is gone when the block is left."""
        reading, writing = os.pipe()
        with contextlib.suppress(OSError):
            fcntl.fcntl(writing, F_SETPIPE_SZ, PIPE_BYTES)
        with (
            memory_file("orders") as orders,
            memory_file("notes") as self.notes,
            memory_file("errors") as self.errors,
        ):
            notes = f"/dev/fd/{self.notes.fileno()}"
            orders.write(script(copy_out, self.snapshot, notes, self.settings, self.wishes).encode("utf-8"))
            orders.flush()
            orders.seek(0)
            with client_environment(self.source, self.database, self.label) as (environment, pass_fds):
                # This runs outside Ansible too, where no module offers run_command.
                self.process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                    command_of(self.psql), env=environment, pass_fds=(*pass_fds, self.notes.fileno()), stdin=orders,
                    stdout=writing, stderr=self.errors, preexec_fn=die_with_parent,
                )  # fmt: skip
            os.close(writing)
            try:
                yield reading
            finally:
                os.close(reading)
                self.process.kill()
                self.process.wait()

    def rows(self) -> int:
        """Wait for psql's end and return how many rows it has sent.

        :raises TransferFailed: with psql's words; C(details.transient) says whether another attempt makes sense
        """
        status = self.process.wait()
        self.notes.seek(0)
        done = self.notes.read().decode("utf-8", "replace")
        count = COUNT.search(done)
        if status == 0 and count:
            return int(count[1])
        self.errors.seek(0)
        words = redact(self.errors.read().decode("utf-8", "replace").strip()[-2000:], [self.source.password])
        code = (SQLSTATE.findall(words) or [None])[-1]  # before it may come what was only wished
        transient = code[:2] in CLASSES and code != DISK_FULL if code else bool(LOST.search(words)) or status < 0
        if done.endswith("BEGIN\n"):
            transient = True  # the snapshot's holder is gone or going; see M(worker.Worker.source)
        self.failure = TransferFailed(
            f"The source's stream broke off: {words or f'psql ended with status {status}'}",
            "Put right what the source's server names, then run the migration again.",
            {"transient": transient, "sqlstate": code},
        )
        raise self.failure


def relay_program(
    program: SourceProgram, copy_out: str, target_cursor, copy_in: str, throttle: Throttle, progress
) -> tuple:
    """Run COPY TO in psql and COPY FROM in a session, joined by a pipe; return C((rows out, rows in, bytes)).

    :raises TransferFailed: when psql fails; nothing may be committed then
    """
    with program.run(copy_out) as pipe:
        # COPY FROM must not end well when the stream broke off, so psql is asked for its end first.
        receiver = Receiver(pipe, target_cursor.connection.fileno(), program.rows, throttle, progress)
        try:
            target_cursor.copy_expert(copy_in, receiver, PIPE_BYTES)
        except psycopg2.Error:
            # The driver passes on what the target says of a stream that this end has given up, not why it was.
            if program.failure is not None:
                raise program.failure from None
            raise
        return program.rows(), target_cursor.rowcount, receiver.carried
