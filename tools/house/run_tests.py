# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the parts of `make test`: in sequence, timed, each against its budget, with totals at the end.

A part that cannot run has failed. So has one that ran no test, or skipped all of them.
Each part's output goes to the terminal and to .cache/logs/<part>.log.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

from tools.house import environment, venvs

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
LOGS = CACHE / "logs"
TOTAL_BUDGET = 20 * 60
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HANGS_AFTER = 3  # times its budget, and a part is stopped


@dataclasses.dataclass
class Counts:
    """How many tests of a part had which end."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        """Name what there was, and nothing that there was not."""
        words = [f"{self.passed} passed"]
        words += [f"{self.failed} failed"] if self.failed else []
        words += [f"{self.skipped} skipped"] if self.skipped else []
        return ", ".join(words)


@dataclasses.dataclass
class Outcome:
    """What became of a part."""

    name: str
    budget: int
    good: bool
    counts: Counts
    seconds: float
    reasons: list[str]


class Part:
    """One part: it runs commands, says what went wrong, and counts."""

    budget = 0
    counts_as_tests = True

    def __init__(self, name: str) -> None:
        """Prepare; nothing runs yet."""
        self.name = name
        self.reasons: list[str] = []
        self.counts = Counts()
        self.output: list[str] = []
        self.deadline = 0.0
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = (LOGS / f"{name}.log").open("w", encoding="utf-8")

    def work(self) -> None:
        """Run the part's commands and fill in reasons and counts."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Write to the terminal and to the log."""
        print(text, flush=True)
        self.log.write(text + "\n")
        self.log.flush()

    def run(self, *command: str) -> int:
        """Run a command from the checkout's root, showing its output as it comes."""
        self.say(f"$ {shlex.join(command)}")
        env = {**os.environ, "NO_COLOR": "1", "PY_COLORS": "0", "ANSIBLE_NOCOLOR": "1"}
        env.pop("FORCE_COLOR", None)
        try:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            self.reasons.append(f"cannot run {command[0]}: {error.strerror}")
            return 127
        # Read beside the wait: a server that outlives its command keeps the pipe open.
        reader = threading.Thread(target=self._show, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            code = process.wait(max(1.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            stop(process)
            self.reasons.append(f"stopped after {HANGS_AFTER} times the budget: {command[0]}")
            code = 124
        except BaseException:
            stop(process)
            raise
        reader.join(3)
        return code

    def _show(self, stream) -> None:
        for raw in stream:
            # Some programs colour their output whatever they are told.
            line = COLOUR.sub("", raw)
            self.output.append(line)
            self.say(line.rstrip("\n"))

    def check(self, name: str, *command: str) -> bool:
        """Run a command that is one test: it passes or fails."""
        if self.run(*command) == 0:
            self.counts.passed += 1
            return True
        self.counts.failed += 1
        self.reasons.append(name)
        return False

    def judge(self) -> Outcome:
        """Run the part and return what became of it."""
        print(f"\n== {self.name}", flush=True)
        began = time.monotonic()
        self.deadline = began + HANGS_AFTER * self.budget
        try:
            self.work()
        except (OSError, ValueError, SyntaxError, subprocess.CalledProcessError) as error:
            self.reasons.append(f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - began
        if not self.counts.passed and not self.reasons:
            self.reasons.append("no test passed")
        self.log.close()
        return Outcome(self.name, self.budget, not self.reasons, self.counts, seconds, self.reasons)


def stop(process: subprocess.Popen) -> None:
    """End a command and what it started in its session."""
    for sign, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, sign)
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


class Lint(Part):
    """Style and metadata: what a reader, Ansible, Galaxy, ansible-builder and a lawyer would look at."""

    budget = 120
    counts_as_tests = False

    def work(self) -> None:
        """Run all of them even if one fails."""
        cache = f"--cache-dir={CACHE / 'ruff'}"
        self.check("ruff check", "ruff", "check", "--output-format=concise", cache, ".")
        self.check("ruff format", "ruff", "format", "--check", "--output-format=concise", cache, ".")
        self.check("shellcheck", "shellcheck", ".ci/run")
        self.check("ansible-lint", "ansible-lint", "--offline", "--nocolor")
        self.check("antsibull-changelog", "antsibull-changelog", "lint")
        # References to any collection but this one and Ansible's own are unknown here, and so refused.
        refs = ("--validate-collection-refs=all", "--disallow-unknown-collection-refs")
        self.check("antsibull-docs", "antsibull-docs", "lint-collection-docs", "--plugin-docs", *refs, ".")
        self.check("reuse", "reuse", "lint", "--lines")
        self.check("artefact", sys.executable, "-m", "tools.house.check_artifact")
        self.check("galaxy-importer", sys.executable, "-m", "tools.house.galaxy")


class Sanity(Part):
    """ansible-test sanity without ignore entries."""

    budget = 300

    def work(self) -> None:
        """Count the tests that started, less those that ansible-test lists as failed."""
        code = self.run(sys.executable, "-m", "tools.house.sanity")
        text = "".join(self.output)
        started = set(re.findall(r'^Running sanity test "([^"]+)"', text, re.MULTILINE))
        listed = re.search(
            r"^FATAL: The \d+ sanity test\(s\) listed below.*\n((?:[a-z0-9-]+.*\n)*)", text, re.MULTILINE
        )
        named = {line.split()[0] for line in listed.group(1).splitlines()} if listed else set()
        broken = sorted(started & named)
        not_run = len(re.findall(r"^error: sanity test \S+ did not run$", text, re.MULTILINE))
        self.counts = Counts(len(started) - len(broken), len(broken) + not_run)
        self.reasons += broken
        if not_run:
            self.reasons.append(f"{not_run} tests did not run")
        if code and not self.reasons:
            self.reasons.append(f"ended with {code}")


class Pytest(Part):
    """A folder of tests that pytest runs."""

    folder = ""
    arguments: tuple[str, ...] = ()
    python = sys.executable

    def work(self) -> None:
        """Count from pytest's own report."""
        report = CACHE / "logs" / f"{self.name}.xml"
        report.unlink(missing_ok=True)
        # Below .cache, so that `make clean` finds a server that an interrupted test left behind.
        scratch = CACHE / "tmp" / self.name
        scratch.parent.mkdir(exist_ok=True)
        more = shlex.split(os.environ.get("PYTEST_ARGS", ""))
        options = (f"--junitxml={report}", f"--basetemp={scratch}", *self.arguments, *more)
        code = self.run(self.python, "-m", "pytest", self.folder, *options)
        if report.is_file():
            self.counts = read_junit(report)
        if self.counts.failed:
            self.reasons.append(f"{self.counts.failed} failed")
        elif code == 5 or (code == 0 and not self.counts.passed):
            self.reasons.append("no test ran")
        elif code:
            self.reasons.append(f"pytest ended with {code}")


def read_junit(path: pathlib.Path) -> Counts:
    """Add up pytest's report."""
    total = failed = skipped = 0
    # The report was written by pytest a moment ago; it is no foreign input.
    for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return Counts(max(0, total - failed - skipped), failed, skipped)


class Unit(Pytest):
    """Tests that need no server."""

    budget = 120
    folder = "tests/unit"


class Integration(Pytest):
    """Tests against real servers."""

    budget = 720
    folder = "tests/integration"
    # Each file has servers of its own, so they run side by side; much of their time is waiting, so one more than cores.
    arguments = (
        "--durations=10",
        f"--numprocesses={min(8, (os.cpu_count() or 1) + 1)}",
        "--dist=loadfile",
        "--no-loadscope-reorder",  # the tests know an order of their own
        "-m",
        "not long",
    )


class IntegrationLong(Integration):
    """The tests against real servers for which `make test` has no time."""

    budget = 600
    arguments = (*Integration.arguments[:-1], "long")


class Fleet(Pytest):
    """Fifty migrations over five runtime hosts."""

    budget = 1200
    folder = "tests/fleet"
    arguments = ("-s",)


class Leftovers(Pytest):
    """Migrations that end in every way at any moment, ends asked for with any options, and guards that are taken away."""

    budget = 1500
    folder = "tests/leftovers"
    arguments = (
        "tests/integration/test_leftovers.py",
        "tests/integration/test_never_the_ends.py",
        "--numprocesses=2",
        "--dist=loadfile",
        "--durations=5",
    )

    def work(self) -> None:
        """Try more than `make test` does."""
        os.environ.setdefault("AZPG_LEFTOVERS", "12")
        os.environ.setdefault("AZPG_EXAMPLES", "400")
        super().work()


class Matrix(Pytest):
    """Verification, checks and the engine across major versions; it writes docs/matrix.md."""

    budget = 900
    folder = "tests/matrix"
    arguments = ("--durations=10",)


class Commands(Pytest):
    """The commands of the documentation, typed as they stand."""

    budget = 900
    folder = "tests/commands"
    arguments = ("-s",)


class Cores(Pytest):
    """Every supported ansible-core; it writes docs/cores.md."""

    budget = 1500
    folder = "tests/cores"
    arguments = ("--durations=10",)


class AzureSdk(Pytest):
    """The tests of provider azure with the oldest version of Microsoft's library, which azure.azcollection wants."""

    budget = 900
    folder = "tests/integration"
    arguments = ("-k", "azure", "--numprocesses=2", "--dist=loadfile", "--durations=5")
    library = "azure-mgmt-postgresqlflexibleservers==2.0.0"

    def work(self) -> None:
        """Make the environment, and run pytest with its Python."""
        programs = venvs.make(CACHE / "azure-sdk", [*environment.REQUIREMENTS, self.library])
        found = self.run(str(programs / "pip"), "list", "--format=freeze")
        if found or f"{self.library}\n" not in "".join(self.output):
            self.reasons.append(f"the environment does not hold {self.library}")
            return
        self.python = str(programs / "python")
        super().work()


class Scale(Pytest):
    """The checks of a hundred thousand tables."""

    budget = 600
    folder = "tests/scale"
    arguments = ("-s", "--durations=5")


class Az(Pytest):
    """The simulator and the modules beside Microsoft's program az, which nobody here has written."""

    budget = 600
    folder = "tests/az"
    arguments = ("--durations=5",)
    # Its options were renamed in 2.86; what is known of its defects was seen with 2.91.
    program = "azure-cli>=2.91.0"

    def work(self) -> None:
        """Make an environment of its own for the program, and tell the tests where it is."""
        os.environ["AZPG_AZ"] = str(venvs.make(CACHE / "azure-cli", [self.program]) / "az")
        super().work()


class Page(Pytest):
    """The pages of verification and timeline in a real browser."""

    budget = 180
    folder = "tests/page"


class Docs(Part):
    """The documentation's site."""

    budget = 120
    counts_as_tests = False

    def work(self) -> None:
        """Make it, and look at it."""
        self.check("site", sys.executable, "-m", "tools.docs.site")


class Molecule(Part):
    """The site playbook from nothing, twice."""

    budget = 180
    counts_as_tests = False
    wanted = ("create", "converge", "idempotence", "verify", "destroy")

    def work(self) -> None:
        """Take an action as done only if molecule says so."""
        code = self.run("molecule", "test", "--scenario-name", "site")
        text = "".join(self.output)
        done = set(re.findall(r"^site\W+(\w+): Executed: Successful", text, re.MULTILINE))
        self.counts = Counts(len(done.intersection(self.wanted)), 0)
        missing = [name for name in self.wanted if name not in done]
        if code or missing:
            self.counts.failed = max(1, len(missing))
            self.reasons.append(f"molecule ended with {code}" if code else f"did not run: {', '.join(missing)}")


PARTS = {
    "lint": Lint,
    "sanity": Sanity,
    "unit": Unit,
    "integration": Integration,
    "molecule": Molecule,
    "docs": Docs,
    "docs-commands": Commands,
    "integration-long": IntegrationLong,
    "fleet": Fleet,
    "test-az": Az,
    "leftovers": Leftovers,
    "test-azure-sdk": AzureSdk,
    "test-cores": Cores,
    "test-matrix": Matrix,
    "checks-scale": Scale,
    "test-page": Page,
}


def summary(outcomes: list[Outcome]) -> bool:
    """Print the table and the totals; tell whether all is well."""
    total = sum(outcome.seconds for outcome in outcomes)
    rows = [("part", "result", "counts", "seconds", "budget", "")]
    for outcome in outcomes:
        remark = "; ".join(outcome.reasons)
        if outcome.seconds > outcome.budget:
            remark = f"OVER BUDGET{'; ' if remark else ''}{remark}"
        result = "ok" if outcome.good else "FAILED"
        rows.append((outcome.name, result, str(outcome.counts), f"{outcome.seconds:.0f}", str(outcome.budget), remark))
    in_time = total <= TOTAL_BUDGET
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
    return 0 if summary([PARTS[name](name).judge() for name in names]) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
