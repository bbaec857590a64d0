# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the service's migration records are one migration's: names that are unique for ever, and tags."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..._core.version import VERSION
from ..ownership import MANAGED_BY, MIGRATION, OURS, REQUEST

KIND, BATCH, RUN = "azpg-kind", "azpg-batch", "azpg-run"
# When the module first saw that every database of a record waits for cutover: the service tells nobody.
REPLICATING_SINCE = "azpg-replicating-since"
MIGRATE, VALIDATE = "migrate", "validate"
LETTER = {MIGRATE: "r", VALIDATE: "v"}
LONGEST_NAME = 40
HASH_DIGITS = 10


@dataclass(frozen=True)
class Place:
    """Where a record belongs within its migration: batch and run count from 1, a validation counts for itself."""

    kind: str
    batch: int
    run: int


def record_name(name: str, request_hash: str, place: Place) -> str:
    """Return the name of a migration record: lower-case letters and digits, beginning with a letter.

    Records cannot be removed and their names never used again, so that each run has its own. The hash keeps apart
    what differs in punctuation only.
    """
    plain = re.sub(r"[^a-z0-9]", "", name)[:LONGEST_NAME]
    return f"azpg{plain}{request_hash[:HASH_DIGITS]}b{place.batch}{LETTER[place.kind]}{place.run}"


def tags(name: str, request_hash: str, place: Place) -> dict:
    """Return the tags by which a record is found again, by any controller."""
    return {
        MANAGED_BY: f"{OURS}/{VERSION}",
        MIGRATION: name,
        REQUEST: request_hash,
        KIND: place.kind,
        BATCH: str(place.batch),
        RUN: str(place.run),
    }


def place_of(found: dict) -> Place | None:
    """Return the place that tags tell; None for a record of somebody else, or one whose tags were edited."""
    try:
        place = Place(found[KIND], int(found[BATCH]), int(found[RUN]))
    except (KeyError, ValueError):
        return None
    return place if place.kind in LETTER else None
