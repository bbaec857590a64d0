# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trial: an online migration under load, faults at any of its moments, the cutover, and the judgement."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from pathlib import Path

import psycopg2
from support.online import LEFT_ON_SOURCE, OnlineMigration
from support.servers import USER, ask
from support.waiting import wait_for

from tests.faults.kinds import KINDS, EngineKilled, Fault
from tests.faults.online.load import SCHEMA, Load, broken
from tests.faults.stage import SIDES, Stage
from tests.faults.trial import read

DATABASE = "bank"
RATE = 1_500_000  # bytes per second: the base copy takes some seconds
PATIENCE = 150  # seconds for the engine to come back by itself, or for one run
ATTEMPTS = 4  # runs after the last fault
SHARE = "SELECT count(*) FROM unit WHERE kind = 'table' HAVING 1.0 * sum(bytes_done) / max(1, sum(bytes_total)) > {}"
STEP = "SELECT 1 FROM meta WHERE key = 'phase' AND value LIKE '%cutover: {}%'"

#: Moments before the cutover, by what the journal says; a pause of up to so many seconds follows.
BEFORE = {
    "begin": (None, 1.5),
    "base copy, early": (SHARE.format(0.05), 0.5),
    "base copy, middle": (SHARE.format(0.4), 0.5),
    "base copy, late": (SHARE.format(0.8), 0.5),
    "stream": ("SELECT 1 FROM stream", 4.0),
    "stream, later": ("SELECT 1 FROM stream", 9.0),
}
#: Moments within it.
DURING = {
    "cutover, preparation": (STEP.format("preparation"), 1.0),
    "cutover, fence": (STEP.format("fence"), 1.5),
    "cutover, last changes": (STEP.format("last"), 0.3),
    "cutover, remaining objects": (STEP.format("remaining"), 0.3),
    "cutover, tidying up": (STEP.format("tidying"), 0.2),
}


class FollowerKilled(EngineKilled):
    """SIGKILL of the process that follows."""

    engine_survives = True
    hold = (0.0, 0.3)

    def begin(self) -> None:
        engine = self.one.engine()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            if engine and "follow" in read(path).split() and str(self.one.state) in read(path):
                self.one.end_process(int(path.parent.name))


class StateLost(EngineKilled):
    """The engine is killed and the whole state directory is gone."""

    def heal(self) -> None:
        shutil.rmtree(self.one.state)
        self.one.provision()


ONLINE_KINDS = {
    name: KINDS[name]
    for name in (
        "engine killed", "cancelled", "source stopped fast", "source stopped immediate", "target stopped fast",
        "target stopped immediate", "network refused", "network reset", "network swallowed", "network silent", "time limits",
        "login forbidden", "sessions terminated",
    )
}  # fmt: skip
ONLINE_KINDS["follower killed"] = FollowerKilled
ONLINE_KINDS["state lost"] = StateLost


