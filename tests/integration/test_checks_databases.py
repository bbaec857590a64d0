# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases with things wrong in them, all looked at in one run: each thing has its own findings, and there are no others.

Things that no rule can take for one another share a database; the matrix gives each a database of its own.
"""

from __future__ import annotations

import pytest
from support.check_faults import FAULTS, old_ones
from support.check_runs import Found, possible
from support.checks import COMBINATIONS, OTHER_SOURCE, SOURCE_MAJOR, TARGET_MAJOR, Servers

MADE = {SOURCE_MAJOR: possible(SOURCE_MAJOR), OTHER_SOURCE: possible(OTHER_SOURCE, old_ones())}


@pytest.fixture(scope="module", params=MADE, ids=lambda major: f"from{major}")
def found(request, check_servers, tmp_path_factory):
    """What the checks say of a source with everything wrong that its version can have."""
    directory = tmp_path_factory.mktemp("faults")
    if request.param == SOURCE_MAJOR:
        check_servers.clean()
        yield Found(check_servers, directory, MADE[request.param])
        check_servers.clean()
        return
    with Servers(directory, request.param, TARGET_MAJOR, target=check_servers.target) as servers:
        yield Found(servers, directory, MADE[request.param])


@pytest.mark.parametrize(("provider", "mode"), COMBINATIONS)
def test_the_server_itself_is_well(found, provider, mode):
    assert found.of_server(provider, mode) == []


@pytest.mark.parametrize(("provider", "mode"), COMBINATIONS)
def test_faults_have_their_own_findings_and_no_others(found, provider, mode):
    for database in found.databases:
        found.assert_only_expected(database, provider, mode)


def test_nothing_is_left_out():
    assert {fault for names in MADE.values() for fault in names} == set(FAULTS)
