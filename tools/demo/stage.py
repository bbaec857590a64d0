# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stage of the demo: two servers, a sample application, an inventory and a file with the passwords."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import shutil
import signal
from pathlib import Path

from tools.lab import dataset
from tools.lab.binaries import CACHE, obtain
from tools.lab.cluster import Cluster, stop_all

USER = "migrator"


class Stage:
    """Source, target and what a user would have written, all below one directory."""

    def __init__(self, directory: Path, source_major: int = 14, target_major: int = 17):
        self.directory = directory.absolute()
        self.inventory = self.directory / "inventory.yml"
        self.vault = self.directory / "vault.yml"
        self.reports = self.directory / "reports"
        self.prefixes = [obtain(major, CACHE) for major in (source_major, target_major)]
        self.source = Cluster(self.prefixes[0], self.directory / "source")
        self.target = Cluster(self.prefixes[1], self.directory / "target")

    def start(self, scale: float) -> None:
        """Start both servers, fill the source, create the two migration users, write inventory and passwords."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for cluster in (self.source, self.target):
            cluster.create()
            cluster.start()
        self.fill(scale)
        passwords = {side: secrets.token_urlsafe(18) for side in ("source", "target")}
        self.create_users(passwords)
        self.write_passwords(passwords)
        self.inventory.write_text(json.dumps(self.inventory_content(), indent=2) + "\n", encoding="utf-8")

    def fill(self, scale: float) -> None:
        """Fill the source with the sample application."""
        dataset.load(self.source, scale)

    def create_users(self, passwords: dict) -> None:
        """Create an ordinary user for the migration on both servers."""
        dataset.create_source_user(self.source, USER, passwords["source"])
        dataset.create_target_user(self.target, USER, passwords["target"])

    @property
    def environment(self) -> dict:
        """What the playbook finds in its environment besides the user's own."""
        return {}

    def stop(self) -> None:
        """End both servers and remove their data."""
        for cluster in (self.source, self.target):
            cluster.stop()
            shutil.rmtree(cluster.directory, ignore_errors=True)

    def write_passwords(self, passwords: dict) -> None:
        """Write the one file that holds passwords, as a user would; those of the superusers are for comparisons."""
        content = {
            "demo_source_password": passwords["source"],
            "demo_target_password": passwords["target"],
            "demo_source_superuser_password": self.source.password,
            "demo_target_superuser_password": self.target.password,
        }
        with open(os.open(self.vault, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=2)

    def inventory_content(self) -> dict:
        """Return the inventory: one migration, one host (JSON is YAML)."""
        return {
            "migrations": {
                "hosts": {
                    "shop": {
                        "azpg_name": "shop",
                        "azpg_source": self.endpoint(self.source, "source"),
                        "azpg_target": self.endpoint(self.target, "target"),
                        "azpg_databases": list(dataset.DATABASES),
                    }
                },
                "vars": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                    # Modules go through a pipe, so that their arguments are in no file.
                    "ansible_pipelining": True,
                    "azpg_bin_directory": str(self.prefixes[1] / "bin"),
                    "azpg_colocated": True,
                    "azpg_state_directory": str(self.directory / "state"),
                    "azpg_archive_directory": str(self.directory / "archive"),
                    "azpg_report_directory": str(self.reports),
                    "azpg_poll_interval": 1,
                },
            }
        }

    @staticmethod
    def endpoint(cluster: Cluster, side: str) -> dict:
        """Return how to connect to a server; the password is named, not written."""
        words = {
            word: value for word, value in cluster.connection(USER, "").items() if word not in ("dbname", "password")
        }
        return {**words, "password": f"{{{{ demo_{side}_password }}}}"}

    def reopen(self, play) -> None:
        """Undo what keeps the application from the source: nothing, as it was stopped before."""

    def said(self) -> list:
        """Return more lines for the summary."""
        return []

    def leave_running(self) -> None:
        """Let the servers live on when this process ends."""
        for cluster in (self.source, self.target):
            atexit.unregister(cluster.stop)

    def differences(self) -> tuple:
        """Ask both servers the application's queries; return C((number of queries, differences))."""
        answers = [
            dataset.answers(lambda database, cluster=cluster: cluster.connection(dbname=database))
            for cluster in (self.source, self.target)
        ]
        return len(answers[0]), dataset.compare_answers(*answers)


def stop(directory: Path) -> None:
    """End everything that lives below I(directory), transfers included, and remove it; nothing there is fine."""
    for description in directory.glob("state/migrations/*/engine.json"):
        with contextlib.suppress(OSError, ValueError):
            os.kill(json.loads(description.read_text(encoding="utf-8"))["pid"], signal.SIGTERM)
    if directory.exists():
        stop_all(directory)
        shutil.rmtree(directory, ignore_errors=True)


def compare(directory: Path) -> tuple:
    """Compare the answers of servers that another process started; return C((number of queries, differences))."""
    inventory = json.loads((directory / "inventory.yml").read_text(encoding="utf-8"))["migrations"]
    passwords = json.loads((directory / "vault.yml").read_text(encoding="utf-8"))
    (migration,) = inventory["hosts"].values()

    def connection(side: str):
        words = {
            **migration[f"azpg_{side}"],
            "user": "postgres",
            "password": passwords[f"demo_{side}_superuser_password"],
        }
        return lambda database: {**words, "dbname": database}

    answers = [dataset.answers(connection(side)) for side in ("source", "target")]
    return len(answers[0]), dataset.compare_answers(*answers)
