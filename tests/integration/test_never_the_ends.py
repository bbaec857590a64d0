# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever combination of options the end of a migration is asked with: the source stays as it is, and of the target only
goes what the migration made, what somebody named, and what he confirmed by the migration's name.

AZPG_EXAMPLES=500 tries more combinations than `make test` does. `make leftovers` tries every single option besides, and takes the
guards away one after the other to make sure that this is noticed.
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
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from support.migrations import Migration
from support.servers import USER, ask, catalogue, contents

EXAMPLES = int(os.environ.get("AZPG_EXAMPLES", "12"))
# One has failed, and one is completed and proven wrong.
FAILED, COMPLETED = NAMES = ("endless", "ended")
DATABASES = ("bystander", "postgres", "template1", "seed_small", 'en"dless', "")
ROLES = ("app_owner", "app_read", "postgres", "bystander", "idle", USER, "nobody")
MADE = {"app_owner", "app_read"}
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
DIGEST = "the report's digest"
# What each option may say; the rest of it is for lists.
VALUES = {
    "name": NAMES,
    "module": ("cleanup", "runtime_server"),
    "ends": ("right", "swapped", "source twice", "target twice"),
    "outcome": ("completed", "abandoned", "rolled_back"),
    "confirm": ("its name", None, "other", ""),
    "databases": tuple([name] for name in (*NAMES, *DATABASES)),
    "roles": tuple([name] for name in ROLES),
    "force": (None, "0" * 64, DIGEST),
    "keep": (["reports", "journal"], []),
    "accept": (False, True),
    "check_mode": (False, True),
    # The database on the target does not bear the migration's marks any more: somebody has made it anew.
    "anew": (False, True),
}
OPTIONS = {
    **{option: st.sampled_from(values) for option, values in VALUES.items()},
    "databases": st.lists(st.sampled_from((*NAMES, *DATABASES)), max_size=2, unique=True),
    "roles": st.lists(st.sampled_from(ROLES), max_size=2, unique=True),
}
PLAIN = {
    "module": "cleanup",
    "ends": "right",
    "confirm": "its name",
    "databases": [],
    "roles": [],
    "force": None,
    "keep": [],
    "accept": False,
    "check_mode": False,
    "anew": False,
}
# What may be asked for: every end that a migration can have here.
DOORS = (
    {**PLAIN, "name": FAILED, "outcome": "rolled_back", "databases": [FAILED], "roles": ["app_read"]},
    {**PLAIN, "name": COMPLETED, "outcome": "abandoned"},
    {**PLAIN, "name": FAILED, "outcome": "rolled_back"},
    {**PLAIN, "name": FAILED, "outcome": "abandoned"},
    {**PLAIN, "name": COMPLETED, "outcome": "completed", "force": DIGEST},
)


@st.composite
def combinations(draw) -> dict:
    """Return what may be asked for, with up to three options that say anything: so that each guard is met by itself."""
    found = dict(draw(st.sampled_from(DOORS)))
    for option in draw(st.lists(st.sampled_from(sorted(OPTIONS)), max_size=3, unique=True)):
        found[option] = draw(OPTIONS[option])
    return found


def singles() -> list:
    """Return everything that may be asked for with one option that says something else."""
    return [
        {**door, option: value}
        for option, values in VALUES.items()
        for door in DOORS
        for value in values
        if door[option] != value
    ]


def saved(name: str) -> str:
    """Return the name of the database that a migration's own is put back from."""
    return f"{name}_saved"


@pytest.fixture(scope="module")
def world(lab, tmp_path_factory):
    """Two migrations by name, kept so that they can be put back, and bystanders on both servers."""
    lab.clean_target()
    found = {}
    for name in NAMES:
        lab.new_database(name)
        found[name] = one = Migration(lab, tmp_path_factory.mktemp("ends") / "now", name, [name])
        one.directory.mkdir()
        one.provision()
    ask(lab.source, UNBUILDABLE, FAILED)
    assert "not here" in found[FAILED].module("migration")["msg"]
    found[COMPLETED].migrate()
    ask(lab.target, "DELETE FROM app.quiet WHERE id = 1", COMPLETED)
    verified = found[COMPLETED].module("verification", fail_on="never").good()["verification"]
    assert verified["verdict"] == "MISMATCH"
    ask(lab.target, "CREATE ROLE bystander; CREATE ROLE idle")
    # A role that the migration's user has not made, and that the server would let it drop.
    ask(lab.target, f"GRANT idle TO {USER} WITH ADMIN OPTION")
    ask(lab.target, "CREATE DATABASE bystander OWNER bystander")
    ask(lab.target, "CREATE TABLE precious AS SELECT 1 AS one", "bystander")
    for name, one in found.items():
        ask(lab.target, f"CREATE DATABASE {saved(name)} TEMPLATE {name}")
        shutil.copytree(one.directory, one.directory.with_name("safe"))
    yield types.SimpleNamespace(lab=lab, migrations=found, digest=verified["sha256"])
    for one in found.values():
        one.close()


