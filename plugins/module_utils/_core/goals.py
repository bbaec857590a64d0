# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a state that is asked for means: when it is reached, and when the next step is the module's."""

from __future__ import annotations

from . import status

VALIDATED, REPLICATING, COMPLETED, CANCELLED = "validated", "replicating", "completed", "cancelled"

# Nothing goes on by itself in these: somebody has to begin the next part, answer a question, or let databases cut over.
STEP_DUE = (status.QUEUED, status.REPLICATING, status.WAITING)
# In these, something of the migration is at work or ready to be.
UNDER_WAY = (status.RUNNING, *STEP_DUE)


def in_step(progress: dict, max_lag: float) -> bool:
    """Return whether the target follows the source closely enough: known, and no more than I(max_lag) seconds behind."""
    lag = progress.get("lag_seconds")
    return lag is not None and lag <= max_lag


def reached(goal: str, progress: dict, max_lag: float, databases: list | None = None) -> bool:
    """Return whether a migration is where it is wanted.

    :param goal: V(replicating) or V(completed)
    :param progress: as every provider reports it
    :param databases: only these are to be completed; None for all
    """
    if progress["state"] == status.COMPLETED:
        return True
    if goal == REPLICATING:
        return progress["state"] == status.REPLICATING and in_step(progress, max_lag)
    if databases:
        states = {entry["name"]: entry["state"] for entry in progress.get("databases", ())}
        return all(states.get(name) == status.COMPLETED for name in databases)
    return False
