# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine does after the base copies: it lets changes flow, and cuts over when it is asked to."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Callable

from ..._core import status
from ..._core.errors import MigrationError
from ..._postgres.driver import psycopg2
from . import cutover, requirements
from .base import DRAINED_STATE, FOLLOWED_STATE

LOOK_SECONDS = 0.2


def supervise(context, persist: Callable) -> None:
    """Let changes flow until all databases have cut over.

    :param persist: does something again when a connection was lost on the way, see M(engine.persist)
    :raises MigrationError: when a database cannot be followed, or a cutover cannot go on
    """
    journal, databases = context.journal, context.request.databases
    remember_roles(context)
    while any(journal.database_state(database) != "done" for database in databases):
        order = next_cutover(context)
        if order:
            cut_over(context, order, persist)
            continue
        if journal.get("state") != status.REPLICATING:
            journal.set(state=status.REPLICATING)
        time.sleep(LOOK_SECONDS)
        context.tick()


def check(context) -> None:
    """Make sure before the first table is copied that slots for all databases can be made.

    :raises PreconditionFailed: when the source does not allow it
    """
    states = [context.journal.database_state(database) for database in context.request.databases]
    if set(states) <= {None, "pending"}:
        with context.session("source", context.request.databases[0], "requirements") as source:
            requirements.check_source(source.connection, len(states))


def next_cutover(context) -> dict | None:
    """Return the cutover that is due: one that was asked for, or one that has begun and whose order is lost."""
    state = context.journal.database_state
    order = cutover.wanted(context.layout)
    if order and any(state(name) != "done" for name in order["databases"]):
        return order
    begun = [name for name in context.request.databases if state(name) == DRAINED_STATE]
    return {"databases": begun} if begun else None


def remember_roles(context) -> None:
    """Remember what roles are like at the base copy."""
    if context.journal.get("roles") is None:
        context.journal.set(roles=cutover.known_roles(context.roles))


def cut_over(context, order: dict, persist: Callable) -> None:
    """Cut over, again after lost connections; when it is refused, let changes flow on."""

    def attempt() -> None:
        for database in order["databases"]:
            if context.journal.database_state(database) == FOLLOWED_STATE:
                context.following.begin(database)
        cutover.Cutover(context, order).run()

    try:
        persist(context, attempt)
    except cutover.Refused as refused:
        report = {**refused.cause.as_dict(), "asked_at": order.get("asked_at")}
        context.journal.set(state=status.REPLICATING, cutover_refused=report)
        context.journal.event(f"The cutover was refused, changes flow on: {refused.cause}", "error")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(context.layout.cutover_file)
    except BaseException:
        state = context.journal.database_state
        if all(state(database) == FOLLOWED_STATE for database in order["databases"]):
            open_again(context)
        raise


def open_again(context) -> None:
    """Let the application go on, as far as the source can be reached, when a cutover ends before its point of no return."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(context.layout.cutover_file)
    try:
        cutover.put_back(context)
    except (MigrationError, psycopg2.Error) as error:
        context.journal.event(
            f"The fence around the source could not be taken down: {' '.join(str(error).split())} Module verification with "
            "'fence: down' does it.",
            "error",
        )
