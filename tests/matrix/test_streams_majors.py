# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes from other majors of the source: what an application does to its rows, and an online migration as a whole."""

from __future__ import annotations

import contextlib
import secrets
import sys

import pytest
from conftest import CACHE, ROOT

sys.path.append(str(ROOT / "tests" / "integration"))
pytest.register_assert_rewrite("tests.streams.suite")

from support.online import CHANGES, make  # noqa: E402
from support.servers import SEEDS, USER, Lab, ask, contents  # noqa: E402

from tests.streams.suite import WAYS, carry, empty, start  # noqa: E402
from tools.lab import dataset  # noqa: E402

TARGET = 18


@pytest.fixture(scope="module", params=(11, 13, 15, 17), ids=lambda major: f"from{major}")
def servers(request, tmp_path_factory):
    """A source of each major in turn, and a target."""
    with contextlib.ExitStack() as stack:
        yield request.param, start((request.param, TARGET), tmp_path_factory.mktemp("streams"), CACHE, stack)


@pytest.mark.parametrize("way", WAYS)
def test_changes_arrive(servers, tmp_path, way):
    major, pair = servers
    pipe = empty(pair, tmp_path)
    try:
        seen = carry(pipe, way, major)
        assert seen["replayed"], "some of the cases have to be replayed in order"
        assert bool(seen["spooled"]) == (major >= 14 and way != "whole transactions")
    finally:
        pipe.end()


def test_a_whole_migration(servers, tmp_path):
    _major, (source, target) = servers
    passwords = {side: secrets.token_urlsafe(18) for side in ("source", "target")}
    dataset.create_roles(source)
    dataset.create_source_user(source, USER, passwords["source"])
    dataset.create_target_user(target, USER, passwords["target"])
    ask(source, "CREATE DATABASE seed_small OWNER app_owner")
    source.psql(SEEDS["seed_small"], dbname="seed_small")
    one = make(Lab(source, target, passwords), tmp_path, "majors", without_identity="full")
    try:
        one.replicate()
        one.source(CHANGES)
        assert one.module("migration").good()["state"] == "completed"
        assert one.left_on_source() == []
        assert contents(source, "majors") == contents(target, "majors")
        found = one.module("verification").good()["verification"]
        assert found["verdict"] == "MATCH", found["reason"]
    finally:
        one.close()
