# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make fleet-azure: fleets of growing size, with their figures, and one as a play of Ansible; see --help."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.azure_fleet.fleet import Fleet, Outcome, Plan, run_fleet
from tests.azure_fleet.playbook import PlaybookFleet

STEPS = (0.25, 0.5, 1.0)
# Modules are programs of their own here, so that time goes as slowly as they can follow; a look a minute as before.
PLAY = {"time_scale": 0.05, "poll_interval": 3, "forks": 20}


def run(plan: Plan, kind: type) -> Outcome:
    """Run a fleet, and print its figures."""
    with tempfile.TemporaryDirectory(prefix="azpg-fleet-") as directory:
        outcome = run_fleet(Path(directory), plan, kind)
    words = ["", "by ansible-playbook:"] if kind is PlaybookFleet else []
    sys.stdout.write("\n".join([*words, *outcome.lines(), *outcome.failures[:5], ""]) + "\n")
    sys.stdout.flush()
    return outcome


def good(outcome: Outcome) -> bool:
    """Tell whether nothing was lost, nothing was carried twice or at once, and everybody waited as long as he was told to."""
    return (
        outcome.states == {"completed with a change": outcome.plan.migrations}
        and outcome.again == {"completed": outcome.plan.migrations}
        and outcome.records == {"Succeeded": outcome.plan.migrations}
        and not outcome.lost
        and not outcome.hasty
        and outcome.most_on_a_target == outcome.most_on_a_runtime == 1
    )


def main(arguments: list) -> int:
    """Run the fleets; return 0 when all went well and the number of requests is linear."""
    parser = argparse.ArgumentParser(prog="python -m tests.azure_fleet", description=__doc__)
    parser.add_argument("migrations", type=int, nargs="?", default=200, help="the largest fleet (200)")
    parser.add_argument("--play", type=int, default=40, help="how many the play of Ansible carries (40); 0 for none")
    words = parser.parse_args(arguments)
    outcomes = [run(Plan(migrations=int(words.migrations * step)), Fleet) for step in STEPS if words.migrations]
    linear = True
    if outcomes:
        growth = outcomes[-1].calls_each / outcomes[0].calls_each
        linear = growth < 1.25
        sys.stdout.write(
            f"requests per migration grow by {growth:.2f} from {outcomes[0].plan.migrations} to {outcomes[-1].plan.migrations}: "
            f"{'linear' if linear else 'not linear'}\n"
        )
    if words.play:
        outcomes.append(run(Plan(migrations=words.play, **PLAY), PlaybookFleet))
    return 0 if linear and all(map(good, outcomes)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
