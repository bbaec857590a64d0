# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session with Azure that a task has, and what it reads there."""

from __future__ import annotations

from .._azure.client import Azure
from .._azure.scene import Scene
from .edge import Task


def scene_of(task: Task) -> Scene:
    """Return the task's scene, the same one each time; nothing is asked before something is read."""
    found = getattr(task, "scene", None)
    if found is None:
        parameters = task.parameters
        subscription = task.request.target_server_id.subscription_id
        found = Scene(lambda: Azure.login(parameters, subscription), task.request, parameters.get("azure_server") or {})
        task.scene = found
    return found
