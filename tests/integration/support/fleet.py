# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many migrations in one inventory, spread over runtime hosts: local ones here, each with a state directory of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.migrations import Play, environment
from support.servers import Lab, write_secrets


class Fleet:
    """An inventory of migrations, one database each, and runs of playbooks over it."""

    def __init__(self, lab: Lab, directory: Path, names: list, hosts: int):
        self.lab = lab
        self.directory = directory
        self.names = names
        self.hosts = hosts
        self.reports = directory / "reports"
        self.page = self.reports / "fleet.html"
        self.inventory = directory / "inventory.yml"
        self.vault = directory / "vault.yml"

    def write(self, **variables: dict) -> None:
        """Write inventory and passwords as a user would; I(variables) are more of single hosts, by name."""
        ends = {side: self.lab.endpoint(side) for side in ("source", "target")}
        hosts, groups = {}, {}
        for number, name in enumerate(self.names):
            runtime = f"runtime{number % self.hosts + 1}"
            groups.setdefault(runtime, {"hosts": {}})["hosts"][name] = {}
            hosts[name] = {"azpg_name": name, "azpg_databases": [name.replace("-", "_")], **variables.get(name, {})}
        for runtime, group in groups.items():
            # On hosts of one's own this would be ansible_host, and the directories would need no names.
            place = self.directory / runtime
            group["vars"] = {
                "azpg_state_directory": str(place / "state"),
                "azpg_archive_directory": str(place / "archive"),
            }
        content = {
            "migrations": {
                "hosts": hosts,
                "children": groups,
                "vars": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                    "ansible_pipelining": True,
                    **{
                        f"azpg_{side}": {**words, "password": f"{{{{ vault_{side} }}}}"} for side, words in ends.items()
                    },
                    "azpg_bin_directory": str(self.lab.target.prefix / "bin"),
                    "azpg_colocated": True,
                    "azpg_report_directory": str(self.reports),
                    "azpg_jobs": 1,
                    "azpg_poll_interval": 1,
                },
            }
        }
        self.inventory.write_text(json.dumps(content), encoding="utf-8")
        write_secrets(self.vault, {f"vault_{side}": words["password"] for side, words in ends.items()})

    def play(self, playbook: str, *words: str, forks: int = 5) -> Play:
        """Run a playbook, of the collection by its full name or a file, over the inventory."""
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.inventory)]
        done = subprocess.run(
            [*command, "-e", f"@{self.vault}", "--forks", str(forks), *words, playbook],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            env=environment(),
            encoding="utf-8",
            check=False,
        )
        return Play(done.stdout, done.returncode)
