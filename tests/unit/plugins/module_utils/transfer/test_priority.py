# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Critical paths and the time that a plan takes, against examples worked out by hand."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.plan import Unit
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.priority import (
    critical_paths,
    duration,
    followers_of,
)


def unit(name: str, weight: float, *waits_for: str) -> Unit:
    return Unit(name, "k", name, weight, {}, set(waits_for))


# Two tables of 4 and 3; an index of 5 and a key of 2 on the first, and a foreign key of 1 that needs both.
SHOP = [
    unit("a", 4),
    unit("b", 3),
    unit("a_index", 5, "a"),
    unit("a_key", 2, "a"),
    unit("foreign", 1, "a_key", "b"),
]


def test_path_is_the_unit_and_the_heaviest_chain_behind_it():
    assert critical_paths(SHOP) == {"a": 9, "b": 4, "a_index": 5, "a_key": 3, "foreign": 1}


def test_order_of_the_units_makes_no_difference():
    assert critical_paths(SHOP[::-1]) == critical_paths(SHOP)


def test_names_of_other_runs_count_as_done():
    assert critical_paths([unit("a", 4, "done before")]) == {"a": 4}
    assert followers_of([unit("a", 4, "done before")]) == {}
    assert duration([unit("a", 4, "done before")], 2) == 4


def test_followers_are_those_that_wait():
    found = followers_of(SHOP)
    names = {name: [follower.name for follower in found[name]] for name in found}
    assert names == {"a": ["a_index", "a_key"], "a_key": ["foreign"], "b": ["foreign"]}


def test_circle_is_tolerated():
    units = [unit("a", 1, "b"), unit("b", 2, "a"), unit("c", 3), unit("d", 4, "c")]
    assert critical_paths(units) == {"a": 1, "b": 2, "c": 7, "d": 4}


def test_what_leads_into_a_circle_gets_its_own_weight():
    assert critical_paths([unit("a", 1, "b", "c"), unit("b", 2, "a"), unit("c", 3)])["c"] == 3


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        (1, 15),  # all one after the other
        # 0-4 a beside b (0-3); the worker that had b is idle from 3 to 4; then a_index (4-9) beside a_key (4-6) and foreign.
        (2, 9),
        (9, 9),  # the chain a, a_index
    ],
)
def test_duration_of_the_shop(workers, expected):
    assert duration(SHOP, workers) == expected


def test_most_urgent_comes_first():
    # Two workers: long (0-6) beside x (0-3), then y (3-6) beside it. Had long come last, it would have ended at 9.
    assert duration([unit("x", 3), unit("y", 3), unit("long", 6)], 2) == 6
    # The light unit leads to the longest chain, so it comes before the heavy one: gate 0-1, chain 1-9, others 0-5, 5-9.
    units = [unit("heavy", 5), unit("other", 4), unit("gate", 1), unit("chain", 8, "gate")]
    assert duration(units, 2) == 9


def test_list_scheduling_anomaly_is_as_graham_has_it():
    # His example of 1969: three processors need 12; the list is in order of number, and each chain decides alike here.
    weights = {1: 3, 2: 2, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 8: 4, 9: 9}
    before = {9: ["1"], 5: ["4"], 6: ["4"], 7: ["4"], 8: ["4"]}
    units = [unit(str(number), weight, *before.get(number, ())) for number, weight in weights.items()]
    # Chains: 1 and 9 together 12; 4 and any of 5 to 8 together 6. So 1, 4 and then 2 begin.
    assert duration(units, 3) == 12


def test_nothing_takes_no_time():
    assert duration([], 2) == 0
    assert critical_paths([]) == {}
