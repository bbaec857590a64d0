# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: an Azure on paper, and migrations to its servers."""

from __future__ import annotations

import pytest

from support.azure_migrations import Rehearsal
from support.azure_pace import PACE, quicken
from tests.azure_simulator import Simulator


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """An Azure of its own that moves nothing, two thousand times as fast as the real one."""
    quicken(monkeypatch)
    with Simulator(tmp_path / "azure", time_scale=PACE, control_plane_only=True) as simulator:
        simulator.add_resource_group("rg")
        yield simulator
        assert simulator.violations == []


@pytest.fixture
def make(paper, tmp_path):
    """Give a function that describes a migration to a target of its own."""
    network = paper.add_network("net", "rg", subnets={"runtime": {"addresses": "10.10.1.0/24", "delegated": True}})
    zone = paper.add_dns_zone("runtime.private.postgres.database.azure.com", "rg", networks=[network])
    runtime = paper.add_flexible_server(
        "runtime", "rg", delegated_subnet_id=f"{network}/subnets/runtime", private_dns_zone_id=zone
    )

    def one(databases=("shop", "billing"), target="target", name="shop"):
        found = f"/subscriptions/{paper.subscription_id}/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/{target}"
        if paper.resource(found) is None:
            paper.add_flexible_server(target, "rg")
        return Rehearsal(paper, tmp_path, found, runtime, list(databases), name)

    return one
