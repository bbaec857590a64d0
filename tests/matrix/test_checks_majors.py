# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks with a source of every major version: each fault that it can have is found, and nothing else is.

With the oldest and the newest of them every fault has a database of its own, so that nothing can be taken for another's.
"""

from __future__ import annotations

import pytest
from pairs import SOURCES

from tests.integration.support.check_runs import Found, check, possible
from tests.integration.support.checks import COMBINATIONS, Servers

TARGET = 18
ALONE = (SOURCES[0], SOURCES[-1])


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A pair of which the target serves all sources."""
    with Servers(tmp_path_factory.mktemp("checks"), SOURCES[0], TARGET) as servers:
        yield servers


@pytest.fixture(scope="module", params=SOURCES, ids=lambda major: f"from{major}")
def found(request, first, tmp_path_factory):
    """What the checks say of a healthy database, and of databases with everything wrong that the version can have."""
    major, directory = request.param, tmp_path_factory.mktemp(f"from{request.param}")
    with Servers(directory, major, TARGET, target=first.target) as servers:
        servers.create("one")
        healthy = check(servers, directory, ["one"])
        return healthy, Found(servers, directory, possible(major), alone=major in ALONE)


def too_old(major: int, provider: str) -> list:
    """Return what is said of a source that the provider does not carry."""
    return [("source-version", "failed", "603400")] if provider == "host" and major < 11 else []


@pytest.mark.parametrize(("provider", "mode"), COMBINATIONS)
def test_a_healthy_database_has_no_finding(found, provider, mode):
    healthy, faulty = found
    for findings in (healthy[provider, mode], faulty.of_server(provider, mode)):
        said = [(finding.rule, finding.status, finding.code) for finding in findings]
        assert said == too_old(faulty.servers.majors[0], provider)


@pytest.mark.parametrize(("provider", "mode"), COMBINATIONS)
def test_every_fault_is_found_and_nothing_else(found, provider, mode):
    assert sum(len(faults) for faults in found[1].databases.values()) > 45
    for database in found[1].databases:
        found[1].assert_only_expected(database, provider, mode)
