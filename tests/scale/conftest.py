# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two servers for what is large."""

from __future__ import annotations

import pytest

from tools.lab.binaries import CACHE, obtain
from tools.lab.cluster import Cluster

SETTINGS = {
    "autovacuum": "off",
    # One lock per table for pg_dump; and relations that are made in one go.
    "max_locks_per_transaction": "1024",
    "full_page_writes": "off",
    "max_wal_size": "8GB",
    "max_replication_slots": "60",
    "max_wal_senders": "60",
    "max_worker_processes": "70",
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """An empty source and an empty target, with a user for the migration on both."""
    directory = tmp_path_factory.mktemp("scale")
    with (
        Cluster(obtain(17, CACHE), directory / "source", settings=SETTINGS) as source,
        Cluster(obtain(18, CACHE), directory / "target", settings=SETTINGS) as target,
    ):
        for cluster in (source, target):
            cluster.psql("CREATE ROLE mig LOGIN PASSWORD 'mig' CREATEDB CREATEROLE REPLICATION; CREATE ROLE app")
            cluster.psql("GRANT app TO mig")
        yield source, target
