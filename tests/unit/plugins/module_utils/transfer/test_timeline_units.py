# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline's figures, what they say of the bottleneck, the time left, and the page."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import timeline_page
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.bottleneck import CAUSES, findings, verdict
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.journal import Journal, open_reader
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.time_left import seconds_left
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.timeline import read_timeline
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.timeline_style import STYLE

REQUEST = Request.create("shop", {"host": "<a>"}, {"host": "b"}, ["shop"])
MEGA = 1_000_000


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(seconds=1_000_000.0)
    clock.time = lambda: clock.seconds
    for name in ("journal", "trace", "progress"):
        monkeypatch.setattr(f"ansible_collections.azpg.migrate.plugins.module_utils._transfer.{name}.time", clock)
    return clock


@pytest.fixture
def journal(tmp_path, clock):
    journal = Journal(str(tmp_path / "journal.sqlite"))
    journal.path = str(tmp_path / "journal.sqlite")
    journal.set(state="running", started_at="1970-01-12T13:46:40Z", jobs=2)
    journal.begin_run(2)
    journal.database("shop", "running")
    yield journal
    journal.close()


def work(journal, clock, worker: int, unit: str, kind: str, seconds: float, works: float = 0, units: int = 1) -> None:
    """Let one worker do one unit."""
    size = 10 * MEGA if kind == "table" else 0
    journal.plan("shop", [(unit, kind, unit, size, works)])
    journal.begin_span("shop", worker, unit, kind, unit, units, size, works)
    journal.started("shop", unit)
    clock.seconds += seconds
    journal.end_span(worker, "done", 5, 9 * MEGA)
    journal.finished("shop", {unit: (5, 9 * MEGA)})


def test_time_without_work_is_shared_out_exactly(journal, clock):
    clock.seconds += 1  # nobody works
    journal.begin_span("shop", 2, "b", "table", "b", 0, 0)
    work(journal, clock, 1, "a", "table", 2)  # both work for two seconds
    clock.seconds += 3  # the second one alone
    journal.end_span(2, "done")
    journal.end_run("completed", 1.5)
    found = read_timeline(journal.path)
    assert found["seconds"] == pytest.approx(6)
    assert found["worker_seconds"] == pytest.approx(7)
    assert found["idle_seconds"] == pytest.approx(3)
    assert found["single_seconds"] == pytest.approx(2)
    assert {span["unit"]: span["alone"] for span in found["spans"]} == {"a": 0, "b": pytest.approx(3)}
    told = findings(found)
    assert sum(item["seconds"] for item in told) == pytest.approx(5)  # 12 less the 7 that nobody looked at
    assert told[0]["cause"] == "critical" and "shop b" in told[0]["advice"]


def test_pauses_between_runs_are_left_out_and_open_work_ends_with_its_run(journal, clock):
    journal.begin_span("shop", 1, "a", "table", "a", 0, 0)
    clock.seconds += 4
    journal.sample(1, 0.5)
    clock.seconds += 10000  # killed, and begun again much later
    journal.begin_run(2)
    work(journal, clock, 1, "b", "table", 2)
    journal.end_run("completed")
    found = read_timeline(journal.path)
    assert [(run["start"], run["seconds"], run["state"]) for run in found["runs"]] == [
        (0, pytest.approx(4), "interrupted"),
        (pytest.approx(4), pytest.approx(2), "completed"),
    ]
    assert [(span["unit"], span["outcome"], span["seconds"]) for span in found["spans"]] == [
        ("a", "interrupted", pytest.approx(4)),
        ("b", "done", pytest.approx(2)),
    ]


def test_what_was_observed_is_what_is_told(journal, clock):
    work(journal, clock, 1, "a", "table", 10)
    journal.observe({"target_cpu": 6.0, "between": 2.0, "samples": 1}, {("target", "index", "", ""): 6})
    assert verdict(read_timeline(journal.path)).startswith("Too short to tell")
    journal.observe({"target_cpu": 6.0, "between": 2.0, "samples": 9}, {("target", "index", "", ""): 6})
    journal.end_run("completed")
    found = read_timeline(journal.path)
    told = {item["cause"]: item for item in findings(found)}
    assert told["target_cpu"]["share"] == pytest.approx(0.375)  # of twenty seconds ten were work, three quarters of it
    assert told["critical"]["share"] == pytest.approx(0.5)
    assert "12 of 16 observations of busy workers" in told["target_cpu"]["figures"]
    assert "maintenance_work_mem" in told["target_cpu"]["advice"]
    assert sum(item["share"] for item in told.values()) == pytest.approx(1)
    journal.set(max_bytes_per_second=5 * MEGA)
    told = {item["cause"]: item for item in findings(read_timeline(journal.path))}
    assert "between" not in told and "the limit was 5.0 MB/s" in told["limit"]["figures"]


