# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way the data takes, and what that needs: Azure's own matrix of network scenarios, as a pure decision."""

from __future__ import annotations

from dataclasses import dataclass

from .addresses import PRIVATE
from .addresses import PUBLIC as PUBLIC_SOURCE
from .servers import INTEGRATED, PRIVATE_ENDPOINT, PUBLIC

NO, REQUIRED, UNCLEAR = "not needed", "required", "unclear"

AMAZON = ("AWS", "AWS_AURORA", "AWS_EC2", "AWS_RDS")
GOOGLE_SQL = ("GCP_CloudSQL",)
GOOGLE = ("GCP", "GCP_AlloyDB", "GCP_CloudSQL", "GCP_Compute")
SINGLE_SERVER = "PostgreSQLSingleServer"
AZURE_VM = "AzureVM"
ON_PREMISES = ("OnPremises", "AzureVM", "", None)


@dataclass(frozen=True)
class Scenario:
    """One row of the matrix: I(number), whether it is supported (None where Microsoft does not say), who needs a runtime."""

    number: str
    says: str
    supported: bool | None
    runtime: str
    needs: str


def scenario(source_access: str, target_access: str, source_type: str | None = None) -> Scenario | None:
    """Return the row for a source and a target; None when it is not known how the source is reached.

    :param source_access: public, private or unknown, see M(addresses)
    :param target_access: see M(servers)
    :param source_type: the migration service's word for the source
    """
    if source_type == SINGLE_SERVER:
        return from_single_server(source_access, target_access)
    if source_access == PUBLIC_SOURCE:
        return from_public(target_access, source_type)
    if source_access == PRIVATE:
        return from_private(target_access, source_type)
    return None


def from_public(target_access: str, source_type: str | None) -> Scenario:
    """Return the row for a source with a public address."""
    if target_access != PUBLIC:
        return Scenario(
            "N12",
            f"public source, target {target_access}",
            None,
            NO if target_access == INTEGRATED else UNCLEAR,
            "the way out of the target's network to the source's port; Microsoft's matrix has no row for this, so a validation "
            "has to tell",
        )
    number = "N4"
    if source_type in ON_PREMISES:
        number = "N1"
    elif source_type in AMAZON:
        number = "N2"
    elif source_type in GOOGLE_SQL:
        number = "N3"
    return Scenario(
        number, "public source, public target", True, NO, "the source's firewall lets the target's outbound address in"
    )


def from_private(target_access: str, source_type: str | None) -> Scenario:
    """Return the row for a source with a private address."""
    if target_access == PRIVATE_ENDPOINT:
        return Scenario(
            "N10",
            "private source, target behind a private endpoint",
            True,
            REQUIRED,
            "a runtime server in a network that reaches both, with the names of both in its DNS",
        )
    if target_access == PUBLIC:
        return Scenario(
            "N11",
            "private source, public target",
            False,
            NO,
            "a target that is VNet-integrated or behind a private endpoint",
        )
    number, needs = "N5", "a VPN or ExpressRoute from the source's site to the target's network"
    if source_type in AMAZON:
        number, needs = "N6", "a tunnel from Amazon's network to the target's network"
    elif source_type in GOOGLE:
        number, needs = "N7", "a tunnel from Google's network to the target's network"
    elif source_type == AZURE_VM:
        number, needs = "N8/N9", "the same network as the target, or a peering of both"
    return Scenario(number, "private source, VNet-integrated target", True, NO, needs)


def from_single_server(source_access: str, target_access: str) -> Scenario:
    """Return the row for a Single Server."""
    private = source_access == PRIVATE
    required = private and target_access == PRIVATE_ENDPOINT
    return Scenario(
        "N13",
        f"Single Server {'with a private endpoint' if private else 'with public access'}, target {target_access}",
        not (private and target_access == PUBLIC),
        REQUIRED if required else NO,
        "a runtime server as for any private source" if required else "what Microsoft's guide to Single Server says",
    )
