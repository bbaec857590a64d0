# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks for a runtime server with short calls, and tells people how far Azure is."""

from __future__ import annotations

import time

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.azpg.migrate.plugins.module_utils._core.progress_lines import Pace
from ansible_collections.azpg.migrate.plugins.module_utils._core.units import human_seconds
from ansible_collections.azpg.migrate.plugins.plugin_utils.variables import with_warnings

display = Display()

DEFAULT_POLL_INTERVAL = 15
DEFAULT_WAIT_TIMEOUT = 3600
# States of the result in which nothing is on its way any more.
ENDED = ("present", "absent", "decommissioned", "refused")


class ActionModule(ActionBase):
    """Runs the module without waiting again and again, until nothing is on its way any more.

    Each run goes on from where the one before stopped. The host provider's runtime server is ready at once.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Return the module's result, with the changes of all runs."""
        super().run(tmp, task_vars)
        return with_warnings(self._go(task_vars), task_vars)

    def _go(self, task_vars):
        arguments = self._task.args.copy()
        waits = str(arguments.get("wait", True)).lower() not in ("false", "no", "off", "0", "n", "f")
        if arguments.get("provider") != "azure" or not waits or self._task.check_mode:
            return self._call(arguments, task_vars)
        return self._watch({**arguments, "wait": False}, task_vars)

    def _watch(self, arguments, task_vars):
        host = task_vars.get("inventory_hostname", "localhost")
        interval = float(arguments.get("poll_interval", DEFAULT_POLL_INTERVAL))
        timeout = float(arguments.get("wait_timeout", DEFAULT_WAIT_TIMEOUT))
        begun, pace, changes, said = time.monotonic(), Pace(), [], ""
        while True:
            result = self._call(arguments, task_vars)
            changes += [line for line in result.get("changes") or () if line not in changes]
            elapsed = time.monotonic() - begun
            if result.get("failed") or result.get("state") in ENDED:
                return self._whole(result, changes)
            state = result["state"]
            if state != said or pace.due():
                display.display(f"[{host}] runtime server {state}, {human_seconds(elapsed)}")
                said = state
            if elapsed >= timeout:
                return self._whole(
                    {
                        **result,
                        "failed": True,
                        "msg": f"The runtime server is still {state} after {timeout:.0f} s; Azure goes on. Run the task again "
                        "to wait for it, or raise 'wait_timeout'.",
                    },
                    changes,
                )
            arguments["operation"] = result.get("operation")
            time.sleep(interval)

    def _call(self, arguments, task_vars):
        return self._execute_module("azpg.migrate.runtime_server", module_args=arguments, task_vars=task_vars)

    @staticmethod
    def _whole(result, changes):
        """Return the last result as if one run had done it all."""
        whole = {**result, "changed": bool(changes) or bool(result.get("changed")), "changes": changes}
        if result.get("diff"):
            side = "before" if result.get("state") == "absent" else "after"
            whole["diff"] = {**result["diff"], side: "".join(line + "\n" for line in changes)}
        return whole
