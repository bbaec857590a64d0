# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking secrets out of text before it is logged, stored or shown."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

MASK = "********"


def redact(text: str, secrets: Iterable[str | None]) -> str:
    """Return I(text) with every secret, plain or percent-encoded as in a connection URI, replaced by a mask."""
    forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text
