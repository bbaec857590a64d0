# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All rules, in the order in which they are looked at: what others need comes first."""

from __future__ import annotations

from . import activity, capacity, locales, objects, privileges, reach, replication, superuser, target_state, versions

RULES = (
    *reach.RULES,
    *versions.RULES,
    *capacity.RULES,
    *privileges.RULES,
    *target_state.RULES,
    *locales.RULES,
    *superuser.RULES,
    *objects.RULES,
    *activity.RULES,
    *replication.RULES,
)
