# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the live service, or Microsoft's own client, does not keep to the description: each entry names its witness.

A finding that an entry fits is none. A test makes sure that every entry is needed by its witness and by nothing else.
Witnesses are recordings (`file#n`) or examples that Microsoft keeps beside the description.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.azure_simulator.judge.violation import Violation

AZ = "AZURECLI"


@dataclass(frozen=True)
class Deviation:
    """One entry; `operation`, `where` and `message` are regular expressions that must fit as a whole.

    `client`, if not empty, must stand in what the request says of its sender: what Microsoft's program may do is not
    allowed to this collection by that.
    """

    side: str
    operation: str
    where: str
    message: str
    witness: str
    why: str
    client: str = ""

    def fits(self, violation: Violation, client: str = "") -> bool:
        return (
            self.side == violation.side
            and self.client in client
            and re.fullmatch(self.operation, violation.operation) is not None
            and re.fullmatch(self.where, violation.where) is not None
            and re.fullmatch(self.message, violation.message, re.DOTALL) is not None
        )


GUID = r"'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'"
TABLE: tuple[Deviation, ...] = (
    Deviation(
        "answer",
        r".*",
        "/",
        r"there is a body with status 202, but none is described",
        "servers/mgmt.json#4",
        "The provider names operation and start in the body of every 202; its form is judged all the same.",
    ),
    Deviation(
        "answer",
        r"Servers_(Get|ListByResourceGroup|List|ListBySubscription)|Replicas_ListByServer",
        r"(/value/\d+)?/properties/storage/type",
        r"'' is not one of .*",
        "servers/mgmt.json#15",
        "The default kind of disk is said as an empty text.",
    ),
    Deviation(
        "answer",
        r"(LocationBasedCapabilities_Execute|ServerCapabilities_List|CapabilitiesBy(Location|Server)_List)",
        r"/value/0(/.*)?",
        r"Additional properties are not allowed \((('indexTuningSupported'|'supportedFeatures')(, )?)+ (was|were) unexpected\)",
        "servers/existing_private_dns_zone.json#15",
        "Recorded with version 2024-11-01-preview, which has more than the description of 2024-08-01.",
    ),
    Deviation(
        "answer",
        r"Servers_Get",
        r"/identity(/type)?",
        r"Additional properties are not allowed \('principalId' was unexpected\)|'SystemAssigned' is not one of .*",
        "servers/fabric_mirroring_mgmt.json#24",
        "Recorded with version 2024-11-01-preview, which has system-assigned identities.",
    ),
    Deviation(
        "request",
        r"Servers_Update",
        r"/identity/type",
        r"'SystemAssigned' is not one of .*",
        "servers/fabric_mirroring_mgmt.json#19",
        "The same, as Microsoft's program asks for it.",
        AZ,
    ),
    Deviation(
        "answer",
        r"Configurations_(Get|ListByServer)",
        r"(/value/\d+)?/properties/dataType",
        r"'(String|Set)' is not one of .*",
        "servers/fabric_mirroring_mgmt.json#101",
        "The description of 2024-08-01 does not know these types; that of 2025-08-01 does.",
    ),
    Deviation(
        "request",
        r"Migrations_Create",
        r"/properties/migrationMode",
        r"'(offline|online)' is not one of .*",
        "migrations/2024-10-24_onpremise_migration_b01b5457.json#3",
        "Microsoft's program sends small letters; the service takes them.",
        AZ,
    ),
    Deviation(
        "request",
        r"Migrations_Create",
        "path",
        rf"migrationName: {GUID} does not match .*",
        "migrations/2024-10-24_onpremise_migration_b01b5457.json#3",
        "Microsoft's program makes up names with hyphens; the service takes them.",
        AZ,
    ),
    Deviation(
        "request",
        r"Migrations_(Get|Update|Delete|Cancel)",
        "path",
        rf"migrationName: {GUID} does not match .*",
        "migrations/2024-10-24_onpremise_migration_b01b5457.json#4",
        "A migration that was made by Microsoft's program is read by everybody.",
    ),
    Deviation(
        "answer",
        r"Migrations_(Get|Update|ListByTargetServer)",
        r"(/value/\d+)?/properties/(source|target)DbServerMetadata/sku/tier",
        r"'(Standard_D2ds_v4|Basic)' is not one of .*",
        "migrations/2023-12-22_migration_61e9b74c.json#6",
        "The tier was once said as the name of the SKU, and Single Servers have tiers of their own; examples repeat it.",
    ),
    Deviation(
        "answer",
        r"PrivateEndpointConnections?_(Get|ListByServer|Update)",
        r"(/value/\d+)?/properties/provisioningState",
        r"'Ready' is not one of .*",
        "examples/PrivateEndpointConnectionGet.json",
        "Microsoft's examples say Ready, which the description lacks.",
    ),
    Deviation(
        "answer",
        r"CheckMigrationNameAvailability",
        r"/(reason|message)",
        r"None is not .*",
        "examples/CheckMigrationNameAvailability.json",
        "Microsoft's example holds null where the description wants a text.",
    ),
    Deviation(
        "answer",
        r"Migrations_Delete",
        "/",
        r"there is a body with status 200, but none is described",
        "migrations/2021-08-11_migration_fc2ffd80.json#4",
        "The only DELETE that was ever recorded returns the migration, as newer descriptions say.",
    ),
    Deviation(
        "request",
        r"PUT Microsoft.Network/virtualNetworks/subnets",
        "/",
        r"Additional properties are not allowed \('type' was unexpected\)",
        "servers/existing_private_dns_zone.json#25",
        "Microsoft's program sends back what it got.",
        AZ,
    ),
    Deviation(
        "answer",
        r"(GET|PUT) Microsoft.Network/virtualNetworks(/subnets)?( \(list\))?",
        r"(/value/\d+)?(/properties/subnets/\d+)?/properties/serviceAssociationLinks/\d+/properties",
        r"Additional properties are not allowed \('enabledForArmDeployments', 'subnetId' were unexpected\)",
        "servers/existing_private_dns_zone.json#88",
        "What a server leaves in its subnet says more than the description.",
    ),
)
