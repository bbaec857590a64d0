# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One verification in a process of its own, so that its memory can be measured: request on standard input."""

from __future__ import annotations

import json
import sys

from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._verify.phases import seconds_of
from ansible_collections.azpg.migrate.plugins.module_utils._verify.run import verify

if __name__ == "__main__":
    given = json.load(sys.stdin)
    report = verify(
        Request.create("bench", given["source"], given["target"], given["databases"]),
        jobs=given["jobs"],
        mode=given["mode"],
    )
    print(report["verdict"], report["reason"], json.dumps(seconds_of(report["databases"][0]["phases"])))
    sys.exit(report["verdict"] != "MATCH")
