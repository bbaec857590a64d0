# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module premigration_check, and warns of variables that no role knows."""

from __future__ import annotations

from ansible_collections.azpg.migrate.plugins.plugin_utils.variables import Plain


class ActionModule(Plain):
    """Nothing but the module."""

    MODULE = "premigration_check"
