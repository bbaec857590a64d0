# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of migrations against the simulator's control plane: many at once, few targets, fewer runtime servers."""

from __future__ import annotations

import collections
import random
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ansible_collections.azpg.migrate.plugins.module_utils._core import status  # noqa: E402
from ansible_collections.azpg.migrate.plugins.module_utils._core.goals import STEP_DUE  # noqa: E402
from support.azure_migrations import Rehearsal  # noqa: E402

from tests.azure_simulator import Simulator  # noqa: E402

NAMED = re.compile(r"/flexibleServers/([^/]+)/migrations/([^/?]+)$", re.IGNORECASE)


@dataclass
class Plan:
    """How many of what; I(forks) migrations are looked after at the same time, as Ansible would."""

    migrations: int = 200
    targets: int = 20
    runtimes: int = 4
    forks: int = 40
    time_scale: float = 0.005
    poll_interval: float = 0.3
    throttled: float = 0.01
    seed: int = 1


@dataclass
class Outcome:
    """What came of a fleet."""

    plan: Plan
    seconds: float = 0.0
    states: collections.Counter = field(default_factory=collections.Counter)
    calls: collections.Counter = field(default_factory=collections.Counter)
    statuses: collections.Counter = field(default_factory=collections.Counter)
    records: collections.Counter = field(default_factory=collections.Counter)
    most_on_a_target: int = 0
    most_on_a_runtime: int = 0
    hasty: int = 0
    failures: list = field(default_factory=list)
    lost: list = field(default_factory=list)
    again: collections.Counter = field(default_factory=collections.Counter)

    @property
    def calls_each(self) -> float:
        """Requests to Resource Manager per migration."""
        return self.requests / self.plan.migrations

    @property
    def requests(self) -> int:
        """Requests to Resource Manager, without those that log in."""
        return sum(count for kind, count in self.calls.items() if kind != "login")

    def lines(self) -> list:
        """The figures, for people."""
        plan = self.plan
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.calls.most_common())
        return [
            f"{plan.migrations} migrations, {plan.targets} targets, {plan.runtimes} runtime servers, {plan.forks} at a time: "
            f"{self.seconds:.0f} s ({self.seconds / plan.time_scale / 3600:.1f} h of Azure)",
            f"ended as {dict(self.states)}; records of the service {dict(self.records)}; lost {len(self.lost)}",
            f"at most {self.most_on_a_target} active on one target, {self.most_on_a_runtime} through one runtime server",
            f"{self.requests} requests to Resource Manager, {self.calls_each:.1f} per migration: {kinds}",
            f"answers {dict(self.statuses)}; repeated before their time: {self.hasty}",
            f"a second run of all: {dict(self.again)}",
        ]


