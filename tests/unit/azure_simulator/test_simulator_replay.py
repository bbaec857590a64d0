# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every shared recording, sent again: the simulator says what Azure said, but for what is listed here with its reason."""

from __future__ import annotations

import re

import pytest

from tests.azure_simulator import Simulator, replay
from tests.azure_simulator.clock import HeldClock

OLD = ("migrations/2021", "migrations/2022")
#: Recording, entry, place, difference (regular expressions), and why that is all right.
ALLOWED = (
    (r"migrations/202[34]-.*", r".*", r"header x-ms-ratelimit-remaining-subscription-global-(reads|writes)", r"not recorded",
     "The gateway of 2023 and of early 2024 did not tell these limits yet."),
    (r"migrations/2023-.*", r".*", r".*/properties/migrateRoles", r"not recorded.*", "Version 2023-06-01-preview had no such word."),
    (r"migrations/2023-.*", r"6", r"/properties/(source|target)DbServerMetadata/version", r"not recorded.*",
     "Version 2023-06-01-preview did not tell the version."),
    (r"migrations/2023-.*", r"6", r"/properties/targetDbServerMetadata/sku/tier", r"'GeneralPurpose' instead of .*",
     "The tier was once said as the name of the SKU."),
    (r"migrations/2024-10-24_onpremise.*", r"9", r"/properties/(currentStatus/.*|migrationWindowEndTimeInUtc)", r".*",
     "The recorder looked when the service knew the target and had not refused the second migration yet; here refusing is quicker."),
    (r"migrations/2021-.*", r"0|4", r"/", r"states .* instead of \[\]", "The private preview of 2020 said no state when it created or cancelled."),
    (r"servers/existing_.*", r".*", r"/authorizations|/resourceTypes/0/apiProfiles", r"missing.*",
     "The description of a provider is shortened to what clients look for."),
    (r"servers/existing_.*", r"13[89]", r".*/networkSecurityGroup", r"missing.*",
     "A policy of Microsoft's own subscription gave the subnet a security group that nobody had asked for."),
    (r"servers/fabric_.*", r"3", r"/value/0/.*", r".*", "Capabilities of East US are told for every region."),
)  # fmt: skip


def excused(difference: replay.Difference) -> bool:
    return any(
        re.fullmatch(recording, difference.recording)
        and re.fullmatch(entry, str(difference.entry))
        and re.fullmatch(where, difference.where)
        and re.fullmatch(text, difference.text, re.DOTALL)
        for recording, entry, where, text, _why in ALLOWED
    )


@pytest.mark.parametrize("name", replay.names())
def test_a_recording_is_answered_as_then(name, tmp_path):
    entries = replay.load(name)
    if name.startswith(OLD):
        entries = replay.in_todays_words(entries)
    with Simulator(tmp_path / "azure", control_plane_only=True, clock=HeldClock()) as azure:
        replay.prepare(azure, entries)
        differences = list(replay.Replay(azure, name, entries).differences())
        assert [str(one) for one in differences if not excused(one)] == []
        assert [str(one) for one in azure.violations] == []
    assert len(entries) >= 5


def test_the_comparison_finds_what_differs():
    recorded = {"properties": {"state": "Ready", "tags": [], "count": 1, "gone": "x"}}
    given = {"properties": {"state": "Busy", "tags": [1], "count": "1", "new": "y"}}
    found = {where for where, _text in replay.shapes("", recorded, given)}
    assert found == {f"/properties/{word}" for word in ("state", "tags", "count", "gone", "new")}
