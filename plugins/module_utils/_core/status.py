# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States and phases of a migration, the same for every provider."""

from __future__ import annotations

ABSENT = "absent"
RUNNING = "running"
# Online: the base copy has arrived, changes flow, and the cutover is waited for.
REPLICATING = "replicating"
# The migration service waits for an answer of a person.
WAITING = "waiting"
# The next part has not begun: target or runtime server are busy, or nobody has started it yet.
QUEUED = "queued"
COMPLETED = "completed"
FAILED = "failed"
INTERRUPTED = "interrupted"
CANCELLED = "cancelled"
DECOMMISSIONED = "decommissioned"

# A migration in one of these states does nothing any more until somebody starts it again.
SETTLED = (ABSENT, COMPLETED, FAILED, INTERRUPTED, CANCELLED, DECOMMISSIONED)
