# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical JSON and its digest: equal content gives equal bytes, whoever wrote it."""

from __future__ import annotations

import hashlib
import json


def canonical_json(value) -> str:
    """Return I(value) as JSON with sorted keys and no insignificant white space.

    :raises ValueError: for NaN and infinities, which JSON does not have
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value) -> str:
    """Return the SHA-256 of the canonical JSON of I(value) as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode("utf-8")).hexdigest()
