# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verification page in a real browser: no errors, nothing loaded, readable on a phone, and its verdict in colour."""

from __future__ import annotations

import re
import subprocess

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._verify.report import write_report
from ansible_collections.azpg.migrate.plugins.module_utils._verify.run import verify
from looking import DESK, PHONE, SMALL, WIDE, keep
from picture import Picture, contrast

from tools.lab import dataset
from tools.lab.binaries import CACHE, obtain
from tools.lab.cluster import Cluster

PASSWORD = "shows a page"
VERDICTS = ("MATCH", "MISMATCH", "INCOMPLETE")

# What is done to the target before each verification but the first.
SPOIL = {
    "MISMATCH": "SET session_replication_role = replica; DELETE FROM public.no_key WHERE ctid = (SELECT min(ctid) FROM "
    "public.no_key); UPDATE app.customers SET name = name || ' ' WHERE id IN (SELECT id FROM app.customers ORDER BY id LIMIT 3); "
    "DROP INDEX app.customers_tags_idx; COMMENT ON TABLE app.customers IS 'another'; ALTER TABLE app.products ALTER COLUMN "
    "retired SET DEFAULT true; SELECT setval('app.ticket_number', 5000, false)",
    "INCOMPLETE": "ALTER TABLE crm.people OWNER TO postgres; REVOKE ALL ON crm.people FROM PUBLIC, mig, app_owner, app_write, app_read",
}

BANNER = """
(() => {
  const header = document.querySelector('header'), box = header.getBoundingClientRect();
  const colour = item => getComputedStyle(item).color.match(/[0-9]+/g).slice(0, 3).map(Number);
  return {
    left: box.left, top: box.top, right: box.right, bottom: box.bottom, border: parseFloat(getComputedStyle(header).borderLeftWidth),
    words: header.innerText, texts: [...header.querySelectorAll('h1, .word, .why, .over')].map(colour),
  };
})()
"""


@pytest.fixture(scope="session")
def pages(chromium, tmp_path_factory):
    """The pages of real verifications: {verdict: path}."""
    directory = tmp_path_factory.mktemp("page")
    clusters = [Cluster(obtain(major, CACHE), directory / side) for side, major in (("source", 14), ("target", 17))]
    with clusters[0] as source, clusters[1] as target:
        dataset.load(source, 0.01)
        dataset.create_roles(target)
        dataset.create_source_user(source, "mig", PASSWORD)
        dataset.create_target_user(target, "mig", PASSWORD)
        target.psql("GRANT app_owner, billing_owner, app_write TO mig")
        for name in dataset.DATABASES:
            archive = str(directory / f"{name}.dump")
            with source.environment(dbname=name) as environment:
                subprocess.run(
                    [target.prefix / "bin" / "pg_dump", "-Fc", "-C", "-f", archive], env=environment, check=True
                )
            with target.environment() as environment:
                command = [target.prefix / "bin" / "pg_restore", "-C", "-d", "postgres", archive]
                subprocess.run(command, env=environment, check=True)
            target.psql("ANALYZE", dbname=name)
        ends = []
        for cluster in (source, target):
            words = cluster.connection("mig", PASSWORD)
            words.pop("dbname")
            ends.append(words)
        request = Request.create("shop", *ends, list(dataset.DATABASES))
        made = {"MATCH": verify(request)}
        target.psql(SPOIL["MISMATCH"], dbname="shop")
        made["MISMATCH"] = verify(request)
        # Of a database without differences; only a right is missing.
        target.psql(
            "ALTER TABLE billing.invoices OWNER TO postgres; REVOKE ALL ON billing.invoices FROM PUBLIC",
            dbname="billing",
        )
        made["INCOMPLETE"] = verify(Request.create("shop", *ends, ["billing"]))
        found = {}
        for verdict, report in made.items():
            assert report["verdict"] == verdict, f"{report['verdict']}: {report['reason']}"
            write_report(report, str(directory / verdict))
            found[verdict] = directory / verdict / "verification.html"
        yield found


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_banner_shows_the_verdict(browser, pages, verdict, dark):
    browser.show(pages[verdict], width=DESK[0], height=DESK[1], dark=dark)
    data = browser.picture()
    keep(f"{verdict.lower()}-{'dark' if dark else 'light'}", data)
    picture, banner = Picture(data), browser.evaluate(BANNER)
    assert (picture.width, picture.height) == DESK
    assert re.search(rf"\b{verdict}\b", banner["words"]), banner["words"]
    middle = (banner["top"] + banner["bottom"]) / 2
    edge = picture.at(banner["left"] + banner["border"] / 2, middle)
    ground = picture.at(banner["right"] - 12, middle)
    for red, green, blue in (edge, ground):
        if verdict == "MATCH":
            assert green > red and green > blue, (edge, ground)
        elif verdict == "MISMATCH":
            assert red > green and red > blue, (edge, ground)
        else:
            assert red > blue and green > blue, (edge, ground)  # amber
    assert contrast(edge, picture.at(2, 2)) >= 3, "the banner's edge does not stand out"
    for colour in banner["texts"]:
        assert contrast(tuple(colour), ground) >= 4.5, (colour, ground)


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_goes_wrong_and_nothing_is_loaded(browser, pages, verdict, size):
    browser.show(pages[verdict], width=size[0], height=size[1])
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_phone_shows_all_of_it(browser, pages, verdict):
    browser.show(pages[verdict], width=PHONE[0], height=PHONE[1])
    keep(f"{verdict.lower()}-phone", browser.picture())
    browser.evaluate("document.querySelectorAll('details').forEach(item => { item.open = true })")
    found = browser.evaluate(WIDE)
    assert found["limit"] == PHONE[0], "the page asks for a window that is wider than the phone"
    assert found["width"] <= PHONE[0] and found["wide"] == [], found
    sizes = browser.evaluate(SMALL)
    assert len(sizes) > 50 and min(sizes) >= 11, f"text of {min(sizes)} pixels"


