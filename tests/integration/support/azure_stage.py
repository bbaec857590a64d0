# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A landscape in the simulator: networks of source, runtime server and target, and a target behind a private endpoint."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure.client import Azure
from ansible_collections.azpg.migrate.plugins.module_utils._azure.scene import Scene
from ansible_collections.azpg.migrate.plugins.module_utils._core.canonical import digest
from ansible_collections.azpg.migrate.plugins.module_utils._module import cleanup as cleaning
from ansible_collections.azpg.migrate.plugins.module_utils._module import premigration_check as checking
from ansible_collections.azpg.migrate.plugins.module_utils._module import runtime_server as serving
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import Task
from ansible_collections.azpg.migrate.plugins.module_utils._verify.carried_evidence import seal
from ansible_collections.azpg.migrate.plugins.module_utils._verify.formats import ALGORITHMS, FORMAT
from ansible_collections.azpg.migrate.plugins.modules import (
    cleanup,
    premigration_check,
    runtime_server,
    runtime_server_info,
)

from support.azure_migrations import Rehearsal, defaults
from support.azure_pace import PACE, quicken
from support.migrations import Play, environment
from tests.azure_simulator import Simulator

GROUP = "shop"
MOMENT = "%Y-%m-%dT%H:%M:%SZ"
PRIVATE_ZONE = "privatelink.postgres.database.azure.com"


