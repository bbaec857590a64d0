# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same fleet as one play of Ansible: a host for each migration, forks, and the module's live progress."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from support.migrations import environment

from tests.azure_fleet.fleet import Fleet

PLAY = """
- name: Carry a fleet
  hosts: migrations
  gather_facts: false
  tasks:
    - name: Carry the databases
      azpg.migrate.migration: "{{ request | combine({'client_id': client_id, 'secret': secret}) }}"
"""
RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


class PlaybookFleet(Fleet):
    """Carried by C(ansible-playbook)."""

    def carry_all(self) -> list:
        """Run the play over all hosts; return C((state, what went wrong)) of each."""
        directory = self.rehearsals[0].directory
        hosts = {
            one.name: {"request": one.arguments(poll_interval=self.plan.poll_interval, secret=None, client_id=None)}
            for one in self.rehearsals
        }
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory, play, vault = directory / "inventory.json", directory / "play.yml", directory / "vault.json"
        inventory.write_text(json.dumps({"migrations": {"hosts": hosts, "vars": common}}), encoding="utf-8")
        play.write_text(PLAY, encoding="utf-8")
        vault.write_text(
            json.dumps({"client_id": self.azure.client_id, "secret": self.azure.client_secret}), encoding="utf-8"
        )
        program = Path(sys.executable).parent / "ansible-playbook"
        command = [program, "-i", inventory, "-e", f"@{vault}", "--forks", str(self.plan.forks), play]
        done = subprocess.run(
            command, env=environment(), capture_output=True, encoding="utf-8", stdin=subprocess.DEVNULL, check=False
        )
        (directory / "play.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        found = {name: tuple(map(int, counts)) for name, *counts in RECAP.findall(done.stdout)}
        return [self.told(one.name, found.get(one.name), done.stdout) for one in self.rehearsals]

    @staticmethod
    def told(name: str, counts: tuple | None, output: str) -> tuple:
        """Return what the play says of one host."""
        if counts is None:
            return "not in the recap", f"{name}: {output[-2000:]}"
        changed, unreachable, failed = counts
        if unreachable or failed:
            said = re.search(rf"^(fatal|failed): \[{re.escape(name)}\].*$", output, re.MULTILINE)
            return "failed", f"{name}: {said.group(0)[:2000] if said else 'no word'}"
        return f"completed{' with a change' if changed else ''}", ""
