# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that differ are named, down to their columns, without showing what they hold; samples, rechecks, other methods."""

from __future__ import annotations

import json

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._verify import drill_search, run, sample
from ansible_collections.azpg.migrate.plugins.module_utils._verify.evidence import collect
from ansible_collections.azpg.migrate.plugins.module_utils._verify.page import render
from support.rows import SIDES, Ends, bad_tables, carried, diff, told
from support.servers import drop_database


@pytest.fixture(scope="module")
def report(faulty):
    return faulty.verify(max_differences=50)


@pytest.fixture(scope="module")
def reports(faulty):
    """Give reports by C((keys, method)), each made once."""
    made = {}

    def give(keys: str, method: str) -> dict:
        if (keys, method) not in made:
            made[keys, method] = faulty.verify(max_differences=20, keys=keys, method=method)
        return made[keys, method]

    return give


def odd(number: int) -> str:
    return f'it\'s "{number}" \\ %s; -- \n{{<b>}}'


EXPECTED = {
    "composite": [
        ("changed", (odd(7), "7"), ("c",)),
        ("changed", (odd(8), "8"), ("c", 'd "e')),
        ("missing", (odd(9), "9"), ()),
        ("unexpected", ("new 'one'", "1000"), ()),
    ],
    "texts": [
        ("changed", ("k5",), ("m",)),
        ("changed", ("k6",), ("when_made",)),
        ("missing", ("k7",), ()),
        ("unexpected", ("K7",), ()),
    ],
    "parts": [("changed", ("11", "b"), ("amount",)), ("missing", ("12", "a"), ())],
    "uniquely": [("changed", ("code 42",), ("n",))],
    "secret": [
        ("changed", ("person3@private.example",), ("pin",)),
        ("missing", ("person4@private.example",), ()),
    ],
}
KINDS = {"uniquely": "unique index", "no_key": "none"}


@pytest.mark.parametrize("table", EXPECTED)
def test_rows_are_named_by_key_and_column(report, table):
    assert told(report, table) == EXPECTED[table]
    found = diff(report, table)
    assert found["key_kind"] == KINDS.get(table, "primary key")
    assert [found[word] for word in ("missing", "unexpected", "changed")] == [
        str(sum(kind == word for kind, _key, _columns in EXPECTED[table]))
        for word in ("missing", "unexpected", "changed")
    ]


def test_only_tables_that_differ_are_looked_into(report):
    entry = report["databases"][0]
    assert diff(report, "equal") is None
    leaves = [item for item in entry["tables"] if item["partition_of"]]
    assert leaves and all(item["diff"] is None for item in leaves)
    assert {item["verdict"] for item in leaves} == {"MISMATCH"}


def test_rows_without_a_key(report):
    found = diff(report, "no_key")
    assert found["key_kind"] == "none" and found["complete"]
    told = {
        (item["kind"], tuple(item["copies"]), tuple(item["columns"]), item["likely"]) for item in found["differences"]
    }
    assert told == {
        ("missing", (10, 9), (), False),
        ("unexpected", (10, 12), (), False),
        ("changed", (10, 1), ("b",), True),
    }
    assert (found["missing"], found["unexpected"]) == ("2", "3")


def test_what_is_not_listed_is_counted_and_estimated(report):
    found = diff(report, "many")
    assert found["listed"] == "50" == str(len(found["differences"])) and not found["complete"]
    assert 2000 <= int(found["estimate"]) <= 4000


@pytest.mark.parametrize("keys", ["show", "hash", "hide"])
@pytest.mark.parametrize("method", ["server", "client"])
def test_the_ready_sql_shows_the_row(faulty, reports, keys, method):
    report = reports(keys, method)
    statements = 0
    for table in (*EXPECTED, "no_key"):
        for item in diff(report, table)["differences"]:
            for side, absent in (("source", "unexpected"), ("target", "missing")):
                sql = item["sql"][side]
                if not sql:
                    assert (keys, method) != ("show", "server") and not item["place"][side]
                    continue
                statements += 1
                found = faulty.rows(side, sql)
                if table == "no_key":
                    assert found or item["place"][side] == ""
                else:
                    assert len(found) == (item["kind"] != absent), (sql, found)
    assert statements >= 20


def everything(report: dict) -> str:
    return json.dumps(report, ensure_ascii=False) + json.dumps(report) + render(report)


