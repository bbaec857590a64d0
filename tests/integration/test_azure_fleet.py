# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small fleet of migrations of Azure's service, on paper; `make fleet-azure` runs large ones."""

from __future__ import annotations

from tests.azure_fleet.fleet import Plan, run_fleet


def test_a_fleet_loses_nothing_and_keeps_to_one_at_a_time(tmp_path):
    plan = Plan(migrations=12, targets=4, runtimes=2, forks=12, throttled=0.03, time_scale=0.002, poll_interval=0.12)
    outcome = run_fleet(tmp_path, plan)
    assert outcome.failures == []
    assert outcome.states == {"completed with a change": 12}
    assert outcome.records == {"Succeeded": 12}
    assert outcome.lost == []
    assert outcome.most_on_a_target == outcome.most_on_a_runtime == 1
    # Throttling is honoured: nobody asks again before he is told to.
    assert outcome.statuses[429] > 0 and outcome.hasty == 0
    assert outcome.again == {"completed": 12}
    assert outcome.calls_each < 60
