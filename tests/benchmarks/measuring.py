# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a command and measuring what it cost: wall time, CPU seconds and peak memory of its process tree."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Seconds of wall time and CPU; bytes of proportional memory (PSS), own processes and pg_dump's apart."""

    wall: float
    cpu: float
    memory: int
    dump_memory: int


def descendants(root: int) -> list:
    """Return the process ids of I(root) and everything below it."""
    children: dict = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stream:
                    parent = int(stream.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found, queue = [], [root]
    while queue:
        process = queue.pop()
        found.append(process)
        queue += children.get(process, [])
    return found


def proportional_memory(process: int) -> tuple:
    """Return C((bytes, whether it is pg_dump or pg_restore)) of a process; 0 when it is gone."""
    try:
        with open(f"/proc/{process}/comm", encoding="utf-8") as stream:
            is_dump = stream.read().strip() in ("pg_dump", "pg_restore")
        with open(f"/proc/{process}/smaps_rollup", encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024, is_dump
    except OSError:
        pass
    return 0, False


def run(command, environment: dict, stdin: bytes | None = None, shell: bool = False) -> Cost:
    """Run I(command) to its end and return its cost.

    :raises RuntimeError: with the end of its output when its exit status is not zero
    """
    begun = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, shell=shell, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    peaks = [0, 0]
    finished = threading.Event()

    def watch() -> None:
        while not finished.wait(0.1):
            sizes = [proportional_memory(number) for number in descendants(process.pid)]
            for index in (0, 1):
                peaks[index] = max(peaks[index], sum(size for size, is_dump in sizes if is_dump == bool(index)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    output: list = []
    reader = threading.Thread(target=lambda: output.append(process.stdout.read()))
    reader.start()
    if stdin:
        process.stdin.write(stdin)
        process.stdin.close()
    _pid, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    finished.set()
    watcher.join()
    reader.join()
    if process.returncode:
        raise RuntimeError(f"{command}: status {process.returncode}\n{output[0].decode(errors='replace')[-3000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, *peaks)
