# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large tables in pieces and small ones together give the sums of whole ones; pace, sessions and progress."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._verify import pieces, pool, run, tables
from support.servers import USER, ask, drop_database

from tools.lab.binaries import obtain
from tools.lab.cluster import Cluster

CACHE = Path(os.environ.get("AZPG_LAB_CACHE", ".cache/postgresql"))
SIDES = ("source", "target")
NAME = "in_pieces"
# Some rows lie where others have been deleted, so that both ends differ in their blocks.
TABLES = """
SET ROLE app_owner;
CREATE TABLE large (id bigint PRIMARY KEY, note text, image bytea) WITH (autovacuum_enabled = off);
INSERT INTO large SELECT g, repeat(md5(g::text), 10), decode(repeat(md5(g::text), 200), 'hex') FROM generate_series(-500, 3000) g;
CREATE TABLE scattered (id bigint PRIMARY KEY, note text) WITH (autovacuum_enabled = off);
INSERT INTO scattered SELECT g * 7919 % 100003, md5(g::text) FROM generate_series(1, 5000) g;
CREATE MATERIALIZED VIEW copied AS SELECT * FROM scattered;
CREATE TABLE empty (id integer);
CREATE SCHEMA many;
DO $$ BEGIN FOR i IN 1..120 LOOP
  EXECUTE format('CREATE TABLE many.t%s (id integer, note text)', i);
  EXECUTE format('INSERT INTO many.t%s SELECT g, %L FROM generate_series(1, %s) g', i, i, i % 7);
END LOOP; END $$;
RESET ROLE;
ANALYZE;
"""


def prepare(cluster, name: str = NAME) -> None:
    drop_database(cluster, name)
    ask(cluster, f"CREATE DATABASE {name} OWNER app_owner TEMPLATE template0")
    cluster.psql(TABLES, dbname=name)


@pytest.fixture(scope="module")
def pair(lab):
    lab.clean_target()
    ask(lab.target, "CREATE ROLE app_owner")
    ask(lab.target, f"GRANT app_owner TO {USER}")
    for side in SIDES:
        prepare(getattr(lab, side))
    # The target's rows lie elsewhere.
    ask(lab.target, "UPDATE large SET note = note WHERE id % 3 = 0", NAME)
    ask(lab.target, "DELETE FROM large WHERE id > 2000; ", NAME)
    ask(
        lab.target,
        "INSERT INTO large SELECT g, repeat(md5(g::text), 10), decode(repeat(md5(g::text), 200), 'hex') "
        "FROM generate_series(2001, 3000) g",
        NAME,
    )
    yield lab
    for side in SIDES:
        drop_database(getattr(lab, side), NAME)


@pytest.fixture
def small_pieces(monkeypatch):
    """Make pieces so small that the tables here have many."""
    monkeypatch.setattr(pieces, "BY_BLOCKS", 200_000)
    monkeypatch.setattr(pieces, "BY_KEY", 200_000)
    monkeypatch.setattr(pieces, "SMALL", 100_000)


def request(lab, **ends) -> Request:
    return Request.create("pieces", *(ends.get(side) or lab.endpoint(side) for side in SIDES), [NAME])


def by_name(report: dict) -> dict:
    return {item["name"]: item for item in report["databases"][0]["tables"]}


def read_in(monkeypatch) -> list:
    """Return a list that will hold every piece that is read."""
    seen = []

    def watching(session, piece, side, counts_only):
        seen.append((side, tuple(table.full_name for table in piece.tables), piece.condition, threading.get_ident()))
        return tables.server_fingerprint(session, piece, side, counts_only)

    monkeypatch.setattr(
        "ansible_collections.azpg.migrate.plugins.module_utils._verify.reading.server_fingerprint", watching
    )
    return seen


def test_pieces_add_up_to_the_whole(pair, small_pieces, monkeypatch):
    seen = read_in(monkeypatch)
    cut = run.verify(request(pair), jobs=3)
    assert cut["verdict"] == "MATCH", cut["reason"]
    for side in SIDES:
        of_large = [piece for piece in seen if piece[0] == side and piece[1] == ("public.large",)]
        assert len(of_large) >= 5 and len({piece[3] for piece in of_large}) > 1, "one session did all the work"
        assert sum(len(piece[1]) > 10 for piece in seen if piece[0] == side) >= 2, "small tables were read one by one"
    whole = run.verify(request(pair), jobs=1)
    for name, item in by_name(whole).items():
        assert (item["rows"], item["sum"]) == (by_name(cut)[name]["rows"], by_name(cut)[name]["sum"]), name
    assert cut["databases"][0]["sessions"] == {"source": 3, "target": 3}
    parts = {(item["phase"], item["side"]): item for item in cut["databases"][0]["phases"]}
    assert {("connecting", ""), ("definitions", ""), ("rows", "source"), ("rows", "target")} <= set(parts)
    assert all(0 <= float(item["began"]) <= float(item["ended"]) < 60 for item in parts.values()) and cut["jobs"] == 3


