# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a transaction of the source that is still in progress there, in a session of the target beside the ordinary one.

The same thread writes in both, one batch after the other as they came, so neither ever waits for the other to be written. A lock
may be waited for, though, which the other one holds until its transaction ends: whoever waits for a while lets the early one go.
"""

from __future__ import annotations

import contextlib
from typing import Callable

from ..._core.errors import MigrationError
from ..._postgres.driver import psycopg2
from . import position
from .applier import LOCK_TIME, Applier
from .ordered import Refused

SETTINGS = {"lock_timeout": LOCK_TIME}


class EarlyApplier(Applier):
    """Writes one transaction, and claims the position at its end only: until then others move it."""

    def begin(self) -> None:
        """Begin a transaction."""
        self.cursor.execute("BEGIN")
        self.is_open = True

    def finish(self, batch) -> None:
        """Claim the position and move it, and commit.

        :raises TransferFailed: as M(Applier.begin) does
        """
        self.cursor.execute(position.CLAIM, (self.migration, self.slot))
        self.check(self.cursor.fetchone())
        super().finish(batch)

    def refuse(self, batch, refused: Refused) -> None:
        """Leave it to the ordinary session to explain this.

        :raises Refused: always
        """
        raise refused


class Beside:
    """The session beside the ordinary one, opened when it is first needed; called by the thread that writes.

    :param ordinary: the M(applier.Applier) of everything else
    :param open_session: opens a session of the target like the ordinary one's, given more settings for it
    """

    def __init__(self, ordinary: Applier, open_session: Callable):
        self.ordinary = ordinary
        self.open_session = open_session
        self.applier: EarlyApplier | None = None
        self.one = None
        self.is_possible = True
        self.replayed = 0

    @property
    def is_open(self) -> bool:
        """Whether a transaction is half written."""
        return self.applier is not None and self.applier.is_open

    @property
    def sessions(self) -> list:
        """The session, if there is one."""
        applier = self.applier
        return [applier.session] if applier else []

    def begin(self) -> EarlyApplier:
        """Open the session.

        :raises MigrationError: when there is none to be had; then there will be no other try
        """
        ordinary = self.ordinary
        try:
            session = self.open_session(SETTINGS)
        except MigrationError:
            self.is_possible = False
            raise
        self.applier = EarlyApplier(
            session, ordinary.migration, ordinary.slot, ordinary.known, ordinary.expected, ordinary.path
        )
        return self.applier

    def write(self, batch) -> None:
        """Write a batch of a transaction that has not been given up, and tell that transaction what came of it."""
        one = batch.early
        if one.given_up:
            self.take_back(one)
            return
        self.one = one
        try:
            applier = self.applier or self.begin()
            applier.known = self.ordinary.known
            is_over = applier.apply(batch)
        except (psycopg2.Error, MigrationError, Refused):
            self.take_back(one)
            return
        one.count(batch)
        if is_over:
            one.committed = True
            self.one = None
            self.ordinary.known = applier.known
            self.replayed += applier.replayed
            applier.replayed = 0

    def take_back(self, one) -> None:
        """Give a transaction up, and take back what has been written of it."""
        one.given_up = True
        if self.one is not one:
            return
        self.one = None
        applier = self.applier
        if applier is None:
            return
        applier.replayed = 0
        try:
            applier.rollback()
        except psycopg2.Error:
            self.close()

    def give_way(self) -> None:
        """Let go of every lock."""
        if self.one is not None:
            self.take_back(self.one)

    def close(self) -> None:
        """Close the session; what is open is taken back."""
        applier, self.applier = self.applier, None
        if applier is not None:
            with contextlib.suppress(psycopg2.Error):
                applier.close()
