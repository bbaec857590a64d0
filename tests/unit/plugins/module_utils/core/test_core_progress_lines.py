# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that people see while they wait."""

from __future__ import annotations

from ansible_collections.azpg.migrate.plugins.module_utils._core.progress_lines import (
    LONGEST_LINE,
    Pace,
    cutover_line,
    estimate_line,
    progress_line,
    worker_line,
)

RUNNING = {
    "state": "running",
    "bytes_total": 200_000_000,
    "bytes_done": 50_000_000,
    "bytes_per_second": 10_000_000,
    "recent_bytes_per_second": 12_000_000,
    "seconds_left": 95,
    "tables_done": 2,
    "tables_total": 8,
    "indexes_done": 3,
    "indexes_total": 40,
    "keys_done": 1,
    "keys_total": 8,
    "foreign_keys_done": 0,
    "foreign_keys_total": 4,
    "current": [
        {"worker": 2, "kind": "key", "database": "shop", "label": "index app.i", "bytes_done": 0, "bytes_total": 0, "seconds": 7},
        {"worker": 1, "kind": "table", "database": "shop", "label": "app.a", "bytes_done": 4, "bytes_total": 10, "seconds": 3},
    ],
}  # fmt: skip


def test_running_says_share_size_rate_and_time_left():
    assert progress_line(RUNNING) == (
        " 25% 50.0 MB of 200 MB | 12.0 MB/s | tables 2/8 | indexes 3/40 | keys 1/8 | fkeys 0/4 | 1 min 35 s left"
    )


def test_average_rate_until_there_is_a_recent_one():
    assert "| 10.0 MB/s |" in progress_line({**RUNNING, "recent_bytes_per_second": None})


def test_indexes_still_take_time_once_all_has_been_copied():
    line = progress_line({**RUNNING, "bytes_done": 200_000_000})
    assert line.startswith("100% ") and line.endswith("1 min 35 s left") and "/s |" not in line


def test_never_more_than_all():
    assert "100%" in progress_line({**RUNNING, "bytes_done": 300_000_000})


def test_before_anything_is_known():
    assert progress_line({"state": "running"}) == "migration running: reading the source"
    assert worker_line({"state": "running"}) == ""


def test_tables_without_any_bytes():
    assert progress_line({"state": "running", "bytes_total": 0, "bytes_done": 0, "tables_total": 3, "tables_done": 0})


def test_settled_says_how_it_ended_and_when():
    assert progress_line({"state": "completed", "elapsed_seconds": 75}) == "migration completed after 1 min 15 s"
    assert progress_line({"state": "absent"}) == "migration absent"


def test_workers_say_what_they_do_in_their_order():
    assert worker_line(RUNNING) == "  at work: 1 copy app.a 40% 3 s, 2 build index app.i 7 s"


def test_many_workers_and_long_names_do_not_make_long_lines():
    work = {
        "kind": "key",
        "database": "d",
        "label": "x" * 300 + "\nend",
        "bytes_done": 0,
        "bytes_total": 0,
        "seconds": 70000,
    }
    line = worker_line({"current": [{**work, "worker": number} for number in range(1, 33)]})
    assert len(line) <= LONGEST_LINE and line.endswith("28 more") and "\n" not in line
    assert len(progress_line({**RUNNING, "tables_total": 10**30})) <= LONGEST_LINE


def test_the_longer_it_takes_the_fewer_lines():
    now = [0.0]
    pace = Pace(lambda: now[0])
    shown = []
    while now[0] < 8000:
        if pace.due():
            shown.append(now[0])
        now[0] += 1
    assert shown[:3] == [0, 5, 10]
    for begin, end, most in ((0, 60, 12), (60, 600, 36), (600, 3600, 51), (3600, 8000, 16)):
        count = sum(begin <= moment < end for moment in shown)
        assert most - 2 <= count <= most, (begin, count)


def test_estimate():
    figures = {"seconds": 200, "seconds_low": 100, "seconds_high": 400, "bytes": 2e9, "target_disk_bytes": 2.5e9,
               "runtime_disk_bytes": 5e6}  # fmt: skip
    assert estimate_line(figures) == (
        "estimate: 3 min 20 s (1 min 40 s to 6 min 40 s) for 2.0 GB; disk: target 2.5 GB, runtime server 5.0 MB"
    )


def test_a_cutover_says_what_it_has_cost_and_how_the_fence_comes_down():
    assert cutover_line({}) == cutover_line({"cutover": {"steps": []}}) == ""
    assert cutover_line({"cutover": {"write_downtime_seconds": 2.5}}) == "cut over: nobody could write for 2.5 s"
    line = cutover_line({"cutover": {"write_downtime_seconds": 2.5, "fenced": True}})
    assert line.startswith("cut over: nobody could write for 2.5 s; the fence around the source stays")
    assert line.endswith("azpg.migrate.verify with azpg_fence=down")
