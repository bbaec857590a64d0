# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A text of 200 MB in one row."""

from __future__ import annotations

from tests.fidelity.large import carry_large_row


def test_text_of_200_megabytes(tmp_path, record_property):
    peak = carry_large_row((14, 17), tmp_path, "text", 200)
    record_property("peak_megabytes", round(peak))
    print(f"peak of one client process: {peak:.0f} MB")
