# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bytea of nearly 600 MB in one row: as text it is more than the 1 GB that a message may have."""

from __future__ import annotations

from tests.fidelity.large import carry_large_row


def test_bytea_of_600_megabytes(tmp_path, record_property):
    peak = carry_large_row((14, 17), tmp_path, "bytea", 600)
    record_property("peak_megabytes", round(peak))
    print(f"peak of one client process: {peak:.0f} MB")
