# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the transfer with one short call and then watches it with many, telling people how far it is."""

from __future__ import annotations

import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.azpg.migrate.plugins.module_utils._core.progress_lines import (
    Pace,
    estimate_line,
    progress_line,
    worker_line,
)
from ansible_collections.azpg.migrate.plugins.module_utils._core.status import SETTLED
from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import REQUEST

display = Display()

DEFAULT_POLL_INTERVAL = 5
DEFAULT_WAIT_TIMEOUT = 604800
# A lost connection to the runtime host does not end the transfer, so a few failed looks in a row are put up with.
TOLERATED_FAILURES = 10


class ActionModule(ActionBase):
    """Runs the module without waiting, then M(azpg.migrate.migration_info) until the transfer has settled."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Return the module's result; the last one when it was watched."""
        super().run(tmp, task_vars)
        arguments = self._task.args.copy()
        wait = self._boolean(arguments.get("wait", True))
        watch = wait and arguments.get("state", "completed") == "completed" and not self._task.check_mode
        if not watch:
            return self._call("migration", arguments, task_vars)
        started = self._call("migration", {**arguments, "wait": False}, task_vars)
        if started.get("failed") or started.get("state") in SETTLED:
            return started
        if started.get("estimate"):
            display.display(
                f"[{task_vars.get('inventory_hostname', 'localhost')}] {estimate_line(started['estimate'])}"
            )
        result = self._watch(arguments, task_vars)
        if result.get("failed"):
            return {**result, "changed": started["changed"]}
        # The module says how it ended, in the words that it would have used itself; a transfer that has failed is
        # not to be started again by that, so it is asked for its validity only when it is complete.
        if result["state"] == "completed":
            ended = self._call("migration", {**arguments, "wait": False}, task_vars)
            return {**ended, "changed": started["changed"], "estimate": started["estimate"]}
        return {
            "failed": True,
            "changed": started["changed"],
            "msg": self._words(result),
            "state": result["state"],
            "migration": result["migration"],
            "timeline": result["timeline"],
            "estimate": started["estimate"],
        }

    def _watch(self, arguments, task_vars):
        host = task_vars.get("inventory_hostname", "localhost")
        interval = int(arguments.get("poll_interval", DEFAULT_POLL_INTERVAL))
        timeout = int(arguments.get("wait_timeout", DEFAULT_WAIT_TIMEOUT))
        asked = {word: arguments[word] for word in REQUEST if word in arguments}
        begun, shown, failures, seen, pace = time.monotonic(), [], 0, 0, Pace()
        while True:
            try:
                found = self._call("migration_info", asked, task_vars)
            except AnsibleConnectionFailure as error:
                found = {
                    "failed": True,
                    "msg": f"The runtime host cannot be reached; the transfer goes on there. {error}",
                }
            failures = failures + 1 if found.get("failed") or found.get("unreachable") else 0
            if failures > TOLERATED_FAILURES:
                return found
            if not failures:
                progress = found["migration"]
                for event in progress.get("events", ()):
                    if event["id"] > seen and event["level"] != "info":
                        display.display(f"[{host}] {event['level']}: {event['message'][:800]}")
                    seen = max(seen, event["id"])
                lines = [progress_line(progress), worker_line(progress)]
                if lines != shown and (pace.due() or found["state"] in SETTLED):
                    for line in filter(None, lines):
                        display.display(f"[{host}] {line}")
                    shown = lines
                if found["state"] in SETTLED:
                    return found
            if time.monotonic() - begun > timeout:
                return {
                    "failed": True,
                    "msg": f"The migration has not finished within {timeout} s; it goes on. Run the task again to attach.",
                    "state": "running",
                    "migration": found.get("migration", {}),
                }
            time.sleep(interval)

    def _call(self, module, arguments, task_vars):
        return self._execute_module(f"azpg.migrate.{module}", module_args=arguments, task_vars=task_vars)

    @staticmethod
    def _boolean(value):
        return str(value).lower() not in ("false", "no", "off", "0", "n", "f")

    @staticmethod
    def _words(result):
        error = result["migration"].get("error")
        if error:
            return f"{error['msg']} {error['hint']}".strip()
        return f"The transfer is {result['state']}. Run the task again to resume it."
