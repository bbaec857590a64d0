# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulator for each test: its clock stands still until a test lets time pass."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.azure_simulator import Simulator
from tests.azure_simulator.client import Client
from tests.azure_simulator.clock import HeldClock


@pytest.fixture
def azure(tmp_path):
    """A simulator without a data plane, with group `rg`; a test that makes no mistake on purpose leaves no violation."""
    with Simulator(tmp_path / "azure", control_plane_only=True, clock=HeldClock()) as simulator:
        simulator.add_resource_group("rg")
        simulator.mistakes = False
        simulator.cloud.token_lifetime = 30 * 24 * 3600  # the clock leaps here
        yield simulator
        assert simulator.mistakes or not simulator.violations, "\n".join(map(str, simulator.violations))


@pytest.fixture
def client(azure):
    return Client(azure)


@pytest.fixture
def target(azure):
    """The id of a public target server."""
    return azure.add_flexible_server("target", "rg")


def create_body(**properties) -> dict:
    """Return the body of a PUT that makes a server."""
    return {
        "location": "eastus",
        "sku": {"name": "Standard_D2s_v3", "tier": "GeneralPurpose"},
        "properties": {
            "administratorLogin": "dbadmin",
            "administratorLoginPassword": "Rehearsed-2026",
            "version": "16",
            "storage": {"storageSizeGB": 128},
            **properties,
        },
    }


def migration_body(**properties) -> dict:
    """Return the body of a PUT that makes a migration."""
    return {
        "location": "eastus",
        "properties": {
            "migrationMode": "Offline",
            "migrationOption": "ValidateAndMigrate",
            "sourceDbServerResourceId": "20.66.25.58:5432@migrator",
            "dbsToMigrate": ["shop", "billing"],
            "overwriteDbsInTarget": "True",
            "secretParameters": {
                "adminCredentials": {"sourceServerPassword": "source-secret", "targetServerPassword": "target-secret"}
            },
            **properties,
        },
    }


@pytest.fixture
def bodies():
    return SimpleNamespace(server=create_body, migration=migration_body)
