# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session with Azure that a task has, and what it reads there."""

from __future__ import annotations

import math

from .._azure.client import Azure
from .._azure.scene import Scene
from .._core.errors import InvalidRequest
from .edge import Task


def scene_of(task: Task) -> Scene:
    """Return the task's scene, the same one each time; nothing is asked before something is read.

    :raises InvalidRequest: when an option that is a number cannot be meant
    """
    found = getattr(task, "scene", None)
    if found is None:
        parameters = task.parameters
        server = parameters.get("azure_server") or {}
        require_price(server.get("price_per_hour"))
        subscription = task.request.target_server_id.subscription_id
        found = Scene(lambda: Azure.login(parameters, subscription), task.request, server)
        task.scene = found
    return found


def require_price(price: float | None) -> None:
    """Refuse a price that would make nonsense of the final record.

    :raises InvalidRequest: when it is negative, infinite or no number
    """
    if price is not None and not (math.isfinite(price) and price >= 0):
        raise InvalidRequest(
            f"'azure_server.price_per_hour' is {price}, expected 0 or more.",
            "Give what an hour of the runtime server costs, in whatever currency, or leave it out.",
        )
