# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running pg_dump and pg_restore: watched while they run, and ended with the engine, however that ends."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess

from .._core.errors import ConnectionFailed, TransferFailed
from .._core.redaction import redact
from .subjects import Program

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1  # linux/prctl.h
LONGEST_WORDS = 2000
LOST = re.compile(
    r"server closed the connection|terminating connection|connection to server .* failed|could not connect to server"
    r"|SSL SYSCALL|SSL error|no connection to the server|could not receive data|could not send data"
)


def die_with_parent() -> None:
    """Let the kernel end the calling process when its parent has ended."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def memory_file(name: str):
    """Return a new file that exists in memory only."""
    return os.fdopen(os.memfd_create(name), "w+b")


def run_program(
    command: list, environment: dict, pass_fds: tuple, secrets: list, context, label: str = "", output=None
) -> str:
    """Run a client program and return its standard output, or, with the file I(output), put it there.

    :param context: the engine's; its C(tick) is called every second and may raise, its watch looks after the program
    :param label: the application name of the program's session; empty for a program without one
    :raises TransferFailed: with the program's own words when its exit status is not zero
    :raises ConnectionFailed: when its words say that the connection was lost, or the watch has ended it
    """
    # Outputs go to files: a pipe that nobody reads between two looks would stop the program.
    with memory_file("output") as heard, memory_file("errors") as errors:
        # This runs outside Ansible too, where no module offers run_command. Nothing but one system call happens
        # between fork and exec, so threads do not matter.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            command, env=environment, pass_fds=pass_fds, stdin=subprocess.DEVNULL, stdout=output or heard, stderr=errors,
            preexec_fn=die_with_parent,
        )  # fmt: skip
        subject = Program(process, command[0].rpartition("/")[2], label) if label else None
        try:
            if subject and context.watch:
                context.watch.watch(subject)
            while True:
                try:
                    process.wait(0.5)
                    break
                except subprocess.TimeoutExpired:
                    context.tick()
        finally:
            if subject and context.watch:
                context.watch.forget(subject)
            if process.poll() is None:
                process.kill()
                process.wait()
        errors.seek(0)
        words = errors.read().decode("utf-8", "replace").strip()
        if len(words) > LONGEST_WORDS:  # the cause comes first, and then perhaps the list of all tables
            words = f"{words[: LONGEST_WORDS // 2]} ... {words[-LONGEST_WORDS // 2 :]}"
        words = redact(words, secrets)
        heard.seek(0)
        text = heard.read().decode("utf-8", "replace" if process.returncode else "strict")
    if subject and subject.struck:
        raise ConnectionFailed(f"{command[0]} was ended: {subject.struck}.", "", {"side": "source", "cause": "timeout"})
    if process.returncode:
        if label and LOST.search(words):
            raise ConnectionFailed(
                f"{command[0]} lost its connection: {words}", "", {"side": "source", "cause": "other"}
            )
        raise TransferFailed(
            f"{command[0]} ended with status {process.returncode}: {words}",
            "Put right what it names on the source, then run the migration again.",
        )
    return text
