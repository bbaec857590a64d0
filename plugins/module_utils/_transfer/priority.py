# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which unit comes first, and how long a plan takes: critical paths and list scheduling.

The rule is the classic one (Graham 1969; Hu 1961): of the units that are ready, take the one with the longest chain of
work still behind it.
"""

from __future__ import annotations

import heapq


def followers_of(units: list) -> dict:
    """Return C({name: [units that wait for it]}); names that no unit of I(units) has count as done."""
    names = {unit.name for unit in units}
    followers: dict = {}
    for unit in units:
        for name in unit.waits_for & names:
            followers.setdefault(name, []).append(unit)
    return followers


def critical_paths(units: list) -> dict:
    """Return C({name: weight of the unit and of the heaviest chain of units that wait for it}).

    Units in a circle get their own weight: the loop that runs them is what reports a circle.
    """
    followers = followers_of(units)
    paths = {unit.name: unit.weight for unit in units}
    open_followers = {unit.name: len(followers.get(unit.name, ())) for unit in units}
    waits_for = {unit.name: unit.waits_for for unit in units}
    weights = dict(paths)
    last = [name for name, count in open_followers.items() if not count]
    while last:
        name = last.pop()
        for before in waits_for[name]:
            if before in paths:
                paths[before] = max(paths[before], weights[before] + paths[name])
                open_followers[before] -= 1
                if not open_followers[before]:
                    last.append(before)
    return paths


def duration(units: list, workers: int) -> float:
    """Return how long I(workers) take for I(units), in units of weight, when each takes the most urgent that is ready.

    Locks are left out of account.
    """
    followers = followers_of(units)
    paths = critical_paths(units)
    names = {unit.name for unit in units}
    open_before = {unit.name: len(unit.waits_for & names) for unit in units}
    ready = [(-paths[unit.name], index, unit) for index, unit in enumerate(units) if not open_before[unit.name]]
    heapq.heapify(ready)
    busy: list = []
    now, counter = 0.0, len(units)
    while ready or busy:
        while ready and len(busy) < workers:
            counter += 1
            unit = heapq.heappop(ready)[2]
            heapq.heappush(busy, (now + unit.weight, counter, unit))
        now, _order, finished = heapq.heappop(busy)
        for follower in followers.get(finished.name, ()):
            open_before[follower.name] -= 1
            if not open_before[follower.name]:
                counter += 1
                heapq.heappush(ready, (-paths[follower.name], counter, follower))
    return now
