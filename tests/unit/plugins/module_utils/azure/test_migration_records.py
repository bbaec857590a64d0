# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migration records of Azure's service: read as Microsoft recorded and documented them, and told in our words."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations import identity
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.deadlines import deadlines_of, warnings_of
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.error_codes import BY_CODE, TABLE, explain
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.progress import progress_of
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.record import Record
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.story import Story
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.validation import findings_of, rule_of
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.words import (
    parse_time,
    pick,
    same_place,
    squeezed,
)
from ansible_collections.azpg.migrate.plugins.module_utils._core import status
from ansible_collections.azpg.migrate.plugins.module_utils._core.findings import SUCCEEDED
from ansible_collections.azpg.migrate.plugins.module_utils._core.progress_lines import progress_line
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request

DATA = Path(__file__).resolve().parents[4] / "azure_simulator" / "data"
SERVER = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers"
NOW = datetime(2026, 10, 20, 12, tzinfo=timezone.utc)


def request(*databases, mode="online"):
    return Request.create(
        "shop",
        {"host": "10.0.0.1", "user": "m", "password": "a"},
        {"host": "t", "user": "a", "password": "b"},
        databases or ["shop"],
        provider="azure",
        mode=mode,
        target_server_id=f"{SERVER}/target",
    )


def wire(state="InProgress", substate=None, databases=("shop",), details=None, run=1, batch=1, **more):
    """Return a record as the service writes it."""
    below = {"currentSubState": substate, "dbDetails": details or {}} if substate else None
    asked = more.pop("asked", request(*databases))
    place = identity.Place(more.pop("kind", identity.MIGRATE), batch, run)
    name = identity.record_name(asked.name, asked.hash, place)
    return {
        "id": f"{SERVER}/target/migrations/{name}",
        "name": name,
        "tags": {**identity.tags(asked.name, asked.hash, place), **more.pop("tags", {})},
        "properties": {
            "currentStatus": {
                "state": state,
                **({"error": more.pop("error")} if "error" in more else {}),
                **({"currentSubStateDetails": below} if below else {}),
            },
            "migrationMode": "Online",
            "migrationOption": "Validate" if place.kind == identity.VALIDATE else "ValidateAndMigrate",
            "dbsToMigrate": list(databases),
            "migrationWindowStartTimeInUtc": more.pop("started", "2026-10-20T10:00:00.1234567Z"),
            **more,
        },
    }


def detail(state, **more):
    return {"migrationState": state, "startedOn": "2026-10-20T10:00:00Z", "latency": 3, **more}


def recorded():
    """Yield every migration that Microsoft recorded an answer about, but for the private preview of 2021."""
    for path in sorted(DATA.glob("recordings/migrations/202[2-9]*.json")):
        for exchange in json.loads(path.read_text(encoding="utf-8")):
            body = exchange.get("responseBody")
            if not isinstance(body, dict):
                continue
            for one in body.get("value", [body]):
                if str(one.get("type", "")).lower().endswith("/migrations") and "properties" in one:
                    yield pytest.param(one, id=f"{path.stem}-{exchange['n']}")


def examples():
    """Yield every migration of the examples of Microsoft's API description."""
    for path in sorted(DATA.rglob("examples/Migrations_Get*.json")):
        answers = json.loads(path.read_text(encoding="utf-8"))["responses"]
        yield pytest.param(answers["200"]["body"], id=path.stem)


@pytest.mark.parametrize("body", [*recorded(), *examples()])
def test_what_microsoft_shows_is_understood(body):
    record = Record.read(body)
    assert record.state in (status.RUNNING, status.FAILED, status.CANCELLED, status.COMPLETED)
    assert record.databases
    assert record.started.tzinfo
    assert record.active == (record.state == status.RUNNING)
    # Whatever is read can be told.
    asked = request(*record.databases)
    marked = {**body, "tags": identity.tags(asked.name, asked.hash, identity.Place(identity.MIGRATE, 1, 1))}
    told = progress_of(Story.read(asked, [Record.read(marked)]), NOW)
    assert progress_line(told)
    json.dumps(told)


def test_the_recorded_refusal_of_a_second_migration_is_recognised():
    refused = [Record.read(one.values[0]) for one in recorded() if "already an active" in json.dumps(one.values[0])]
    assert refused
    assert all(record.turned_away and record.substate in ("completed", "completingmigration") for record in refused)


def test_validations_of_the_examples_come_in_the_shape_of_the_checks():
    bodies = {one.id: one.values[0] for one in examples()}
    failed = findings_of(Record.read(bodies["Migrations_GetMigrationWithValidationFailures"]))
    grave = [one for one in failed if one.status == "failed"]
    assert [one.object for one in grave] == ["c.utf-8", "UnknownCollationTest"]
    assert {(one.rule, one.level, one.side) for one in grave} == {("service-extensions", "database", "source")}
    assert "postgres_fdw" in grave[0].found and "Drop the extension" in grave[0].remedy
    good = findings_of(Record.read(bodies["Migrations_GetMigrationWithSuccessfulValidationOnly"]))
    assert {one.status for one in good} == {SUCCEEDED}
    assert len(good) == 6


