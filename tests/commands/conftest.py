# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers and users of the integration tests, and a world in which the documentation's commands can be typed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
pytest_plugins = ["support.lab"]


@pytest.fixture(scope="session")
def world(lab, tmp_path_factory):
    """A home of somebody who has nothing yet but git, Python and client programs."""
    from tests.commands.world import World

    one = World(lab, tmp_path_factory.mktemp("world"))
    yield one
    one.close()
