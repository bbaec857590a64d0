# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line that people see while they wait."""

from __future__ import annotations

from ansible_collections.azpg.migrate.plugins.module_utils._core.progress_lines import progress_line

RUNNING = {
    "state": "running",
    "bytes_total": 200_000_000,
    "bytes_done": 50_000_000,
    "bytes_per_second": 10_000_000,
    "seconds_left": 15,
    "tables_done": 2,
    "tables_total": 8,
    "units_done": 3,
    "units_total": 40,
    "current": [{"kind": "table", "database": "shop", "label": "app.orders"}],
}


def test_running_says_share_size_rate_and_work():
    assert progress_line(RUNNING) == (
        "[#####...............]  25% | 50.0 MB of 200 MB | tables 2/8 | steps 3/40 | 10.0 MB/s, 15 s left | "
        "copying shop app.orders"
    )


def test_no_estimate_once_all_has_been_copied():
    line = progress_line({**RUNNING, "bytes_done": 200_000_000, "current": []})
    assert line.startswith("[####################] 100% | ")
    assert "left" not in line


def test_never_more_than_all():
    assert "100%" in progress_line({**RUNNING, "bytes_done": 300_000_000})


def test_before_anything_is_known():
    assert progress_line({"state": "running"}) == "migration running: reading the source"


def test_settled_says_how_it_ended_and_when():
    assert progress_line({"state": "completed", "elapsed_seconds": 75}) == "migration completed after 1 min 15 s"
    assert progress_line({"state": "absent"}) == "migration absent"


def test_long_names_do_not_make_long_lines():
    label = "schema." + "x" * 500
    line = progress_line({**RUNNING, "current": [{"kind": "key", "database": "d" * 63, "label": label}]})
    assert len(line) < 300
    assert "building" in line
