# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence on real servers, put up by an ordinary user, measured, and taken away again without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest, PreconditionFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.fence import apply, fence, unfence
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.fence_measure import measure
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.fence_record import plan

from tools.lab.binaries import obtain
from tools.lab.cluster import Cluster

CACHE = Path(os.environ.get("AZPG_LAB_CACHE", ".cache/postgresql"))
MAJOR = int(os.environ.get("AZPG_SOURCE_MAJOR", "14"))
PASSWORD = "fence password"
QUICK = {"grace_seconds": 0.1, "observe_seconds": 0.2}
NOTHING = {"restored": [], "left": [], "written": [], "failed": []}
STATE = """
SELECT (SELECT array_agg(x ORDER BY x) FROM (SELECT concat_ws(' ', grantor::regrole, grantee::regrole, privilege_type,
        is_grantable) AS x FROM aclexplode(coalesce(datacl, acldefault('d', datdba)))) y)::text,
       (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid AND setrole = 0)::text
FROM pg_database d WHERE datname = 'shop'
"""


class Source:
    """A server with the databases shop and other, an owner, an application, a migration user."""

    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.run(
            f"CREATE ROLE shop_owner LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'; "
            f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'; "
            f"CREATE ROLE mig LOGIN PASSWORD '{PASSWORD}' IN ROLE shop_owner, pg_signal_backend, pg_read_all_stats"
        )
        for name in ("shop", "other"):
            self.run(f"CREATE DATABASE {name} OWNER shop_owner")
            self.run("CREATE TABLE t (id serial, v text); GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC; "
                     "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC", name)  # fmt: skip

    def run(self, sql: str, dbname: str = "postgres") -> str:
        return self.cluster.psql(sql, dbname=dbname)

    def state(self) -> str:
        """Everything that a fence changes."""
        return self.run(STATE)

    def endpoint(self, user: str = "mig") -> Endpoint:
        return Endpoint.from_dict({**self.cluster.connection(user, PASSWORD), "dbname": "shop"})

    @contextlib.contextmanager
    def session(self, user: str = "app", dbname: str = "shop", superuser: bool = False):
        words = self.cluster.connection(dbname=dbname) if superuser else self.cluster.connection(user, PASSWORD, dbname)
        connection = psycopg2.connect(**words, application_name="the application")
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()


