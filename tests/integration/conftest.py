# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers, pairs of servers, and Azure on paper, each for the tests that ask for them."""

from __future__ import annotations

import pytest

# Before anything imports them: their assertions are to tell what they saw, too.
pytest.register_assert_rewrite("tests.streams.suite", "tests.fidelity.suite")

pytest_plugins = [
    "support.lab",
    "support.pair",
    "support.rows",
    "support.checks",
    "support.paper",
    "support.azure_stage",
    "support.remote",
    "support.streams",
]

# Whole ways, most of them through playbooks. No worker is to begin one when the others have nothing left to do.
LONGEST = (
    "test_never_the_ends",  # with the hundreds of combinations of `make leftovers`
    "test_azure_way",
    "test_verification_process",
    "test_examples",
    "test_main_way",
    "test_awx",
    "test_fleet",
)


def pytest_collection_modifyitems(items: list) -> None:
    """Put the longest files first; what else there is keeps its order."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