class BankMigration(OnlineMigration):
    """The migration of the trial."""

    options = {"grace_seconds": 1}

    @staticmethod
    def end_process(pid: int) -> None:
        """Kill a process if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class OnlineStage(Stage):
    """A pair of servers behind proxies with one database under load."""

    databases = ((DATABASE, "app_owner", "seed_bank", SCHEMA),)
    settings = {**Stage.settings, "logical_decoding_work_mem": "64kB"}
    migration = BankMigration

    def new_trial(self) -> BankMigration:
        """Return a migration of a fresh copy of the database; nothing of an earlier trial is left on the source."""
        self.heal()
        for (slot,) in ask(self.lab.source, "SELECT slot_name FROM pg_replication_slots"):
            ask(
                self.lab.source,
                f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{slot}'",
            )
            wait_for(lambda slot=slot: self.drop(slot), f"the end of whoever reads from {slot}")
        one = super().new_trial()
        ask(self.lab.source, f"ALTER ROLE {USER} REPLICATION; GRANT pg_signal_backend, pg_read_all_stats TO {USER}")
        ask(self.lab.source, f"GRANT CREATE ON DATABASE {DATABASE} TO {USER}")
        # Every other target lets its user keep triggers and foreign keys quiet.
        grant, to = ("GRANT", "TO") if self.number % 2 else ("REVOKE", "FROM")
        ask(self.lab.target, f"{grant} SET ON PARAMETER session_replication_role {to} {USER}")
        return one

    def drop(self, slot: str) -> bool:
        """Drop a slot and return whether it is gone."""
        with contextlib.suppress(psycopg2.errors.ObjectInUse):
            ask(self.lab.source, f"SELECT pg_drop_replication_slot('{slot}')")
            return True
        return False


class OnlineTrial:
    """One trial; everything random in it comes from I(seed)."""

    def __init__(self, stage: OnlineStage, kinds: list, seed: str):
        self.stage = stage
        self.kinds = kinds
        self.dice = random.Random(seed)
        self.seed = seed
        early = self.dice.sample(list(BEFORE), len(kinds) - 1)
        self.moments = sorted(early, key=list(BEFORE).index) + [self.dice.choice(list(DURING))]
        self.notes: list = []
        self.one: BankMigration | None = None
        self.seconds = 0.0

    def __str__(self) -> str:
        return "; ".join(f"{kind} at {moment}" for kind, moment in zip(self.kinds, self.moments))

    def run(self) -> None:
        """Run it.

        :raises AssertionError: with what is wrong
        """
        begun = time.monotonic()
        self.one = self.stage.new_trial()
        self.one.provision()
        with Load(self.stage.lab.source, DATABASE, self.seed) as load:
            self.one.module("migration", state="replicating", wait=False, max_bytes_per_second=RATE).good()
            for kind, moment in zip(self.kinds[:-1], self.moments[:-1]):
                self.strike(kind, *BEFORE[moment])
                self.go_on("replicating", wait=False)
            self.go_on("replicating")
            time.sleep(self.dice.uniform(0, 3))
            self.cut_over()
            time.sleep(0.5)
        assert not load.errors, load.errors[:3]
        self.notes.append(f"{load.done} writes")
        self.judge(load)
        self.seconds = time.monotonic() - begun
        shutil.rmtree(self.one.directory)

    def strike(self, kind: str, condition: str | None, pause: float) -> None:
        """Wait for the moment and let the fault happen, last, and be put right."""
        fault: Fault = ONLINE_KINDS[kind](self.stage, self.one, self.dice)
        deadline = time.monotonic() + PATIENCE
        while condition and not self.one.journal(condition):
            assert time.monotonic() < deadline, f"the moment never came\n{self.dump()}"
            if not self.one.engine():
                self.notes.append("too late")
                break
            time.sleep(0.004)
        time.sleep(self.dice.uniform(0, pause))
        if not self.one.engine() and isinstance(fault, EngineKilled):
            return
        try:
            fault.begin()
            fault.last()
        finally:
            fault.heal()
            fault.finish()

    def go_on(self, state: str, wait: bool = True) -> None:
        """Run the migration again, as often as may be, until it is where it is wanted."""
        words = ""
        for _attempt in range(ATTEMPTS):
            result = self.one.module(
                "migration",
                state=state,
                wait=wait,
                wait_timeout=PATIENCE,
                max_lag=5,
                max_bytes_per_second=RATE if not wait else 20 * RATE,
            )
            if not result.failed:
                return
            words = result.get("msg")
            self.notes.append(f"again: {str(words)[:60]}")
            with open(self.stage.directory / "again.txt", "a", encoding="utf-8") as kept:
                kept.write(f"{self.seed} {self}\n{words}\n{self.dump()}\n\n")
            time.sleep(1)
        raise AssertionError(f"does not come to {state}: {words}\n{self.dump()}")

    def cut_over(self) -> None:
        """Cut over with a fault on the way."""
        process = self.one.begin("migration", state="completed", wait_timeout=PATIENCE, max_lag=5)
        self.strike(self.kinds[-1], *DURING[self.moments[-1]])
        self.one.end(process)
        self.go_on("completed")

    def judge(self, load: Load) -> None:
        """Make sure that everything is as it has to be."""
        for side in SIDES:
            left = self.stage.own_sessions(side)
            assert not left, f"sessions are left on the {side}: {left}"
        strays = [
            text
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if (text := read(path)) and str(self.one.state) in text
        ]
        assert not strays, f"processes are left: {strays}"
        left = ask(self.stage.lab.source, LEFT_ON_SOURCE, DATABASE)
        assert [row for row in left if row != ("identity", "tick")] == [], f"left on the source: {left}"
        verified = self.one.module("verification")
        assert not verified.failed, str(verified)[:2000]
        found = verified["verification"]
        assert found["verdict"] == "MATCH", f"{found['verdict']}: {found['reason']} {str(found)[:3000]}"
        for side, cluster in (("source", self.stage.lab.source), ("target", self.stage.lab.target)):
            wrong = broken(cluster, DATABASE, load.safe)
            assert not wrong, f"on the {side}: {wrong}"
        unchecked = ask(self.stage.lab.target, "SELECT conname FROM pg_constraint WHERE NOT convalidated", DATABASE)
        assert not unchecked, unchecked

    def dump(self) -> str:
        """Return what everybody does at this moment."""
        lines = [f"{side}: {row}" for side in SIDES for row in self.stage.own_sessions(side)]
        lines += [
            str(row) for row in self.one.journal("SELECT at, level, message FROM event ORDER BY id DESC LIMIT 30")
        ][::-1]
        lines += [str(row) for row in self.one.journal("SELECT * FROM stream")]
        lines += [
            str(row)
            for row in self.one.journal("SELECT * FROM meta WHERE key IN ('state', 'phase', 'error', 'cutover')")
        ]
        lines += [
            str(row)
            for row in self.one.journal("SELECT unit, state, error FROM unit WHERE state IN ('running', 'failed')")
        ]
        log = self.one.private / "engine.log"
        if log.exists():
            lines.append(log.read_text(encoding="utf-8", errors="replace")[-5000:])
        return "\n".join(lines)