# The bars of the parts: where their scale begins and ends, and what is drawn on it.
PARTS = """
(() => {
  const section = [...document.querySelectorAll('section')].find(item => item.innerText.startsWith('Where the time went'));
  section.scrollIntoView();
  return [...section.querySelectorAll('.part svg')].map(item => {
    const scale = item.getBoundingClientRect(), bars = [...item.querySelectorAll('rect')].map(bar => {
      const box = bar.getBoundingClientRect();
      return {left: box.left, right: box.right, colour: getComputedStyle(bar).fill.match(/[0-9]+/g).slice(0, 3).map(Number)};
    });
    return {words: item.getAttribute('aria-label'), left: scale.left, right: scale.right, top: scale.top,
            bottom: scale.bottom, bars};
  });
})()
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_time_is_shown_as_a_picture_part_by_part(browser, pages, size, dark):
    browser.show(pages["MISMATCH"], width=size[0], height=size[1], dark=dark)
    parts = browser.evaluate(PARTS)
    data = browser.picture()
    keep(f"timings-{'phone' if size == PHONE else 'desk'}-{'dark' if dark else 'light'}", data)
    picture = Picture(data)
    words = [part["words"].rpartition(":")[0] for part in parts]
    assert words[:2] == ["connecting, snapshots", "definitions"] and words.count("rows, source") == 2
    assert words.index("rows, target") == words.index("rows, source") + 1
    assert len({(part["left"], part["right"]) for part in parts}) == 1, "one scale for all"
    assert all(above["bottom"] <= below["top"] for above, below in zip(parts, parts[1:]))
    for part in parts:
        assert part["bars"] and all(
            part["left"] <= stripe["left"] < stripe["right"] <= part["right"] + 1 for stripe in part["bars"]
        )
    # One database after the other, from left to right, and what is said to be drawn is drawn.
    begins = [part["bars"][0]["left"] for part in parts]
    assert begins == sorted(begins)
    first = parts[0]
    drawn = picture.at((first["bars"][0]["left"] + first["bars"][0]["right"]) / 2, (first["top"] + first["bottom"]) / 2)
    assert drawn == tuple(first["bars"][0]["colour"])
    ground = picture.at(first["right"] - 6, (first["top"] + first["bottom"]) / 2)
    colours = {tuple(stripe["colour"]) for part in parts for stripe in part["bars"]}
    assert len(colours) == 4 and all(contrast(colour, ground) >= 3 for colour in colours), (colours, ground)


def test_a_page_that_is_wrong_is_noticed(browser, pages, tmp_path):
    """The checks above would see an error, a foreign address and an overflow."""
    text = pages["MATCH"].read_text(encoding="utf-8")
    spoilt = tmp_path / "spoilt.html"
    text = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    spoilt.write_text(
        text.replace("</body>", '<img src="missing.png"><p style="width:900px">x</p><script>nothing()</script></body>'),
        encoding="utf-8",
    )
    browser.show(spoilt, width=PHONE[0], height=PHONE[1])
    assert any("exception" in item for item in browser.complaints())
    assert any(address.endswith("missing.png") for address in browser.requests())
    assert browser.evaluate(WIDE)["width"] >= 900
