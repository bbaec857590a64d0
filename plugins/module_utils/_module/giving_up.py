# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may give a migration up: one that has stopped short of its end, and one that is completed and proven wrong."""

from __future__ import annotations

from .._core import status
from .._core.errors import InvalidRequest
from .edge import Task
from .gate import disproof
from .rollback import ABANDONED, ROLLED_BACK

# What helps when a migration is completed.
COMPLETED_HINTS = {
    ABANDONED: "Verify it: where source and target are found equal leave 'outcome' at completed, and where they are not it may "
    "be given up.",
    ROLLED_BACK: "An application may be on its target already, so that nothing is dropped there. Leave 'outcome' at completed, or "
    "give it up with 'outcome: abandoned' if its verification has failed.",
}


def check_abandonment(task: Task, progress: dict, outcome: str, confirm: str | None) -> dict | None:
    """Make sure that giving a migration up is meant, and that nothing is at work any more.

    :return: the verification report by which a migration that is completed may be given up; None for any other
    :raises InvalidRequest: naming what stands against it, with the migration's state in C(details)
    :raises GateRefused: when the evidence or the signature that was handed in is not to be believed
    """
    name, state = task.request.name, progress["state"]
    details = {"state": state}
    if confirm != name:
        raise InvalidRequest(
            f"Giving up migration {name} needs its name: 'confirm' is {confirm!r}.",
            f"Set 'confirm: {name}' if it is to be given up; the target keeps what has arrived.",
            details,
        )
    if state not in (*status.SETTLED, status.QUEUED):
        raise InvalidRequest(
            f"Migration {name} is {state}.", "Cancel it first: module migration with state=cancelled.", details
        )
    if state != status.COMPLETED:
        return None
    report = disproof(task) if outcome == ABANDONED else None
    if report is None:
        raise InvalidRequest(
            f"Migration {name} is completed, not failed or cancelled.", COMPLETED_HINTS[outcome], details
        )
    return report