@pytest.mark.parametrize("method", ["server", "client"])
def test_no_value_leaves_the_servers_unless_asked(faulty, reports, method):
    text = everything(reports("show", method))
    assert "person3@private.example" in text and "PIN-" not in text
    report = faulty.verify(max_differences=20, method=method, reveal_values=True)
    values = {
        tuple(item["key"].values()): item["values"]
        for table in ("secret", "composite")
        for item in diff(report, table)["differences"]
    }
    assert values[("person3@private.example",)] == {"pin": ["PIN-SECRET-3", "PIN-CHANGED-3"]}
    assert values[(odd(8), "8")] == {"c": ["2.0000000000000000", "0"], 'd "e': ["d8", None]}
    assert "PIN-SECRET-3" in render(report) and "PIN-SECRET-4" not in everything(report)


@pytest.mark.parametrize("keys", ["hash", "hide"])
@pytest.mark.parametrize("method", ["server", "client"])
def test_keys_can_be_kept_out_of_the_report(reports, keys, method):
    report = reports(keys, method)
    text = everything(report)
    assert "private.example" not in text and "it's" not in text and "new &#x27;one" not in text and "k5" not in text
    (changed, missing) = diff(report, "secret")["differences"]
    assert changed["columns"] == ["pin"] and changed["key"] == {} and missing["kind"] == "missing"
    assert (len(changed["key_hash"]) == 16) == (keys == "hash")


def test_the_client_finds_what_the_server_finds(reports, report):
    other = reports("show", "client")
    assert other["algorithm"] != report["algorithm"] and other["totals"]["in_client"] == other["totals"]["tables"]
    for item, same in zip(report["databases"][0]["tables"], other["databases"][0]["tables"]):
        assert (item["name"], item["rows"], item["verdict"]) == (same["name"], same["rows"], same["verdict"])
    for table in EXPECTED:
        assert told(other, table) == EXPECTED[table]


@pytest.mark.parametrize("method", ["server", "client"])
def test_buckets_with_too_many_rows_are_split(faulty, monkeypatch, method):
    monkeypatch.setattr(drill_search, "MOST_ROWS", 4)
    monkeypatch.setattr(drill_search, "MOST_BUCKETS", 3)
    report = faulty.verify(method=method, max_differences=30)
    for table in EXPECTED:
        assert told(report, table) == EXPECTED[table]
    found = diff(report, "many")
    assert found["listed"] == "30" and not found["complete"] and int(found["changed"]) >= 30
    # A row that is there ten times over is one group, whatever the limit.
    assert diff(report, "no_key")["missing"] == "2"


# -- samples ------------------------------------------------------------------------------------------------------

BIG = """
SET ROLE app_owner;
CREATE TABLE big (id integer PRIMARY KEY, note text);
INSERT INTO big SELECT g, 'note ' || g FROM generate_series(1, 60000) g;
CREATE TABLE codes (code text PRIMARY KEY, note text);
INSERT INTO codes SELECT 'c' || g, 'note ' || g FROM generate_series(1, 40000) g;
CREATE TABLE little (id integer PRIMARY KEY, note text);
INSERT INTO little SELECT g, 'x' FROM generate_series(1, 100) g;
"""
# The rows of `big` whose key is in a sample of 1/64.
CHOSEN = "(pg_catalog.hash_array_extended(ARRAY[pg_catalog.int4send(id)], 77) & 63) = 0"


@pytest.fixture(scope="module")
def big(servers):
    ends = Ends(servers, "rows_big")
    ends.both(BIG)
    yield ends
    for side in SIDES:
        drop_database(ends.cluster(side), ends.name)


