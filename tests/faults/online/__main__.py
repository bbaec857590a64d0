# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run trials: `make faults-online FAULTS="--seed 7 --runs 30"`. Writes docs/faults-online.md when all of 30 or more passed."""

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

from tests.faults.__main__ import ROOT, commit
from tests.faults.online.trial import ONLINE_KINDS, OnlineStage, OnlineTrial

PAGE = ROOT / "docs" / "faults-online.md"
WORK = ROOT / ".cache" / "faults-online"
ENOUGH = 30
FAULTS_EACH = 3


class Runner:
    """Runs trials on several stages side by side and gathers what came of them."""

    def __init__(self, options):
        self.options = options
        self.results: list = []
        self.lock = threading.Lock()
        self.work: queue.Queue = queue.Queue()
        dice = random.Random(f"kinds {options.seed}")
        kinds = [name for name in ONLINE_KINDS if not options.only or any(word in name for word in options.only)]
        deck: list = []
        for number in range(1, options.runs + 1):
            while len(deck) < FAULTS_EACH:
                dice.shuffle(kinds)
                deck += kinds
            self.work.put((number, [deck.pop(0) for _fault in range(FAULTS_EACH)]))

    def lane(self, number: int) -> None:
        """Run trials until there are none left."""
        try:
            with OnlineStage(WORK / f"lane-{number}") as stage:
                while True:
                    try:
                        self.trial(stage, *self.work.get_nowait())
                    except queue.Empty:
                        return
        except Exception:
            self.enter(0, f"lane {number}", False, 0, traceback.format_exc())

    def trial(self, stage: OnlineStage, number: int, kinds: list) -> None:
        """Run one trial and enter its result."""
        one = OnlineTrial(stage, kinds, f"{self.options.seed}:{number}")
        begun = time.monotonic()
        try:
            one.run()
            passed, words = True, "; ".join(one.notes)
        except Exception as error:
            passed, words = False, f"{error}\n{traceback.format_exc()}"
            if one.one:
                words += f"\n{one.dump()}"
                one.one.close()
        self.enter(number, str(one), passed, time.monotonic() - begun, words)

    def enter(self, number: int, name: str, passed: bool, seconds: float, words: str) -> None:
        """Note a result and say it."""
        with self.lock:
            self.results.append((number, name, passed, seconds))
            if not passed:
                (WORK / f"failure-{number}.txt").write_text(f"{name}\n{words}", encoding="utf-8")
        first = words.strip().splitlines()[0][:200] if words.strip() else ""
        print(f"{number:3} {'passed' if passed else 'FAILED'} {seconds:5.0f} s  {name}: {first}", flush=True)


def page(options, results: list, seconds: float, tried: str) -> str:
    """Return the results as a page."""
    lines = [
        "# Faults of online migrations",
        "",
        f"Written by `make faults-online` on {datetime.date.today().isoformat()}, commit {tried}, seed {options.seed}: "
        f"{len(results)} trials passed, none failed, in {seconds / 60:.0f} minutes.",
        "",
        "In each trial four clients go on writing to the source from before the base copy to the fence: money moves between",
        "accounts, each client writes a chain of rows that vouch for each other, counters count. Three faults happen at seeded",
        "moments, the last one during the cutover, each is put right, and the migration is run again until it is completed.",
        "Demanded are: the verdict `MATCH` for all tables; on the target the sum of all money, balances that agree with the",
        "transfers, unbroken chains that hold everything whose commit a client was told of, right counters; nothing left on the",
        "source; no session and no process left.",
        "",
        "| fault | times |",
        "|---|---|",
    ]
    counts = collections.Counter(
        part.split(" at ")[0] for _number, name, _passed, _seconds in results for part in name.split("; ")
    )
    moments = collections.Counter(
        part.split(" at ")[1] for _number, name, _passed, _seconds in results for part in name.split("; ")
    )
    lines += [f"| {kind} | {number} |" for kind, number in sorted(counts.items())]
    lines += [
        "",
        "| moment | times |",
        "|---|---|",
        *(f"| {moment} | {number} |" for moment, number in sorted(moments.items())),
    ]
    return "\n".join([*lines, ""])


def main() -> int:
    """Run the trials that the command line asks for."""
    parser = argparse.ArgumentParser(prog="make faults-online", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--runs", type=int, default=ENOUGH)
    parser.add_argument("--lanes", type=int, default=2, help="pairs of servers side by side")
    parser.add_argument("--only", action="append", help="kinds whose name holds this; may be given again")
    options = parser.parse_args()
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
    failed = [one for one in runner.results if not one[2]]
    print(f"{len(runner.results) - len(failed)} passed, {len(failed)} failed in {seconds:.0f} s")
    if failed:
        print(f"particulars of failures: {WORK}/failure-*.txt")
    elif len(runner.results) >= ENOUGH and not options.only:
        PAGE.write_text(page(options, runner.results, seconds, tried), encoding="utf-8")
    return 1 if failed or not runner.results else 0


if __name__ == "__main__":
    sys.exit(main())
