# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations of Azure's service on paper: every path of the module migration against the simulator's control plane."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import (
    InvalidRequest,
    PreconditionFailed,
    TransferFailed,
)
from support.azure_migrations import Rehearsal

from tests.azure_simulator import Simulator


@pytest.fixture
def azure(tmp_path):
    """An Azure of its own that moves nothing, a hundred times as fast as the real one."""
    with Simulator(tmp_path / "azure", time_scale=0.002, control_plane_only=True) as simulator:
        simulator.add_resource_group("rg")
        yield simulator
        assert simulator.violations == []


@pytest.fixture
def make(azure, tmp_path):
    """Give a function that describes a migration to a target of its own."""
    runtime = azure.add_flexible_server("runtime", "rg")

    def one(databases=("shop", "billing"), target="target", name="shop"):
        found = f"/subscriptions/{azure.subscription_id}/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/{target}"
        if azure.resource(found) is None:
            azure.add_flexible_server(target, "rg")
        return Rehearsal(azure, tmp_path, found, runtime, list(databases), name)

    return one


def test_offline_goes_all_the_way_and_a_second_run_changes_nothing(make):
    shop = make()
    done = shop.ensure()
    assert (done["changed"], done["state"]) == (True, "completed")
    assert [record["tags"]["azpg-migration"] for record in shop.records] == ["shop"]
    assert done["migration"]["tables_done"] == done["migration"]["tables_total"] > 0
    (body,) = shop.sent("PUT")
    properties = body["properties"]
    assert properties["migrationInstanceResourceId"] == shop.runtime
    assert properties["overwriteDbsInTarget"] == "False"
    assert properties["sourceDbServerResourceId"] == "localhost:15432@migrator"
    again = shop.ensure()
    assert (again["changed"], again["state"]) == (False, "completed")
    assert len(shop.records) == 1
    assert shop.inform()["state"] == "completed"
