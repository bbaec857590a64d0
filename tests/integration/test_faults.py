# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A handful of the trials of `make faults`: a fault at some moment, one more run, a proven target."""

from __future__ import annotations

import pytest

from tests.faults.stage import Stage
from tests.faults.trial import Trial, undisturbed


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A pair of servers whose undisturbed result is known."""
    with Stage(tmp_path_factory.mktemp("faults") / "stage") as made:
        undisturbed(made)
        yield made


@pytest.mark.parametrize(
    ("kind", "phase"),
    [
        ("rows changed late", "late"),
        ("target stopped immediate", "copy-middle"),
        ("journal lost", "keys"),
        ("target crashes at the end", "completed"),
    ],
)
def test_one_more_run_ends_with_a_proven_target(stage, kind, phase):
    trial = Trial(stage, kind, "integration", phase, rate=25_000_000)
    try:
        assert not trial.run(), "skipped"
    except AssertionError as error:
        pytest.fail(f"{error}\n{trial.dump()}")
    finally:
        trial.one.close()
