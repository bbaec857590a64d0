# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers, pairs of servers, and Azure on paper, each for the tests that ask for them."""

from __future__ import annotations

pytest_plugins = [
    "support.lab",
    "support.pair",
    "support.rows",
    "support.checks",
    "support.paper",
    "support.azure_stage",
    "support.remote",
]
