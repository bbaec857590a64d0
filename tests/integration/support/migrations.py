# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One migration as a user writes it, run through playbooks or straight through modules, and a look at its traces."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from support.servers import Lab, write_secrets
from support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]
ANSIBLE = ROOT / ".cache" / "ansible"
PACKAGE = "ansible_collections.azpg.migrate.plugins.modules"
SHARE = """
SELECT COALESCE(1.0 * sum(CASE WHEN state = 'done' THEN bytes_total ELSE min(bytes_done, bytes_total) END)
       / max(1, sum(bytes_total)), 0) FROM unit WHERE kind = 'table'
"""


def environment(**more: str) -> dict:
    """Return the environment of a program that Ansible starts or is; the project's own settings come first."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ANSIBLE / "collections"))),
        "PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "byte-code"),
        "ANSIBLE_HOME": str(ANSIBLE),
        "ANSIBLE_COLLECTIONS_PATH": str(ANSIBLE / "collections"),
        "ANSIBLE_REMOTE_TMP": str(ANSIBLE / "remote"),
        "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "NO_COLOR": "1",
        **more,
    }


class Result(dict):
    """What a module returned; I(output) is all that it wrote."""

    def __init__(self, output: str, code: int):
        self.output = output
        self.code = code
        try:
            super().__init__(json.loads(output))
        except ValueError:
            raise AssertionError(f"the module ended with {code} and wrote no JSON:\n{output[-3000:]}") from None

    @property
    def failed(self) -> bool:
        """Whether the module failed."""
        return bool(self.get("failed"))

    def good(self) -> Result:
        """Return itself, after making sure that it has not failed."""
        assert not self.failed, self.get("msg")
        return self


class Play:
    """What a playbook's run came to."""

    def __init__(self, output: str, code: int):
        self.output = output
        self.code = code

    def _recaps(self, word: str) -> list:
        # Ansible prints a recap after each playbook and goes on counting.
        parts = self.output.split("PLAY RECAP")[1:]
        return [sum(int(number) for number in re.findall(rf"\b{word}=(\d+)", part)) for part in parts]

    @property
    def changes(self) -> list:
        """The number of changed tasks of each playbook."""
        counts = self._recaps("changed")
        return [after - before for before, after in zip([0, *counts], counts)]

    @property
    def changed(self) -> int:
        """The number of changed tasks."""
        return sum(self.changes)

    def good(self) -> Play:
        """Return itself, after making sure that everything went well."""
        # With many hosts the end of the output is a long table, and what went wrong is far above it.
        wrong = "\n".join(line[:1500] for line in self.output.splitlines() if line.startswith("fatal:"))
        assert self.code == 0 and sum(self._recaps("ok")), f"{wrong[:6000]}\n{self.output[-3000:]}"
        return self


