# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's process: who it is, whether it lives, how it is started and stopped."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from datetime import datetime, timezone

from .._core.errors import TransferFailed
from .._core.files import read_json, write_json
from .._core.layout import Layout
from .._core.waiting import clock

START_SECONDS = 30
STOP_SECONDS = 90  # with both servers out of reach it takes a minute
ANOTHER_RUNS = 3  # the engine's exit status when it finds the lock taken


def boot_id() -> str:
    """Return the kernel's id of this boot; a process of another boot cannot be alive."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()


def start_time(pid: int) -> int | None:
    """Return the start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            # The command name, in parentheses, may hold spaces and parentheses itself.
            fields = stream.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def started_at(pid: int) -> str:
    """Return when a living process was started, in UTC as ISO 8601 with seconds."""
    with open("/proc/stat", encoding="ascii") as stream:
        boot = next(int(line.split()[1]) for line in stream if line.startswith("btime "))
    moment = boot + start_time(pid) / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def describe_self() -> dict:
    """Return C({pid, start_time, boot_id, host, started_at}) of the calling process."""
    return {
        "pid": os.getpid(),
        "start_time": start_time(os.getpid()),
        "boot_id": boot_id(),
        "host": socket.gethostname(),
        "started_at": started_at(os.getpid()),
    }


def describe_holder(layout: Layout) -> str:
    """Return process, host and start of the engine that was written down last, for people."""
    known = read_json(layout.process_file) or {}
    return (
        f"process {known.get('pid', 'unknown')} on host {known.get('host', 'unknown')}, "
        f"started at {known.get('started_at', 'an unknown time')}"
    )


def living(layout: Layout) -> dict | None:
    """Return the description of the engine that runs this migration, or None when none does."""
    known = read_json(layout.process_file)
    if not known or known["boot_id"] != boot_id() or start_time(known["pid"]) != known["start_time"]:
        return None
    return known


class Lock:
    """Keeps a second engine out; the kernel lets go of it when the holder dies, however it dies."""

    def __init__(self, layout: Layout):
        self.path = layout.lock_file
        self.descriptor = None

    def acquire(self) -> bool:
        """Take the lock; return False when another process holds it."""
        self.descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.descriptor)
            self.descriptor = None
            return False
        return True

    def release(self) -> None:
        """Let go of the lock."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def scope_command(name: str) -> list:
    """Return the C(systemd-run) prefix that puts the engine in a scope of its own, empty where there is no systemd.

    Without it a logout with KillUserProcesses=yes, or a restart of sshd.service, would end the transfer.
    """
    program = shutil.which("systemd-run")
    if not program or os.geteuid() != 0 or not os.path.isdir("/run/systemd/system"):
        return []
    return [program, "--scope", "--collect", "--quiet", f"--unit=azpg-migrate-{name}-{int(time.time())}", "--"]


def start_detached(layout: Layout, interpreter: str, engine: str, secrets: dict) -> dict:
    """Start the engine in a session of its own and return its description once it holds the lock.

    When another call was faster, the lock ends this one's engine and the description is that of the one that runs; so
    what is written down already is left alone: a description of the past is known by its process being gone.

    :param secrets: C({source: {password}, target: {password}}), handed over through an inherited pipe
    :raises TransferFailed: when it ends, or says nothing, within 30 seconds
    """
    command = [*scope_command(layout.name), interpreter, engine, "run", "--directory", layout.directory]
    environment = {key: text for key, text in os.environ.items() if not key.startswith(("PG", "ANSIBLE_", "AZURE_"))}
    with open(os.open(layout.log_file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "ab") as log:
        # This runs outside Ansible too, where no module offers run_command.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", env=environment, start_new_session=True
        )
    try:
        process.stdin.write(json.dumps(secrets).encode("utf-8"))
        process.stdin.close()
    except BrokenPipeError:
        pass  # it has ended already; the loop below says how
    for _elapsed in clock(START_SECONDS, 0.1):
        known = living(layout)
        if known:
            return known
        if process.poll() not in (None, ANOTHER_RUNS):
            break
    if process.poll() == ANOTHER_RUNS:
        raise TransferFailed(
            f"Another engine holds the lock of migration {layout.name}: {describe_holder(layout)}. No such process is to "
            "be seen from here.",
            f"It runs in another container or on another host that shares {layout.directory}. Cancel it there.",
            {"holder": read_json(layout.process_file)},
        )
    raise TransferFailed(
        f"The engine did not start (exit status {process.poll()}): {log_tail(layout)}",
        f"Read {layout.log_file} on the runtime host.",
    )


def log_tail(layout: Layout, characters: int = 600) -> str:
    """Return the end of the engine's log, on one line."""
    try:
        with open(layout.log_file, encoding="utf-8", errors="replace") as stream:
            return " ".join(stream.read()[-characters:].split()) or "its log is empty"
    except FileNotFoundError:
        return "it has no log"


def record_self(layout: Layout, **more) -> None:
    """Write down the calling process as this migration's engine, with what else there is to know of it."""
    write_json(layout.process_file, {**describe_self(), **more})


def stop(layout: Layout, timeout: float = STOP_SECONDS) -> bool:
    """Ask the running engine to stop and wait until it has; return False when none was running.

    :raises TransferFailed: when it still lives after I(timeout) seconds
    """
    known = living(layout)
    if not known:
        return False
    os.kill(known["pid"], signal.SIGTERM)
    for _elapsed in clock(timeout, 0.2):
        if not living(layout):
            return True
    raise TransferFailed(
        f"The engine (process {known['pid']}) did not stop within {timeout:.0f} s.",
        f"Look at {layout.log_file}; end it with 'kill -9 {known['pid']}': the run can be resumed afterwards.",
    )
