# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of source, the service's pace, and the list of extensions that it publishes."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks import kinds, sizes
from ansible_collections.azpg.migrate.plugins.module_utils._checks.published_extensions import published
from ansible_collections.azpg.migrate.plugins.module_utils._checks.selection import Selection
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import SOURCE_TYPES


@pytest.mark.parametrize("value", SOURCE_TYPES)
def test_every_source_type_has_remedies(value):
    kind = kinds.named(value)
    assert "REPLICATION" in kind.allow_replication("mig") or "rds_replication" in kind.allow_replication("mig")
    assert "logical" in kind.make_logical() and kind.label
    assert "{" not in kind.make_logical() + kind.change("max_replication_slots", 5) + kind.allow_replication("mig")


def test_kinds_are_values_of_the_service():
    assert {kind.value for kind in (*kinds.KINDS, kinds.OWN)} <= set(SOURCE_TYPES)
    assert set(kinds.SELF_MANAGED) | set(kinds.VARIANTS) <= set(SOURCE_TYPES)


@pytest.mark.parametrize(
    ("gigabytes", "hours"), [(0.1, 1 / 60), (1, 1 / 60), (100, 1), (300, 2.5), (1000, 7), (2000, 13)]
)
def test_the_services_pace(gigabytes, hours):
    assert sizes.service_seconds(int(gigabytes * 1e9)) == pytest.approx(hours * 3600, rel=0.01)


def test_the_pace_never_falls():
    times = [sizes.service_seconds(size * 10**9) for size in range(0, 3000, 7)]
    assert times == sorted(times)


def test_published_extensions_by_version():
    assert published("vector", 11) and published("postgis", 18)
    assert published("pg_diskann", 17) and not published("pg_diskann", 13) and not published("timescaledb", 18)
    assert not published("seg", 17) and not published("file_fdw", 17)


def test_levels_select():
    levels = {"a": "network", "b": "database"}
    selection = Selection.create(levels, levels=["network"], level_of=levels)
    assert selection.wants("a") and not selection.wants("b")
    with pytest.raises(InvalidRequest, match="'planet', which is no level"):
        Selection.create(levels, levels=["planet"], level_of=levels)
