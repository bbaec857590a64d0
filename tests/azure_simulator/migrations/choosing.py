# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mover carries a migration, and where its ends are."""

from __future__ import annotations

from tests.azure_simulator.migrations import ends
from tests.azure_simulator.migrations.mover import Job, Mover, Paper


def moves_data(migration) -> bool:
    """Whether there is a data plane for a migration: a real server behind its target."""
    return not migration.cloud.control_plane_only and migration.target.behind is not None


def mover(migration, factor: float) -> Mover:
    """Return a mover for a migration: paper where there is no data plane."""
    cloud = migration.cloud
    job = Job(
        list(migration.databases),
        migration.online,
        migration.sent["overwriteDbsInTarget"] == "True",
        cloud.clock,
        directory=cloud.directory / "migrations" / migration.guid,
        name=migration.name,
        options={"factor": factor},
    )
    if not moves_data(migration):
        return Paper(job)
    job.source, job.target = ends.source_of(migration).words, ends.target_words(migration)
    cluster = migration.target.behind
    prefix = getattr(cluster, "prefix", None)
    job.options.update(bin_directory=str(prefix / "bin") if prefix else None)
    # These import the collection and a database driver, which a control plane alone does not need.
    if migration.online:
        from tests.azure_simulator.migrations.online_engine import OnlineEngine

        return OnlineEngine(job)
    from tests.azure_simulator.migrations.engine import Engine

    return Engine(job)