def test_a_sample_finds_what_is_in_it_and_the_newest_rows(big):
    report = big.verify(mode="sample", sample_fraction=0.01)
    assert report["verdict"] == "MATCH", report["reason"]
    assert report["sample"]["fraction"] == "1/64" and "sample of 1/64" in report["reason"]
    (table,) = [item for item in report["databases"][0]["tables"] if item["name"] == "public.big"]
    ((expected,),) = big.rows("source", f"SELECT count(*) FROM big WHERE {CHOSEN} OR id > 50000")
    assert table["rows"] == ["60000", "60000"] and table["sampled"] == [str(expected)] * 2
    assert 10_500 < expected < 11_100 and report["sample"]["chance_to_miss"]["100"] == "0.21"
    assert "A sample, not a proof" in render(report)

    # Ten thousand bad rows outside the sample: not one is seen. One row in it: seen, and then all of them are named.
    old = f"id IN (SELECT id FROM big WHERE id <= 50000 AND NOT ({CHOSEN}) ORDER BY id LIMIT 10000)"
    one = f"id = (SELECT min(id) FROM big WHERE {CHOSEN})"
    undo = "UPDATE big SET note = 'note ' || id WHERE note <> 'note ' || id"
    big.run("target", f"UPDATE big SET note = 'bad' WHERE {old}")
    assert big.verify(mode="sample", sample_fraction=0.01)["verdict"] == "MATCH"
    big.run("target", f"UPDATE big SET note = 'bad' WHERE {one}")
    assert bad_tables(big.verify(mode="sample", sample_fraction=0.01)) == ["public.big"]
    big.run("target", undo)
    assert big.verify(mode="sample", sample_fraction=0.01)["verdict"] == "MATCH"

    # The newest rows, small tables and numbers of rows are always compared.
    big.run("target", "UPDATE big SET note = 'bad' WHERE id = 50001; UPDATE little SET note = 'y' WHERE id = 3")
    big.run("target", "DELETE FROM codes WHERE code = 'c77'")
    assert bad_tables(big.verify(mode="sample", sample_fraction=0.01)) == [
        f"public.{name}" for name in ("big", "codes", "little")
    ]
    big.run("target", f"{undo}; UPDATE little SET note = 'x'; INSERT INTO codes VALUES ('c77', 'note 77')")


def test_a_sample_misses_as_often_as_predicted(big):
    """Each of 300 sets of 40 bad rows is caught if one of them is in the sample of an eighth; keys decide, not luck."""
    bits = sample.sample_bits(0.125)
    caught = "bool_or((pg_catalog.hash_array_extended(ARRAY[pg_catalog.int4send(id)], 77) & 7) = 0)"
    sql = f"SELECT count(*) FILTER (WHERE NOT caught) FROM (SELECT {caught} AS caught FROM big WHERE id <= 12000 GROUP BY id %% 300) x"
    ((missed,),) = big.rows("target", sql.replace("%%", "%"))
    predicted = 300 * (1 - 2.0**-bits) ** 40
    assert abs(missed - predicted) <= 3 * predicted**0.5 + 1, (missed, predicted)


def test_a_sample_of_everything_and_of_nothing(big):
    report = big.verify(mode="sample", sample_fraction=1)
    assert report["verdict"] == "MATCH" and report["totals"]["rows_sampled"] == report["totals"]["rows"]


# -- reading in the client ----------------------------------------------------------------------------------------


def test_servers_that_compute_other_hashes_are_read_here(calm, monkeypatch):
    monkeypatch.setattr(run, "check_canaries", lambda connection: False)
    report = calm.verify()
    assert report["verdict"] == "MATCH" and report["method"] == {"asked": "auto", "used": "client"}
    assert report["algorithm"] == "B128-copy/1" and report["totals"]["in_client"] == report["totals"]["tables"]
    again = calm.verify(mode="recheck", base=report)
    assert again["verdict"] == "MATCH" and carried(again) == {item["table"] for item in again["databases"][0]["tables"]}

    # The gate, too, reads such tables here.
    for statement, outcome in (("UPDATE equal SET note = note", "passed"), ("UPDATE equal SET note = 'y'", "differs")):
        calm.run("source", statement)
        evidence = collect(calm.request(), again, migration_state="completed", other_users=[], runtime_is_endpoint=None)
        assert (evidence["recheck"]["outcome"], evidence["recheck"]["read"]) == (outcome, 1), evidence["recheck"]


def test_text_in_no_encoding_is_read_as_it_lies(servers):
    ends = Ends(servers, "rows_ascii", "SQL_ASCII")
    try:
        ends.both(
            "SET ROLE app_owner; CREATE TABLE raw (id integer PRIMARY KEY, t text); CREATE TABLE plain (id integer); "
            r"INSERT INTO raw SELECT g, E'\xe4\xff' || g FROM generate_series(1, 50) g; INSERT INTO plain VALUES (1)"
        )
        report = ends.verify()
        assert report["verdict"] == "MATCH", report["reason"]
        methods = {item["table"]: (item["method"], item["raw"]) for item in report["databases"][0]["tables"]}
        assert methods == {"raw": ("client", True), "plain": ("server", False)}
        assert ends.verify(method="server")["verdict"] == "INCOMPLETE"
        ends.run("target", r"UPDATE raw SET t = E'\xe4\xfe7' WHERE id = 7")
        found = ends.verify()
        assert bad_tables(found) == ["public.raw"] and told(found, "raw") == [("changed", ("7",), ("t",))]
    finally:
        for side in SIDES:
            drop_database(ends.cluster(side), ends.name)