class Stage(Rehearsal):
    """Everything that a migration from a private source to a private endpoint needs, but the runtime server.

    :param peered: whether the three networks are peered
    """

    def __init__(self, azure, directory: Path, name: str = "shop", peered: bool = True):
        azure.add_resource_group(GROUP)
        self.source_network = azure.add_network(
            "source", GROUP, addresses=("10.20.0.0/16",), subnets={"databases": {"addresses": "10.20.0.0/24"}}
        )
        self.runtime_network = azure.add_network(
            "hub",
            GROUP,
            addresses=("10.10.0.0/16",),
            subnets={
                "runtime": {"addresses": "10.10.1.0/24", "delegated": True},
                "plain": {"addresses": "10.10.2.0/24"},
            },
        )
        self.target_network = azure.add_network(
            "spoke", GROUP, addresses=("10.30.0.0/16",), subnets={"endpoints": {"addresses": "10.30.0.0/24"}}
        )
        if peered:
            azure.add_peering(self.runtime_network, self.source_network)
            azure.add_peering(self.runtime_network, self.target_network)
        self.subnet = f"{self.runtime_network}/subnets/runtime"
        target = azure.add_flexible_server(
            "target", GROUP, sku="Standard_D4s_v3", version="16", storage_gb=256, public_network_access="Disabled"
        )
        self.private_zone = azure.add_dns_zone(
            PRIVATE_ZONE, GROUP, networks=[self.runtime_network, self.target_network], records={"target": "10.30.0.5"}
        )
        self.endpoint = azure.add_private_endpoint(
            "target-endpoint",
            GROUP,
            f"{self.target_network}/subnets/endpoints",
            target,
            zone=self.private_zone,
            address="10.30.0.5",
        )
        super().__init__(azure, directory, target, None, ["shop", "billing"], name)
        self.source = {**self.source, "host": "10.20.0.4", "port": 5432}
        self.options = {"delegated_subnet_id": self.subnet, "source_virtual_network_id": self.source_network}
        self.words: dict = {}
        self.warnings: list = []

    def server(self, **options) -> dict:
        """Return the option azure_server; None leaves one out."""
        given = {**self.options, **options}
        return {word: value for word, value in given.items() if value is not None}

    def arguments(self, **options) -> dict:
        """Return a module's arguments as a user writes them."""
        return super().arguments(**{"azure_server": self.server(), **self.words, **options})

    def task(self, specification: dict, check_mode: bool = False, **options) -> Task:
        """Return the task of a module with these options; its warnings are kept."""
        given = self.arguments(**options)
        if "azure_server" in specification:
            known = defaults(specification["azure_server"]["options"])
            given["azure_server"] = {**known, **given["azure_server"]}
        parameters = {**defaults(specification), **given}
        parameters = {word: value for word, value in parameters.items() if word in specification}
        module = SimpleNamespace(
            params=parameters, check_mode=check_mode, warn=self.warnings.append, no_log_values=set()
        )
        return Task(module)

    def present(self, check_mode: bool = False, server: dict | None = None, **options) -> dict:
        """Do what the module runtime_server does."""
        words = {"azure_server": self.server(**(server or {})), **options}
        return serving.ensure(self.task(runtime_server.SPECIFICATION, check_mode, **words))

    def absent(self, check_mode: bool = False, server: dict | None = None, **options) -> dict:
        """Do what the module runtime_server does with state=absent."""
        return self.present(check_mode, server, state="absent", **options)

    def look(self, **options) -> dict:
        """Do what the module runtime_server_info does."""
        return serving.inform(self.task(runtime_server_info.SPECIFICATION, **options))

    def clean(self, check_mode: bool = False, **options) -> dict:
        """Do what the module cleanup does."""
        return cleaning.ensure(self.task(cleanup.SPECIFICATION, check_mode, **options))

    def evidence(self, verdict: str = "MATCH", **facts) -> dict:
        """Return evidence of the gate, as module verification_info collects it on a host that reaches both servers."""
        now = datetime.now(timezone.utc)
        request_hash = self.task(cleanup.SPECIFICATION).request.hash
        ends = {
            side: {
                "system_identifier": f"700000000000000000{number}",
                "host": f"{side}:5432",
                "version": 160009,
                "databases": {
                    name: {"oid": 16400, "encoding": "UTF8", "collate": "C.UTF-8"} for name in self.databases
                },
            }
            for number, side in enumerate(("source", "target"))
        }
        report = {
            "format": FORMAT,
            "algorithm": ALGORITHMS[0],
            "mode": "full",
            "verdict": verdict,
            "reason": "3 tables agree.",
            "request_hash": request_hash,
            "finished_at": now.strftime(MOMENT),
            "valid_until": (now + timedelta(hours=1)).strftime(MOMENT),
            **ends,
            "databases": [],
            "roles": {},
            "totals": {"match": 3, "tables": 3},
        }
        found = {
            "request_hash": request_hash,
            "fence": None,
            **ends,
            "static": {"holds": True, "proof": {}, "writers": []},
            "recheck": None,
            "sequences": {"checked": 2, "behind": [], "unreadable": []},
            **facts,
        }
        return seal({**report, "sha256": digest(report)}, [], found, now)

    def check(self, only: list | None = None, server: dict | None = None, **options) -> dict:
        """Do what the module premigration_check does with Azure's rules, and return findings by rule."""
        words = {
            "only": only or ["azure-*"],
            "fail_on": "never",
            "azure_server": self.server(**(server or {})),
            **options,
        }
        result = checking.check(self.task(premigration_check.SPECIFICATION, **words))
        found: dict = {}
        for finding in result["findings"]:
            found.setdefault(finding["rule"], []).append(finding)
        return found

    def play(self, playbook: str, *arguments: str, **variables) -> Play:
        """Run a playbook of the collection as a user does, secrets in a file of their own."""
        hidden = {"vault_source": self.source["password"], "vault_target": self.destination["password"]}
        hidden["vault_azure"] = self.azure.client_secret
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "azpg_name": self.name,
            "azpg_provider": "azure",
            "azpg_source": {**self.source, "password": "{{ vault_source }}"},
            "azpg_target": {**self.destination, "password": "{{ vault_target }}"},
            "azpg_databases": self.databases,
            "azpg_target_server_id": self.target,
            "azpg_azure": {**self.login, "secret": "{{ vault_azure }}"},
            "azpg_azure_server": self.server(),
            "azpg_azure_poll_interval": 1,
            "azpg_state_directory": str(self.directory / "state"),
            "azpg_archive_directory": str(self.directory / "archive"),
            **variables,
        }
        inventory, vault = self.directory / "inventory.json", self.directory / "vault.json"
        inventory.write_text(json.dumps({"migrations": {"hosts": {self.name: host}}}), encoding="utf-8")
        vault.write_text(json.dumps(hidden), encoding="utf-8")
        program = Path(sys.executable).parent / "ansible-playbook"
        done = subprocess.run(
            [program, "-i", inventory, "-e", f"@{vault}", f"azpg.migrate.{playbook}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            env=environment(),
            encoding="utf-8",
            check=False,
        )
        return Play(done.stdout, done.returncode)

    def session(self) -> Azure:
        """Return a session with the simulator."""
        return Azure.login(self.login)

    def scene(self, **options) -> Scene:
        """Return the scene of the migration's request."""
        task = self.task(runtime_server.SPECIFICATION, **options)
        return Scene(self.session, task.request, self.server())

    @property
    def runtime_name(self) -> str:
        """The id of the runtime server that is made."""
        return str(self.scene().runtime_id)

    def add_runtime(self, name: str = "runtime", **words) -> str:
        """Add a server that somebody else has made in the runtime server's subnet; return its id."""
        zone = self.azure.add_dns_zone(
            f"{name}.private.postgres.database.azure.com", GROUP, networks=[self.runtime_network]
        )
        given = {
            "sku": "Standard_D4s_v3",
            "delegated_subnet_id": self.subnet,
            "private_dns_zone_id": zone,
            **words,
        }
        return self.azure.add_flexible_server(name, GROUP, **given)


def changing(azure) -> list:
    """Return the requests that were to change something."""
    return [call for call in azure.calls("PUT|PATCH|DELETE|POST") if not call.path.endswith(("/token", "Availability"))]


@pytest.fixture
def azure(tmp_path, monkeypatch):
    """A simulator that moves nothing and is quick, and looks that follow each other quickly."""
    quicken(monkeypatch)
    with Simulator(tmp_path / "azure", time_scale=PACE, control_plane_only=True) as simulator:
        yield simulator
        assert simulator.violations == []


@pytest.fixture
def stage(azure, tmp_path):
    """A landscape without a runtime server."""
    return Stage(azure, tmp_path)