def test_the_largest_comes_first(pair, small_pieces, monkeypatch):
    seen = read_in(monkeypatch)
    run.verify(request(pair), jobs=1)
    for side in SIDES:
        names = [piece[1] for piece in seen if piece[0] == side]
        assert names[0] == ("public.large",) and len(names[-1]) > 1


def test_a_fault_within_a_piece_is_found(pair, small_pieces):
    ask(pair.target, "UPDATE large SET note = note || ' ' WHERE id = 1717", NAME)
    try:
        report = run.verify(request(pair), jobs=2)
        (bad,) = [item for item in report["databases"][0]["tables"] if item["verdict"] != "MATCH"]
        assert bad["name"] == "public.large"
        assert [(item["kind"], item["key"], item["columns"]) for item in bad["diff"]["differences"]] == [
            ("changed", {"id": "1717"}, ["note"])
        ]
    finally:
        ask(pair.target, "UPDATE large SET note = rtrim(note) WHERE id = 1717", NAME)


@pytest.mark.parametrize("table", ["many.t5", "public.large"])
def test_one_unreadable_table_spoils_no_other(pair, small_pieces, table):
    ask(pair.target, f"ALTER TABLE {table} OWNER TO postgres; REVOKE ALL ON {table} FROM PUBLIC", NAME)
    try:
        report = run.verify(request(pair), jobs=2)
        assert report["verdict"] == "INCOMPLETE", report["reason"]
        assert [name for name, item in by_name(report).items() if item["verdict"] != "MATCH"] == [table]
    finally:
        ask(pair.target, f"ALTER TABLE {table} OWNER TO app_owner", NAME)


def test_a_rewrite_between_two_pieces_is_kept_out(pair, small_pieces, monkeypatch):
    """Blocks mean nothing once VACUUM FULL has moved the rows; so it has to wait."""
    seen, tried = [], []

    def watching(session, piece, side, counts_only):
        if piece.tables[0].name == "large" and side == "source":
            seen.append(piece)
            if len(seen) == 2:
                try:
                    ask(
                        pair.source,
                        "BEGIN; SET LOCAL lock_timeout = '200ms'; LOCK TABLE large IN ACCESS EXCLUSIVE MODE; COMMIT",
                        NAME,
                    )
                    tried.append("done")
                except Exception as error:
                    tried.append(str(error))
        return tables.server_fingerprint(session, piece, side, counts_only)

    monkeypatch.setattr(
        "ansible_collections.azpg.migrate.plugins.module_utils._verify.reading.server_fingerprint", watching
    )
    assert run.verify(request(pair), jobs=1)["verdict"] == "MATCH"
    assert len(tried) == 1 and "lock timeout" in tried[0]


def test_locks_of_tables_that_were_read_are_given_up(pair, monkeypatch):
    held = []

    def watching(session, piece, side, counts_only):
        found = tables.server_fingerprint(session, piece, side, counts_only)
        with session.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation::int8 > 16384")
            held.append(cursor.fetchone()[0])
        return found

    monkeypatch.setattr(
        "ansible_collections.azpg.migrate.plugins.module_utils._verify.reading.server_fingerprint", watching
    )
    assert run.verify(request(pair), jobs=1)["verdict"] == "MATCH"
    # Those that follow were taken by the leader's look at catalogues, of a few objects; not one per table.
    assert max(held) < 60, held


def test_a_pace_leaves_time_to_others(pair, small_pieces, monkeypatch):
    rested, worked = [], []
    take_note = pool.Pace.worked

    def noting(self, side, piece, seconds):
        worked.append(seconds)
        take_note(self, side, piece, seconds)

    monkeypatch.setattr(pool.Pace, "worked", noting)
    monkeypatch.setattr(pool.time, "sleep", rested.append)
    report = run.verify(request(pair), jobs=1, busy_percent=25)
    assert report["verdict"] == "MATCH" and report["busy_percent"] == 25
    assert len(worked) > 10 and sorted(rested) == pytest.approx(sorted(seconds * 3 for seconds in worked))
    # Whoever waited for a lock, or was stopped, need not rest from that.
    rested.clear()
    pool.Pace(25).worked("source", pool.Piece((), "", 0), 100.0)
    assert rested == [3.0]


@pytest.mark.parametrize("wrong", [{"jobs": 0}, {"busy_percent": 0}, {"busy_percent": 101}])
def test_no_sessions_and_no_time_are_refused(pair, wrong):
    with pytest.raises(InvalidRequest, match="at least one session"):
        run.verify(request(pair), **wrong)


