# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All rules, in the order in which they are looked at: what others need comes first."""

from __future__ import annotations

from . import (
    activity,
    capacity,
    extensions,
    locales,
    objects,
    privileges,
    probes,
    reach,
    reach_speed,
    replication,
    replication_tables,
    service_extensions,
    service_settings,
    service_source,
    service_target,
    sizes,
    source_kind,
    superuser,
    surroundings,
    target_state,
    users,
    version_changes,
    versions,
)

RULES = (
    *reach.RULES,
    *reach_speed.RULES,
    *source_kind.RULES,
    *versions.RULES,
    *capacity.RULES,
    *users.RULES,
    *privileges.RULES,
    *target_state.RULES,
    *service_target.RULES,
    *service_settings.RULES,
    *service_source.RULES,
    *locales.RULES,
    *extensions.RULES,
    *service_extensions.RULES,
    *superuser.RULES,
    *version_changes.RULES,
    *objects.RULES,
    *activity.RULES,
    *surroundings.RULES,
    *replication.RULES,
    *replication_tables.RULES,
    *probes.RULES,
    *sizes.RULES,
)
