# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes from other majors of the source: what an application does to its rows, and an online migration as a whole."""

from __future__ import annotations

import contextlib

import pytest
from conftest import CACHE

pytest.register_assert_rewrite("tests.streams.suite")

from tests.streams.suite import carry, empty, start  # noqa: E402

TARGET = 18


@pytest.fixture(scope="module", params=(11, 13, 15, 17), ids=lambda major: f"from{major}")
def servers(request, tmp_path_factory):
    """A source of each major in turn, and a target."""
    with contextlib.ExitStack() as stack:
        yield request.param, start((request.param, TARGET), tmp_path_factory.mktemp("streams"), CACHE, stack)


@pytest.mark.parametrize("way", ("binary", "text", "in order"))
def test_changes_arrive(servers, tmp_path, way):
    major, pair = servers
    pipe = empty(pair, tmp_path)
    try:
        seen = carry(pipe, way, major)
        assert bool(seen["spooled"]) == (major >= 14)
    finally:
        pipe.end()
