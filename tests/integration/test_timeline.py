# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline after the run: it is there however the run ends, tells the truth about what held it up, and travels."""

from __future__ import annotations

import re

from support.migrations import Migration
from support.servers import ask
from support.waiting import wait_for

RATE = 1600000
# An index that takes four seconds on the target alone, and names that would be markup.
SLOW = """
SET ROLE app_owner;
CREATE FUNCTION app.slow(given integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $body$
BEGIN
  IF given = 1 AND pg_catalog.current_setting('server_version_num')::integer >= 160000
     AND pg_catalog.current_query() NOT LIKE '%ANALYZE%' THEN
    PERFORM pg_catalog.pg_sleep(4);
  END IF;
  RETURN given;
END $body$;
CREATE TABLE app."<script>alert(1)</script>&" (id integer, note text);
ALTER TABLE app."<script>alert(1)</script>&" ALTER note SET STORAGE EXTERNAL;
INSERT INTO app."<script>alert(1)</script>&" SELECT g, repeat(md5(g::text), 90) FROM generate_series(1, 1000) g;
CREATE INDEX the_slow_one ON app."<script>alert(1)</script>&" (app.slow(id));
"""
BROKEN = """
SET ROLE app_owner;
CREATE FUNCTION app.broken(given integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $body$
BEGIN
  IF pg_catalog.current_setting('server_version_num')::integer >= 160000 THEN
    RAISE EXCEPTION 'not here';
  END IF;
  RETURN given;
END $body$;
CREATE INDEX the_broken_one ON app.quiet (app.broken(id));
"""


def page(one: Migration) -> str:
    """Return the page, after making sure that it needs nothing and runs nothing."""
    text = (one.private / "timeline.html").read_text(encoding="utf-8")
    assert "<script" not in text and "://" not in text and " style=" not in text
    assert "Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-" in text
    return text


def shares(text: str) -> dict:
    """Return C({what held it up: per cent}) as the page has it."""
    found = re.findall(r'<b>(\d+)%</b></span><div><h3><i class="[^"]*"></i>([^<]+)</h3>', text)
    return {title: int(share) for share, title in found}


def test_timeline_names_what_everybody_waited_for_and_is_fetched_and_archived(migration):
    one = migration("slow")
    one.lab.source.psql(SLOW, dbname="slow")
    one.provision()
    one.play("migrate").good()
    text = page(one)
    assert "Moved in" in text and "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in text
    assert next(iter(shares(text))) == "One object that everybody waited for", shares(text)
    assert "Above all slow index app.the_slow_one." in text, re.findall(r"Above all [^.]*|others were idle [^<]*", text)
    assert re.search(r"others were idle for \d\.\d s while slow index app\.the_slow_one took [45]\.\d s", text)
    for kind in ("table", "key", "foreign_key", "large_objects", "statistics", "step"):
        assert f'<rect class="k-{kind}' in text, kind
    ids = set(re.findall(r'id="(s\d+)"', text))
    assert ids and set(re.findall(r'href="#(s\d+)"', text)) == ids
    found = one.module("migration_info").good()
    assert found["timeline"] == str(one.private / "timeline.html")
    assert (one.reports / "slow" / "timeline.html").read_text(encoding="utf-8") == text
    one.play("verify", "decommission").good()
    kept = one.archive / "timeline.html"
    assert kept.read_text(encoding="utf-8") == text
    assert one.module("migration_info").good()["timeline"] == str(kept)


def test_timeline_of_a_throttled_run_that_was_cancelled_and_resumed(migration):
    one = migration("throttled", "seed_bulk")
    one.provision()
    one.module("migration", wait=False, max_bytes_per_second=RATE).good()
    wait_for(lambda: one.share() >= 0.6, "more than half of it")
    assert one.module("migration", state="cancelled").good()["timeline"]
    text = page(one)
    assert "Cancelled after" in text
    assert next(iter(shares(text))).startswith("The limit"), shares(text)
    assert "the limit was 1.6 MB/s" in text
    assert one.module("migration", max_bytes_per_second=RATE * 4).good()["timeline"]
    text = page(one)
    assert "Moved in" in text and "Runs</dt><dd>2: " in text and "(cancelled)" in text
    assert '<rect class="k-prove' in text and '<rect class="break"' in text


def test_timeline_of_a_failed_run_is_fetched_too(migration):
    one = migration("broken")
    one.lab.source.psql(BROKEN, dbname="broken")
    one.provision()
    play = one.play("migrate")
    assert play.code != 0 and "not here" in play.output
    text = page(one)
    assert "Stopped after" in text and "not here" in text and " bad" in text
    assert (one.reports / "broken" / "timeline.html").read_text(encoding="utf-8") == text


def test_what_cannot_be_observed_does_not_end_a_run(migration):
    one = migration("blind")
    name = one.databases[0]
    ask(one.lab.source, "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_stat_clear_snapshot() FROM PUBLIC", name)
    result = one.migrate()
    assert result["state"] == "completed"
    assert one.journal("SELECT count(*) FROM wait") == [(0,)]
    assert "Too short to tell" in page(one)
