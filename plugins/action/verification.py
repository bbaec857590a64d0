# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the verification with one short call and then watches it with many, telling people how far it is."""

from __future__ import annotations

from ansible_collections.azpg.migrate.plugins.module_utils._core.progress_lines import verification_line
from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import REQUEST
from ansible_collections.azpg.migrate.plugins.plugin_utils.variables import with_warnings
from ansible_collections.azpg.migrate.plugins.plugin_utils.watching import Watching

LOOKING = (*REQUEST, "report_directory")
GOES_ON = "the verification goes on"


class ActionModule(Watching):
    """Runs the module without waiting, then M(azpg.migrate.verification_info) until it is over, and fetches the result."""

    def run(self, tmp=None, task_vars=None):
        """Return the module's result."""
        super().run(tmp, task_vars)
        return with_warnings(self._go(task_vars), task_vars)

    def _go(self, task_vars):
        arguments = self._task.args.copy()
        quiet = self._task.check_mode or not self._boolean(arguments.get("wait", True))
        if quiet:
            return self._call("verification", arguments, task_vars)
        started = self._call("verification", {**arguments, "wait": False}, task_vars)
        if started.get("failed") or started.get("state") != "running":
            return started
        asked = {word: arguments[word] for word in LOOKING if word in arguments}
        found = self._watch(
            lambda: self._look("verification_info", asked, task_vars, GOES_ON),
            lambda found: ([verification_line(found["progress"])], found["progress"].get("events", ())),
            lambda found: found["state"] != "running",
            task_vars,
        )
        if found is None:
            timeout = arguments.get("wait_timeout")
            message = (
                f"The verification has not finished within {timeout} s; it goes on. Run the task again to attach to it."
            )
            return {**started, "failed": True, "msg": message}
        if found.get("failed"):
            return {**found, "changed": started["changed"]}
        ended = self._call("verification", {**arguments, "run_id": started["run_id"]}, task_vars)
        return {**ended, "changed": started["changed"]}
