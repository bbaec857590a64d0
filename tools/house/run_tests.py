# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the parts of `make test`: in sequence, timed, each against its budget, with totals at the end.

A part that cannot run has failed. So has one that ran no test, or skipped all of them.
Each part's output goes to the terminal and to .cache/logs/<part>.log.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time

from tools.house.part import LOGS, ROOT, Outcome, Part
from tools.house.parts import PARTS

TOTAL_BUDGET = 20 * 60
# Each of them keeps one processor busy, and neither starts a server or looks at a clock.
SIDE_BY_SIDE = ("lint", "sanity")


def side_by_side(first: Part, other: Part) -> list[Outcome]:
    """Run two parts at the same time; what the other one writes is shown when both are over."""
    other.held = []
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(other.judge()), daemon=True)
    thread.start()
    try:
        outcomes.insert(0, first.judge())
        thread.join()
    except BaseException:
        other.end()
        raise
    other.show_held()
    if len(outcomes) == 1:
        raise RuntimeError(f"{other.name} has ended without a result")
    return outcomes


def run(names: list[str]) -> list[Outcome]:
    """Run the parts and return what became of each."""
    outcomes = []
    while names:
        if tuple(names[:2]) == SIDE_BY_SIDE:
            outcomes += side_by_side(*(PARTS[name](name) for name in names[:2]))
            names = names[2:]
        else:
            outcomes.append(PARTS[names[0]](names[0]).judge())
            names = names[1:]
    return outcomes


def summary(outcomes: list[Outcome], total: float) -> bool:
    """Print the table and the totals; tell whether all is well. I(total) is in seconds, from the first part to the last."""
    rows = [("part", "result", "counts", "seconds", "budget", "")]
    for outcome in outcomes:
        remark = "; ".join(outcome.reasons)
        if outcome.seconds > outcome.budget:
            remark = f"OVER BUDGET{'; ' if remark else ''}{remark}"
        result = "ok" if outcome.good else "FAILED"
        rows.append((outcome.name, result, str(outcome.counts), f"{outcome.seconds:.0f}", str(outcome.budget), remark))
    in_time = len(outcomes) == 1 or total <= TOTAL_BUDGET
    good = all(outcome.good for outcome in outcomes) and in_time
    if len(outcomes) > 1:
        remark = "" if in_time else "OVER BUDGET: that is a failure"
        rows.append(("all", "ok" if good else "FAILED", "", f"{total:.0f}", str(TOTAL_BUDGET), remark))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    print(f"\n== summary (logs: {LOGS.relative_to(ROOT)}/)")
    for row in rows:
        left = "  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths[:3]))
        right = "  ".join(cell.rjust(width) for cell, width in zip(row[3:5], widths[3:]))
        print(f"{left}  {right}  {row[5]}".rstrip())
    print()
    tests = [outcome for outcome in outcomes if PARTS[outcome.name].counts_as_tests]
    passed = sum(outcome.counts.passed for outcome in tests)
    skipped = sum(outcome.counts.skipped for outcome in tests)
    failed = sum(outcome.counts.failed for outcome in tests)
    # A part that failed without a failed test of its own counts as one, so that the totals never look better.
    failed += sum(not outcome.good and not (outcome in tests and outcome.counts.failed) for outcome in outcomes)
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return good


def main(names: list[str]) -> int:
    """Run the named parts."""
    unknown = [name for name in names if name not in PARTS]
    if unknown or not names:
        print(f"usage: run_tests.py {{{'|'.join(PARTS)}}} …", file=sys.stderr)
        return 2
    if shutil.which("git") is None:
        print("error: git is needed to know which files belong to the project", file=sys.stderr)
        return 1
    began = time.monotonic()
    outcomes = run(names)
    return 0 if summary(outcomes, time.monotonic() - began) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
