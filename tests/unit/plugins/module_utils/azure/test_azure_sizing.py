# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes: the smallest that is not below the target's, from what a region really offered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure import sizing
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest, PreconditionFailed

RECORDING = (
    Path(__file__)
    .parents[4]
    .joinpath("azure_simulator/data/recordings/capabilities/by_location_eastus_existing_private_dns_zone_15.json")
)
OFFER = sizing.Offer.from_capabilities(json.loads(RECORDING.read_text(encoding="utf-8"))["value"])
DISKS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32767)


def test_the_recorded_region_is_read_as_it_is():
    assert OFFER.versions == ("11", "12", "13", "14", "15", "16")
    assert OFFER.storage_gib["GeneralPurpose"] == DISKS
    assert OFFER.find("standard_e64s_v3").memory_mib == 64 * 6912
    assert str(OFFER.find("Standard_D4s_v3")) == "Standard_D4s_v3 (4 vCores, 16 GiB)"


@pytest.mark.parametrize("name", sorted(sku.name for sku in OFFER.skus.values()))
def test_for_every_target_the_choice_is_large_enough_not_burstable_and_nothing_smaller_would_do(name):
    target = OFFER.find(name)
    chosen = sizing.choose_sku(target, OFFER)
    assert chosen.holds(target)
    assert chosen.tier != "Burstable"
    smaller = [
        sku for sku in OFFER.skus.values() if sku.tier != "Burstable" and sku.holds(target) and sku.size < chosen.size
    ]
    assert smaller == []
    if target.tier != "Burstable":
        assert chosen.size == target.size
        assert chosen.name == target.name


def test_burstable_is_taken_when_it_is_asked_for():
    assert sizing.choose_sku(OFFER.find("Standard_B2s"), OFFER, "Burstable").name == "Standard_B2s"
    assert sizing.choose_sku(OFFER.find("Standard_D4s_v3"), OFFER, "Burstable").name == "Standard_B4ms"


def test_among_equals_the_series_of_the_regions_default_wins():
    assert sizing.choose_sku(OFFER.find("Standard_B2s"), OFFER).name == "Standard_D2ds_v5"


def test_a_region_without_anything_as_large_is_said():
    target = sizing.Sku("Standard_X999", "GeneralPurpose", 999, 1)
    with pytest.raises(PreconditionFailed, match="is as large as the target's Standard_X999 .* the largest is"):
        sizing.choose_sku(target, OFFER)


def test_sizes_that_azure_says_cannot_be_had_do_not_count():
    entry = {
        "supportedServerEditions": [
            {
                "name": "GeneralPurpose",
                "supportedServerSkus": [
                    {"name": "Standard_D2s_v3", "vCores": 2, "supportedMemoryPerVcoreMb": 4096, "status": "Disabled"},
                    {"name": "Standard_D4s_v3", "vCores": 4, "supportedMemoryPerVcoreMb": 4096, "status": "Available"},
                ],
            }
        ]
    }
    offer = sizing.Offer.from_capabilities([entry])
    assert sizing.choose_sku(sizing.Sku("x", "GeneralPurpose", 1, 1), offer).name == "Standard_D4s_v3"


@pytest.mark.parametrize(
    ("name", "tier", "problem", "kind"),
    [
        ("Standard_Q1", None, "does not offer", InvalidRequest),
        ("Standard_D8s_v3", "MemoryOptimized", "is of tier GeneralPurpose", InvalidRequest),
        ("Standard_D2s_v3", None, "is smaller than the target's", PreconditionFailed),
        ("Standard_B4ms", "GeneralPurpose", "is of tier Burstable", InvalidRequest),
    ],
)
def test_a_size_that_is_named_is_judged(name, tier, problem, kind):
    with pytest.raises(kind, match=problem):
        sizing.named_sku(name, tier, OFFER.find("Standard_D4s_v3"), OFFER)
    assert sizing.named_sku("standard_d8s_v3", None, OFFER.find("Standard_D4s_v3"), OFFER).name == "Standard_D8s_v3"


@pytest.mark.parametrize(
    ("mode", "target", "asked", "expected"),
    [
        ("offline", 4096, None, 64),
        ("online", 256, None, 256),
        ("online", 32, None, 128),
        ("online", 200, None, 256),
        ("online", 99999, None, 32767),
        ("offline", 32, 512, 512),
    ],
)
def test_the_disk_follows_the_mode(mode, target, asked, expected):
    assert sizing.choose_storage(mode, target, asked, DISKS) == expected


def test_a_version_is_the_targets_unless_another_is_asked_for():
    assert sizing.choose_version(None, "15", OFFER) == "15"
    assert sizing.choose_version("12", "15", OFFER) == "12"
    assert sizing.choose_version(None, "99", OFFER) == "16"
    with pytest.raises(InvalidRequest, match="does not offer"):
        sizing.choose_version("9", "15", OFFER)
