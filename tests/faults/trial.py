# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trial: a transfer, a fault in its midst, the repair, one more run, and the judgement."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

from support.servers import catalogue

from tests.faults.kinds import KINDS
from tests.faults.stage import RATE, SIDES

SETTLE_SECONDS = 240  # for the engine to end by itself after the repair
RUN_SECONDS = 240  # for the second run
SHARE = "SELECT COALESCE(1.0 * sum(bytes_done) / max(1, sum(bytes_total)), 0) FROM unit WHERE kind = 'table' AND database = 'first'"
ONE_RUNNING = "SELECT 1 FROM unit WHERE kind = '{}' AND state = 'running'"
STEP_BEGUN = "SELECT 1 FROM unit WHERE unit = '{}' AND state <> 'pending'"

#: Moments by what the journal says; a pause of up to so many seconds follows.
PHASES = {
    "begin": (None, 1.2),
    "schema": (STEP_BEGUN.format("schema"), 0.5),
    "copy-early": (SHARE + " HAVING COALESCE(1.0 * sum(bytes_done) / max(1, sum(bytes_total)), 0) > 0.05", 0.3),
    "copy-middle": (SHARE + " HAVING COALESCE(1.0 * sum(bytes_done) / max(1, sum(bytes_total)), 0) > 0.35", 0.3),
    "copy-late": (SHARE + " HAVING COALESCE(1.0 * sum(bytes_done) / max(1, sum(bytes_total)), 0) > 0.7", 0.3),
    "keys": (ONE_RUNNING.format("key"), 0.4),
    "large objects": (ONE_RUNNING.format("large_objects"), 0.2),
    "foreign keys": (ONE_RUNNING.format("foreign_key"), 0.1),
    "other objects": (STEP_BEGUN.format("other objects"), 0.05),
    "views": (ONE_RUNNING.format("materialized_view"), 0.02),
    "statistics": (ONE_RUNNING.format("statistics"), 0.1),
    "late": (STEP_BEGUN.format("settings"), 0.0),
    "between databases": ("SELECT 1 FROM database WHERE name = 'first' AND state = 'done'", 0.3),
    "second database": ("SELECT 1 FROM unit WHERE database = 'second' AND kind = 'table' AND state = 'running'", 0.3),
    "completed": ("SELECT 1 FROM meta WHERE key = 'state' AND value = '\"completed\"'", 0.0),
    "random time": (None, 8.0),
}
ANY_PHASE = tuple(name for name in PHASES if name not in ("completed", "late"))
KNOWN_FILES = {"engine", "migrations", "archive"}
KNOWN_PRIVATE = {
    "runtime.json",
    "request.json",
    "journal.sqlite",
    "engine.log",
    "engine.json",
    "engine.lock",
    "reports",
}
# A reader that was the last to leave the journal may not remove the last two.
KNOWN_PRIVATE |= {"timeline.html", "journal.sqlite-wal", "journal.sqlite-shm"}


class Missed(Exception):
    """The transfer was over before the fault's moment came."""


