# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two servers for the whole session, a clean target and directories of its own for each test."""

from __future__ import annotations

import os
import secrets

import pytest

from support.migrations import Migration
from support.servers import SEEDS, USER, Lab, ask, drop_database
from tools.lab import dataset
from tools.lab.binaries import CACHE, obtain
from tools.lab.cluster import Cluster

SOURCE_MAJOR = int(os.environ.get("AZPG_SOURCE_MAJOR", "14"))
TARGET_MAJOR = int(os.environ.get("AZPG_TARGET_MAJOR", "17"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A source with small databases to copy from, a target, and an ordinary migration user on both."""
    directory = tmp_path_factory.mktemp("lab")
    passwords = {side: secrets.token_urlsafe(18) for side in ("source", "target")}
    with (
        Cluster(obtain(SOURCE_MAJOR, CACHE), directory / "source") as source,
        Cluster(obtain(TARGET_MAJOR, CACHE), directory / "target") as target,
    ):
        dataset.create_roles(source)
        dataset.create_source_user(source, USER, passwords["source"])
        dataset.create_target_user(target, USER, passwords["target"])
        for name, sql in SEEDS.items():
            ask(source, f"CREATE DATABASE {name} OWNER app_owner")
            source.psql(sql, dbname=name)
        yield Lab(source, target, passwords)


@pytest.fixture(scope="module")
def application(lab):
    """The sample application's two databases on the source, small."""
    for name in dataset.DATABASES:  # examples use these names, too
        drop_database(lab.source, name)
    dataset.load(lab.source, 0.02)
    return list(dataset.DATABASES)


@pytest.fixture
def clean(lab):
    """Nothing of another test on the target."""
    lab.clean_target()
    return lab


@pytest.fixture
def migration(clean, tmp_path, request):
    """Give a function that makes a migration of a new database on the source."""
    made = []

    def make(name: str, seed: str | None = "seed_small", databases: list | None = None) -> Migration:
        if databases is None:
            databases = [clean.new_database(name.replace("-", "_"), seed)]
        made.append(Migration(clean, tmp_path, name, databases))
        return made[-1]

    yield make
    for one in made:
        one.close()
