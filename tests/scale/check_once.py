# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module of the checks in a process of its own, so that its memory can be measured: its options on standard input."""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
import time
from types import SimpleNamespace

from ansible_collections.azpg.migrate.plugins.module_utils._module import premigration_check
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import Task
from ansible_collections.azpg.migrate.plugins.modules.premigration_check import SPECIFICATION

if __name__ == "__main__":
    given = {**{word: option.get("default") for word, option in SPECIFICATION.items()}, **json.load(sys.stdin)}
    mode = given.pop("mode")
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    module = SimpleNamespace(params={**given, "mode": "offline"}, check_mode=False, warn=print, no_log_values=set())
    task = Task(module)
    # Rules exist for combinations that a request may not have yet.
    task.request = dataclasses.replace(task.request, mode=mode)
    result = premigration_check.check(task)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "seconds": time.monotonic() - begun,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak_bytes": usage.ru_maxrss * 1024,
                "start_bytes": before * 1024,
                "findings": sum(result["summary"]["counts"].values()),
                "estimate": result["estimate"].get("seconds"),
                "failed": [
                    f"{finding['rule']} {finding['object']}: {finding['found']}"
                    for finding in result["findings"]
                    if finding["status"] == "failed"
                ],
            }
        )
    )
