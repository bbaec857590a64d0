"""Which mover carries a migration, and where its ends are."""

from __future__ import annotations

from tests.azure_simulator.migrations.mover import Job, Mover, Paper


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
    return Paper(job)
