# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft's own program az, logged in to the simulator as to a cloud of its own, beside a landscape for a migration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from support.azure_stage import Stage  # noqa: E402

from tests.azure_simulator import Simulator  # noqa: E402
from tests.azure_simulator.clock import WholeSeconds  # noqa: E402


class Refused(Exception):
    """The program ended with an error; the words are its own."""


class Program:
    """The program az with a configuration of its own; I(said) keeps all that it printed."""

    def __init__(self, path: Path, environment: dict):
        self.path = path
        self.environment = {**environment, "PATH": f"{path.parent}:{os.environ['PATH']}", "HOME": environment["HOME"]}
        self.said: list[str] = []

    def __call__(self, *words: str):
        """Run a command; return the JSON that it prints, or None.

        :raises Refused: with what it says
        """
        done = subprocess.run(
            [self.path, *words, "--output", "json"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        self.said.append(done.stdout + done.stderr)
        if done.returncode:
            raise Refused(f"az {' '.join(words)} ended with {done.returncode}: {done.stderr[-3000:]}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def migration(self, action: str, target: str, *words: str):
        """Run a command about migrations of a target."""
        group, server = target.split("/")[4], target.split("/")[-1]
        place = ("--resource-group", group, "--server-name", server)
        return self("postgres", "flexible-server", "migration", action, *place, *words)


@pytest.fixture(scope="session")
def azure(tmp_path_factory):
    """A simulator that moves nothing and is quick; nothing that anybody says may be outside Microsoft's description."""
    # The program reads whole numbers only when it is told how long to wait.
    clock = WholeSeconds(0.002)
    with Simulator(tmp_path_factory.mktemp("azure"), clock=clock, control_plane_only=True) as simulator:
        yield simulator
        assert [str(one) for one in simulator.violations] == []


@pytest.fixture(scope="session")
def az(azure, tmp_path_factory):
    """The program, after it has registered the simulator as a cloud and logged in."""
    home = tmp_path_factory.mktemp("az")
    words = {**azure.cli_environment(home / "configuration"), "HOME": str(home), "LANG": "C.UTF-8"}
    program = Program(Path(os.environ["AZPG_AZ"]), words)
    program("cloud", "register", "--name", "Rehearsal", "--endpoint-resource-manager", azure.url)
    program("cloud", "set", "--name", "Rehearsal")
    login = ("--username", azure.client_id, "--password", azure.client_secret, "--tenant", azure.tenant_id)
    (found,) = program("login", "--service-principal", *login)
    assert found["id"] == azure.subscription_id
    return program


@pytest.fixture(scope="session")
def landscape(azure, tmp_path_factory):
    """Networks, and a target behind a private endpoint; every test has a name of its own there."""
    return Stage(azure, tmp_path_factory.mktemp("stage"))
