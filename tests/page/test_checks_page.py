# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the checks in a real browser: no errors, nothing loaded, readable on a phone, its light in colour, its commands."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks.page import render
from ansible_collections.azpg.migrate.plugins.module_utils._checks.report import to_json
from ansible_collections.azpg.migrate.plugins.module_utils._checks.run import run_checks
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from looking import DESK, PHONE, SMALL, WIDE, keep
from picture import Picture, contrast

from tools.lab import dataset
from tools.lab.binaries import CACHE, obtain
from tools.lab.cluster import Cluster

PASSWORD = "looks at a page"
LIGHTS = {"red": "Not ready to begin", "amber": "Ready, with reservations", "green": "Ready to begin"}
ESTIMATE = {
    "seconds": 4000,
    "seconds_low": 2200,
    "seconds_high": 7200,
    "bytes": 120_000_000_000,
    "target_disk_bytes": 150_000_000_000,
    "runtime_disk_bytes": 40_000_000,
    "basis": ["the catalogue", "a sample"],
}
# Names as people give them, which must not become part of the page's own text.
SPOIL = """
CREATE SCHEMA closed AUTHORIZATION app_owner; CREATE TABLE closed."<b>x</b>" (id int PRIMARY KEY);
CREATE TABLE closed."a & b" (t text); ALTER TABLE closed."a & b" OWNER TO app_owner;
ALTER TABLE closed."<b>x</b>" OWNER TO app_owner; CREATE EXTENSION pageinspect;
ALTER TABLE app.customers ENABLE ROW LEVEL SECURITY; ALTER TABLE app.customers FORCE ROW LEVEL SECURITY;
SELECT lo_create(4711); ALTER ROLE mig NOBYPASSRLS; REVOKE ALL ON closed."<b>x</b>" FROM app_owner
"""

BANNER = """
(() => {
  const header = document.querySelector('header'), box = header.getBoundingClientRect();
  const colour = item => getComputedStyle(item).color.match(/[0-9]+/g).slice(0, 3).map(Number);
  const lights = [...header.querySelectorAll('.lights li')].map(item => {
    const place = item.getBoundingClientRect();
    return {on: item.className, x: place.left + place.width / 2, y: place.top + place.height / 2};
  });
  return {
    right: box.right, middle: (box.top + box.bottom) / 2, words: header.innerText, lights,
    texts: [...header.querySelectorAll('h1, .word, .why, .over')].map(colour),
  };
})()
"""


@pytest.fixture(scope="module")
def pages(chromium, tmp_path_factory):
    """The pages of real checks: {light: path}."""
    directory = tmp_path_factory.mktemp("checks")
    clusters = [Cluster(obtain(major, CACHE), directory / side) for side, major in (("source", 14), ("target", 17))]
    with clusters[0] as source, clusters[1] as target:
        dataset.load(source, 0.01)
        dataset.create_roles(target)
        dataset.create_source_user(source, "mig", PASSWORD)
        dataset.create_target_user(target, "mig", PASSWORD)
        ends = []
        for cluster in (source, target):
            words = cluster.connection("mig", PASSWORD)
            words.pop("dbname")
            ends.append(words)
        request = Request.create("shop", *ends, list(dataset.DATABASES))
        found = {}

        def look(light: str, **words) -> None:
            layout = Layout.create("shop", str(directory / "state"))
            findings = run_checks(
                request, layout, bin_directory=str(target.prefix / "bin"), estimator=lambda: ESTIMATE, **words
            )
            path = directory / f"{light}.html"
            path.write_text(render(to_json(request, findings, estimate=ESTIMATE, seconds=3.2)), encoding="utf-8")
            found[light] = path

        accepted = [{"rule": "superuser-owned-objects", "reason": "known", "until": "2999-12-31"}]
        look("amber", severities={"*": "warning"})
        look("green", only=["source-reachable", "target-reachable", "database-size", "*-version", "disk-needed"])
        source.psql(SPOIL, dbname="shop")
        look("red", accept=accepted)
        yield found


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_traffic_light_shows_what_it_says(browser, pages, light, dark):
    browser.show(pages[light], width=DESK[0], height=DESK[1], dark=dark)
    data = browser.picture()
    keep(f"checks-{light}-{'dark' if dark else 'light'}", data)
    picture, banner = Picture(data), browser.evaluate(BANNER)
    assert LIGHTS[light] in banner["words"] and light.upper() in banner["words"]
    assert [item["on"] for item in banner["lights"]].count("") == 2
    (on,) = [item for item in banner["lights"] if item["on"]]
    assert on["on"] == light
    red, green, blue = picture.at(on["x"], on["y"])
    if light == "red":
        assert red > green and red > blue
    elif light == "green":
        assert green > red and green > blue
    else:
        assert red > blue and green > blue
    ground = picture.at(banner["right"] - 12, banner["middle"])
    for colour in banner["texts"]:
        assert contrast(tuple(colour), ground) >= 4.5, (colour, ground)


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_goes_wrong_and_nothing_is_loaded(browser, pages, light, size):
    browser.show(pages[light], width=size[0], height=size[1])
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("light", LIGHTS)
def test_a_phone_shows_all_of_it(browser, pages, light):
    browser.show(pages[light], width=PHONE[0], height=PHONE[1])
    keep(f"checks-{light}-phone", browser.picture())
    browser.evaluate("document.querySelectorAll('details').forEach(item => { item.open = true })")
    found = browser.evaluate(WIDE)
    assert found["limit"] == PHONE[0] and found["width"] <= PHONE[0] and found["wide"] == [], found
    assert min(browser.evaluate(SMALL)) >= 11


def test_who_has_to_do_what_with_which_command(browser, pages):
    browser.show(pages["red"], width=DESK[0], height=DESK[1])
    steps = browser.evaluate(
        "[...document.querySelectorAll('.steps > li.bad')].map(item => ({who: item.querySelector('.who b').innerText,"
        " words: item.innerText, commands: [...item.querySelectorAll('code')].map(code => code.innerText)}))"
    )
    assert len(steps) >= 3
    commands = [command for step in steps for command in step["commands"]]
    assert 'ALTER ROLE "mig" BYPASSRLS;' in commands
    assert any(command.startswith("GRANT SELECT ON TABLE") and '"<b>x</b>"' in command for command in commands)
    assert {step["who"] for step in steps} == {"Database administrator"}
    assert browser.evaluate("document.querySelectorAll('main b').length") > 10
    assert browser.evaluate("[...document.querySelectorAll('b')].some(item => item.innerText === 'x')") is False
