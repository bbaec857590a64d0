# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same stage with Azure in it, as a simulator plays it: the target is a flexible server behind a private endpoint."""

from __future__ import annotations

from pathlib import Path

from tests.azure_simulator import Simulator
from tools.demo.stage import USER, Stage
from tools.lab import dataset

GROUP = "shop"
PRIVATE_ZONE = "privatelink.postgres.database.azure.com"
EXTENSIONS = ["citext", "hstore", "pg_trgm", "pgcrypto"]
# A hundredth of Azure's own time: the runtime server takes four seconds instead of six minutes.
TIME_SCALE = 0.01


class AzureStage(Stage):
    """Three peered networks, of the source, of the runtime server to be, and of the target's private endpoint."""

    def __init__(self, directory: Path, source_major: int = 14, target_major: int = 17):
        super().__init__(directory, source_major, target_major)
        self.azure = Simulator(self.directory / "azure", time_scale=TIME_SCALE)

    def start(self, scale: float) -> None:
        """Start the simulator too, and put the target into it."""
        self.azure.start()
        super().start(scale)

    def fill(self, scale: float) -> None:
        """Fill the source, but for what Azure's service does not carry; the checks would say so and stop."""
        super().fill(scale)
        self.source.psql("DROP CAST (app.region AS text)", dbname="shop")

    def create_users(self, passwords: dict) -> None:
        """Create the migration's users; the target's is an administrator as Azure has them."""
        dataset.create_source_user(self.source, USER, passwords["source"])
        azure = self.azure
        azure.add_resource_group(GROUP)
        self.source_network = azure.add_network(
            "premises", GROUP, addresses=("10.20.0.0/16",), subnets={"databases": {"addresses": "10.20.0.0/24"}}
        )
        self.runtime_network = azure.add_network(
            "hub",
            GROUP,
            addresses=("10.10.0.0/16",),
            subnets={"runtime": {"addresses": "10.10.1.0/24", "delegated": True}},
        )
        target_network = azure.add_network(
            "spoke", GROUP, addresses=("10.30.0.0/16",), subnets={"endpoints": {"addresses": "10.30.0.0/24"}}
        )
        azure.add_peering(self.runtime_network, self.source_network)
        azure.add_peering(self.runtime_network, target_network)
        self.target_id = azure.add_flexible_server(
            "shop",
            GROUP,
            sku="Standard_D4s_v3",
            storage_gb=128,
            public_network_access="Disabled",
            cluster=self.target,
        )
        zone = azure.add_dns_zone(
            PRIVATE_ZONE, GROUP, networks=[self.runtime_network, target_network], records={"shop": "10.30.0.5"}
        )
        azure.add_private_endpoint(
            "shop-endpoint",
            GROUP,
            f"{target_network}/subnets/endpoints",
            self.target_id,
            zone=zone,
            address="10.30.0.5",
        )
        azure.add_administrator(self.target_id, USER, passwords["target"])
        azure.add_source(self.source)

    def inventory_content(self) -> dict:
        """Return the inventory: the same migration, with the provider azure."""
        content = super().inventory_content()
        variables = content["migrations"]["vars"]
        del variables["azpg_bin_directory"]
        variables.update(
            {
                "azpg_provider": "azure",
                "azpg_source_type": "OnPremises",
                "azpg_target_server_id": self.target_id,
                "azpg_azure_server": {
                    "delegated_subnet_id": f"{self.runtime_network}/subnets/runtime",
                    "source_virtual_network_id": self.source_network,
                },
                # What the application uses is allowed on the target before the service looks.
                "azpg_azure_target": {"extensions": EXTENSIONS},
                "azpg_azure_poll_interval": 1,
            }
        )
        return content

    @property
    def environment(self) -> dict:
        """The login to the simulator, as a user would have exported it."""
        return self.azure.environment

    def stop(self) -> None:
        """End the simulator too."""
        super().stop()
        self.azure.stop()
