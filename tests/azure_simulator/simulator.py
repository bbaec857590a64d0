"""The simulator as tests and the program see it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tests.azure_simulator import certificates, operations, tokens, versions
from tests.azure_simulator.clock import Clock
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.exchanges import Exchange, Log
from tests.azure_simulator.gateway import Gateway
from tests.azure_simulator.listener import Listener
from tests.azure_simulator.migrations import resource as migrations
from tests.azure_simulator.resources import flexible_servers, groups, names
from tests.azure_simulator.routing import every
from tests.azure_simulator.trouble import Troubles

HOST = "localhost"
TICK = 0.05
ROUTES = every(
    tokens.ROUTES, operations.ROUTES, groups.ROUTES, names.ROUTES, flexible_servers.ROUTES, migrations.ROUTES
)  # fmt: skip


class Simulator:
    """One Azure of its own; README.md describes every word."""

    def __init__(
        self,
        directory: Path | str,
        *,
        time_scale: float = 0.01,
        control_plane_only: bool = False,
        port: int = 0,
        state: Path | str | None = None,
    ):
        self.directory = Path(directory).absolute()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        self.trouble = Troubles()
        self.log = Log()
        self.cloud = Cloud(self.directory, Clock(time_scale), self.trouble, control_plane_only)
        self.certificate, self._server_certificate, self._key = certificates.make(self.directory / "certificate")
        self._port = port
        self._state = state
        self._listener: Listener | None = None
        self._identity: Listener | None = None
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
        self._listener = Listener(gateway, self.log, self._port, self._server_certificate, self._key)
        self._identity = Listener(gateway, self.log, 0)
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

    def _tick(self) -> None:
        while not self._stop.wait(TICK):
            with self.cloud.lock:
                self.cloud.tick()
                flexible_servers.appear(self.cloud, self.cloud.clock.now())

    # -- what it says of itself ---------------------------------------------------------------------------------------

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

    # -- what was asked of it -----------------------------------------------------------------------------------------

    @property
    def exchanges(self) -> list[Exchange]:
        return list(self.log.exchanges)

    @property
    def violations(self) -> list[str]:
        """What the judge found, and defects of the simulator itself."""
        return list(self.cloud.failures)

    def calls(self, method: str | None = None, path: str | None = None) -> list[Exchange]:
        """Return the exchanges of a method whose path matches a regular expression, case ignored."""
        return self.log.calls(method, path)

    def leaks(self, secret: str) -> dict:
        """Return the numbers of the exchanges whose bytes hold a secret: `{"requests": [...], "answers": [...]}`."""
        return self.log.leaks(secret)

    def resource(self, identifier: str) -> dict | None:
        """Return the wire form of a resource as a GET would, or None."""
        with self.cloud.lock:
            self.cloud.tick()
            migration = self.cloud.migrations.get(identifier.lower())
            if migration is not None:
                return migrations.shown(migration)
            found = self.cloud.find(identifier)
            if found is None:
                return self.cloud.groups.get(identifier.lower().rsplit("/resourcegroups/", 1)[-1])
            if found.type == flexible_servers.KIND:
                return flexible_servers.shown(self.cloud, found, versions.PINNED)
            return {**found.body, "id": found.id, "name": found.name, "type": found.type}

    def migrations(self, server_id: str) -> list[dict]:
        """Return every migration of a target in wire form, the newest last, ended ones included."""
        with self.cloud.lock:
            self.cloud.tick()
            target = self.cloud.find(server_id)
            return [] if target is None else [migrations.shown(one) for one in migrations.of_target(self.cloud, target)]

    def active_migrations(self) -> list[str]:
        """Return the ids of all migrations that have not ended."""
        with self.cloud.lock:
            self.cloud.tick()
            return [one.id for one in self.cloud.migrations.values() if not one.ended]

    def age(self, migration_id: str, hours: float) -> None:
        """Let a migration be older, in hours of Azure: what it says of its beginning, and its deadlines, move."""
        from datetime import datetime

        from tests.azure_simulator import wire

        with self.cloud.lock:
            found = self.cloud.migrations[migration_id.lower()]
            seconds = hours * 3600
            found.age += self.cloud.clock.span(seconds)
            begun = datetime.fromisoformat(found.window_start[:26] + "+00:00").timestamp()
            found.window_start = wire.stamp(begun - seconds)
            for one in found.progress().values():
                one.started -= seconds

    def wait_for(self, migration_id: str, state: str, substate: str | None = None, timeout: float = 60.0) -> dict:
        """Wait until a migration has a state; return it. Raises TimeoutError with what it had."""
        end = time.monotonic() + timeout
        while True:
            found = self.resource(migration_id)
            status = (found or {}).get("properties", {}).get("currentStatus", {})
            now = (status.get("state"), status.get("currentSubStateDetails", {}).get("currentSubState"))
            if now[0] == state and substate in (None, now[1]):
                return found
            if time.monotonic() > end:
                raise TimeoutError(f"{migration_id} is {now}, not {(state, substate)}, after {timeout} s: {status}")
            time.sleep(0.02)

    def settle(self, timeout: float = 60.0) -> None:
        """Wait until no operation and no migration is on its way. Raises TimeoutError naming what is."""
        end = time.monotonic() + timeout
        while True:
            with self.cloud.lock:
                self.cloud.tick()
                left = [f"{one.name} {one.id}" for one in self.cloud.operations.values() if not one.ended]
                left += [one.id for one in self.cloud.migrations.values() if not one.ended]
            if not left:
                return
            if time.monotonic() > end:
                raise TimeoutError(f"still on the way after {timeout} s: {left}")
            time.sleep(0.02)

    # -- what it is given -----------------------------------------------------------------------------------------------

    def add_resource_group(self, name: str, location: str = "eastus", tags: dict | None = None) -> str:
        with self.cloud.lock:
            return groups.make(self.cloud, name, location, tags)

    def unregister(self, provider: str = "Microsoft.DBforPostgreSQL") -> None:
        """Answer 409 MissingSubscriptionRegistration for a provider until it is registered again."""
        with self.cloud.lock:
            self.cloud.registrations[provider.lower()] = "NotRegistered"

    def add_flexible_server(
        self,
        name: str,
        resource_group: str,
        *,
        sku: str = "Standard_D2s_v3",
        tier: str = "GeneralPurpose",
        version: str | None = None,
        storage_gb: int = 128,
        location: str = "eastus",
        public_network_access: str = "Enabled",
        delegated_subnet_id: str | None = None,
        private_dns_zone_id: str | None = None,
        cluster=None,
        administrator_login: str = "dbadmin",
        password: str | None = None,
        tags: dict | None = None,
        state: str = "Ready",
        high_availability: str = "Disabled",
        authentication: str = "Password",
        elastic_cluster: bool = False,
        **properties,
    ) -> str:
        """Make a flexible server that is there at once, without an operation; return its id."""
        with self.cloud.lock:
            self.cloud.group(resource_group)
            server = flexible_servers.new_resource(self.cloud, resource_group, name, location)
            network: dict = {"publicNetworkAccess": public_network_access}
            if delegated_subnet_id:
                network = {"delegatedSubnetResourceId": delegated_subnet_id}
                if private_dns_zone_id:
                    network["privateDnsZoneArmResourceId"] = private_dns_zone_id
            entra = {"activeDirectoryAuth": "Enabled" if authentication != "Password" else "Disabled"}
            by_password = {"passwordAuth": "Enabled" if authentication != "Entra" else "Disabled"}
            sent = {
                "administratorLogin": administrator_login,
                "administratorLoginPassword": password,
                "version": version or (flexible_servers.major_of(cluster) if cluster is not None else "16"),
                "storage": {"storageSizeGB": storage_gb},
                "network": network,
                "highAvailability": {"mode": high_availability},
                "authConfig": {**entra, **by_password},
                **properties,
            }
            body = {
                "sku": {"name": sku, "tier": tier},
                "properties": sent,
                **({"tags": tags} if tags is not None else {}),
            }
            flexible_servers.merge(server, body)
            server.properties["state"] = state
            server.properties["backup"]["earliestRestoreDate"] = "2024-11-15T07:16:17.3809378+00:00"
            if elastic_cluster:
                server.properties["cluster"] = {"clusterSize": 2, "defaultDatabaseName": "postgres"}
            server.behind = cluster
            return self.cloud.put(server).id

    def add_replica(self, name: str, server_id: str) -> str:
        """Make a read replica of a server; return its id."""
        with self.cloud.lock:
            origin = self.cloud.find(server_id)
            made = self.add_flexible_server(
                name, origin.group, location=origin.body["location"], version=origin.properties["version"]
            )
            replica = self.cloud.find(made)
            replica.private["replica_of"] = origin.id.lower()
            replica.properties.update(replicationRole="AsyncReplica", replicaCapacity=0)
            replica.properties["replica"] = {"role": "AsyncReplica", "capacity": 0, "replicationState": "Active"}
            return made
