# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row that is as large as rows get."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.fidelity.arena import Arena
from tests.fidelity.suite import findings

DIGEST = "SELECT encode(sha256({0}::bytea), 'hex'), octet_length({0}) FROM app.large"


def carry_large_row(majors: tuple, directory: Path, kind: str, megabytes: int) -> float:
    """Carry one row of I(megabytes); make sure that it arrived and return the peak memory of one client process in MB."""
    with contextlib.ExitStack() as stack:
        arena = Arena(majors, directory, stack)
        arena.run("source", "CREATE DATABASE large OWNER app_owner")
        arena.run("source", "SET ROLE app_owner; CREATE SCHEMA app", "large")
        arena.run("source", f"SET ROLE app_owner; CREATE TABLE app.large (id int, v {kind})", "large")
        arena.run("source", "ALTER TABLE app.large ALTER v SET STORAGE EXTERNAL", "large")
        arena.run(
            "source",
            f"INSERT INTO app.large SELECT 1, repeat(repeat('0123456789abcdef', 65536), {megabytes})::{kind}",
            "large",
        )
        request = arena.request("large", ["large"])
        outcome = arena.carry(request).good()
        assert outcome.warnings == []
        assert arena.both(DIGEST.format("v"), "large")[0][1] == megabytes << 20
        report = arena.verify(request)
        assert (report["verdict"], findings(report)) == ("MATCH", [])
        return outcome.peak
