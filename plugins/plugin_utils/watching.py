# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What action plugins share that watch something on another host with many short calls."""

from __future__ import annotations

import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.azpg.migrate.plugins.module_utils._core.progress_lines import Pace

display = Display()

DEFAULT_POLL_INTERVAL = 5
DEFAULT_WAIT_TIMEOUT = 604800
# A lost connection does not end what is watched, so a few failed looks in a row are put up with.
TOLERATED_FAILURES = 10
LONGEST_EVENT = 800


class Watching(ActionBase):
    """Calls modules of this collection, and shows what comes of them in lines that begin with the host's name."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def _call(self, module, arguments, task_vars):
        return self._execute_module(f"azpg.migrate.{module}", module_args=arguments, task_vars=task_vars)

    def _look(self, module, arguments, task_vars, goes_on):
        """Return what an info module says; a connection that fails is a result like any other."""
        try:
            return self._call(module, arguments, task_vars)
        except AnsibleConnectionFailure as error:
            return {"failed": True, "msg": f"The host cannot be reached; {goes_on} there. {error}"}

    def _watch(self, look, lines, is_over, task_vars):
        """Look again and again until it is over; return what was seen last, or None when that takes too long.

        :param look: called without arguments; returns what an info module says
        :param lines: called with that; returns C((progress lines, events)), see M(Screen.show)
        :param is_over: called with that
        """
        interval = int(self._task.args.get("poll_interval", DEFAULT_POLL_INTERVAL))
        timeout = int(self._task.args.get("wait_timeout", DEFAULT_WAIT_TIMEOUT))
        screen, begun, failures = Screen(task_vars.get("inventory_hostname", "localhost")), time.monotonic(), 0
        while True:
            found = look()
            failures = failures + 1 if found.get("failed") or found.get("unreachable") else 0
            if failures > TOLERATED_FAILURES:
                return found
            if not failures:
                over = is_over(found)
                screen.show(*lines(found), over)
                if over:
                    return found
            if time.monotonic() - begun > timeout:
                return None
            time.sleep(interval)

    @staticmethod
    def _boolean(value):
        return str(value).lower() not in ("false", "no", "off", "0", "n", "f")


class Screen:
    """Shows events at once, and progress in lines that become fewer with time."""

    def __init__(self, host):
        self.host, self.pace = host, Pace()
        self.shown, self.seen = [], 0

    def show(self, lines, events, over):
        """Show what is new.

        :param lines: how far it is; empty ones are left out
        :param events: C([{id, level, message}]), by their growing number
        :param over: whether these are the last
        """
        for event in events:
            if event["id"] > self.seen and event["level"] != "info":
                self.say(f"{event['level']}: {event['message'][:LONGEST_EVENT]}")
            self.seen = max(self.seen, event["id"])
        if lines != self.shown and (self.pace.due() or over):
            for line in filter(None, lines):
                self.say(line)
            self.shown = lines

    def say(self, line):
        """Show one line."""
        display.display(f"[{self.host}] {line}")
