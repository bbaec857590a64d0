# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscriptions that the identity may see: a runtime server often stands in one, and its targets in many."""

from __future__ import annotations

from .errors import AzureError, Forbidden, NotFound, NotRegistered

PATH = "/subscriptions"
# What a subscription of somebody else may answer when it is asked for its servers; it holds none for us then.
CLOSED = (Forbidden, NotFound, NotRegistered)


def identifiers(entries: list) -> list:
    """Return the ids of subscriptions in small letters, from the entries of their list."""
    return [str(entry["subscriptionId"]).lower() for entry in entries if entry.get("subscriptionId")]


def beside(own, entries: list) -> list:
    """Return the ids of the subscriptions in I(entries) that are not in I(own)."""
    known = {word.lower() for word in own}
    return [word for word in identifiers(entries) if word not in known]


def visible(read) -> list:
    """Return the entries that I(read(PATH)) gives, none when Azure does not say.

    Who may see one resource only may not always list subscriptions.
    """
    try:
        return read(PATH)
    except AzureError:
        return []
