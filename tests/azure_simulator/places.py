# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regions: Azure writes one place in two ways, `eastus` and `East US`, and answers sometimes with the other."""

from __future__ import annotations

DISPLAY = {
    "centralus": "Central US",
    "eastasia": "East Asia",
    "eastus": "East US",
    "eastus2": "East US 2",
    "eastus2euap": "East US 2 EUAP",
    "germanywestcentral": "Germany West Central",
    "northeurope": "North Europe",
    "southeastasia": "Southeast Asia",
    "swedencentral": "Sweden Central",
    "uksouth": "UK South",
    "westeurope": "West Europe",
    "westus": "West US",
    "westus2": "West US 2",
    "westus3": "West US 3",
}


def short(location: str) -> str:
    """Return `eastus2euap` for `East US 2 EUAP`."""
    return location.replace(" ", "").lower()


def display(location: str) -> str:
    """Return `East US` for `eastus`; a region that is not in the list stays as it is."""
    return DISPLAY.get(short(location), location)


def known(location: str) -> bool:
    return short(location) in DISPLAY