def test_fewer_connections_than_asked_for_are_made_do(pair):
    ask(pair.source, f"ALTER ROLE {USER} CONNECTION LIMIT 3")
    try:
        report = run.verify(request(pair), jobs=6)
        assert report["verdict"] == "MATCH", report["reason"]
        # One of the three looks after the whole server.
        assert report["databases"][0]["sessions"] == {"source": 2, "target": 6}
    finally:
        ask(pair.source, f"ALTER ROLE {USER} CONNECTION LIMIT -1")


def test_progress_tells_how_far_it_is(pair, small_pieces, monkeypatch):
    states = []
    monkeypatch.setattr("ansible_collections.azpg.migrate.plugins.module_utils._verify.progress.EVERY", 0)
    run.verify(request(pair), jobs=1, watch=states.append)
    shares = [state["share"] for state in states]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1 and len(set(shares)) > 10
    assert {state["database"] for state in states} == {NAME, ""}
    assert [state["state"] for state in states[-2:]] == ["running", "finished"] and states[-1]["verdict"] == "MATCH"
    half = next(state for state in states if state["share"] > 0.5)
    assert 0 < half["seconds_left"] < 60 and 0 < half["bytes_done"] < half["bytes_total"]
    assert max(state["tables_done"] for state in states) == states[-4]["tables_total"] or any(
        state["tables_done"] == state["tables_total"] > 100 for state in states
    )


# -- a server that cannot read blocks apart at no cost ------------------------------------------------------------


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A server of 13, moved to one of 14 or newer, which is the usual direction."""
    clients = obtain(14, CACHE)
    with Cluster(obtain(13, CACHE), tmp_path_factory.mktemp("old") / "server", client_prefix=clients) as cluster:
        ask(cluster, "CREATE ROLE app_owner")
        ask(cluster, f"CREATE ROLE {USER} LOGIN PASSWORD 'of old' IN ROLE app_owner")
        prepare(cluster)
        yield cluster


def test_old_servers_are_read_along_the_key_where_rows_lie_so(pair, old, small_pieces, monkeypatch):
    seen = read_in(monkeypatch)
    source = old.connection(USER, "of old")
    source.pop("dbname")
    report = run.verify(request(pair, source=source), jobs=2)
    tables_of = by_name(report)
    assert {item["verdict"] for item in tables_of.values()} == {"MATCH"}, report["reason"]
    mine = [(names, condition) for side, names, condition, _thread in seen if side == "source"]
    along = [condition for names, condition in mine if names == ("public.large",)]
    assert len(along) >= 5 and all("ctid" not in condition and '"id"' in condition for condition in along)
    assert [condition for names, condition in mine if names == ("public.scattered",)] == [""]
    theirs = [condition for side, names, condition, _thread in seen if side == "target" and names == ("public.large",)]
    assert all("ctid" in condition for condition in theirs) and len(theirs) >= 5


def test_conditions_cover_everything_once():
    for low, high, number in ((1, 10, 3), (-5, 5, 4), (7, 7, 5), (0, 1, 9), (-(2**63), 2**63 - 1, 8)):
        texts = pieces.by_key("a b", (low, high), number)
        assert 1 <= len(texts) <= number or texts == []
        tests = [text.replace("WHERE ", "").replace('t."a b"', "v").replace("AND", "and") for text in texts]
        for v in sorted({low, high, low + (high - low) // 2, low - 10**20, high + 10**20}):
            assert sum(eval(test, {"v": v}) for test in tests) == (1 if tests else 0), (v, tests)  # noqa: S307
    conditions = pieces.by_blocks(10, 4)
    assert conditions[0].startswith("WHERE t.ctid >= '(0,0)'") and "<" not in conditions[-1]
    ends = [text.split("< '(")[1].split(",")[0] for text in conditions[:-1]]
    starts = [text.split(">= '(")[1].split(",")[0] for text in conditions]
    assert starts[1:] == ends == ["2", "5", "7"]


def test_time_is_left_until_the_slower_end_is_done():
    from ansible_collections.azpg.migrate.plugins.module_utils._verify.progress import Progress

    progress = Progress({"a": 300, "b": 100})
    progress.begin("a")
    for side in SIDES:
        progress.planned(side, 1000)
    progress.worked("source", 1000)
    progress.worked("target", 500)
    time.sleep(0.05)
    state = progress.state()
    assert state["share"] == pytest.approx(0.375) and state["seconds_left"] is not None
    progress.end("a")
    assert progress.state()["share"] == 0.75 and progress.state()["databases_done"] == 1
