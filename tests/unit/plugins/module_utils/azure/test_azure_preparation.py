# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target's parameters: raised as asked, and back to exactly what they were."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure import preparation
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest, PreconditionFailed


def parameter(value, allowed="", kind="Integer", dynamic=True, read_only=False, source="system-default"):
    return {
        "value": value,
        "allowedValues": allowed,
        "dataType": kind,
        "isDynamicConfig": dynamic,
        "isReadOnly": read_only,
        "source": source,
    }


HELD = {
    "autovacuum": parameter("on", "on,off", "Boolean"),
    "max_wal_size": parameter("2048", "32-65536"),
    "maintenance_work_mem": parameter("99328", "1024-2097151", source="user-override"),
    "checkpoint_timeout": parameter("600", "30-86400"),
    "max_replication_slots": parameter("10", "2-262143", dynamic=False),
    "max_parallel_workers": parameter("64", "0-1024"),
    "azure.extensions": parameter("pgcrypto,HSTORE", "", "Set", source="user-override"),
    "shared_preload_libraries": parameter("pg_cron,pg_stat_statements", "", "Set", dynamic=False),
    "fsync": parameter("on", "on,off", "Boolean", read_only=True),
}


def changes(**options) -> list:
    suggestion = preparation.recommended("online", 12, 4, 16384, 256)
    return preparation.plan_changes(preparation.wanted_parameters(options, HELD, suggestion), HELD)


def lines(found: list) -> list:
    return [change.line for change in found]


def test_nothing_is_changed_that_is_not_asked_for():
    assert changes() == []
    assert lines(changes(parameters={"checkpoint_timeout": 3600})) == ["parameter checkpoint_timeout: 600 -> 3600"]
    assert changes(parameters={"checkpoint_timeout": 600, "autovacuum": True}) == []


def test_recommended_values_fit_the_target_and_never_make_smaller_what_is_to_hold_enough():
    found = {change.name: change.new for change in changes(recommended_parameters=True)}
    assert found == {
        "autovacuum": "off",
        "checkpoint_timeout": "3600",
        "maintenance_work_mem": "2097151",
        "max_replication_slots": "13",
        "max_wal_size": "32768",
    }
    named = changes(recommended_parameters=True, parameters={"autovacuum": "on", "max_wal_size": 4096})
    assert {change.name for change in named} == set(found) - {"autovacuum"}
    assert next(change.new for change in named if change.name == "max_wal_size") == "4096"


def test_lists_are_added_to_and_never_replaced():
    (change,) = changes(extensions=["hstore", "vector", "vector"])
    assert change.new == "pgcrypto,HSTORE,vector"
    (change,) = changes(libraries=["pg_cron", "age"])
    assert (change.new, change.static) == ("pg_cron,pg_stat_statements,age", True)
    assert changes(extensions=["PGCRYPTO"]) == []


def test_what_is_not_offered_is_said_with_what_may_be_meant():
    offered = {"azure.extensions": {"value": "", "allowedValues": "hstore,pgcrypto,vector"}}
    with pytest.raises(
        InvalidRequest, match=r"'azure_target.extensions' names vectr.*not offer.*The closest is vector"
    ):
        preparation.wanted_parameters({"extensions": ["hstore", "vectr"]}, offered, {})
    with pytest.raises(InvalidRequest, match="It offers hstore, pgcrypto, vector"):
        preparation.wanted_parameters({"extensions": ["xyz"]}, offered, {})
    assert preparation.wanted_parameters({"extensions": ["Vector"]}, offered, {}) == {"azure.extensions": "Vector"}


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"no_such": 1}, "which the target does not have"),
        ({"max_wal_siz": 1}, "which the target does not have.*The closest is max_wal_size"),
        ({"fsync": "off"}, "does not let anybody set"),
        ({"max_wal_size": 99999}, "allowed is 32-65536"),
        ({"max_wal_size": "many"}, "allowed is 32-65536"),
        ({"autovacuum": "maybe"}, "allowed is on,off"),
    ],
)
def test_what_cannot_be_set_is_said_before_anything_is(parameters, problem):
    with pytest.raises(InvalidRequest, match=problem):
        changes(parameters=parameters)


def test_a_restart_has_to_be_allowed():
    static = changes(parameters={"max_replication_slots": 20, "checkpoint_timeout": 900})
    with pytest.raises(PreconditionFailed, match="restarted for max_replication_slots"):
        preparation.require_restart_allowed(static, False)
    preparation.require_restart_allowed(static, True)
    preparation.require_restart_allowed(changes(parameters={"checkpoint_timeout": 900}), False)


def applied(held: dict, done: list) -> dict:
    """Return the parameters as they are after some changes."""
    new = {change.name: change for change in done}
    return {
        name: {**words, "value": new[name].new, "source": "user-override"} if name in new else words
        for name, words in held.items()
    }


@pytest.mark.parametrize("done", range(6))
def test_wherever_it_stops_the_record_brings_everything_back(done):
    planned = changes(recommended_parameters=True, extensions=["vector"])
    record = preparation.record_of(planned, {})
    after = applied(HELD, planned[:done])
    # A second run plans what is left, and does not overwrite what was.
    again = preparation.plan_changes(
        preparation.wanted_parameters(
            {"recommended_parameters": True, "extensions": ["vector"]},
            after,
            preparation.recommended("online", 12, 4, 16384, 256),
        ),
        after,
    )
    assert [change.name for change in again] == [change.name for change in planned[done:]]
    assert preparation.record_of(again, record) == {}
    full = applied(after, again)
    back = preparation.plan_restoration(record, full)
    restored = applied(full, back)
    for name, words in HELD.items():
        if name not in preparation.LISTS:
            assert preparation.same_value(restored[name]["value"], words["value"]), name
    assert {change.name: change.source for change in back}["maintenance_work_mem"] == "user-override"
    assert {change.name: change.source for change in back}["autovacuum"] == "system-default"
    assert preparation.plan_restoration(record, restored) == []


def test_what_was_is_told_apart_from_other_tags_and_sizes():
    tags = {
        "team": "dba",
        "azpg-was-sku": "Standard_D2s_v3/GeneralPurpose",
        "azpg-was-autovacuum": "system-default:on",
        "azpg-was-search_path": 'user-override:"a:b", c',
    }
    assert preparation.recorded(tags) == {
        "autovacuum": ("system-default", "on"),
        "search_path": ("user-override", '"a:b", c'),
    }
    assert preparation.recorded_sku(tags) == ("Standard_D2s_v3", "GeneralPurpose")
    assert preparation.recorded_sku({}) is None


def test_a_value_that_no_tag_holds_is_refused_before_anything_is_changed():
    held = {"search_path": parameter("x" * 300, "", "String")}
    planned = preparation.plan_changes({"search_path": "public"}, held)
    with pytest.raises(PreconditionFailed, match="too long"):
        preparation.record_of(planned, {})


@pytest.mark.parametrize(("old", "new"), list(itertools.product(("3600", "3600.0", " 3600"), repeat=2)))
def test_the_same_value_in_another_spelling_is_no_change(old, new):
    assert preparation.same_value(old, new)
