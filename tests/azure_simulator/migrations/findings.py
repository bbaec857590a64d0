# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service's premigration checks found, and the shape in which Microsoft's examples show it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.azure_simulator import wire

FAILED, WARNING, SUCCEEDED = "Failed", "Warning", "Succeeded"
CONNECTIVITY = "AuthenticationAndConnectivityValidation"
VERSION = "SourceVersionValidation"
PARAMETERS = "ServerParametersValidation"
SCHEMA, EXTENSIONS, COLLATIONS = "SchemaValidation", "ExtensionsValidation", "CollationsValidation"
SERVER_CHECKS = (CONNECTIVITY, VERSION, PARAMETERS)
DATABASE_CHECKS = (SCHEMA, EXTENSIONS, COLLATIONS)


@dataclass(frozen=True)
class Finding:
    """One message: of which check, about which database (None: the server), how bad."""

    check: str
    message: str
    database: str | None = None
    state: str = FAILED


def worst(findings: list[Finding]) -> str:
    states = {one.state for one in findings}
    return FAILED if FAILED in states else WARNING if WARNING in states else SUCCEEDED


def shown(findings: list[Finding], databases: list[str], began: float, ended: float) -> dict:
    """Return `validationDetails`."""

    def item(check: str, database: str | None) -> dict:
        mine = [one for one in findings if one.check == check and one.database == database]
        messages = [{"state": one.state, "message": one.message} for one in mine]
        return {"type": check, "state": worst(mine), **({"messages": messages} if messages else {})}

    # Who cannot connect cannot look into databases.
    blind = any(one.check == CONNECTIVITY and one.state == FAILED for one in findings)
    return {
        "status": worst(findings),
        "validationStartTimeInUtc": wire.stamp(began),
        "validationEndTimeInUtc": wire.stamp(ended),
        "serverLevelValidationDetails": [item(check, None) for check in SERVER_CHECKS[: 1 if blind else None]],
        "dbLevelValidationDetails": [
            {
                "databaseName": name,
                "startedOn": wire.stamp(began),
                "endedOn": wire.stamp(ended),
                "summary": [item(check, name) for check in DATABASE_CHECKS],
            }
            for name in ([] if blind else databases)
        ],
    }
