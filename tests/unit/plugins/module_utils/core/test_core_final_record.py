# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The final record: believed only when whole, and only for the request that it was written for."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import PreconditionFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.final_record import (
    read_final_record,
    write_final_record,
)
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request

REQUEST = Request.create("shop", {"host": "a", "password": "hidden"}, {"host": "b"}, ["shop"])


@pytest.fixture
def layout(tmp_path):
    return Layout.create("shop", str(tmp_path))


def test_none_without_a_file(layout):
    assert read_final_record(layout, REQUEST) is None


def test_comes_back_as_it_was_written(layout):
    written = write_final_record(layout, REQUEST, {"outcome": "completed", "kept": ["x"]})
    assert read_final_record(layout, REQUEST) == written
    assert written["request"] == REQUEST.identity
    path = Path(layout.final_record_file)
    assert "hidden" not in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_holds_for_the_same_request_with_another_user(layout):
    write_final_record(layout, REQUEST, {})
    again = Request.create("shop", {"host": "a", "user": "other"}, {"host": "b"}, ["shop"])
    assert read_final_record(layout, again)


def test_another_request_may_not_take_its_name(layout):
    write_final_record(layout, REQUEST, {"finished_at": "2026-11-20T22:00:00Z"})
    other = Request.create("shop", {"host": "a"}, {"host": "b"}, ["shop", "billing"])
    with pytest.raises(
        PreconditionFailed, match="belongs to a migration that ended at 2026-11-20T22:00:00Z"
    ) as refusal:
        read_final_record(layout, other)
    assert refusal.value.details["request"] == REQUEST.identity


def test_edited_is_refused(layout):
    write_final_record(layout, REQUEST, {"outcome": "abandoned"})
    path = Path(layout.final_record_file)
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, "outcome": "completed"}), encoding="utf-8")
    with pytest.raises(PreconditionFailed, match="own digest"):
        read_final_record(layout, REQUEST)


def test_cut_off_is_refused(layout):
    write_final_record(layout, REQUEST, {})
    path = Path(layout.final_record_file)
    path.write_text(path.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    with pytest.raises(PreconditionFailed, match="not JSON") as caught:
        read_final_record(layout, REQUEST)
    assert str(path) in str(caught.value)
