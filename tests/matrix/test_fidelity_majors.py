# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a database can hold, from other majors of the source."""

from __future__ import annotations

import contextlib

import pytest

from tests.fidelity.arena import Arena
from tests.fidelity.cases import CASES
from tests.fidelity.suite import Carried, Fidelity

PAIRS = ((11, 17), (13, 18), (15, 18))


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: f"{pair[0]}to{pair[1]}")
def carried(request, tmp_path_factory):
    """Both servers, and both runs of the engine."""
    with contextlib.ExitStack() as stack:
        yield Carried(Arena(request.param, tmp_path_factory.mktemp("fidelity"), stack))


@pytest.fixture(params=CASES, ids=lambda case: case.id)
def case(request):
    """Each case in turn."""
    return request.param


class TestFidelity(Fidelity):
    """All cases."""