class Trial:
    """One trial on a stage; everything random in it comes from I(seed)."""

    def __init__(self, stage, kind: str, seed: str, phase: str | None = None, rate: int = RATE):
        self.stage = stage
        self.rate = rate
        self.kind = kind
        self.dice = random.Random(seed)
        phases = KINDS[kind].phases or ANY_PHASE
        self.phase = phase or self.dice.choice(phases)
        self.notes: list = []
        self.seconds = 0.0
        self.one = None

    def __str__(self) -> str:
        return f"{self.kind} at {self.phase}"

    def run(self) -> str:
        """Run it; return why it was skipped, or nothing.

        :raises AssertionError: with what is wrong
        :raises Missed: when the fault came too late
        """
        begun = time.monotonic()
        self.one = self.stage.new_trial()
        fault = KINDS[self.kind](self.stage, self.one, self.dice)
        reason = fault.skip()
        if reason:
            return reason
        before = self.stage.source_state()
        self.one.provision()
        self.one.module("migration", wait=False, max_bytes_per_second=self.rate).good()
        self.wait_for_the_moment()
        engine = self.one.engine()
        kept = self.stage.markers() if fault.durable else {}
        try:
            fault.begin()
            fault.last()
        finally:
            fault.heal()
        state = self.settle(engine)
        kept = self.stage.markers() if not fault.durable else {**kept, **self.stage.markers()}
        if fault.engine_survives and state != "completed":
            raise AssertionError(f"the engine should have gone on by itself, but is {state}: {self.error()}")
        try:
            self.run_again()
        finally:
            fault.finish()
        self.judge(fault, before, kept)
        self.notes += fault.notes
        self.notes.append("went on by itself" if state == "completed" and self.phase != "completed" else f"was {state}")
        self.seconds = time.monotonic() - begun
        shutil.rmtree(self.one.directory)
        return ""

    def wait_for_the_moment(self) -> None:
        """Wait until the journal says that it has come."""
        condition, pause = PHASES[self.phase]
        while condition and not self.one.journal(condition):
            if not self.one.engine() and self.phase != "completed":
                raise Missed(f"{self}: {self.one.module('migration_info').get('state')} {self.error()}")
            time.sleep(0.004)
        time.sleep(self.dice.uniform(0, pause))
        if not self.one.engine() and self.phase not in ("completed", "late"):
            raise Missed(str(self))

    def error(self) -> str:
        """Return the journal's last sentences."""
        return " | ".join(self.one.events().splitlines()[-6:])

    def settle(self, engine: int | None) -> str:
        """Wait until no engine runs; return the migration's state.

        :raises AssertionError: when that takes too long: a hang
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while self.one.engine():
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"a hang: the engine still runs {SETTLE_SECONDS} s after the repair\n{self.dump()}"
                )
            time.sleep(0.05)
        return (
            self.one.module("migration_info").good()["state"]
            if (self.one.private / "journal.sqlite").exists()
            else "lost"
        )

    def run_again(self) -> None:
        """The one more run."""
        begun = time.monotonic()
        result = self.one.module("migration", wait_timeout=RUN_SECONDS)
        assert not result.failed, f"the second run failed: {result.get('msg')}\n{self.dump()}"
        assert result["state"] == "completed", result["state"]
        assert time.monotonic() - begun < RUN_SECONDS

    def judge(self, fault, before: dict, kept: dict) -> None:
        """Make sure that everything is as it has to be."""
        for side in SIDES:
            left = self.stage.own_sessions(side)
            assert not left, f"sessions are left on the {side}: {left}"
        strays = [
            command
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if (command := read(path)) and str(self.one.state) in command
        ]
        assert not strays, f"processes are left: {strays}"
        assert {path.name for path in self.one.state.iterdir()} <= KNOWN_FILES
        files = {path.name for path in self.one.private.iterdir()}
        assert files <= KNOWN_PRIVATE, f"files are left: {files - KNOWN_PRIVATE}"
        running = self.one.journal("SELECT unit FROM unit WHERE state <> 'done'")
        assert not running, f"the journal leaves open: {running}"
        lent = self.one.journal("SELECT name FROM created WHERE kind = 'schema privilege' AND state <> 'removed'")
        assert not lent, f"privileges that were lent are still there: {lent}"
        known = sorted(self.one.journal("SELECT side, database, kind, name FROM created WHERE state <> 'removed'"))
        if self.stage.rest:
            assert known == self.stage.rest["inventory"], f"the inventory of created things is {known}"
        result = self.one.module("verification")
        assert not result.failed, str(result)[:3000]
        found = result["verification"]
        assert found["verdict"] == "MATCH", f"{found['verdict']}: {found['reason']}"
        report = self.one.report()
        warnings = sorted(
            f"{item['rule']} {item['object']}"
            for entry in report["databases"]
            for item in entry["schema"].get("warnings", [])
        )
        if fault and fault.changed:
            # The source's views are as old as their last refresh, the target's are filled from the rows of now.
            warnings = [words for words in warnings if not words.startswith("materialized-view-rows ")]
        target = catalogue(self.stage.lab.target)
        # Settings are told by roles' numbers, which are new each time; the roles' own rows have them too.
        target["server"] = [row for row in target["server"] if row[0] != "setting"]
        if self.stage.rest:
            assert warnings == self.stage.rest["warnings"], (
                f"warnings: {warnings}, undisturbed: {self.stage.rest['warnings']}"
            )
            assert target == self.stage.rest["target"], difference(self.stage.rest["target"], target)
        else:
            self.stage.rest = {"warnings": warnings, "target": target, "inventory": known}
        if not fault:
            return
        after = self.stage.source_state()
        expected = set(fault.changed)
        for name in (name for name in before if name != "catalogue"):
            moved = {table for table in before[name] if before[name][table] != after[name].get(table)}
            touched = {table for database, table in expected if database == name}
            if touched & {"app.orders"}:
                touched.add("app.item")
            assert moved <= touched, f"rows of the source changed: {moved - touched}"
        assert before["catalogue"] == after["catalogue"], difference(before["catalogue"], after["catalogue"])
        now = self.stage.markers()
        for (name, unit), when in kept.items():
            concerned = {table for database, table in expected if database == name} | (
                {"app.item"} if (name, "app.orders") in expected else set()
            )
            if unit.startswith("table:") and unit[len("table:") :].rpartition(":")[0] not in concerned:
                assert now.get((name, unit)) == when, (
                    f"{unit} in {name} was finished and is proven, and was copied again"
                )
        for name, table in expected:
            units = [unit for database, unit in kept if database == name and unit.startswith(f"table:{table}:")]
            for unit in units:
                assert now.get((name, unit)) != kept[name, unit], (
                    f"{unit} changed on the source and was not copied again"
                )

    def dump(self) -> str:
        """Return what everybody does at this moment."""
        lines = []
        engine = self.one.engine()
        if engine:
            os.kill(engine, signal.SIGUSR1)  # its threads' stacks go to its log
            time.sleep(0.5)
        for side in SIDES:
            try:
                lines += [f"{side}: {row}" for row in self.stage.own_sessions(side)]
            except Exception as error:
                lines.append(f"{side}: {error}")
        lines += [f"unit: {row}" for row in self.one.journal("SELECT * FROM unit WHERE state IN ('running', 'failed')")]
        lines += [
            f"event: {row}"
            for row in self.one.journal("SELECT at, level, message FROM event ORDER BY id DESC LIMIT 25")
        ][::-1]
        log = self.one.private / "engine.log"
        if log.exists():
            lines.append(log.read_text(encoding="utf-8", errors="replace")[-6000:])
        return "\n".join(lines)


def undisturbed(stage) -> float:
    """Migrate once without a fault, to know what a target looks like then; return the seconds of the transfer."""
    one = Trial(stage, "engine killed", "undisturbed")
    one.one = stage.new_trial()
    one.one.provision()
    begun = time.monotonic()
    one.one.module("migration", max_bytes_per_second=RATE).good()
    seconds = time.monotonic() - begun
    one.judge(None, {}, {})
    return seconds


def read(path: Path) -> str:
    """Return a process's command line, empty when it is gone."""
    try:
        return path.read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def difference(expected: dict, found: dict) -> str:
    """Return what two catalogues do not have in common."""
    words = []
    for name in sorted({*expected, *found}):
        one, two = set(map(tuple, expected.get(name, []))), set(map(tuple, found.get(name, [])))
        words += [f"{name}: missing {row}" for row in sorted(one - two, key=str)]
        words += [f"{name}: unexpected {row}" for row in sorted(two - one, key=str)]
    return "; ".join(words[:12])
