# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks with a source of every major version: each fault that it can have is found, and nothing else is."""

from __future__ import annotations

import pytest
from pairs import SOURCES

from tests.integration.support.check_faults import FAULTS
from tests.integration.support.check_runs import assert_as_expected, faulty_findings, healthy_findings
from tests.integration.support.checks import COMBINATIONS

TARGET = 18


@pytest.fixture(scope="module", params=SOURCES, ids=lambda major: f"from{major}")
def found(request, tmp_path_factory):
    """Findings of a healthy database, and of one for each fault."""
    directory = tmp_path_factory.mktemp(f"checks{request.param}")
    return healthy_findings(directory / "healthy", (request.param, TARGET)), faulty_findings(
        directory / "faults", (request.param, TARGET)
    )


@pytest.mark.parametrize(("provider", "mode"), COMBINATIONS)
def test_a_healthy_database_has_no_finding(found, provider, mode):
    assert found[0][provider, mode] == []
    assert found[1][provider, mode]["server"] == []


@pytest.mark.parametrize(("provider", "mode"), COMBINATIONS)
def test_every_fault_is_found_and_nothing_else(found, provider, mode):
    made = [fault for fault in FAULTS if fault in found[1][provider, mode]]
    assert len(made) > 45
    for fault in made:
        assert_as_expected(found[1], fault, provider, mode)