@pytest.mark.parametrize(
    ("word", "plain"),
    [("Validation Failed", "validationfailed"), ("in-progress", "inprogress"), ("Cancelled", "canceled"), (None, "")],
)
def test_odd_spellings_are_one_word(word, plain):
    assert squeezed(word) == plain


def test_regions_moments_and_keys_are_read_with_tolerance():
    assert same_place("eastus2euap", "East US 2 EUAP")
    assert parse_time("2024-11-16T05:13:53.9365365Z") == datetime(2024, 11, 16, 5, 13, 53, 936536, tzinfo=timezone.utc)
    assert parse_time("2023-08-21T13:04:24+02:00").utcoffset() == timedelta(hours=2)
    assert parse_time("2023-08-21T13:04:24").tzinfo == timezone.utc
    assert parse_time("soon") is parse_time(None) is None
    assert pick({"dBsToMigrate": ["a"]}, "dbsToMigrate") == ["a"]
    assert rule_of("ServerParametersValidation") == "service-server-parameters"


def test_a_substate_is_never_taken_for_success():
    for state, ours in (("Failed", "failed"), ("ValidationFailed", "failed"), ("Canceled", "cancelled")):
        assert Record.read(wire(state, "Completed")).state == ours


@pytest.mark.parametrize(
    ("state", "substate", "details", "expected"),
    [
        (
            "WaitingForUserAction",
            "WaitingForCutoverTrigger",
            {"shop": detail("WaitingForCutoverTrigger")},
            "replicating",
        ),
        ("InProgress", "WaitingForCutoverTrigger", {"shop": detail("WaitingForCutoverTrigger")}, "replicating"),
        ("WaitingForUserAction", "WaitingForCutoverTrigger", {"shop": detail("InProgress")}, "running"),
        # Of a database that the service says nothing of, nobody knows whether it waits.
        ("WaitingForUserAction", "WaitingForCutoverTrigger", {}, "running"),
        ("WaitingForUserAction", "WaitingForTargetDBOverwriteConfirmation", {}, "waiting"),
        ("WaitingForUserAction", "WaitingForDataMigrationWindow", {}, "running"),
        ("CleaningUp", "CompletingMigration", {}, "running"),
        ("Pondering", "", {}, "running"),
    ],
)
def test_states_become_our_words(state, substate, details, expected):
    assert Record.read(wire(state, substate, details=details)).state == expected


def test_names_fit_the_services_rule_and_are_one_per_run():
    asked = request()
    names = {
        identity.record_name(asked.name, asked.hash, identity.Place(kind, batch, run))
        for kind in identity.LETTER
        for batch in (1, 2)
        for run in (1, 2)
    }
    assert len(names) == 8
    for name in names:
        assert name.isalnum() and name.islower() and name[0].isalpha()
    long = identity.record_name("a-b_" * 15, asked.hash, identity.Place(identity.MIGRATE, 12, 34))
    assert len(long) <= 63
    for value in identity.tags(asked.name, asked.hash, identity.Place(identity.MIGRATE, 1, 1)).values():
        assert len(value) <= 256


def test_tags_that_were_edited_tell_no_place():
    for tags in ({}, {"azpg-kind": "migrate", "azpg-batch": "x", "azpg-run": "1"}, {"azpg-kind": "other"}):
        assert identity.place_of(tags) is None


# -- what several records tell together -------------------------------------------------------------------------------


def story(*wires, databases=("shop",), named=None):
    return Story.read(request(*databases), [Record.read(one) for one in wires], named)


def test_no_record_is_no_migration():
    assert story().state == status.ABSENT
    assert progress_of(story(), NOW)["state"] == "absent"


def test_what_was_turned_away_is_queued_and_never_began():
    away = wire("Failed", "Completed", error="There is already an active Migration Running on this target.")
    told = story(away)
    assert (told.state, told.remaining, told.next_run(identity.MIGRATE)) == ("queued", ("shop",), 2)


def test_databases_are_told_by_the_newest_record_that_names_them():
    both = request("a", "b")
    first = wire(
        "Failed", "Completed", ("a", "b"), {"a": detail("Succeeded"), "b": detail("Failed", message="no")}, asked=both
    )
    told = story(first, databases=("a", "b"))
    assert (told.state, told.remaining) == ("failed", ("b",))
    second = wire("InProgress", "MigratingData", ("b",), {"b": detail("InProgress")}, run=2, asked=both)
    told = story(second, first, databases=("a", "b"))
    assert (told.state, told.remaining, told.database_state("a")) == ("running", (), "completed")
    done = wire("Succeeded", "Completed", ("b",), {"b": detail("Succeeded")}, run=2, asked=both)
    assert story(first, done, databases=("a", "b")).state == "completed"


def test_a_batch_that_is_to_come_is_queued():
    both = request("a", "b")
    done = wire("Succeeded", "Completed", ("a",), {"a": detail("Succeeded")}, asked=both)
    told = story(done, databases=("a", "b"))
    assert (told.state, told.remaining) == ("queued", ("b",))


def test_a_validation_moves_nothing():
    told = story(wire("Succeeded", "Completed", kind=identity.VALIDATE))
    assert (told.state, len(told.validations), told.moves) == ("absent", 1, ())


