# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many workers a host is well served with, and what bounds them."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import PreconditionFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import capacity, runtime

MB, GB = 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("cores", "memory", "one", "two", "jobs", "why"),
    [
        (8, 16 * GB, 50 * MB, 99 * MB, 8, "8 processors"),
        (1, 16 * GB, None, None, 2, "1 processors"),
        (64, 16 * GB, 50 * MB, 99 * MB, 16, "64 processors"),
        (8, 640 * MB, 50 * MB, 99 * MB, 4, "of memory"),
        (8, 0, 50 * MB, 99 * MB, 1, "of memory"),
        # One session fills the line already.
        (8, 16 * GB, 11 * MB, 12 * MB, 2, "two bring"),
    ],
)
def test_the_narrowest_bound_counts(cores, memory, one, two, jobs, why):
    found = capacity.recommend(cores, memory, one, two)
    assert found[0] == jobs and why in found[1]


def test_shares_of_a_container_count(tmp_path):
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text(f"{300 * MB}\n")
    (tmp_path / "memory.current").write_text(f"{100 * MB}\n")
    assert capacity.processors(str(tmp_path)) == 1
    assert capacity.available_memory(str(tmp_path)) == 200 * MB
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert capacity.processors(str(tmp_path)) == capacity.processors("/nowhere") >= 1
    assert capacity.available_memory(str(tmp_path)) > 200 * MB


def test_a_host_serves_so_many_migrations_and_no_more(tmp_path):
    for name in ("one", "two"):
        (tmp_path / "migrations" / name).mkdir(parents=True)
    runtime.require_room(Layout.create("three", str(tmp_path)), 3)
    with pytest.raises(PreconditionFailed, match=r"serves 2 migrations already, and 'max_migrations' is 2: one, two"):
        runtime.require_room(Layout.create("three", str(tmp_path)), 2)
    # One that lives there already is none more.
    runtime.require_room(Layout.create("two", str(tmp_path)), 1)


def test_a_server_on_the_runtime_host_is_named():
    ends = {"host": "carrier", "source": {"on_this_host": False}, "target": {"on_this_host": True}}
    with pytest.raises(
        PreconditionFailed, match=r"carrier is the target of the migration.*'colocated: true'"
    ) as refused:
        runtime.require_apart(ends)
    assert refused.value.details == {"sides": ["target"]}
    runtime.require_apart({**ends, "target": {"on_this_host": False}})
