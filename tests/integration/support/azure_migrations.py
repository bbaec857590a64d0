# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One migration of Azure's service against the simulator, asked for as the modules do, in this process or as a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from ansible_collections.azpg.migrate.plugins.module_utils._module import migration as actions
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import Task
from ansible_collections.azpg.migrate.plugins.modules import migration as module
from ansible_collections.azpg.migrate.plugins.modules import migration_info as info

from support.migrations import PACKAGE, Result, environment

PASSWORDS = {"source": "s0urce-p4ss/word", "target": "t4rget-p4ss/word"}


def defaults(specification: dict) -> dict:
    """Return a module's parameters as they are when nothing is set."""
    return {word: option.get("default") for word, option in specification.items()}


class Rehearsal:
    """A migration of databases from a server out of Azure to a flexible server of the simulator, through a runtime server."""

    def __init__(self, azure, directory: Path, target: str, runtime: str, databases: list, name: str = "shop"):
        self.azure = azure
        self.directory = directory
        self.target = target
        self.runtime = runtime
        self.name = name
        self.databases = databases
        self.source = {"host": "localhost", "port": 15432, "user": "migrator", "password": PASSWORDS["source"]}
        self.destination = {
            "host": f"{target.rsplit('/', 1)[-1]}.postgres.database.azure.com",
            "user": "dbadmin",
            "password": PASSWORDS["target"],
        }

    @property
    def login(self) -> dict:
        """The options that log in to the simulator."""
        return {
            "tenant": self.azure.tenant_id,
            "client_id": self.azure.client_id,
            "secret": self.azure.client_secret,
            "cloud_environment": self.azure.url,
            "ca_certificates": str(self.azure.certificate),
        }

    def arguments(self, **options) -> dict:
        """Return a module's arguments as a user writes them; None leaves one out."""
        given = {
            "name": self.name,
            "provider": "azure",
            "source": self.source,
            "target": self.destination,
            "databases": self.databases,
            "target_server_id": self.target,
            "runtime_server_id": self.runtime,
            "state_directory": str(self.directory / "state"),
            "archive_directory": str(self.directory / "archive"),
            **self.login,
            **options,
        }
        return {word: value for word, value in given.items() if value is not None}

    def task(self, specification: dict, check_mode: bool = False, **options) -> Task:
        """Return the task of a module with these options."""
        parameters = {**defaults(specification), **self.arguments(**options)}
        self.warned = []
        module = SimpleNamespace(params=parameters, check_mode=check_mode, warn=self.warned.append, no_log_values=set())
        return Task(module)

    def ensure(self, state: str = "completed", check_mode: bool = False, **options) -> dict:
        """Do what the module migration does; looks follow each other quickly."""
        words = {"poll_interval": 0.05, "wait_timeout": 60, **options}
        return actions.ensure(self.task(module.SPECIFICATION, check_mode, state=state, **words))

    def inform(self, **options) -> dict:
        """Do what the module migration_info does."""
        return actions.inform(self.task(info.SPECIFICATION, **options))

    def begin_module(self, name: str = "migration", check_mode: bool = False, **options) -> subprocess.Popen:
        """Start a module as Ansible does, and do not wait."""
        arguments = {**self.arguments(**options), "_ansible_check_mode": check_mode, "_ansible_diff": True}
        process = subprocess.Popen(
            [sys.executable, "-m", f"{PACKAGE}.{name}"],
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

    def module(self, name: str = "migration", check_mode: bool = False, **options) -> Result:
        """Run a module as Ansible does."""
        process = self.begin_module(name, check_mode, **options)
        with process:
            output = process.stdout.read()
        return Result(output, process.returncode)

    # -- what the service knows ------------------------------------------------------------------------------------

    @property
    def service(self):
        """A session with Resource Manager."""
        return actions.provider_of(self.task(module.SPECIFICATION)).azure

    @property
    def records(self) -> list:
        """The service's records of the target, in wire form, oldest first."""
        return self.azure.migrations(self.target)

    @property
    def states(self) -> list:
        """The states of the service's records, oldest first."""
        return [record["properties"]["currentStatus"]["state"] for record in self.records]

    def sent(self, method: str) -> list:
        """Return the bodies of the requests of a method about migrations of the target."""
        path = rf"{self.target}/migrations/"
        return [exchange.request for exchange in self.azure.calls(method, path)]

    def create_by_hand(self, name: str, **properties) -> str:
        """Create a record as the Azure CLI does; return its id."""
        body = {
            "location": "eastus",
            "properties": {
                "migrationMode": "Offline",
                "migrationOption": "ValidateAndMigrate",
                "sourceType": "OnPremises",
                "sslMode": "Prefer",
                "sourceDbServerResourceId": "localhost:15432@migrator",
                "migrationInstanceResourceId": self.runtime,
                "secretParameters": {
                    "adminCredentials": {"sourceServerPassword": "a", "targetServerPassword": "b"},
                },
                "dbsToMigrate": self.databases,
                "setupLogicalReplicationOnSourceDbIfNeeded": "False",
                "overwriteDbsInTarget": "False",
                **properties,
            },
        }
        body["properties"] = {word: value for word, value in body["properties"].items() if value is not None}
        path = f"{self.target}/migrations/{name}"
        self.service.put(path, body)
        return path


def kill(process: subprocess.Popen) -> None:
    """End a program with a signal that it cannot hear."""
    process.kill()
    with process:
        process.stdout.read()


def read_all(directory: Path) -> bytes:
    """Return the content of all files below a directory, one after the other."""
    found = b""
    for root, _directories, names in os.walk(directory):
        for name in names:
            found += Path(root, name).read_bytes()
    return found
