# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of what a report holds; an unknown one is refused, never guessed at."""

from __future__ import annotations

FORMAT = "azpg.migrate/verification/1"
EVIDENCE_FORMAT = "azpg.migrate/evidence/1"

# Hashes computed by the servers, and by this program from COPY streams.
SERVER_ALGORITHM = "S64-send/1"
CLIENT_ALGORITHM = "B128-copy/1"
ALGORITHMS = (SERVER_ALGORITHM, CLIENT_ALGORITHM)

FULL, COUNTS, SCHEMA, SAMPLE, RECHECK = "full", "counts", "schema", "sample", "recheck"
MODES = (SCHEMA, COUNTS, FULL, SAMPLE, RECHECK)

AUTO, SERVER, CLIENT = "auto", "server", "client"
METHODS = (AUTO, SERVER, CLIENT)

# What tools keep for themselves in the databases that they move.
HELPER_SCHEMAS = {
    "azpg_migrate": "holds what this collection keeps on the target until cleanup",
    "pgcopydb": "holds what pgcopydb, which Azure's migration service uses too, keeps on the source",
}


def rests_on_full(report: dict) -> bool:
    """Return whether a report is of mode full, or a chain of rechecks that ends in one."""
    if report.get("mode") == FULL:
        return True
    chain = (report.get("base") or {}).get("chain") or []
    modes = [link.get("mode") for link in chain]
    return report.get("mode") == RECHECK and modes[:-1] == [RECHECK] * (len(modes) - 1) and modes[-1:] == [FULL]
