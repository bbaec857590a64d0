# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What action plugins say of variables that no role knows."""

from __future__ import annotations

from ansible_collections.azpg.migrate.plugins.module_utils._module.variables import misspelled
from ansible_collections.azpg.migrate.plugins.plugin_utils.watching import Watching


def with_warnings(result, task_vars) -> dict:
    """Return a task's result with a warning for each variable that looks like one of the roles and is none.

    Ansible shows the same warning once, whichever tasks and hosts give it.
    """
    found = misspelled(task_vars)
    return {**result, "warnings": [*(result.get("warnings") or ()), *found]} if found else result


class Plain(Watching):
    """Runs a module as Ansible would, and looks at the variables besides."""

    MODULE = ""

    def run(self, tmp=None, task_vars=None):
        """Return the module's result."""
        super().run(tmp, task_vars)
        return with_warnings(self._call(self.MODULE, self._task.args.copy(), task_vars), task_vars)
