# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever combination of options the end of a migration is asked with: the source stays as it is, and of the target only
goes what the migration made, what somebody named, and what he confirmed by the migration's name.

AZPG_EXAMPLES=500 tries more combinations than `make test` does.
"""

from __future__ import annotations

import os
import shutil
import types

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest, MigrationError
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._module import cleanup, runtime_server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.servers import USER, ask, catalogue, contents

EXAMPLES = int(os.environ.get("AZPG_EXAMPLES", "12"))
NAME, SAVED = "endless", "endless_saved"
DATABASES = ("bystander", "postgres", "template1", "seed_small", 'en"dless', "")
ROLES = ("app_owner", "app_read", "postgres", "bystander", USER, "nobody")
# An index that the target, and only the target, cannot build.
UNBUILDABLE = """
CREATE FUNCTION app.fail(given integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $body$
BEGIN
  IF pg_catalog.current_setting('server_version_num')::integer >= 160000 THEN RAISE 'not here'; END IF;
  RETURN given;
END $body$;
CREATE INDEX unbuildable ON app.quiet (app.fail(id));
"""
COMMON = {
    "evidence": None,
    "signing_key": None,
    "allowed_signers": None,
    "signer": None,
    "wait": True,
    "operation": None,
    "bin_directory": None,
}


@pytest.fixture(scope="module")
def world(lab, tmp_path_factory):
    """A migration that has failed, kept so that it can be put back, and bystanders on both servers."""
    from support.migrations import Migration

    lab.clean_target()
    lab.new_database(NAME)
    ask(lab.source, UNBUILDABLE, NAME)
    one = Migration(lab, tmp_path_factory.mktemp("ends"), NAME, [NAME])
    one.provision()
    assert "not here" in one.module("migration")["msg"]
    ask(lab.target, "CREATE ROLE bystander")
    ask(lab.target, "CREATE DATABASE bystander OWNER bystander")
    ask(lab.target, "CREATE TABLE precious AS SELECT 1 AS one", "bystander")
    ask(lab.target, f"CREATE DATABASE {SAVED} TEMPLATE {NAME}")
    shutil.copytree(one.directory, one.directory.parent / "safe")
    yield one
    one.close()


def put_back(one, state: dict) -> None:
    """Bring the migration back to where it was; I(state) is what the target held."""
    safe = one.directory.parent / "safe"
    shutil.rmtree(one.directory)
    shutil.copytree(safe, one.directory)
    ask(one.lab.target, f"DROP DATABASE IF EXISTS {NAME}")
    for kind, name, *_more in state["server"]:
        if kind == "role" and not ask(one.lab.target, f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"):
            ask(one.lab.target, f'CREATE ROLE "{name}"')
    (owner,) = [row[2] for row in state["server"] if row[:2] == ("database", NAME)]
    ask(one.lab.target, f"CREATE DATABASE {NAME} TEMPLATE {SAVED} OWNER {owner}")


def others(found: dict, names) -> dict:
    """Return what of a target's catalogue no rollback of this migration may touch."""
    server = {row[:2] for row in found["server"] if row[0] in ("database", "role") and row[1] not in names}
    return {"server": server, **{name: rows for name, rows in found.items() if name not in (*names, "server")}}


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    module=st.sampled_from(("cleanup", "cleanup", "cleanup", "runtime_server")),
    ends=st.sampled_from(("right", "right", "swapped", "source twice", "target twice")),
    outcome=st.sampled_from(("completed", "abandoned", "rolled_back", "rolled_back")),
    confirm=st.sampled_from((NAME, NAME, None, "other", "")),
    databases=st.lists(st.sampled_from((NAME, NAME, *DATABASES)), max_size=2, unique=True),
    roles=st.lists(st.sampled_from(ROLES), max_size=2, unique=True),
    force=st.sampled_from((None, "0" * 64)),
    keep=st.sampled_from((["reports", "journal"], [])),
    accept=st.booleans(),
    check_mode=st.sampled_from((False, False, True)),
)
def test_no_combination_of_options_touches_what_is_not_the_migrations(
    world, module, ends, outcome, confirm, databases, roles, force, keep, accept, check_mode
):
    lab = world.lab
    endpoints = {
        "right": ("source", "target"),
        "swapped": ("target", "source"),
        "source twice": ("source", "source"),
        "target twice": ("target", "target"),
    }[ends]
    try:
        request = Request.create(NAME, *(lab.endpoint(side) for side in endpoints), [NAME])
    except InvalidRequest:
        return  # one server cannot be both
    parameters = {
        **COMMON,
        "outcome": outcome,
        "confirm": confirm,
        "drop_databases": databases,
        "drop_roles": roles,
        "force": force,
        "keep": keep,
        "signed_off_by": None,
        "accept_sample": accept,
        "accept_warnings": [],
        "accept_overrides": accept,
        "state": "absent",
        "colocated": accept,
        "max_migrations": 16,
    }
    layout = Layout.create(NAME, str(world.state), str(world.directory / "archive"))
    task = types.SimpleNamespace(
        module=None, request=request, layout=layout, check_mode=check_mode, parameters=parameters, secrets=[]
    )
    source, rows = catalogue(lab.source), contents(lab.source, NAME)
    target, precious = catalogue(lab.target), contents(lab.target, "bystander")
    try:
        done = (cleanup if module == "cleanup" else runtime_server).ensure(task)
    except MigrationError:
        done = {"changed": False}
    try:
        assert (catalogue(lab.source), contents(lab.source, NAME)) == (source, rows), "the source"
        after = catalogue(lab.target)
        undone = (module, ends, outcome, confirm, check_mode) == ("cleanup", "right", "rolled_back", NAME, False)
        may_go = {*databases, *roles} & {NAME, "app_owner", "app_read"} if undone else set()
        assert others(after, may_go) == others(target, may_go), "the target"
        if not may_go:
            # But for the helper schema, all of the migration's own database is there.
            ours = [row for row in target[NAME] if row[0] != "azpg_migrate" and "azpg_migrate" not in row[:2]]
            assert [row for row in after[NAME] if row[0] != "azpg_migrate"] == ours, "what has arrived"
        assert contents(lab.target, "bystander") == precious
        if check_mode or done.get("state") == "refused":
            assert after == target
    finally:
        if done["changed"] and not check_mode or catalogue(lab.target) != target:
            put_back(world, target)
