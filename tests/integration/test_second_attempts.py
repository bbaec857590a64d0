# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an attempt whose end nobody saw has done, or left half done, is told from what is still to be done."""

from __future__ import annotations

import contextlib
import threading
from types import SimpleNamespace

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import TransferFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.connection import transaction
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import (
    copying_large_objects,
    extension_tables,
    leftovers,
    marker,
    resume,
    roles,
)
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.sessions import Runner, Sessions
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.worker import Worker
from support.servers import USER, ask, drop_database, run, session
from support.waiting import wait_for

SHOP = "second_attempts"
UNITS = ["key:a", "key:b"]


@pytest.fixture
def stage(clean):
    """An empty database on both servers, the migration user's on the target, which has the helper schema."""
    for cluster in (clean.source, clean.target):
        drop_database(cluster, SHOP)
    ask(clean.source, f"CREATE DATABASE {SHOP} TEMPLATE template0")
    ask(clean.target, f"CREATE DATABASE {SHOP} OWNER {USER} TEMPLATE template0")
    request = Request.create("shop", clean.endpoint("source"), clean.endpoint("target"), [SHOP])
    with contextlib.ExitStack() as stack:

        def target():
            """Give a session of the migration user on the target."""
            opened = Sessions(request).open("target", SHOP)
            stack.callback(opened.close)
            return opened

        with target().cursor() as cursor:
            marker.claim(cursor, "shop", request.hash)
        yield SimpleNamespace(lab=clean, request=request, target=target, name="shop")
    drop_database(clean.source, SHOP)


def waiting(lab) -> list:
    return ask(lab.target, f"SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '{SHOP}'")


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_transaction_that_is_still_open_is_waited_for(stage, end):
    first, second = stage.target(), stage.target()
    outcome: list = []

    def take() -> None:
        try:
            with transaction(second) as cursor:
                marker.take(cursor, stage.name, UNITS)
            outcome.append("taken")
        except marker.Happened:
            outcome.append("happened")

    with first.cursor() as cursor:
        cursor.execute("BEGIN")
        marker.take(cursor, stage.name, UNITS)
        thread = threading.Thread(target=take)
        thread.start()
        wait_for(lambda: waiting(stage.lab), "the second attempt to wait for the first")
        assert not outcome
        cursor.execute(end)
    thread.join()
    assert outcome == [{"COMMIT": "happened", "ROLLBACK": "taken"}[end]]


def test_work_that_was_done_is_not_done_again_and_a_part_of_it_is_no_whole(stage):
    order = {
        "request": stage.request.as_dict(), "secrets": stage.request.secrets, "database": SHOP, "snapshot": "", "settings": {},
        "rate": None, "psql": "", "source_version": 140000, "runner": str(Runner.of_this_process()), "role": "w1",
    }  # fmt: skip
    worker = Worker(order)
    with contextlib.closing(worker):
        task = {"kind": "sql", "text": "CREATE TABLE public.made (id integer)"}
        assert worker.do("a", UNITS, 1, task) == {}
        assert worker.do("a", UNITS, 2, task) == {}, "the second attempt ran into the first one's table"
        with pytest.raises(TransferFailed) as caught:
            worker.do("a", UNITS, 1, task)
        assert caught.value.details["transient"], "a first attempt knows of no earlier one"
        with pytest.raises(TransferFailed) as caught:
            worker.do("a", [*UNITS, "key:c"], 2, {"kind": "sql", "text": "CREATE TABLE public.never (id integer)"})
        assert caught.value.details["transient"]
    tables = ask(stage.lab.target, "SELECT relname FROM pg_class WHERE relname IN ('made', 'never')", SHOP)
    units = ask(stage.lab.target, "SELECT unit FROM azpg_migrate.unit ORDER BY 1", SHOP)
    assert tables == [("made",)] and units == [(unit,) for unit in UNITS]


def test_large_objects_are_compared_to_their_last_slice_and_removed_by_portions(stage, monkeypatch):
    monkeypatch.setattr(copying_large_objects, "SLICE_BYTES", 1000)
    one = stage.target()
    objects = {100001: "a" * 2500, 100002: "b" * 1000, 100003: "", 100009: "c"}
    with one.cursor() as cursor:
        for number, text in objects.items():
            cursor.execute("SELECT lo_from_bytea(%s::oid, %s::bytea)", (number, text.encode()))
        found = copying_large_objects.images(one, 100001, 100003)
        slices = [(number, offset, size) for number, offset, size, _image in found]
        assert slices == [
            (100001, 0, 1000), (100001, 1000, 1000), (100001, 2000, 500), (100002, 0, 1000), (100002, 1000, 0), (100003, 0, 0),
        ]  # fmt: skip
        cursor.execute("SELECT lo_put(100001::oid, 2400, 'x')")
        changed = copying_large_objects.images(one, 100001, 100003)
        assert [new[:2] for old, new in zip(found, changed) if old != new] == [(100001, 2000)]
        cursor.execute("SELECT lo_unlink(100002::oid)")
        assert len(copying_large_objects.images(one, 100001, 100003)) == len(found) - 2
        portion = "large objects:100001-100003"
        marker.set_markers(cursor, stage.name, {portion: 3, "table:app.quiet": 5})
        resume.unlink(SimpleNamespace(target=one, request=stage.request), portion)
        cursor.execute("SELECT oid::bigint FROM pg_largeobject_metadata")
        assert cursor.fetchall() == [(100009,)], "another portion's objects"
        assert marker.markers(cursor, stage.name) == {"table:app.quiet": 5}


