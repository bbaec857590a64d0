# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration that is not completed is undone as far as it got, and what nobody named stays."""

from __future__ import annotations

import pytest
from support.servers import USER, ask, session


def test_what_nobody_names_stays_on_the_target(migration):
    one = migration("kept-there", "seed_bulk")
    one.half_way()
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
    one.half_way()
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
