# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the migration service asks while a migration waits, and what the user has answered by options."""

from __future__ import annotations

from ..._core.errors import PreconditionFailed
from . import bodies
from .occupancy import left_behind
from .options import Options
from .record import Record

# Answers that only the user can give, with the option that gives them.
QUESTIONS = {
    "waitingforlogicalreplicationsetuprequestonsourcedb": (
        "The service asks to set up logical replication on the source, which restarts it.",
        "Set 'setup_logical_replication: true' and run the task again, or set it up yourself.",
    ),
    "waitingfortargetdboverwriteconfirmation": (
        "The service asks to replace databases that exist on the target: {existing}.",
        "Name all of them in 'overwrite_databases' and run the task again; or cancel the migration, and drop or rename them.",
    ),
}


def answer(azure, target, options: Options, record: Record) -> dict:
    """Return the body that answers what a waiting record asks.

    :param azure: a session with Resource Manager
    :param target: the target's resource id
    :raises PreconditionFailed: when the user has not answered, or it is not known what is asked
    """
    if record.substate in QUESTIONS:
        allowed, existing = leave_for(azure, target, options, record)
        if not allowed:
            question, hint = QUESTIONS[record.substate]
            raise PreconditionFailed(
                f"Migration {record.name} waits. {question.format(existing=', '.join(existing))}",
                hint,
                {"record": str(record.id), "databases": existing},
            )
    body = bodies.answer(record.substate, record.databases)
    if body is None:
        raise PreconditionFailed(
            f"Migration {record.name} waits for its user, and does not say for what ({record.substate or 'nothing'}).",
            "Look at it in the portal; cancel it with 'state: cancelled' if it cannot go on.",
            {"record": str(record.id)},
        )
    return body


def leave_for(azure, target, options: Options, record: Record) -> tuple:
    """Return C((whether the user allows what the record asks for, databases that it is about))."""
    if record.substate != "waitingfortargetdboverwriteconfirmation":
        return options.setup_logical_replication, []
    # The answer counts for all of them; one that is not on the target yet could come to be there.
    existing = left_behind(azure, target, record.databases)["existing"]
    about = list(record.databases) if existing is None else existing
    return set(about) <= set(options.overwrite_databases), about
