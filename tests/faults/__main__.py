# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run trials: `make faults FAULTS="--seed 7 --runs 50"`. Writes docs/faults.md when enough of them ran and all passed."""

from __future__ import annotations

import argparse
import collections
import datetime
import queue
import random
import shutil
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

from tests.faults.kinds import KINDS
from tests.faults.stage import Stage
from tests.faults.trial import Missed, Trial, undisturbed

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"
WORK = ROOT / ".cache" / "faults"
ENOUGH = 50
MOMENTS = 3  # how often another moment is tried when the transfer was over before the first one


def commit() -> str:
    """Return the commit that was tried."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


class Runner:
    """Runs trials on several stages side by side and gathers what came of them."""

    def __init__(self, options):
        self.options = options
        self.work: queue.Queue = queue.Queue()
        self.results: list = []
        self.lock = threading.Lock()
        kinds = [name for name in KINDS if not options.only or any(word in name for word in options.only)]
        dice = random.Random(f"order {options.seed}")
        plan: list = []
        while len(plan) < options.runs:
            dice.shuffle(kinds)
            plan += kinds
        for number, kind in enumerate(plan[: options.runs], 1):
            self.work.put((number, kind))

    def lane(self, number: int) -> None:
        """Run trials until there are none left."""
        try:
            with Stage(WORK / f"lane-{number}") as stage:
                seconds = undisturbed(stage)
                self.say(f"lane {number}: an undisturbed transfer takes {seconds:.1f} s")
                while True:
                    try:
                        self.trial(stage, *self.work.get_nowait())
                    except queue.Empty:
                        return
        except Exception:
            self.enter(0, f"lane {number}", "", "failed", 0.0, traceback.format_exc())

    def trial(self, stage, number: int, kind: str) -> None:
        """Run one trial and enter its result."""
        begun = time.monotonic()
        for moment in range(MOMENTS):
            phase = None if moment < MOMENTS - 1 else (KINDS[kind].phases or ("copy-middle",))[0]
            one = Trial(stage, kind, f"{self.options.seed}:{number}:{moment}", phase)
            try:
                reason = one.run()
                outcome, words = ("skipped", reason) if reason else ("passed", "; ".join(one.notes))
                break
            except Missed as error:
                outcome, words = "failed", f"the moment never came: {error}"
            except Exception as error:
                words = f"{error}\n{traceback.format_exc()}"
                outcome = "failed"
                break
        if outcome == "failed" and one.one:
            words += "\n" + one.dump()
            one.one.close()
        self.enter(number, kind, one.phase, outcome, time.monotonic() - begun, words)

    def enter(self, number: int, kind: str, phase: str, outcome: str, seconds: float, words: str) -> None:
        """Note a result and say it."""
        with self.lock:
            self.results.append((number, kind, phase, outcome, seconds, words))
            if outcome == "failed":
                (WORK / f"failure-{number}.txt").write_text(words, encoding="utf-8")
        first = words.strip().splitlines()[0] if words.strip() else ""
        self.say(f"{number:3} {outcome:7} {seconds:5.0f} s  {kind} at {phase}: {first[:300]}")

    @staticmethod
    def say(text: str) -> None:
        """Print a line at once."""
        print(text, flush=True)


def page(options, results: list, seconds: float, tried: str) -> str:
    """Return the results as a page."""
    passed = [one for one in results if one[3] == "passed"]
    lines = [
        "# Faults",
        "",
        f"Written by `make faults` on {datetime.date.today().isoformat()}, commit {tried}, seed {options.seed}: "
        f"{len(passed)} trials passed, none failed, {len(results) - len(passed)} skipped,",
        f"in {seconds / 60:.0f} minutes on {options.lanes} pairs of servers side by side.",
        "",
        "Each trial migrates two databases between two servers, lets a fault happen at a seeded moment, puts it right, runs",
        "the migration once more and demands: the verdict is `MATCH`; finished tables whose rows are unchanged were not copied",
        "again, changed ones were; no session, process, file or lent privilege is left; the target's catalogue is that of an",
        "undisturbed run; the source is unchanged; and nothing hung.",
        "",
        "| fault | moments | passed | engine went on by itself | seconds, longest |",
        "|---|---|---|---|---|",
    ]
    kinds: dict = collections.defaultdict(list)
    for one in results:
        kinds[one[1]].append(one)
    for kind in KINDS:
        found = [one for one in kinds[kind] if one[3] == "passed"]
        moments = ", ".join(sorted({one[2] for one in found}))
        alone = sum("went on by itself" in one[5] for one in found)
        longest = max((one[4] for one in found), default=0)
        if found:
            lines.append(f"| {kind} | {moments} | {len(found)} | {alone} | {longest:.0f} |")
    skipped = sorted({f"{one[1]}: {one[5]}" for one in results if one[3] == "skipped"})
    if skipped:
        lines += ["", "Skipped:", "", *(f"- {words}" for words in skipped)]
    return "\n".join([*lines, ""])


def main() -> int:
    """Run the trials that the command line asks for."""
    parser = argparse.ArgumentParser(prog="make faults", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--runs", type=int, default=ENOUGH)
    parser.add_argument("--lanes", type=int, default=2, help="pairs of servers side by side")
    parser.add_argument("--only", action="append", help="kinds whose name holds this; may be given again")
    parser.add_argument("--list", action="store_true", help="list the kinds")
    options = parser.parse_args()
    if options.list:
        print("\n".join(KINDS))
        return 0
    for lane in range(1, options.lanes + 1):
        subprocess.run(["umount", "--lazy", str(WORK / f"lane-{lane}" / "disk")], capture_output=True, check=False)
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    begun, tried = time.monotonic(), commit()
    runner = Runner(options)
    lanes = [threading.Thread(target=runner.lane, args=(number,)) for number in range(1, options.lanes + 1)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    seconds = time.monotonic() - begun
    counts = collections.Counter(one[3] for one in runner.results)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped in {seconds:.0f} s")
    if counts["failed"]:
        print(f"particulars of failures: {WORK}/failure-*.txt")
    if not counts["failed"] and counts["passed"] >= ENOUGH and not options.only:
        PAGE.write_text(page(options, runner.results, seconds, tried), encoding="utf-8")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
