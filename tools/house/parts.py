# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of `make test` and the long targets: what each of them runs, and how it counts."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import sys
import xml.etree.ElementTree

from tools.house import environment, venvs
from tools.house.part import CACHE, Counts, Part


class Lint(Part):
    """Style and metadata: what a reader, Ansible, Galaxy, ansible-builder and a lawyer would look at."""

    budget = 180
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
    # Half of its time is waiting for clocks and processes.
    arguments = ("--numprocesses=2", "--dist=loadfile")


class Integration(Pytest):
    """Tests against real servers."""

    budget = 720
    folder = "tests/integration"
    # Each file has servers of its own, so they run side by side; much of their time is waiting, so two more than cores.
    arguments = (
        "--durations=10",
        f"--numprocesses={min(8, (os.cpu_count() or 1) + 2)}",
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
        "--no-loadscope-reorder",
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