class Fleet:
    """The simulator with its servers, and a migration for each number."""

    def __init__(self, azure: Simulator, directory: Path, plan: Plan):
        self.azure = azure
        self.plan = plan
        azure.add_resource_group("rg")
        network = azure.add_network("net", "rg", subnets={"runtime": {"addresses": "10.10.1.0/24", "delegated": True}})
        runtimes = []
        for number in range(plan.runtimes):
            zone = azure.add_dns_zone(f"runtime{number}.private.postgres.database.azure.com", "rg", networks=[network])
            subnet = f"{network}/subnets/runtime"
            runtimes.append(
                azure.add_flexible_server(
                    f"runtime{number}", "rg", delegated_subnet_id=subnet, private_dns_zone_id=zone
                )
            )
        targets = [azure.add_flexible_server(f"target{number}", "rg") for number in range(plan.targets)]
        self.rehearsals = [
            Rehearsal(
                azure,
                directory,
                targets[number % plan.targets],
                runtimes[number % plan.targets % plan.runtimes],
                [f"db{number}"],
                f"shop{number}",
            )
            for number in range(plan.migrations)
        ]
        self.most: collections.Counter = collections.Counter()

    def run(self) -> Outcome:
        """Carry all of them and return what came of it."""
        plan, outcome = self.plan, Outcome(self.plan)
        chance = random.Random(plan.seed)
        if plan.throttled:
            self.azure.trouble.add(
                "throttled",
                times=None,
                path="^/subscriptions/",
                retry_after="0.2",
                when=lambda: chance.random() < plan.throttled,
            )
        stop = threading.Event()
        watcher = threading.Thread(target=self.watch, args=(stop,), daemon=True)
        watcher.start()
        began = time.monotonic()
        for state, words in self.carry_all():
            outcome.states[state] += 1
            outcome.failures += [words] if words else []
        outcome.seconds = time.monotonic() - began
        stop.set()
        watcher.join()
        self.count(outcome)
        self.azure.trouble.clear()
        for state, _words in self.carry_all():
            outcome.again[state] += 1
        return outcome

    def carry_all(self) -> list:
        """Carry all of them, some at a time; return C((state, what went wrong)) of each."""
        with ThreadPoolExecutor(self.plan.forks) as pool:
            return list(pool.map(self.carry, self.rehearsals))

    def carry(self, rehearsal: Rehearsal) -> tuple:
        """Carry one migration as the action plugin does, by short calls with a login each; return C((state, what went wrong))."""
        words = {"poll_interval": self.plan.poll_interval, "wait": False}
        changed = False
        try:
            while True:
                found = rehearsal.ensure(**words)
                changed = changed or found["changed"]
                while found["state"] == status.RUNNING:
                    time.sleep(self.plan.poll_interval)
                    found = rehearsal.inform()
                if found["state"] not in STEP_DUE:
                    break
                time.sleep(self.plan.poll_interval)
        except Exception as error:
            return type(error).__name__, f"{rehearsal.name}: {error}"
        return f"{found['state']}{' with a change' if changed else ''}", found.get("failure", "")

    def watch(self, stop: threading.Event) -> None:
        """Look all the time how many migrations are active where."""
        while not stop.wait(0.02):
            with self.azure.cloud.lock:
                self.azure.cloud.tick()
                active = [one for one in self.azure.cloud.migrations.values() if not one.ended and not one.refused]
                places = collections.Counter(("target", one.target.id.lower()) for one in active)
                places.update(("runtime", one.sent["migrationInstanceResourceId"].lower()) for one in active)
            for (kind, _place), count in places.items():
                self.most[kind] = max(self.most[kind], count)

    def count(self, outcome: Outcome) -> None:
        """Count what was asked and what the service has."""
        outcome.most_on_a_target, outcome.most_on_a_runtime = self.most["target"], self.most["runtime"]
        waiting: dict = {}
        for call in self.azure.exchanges:
            # Logging in asks the login's endpoint, and a cloud of one's own says where that is; neither is Resource Manager.
            kind = f"{call.method} {kind_of(call.path)}" if call.path.startswith("/subscriptions/") else "login"
            outcome.calls[kind] += 1
            outcome.statuses[call.status] += 1
            # Requests about one record come from one migration, one after the other.
            if NAMED.search(call.path):
                key = (call.method, call.path)
                if key in waiting and call.at - waiting.pop(key) < 0.2:
                    outcome.hasty += 1
                if call.status == 429:
                    waiting[key] = call.at + call.seconds
        names = collections.Counter()
        for target in {rehearsal.target for rehearsal in self.rehearsals}:
            for record in self.azure.migrations(target):
                state = record["properties"]["currentStatus"]["state"]
                outcome.records[state] += 1
                if state == "Succeeded":
                    names[record["tags"]["azpg-migration"]] += 1
        outcome.lost = [rehearsal.name for rehearsal in self.rehearsals if names[rehearsal.name] != 1]


def kind_of(path: str) -> str:
    """Return what a request is about."""
    if NAMED.search(path):
        return "migration"
    word = path.rstrip("/").rsplit("/", 1)[-1]
    return {"migrations": "migrations of a target", "flexibleServers": "servers"}.get(
        word, "name" if word.startswith("check") else "server" if "/flexibleServers/" in path else "other"
    )


def run_fleet(directory: Path, plan: Plan, kind: type = Fleet) -> Outcome:
    """Run a fleet in a simulator of its own."""
    with Simulator(directory / "azure", time_scale=plan.time_scale, control_plane_only=True, judge=False) as azure:
        return kind(azure, directory, plan).run()