def test_others_that_are_active_stand_in_the_way():
    other = wire("InProgress", "MigratingData", asked=request("crm"))
    told = story(other)
    assert (told.state, told.namesake.databases) == ("absent", ("shop",))
    assert [record.name for record in told.others] == [other["name"]]


def test_an_ended_record_speaks_for_databases_that_it_leaves_open():
    told = story(wire("Canceled", "Completed", details={"shop": detail("InProgress")}))
    assert told.database_state("shop") == "cancelled"
    assert story(wire("Succeeded", "Completed")).state == "completed"


# -- errors and deadlines ---------------------------------------------------------------------------------------------


def test_every_documented_code_is_explained_once():
    codes = [row[0] for row in TABLE]
    assert len(codes) == len(set(codes)) == len(BY_CODE)
    documented = [
        *("603000 603001 603100 603101 603102 603103 603104 603105 603106 603107 603108 603109 603110 603111").split(),
        *("603112 603113 603114 603115 603116 603117 603400 603401 603402 603403 603404 603405 603406 603407").split(),
        *("603408 603409 603410 603413 603700 603701 603702 603703 603704 603705 603706 603707 603708 603709").split(),
    ]
    assert set(documented) <= set(BY_CODE)
    for explanation in BY_CODE.values():
        assert explanation.meaning.endswith(".") and explanation.remedy.endswith(".")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("shop: 603405 and 603108, 603405", ["603405", "603108"]),
        ("ST008: cannot reach", ["ST008"]),
        ("603999: new", ["603999"]),
        ("1603405", []),
        ("FATAL: terminating connection due to idle-in-transaction timeout", [""]),
        ("all is well", []),
    ],
)
def test_texts_are_explained_by_their_codes(text, codes):
    assert [explanation.code for explanation in explain(text)] == codes


def waiting(**more):
    details = {"shop": detail("WaitingForCutoverTrigger")}
    return Record.read(wire("WaitingForUserAction", "WaitingForCutoverTrigger", details=details, **more))


def test_deadlines_are_alarmed_a_day_before():
    began = NOW - timedelta(hours=100)
    since = NOW - timedelta(hours=47)
    tags = {identity.REPLICATING_SINCE: f"{since:%Y-%m-%dT%H:%M:%SZ}"}
    record = waiting(started=f"{began:%Y-%m-%dT%H:%M:%SZ}", tags=tags)
    assert deadlines_of(record).cut_over_by == since + timedelta(hours=72)
    assert warnings_of(record, NOW) == []
    (warning,) = warnings_of(record, NOW + timedelta(hours=2))
    assert "23 h 0 min left" in warning
    assert "that has passed" in warnings_of(record, NOW + timedelta(hours=30))[0]


def test_without_a_tag_the_cutover_is_alarmed_early_and_the_lifetime_bounds_it():
    record = waiting(started=f"{NOW - timedelta(hours=60):%Y-%m-%dT%H:%M:%SZ}")
    assert "at the earliest" in warnings_of(record, NOW)[0]
    late = f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    old = waiting(started=f"{NOW - timedelta(hours=160):%Y-%m-%dT%H:%M:%SZ}", tags={identity.REPLICATING_SINCE: late})
    assert deadlines_of(old).cut_over_by == deadlines_of(old).ends_by


def test_what_runs_for_six_days_is_told_and_what_ended_has_no_deadline():
    started = f"{NOW - timedelta(hours=150):%Y-%m-%dT%H:%M:%SZ}"
    running = Record.read(wire("InProgress", "MigratingData", started=started))
    assert "runs for nearly seven days" in warnings_of(running, NOW)[0]
    ended = Record.read(wire("Succeeded", "Completed", started=started))
    assert deadlines_of(ended).as_dict() == {"ends_by": None, "cut_over_by": None}


def test_progress_counts_tables_and_tells_the_largest_lag():
    details = {
        "a": detail(
            "WaitingForCutoverTrigger", fullLoadCompletedTables=4, latency=7, incomingChanges=9, appliedChanges=8
        ),
        "b": detail("WaitingForCutoverTrigger", fullLoadCompletedTables=2, fullLoadErroredTables=1, latency=2),
    }
    asked = request("a", "b")
    told = progress_of(
        story(
            wire("WaitingForUserAction", "WaitingForCutoverTrigger", ("a", "b"), details, asked=asked),
            databases=("a", "b"),
        ),
        NOW,
    )
    assert (told["tables_done"], told["tables_total"], told["lag_seconds"]) == (6, 7, 7.0)
    assert [entry["changes_applied"] for entry in told["databases"]] == [8, 0]
    line = progress_line(told)
    assert "waits for cutover" in line and "tables 6/7" in line and "7 s behind" in line and len(line) <= 160


def test_odd_counts_of_the_service_do_not_break_the_reading():
    record = Record.read(
        wire("InProgress", "MigratingData", details={"shop": {"migrationState": None, "latency": "2.5"}})
    )
    assert record.details[0].lag_seconds == 2.5
    assert record.details[0].counts["tables_done"] == 0