def test_every_cause_has_a_colour():
    for cause in CAUSES:
        assert f".c-{cause}{{" in STYLE or f".c-{cause}," in STYLE, cause
    for kind in timeline_page.KINDS:
        assert f".k-{kind}{{" in STYLE, kind


def left(journal, clock) -> float:
    with open_reader(journal.path) as connection:
        return seconds_left(connection, 2, clock.seconds)


def test_time_left_counts_what_comes_after_the_tables(journal, clock):
    journal.plan(
        "shop",
        [
            ("b", "table", "b", 20 * MEGA, 20 * MEGA),
            ("INDEX:x", "key", "x", 0, 40 * MEGA),
            ("f", "foreign_key", "f", 0, 10 * MEGA),
        ],
    )
    work(journal, clock, 1, "a", "table", 5, 10 * MEGA)  # half a second per million
    # Nothing is known of indexes, so they are thought of as copies: 70 million by two workers, 40 million at the least.
    assert left(journal, clock) == pytest.approx(20)
    work(journal, clock, 1, "INDEX:y", "key", 1, 10 * MEGA)  # ... until one has been built
    pace = 6 / 20
    assert left(journal, clock) == pytest.approx(max((20 * 0.5 + 40 * 0.1 + 10 * pace) / 2, 20 * 0.5))


def test_time_left_counts_databases_that_have_not_been_begun(journal, clock):
    work(journal, clock, 1, "a", "table", 5, 10 * MEGA)
    assert left(journal, clock) == 0
    journal.database("billing", "pending")
    journal.expect("billing", {"table": (3, 10, 20 * MEGA), "index": (2, None, 20 * MEGA)})
    assert left(journal, clock) == pytest.approx(10)


def test_time_left_of_a_table_that_is_being_copied(journal, clock):
    journal.plan("shop", [("a", "table", "a", 10 * MEGA, 10 * MEGA)])
    journal.begin_span("shop", 1, "a", "table", "a", 1, 10 * MEGA, 10 * MEGA)
    journal.started("shop", "a")
    clock.seconds += 6
    journal.progress("shop", "a", 6 * MEGA)
    assert left(journal, clock) == pytest.approx(4)


def test_page_escapes_all_that_it_shows(journal, clock):
    journal.set(error={"msg": "<b>no</b>", "hint": "&"}, state="failed")
    journal.begin_span("shop", 1, "u", "table", '"<script>x</script>', 1, 5)
    clock.seconds += 1
    journal.end_run("failed")
    text = timeline_page.render(read_timeline(journal.path), REQUEST)
    assert "<script" not in text and "<b>no" not in text and "<a>" not in text
    assert "&lt;script&gt;" in text and "&lt;a&gt;" in text and "Stopped after" in text
    assert 'class="k-table bad"' in text


def test_page_of_thousands_of_tables_stays_small(journal, clock):
    for number in range(6000):
        journal.begin_span("shop", 1 + number % 2, f"u{number}", "table", f"app.t{number}", 0, 5)
        clock.seconds += 0.01
        journal.end_span(1 + number % 2, "done", 1, 5)
    journal.end_run("completed")
    text = timeline_page.render(read_timeline(journal.path), REQUEST)
    assert len(text) < 400_000
    assert re.search(r"copy: \d+ pieces of work together", text)


def test_page_of_a_run_that_did_nothing(journal):
    journal.end_run("cancelled")
    assert "CANCELLED" in timeline_page.render({**read_timeline(journal.path), "progress": {
        **read_timeline(journal.path)["progress"], "state": "cancelled"}}, REQUEST)  # fmt: skip
