# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration that is not completed is undone as far as it got, and what nobody named stays."""

from __future__ import annotations

import json

import pytest
from support.servers import USER, ask, catalogue, contents, session
from support.waiting import wait_for


def begin(one) -> None:
    """Bring a migration of the bulky seed half of the way, and stop it."""
    one.provision()
    one.module("migration", wait=False, max_bytes_per_second=600000).good()
    wait_for(lambda: one.journal("SELECT 1 FROM unit WHERE kind = 'table' AND state = 'done'"), "the first table")


def made(one, kind: str) -> list:
    """Return what the journal says that the migration made of a kind."""
    return [name for (name,) in one.journal("SELECT name FROM created WHERE kind = ? AND state = 'created'", kind)]


def test_playbook_undoes_a_running_migration_and_nothing_is_left_of_it(migration):
    one = migration("undone", "seed_bulk")
    lab, database = one.lab, one.databases[0]
    before = catalogue(lab.source), catalogue(lab.target), contents(lab.source, database)
    one.module("runtime_server").good()
    one.module("verification", fence="up", fail_on="never", databases=[database])
    begin(one)
    roles = made(one, "role")
    assert made(one, "database") == [database] and roles
    words = {"azpg_confirm": "undone", "azpg_drop_databases": [database], "azpg_drop_roles": roles}
    unconfirmed = one.play("rollback", **{**words, "azpg_confirm": "other"})
    assert unconfirmed.code and "needs its name" in unconfirmed.output
    looked = one.play("rollback", "--check", "--diff", **words).good()
    assert looked.changes == [1] and f"target: database {database}" in looked.output
    assert one.play("rollback", "rollback", **words).good().changes == [1, 0]
    assert (catalogue(lab.source), catalogue(lab.target), contents(lab.source, database)) == before
    assert not one.state.exists()
    record = json.loads((one.archive / "final-record.json").read_text(encoding="utf-8"))
    assert record["outcome"] == "rolled_back"
    assert set(record["removed"]) >= {f"target: database {database}", *(f"target: role {name}" for name in roles)}


def test_what_nobody_names_stays_on_the_target(migration):
    one = migration("kept-there", "seed_bulk")
    begin(one)
    one.module("migration", state="cancelled").good()
    database = one.databases[0]
    done = one.module("cleanup", outcome="rolled_back", confirm="kept-there").good()
    assert done["changed"] and f"target: database {database}" in done["kept"]
    assert ask(
        one.lab.target, "SELECT to_regnamespace('azpg_migrate'), to_regclass('app.bulk_1') IS NOT NULL", database
    ) == [(None, True)]
    lent = f"SELECT count(*) FROM pg_auth_members WHERE member = '{USER}'::regrole AND (inherit_option OR set_option)"
    assert ask(one.lab.target, lent) == [(0,)]


@pytest.fixture
def stopped(migration):
    """A migration that was cancelled half of the way."""
    one = migration("stopped", "seed_bulk")
    begin(one)
    one.module("migration", state="cancelled").good()
    return one


def test_nothing_is_dropped_that_the_migration_has_not_made_or_that_is_in_use(stopped):
    one, (database,) = stopped, stopped.databases
    target = one.lab.target
    options = {"outcome": "rolled_back", "confirm": "stopped"}
    ask(target, "CREATE DATABASE bystander")
    for words in ({"drop_databases": ["bystander"]}, {"drop_databases": ["postgres"]}, {"drop_roles": [USER]}):
        refused = one.module("cleanup", **options, **words)
        assert refused.failed and refused["code"] == "invalid-request" and "has not made" in refused["msg"]
    with session(target, database):
        refused = one.module("cleanup", **options, drop_databases=[database])
        assert refused.failed and "could not be dropped" in refused["msg"] and "1 of postgres" in refused["msg"]
    # Made anew by somebody else since: the marks are gone.
    ask(target, f"ALTER DATABASE {database} RENAME TO {database}_before")
    ask(target, f"CREATE DATABASE {database}")
    ask(target, "CREATE TABLE precious ()", database)
    refused = one.module("cleanup", **options, drop_databases=[database])
    assert refused.failed and "it bears none" in refused["msg"]
    ask(target, f"DROP DATABASE {database}")
    ask(target, f"ALTER DATABASE {database}_before RENAME TO {database}")
    assert one.private.is_dir() and not one.archive.exists()
    # A role that owns something is left, with everything that is needed for one more run.
    role = "app_owner"
    ask(target, f"ALTER DATABASE bystander OWNER TO {role}")
    refused = one.module("cleanup", **options, drop_databases=[database], drop_roles=[role])
    assert refused.failed and "could not be dropped" in refused["msg"] and "bystander" in refused["msg"]
    assert one.private.is_dir() and not one.archive.exists()
    done = one.module("cleanup", **options, drop_databases=[database]).good()
    assert f"target: role {role}" in done["kept"]
    left = {name for (name,) in ask(target, "SELECT datname FROM pg_database")}
    assert "bystander" in left and database not in left
