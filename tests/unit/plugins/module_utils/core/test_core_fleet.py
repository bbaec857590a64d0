# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many migrations at one glance: rows, lines and the page."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.azpg.migrate.plugins.filter.fleet import FilterModule, fleet_page
from ansible_collections.azpg.migrate.plugins.module_utils._core import fleet, status
from ansible_collections.azpg.migrate.plugins.module_utils._core.fleet_page import FILTERS, render

MARKUP = '<script>alert("x")</script> & <b>'


def entry(name: str = "shop", state: str = "completed", verdict: str = "MATCH", **progress) -> dict:
    """Return what the role would hand over."""
    return {
        "name": name,
        "host": name,
        "source": {"host": "10.0.0.4", "port": 5433},
        "target": {"host": "target.example.org"},
        "databases": ["shop", "billing"],
        "migration": {"state": state, "migration": {"state": state, "bytes_total": 232_000_000, **progress}},
        "verification": {"verification": {"verdict": verdict, "reason": "There is one."} if verdict else {}},
        "pages": ["verification.html"],
    }


def unreachable(name: str) -> dict:
    """Return what the role would hand over when the host does not answer."""
    nothing = {"unreachable": True, "msg": f"Failed to connect to {name}."}
    return {"name": name, "host": name, "migration": nothing, "verification": nothing}


def test_a_row_says_what_the_modules_said():
    row = fleet.row_of(entry(elapsed_seconds=56, rows_done=1000, warnings=["one"]))
    assert (row.state, row.verdict, row.bytes_total, row.elapsed, row.warnings) == (
        "completed",
        "MATCH",
        232_000_000,
        56,
        1,
    )
    assert (row.source, row.target) == ("10.0.0.4:5433", "target.example.org")
    assert row.share == 1.0 and not row.attention


@pytest.mark.parametrize("state", sorted(fleet.ORDER))
def test_every_state_has_its_place_and_its_colour(state):
    found = entry(state=state, verdict="")
    if state == fleet.UNREACHABLE:
        found = unreachable("shop")
    elif state == fleet.UNKNOWN:
        found["migration"] = {"failed": True, "msg": "Python is too old."}
    row = fleet.row_of(found)
    assert row.state == state
    assert fleet.counts([row]) == {state: 1}
    assert f">{state}</span>" in render([row], "now")


def test_every_state_of_a_migration_is_known_here():
    words = {value for name, value in vars(status).items() if name.isupper() and isinstance(value, str)}
    assert words | {fleet.UNREACHABLE, fleet.UNKNOWN} == set(fleet.ORDER)


def test_who_needs_somebody_comes_first():
    names = ["done", "differs", "failed", "runs", "gone"]
    rows = [
        fleet.row_of(one)
        for one in (
            entry("done"),
            entry("differs", verdict="MISMATCH"),
            entry("failed", "failed", ""),
            entry("runs", "running", ""),
            unreachable("gone"),
        )
    ]
    assert [row.name for row in rows] == names
    assert [row.name for row in fleet.ordered(rows)] == ["gone", "failed", "differs", "runs", "done"]


def test_a_failure_is_told_in_its_own_words():
    error = {"msg": "The target is full.", "hint": "Give it room."}
    assert fleet.row_of(entry(state="failed", verdict="", error=error)).note == "The target is full. Give it room."
    assert fleet.row_of(entry(verdict="MISMATCH")).note == "There is one."
    assert fleet.row_of(unreachable("gone")).note == "Failed to connect to gone."
    # A migration that has not been verified yet has no report: nothing is the matter.
    assert fleet.row_of({**entry(verdict=""), "verification": {"failed": True, "msg": "No report."}}).note == ""


def test_lines_are_short_whatever_is_in_them():
    error = {"msg": "x" * 5000 + "\n" + "y" * 5000, "hint": ""}
    found = [entry("n" * 63, "failed", "MISMATCH", error=error, elapsed_seconds=86400, warnings=["w"] * 500)]
    (line,) = FilterModule().filters()["fleet_lines"](found)
    assert len(line) <= 160 and "\n" not in line and line.startswith("n" * 20)


def test_a_running_migration_says_how_much_is_left():
    row = fleet.row_of(entry(state="running", verdict="", bytes_done=58_000_000, elapsed_seconds=20, seconds_left=75))
    assert fleet.line_of(row) == "shop: running, 25% of 232 MB, 20 s, 1 min 15 s left"


def test_the_summary_counts_all():
    found = [entry("a"), entry("b", "running", ""), unreachable("c")]
    summary = FilterModule().filters()["fleet_summary"](found)
    assert summary == "3 migrations: 1 unreachable, 1 running, 1 completed; 1 proven equal; 464 MB"
    assert FilterModule().filters()["fleet_summary"]([]) == "0 migrations: none; 0 proven equal; 0 B"


def test_everything_on_the_page_is_escaped():
    found = entry(MARKUP, "failed", MARKUP, error={"msg": MARKUP, "hint": MARKUP})
    found.update(host=MARKUP, source={"host": MARKUP}, target={"service": MARKUP}, databases=[MARKUP])
    page = fleet_page([found, {**unreachable("gone"), "migration": {"unreachable": True, "msg": MARKUP}}])
    assert "<script" not in page and MARKUP not in page
    assert page.count("&lt;script&gt;") >= 7
    assert "style=" not in page.replace("stylesheet", "")
    # A link leads to the migration's own folder and nowhere else.
    assert all(link.startswith(("%3C", "data:")) for link in re.findall(r'href="([^"]*)"', page))


def test_each_filter_shows_what_it_counts():
    found = [
        entry("a"),
        entry("b", "running", ""),
        entry("c", "completed", ""),
        entry("d", "decommissioned"),
        unreachable("e"),
    ]
    page = fleet_page(found)
    for word, name, _shows in FILTERS:
        label = re.search(rf'<label for="f-{word}">{name} <b>(\d+)</b>', page)
        rows = re.findall(rf'<tr class="[^"]*\b{word}\b[^"]*"><td>', page)
        assert len(rows) == int(label[1])
        assert f"#f-{word}:checked~section tbody tr:not(.{word})" in page


@pytest.mark.parametrize("given", ["text", {"a": 1}, [1, 2], None])
def test_anything_but_a_list_of_dictionaries_is_refused(given):
    with pytest.raises(AnsibleFilterError, match="one for each migration"):
        fleet_page(given)
