# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers for tests of what is streamed from one to the other."""

from __future__ import annotations

import contextlib

import pytest

from support.lab import CACHE
from tests.streams.suite import start

MAJORS = (16, 18)  # from 16 on a source can stream in pieces of 64 kB


@pytest.fixture(scope="module")
def stream_servers(tmp_path_factory):
    """A source and a target."""
    with contextlib.ExitStack() as stack:
        yield start(MAJORS, tmp_path_factory.mktemp("streams"), CACHE, stack)
