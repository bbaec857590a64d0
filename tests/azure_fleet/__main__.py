# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make fleet-azure: fleets of growing size, with their figures; a first argument is the largest number of migrations."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.azure_fleet.fleet import Plan, run_fleet

STEPS = (0.25, 0.5, 1.0)


def main(largest: int) -> int:
    """Run the fleets; return 0 when nothing was lost and the number of requests is linear."""
    outcomes = []
    for step in STEPS:
        plan = Plan(migrations=int(largest * step))
        with tempfile.TemporaryDirectory(prefix="azpg-fleet-") as directory:
            outcome = run_fleet(Path(directory), plan)
        outcomes.append(outcome)
        sys.stdout.write("\n".join([*outcome.lines(), *outcome.failures[:5], ""]) + "\n")
        sys.stdout.flush()
    good = all(
        outcome.states == {"completed with a change": outcome.plan.migrations}
        and outcome.again == {"completed": outcome.plan.migrations}
        and outcome.records == {"Succeeded": outcome.plan.migrations}
        and not outcome.lost
        and not outcome.hasty
        and outcome.most_on_a_target == outcome.most_on_a_runtime == 1
        for outcome in outcomes
    )
    growth = outcomes[-1].calls_each / outcomes[0].calls_each
    linear = growth < 1.25
    sys.stdout.write(
        f"requests per migration grow by {growth:.2f} from {outcomes[0].plan.migrations} to {outcomes[-1].plan.migrations}: "
        f"{'linear' if linear else 'not linear'}\n"
    )
    return 0 if good and linear else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
