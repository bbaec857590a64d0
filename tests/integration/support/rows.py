# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One database on both servers with rows of many kinds, faults in them, and words for what a report says of rows."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._verify import run

from support.servers import USER, Lab, ask, drop_database
from support.waiting import wait_for

SIDES = ("source", "target")

# No statistics are collected, so that nothing but the tests writes.
TABLES = """
SET ROLE app_owner;
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE composite (a integer, b text, c numeric, "d ""e" text, PRIMARY KEY (b, a)) WITH (autovacuum_enabled = off);
INSERT INTO composite SELECT g, E'it''s "' || g || E'" \\\\ %s; -- \\n{<b>}', g / 4.0, 'd' || g FROM generate_series(1, 300) g;
CREATE TABLE texts (id text PRIMARY KEY, n integer, m mood, when_made timestamptz DEFAULT '2026-01-01+00');
INSERT INTO texts SELECT 'k' || g, g, 'glad' FROM generate_series(1, 200) g;
CREATE TABLE parts (id bigint, region text, amount numeric(10, 2), PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE "parts B" (region text NOT NULL, amount numeric(10, 2), id bigint NOT NULL);
ALTER TABLE parts ATTACH PARTITION "parts B" FOR VALUES IN ('b');
INSERT INTO parts SELECT g, CASE WHEN g % 2 = 0 THEN 'a' ELSE 'b' END, g FROM generate_series(1, 400) g;
CREATE TABLE no_key (a integer, b text, c text);
INSERT INTO no_key SELECT g % 50, 'same', 'c' || g % 50 FROM generate_series(1, 500) g;
CREATE TABLE uniquely (code text NOT NULL, n integer, extra text);
CREATE UNIQUE INDEX ON uniquely (code) INCLUDE (extra);
CREATE UNIQUE INDEX ON uniquely (n);
INSERT INTO uniquely SELECT 'code ' || g, g FROM generate_series(1, 100) g;
CREATE TABLE many (id integer PRIMARY KEY, note text);
INSERT INTO many SELECT g, 'note ' || g FROM generate_series(1, 3000) g;
CREATE TABLE secret (email text PRIMARY KEY, pin text, plan text);
INSERT INTO secret SELECT 'person' || g || '@private.example', 'PIN-SECRET-' || g, 'free' FROM generate_series(1, 100) g;
CREATE TABLE equal (id integer PRIMARY KEY, note text);
INSERT INTO equal SELECT g, 'x' FROM generate_series(1, 100) g;
"""
FAULTS = r"""
UPDATE composite SET c = 1.75 WHERE a = 7;
UPDATE composite SET "d ""e" = NULL, c = 0 WHERE a = 8;
DELETE FROM composite WHERE a = 9;
INSERT INTO composite SELECT 1000, 'new ''one''', 1, 'x';
UPDATE texts SET m = 'sad' WHERE id = 'k5';
UPDATE texts SET when_made = when_made + interval '1 microsecond' WHERE id = 'k6';
UPDATE texts SET id = 'K7' WHERE id = 'k7';
UPDATE parts SET amount = amount + 0.01 WHERE id = 11;
DELETE FROM parts WHERE id = 12;
DELETE FROM no_key WHERE ctid = (SELECT min(ctid) FROM no_key WHERE a = 3);
INSERT INTO no_key SELECT * FROM no_key WHERE a = 4 LIMIT 2;
UPDATE no_key SET b = '' WHERE ctid = (SELECT min(ctid) FROM no_key WHERE a = 5);
UPDATE uniquely SET n = -1 WHERE code = 'code 42';
UPDATE many SET note = note || '!';
UPDATE secret SET pin = 'PIN-CHANGED-3' WHERE email = 'person3@private.example';
DELETE FROM secret WHERE email = 'person4@private.example';
"""


class Ends:
    """One database on both servers."""

    def __init__(self, lab: Lab, name: str, encoding: str = "UTF8"):
        self.lab, self.name = lab, name
        for side in SIDES:
            drop_database(self.cluster(side), name)
            ask(
                self.cluster(side),
                f"CREATE DATABASE {name} OWNER app_owner TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'",
            )

    def cluster(self, side: str):
        return getattr(self.lab, side)

    def run(self, side: str, sql: str):
        return self.cluster(side).psql(sql, dbname=self.name)

    def both(self, sql: str) -> None:
        for side in SIDES:
            self.run(side, sql)

    def rows(self, side: str, sql: str) -> list:
        return ask(self.cluster(side), sql, self.name)

    def request(self, **words) -> Request:
        ends = [self.lab.endpoint(side, **words) for side in SIDES]
        return Request.create("rows", *ends, [self.name])

    def verify(self, **options) -> dict:
        return run.verify(self.request(), **options)


@pytest.fixture(scope="module")
def servers(lab):
    lab.clean_target()
    ask(lab.target, "CREATE ROLE app_owner")
    ask(lab.target, f"GRANT app_owner TO {USER}")
    return lab


@pytest.fixture(scope="module")
def faulty(servers):
    """A database with faults of every kind in its rows on the target."""
    ends = Ends(servers, "rows_faulty")
    ends.both(TABLES)
    ends.run("target", FAULTS)
    yield ends
    for side in SIDES:
        drop_database(ends.cluster(side), ends.name)


def diff(report: dict, table: str) -> dict:
    (found,) = [item for item in report["databases"][0]["tables"] if item["name"] == f"public.{table}"]
    return found["diff"]


def told(report: dict, table: str) -> list:
    """Return what was found in a table, as plain tuples."""
    found = diff(report, table)
    assert found["error"] == "" and found["complete"], found["error"]
    return sorted((item["kind"], tuple(item["key"].values()), tuple(item["columns"])) for item in found["differences"])


def bad_tables(report: dict) -> list:
    return [item["name"] for item in report["databases"][0]["tables"] if item["verdict"] == "MISMATCH"]


def left_alone(ends: Ends, side: str) -> bool:
    """Return whether nobody is connected to the database, autovacuum apart."""
    sql = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{ends.name}' AND backend_type = 'client backend'"
    return ask(ends.cluster(side), sql) == [(0,)]


def counted(ends: Ends, side: str) -> bool:
    """Return whether the counters of the database hold all that was inserted."""
    query = "SELECT count(*) FROM ONLY {}"
    sql = "SELECT relid::regclass::text, n_tup_ins FROM pg_stat_user_tables WHERE schemaname = 'public'"
    found = dict(ends.rows(side, sql))
    return all(ends.rows(side, query.format(name)) == [(number,)] for name, number in found.items())


def carried(report: dict) -> set:
    return {item["table"] for item in report["databases"][0]["tables"] if item["carried"]}


@pytest.fixture
def calm(servers):
    ends = Ends(servers, "rows_calm")
    ends.both(TABLES)
    for side in SIDES:
        # Until 14 counters pass a process of their own.
        wait_for(lambda side=side: left_alone(ends, side) and counted(ends, side), "all rows in the counters")
    yield ends
    for side in SIDES:
        drop_database(ends.cluster(side), ends.name)
