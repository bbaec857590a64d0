# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions with one snapshot on a server whose hash functions are not used."""

from __future__ import annotations

from .._core.request import Endpoint
from .session import Snapshot, open_session


class UncheckedSnapshot(Snapshot):
    """A M(session.Snapshot) that does not ask whether the server computes the known hashes."""

    def __init__(self, endpoint: Endpoint, side: str, dbname: str, jobs: int, words: dict, before=None):
        """See M(session.Snapshot)."""
        self.side, self.dbname = side, dbname
        self.sessions = []
        try:
            self.leader = open_session(endpoint, side, dbname, words)
            self.sessions.append(self.leader)
            self.before = before(self.leader) if before else None
            self.leader.rollback()
            self._export(endpoint, words, jobs)
        except BaseException:
            self.close()
            raise