def put_back(one: Migration, state: dict, number: int) -> None:
    """Bring the migration back to where it was; I(state) is what the target held, I(number) the OID of its database."""
    shutil.rmtree(one.directory)
    shutil.copytree(one.directory.with_name("safe"), one.directory)
    target, server = one.lab.target, state["server"]
    ask(target, f"DROP DATABASE IF EXISTS {one.name}")
    there = {name for (name,) in ask(target, "SELECT rolname FROM pg_roles")}
    for name in (row[1] for row in server if row[0] == "role" and row[1] not in there):
        ask(target, f'CREATE ROLE "{name}"')
    (owner,) = [row[2] for row in server if row[:2] == ("database", one.name)]
    # With its number, or it would not be the database that was verified.
    ask(target, f"CREATE DATABASE {one.name} TEMPLATE {saved(one.name)} OWNER {owner} OID {number}")


def others(found: dict, names) -> dict:
    """Return what of a target's catalogue no end of a migration may touch, whatever it drops of I(names)."""
    server = {row[:2] for row in found["server"] if row[0] in ("database", "role") and row[1] not in names}
    # The helper schema goes also where nothing is named.
    rest = {name: [row for row in rows if row[0] != "azpg_migrate"] for name, rows in found.items()}
    return {"server": server, **{name: rows for name, rows in rest.items() if name not in (*names, "server")}}


def prove(world, name, module, ends, outcome, confirm, databases, roles, force, keep, accept, check_mode, anew) -> None:
    """Ask for the end of a migration with one combination of options, and look at what is there afterwards."""
    lab, one = world.lab, world.migrations[name]
    confirm = name if confirm == "its name" else confirm
    force = world.digest if force == DIGEST else force
    endpoints = {
        "right": ("source", "target"),
        "swapped": ("target", "source"),
        "source twice": ("source", "source"),
        "target twice": ("target", "target"),
    }[ends]
    try:
        request = Request.create(name, *(lab.endpoint(side) for side in endpoints), [name])
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
    layout = Layout.create(name, str(one.state), str(one.directory / "archive"))
    task = types.SimpleNamespace(
        module=None, request=request, layout=layout, check_mode=check_mode, parameters=parameters, secrets=[]
    )
    before = catalogue(lab.target)
    ((number,),) = ask(lab.target, f"SELECT oid FROM pg_database WHERE datname = '{name}'")
    if anew:
        ask(lab.target, "DROP SCHEMA azpg_migrate CASCADE", name)
    source, rows = catalogue(lab.source), {own: contents(lab.source, own) for own in NAMES}
    target = catalogue(lab.target)
    precious, arrived = contents(lab.target, "bystander"), contents(lab.target, name)
    broken = None
    try:
        done = (cleanup if module == "cleanup" else runtime_server).ensure(task)
    except MigrationError:
        done = {"changed": False}
    except Exception as error:
        # What it has done before counts first.
        done, broken = {"changed": True}, error
    try:
        assert catalogue(lab.source) == source, "the source"
        assert {own: contents(lab.source, own) for own in NAMES} == rows, "the rows of the source"
        after = catalogue(lab.target)
        asked = (name, module, ends, outcome, confirm) == (FAILED, "cleanup", "right", "rolled_back", FAILED)
        undone = asked and not check_mode
        may_go = {*databases, *roles} & ({*MADE} if anew else {FAILED, *MADE}) if undone else set()
        assert others(after, may_go) == others(target, may_go), "the target"
        # Taking the runtime server away knows one end only.
        completed = outcome == "completed" or module == "runtime_server"
        opened = (name, completed, force, ends) == (COMPLETED, True, world.digest, "right") and not check_mode
        if not undone and not opened:
            assert after == target, "the target, though nobody has asked for its end"
        assert contents(lab.target, "bystander") == precious
        assert name in may_go or contents(lab.target, name) == arrived, "the rows that have arrived"
        if broken:
            raise broken
        if opened:
            assert done["changed"], "the gate is shut for the right digest too"
        if undone and "state" in done:
            assert {row[1] for row in target["server"]} - {row[1] for row in after["server"]} >= may_go
        abandoned = (name, module, ends, outcome, confirm) == (COMPLETED, "cleanup", "right", "abandoned", COMPLETED)
        if abandoned and not check_mode:
            # Completed and proven wrong: this is the way to be rid of it.
            assert done["state"] == "decommissioned" and done["final_record"]["verification"]["verdict"] == "MISMATCH"
    finally:
        if done["changed"] and not check_mode or anew or catalogue(lab.target) != before:
            put_back(one, before, number)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    # A failure is shown as it was found: to make it smaller takes minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(options=combinations())
@example(options=DOORS[0])
@example(options=DOORS[1])
def test_no_combination_of_options_touches_what_is_not_the_migrations(world, options):
    prove(world, **options)
