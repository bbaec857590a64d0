# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A data set shaped like a real application, in two databases, and the queries that such an application asks.

It holds every kind of object that a migration by an ordinary user can carry; ``loader`` puts it into a cluster,
``queries`` asks the same questions of two clusters and compares the answers.
"""

from __future__ import annotations

from tools.lab.dataset.loader import DATABASES, create_roles, create_source_user, create_target_user, load
from tools.lab.dataset.queries import answers, compare, compare_answers

__all__ = [
    "DATABASES",
    "answers",
    "compare",
    "compare_answers",
    "create_roles",
    "create_source_user",
    "create_target_user",
    "load",
]
