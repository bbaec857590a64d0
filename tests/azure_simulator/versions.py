# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions of the API are answered."""

from __future__ import annotations

import re

from tests.azure_simulator.routing import Route
from tests.azure_simulator.wire import ArmError, Request

#: The version that the collection uses.
PINNED = "2025-08-01"
FLEXIBLE = ("2024-08-01", "2024-11-01-preview", PINNED, "2026-04-01-preview", "2026-10-01")
#: Only for replaying old recordings: their shapes are those of today.
RECORDED = ("2023-06-01-preview", "2023-12-01-preview")
SINGLE = ("2017-12-01", "2018-06-01")


def check_present(request: Request) -> None:
    """Refuse a request without a version, or with one that is not a date."""
    version = request.api_version
    if version is None:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(-[a-z]+)?", version):
        raise ArmError(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")


def check(request: Request, route: Route) -> None:
    """Refuse versions that the PostgreSQL provider does not have; other providers take any."""
    if (route.provider or "").lower() != "microsoft.dbforpostgresql":
        return
    single = any(part.lower() == "servers" for part in route.segments)
    supported = SINGLE if single else (*FLEXIBLE, *RECORDED)
    if request.api_version not in supported:
        kind = "servers" if single else "flexibleServers"
        raise ArmError(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location 'eastus' and API version '{request.api_version}' for type "
            f"'{kind}'. The supported api-versions are '{', '.join(SINGLE if single else FLEXIBLE)}'.",
            cause="gateway",
        )
