# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the transfer with one short call and then watches it with many, telling people how far it is."""

from __future__ import annotations

import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.azpg.migrate.plugins.module_utils._core.goals import COMPLETED, REPLICATING, STEP_DUE, reached
from ansible_collections.azpg.migrate.plugins.module_utils._core.progress_lines import (
    Pace,
    cutover_line,
    estimate_line,
    progress_line,
    worker_line,
)
from ansible_collections.azpg.migrate.plugins.module_utils._core.status import SETTLED
from ansible_collections.azpg.migrate.plugins.module_utils._core.watching import Watching
from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import AZURE, REQUEST_OR_FILE
from ansible_collections.azpg.migrate.plugins.module_utils._module.variables import in_playbooks
from ansible_collections.azpg.migrate.plugins.plugin_utils.variables import with_warnings

display = Display()

DEFAULT_WAIT_TIMEOUT = 604800
DEFAULT_MAX_LAG = 10
# What a progress that says nothing of it is looked at again after.
USUAL_PAUSE = 5
# A lost connection to the runtime host does not end the transfer, so a few failed looks in a row are put up with.
TOLERATED_FAILURES = 10
LOOKING = (*REQUEST_OR_FILE, *AZURE, "azure_migration_name")


class ActionModule(ActionBase):
    """Runs the module without waiting, then M(azpg.migrate.migration_info) until the transfer is where it is wanted.

    Where nothing goes on by itself, since the next batch has to begin or databases wait for their cutover, the module is
    run again instead: it takes the step if its time has come.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Return the module's result; the last one when it was watched."""
        super().run(tmp, task_vars)
        return with_warnings(self._go(task_vars), task_vars)

    def _go(self, task_vars):
        arguments = self._task.args.copy()
        goal = arguments.get("state", COMPLETED)
        wait = self._boolean(arguments.get("wait", True))
        if not wait or goal not in (COMPLETED, REPLICATING) or self._task.check_mode:
            return self._call("migration", arguments, task_vars)
        started = self._call("migration", {**arguments, "wait": False}, task_vars)
        if started.get("failed") or self._ended(arguments, started):
            return started
        if started.get("estimate"):
            display.display(
                f"[{task_vars.get('inventory_hostname', 'localhost')}] {estimate_line(started['estimate'])}"
            )
        taken = [started]
        result = self._watch(arguments, started, task_vars, taken)
        diff = self._diff(taken)
        changed = started["changed"] or bool(result.get("changed"))
        if result.get("failed"):
            return {**result, "changed": changed, **diff}
        # The module says how it ended, in the words that it would have used itself; a transfer that has failed is
        # not to be started again by that, so it is asked for its validity only when it is complete.
        if reached(
            goal, result["migration"], self._max_lag(arguments), self._listed(arguments.get("cutover_databases"))
        ):
            ended = self._call("migration", {**arguments, "wait": False}, task_vars)
            told = cutover_line(result["migration"]) if goal == COMPLETED and changed else ""
            if told:
                display.display(f"[{task_vars.get('inventory_hostname', 'localhost')}] {told}")
            return {**ended, "changed": changed, "estimate": started["estimate"], **diff}
        return {
            "failed": True,
            "changed": changed,
            "msg": self._words(result),
            "state": result["state"],
            "migration": result["migration"],
            "timeline": result["timeline"],
            "estimate": started["estimate"],
            **diff,
        }

    @staticmethod
    def _diff(taken):
        """Return the diff of all steps that were taken, as C({diff}); nothing where the module gives none."""
        found = [result["diff"] for result in taken if result.get("diff")]
        return {"diff": {**found[0], "after": "".join(diff["after"] for diff in found)}} if found else {}

    def _watch(self, arguments, found, task_vars, taken):
        host = task_vars.get("inventory_hostname", "localhost")
        timeout = int(arguments.get("wait_timeout", DEFAULT_WAIT_TIMEOUT))
        asked = {word: arguments[word] for word in LOOKING if word in arguments}
        begun, failures, changed = time.monotonic(), 0, False
        screen = Screen(host)
        while True:
            if not failures:
                changed = changed or bool(found.get("changed"))
                progress = found["migration"]
                ended = self._ended(arguments, found)
                screen.show(progress, ended)
                if ended:
                    return {**found, "changed": changed}
            if time.monotonic() - begun > timeout:
                phase = f" ({progress['phase']})" if progress.get("phase") else ""
                return {
                    "failed": True,
                    "msg": f"The migration has not finished within {timeout} s{phase}; it goes on. Run the task again to attach.",
                    "state": progress["state"],
                    "migration": progress,
                    "changed": changed,
                }
            given = arguments.get("poll_interval")
            time.sleep(progress.get("poll_seconds", USUAL_PAUSE) if given is None else int(given))
            due = progress["state"] in STEP_DUE
            try:
                step = ("migration", {**arguments, "wait": False}) if due else ("migration_info", asked)
                found = self._call(*step, task_vars)
                taken.append(found)
            except AnsibleConnectionFailure as error:
                found = {
                    "failed": True,
                    "msg": f"The runtime host cannot be reached; the transfer goes on there. {error}",
                }
            failures = failures + 1 if found.get("failed") or found.get("unreachable") else 0
            if failures > TOLERATED_FAILURES or (failures and due and self._is_final(found)):
                return {**found, "changed": changed}

    @staticmethod
    def _is_final(found):
        """Return whether a failed step will fail again: not when Azure or the host were out of reach."""
        answered = "code" in found or "migration" in found
        return answered and not (found.get("details") or {}).get("retryable")

    def _ended(self, arguments, found):
        """Return whether there is nothing to wait for any more."""
        goal = arguments.get("state", COMPLETED)
        progress = found.get("migration") or {"state": found.get("state")}
        named = self._listed(arguments.get("cutover_databases"))
        return found.get("state") in SETTLED or reached(goal, progress, self._max_lag(arguments), named)

    @staticmethod
    def _listed(value):
        return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value

    @staticmethod
    def _max_lag(arguments):
        return float(arguments.get("max_lag", DEFAULT_MAX_LAG))

    def _call(self, module, arguments, task_vars):
        return self._execute_module(f"azpg.migrate.{module}", module_args=arguments, task_vars=task_vars)

    @staticmethod
    def _boolean(value):
        return str(value).lower() not in ("false", "no", "off", "0", "n", "f")

    @staticmethod
    def _words(result):
        error = result["migration"].get("error")
        if error:
            return in_playbooks(f"{error['msg']} {error['hint']}".strip(), "migration")
        return f"The transfer is {result['state']}. Run the task again to resume it."


class Screen:
    """Shows what is new of a migration's progress, in lines that become fewer with time."""

    def __init__(self, host):
        self.host = host
        self.pace = Pace()
        self.watching = Watching()
        self.shown: list = []
        self.said: set = set()
        self.seen = 0

    def show(self, progress, ended):
        """Show events and warnings at once, and lines when they are due."""
        for event in progress.get("events", ()):
            if event["id"] > self.seen and event["level"] != "info":
                self.say(f"{event['level']}: {event['message'][:800]}")
            self.seen = max(self.seen, event["id"])
        # Where there are no events, warnings are all that there is; a standstill is noticed here and nowhere else.
        news = [] if progress.get("events") else list(progress.get("warnings") or ())
        for warning in [*news, *self.watching.notice(progress)]:
            if warning not in self.said:
                self.said.add(warning)
                self.say(f"warning: {warning[:800]}")
        lines = [progress_line(progress), worker_line(progress)]
        if lines != self.shown and (self.pace.due() or ended):
            for line in filter(None, lines):
                self.say(line)
            self.shown = lines

    def say(self, line):
        """Show one line."""
        display.display(f"[{self.host}] {line}")
