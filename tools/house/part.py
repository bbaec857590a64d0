# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One part of `make test`, or a target of its own: it runs commands, says what went wrong, and counts."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shlex
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
LOGS = CACHE / "logs"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HANGS_AFTER = 3  # times its budget, and a part is stopped


@dataclasses.dataclass
class Counts:
    """How many tests of a part had which end."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        """Name what there was, and nothing that there was not."""
        words = [f"{self.passed} passed"]
        words += [f"{self.failed} failed"] if self.failed else []
        words += [f"{self.skipped} skipped"] if self.skipped else []
        return ", ".join(words)


@dataclasses.dataclass
class Outcome:
    """What became of a part."""

    name: str
    budget: int
    good: bool
    counts: Counts
    seconds: float
    reasons: list[str]


class Part:
    """One part: it runs commands, says what went wrong, and counts."""

    budget = 0
    counts_as_tests = True

    def __init__(self, name: str) -> None:
        """Prepare; nothing runs yet."""
        self.name = name
        self.reasons: list[str] = []
        self.counts = Counts()
        self.output: list[str] = []
        self.held: list[str] | None = None
        self.process: subprocess.Popen | None = None
        self.deadline = 0.0
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = (LOGS / f"{name}.log").open("w", encoding="utf-8")

    def work(self) -> None:
        """Run the part's commands and fill in reasons and counts."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Write to the terminal, unless that is held back, and to the log."""
        if self.held is None:
            print(text, flush=True)
        else:
            self.held.append(text)
        self.log.write(text + "\n")
        self.log.flush()

    def run(self, *command: str) -> int:
        """Run a command from the checkout's root, showing its output as it comes."""
        self.say(f"$ {shlex.join(command)}")
        env = {**os.environ, "NO_COLOR": "1", "PY_COLORS": "0", "ANSIBLE_NOCOLOR": "1"}
        env.pop("FORCE_COLOR", None)
        try:
            process = self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            self.reasons.append(f"cannot run {command[0]}: {error.strerror}")
            return 127
        # Read beside the wait: a server that outlives its command keeps the pipe open.
        reader = threading.Thread(target=self._show, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            code = process.wait(max(1.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            stop(process)
            self.reasons.append(f"stopped after {HANGS_AFTER} times the budget: {command[0]}")
            code = 124
        except BaseException:
            stop(process)
            raise
        reader.join(3)
        return code

    def _show(self, stream) -> None:
        for raw in stream:
            # Some programs colour their output whatever they are told.
            line = COLOUR.sub("", raw)
            self.output.append(line)
            self.say(line.rstrip("\n"))

    def check(self, name: str, *command: str) -> bool:
        """Run a command that is one test: it passes or fails."""
        if self.run(*command) == 0:
            self.counts.passed += 1
            return True
        self.counts.failed += 1
        self.reasons.append(name)
        return False

    def judge(self) -> Outcome:
        """Run the part and return what became of it."""
        if self.held is None:
            print(f"\n== {self.name}", flush=True)
        began = time.monotonic()
        self.deadline = began + HANGS_AFTER * self.budget
        try:
            self.work()
        except (OSError, ValueError, SyntaxError, subprocess.CalledProcessError) as error:
            self.reasons.append(f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - began
        if not self.counts.passed and not self.reasons:
            self.reasons.append("no test passed")
        self.log.close()
        return Outcome(self.name, self.budget, not self.reasons, self.counts, seconds, self.reasons)

    def end(self) -> None:
        """End what the part is running, if anything."""
        if self.process and self.process.poll() is None:
            stop(self.process)

    def show_held(self) -> None:
        """Write to the terminal what was held back."""
        print("\n".join([f"\n== {self.name}", *(self.held or [])]), flush=True)


def stop(process: subprocess.Popen) -> None:
    """End a command and what it started in its session."""
    for sign, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, sign)
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return
