# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline of a real transfer in a real browser: no errors, nothing loaded, readable on a phone, told by a tap."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core import status
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._core.waiting import clock
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import runtime
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.backend import HostBackend
from looking import DESK, PHONE, SMALL, WIDE, keep
from picture import Picture, contrast

from tools.lab import dataset
from tools.lab.binaries import CACHE, obtain
from tools.lab.cluster import Cluster

USER = "migrator"
DATA = """
SET ROLE app_owner;
CREATE SCHEMA app;
DO $do$ BEGIN
  FOR n IN 1..36 LOOP
    EXECUTE format('CREATE TABLE app.table_%s (id integer PRIMARY KEY, ref integer, note text)', n);
    EXECUTE format('INSERT INTO app.table_%s SELECT g, 1 + g %% 100, repeat(md5(g::text), 4)
                      FROM generate_series(1, %s) g', n, 150000 / n);
    EXECUTE format('CREATE INDEX ON app.table_%s (note)', n);
  END LOOP;
  FOR n IN 2..8 LOOP
    EXECUTE format('ALTER TABLE app.table_%s ADD FOREIGN KEY (ref) REFERENCES app.table_1', n);
  END LOOP;
END $do$;
CREATE MATERIALIZED VIEW app.view AS SELECT count(*) FROM app.table_1;
SELECT lo_from_bytea(0, decode(repeat('ab', 5000), 'hex')) FROM generate_series(1, 50);
"""
LANES = """
[...document.querySelectorAll('.lane svg')].map(item => {
  const box = item.getBoundingClientRect();
  return {left: box.left, right: box.right, top: box.top, bottom: box.bottom, blocks: item.querySelectorAll('a').length};
})
"""
# The blocks of the kinds on the page, as they are drawn.
COLOURS = """
[...document.querySelectorAll('.legend i')].map(item => {
  const colour = getComputedStyle(item).backgroundColor.match(/[0-9]+/g).slice(0, 3).map(Number);
  return [item.className, colour];
})
"""
TIP = "[...document.querySelectorAll('.tip')].filter(item => getComputedStyle(item).display !== 'none').map(item => item.innerText)"


@pytest.fixture(scope="module")
def timeline(chromium, tmp_path_factory):
    """The page of a transfer of a few dozen tables."""
    directory = tmp_path_factory.mktemp("timeline")
    clusters = [Cluster(obtain(major, CACHE), directory / side) for side, major in (("source", 14), ("target", 17))]
    with clusters[0] as source, clusters[1] as target:
        password = secrets.token_urlsafe(12)
        dataset.create_roles(source)
        dataset.create_source_user(source, USER, password)
        dataset.create_target_user(target, USER, password)
        source.psql("CREATE DATABASE shop OWNER app_owner")
        source.psql(DATA, dbname="shop")
        ends = []
        for cluster in clusters:
            ends.append(cluster.connection(USER, password))
            ends[-1].pop("dbname")
        request = Request.create("shop", *ends, ["shop"])
        layout = Layout.create("shop", str(directory / "state"))
        programs = str(target.prefix / "bin")
        runtime.present(request, layout, programs, False)
        backend = HostBackend(request, layout, {"bin_directory": programs, "jobs": 3, "maintenance_work_mem": "64MB"})
        backend.start()
        for _elapsed in clock(120, 0.2):
            if backend.status()["state"] in status.SETTLED:
                break
        found = backend.status()
        assert found["state"] == "completed", found["error"]
        yield Path(backend.timeline())


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_goes_wrong_and_nothing_is_loaded(browser, timeline, size):
    browser.show(timeline, width=size[0], height=size[1])
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_lanes_lie_under_each_other_and_colours_can_be_told_apart(browser, timeline, dark):
    browser.show(timeline, width=DESK[0], height=2200, dark=dark)
    data = browser.picture()
    keep(f"timeline-{'dark' if dark else 'light'}", data)
    lanes = browser.evaluate(LANES)
    assert len(lanes) == 1 + 3 + 1  # the engine, the workers, the rate
    assert all(lane["blocks"] for lane in lanes[:4])
    assert {(lane["left"], lane["right"]) for lane in lanes} == {(lanes[0]["left"], lanes[0]["right"])}
    assert all(above["bottom"] <= below["top"] for above, below in zip(lanes, lanes[1:]))
    colours = [tuple(colour) for name, colour in browser.evaluate(COLOURS)]
    assert len(set(colours)) == len(colours) >= 6
    # Something is drawn in the lane of the first worker, in one of these colours.
    picture, lane = Picture(data), lanes[1]
    middle = (lane["top"] + lane["bottom"]) / 2
    drawn = {picture.at(x, middle) for x in range(int(lane["left"]) + 2, int(lane["right"]) - 2, 2)}
    assert len(drawn & set(colours)) >= 3, drawn
    card = picture.at(lanes[0]["left"] - 4, middle)
    waiting = colours[-1]
    assert all(contrast(colour, waiting) >= 1.8 and contrast(colour, card) >= 1.8 for colour in colours[:-1])


def test_a_phone_shows_all_of_it(browser, timeline):
    browser.show(timeline, width=PHONE[0], height=PHONE[1])
    keep("timeline-phone", browser.picture())
    browser.evaluate("document.querySelectorAll('details').forEach(item => { item.open = true })")
    found = browser.evaluate(WIDE)
    assert found["limit"] == PHONE[0] and found["width"] <= PHONE[0] and found["wide"] == [], found
    sizes = browser.evaluate(SMALL)
    assert len(sizes) > 50 and min(sizes) >= 11, f"text of {min(sizes)} pixels"


def test_a_tap_tells_what_a_block_was(browser, timeline):
    browser.show(timeline, width=PHONE[0], height=PHONE[1])
    assert browser.evaluate(TIP) == []
    browser.evaluate(
        "document.querySelector('.lane a rect.k-table').parentElement.dispatchEvent(new MouseEvent('click'))"
    )
    (told,) = browser.evaluate(TIP)
    assert told.startswith("copy") and " s" in told
    browser.evaluate("document.querySelector('.tip:target a').click()")
    assert browser.evaluate(TIP) == []
