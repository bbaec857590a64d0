# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests ask the simulator: resources, migrations, exchanges, leaks; and waiting."""

from __future__ import annotations

import time
from datetime import datetime

from tests.azure_simulator import versions, wire
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.exchanges import Exchange, Log
from tests.azure_simulator.migrations import resource as migrations
from tests.azure_simulator.resources import (
    dns,
    endpoints,
    flexible_servers,
    networks,
    security,
    single_servers,
    subnets,
)


class Asking:
    """Half of the simulator; needs `cloud` and `log` of the other."""

    cloud: Cloud
    log: Log

    @property
    def exchanges(self) -> list[Exchange]:
        return list(self.log.exchanges)

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
            return self._shown(found)

    def _shown(self, found) -> dict:
        shapes = {
            flexible_servers.KIND: lambda: flexible_servers.shown(self.cloud, found, versions.PINNED),
            networks.NETWORK: lambda: networks.shown_network(self.cloud, found),
            networks.PEERING: lambda: networks.shown_peering(self.cloud, found),
            subnets.SUBNET: lambda: subnets.shown_subnet(self.cloud, found),
            security.SECURITY: lambda: security.shown_with_children(self.cloud, found),
            security.TABLE: lambda: security.shown_with_children(self.cloud, found),
            dns.ZONE: lambda: dns.shown_zone(self.cloud, found),
            dns.LINK: lambda: dns.shown_link(found),
            single_servers.KIND: lambda: single_servers.shown(self.cloud, found),
            endpoints.ENDPOINT: lambda: endpoints.shown(self.cloud, found),
        }
        plain = {**found.body, "id": found.id, "name": found.name, "type": found.type}
        return shapes.get(found.type, lambda: plain)()

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
        with self.cloud.lock:
            found = self.cloud.migrations[migration_id.lower()]
            seconds = hours * 3600
            found.age += self.cloud.clock.span(seconds)
            begun = datetime.fromisoformat(found.window_start[:26] + "+00:00").timestamp()
            found.window_start = wire.stamp(begun - seconds)
            for one in found.progress().values():
                one.started -= seconds

    def wait_for(self, migration_id: str, state: str, substate: str | None = None, timeout: float = 60.0) -> dict:
        """Wait until a migration has a state; return it. Raises TimeoutError with what it had, at once if it has ended."""
        end = time.monotonic() + timeout
        while True:
            found = self.resource(migration_id)
            status = (found or {}).get("properties", {}).get("currentStatus", {})
            now = (status.get("state"), status.get("currentSubStateDetails", {}).get("currentSubState"))
            if now[0] == state and substate in (None, now[1]):
                return found
            over = now[1] == "Completed" or time.monotonic() > end
            if over:
                raise TimeoutError(f"{migration_id} is {now}, not {(state, substate)}: {status}")
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