class Migration:
    """A migration's name, databases and directories, all its own."""

    def __init__(self, lab: Lab, directory: Path, name: str, databases: list):
        self.lab = lab
        self.directory = directory
        self.name = name
        self.databases = databases
        self.ends = {side: lab.endpoint(side) for side in ("source", "target")}
        self.state = directory / "state"
        self.archive = directory / "archive" / name
        self.reports = directory / "reports"
        self.private = self.state / "migrations" / name
        self.bin_directory = str(lab.target.prefix / "bin")

    # -- modules ----------------------------------------------------------------------------------------------------

    def arguments(self, module: str, **options) -> dict:
        """Return a module's arguments; I(options) win, and None leaves one out."""
        given = {
            "name": self.name,
            "source": self.ends["source"],
            "target": self.ends["target"],
            "databases": self.databases,
            "state_directory": str(self.state),
            "archive_directory": str(self.directory / "archive"),
        }
        if module in ("runtime_server", "runtime_server_info", "premigration_check", "migration"):
            given["bin_directory"] = self.bin_directory
        if module == "runtime_server":
            given["colocated"] = True
        if module == "migration":
            given.update(jobs=2, poll_interval=1)
        given.update(options)
        return {word: value for word, value in given.items() if value is not None}

    def begin(self, module: str, *, check_mode: bool = False, prefix: tuple = (), **options) -> subprocess.Popen:
        """Start a module as Ansible does on a host, its arguments on standard input, and do not wait."""
        arguments = {
            **self.arguments(module, **options),
            "_ansible_check_mode": check_mode,
            "_ansible_diff": check_mode,
        }
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", f"{PACKAGE}.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            env=environment(),
            encoding="utf-8",
        )
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        process.stdin.close()
        return process

    @staticmethod
    def end(process: subprocess.Popen) -> Result:
        """Wait for a module and return its result."""
        with process:
            output = process.stdout.read()
        return Result(output, process.returncode)

    def module(self, module: str, **options) -> Result:
        """Run a module."""
        return self.end(self.begin(module, **options))

    def provision(self) -> None:
        """Make the runtime server ready."""
        self.module("runtime_server").good()

    def migrate(self, **options) -> Result:
        """Provision and migrate, and wait for the end."""
        self.provision()
        return self.module("migration", **options).good()

    def half_way(self) -> None:
        """Provision, and bring the transfer of the bulky seed half of the way."""
        self.provision()
        self.module("migration", wait=False, max_bytes_per_second=600000).good()
        wait_for(lambda: self.journal("SELECT 1 FROM unit WHERE kind = 'table' AND state = 'done'"), "the first table")

    def made(self, kind: str) -> list:
        """Return what the journal says that the migration made of a kind."""
        return [name for (name,) in self.journal("SELECT name FROM created WHERE kind = ? AND state = 'created'", kind)]

    # -- playbooks --------------------------------------------------------------------------------------------------

    def write_inventory(self, **variables) -> tuple:
        """Write inventory and passwords as a user would; return both paths. Only the second file holds secrets."""
        ends = {
            f"azpg_{side}": {**words, "password": f"{{{{ vault_{side} }}}}"} if "password" in words else words
            for side, words in self.ends.items()
        }
        host = {
            "azpg_name": self.name,
            **ends,
            "azpg_databases": self.databases,
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "ansible_pipelining": True,
            "azpg_bin_directory": self.bin_directory,
            "azpg_colocated": True,
            "azpg_state_directory": str(self.state),
            "azpg_archive_directory": str(self.directory / "archive"),
            "azpg_report_directory": str(self.reports),
            "azpg_jobs": 2,
            "azpg_poll_interval": 1,
            **variables,
        }
        inventory, vault = self.directory / "inventory.yml", self.directory / "vault.yml"
        inventory.write_text(json.dumps({"migrations": {"hosts": {self.name: host}}}), encoding="utf-8")
        write_secrets(vault, {f"vault_{side}": words.get("password") for side, words in self.ends.items()})
        return inventory, vault

    def begin_play(
        self, playbook: str, *arguments: str, programs: Path = Path(sys.executable).parent, **variables
    ) -> subprocess.Popen:
        """Start a playbook of the collection in a session of its own and do not wait; I(arguments) name more, or options.

        I(programs) is the folder of the ansible-playbook that runs it.
        """
        inventory, vault = self.write_inventory(**variables)
        program = str(programs / "ansible-playbook")
        words = [word if word.startswith("-") else f"azpg.migrate.{word}" for word in (playbook, *arguments)]
        return subprocess.Popen(
            [program, "-i", str(inventory), "-e", f"@{vault}", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            env=environment(),
            encoding="utf-8",
            start_new_session=True,
        )

    @staticmethod
    def end_play(process: subprocess.Popen) -> Play:
        """Wait for a playbook."""
        with process:
            output = process.stdout.read()
        return Play(output, process.returncode)

    def play(self, playbook: str, *arguments: str, **options) -> Play:
        """Run a playbook of the collection; the options are those of C(begin_play)."""
        return self.end_play(self.begin_play(playbook, *arguments, **options))

    # -- traces -----------------------------------------------------------------------------------------------------

    def journal(self, sql: str, *parameters) -> list:
        """Ask the journal; no rows while it is not there yet."""
        path = self.private / "journal.sqlite"
        if not path.exists():
            return []
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
                return connection.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise

    def share(self) -> float:
        """Return how much of the tables' bytes has been carried, 0 to 1, as the journal has it."""
        rows = self.journal(SHARE)
        return rows[0][0] if rows else 0.0

    def events(self) -> str:
        """Return the journal's sentences."""
        return "\n".join(message for (message,) in self.journal("SELECT message FROM event ORDER BY id"))

    def attempts(self) -> dict:
        """Return how often each table's copy was begun."""
        return dict(self.journal("SELECT label, attempts FROM unit WHERE kind = 'table'"))

    def engine(self) -> int | None:
        """Return the engine's process id if it lives."""
        try:
            pid = json.loads((self.private / "engine.json").read_text(encoding="utf-8"))["pid"]
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (OSError, ValueError):
            return None
        return pid if str(self.private).encode() in command and state != "Z" else None

    def kill_engine(self) -> None:
        """End the engine with a signal that it cannot hear, and wait until it and its workers are gone."""
        pid = self.engine()
        assert pid, "no engine runs"
        workers = children(pid)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(alive(process) for process in (pid, *workers)), "the engine's end")

    def report(self) -> dict:
        """Return the newest verification report."""
        return json.loads((self.private / "reports" / "verification.json").read_text(encoding="utf-8"))

    def close(self) -> None:
        """Leave nothing running."""
        pid = self.engine()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not alive(pid), "the engine's end")


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and only waits to be noticed does not."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] != "Z"
        )
    except OSError:
        return False


def children(pid: int) -> list:
    """Return the processes that descend from a process, nearest first."""
    parents: dict = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = path.read_text(encoding="utf-8", errors="replace")
            parents.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
    found = [pid]
    for process in found:
        found += parents.get(process, [])
    return found[1:]
