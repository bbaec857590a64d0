# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration undone as far as it got: the source released, the target without what is named and what only helped."""

from __future__ import annotations

from .._postgres.fence_standing import standing, take_down
from .edge import Task

ABANDONED, ROLLED_BACK = "abandoned", "rolled_back"
GIVEN_UP = (ABANDONED, ROLLED_BACK)
FENCE = "source: the fence around its databases"


def given_up(task: Task, keeper, outcome: str, plan: dict) -> dict:
    """Return what goes and what stays of a migration that is given up.

    One that is abandoned leaves the target as it is, and all that it keeps is named.

    :raises InvalidRequest: when something is named that the migration has not made
    """
    if outcome == ABANDONED:
        return {**plan, "remove": [], "keep": plan["keep"] + plan["remove"]}
    named = keeper.named(task.parameters["drop_databases"], task.parameters["drop_roles"])
    gone = tuple(f"in database {name}" for name in task.parameters["drop_databases"])
    return {
        **plan,
        "remove": [
            *([FENCE] if standing(task.layout) else []),
            *named,
            *(line for line in plan["remove"] if not line.endswith(gone)),
        ],
        "keep": [line for line in plan["keep"] if line not in named],
    }


def carry_out(task: Task, keeper, outcome: str) -> tuple:
    """Undo what is outside the runtime server; return C((removed, handed_over, remaining)).

    What a crash leaves of it is undone by the next run: nothing is forgotten before the final record is written. C(remaining)
    is what could not be undone, each with the reason.
    """
    if outcome == ABANDONED:
        return (*keeper.clean(True), [])
    if outcome != ROLLED_BACK:
        return (*keeper.clean(False), keeper.remaining())
    fence = take_down(task.request, task.layout, False)
    removed, handed_over = keeper.undo(task.parameters["drop_databases"], task.parameters["drop_roles"])
    return ([FENCE] if fence["changed"] else []) + removed, handed_over, traces(fence) + keeper.remaining()


def traces(fence: dict) -> list:
    """Return what a fence that was taken down has left on the source."""
    return [
        *(f"source: {line}, changed by somebody else while the fence stood" for line in fence["left"]),
        *(
            f"source: the privileges of database {name}, those by default, stand in its catalogue now, where nothing stood; they "
            "allow what they allowed before, and no statement takes the writing back"
            for name in fence["written"]
        ),
    ]
