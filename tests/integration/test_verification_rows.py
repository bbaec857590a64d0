# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that differ are named, down to their columns, without showing what they hold; samples, rechecks, other methods."""

from __future__ import annotations

import json
from types import SimpleNamespace

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import PreconditionFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._module.verification import check
from ansible_collections.azpg.migrate.plugins.module_utils._verify import drill_search, run, sample
from ansible_collections.azpg.migrate.plugins.module_utils._verify.evidence import collect
from ansible_collections.azpg.migrate.plugins.module_utils._verify.page import render
from ansible_collections.azpg.migrate.plugins.module_utils._verify.recheck_mode import BaseRefused
from ansible_collections.azpg.migrate.plugins.module_utils._verify.report import read_report
from ansible_collections.azpg.migrate.plugins.modules.verification import SPECIFICATION
from support.servers import USER, Lab, ask, drop_database

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


def diff(report: dict, table: str) -> dict:
    (found,) = [item for item in report["databases"][0]["tables"] if item["name"] == f"public.{table}"]
    return found["diff"]


def told(report: dict, table: str) -> list:
    """Return what was found in a table, as plain tuples."""
    found = diff(report, table)
    assert found["error"] == "" and found["complete"], found["error"]
    return sorted((item["kind"], tuple(item["key"].values()), tuple(item["columns"])) for item in found["differences"])


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


def bad_tables(report: dict) -> list:
    return [item["name"] for item in report["databases"][0]["tables"] if item["verdict"] == "MISMATCH"]


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


# -- rechecks -----------------------------------------------------------------------------------------------------


def carried(report: dict) -> set:
    return {item["table"] for item in report["databases"][0]["tables"] if item["carried"]}


@pytest.fixture
def calm(servers):
    ends = Ends(servers, "rows_calm")
    ends.both(TABLES)
    yield ends
    for side in SIDES:
        drop_database(ends.cluster(side), ends.name)


def test_a_recheck_reads_only_what_may_have_changed(calm):
    base = calm.verify()
    assert base["verdict"] == "MATCH"
    tables = {item["table"] for item in base["databases"][0]["tables"]}
    calm.run("target", "UPDATE texts SET n = 0 WHERE id = 'k9'")
    calm.run("source", "UPDATE equal SET note = note")
    found = calm.verify(mode="recheck", base=base)
    assert found["verdict"] == "MISMATCH" and bad_tables(found) == ["public.texts"]
    assert told(found, "texts") == [("changed", ("k9",), ("n",))]
    assert carried(found) == tables - {"texts", "equal"}
    assert found["base"]["sha256"] == base["sha256"] and found["totals"]["tables"] == base["totals"]["tables"]
    assert found["totals"]["rows"] == base["totals"]["rows"]

    # What differed is read again although nothing was written to the tables since; the chain goes back to the full one.
    calm.run("target", "UPDATE texts SET n = 9 WHERE id = 'k9'")
    mended = calm.verify(mode="recheck", base=found)
    assert mended["verdict"] == "MATCH", mended["reason"]
    assert "texts" not in carried(mended) and "equal" in carried(mended)
    assert [link["mode"] for link in mended["base"]["chain"]] == ["recheck", "full"]
    assert "2 tables read again" in mended["reason"] or "1 tables read again" in mended["reason"]
    assert base["sha256"][:12] not in mended["reason"] and found["sha256"][:12] in render(mended)
    # Nothing was written on either side: everything is carried, and still compared.
    assert carried(calm.verify(mode="recheck", base=mended)) == tables


def test_a_recheck_reads_a_table_whose_definition_changed_and_new_ones(calm):
    base = calm.verify()
    calm.both(
        "ALTER TABLE equal RENAME note TO remark; CREATE TABLE late (id integer); ALTER TABLE late OWNER TO app_owner"
    )
    found = calm.verify(mode="recheck", base=base)
    assert found["verdict"] == "MATCH", found["reason"]
    assert {"equal", "late"} & carried(found) == set() and "many" in carried(found)


def test_a_recheck_reads_everything_while_a_session_could_hide_its_writes(calm):
    base = calm.verify()
    connection = psycopg2.connect(**calm.lab.endpoint("target", dbname=calm.name))
    try:
        connection.autocommit = True
        connection.cursor().execute("SELECT txid_current()")
        assert carried(calm.verify(mode="recheck", base=base)) == set()
    finally:
        connection.close()


def test_a_recheck_refuses_what_it_cannot_rest_on(calm, faulty):
    base = calm.verify()
    edited = {**base, "verdict": "MISMATCH"}
    for wrong, word in (
        (None, "no earlier report"),
        (edited, "was edited"),
        (calm.verify(mode="counts"), "is of mode 'counts'"),
        (calm.verify(mode="sample"), "is of mode 'sample'"),
        (faulty.verify(mode="full"), "another migration"),
    ):
        with pytest.raises(BaseRefused, match=word):
            calm.verify(mode="recheck", base=wrong)
    for side in SIDES:
        calm.run(side, "SELECT 1")
    ask(calm.cluster("target"), f"ALTER DATABASE {calm.name} RENAME TO rows_before")
    ask(calm.cluster("target"), f"CREATE DATABASE {calm.name} TEMPLATE rows_before")
    drop_database(calm.cluster("target"), "rows_before")
    with pytest.raises(BaseRefused, match="another server as target"):
        calm.verify(mode="recheck", base=base)


def test_the_module_rests_on_the_report_it_wrote_and_returns_little(faulty, tmp_path):
    words = {word: option.get("default") for word, option in SPECIFICATION.items()}
    words.update(
        max_differences=200, report_directory=str(tmp_path / "reports"), signing_key="a key that nobody guesses"
    )
    layout = Layout.create("rows", str(tmp_path / "state"))

    def run_it(mode: str) -> dict:
        task = SimpleNamespace(
            request=faulty.request(),
            check_mode=False,
            final_record=lambda: None,
            layout=layout,
            parameters={**words, "check": mode},
        )
        return check(task)

    with pytest.raises(PreconditionFailed, match="no verification report"):
        run_it("recheck")
    first, second = run_it("full"), run_it("recheck")
    assert "MISMATCH" in first["failure"] and second["verification"]["mode"] == "recheck"
    assert read_report(second["verification"]["report"])["base"]["sha256"] == first["verification"]["sha256"]
    assert second["verification"]["totals"]["carried"] == 1
    assert len(json.dumps(first)) < 30_000
    (table,) = [item for item in first["verification"]["databases"][0]["tables"] if item["name"] == "public.many"]
    assert table["diff"]["estimate"] == "3000" and len(table["diff"]["differences"]) == 5


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