def write(connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO t (v) VALUES ('x')")


def writes(source: Source, user: str, dbname: str = "shop") -> bool:
    """Tell whether a new session of a role can write."""
    try:
        with source.session(user, dbname) as connection:
            write(connection)
    except psycopg2.Error:
        return False
    return True


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    clients = obtain(max(MAJOR, 14), CACHE)
    with Cluster(obtain(MAJOR, CACHE), tmp_path_factory.mktemp("fence") / "server", client_prefix=clients) as cluster:
        yield Source(cluster)


@pytest.fixture
def source(server):
    """The server, and afterwards a proof that the test left it as it was."""
    before = server.state()
    yield server
    server.run(
        "ALTER DATABASE shop RESET ALL; GRANT CONNECT, TEMPORARY ON DATABASE shop TO PUBLIC; GRANT CONNECT ON DATABASE shop TO shop_owner; "
        "REVOKE ALL ON DATABASE shop FROM mig, app, reader CASCADE; ALTER ROLE app RESET ALL"
    )
    assert server.state() == before


def test_a_fence_holds_and_leaves_no_trace(source):
    source.run(
        "GRANT CONNECT ON DATABASE shop TO reader WITH GRANT OPTION; GRANT CONNECT, CREATE ON DATABASE shop TO app"
    )
    source.run(
        "ALTER DATABASE shop SET default_transaction_read_only = 'off'; ALTER DATABASE shop SET work_mem = '5MB'"
    )
    before = source.state()
    stored = []
    with source.session() as application:
        write(application)
        evidence = fence(
            source.endpoint(), ["shop"], write=lambda record: stored.append(json.dumps(record)), grace_seconds=0.1
        )
        with pytest.raises(psycopg2.Error):
            write(application)
    assert evidence["verdict"] == "fenced", evidence
    assert evidence["missing"] == evidence["open"] == evidence["unknown"] == evidence["soft"] == []
    entry = evidence["databases"]["shop"]
    assert entry["read_only"] == {"value": "on", "error": ""} and entry["sessions"] == [] and entry["prepared"] == []
    assert [item["user"] for item in evidence["ended"]] == ["app"]
    assert {role["name"] for role in entry["may_connect"]} == {"postgres"}
    assert not any(writes(source, user) for user in ("app", "reader", "stranger", "shop_owner", "mig"))
    assert writes(source, "app", "other"), "the fence stands around a database that was not named"
    record = json.loads(stored[0])
    assert PASSWORD not in stored[0]
    result = unfence(source.endpoint(), record)
    assert result["failed"] == result["left"] == [] and len(result["restored"]) >= 4
    assert source.state() == before
    assert writes(source, "app") and writes(source, "shop_owner")
    assert unfence(source.endpoint(), record) == NOTHING
    assert source.state() == before


def test_the_methods_by_themselves(source):
    before = source.state()
    record = plan(source.endpoint(), ["shop"], methods=["read_only"])
    with source.session() as application:
        evidence = apply(source.endpoint(), record, **QUICK)
        assert evidence["verdict"] == "open" and "older than the fence" in evidence["open"][0]
        write(application)
    assert measure(source.endpoint(), ["shop"], since=evidence["applied_at"])["verdict"] == "fenced"
    with source.session() as application:
        # A younger session reads; what it may override is said by those who may log in.
        later = measure(source.endpoint(), ["shop"], since=evidence["applied_at"])
        assert later["verdict"] == "fenced" and later["databases"]["shop"]["sessions"][0]["newer"]
        assert later["soft"] == ["shop"]
        assert {"name": "app", "superuser": False} in later["databases"]["shop"]["may_connect"]
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            write(application)
    unfence(source.endpoint(), record)
    record = plan(source.endpoint(), ["shop"], methods=["connect"])
    assert apply(source.endpoint(), record, **QUICK)["verdict"] == "fenced"
    assert not writes(source, "app")
    unfence(source.endpoint(), record)
    assert source.state() == before
    with source.session():
        evidence = apply(source.endpoint(), plan(source.endpoint(), ["shop"], methods=["terminate"]), **QUICK)
        assert len(evidence["ended"]) == 1 and evidence["verdict"] == "open"
        assert "new sessions may write" in evidence["open"][0]


def test_a_session_that_keeps_writing_is_ended_and_seen(source):
    stop, outcomes = threading.Event(), []

    def work():
        while not stop.is_set():
            with contextlib.suppress(psycopg2.Error), source.session() as connection:
                while not stop.is_set():
                    write(connection)
            outcomes.append("ended")
            time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_until(lambda: int(source.run("SELECT count(*) FROM t", "shop")) > 5)
        open_still = measure(source.endpoint(), ["shop"])
        assert open_still["verdict"] == "open" and open_still["position"]["moved"]
        record = plan(source.endpoint(), ["shop"])
        evidence = apply(source.endpoint(), record, **QUICK)
        assert evidence["verdict"] == "fenced", evidence
        count = source.run("SELECT count(*) FROM t", "shop")
        time.sleep(0.3)
        assert source.run("SELECT count(*) FROM t", "shop") == count and outcomes
    finally:
        stop.set()
        thread.join()
    unfence(source.endpoint(), record)


def test_an_open_transaction_is_seen_and_outlives_no_fence(source):
    with source.session() as application:
        application.autocommit = False
        write(application)
        evidence = measure(source.endpoint(), ["shop"], observe_seconds=0)
        assert evidence["verdict"] == "open" and "holds a transaction that writes" in evidence["open"][-1]
        record = plan(source.endpoint(), ["shop"])
        assert apply(source.endpoint(), record, **QUICK)["verdict"] == "fenced"
        unfence(source.endpoint(), record)


def test_a_superuser_session_cannot_be_ended_and_keeps_the_fence_open(source):
    with source.session(superuser=True) as boss:
        record = plan(source.endpoint(), ["shop"])
        evidence = apply(source.endpoint(), record, **QUICK)
        assert evidence["verdict"] == "open"
        pid = boss.info.backend_pid
        assert any(f"session {pid} of postgres could not be ended" in item for item in evidence["missing"])
        assert any(f"session {pid} of postgres" in item for item in evidence["open"])
        write(boss)
    assert measure(source.endpoint(), ["shop"], since=evidence["applied_at"])["verdict"] == "fenced"
    unfence(source.endpoint(), record)


def test_prepared_transactions_keep_it_open(source):
    source.run("BEGIN; INSERT INTO t (v) VALUES ('later'); PREPARE TRANSACTION 'late one'", "shop")
    record = plan(source.endpoint(), ["shop"])
    try:
        evidence = apply(source.endpoint(), record, **QUICK)
        assert evidence["verdict"] == "open" and evidence["databases"]["shop"]["prepared"] == ["late one"]
    finally:
        source.run("ROLLBACK PREPARED 'late one'", "shop")
    assert measure(source.endpoint(), ["shop"], since=evidence["applied_at"])["verdict"] == "fenced"
    unfence(source.endpoint(), record)


def test_a_role_with_a_setting_of_its_own_is_named(source):
    source.run("ALTER ROLE app SET default_transaction_read_only = off")
    record = plan(source.endpoint(), ["shop"], methods=["read_only", "terminate"])
    evidence = apply(source.endpoint(), record, **QUICK)
    assert evidence["verdict"] == "open" and "app may log in and has" in evidence["open"][0]
    more = plan(source.endpoint(), ["shop"], methods=["connect"], previous=record)
    assert more["methods"] == ["read_only", "connect", "terminate"]
    assert apply(source.endpoint(), more, **QUICK)["verdict"] == "fenced"
    unfence(source.endpoint(), more)


def test_a_crash_between_plan_and_apply_leaves_a_harmless_record(source):
    before = source.state()
    record = plan(source.endpoint(), ["shop"])
    assert source.state() == before
    assert unfence(source.endpoint(), json.loads(json.dumps(record))) == NOTHING

    def full(record):
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        fence(source.endpoint(), ["shop"], write=full)
    assert source.state() == before and writes(source, "app")


def test_a_crash_in_the_middle_of_apply_is_undone(source):
    before = source.state()
    record = plan(source.endpoint(), ["shop"])
    source.run("ALTER DATABASE shop SET default_transaction_read_only = on")
    assert len(unfence(source.endpoint(), record)["restored"]) == 1
    source.run("GRANT CONNECT ON DATABASE shop TO mig; REVOKE CONNECT ON DATABASE shop FROM PUBLIC")
    assert len(unfence(source.endpoint(), record)["restored"]) == 2
    assert source.state() == before


def test_privileges_that_stood_nowhere_stand_in_the_catalogue_afterwards_and_that_is_said(source):
    written = "SELECT datacl FROM pg_database WHERE datname = '{}'"
    source.run("CREATE DATABASE plain OWNER shop_owner")
    source.run("GRANT CONNECT ON DATABASE shop TO reader")
    before = source.run(written.format("shop"))
    usual = "SELECT datacl = acldefault('d', datdba) FROM pg_database WHERE datname = 'plain'"
    assert source.run(written.format("plain")).strip() == ""
    record = plan(source.endpoint(), ["shop", "plain"], methods=["connect"])
    apply(source.endpoint(), record, **QUICK)
    result = unfence(source.endpoint(), record)
    assert (result["written"], result["left"]) == (["plain"], [])
    assert source.run(usual).strip() == "t"
    # What was written before is what it was to the letter.
    assert source.run(written.format("shop")) == before
    apply(source.endpoint(), record, **QUICK)
    source.run("REVOKE TEMPORARY ON DATABASE plain FROM PUBLIC")
    result = unfence(source.endpoint(), record)
    assert (result["written"], result["left"]) == ([], ["plain: its privileges are no longer those by default"])
    source.run("DROP DATABASE plain")


def test_a_second_fence_remembers_what_was_before_the_first(source):
    before = source.state()
    first = plan(source.endpoint(), ["shop"])
    apply(source.endpoint(), first, **QUICK)
    fenced = source.state()
    second = plan(source.endpoint(), ["shop"], previous=json.loads(json.dumps(first)))
    assert second["databases"] == first["databases"]
    assert apply(source.endpoint(), second, **QUICK)["verdict"] == "fenced" and source.state() == fenced
    both = plan(source.endpoint(), ["other"], previous=second)
    assert set(both["databases"]) == {"shop", "other"}
    unfence(source.endpoint(), second)
    assert source.state() == before
    # Without the first record the second cannot know; it says what it will leave behind.
    apply(source.endpoint(), first, **QUICK)
    assert any("is on already" in note for note in plan(source.endpoint(), ["shop"])["notes"])
    unfence(source.endpoint(), first)


def test_it_stands_and_falls_over_a_restart(source):
    before = source.state()
    record = plan(source.endpoint(), ["shop"])
    evidence = apply(source.endpoint(), record, **QUICK)
    source.cluster.restart()
    assert measure(source.endpoint(), ["shop"], since=evidence["applied_at"])["verdict"] == "fenced"
    assert not writes(source, "app")
    assert unfence(source.endpoint(), record)["failed"] == []
    assert source.state() == before and writes(source, "app")


def test_what_others_changed_meanwhile_is_left_alone(source):
    record = plan(source.endpoint(), ["shop"])
    apply(source.endpoint(), record, **QUICK)
    source.run("ALTER DATABASE shop SET default_transaction_read_only = off")
    result = unfence(source.endpoint(), record)
    assert result["left"] == ["shop: default_transaction_read_only is off, no longer 'on'"]


def test_without_rights_it_says_so_and_changes_nothing(source):
    before = source.state()
    record = plan(source.endpoint("stranger"), ["shop"])
    assert len(record["missing"]) == 2 and "GRANT shop_owner TO stranger" in record["missing"][0]
    with source.session():
        evidence = apply(source.endpoint("stranger"), record, **QUICK)
    assert evidence["verdict"] == "open" and evidence["ended"] == []
    assert any("could not be ended" in item for item in evidence["missing"])
    assert any("pg_read_all_stats" in item for item in evidence["missing"])
    assert source.state() == before


def test_the_owner_itself_can_fence(source):
    before = source.state()
    record = plan(source.endpoint("shop_owner"), ["shop"])
    assert any("its owner shop_owner is the migration user" in note for note in record["notes"])
    with source.session("shop_owner"):
        evidence = apply(source.endpoint("shop_owner"), record, **QUICK)
    assert evidence["verdict"] == "fenced" and not writes(source, "app")
    unfence(source.endpoint("shop_owner"), record)
    assert source.state() == before


def test_grants_by_others_stay_and_are_said(source):
    source.run("GRANT CONNECT ON DATABASE shop TO reader WITH GRANT OPTION")
    with source.session("reader") as connection, connection.cursor() as cursor:
        cursor.execute("GRANT CONNECT ON DATABASE shop TO app")
    before = source.state()
    record = plan(source.endpoint(), ["shop"])
    assert any("reader granted on" in note for note in record["notes"])
    evidence = apply(source.endpoint(), record, **QUICK)
    # They may log in, read only.
    assert evidence["verdict"] == "fenced" and not writes(source, "app")
    assert {role["name"] for role in evidence["databases"]["shop"]["may_connect"]} == {"app", "reader", "postgres"}
    unfence(source.endpoint(), record)
    assert source.state() == before


def test_what_is_refused(source):
    with pytest.raises(InvalidRequest, match="read_only, connect, terminate"):
        plan(source.endpoint(), ["shop"], methods=["hope"])
    with pytest.raises(PreconditionFailed, match="no database nowhere"):
        plan(source.endpoint(), ["shop", "nowhere"])
    record = plan(source.endpoint(), ["shop"])
    foreign = {**record, "server": {**record["server"], "system_identifier": "1"}}
    for call in (apply, unfence):
        with pytest.raises(PreconditionFailed, match="another server"):
            call(source.endpoint(), foreign)
    recreated = {**record, "databases": {"shop": {**record["databases"]["shop"], "oid": 1}}}
    for call in (apply, unfence):
        with pytest.raises(PreconditionFailed, match="not the one of the undo record"):
            call(source.endpoint(), recreated)
    with pytest.raises(PreconditionFailed, match="not the undo record"):
        unfence(source.endpoint(), {"format": "something else"})


def wait_until(condition, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