def test_rows_that_the_target_refuses_leave_the_sources_snapshot_alive(stage):
    table = "CREATE TABLE public.settings (id integer PRIMARY KEY, word text)"
    for cluster in (stage.lab.source, stage.lab.target):
        ask(cluster, table, SHOP)
        ask(cluster, "INSERT INTO public.settings SELECT g, 'w' FROM generate_series(1, 5) g", SHOP)
    row = {"schema": "public", "name": "settings", "columns": ["id", "word"], "condition": "WHERE id > 3"}
    warnings: list = []
    with session(stage.lab.source, SHOP) as source, stage.target() as target:
        source.autocommit = True
        with source.cursor() as source_cursor, target.cursor() as cursor:
            source_cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("BEGIN")
            extension_tables.copy(source_cursor, cursor, row, warnings)
            cursor.execute("COMMIT")
            source_cursor.execute("SELECT count(*) FROM public.settings")
            assert source_cursor.fetchone() == (5,)
    assert warnings == [(row, "permission denied for table settings")]
    assert ask(stage.lab.target, "SELECT count(*) FROM public.settings", SHOP) == [(5,)]


class Notebook:
    """Stands in for the journal: remembers what was intended and what was made."""

    def __init__(self):
        self.intended, self.made = [], []

    def creating(self, *what) -> None:
        self.intended.append(what[-1])

    def created(self, *what) -> None:
        self.made.append(what[-1])


def role(**words) -> dict:
    """Return a role as M(roles.read_plan) gives it."""
    return {
        "superuser": False, "inherit": True, "createrole": False, "createdb": False, "login": True, "replication": False,
        "bypassrls": False, "connection_limit": -1, "valid_until": None, "comment": None, "owns": False, "settings": None,
        **words,
    }  # fmt: skip


def test_a_role_is_made_with_all_that_belongs_to_it_or_not_at_all(stage):
    lab, notes = stage.lab, Notebook()
    found = {
        "sa_first": role(settings=["work_mem=8MB", "nosuch=secret"]),
        "sa_second": role(comment="the second", settings=["nosuch=secret"]),
    }
    plan = roles.RolePlan(found, (), {name: name for name in found}, USER)
    broken: list = []

    def create() -> None:
        try:
            roles.create_roles(stage.target(), plan, notes)
        except psycopg2.OperationalError as error:
            broken.append(error)

    with session(lab.target) as lock:
        run(lock, "BEGIN; LOCK TABLE pg_catalog.pg_shdescription IN SHARE MODE")
        thread = threading.Thread(target=create)
        thread.start()
        ((pid,),) = wait_for(lambda: waiting(lab), "the second role's comment to wait")
        run(lock, f"SELECT pg_terminate_backend({pid})")
        thread.join()
    assert broken
    made = "SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname LIKE 'sa_%' ORDER BY 1"
    assert ask(lab.target, made) == [("sa_first", None)]
    assert notes.intended == ["sa_first", "sa_second"] and notes.made == ["sa_first"]
    warnings = roles.create_roles(stage.target(), plan, notes)
    assert ask(lab.target, made) == [("sa_first", None), ("sa_second", "the second")]
    refused = [words for words in warnings if "was refused" in words]
    assert len(refused) == 1 and 'ALTER ROLE "sa_second" SET nosuch' in refused[0]
    assert "secret" not in "".join(warnings), "a setting's value may be nobody's business"


def test_what_a_runner_has_left_at_work_is_ended_and_waited_for(stage):
    sessions = Sessions(stage.request)
    late, other = stage.target(), Sessions(stage.request, Runner("0badcafe", 4711, 1)).open("target", SHOP)
    broken: list = []

    def work() -> None:
        try:
            with late.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(600)")
        except psycopg2.Error as error:
            broken.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        asleep = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)' AND state = 'active'"
        wait_for(lambda: ask(stage.lab.target, asleep), "the work on the target")
        assert leftovers.end_own_sessions(sessions, sessions.runner) == []
        assert not ask(stage.lab.target, asleep)
        assert run(other, "SELECT 1") == [(1,)], "another runner's session was ended"
    finally:
        if not late.closed:
            late.cancel()
        thread.join()
        other.close()
    assert broken
