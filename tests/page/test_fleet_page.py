# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a fleet in a real browser: no errors, nothing loaded, readable on a phone, filtered by a tap and by keys."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.filter.fleet import fleet_page
from ansible_collections.azpg.migrate.plugins.module_utils._core.fleet_page import FILTERS
from looking import DESK, PHONE, SMALL, WIDE, keep
from picture import Picture, contrast

SHOWN = """
[...document.querySelectorAll('tbody tr')].filter(item => getComputedStyle(item).display !== 'none')
  .map(item => item.querySelector('.name').innerText)
"""
CHIPS = """
[...document.querySelectorAll('.chips label')].map(item => {
  const box = item.getBoundingClientRect();
  return {word: item.htmlFor, count: Number(item.querySelector('b').innerText), height: box.height, width: box.width,
          colour: getComputedStyle(item).color.match(/[0-9]+/g).slice(0, 3).map(Number), x: box.x, y: box.y};
})
"""
STATES = (
    ("decommissioned", "MATCH"),
    ("decommissioned", "MATCH"),
    ("completed", "MATCH"),
    ("completed", ""),
    ("completed", "MISMATCH"),
    ("running", ""),
    ("absent", ""),
    ("failed", ""),
    ("interrupted", ""),
    ("replicating", ""),
)


def entry(number: int) -> dict:
    """Return what the role gathers of one of many migrations."""
    state, verdict = STATES[number % len(STATES)]
    total = 10 ** (6 + number % 7) * (number + 1)
    progress = {
        "state": state,
        "bytes_total": None if state == "absent" else total,
        "bytes_done": total // 3,
        "tables_total": 10 + number,
        "rows_done": total // 100,
        "elapsed_seconds": 37 * number,
        "seconds_left": 61 * number if state == "running" else None,
        "error": {"msg": "relation app.invoices: disk full", "hint": "Give the target room and run again."}
        if state == "failed"
        else None,
        "warnings": ["one"] * (number % 3),
    }
    return {
        "name": f"migration-{number:02d}",
        "host": f"migration-{number:02d}",
        "source": {"host": f"10.20.{number}.4", "port": 5432},
        "target": {"host": f"a-rather-long-name-of-a-server-{number}.postgres.database.azure.com"},
        "databases": [f"database_{number}", "billing"],
        "migration": {"state": state, "migration": progress},
        "verification": {"verification": {"verdict": verdict, "reason": "3 rows differ in app.orders."}}
        if verdict
        else {},
        "pages": ["verification.html", "timeline.html"] if verdict else [],
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of 50 migrations, one of which cannot be reached."""
    gone = {"unreachable": True, "msg": "Failed to connect to the host via ssh: connection timed out"}
    entries = [*map(entry, range(49)), {"name": "gone", "host": "gone", "migration": gone, "verification": gone}]
    path = tmp_path_factory.mktemp("fleet") / "fleet.html"
    path.write_text(fleet_page(entries), encoding="utf-8")
    return path


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_goes_wrong_and_everything_fits(browser, page, size, dark):
    browser.show(page, width=size[0], height=size[1], dark=dark)
    keep(f"fleet-{'phone' if size is PHONE else 'desk'}-{'dark' if dark else 'light'}", browser.picture())
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.evaluate("document.scripts.length") == 0
    found = browser.evaluate(WIDE)
    assert found["limit"] == size[0]
    assert found["width"] <= size[0] and found["wide"] == [], found
    sizes = browser.evaluate(SMALL)
    assert len(sizes) > 300 and min(sizes) >= 11
    assert len(browser.evaluate(SHOWN)) == 50
    assert browser.evaluate(SHOWN)[0] == "gone"


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_tap_chooses_what_is_shown(browser, page, size):
    browser.show(page, width=size[0], height=size[1])
    chips = browser.evaluate(CHIPS)
    assert [chip["word"] for chip in chips] == [f"f-{word}" for word, _name, _shows in FILTERS]
    ground = Picture(browser.picture()).at(2, 2)
    for chip in chips:
        assert chip["height"] >= 32 and chip["width"] >= 44, "too small for a thumb"
        assert contrast(tuple(chip["colour"]), ground) >= 4.5
        browser.evaluate(f"document.querySelector('label[for={chip['word']}]').click()")
        shown = browser.evaluate(SHOWN)
        assert len(shown) == chip["count"]
    # The last one shows what is over, and a picture of that is kept.
    keep(f"fleet-over-{'phone' if size is PHONE else 'desk'}", browser.picture())
    assert len(shown) == 10
    browser.evaluate("document.querySelector('label[for=f-attention]').click()")
    assert "gone" in browser.evaluate(SHOWN) and "migration-00" not in browser.evaluate(SHOWN)
    browser.evaluate("document.querySelector('.chips').scrollIntoView()")
    keep(f"fleet-attention-{'phone' if size is PHONE else 'desk'}", browser.picture())


def test_keys_choose_too(browser, page):
    browser.show(page, width=DESK[0], height=DESK[1])
    browser.evaluate("document.getElementById('f-all').focus()")
    for kind in ("rawKeyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
    assert browser.evaluate("document.activeElement.id") == "f-attention"
    assert 0 < len(browser.evaluate(SHOWN)) < 50
