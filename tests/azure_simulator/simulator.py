# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator as tests and the program see it."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.azure_simulator import certificates, operations, tokens, versions
from tests.azure_simulator.adding import Adding
from tests.azure_simulator.asking import Asking
from tests.azure_simulator.clock import Clock
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.exchanges import Exchange, Log
from tests.azure_simulator.gateway import Gateway
from tests.azure_simulator.judge import Judge, Violation
from tests.azure_simulator.listener import Listener
from tests.azure_simulator.migrations import resource as migrations
from tests.azure_simulator.resources import (
    configurations,
    databases,
    dns,
    endpoints,
    flexible_servers,
    groups,
    names,
    network_basics,
    networks,
    security,
    single_servers,
    subnets,
)
from tests.azure_simulator.routing import every
from tests.azure_simulator.trouble import Troubles
from tests.azure_simulator.wire import Answer, ArmError, Request

HOST = "localhost"
TICK = 0.05
ROUTES = every(
    *(
        module.ROUTES
        for module in (tokens, operations, groups, names, flexible_servers, configurations, databases, migrations)
    ),
    *(module.ROUTES for module in (network_basics, networks, subnets, security, dns, endpoints, single_servers)),
)


class Simulator(Adding, Asking):
    """One Azure of its own; README.md describes every word."""

    def __init__(
        self,
        directory: Path | str,
        *,
        time_scale: float = 0.01,
        control_plane_only: bool = False,
        port: int = 0,
        judge: bool = True,
        clock: Clock | None = None,
    ):
        self.directory = Path(directory).absolute()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        self.trouble = Troubles()
        self.log = Log()
        self.cloud = Cloud(self.directory, clock or Clock(time_scale), self.trouble, control_plane_only)
        self.certificate, self._server_certificate, self._key = certificates.make(self.directory / "certificate")
        self._port = port
        self.judge = Judge() if judge else None
        self._found: list[Violation] = []
        self._listener: Listener | None = None
        self._identity: Listener | None = None
        self._judging = threading.Lock()
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    # -- start and stop ----------------------------------------------------------------------------------------------

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(self, *_reason) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        gateway = Gateway(self.cloud, ROUTES, self.trouble)
        certificate, key = self._server_certificate, self._key
        self._listener = Listener(gateway, self.log, self._port, certificate, key, after=self._look)
        self._identity = Listener(gateway, self.log, 0, after=self._look)
        self.cloud.url = f"https://{HOST}:{self._listener.port}"
        self.cloud.identity_url = f"http://{HOST}:{self._identity.port}"
        self._listener.start()
        self._identity.start()
        self._ticker.start()

    def stop(self) -> None:
        """End listening and whatever still carries data."""
        self._stop.set()
        for listener in (self._listener, self._identity):
            if listener is not None:
                listener.stop()
        self._ticker.join(10)
        for migration in list(self.cloud.migrations.values()):
            if migration.mover is not None:
                migration.mover.stop()
        for server in self.cloud.of_type(flexible_servers.KIND):
            if server.private.get("own_cluster"):
                server.behind.destroy()
            elif server.behind is not None:
                configurations.unpublish(server)

    def _tick(self) -> None:
        while not self._stop.wait(TICK):
            with self.cloud.lock:
                self.cloud.tick()

    def _look(self, exchange: Exchange, request: Request, answer: Answer | None) -> None:
        """Let the judge look at an exchange; `answer` is None where the connection ended without one."""
        if self.judge is None:
            return
        try:
            body = request.json() if request.body and "json" in request.headers.get("content-type", "json") else None
        except ArmError:
            body = {}
        status, said = (0, None) if answer is None else (answer.status, answer.body)
        # Looked at one after the other: the judge keeps what it has seen.
        with self._judging:
            exchange.operation, found = self.judge.judge(
                request.method,
                request.path,
                request.raw_query,
                body,
                status,
                said,
                number=exchange.number,
                client=request.headers.get("user-agent", ""),
            )
            self._found += found

    @property
    def violations(self) -> list:
        """What the judge found, and defects of the simulator itself."""
        return [*self._found, *self.cloud.failures]

    # -- what it says of itself ---------------------------------------------------------------------------------------

    @property
    def clock(self) -> Clock:
        """The clock that everything here goes by."""
        return self.cloud.clock

    @property
    def url(self) -> str:
        return self.cloud.url

    @property
    def tenant_id(self) -> str:
        return self.cloud.tenant_id

    @property
    def subscription_id(self) -> str:
        return self.cloud.subscription_id

    @property
    def client_id(self) -> str:
        return self.cloud.client_id

    @property
    def client_secret(self) -> str:
        return self.cloud.client_secret

    @property
    def federated_token(self) -> str:
        return self.cloud.federated_token

    @property
    def api_versions(self) -> tuple[str, ...]:
        return versions.FLEXIBLE

    @property
    def _common(self) -> dict[str, str]:
        return {
            "AZURE_SUBSCRIPTION_ID": self.subscription_id,
            "AZURE_TENANT": self.tenant_id,
            "AZURE_TENANT_ID": self.tenant_id,
            "AZURE_AUTHORITY_HOST": self.url,
            "AZURE_CLOUD_ENVIRONMENT": self.url,
            "AZURE_DISABLE_INSTANCE_DISCOVERY": "true",
            "REQUESTS_CA_BUNDLE": str(self.certificate),
            "SSL_CERT_FILE": str(self.certificate),
            "NO_PROXY": "localhost,127.0.0.1",
            "no_proxy": "localhost,127.0.0.1",
        }

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for a service principal with a secret, in the words of SDK and azure.azcollection."""
        return {
            **self._common,
            "AZURE_CLIENT_ID": self.client_id,
            "AZURE_CLIENT_SECRET": self.client_secret,
            "AZURE_SECRET": self.client_secret,
        }

    @property
    def managed_identity_environment(self) -> dict[str, str]:
        """Environment variables for the machine's own identity."""
        return {**self._common, "AZURE_POD_IDENTITY_AUTHORITY_HOST": self.cloud.identity_url}

    def cli_environment(self, directory: Path | str) -> dict[str, str]:
        """Environment variables for the `az` program, which keeps its configuration in `directory`."""
        common = {key: value for key, value in self._common.items() if not key.startswith("AZURE_")}
        return {
            **common,
            "AZURE_CONFIG_DIR": str(directory),
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
            "AZURE_CORE_CHECK_FOR_UPDATES": "no",
            "AZURE_CORE_SURVEY_MESSAGE": "no",
            "AZURE_CORE_ENCRYPT_TOKEN_CACHE": "false",
            "AZURE_CORE_NO_COLOR": "true",
        }
