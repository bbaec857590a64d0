# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases with one thing wrong in each, all looked at in one run: each has its own findings and no others."""

from __future__ import annotations

import pytest
from support.check_faults import FAULTS, old_ones
from support.check_runs import assert_as_expected, faulty_findings
from support.checks import COMBINATIONS, OLD_MAJORS, SOURCE_MAJOR, TARGET_MAJOR


@pytest.fixture(
    scope="module", params=[(SOURCE_MAJOR, TARGET_MAJOR), OLD_MAJORS], ids=lambda majors: f"{majors[0]}to{majors[1]}"
)
def found(request, tmp_path_factory):
    """Findings by provider and mode, and by fault."""
    wanted = frozenset(old_ones() if request.param == OLD_MAJORS else FAULTS)
    return faulty_findings(tmp_path_factory.mktemp("faults"), request.param, wanted)


@pytest.mark.parametrize(("provider", "mode"), COMBINATIONS)
def test_the_server_itself_is_well(found, provider, mode):
    assert found[provider, mode]["server"] == []


@pytest.mark.parametrize(("provider", "mode"), COMBINATIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_its_own_findings_and_no_others(found, fault, provider, mode):
    if fault not in found[provider, mode]:
        pytest.skip("not made on a source of this version")
    assert_as_expected(found, fault, provider, mode)
