# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast time goes in tests against an Azure on paper, and provider azure keeping up with it in this process."""

from __future__ import annotations

import time

from ansible_collections.azpg.migrate.plugins.module_utils._azure import client, clouds, long_running, servers
from ansible_collections.azpg.migrate.plugins.module_utils._azure.retrying import Patience

# A server takes 0.15 s, an offline migration a quarter of a second.
PACE = 0.0005
LONGEST_SLEEP = 0.05


class Hasty(Patience):
    """Repeats as the collection does, and sleeps for a moment where that would sleep for long."""

    def __init__(self):
        super().__init__(sleep=lambda seconds: time.sleep(min(seconds, LONGEST_SLEEP)))


def quicken(monkeypatch) -> None:
    """Let this process wait at the simulator's pace; programs that it starts wait as ever."""
    for module in (client, clouds):
        monkeypatch.setattr(module, "Patience", Hasty)
    for module in (long_running, servers):
        monkeypatch.setattr(module, "FIRST_PAUSE", 0.02)
