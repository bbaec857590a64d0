# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people see while a transfer runs: how far it is, what each worker does, how long it still takes."""

from __future__ import annotations

import re
import time

from support.waiting import wait_for

RATE = 800000
LINE = re.compile(r"^\[lines\] .*\| tables \d+/\d+ \|.*$", re.MULTILINE)


def test_progress_tells_workers_rate_and_time_left(migration):
    one = migration("progress", "seed_bulk")
    one.provision()
    one.module("migration", wait=False, max_bytes_per_second=RATE).good()
    wait_for(lambda: one.share() >= 0.35, "a third of the copy")
    carrying = "SELECT 1 FROM unit WHERE kind = 'table' AND state = 'running' AND bytes_done > 100000"
    wait_for(lambda: len(one.journal(carrying)) == 2, "two tables on their way")
    asked = time.time()
    found = one.module("migration_info").good()
    assert found["state"] == "running" and found["timeline"] is None
    seen = found["migration"]
    assert seen["jobs"] == 2 and 0 < seen["bytes_done"] < seen["bytes_total"]
    assert (seen["tables_total"], seen["keys_total"], seen["indexes_total"]) == (6, 6, 0)
    assert seen["rows_done"] <= seen["rows_total"] <= 8400  # as far as the source has statistics
    assert sorted(work["worker"] for work in seen["current"]) == [1, 2]
    for work in seen["current"]:
        assert work["kind"] in ("table", "key") and work["database"] == "progress" and "bulk_" in work["label"]
        assert 0 <= work["seconds"] < 30 and work["since"].startswith("20")
    assert any(0 < work["bytes_done"] <= work["bytes_total"] for work in seen["current"])
    # A throttle holds from above; from below it is the machine that decides.
    assert 0 < seen["recent_bytes_per_second"] < 1.5 * RATE
    left = seen["seconds_left"]
    wait_for(lambda: one.engine() is None, "the end")
    took = time.time() - asked
    assert took / 4 - 1 <= left <= took * 4 + 2, f"{left} s were announced, {took:.1f} s it took"
    ended = one.module("migration_info").good()["migration"]
    assert ended["current"] == [] and ended["seconds_left"] is None and ended["recent_bytes_per_second"] is None
    assert (ended["keys_done"], ended["tables_done"], ended["rows_done"]) == (6, 6, 8400)
    # The journal knows who did what and when.
    spans = one.journal("SELECT worker, unit, started, finished, outcome FROM span WHERE kind IN ('table', 'key')")
    assert {worker for worker, *_rest in spans} == {1, 2} and {outcome for *_rest, outcome in spans} == {"done"}
    for number in (1, 2):
        mine = sorted((begun, ended) for worker, _unit, begun, ended, _outcome in spans if worker == number)
        assert all(before[1] <= after[0] for before, after in zip(mine, mine[1:])), "two units at once on one worker"
    assert one.journal("SELECT count(*) FROM unit WHERE state <> 'done'") == [(0,)]
    samples = one.journal("SELECT at, bytes FROM sample ORDER BY at")
    assert len(samples) >= 4 and samples == sorted(samples, key=lambda sample: sample[1])


def test_lines_are_few_and_short_and_none_in_check_mode(migration):
    one = migration("lines", "seed_bulk")
    one.provision()
    checked = one.play("migrate", "--check", azpg_max_bytes_per_second=RATE).good()
    assert not LINE.search(checked.output) and "estimate:" not in checked.output
    begun = time.monotonic()
    output = one.play("migrate", azpg_max_bytes_per_second=RATE, azpg_poll_interval=1).good().output
    seconds = time.monotonic() - begun
    shown = LINE.findall(output)
    assert 1 <= len(shown) <= seconds / 5 + 2, shown
    assert any(re.search(r"\d+(\.\d+)? [kM]B/s .* left$", line) for line in shown), shown
    work = re.findall(r"^\[lines\]   at work: .*1 copy app\.bulk_\d.*, 2 copy app\.bulk_\d.*$", output, re.MULTILINE)
    assert work
    assert re.search(r"^\[lines\] estimate: .* for .*; disk: target .*$", output, re.MULTILINE)
    mine = [line for line in output.splitlines() if line.startswith("[lines]")]
    assert max(len(line.encode()) for line in mine) <= 220
