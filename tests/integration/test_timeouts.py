# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time limits that an administrator has set for a role do not end a transfer that takes longer."""

from __future__ import annotations

import pytest
from support.servers import USER, ask

LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout", "transaction_timeout")


@pytest.fixture
def limited(clean):
    """One second for everything that the migration user does, on both servers."""
    cluster_limits = [(clean.source, LIMITS[:3]), (clean.target, LIMITS)]
    for cluster, limits in cluster_limits:
        for limit in limits:
            ask(cluster, f"ALTER ROLE {USER} SET {limit} = '1s'")
    yield clean
    for cluster, _limits in cluster_limits:
        ask(cluster, f"ALTER ROLE {USER} RESET ALL")


def test_a_throttled_copy_outlasts_the_limits(limited, migration):
    one = migration("limited", "seed_bulk")
    one.provision()
    result = one.module("migration", max_bytes_per_second=2_000_000).good()
    assert result["state"] == "completed"
    seconds = one.journal("SELECT max(finished) - min(started) FROM unit WHERE kind = 'table'")[0][0]
    assert seconds > 2, "it took too short a time to prove anything"
    assert one.module("verification").good()["verification"]["verdict"] == "MATCH"
