# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which position the source may be told as safe.

The driver moves the confirmed position forward by itself when the source says how far it has got and the last message
began at or before the position confirmed by us: it takes this to mean that we have dealt with all that was sent. Messages
of a transaction that began long ago have such early positions too, while others before them have yet to be applied. So we
confirm only what lies before the beginning of every transaction that may still be sent: a position of a moment whose
transactions have all ended since, and the end of which has been applied. Older log could not be given up by the source
in any case, as it still needs the beginnings of all open transactions.
"""

from __future__ import annotations

from collections import deque

BEFORE = "SELECT pg_catalog.pg_current_wal_insert_lsn()::text"
# The snapshot is the statement's own, so it is older than the position beside it.
AFTER = """
SELECT pg_catalog.txid_snapshot_xmin(s), pg_catalog.txid_snapshot_xmax(s), pg_catalog.pg_current_wal_insert_lsn()::text
  FROM pg_catalog.txid_current_snapshot() s
"""
MOST_MOMENTS = 600


class Confirmation:
    """Learns moments of the source and tells what may be confirmed."""

    def __init__(self):
        self.moments: deque = deque(maxlen=MOST_MOMENTS)
        self.ended: deque = deque(maxlen=MOST_MOMENTS)

    def learn(self, before: int, oldest: int, following: int, after: int) -> None:
        """Take in a moment.

        :param before: a position read before the snapshot was taken, I(after) one read afterwards
        :param oldest: the oldest transaction that runs, I(following) the number that the next one will have
        """
        safe = 0
        while self.moments and self.moments[0][1] <= oldest:
            safe = self.moments.popleft()[0]
        if safe:
            self.ended.append((safe, after))
        self.moments.append((before, following))

    def safe(self, applied: int) -> int:
        """Return the position that may be confirmed when all commits up to I(applied) are safe; 0 for none."""
        found = 0
        while self.ended and self.ended[0][1] <= applied:
            found = self.ended.popleft()[0]
        return found
