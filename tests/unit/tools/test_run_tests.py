# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs the parts of `make test`: what counts as a failure, and two parts at the same time."""

from __future__ import annotations

import sys

import pytest

from tools.house import part, run_tests


class Told(part.Part):
    """A part whose commands are Python programs."""

    budget = 60
    programs: tuple = ()

    def work(self) -> None:
        """Run them."""
        for number, program in enumerate(self.programs):
            self.check(f"program {number}", sys.executable, "-c", program)


def parts(**programs: str) -> dict:
    """Return parts of one program each."""
    return {name: type(name, (Told,), {"programs": (program,)}) for name, program in programs.items()}


@pytest.fixture
def house(monkeypatch, tmp_path):
    """Give a function that takes the place of the real parts; logs go elsewhere."""
    monkeypatch.setattr(part, "LOGS", tmp_path)
    return lambda **programs: monkeypatch.setattr(run_tests, "PARTS", parts(**programs))


def test_lint_runs_beside_sanity_and_each_is_shown_whole(house, tmp_path, capfd):
    # Either ends only when the other one has begun.
    wait = (
        "import pathlib, time\n"
        "pathlib.Path({mine!r}).touch()\n"
        "while not pathlib.Path({other!r}).exists(): time.sleep(0.01)\n"
        "print('{name} saw it')"
    )
    paths = {name: str(tmp_path / f"{name}.begun") for name in ("lint", "sanity")}
    house(
        lint=wait.format(mine=paths["lint"], other=paths["sanity"], name="lint"),
        sanity=wait.format(mine=paths["sanity"], other=paths["lint"], name="sanity"),
        unit="print('unit came last')",
    )
    assert run_tests.main(["lint", "sanity", "unit"]) == 0
    shown = ["== lint", "lint saw it", "== sanity", "sanity saw it", "== unit", "unit came last"]
    assert [line for line in capfd.readouterr().out.splitlines() if line in shown] == shown
    assert "sanity saw it" in (tmp_path / "sanity.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("broken", ["lint", "sanity"])
def test_a_failure_of_either_is_one_of_the_whole(house, capfd, broken):
    house(**{name: f"import sys; sys.exit({int(name == broken)})" for name in ("lint", "sanity")})
    assert run_tests.main(["lint", "sanity"]) == 1
    assert f"{broken}  " in capfd.readouterr().out


def test_the_whole_has_a_budget_and_a_long_target_only_its_own(house, monkeypatch, capfd):
    monkeypatch.setattr(run_tests, "TOTAL_BUDGET", 0)
    house(unit="", fleet="")
    assert run_tests.main(["fleet"]) == 0
    assert run_tests.main(["unit", "fleet"]) == 1
    assert "OVER BUDGET: that is a failure" in capfd.readouterr().out


def test_a_part_that_runs_nothing_has_failed(house, capfd):
    house(unit="")
    run_tests.PARTS["unit"].programs = ()
    assert run_tests.main(["unit"]) == 1
    assert "no test passed" in capfd.readouterr().out
