# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of Azure's migration service: batches, bodies, words, and refusals before anything is sent."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations import bodies, identity
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.batches import (
    Batch,
    batches,
    check_options,
)
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.listing import SharedFiles
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.options import Options
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.record import Record
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.azpg.migrate.plugins.module_utils._core.goals import reached
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._core.resource_id import ResourceId
from ansible_collections.azpg.migrate.plugins.module_utils._core.watching import Watching
from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import SERVICE

GROUP = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL"
SECRET = "s3cret"


def request(mode="offline", single=False, **source):
    words = {"host": "10.0.0.1", "port": 6000, "user": "m", "password": SECRET, **source}
    return Request.create(
        "shop",
        {word: value for word, value in words.items() if value is not None},
        {"host": "t", "user": "a", "password": "b"},
        ["a", "b", "c"],
        provider="azure",
        mode=mode,
        source_server_id=f"{GROUP}/servers/old" if single else None,
        target_server_id=f"{GROUP}/flexibleServers/target",
        runtime_server_id=f"{GROUP}/flexibleServers/runtime",
    )


def body(asked, batch=None, option=bodies.BOTH, **options):
    wishes = Options(**options).wishes
    return bodies.create(
        asked, wishes, batch or Batch(1, ("a", "b", "c")), option, "East US", asked.runtime_server_id, {"t": "1"}
    )


def test_a_body_says_everything_and_passwords_only_where_they_belong():
    asked = request("online", sslmode="require")
    made = body(
        asked,
        migration_window_start="2026-10-31T22:00:00+02:00",
        source_server_fqdn="src.example.org",
        target_server_fqdn="10.1.1.1",
    )
    properties = made["properties"]
    assert properties.pop("secretParameters") == {
        "adminCredentials": {"sourceServerPassword": SECRET, "targetServerPassword": "b"},
        "targetServerUsername": "a",
    }
    assert properties == {
        "migrationMode": "Online",
        "migrationOption": "ValidateAndMigrate",
        "sourceType": "OnPremises",
        "sslMode": "Require",
        "sourceDbServerResourceId": "10.0.0.1:6000@m",
        "sourceDbServerFullyQualifiedDomainName": "src.example.org",
        "targetDbServerFullyQualifiedDomainName": "10.1.1.1",
        "migrationInstanceResourceId": f"{GROUP}/flexibleServers/runtime",
        "dbsToMigrate": ["a", "b", "c"],
        "overwriteDbsInTarget": "False",
        "setupLogicalReplicationOnSourceDbIfNeeded": "False",
        "migrateRoles": "False",
        "migrationWindowStartTimeInUtc": "2026-10-31T20:00:00Z",
    }
    assert (made["location"], made["tags"]) == ("East US", {"t": "1"})
    assert SECRET not in str(made)


def test_a_single_server_is_named_by_its_id_and_its_user_goes_with_the_secrets():
    made = body(request(single=True), migrate_roles=True)["properties"]
    assert made["sourceDbServerResourceId"] == f"{GROUP}/servers/old"
    assert made["secretParameters"]["sourceServerUsername"] == "m"
    assert (made["sourceType"], made["sslMode"], made["migrateRoles"]) == (
        "PostgreSQLSingleServer",
        "VerifyFull",
        "True",
    )


@pytest.mark.parametrize(
    ("word", "single", "theirs"),
    [
        (None, False, "Prefer"),
        ("disable", False, "Prefer"),
        ("require", False, "Require"),
        ("verify-full", False, "Require"),
        (None, True, "VerifyFull"),
        ("verify-ca", True, "VerifyCA"),
        ("prefer", True, "Prefer"),
    ],
)
def test_sslmode_becomes_the_services_word(word, single, theirs):
    assert bodies.ssl_mode(request(single=single, sslmode=word)) == theirs


def test_a_certificate_that_nobody_checks_is_told():
    assert "counts as 'require'" in bodies.remarks(request(sslmode="verify-full"))[0]
    assert (
        bodies.remarks(request(sslmode="require")) == bodies.remarks(request(single=True, sslmode="verify-full")) == []
    )


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ({"password": None}, {}, "needs 'source.password'"),
        ({"user": None}, {}, "needs 'source.user'"),
        ({"host": None, "service": "x"}, {}, "needs the address of the source"),
        ({}, {"migrate_roles": True}, "from a Single Server only"),
        ({"mode": "online"}, {"setup_logical_replication": True}, "on a Single Server for mode 'online' only"),
        ({}, {"migration_window_start": "tonight"}, "'migration_window_start' is 'tonight'"),
        ({}, {"cutover_databases": ["x"]}, "'cutover_databases' names x"),
        ({}, {"overwrite_databases": ["x"]}, "'overwrite_databases' names x"),
        ({}, {"batch_size": 51}, "'batch_size' is 51"),
        ({}, {"runtime_concurrency": -1}, "'runtime_concurrency' is -1"),
        ({"mode": "online"}, {"max_lag": -1}, "'max_lag' is -1"),
        ({"mode": "online"}, {"batch_size": 2}, "3 databases are to be migrated online"),
        ({"mode": "online"}, {"overwrite_databases": ["a"]}, "a may be overwritten on the target and b, c may not"),
        ({}, {"groups": [["a", "b"]]}, "'groups' does not name c"),
        ({}, {"groups": [["a", "b"], ["c", "a"]]}, "'groups' names more than once a"),
        ({}, {"groups": [["a", "b", "c", "d"]]}, "names databases that are not migrated: d"),
        ({}, {"groups": [["a", "b", "c"], []]}, "has 0 databases"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_name(words, options, message):
    with pytest.raises(InvalidRequest, match=message):
        Options(**options).check(request(**words))


@pytest.mark.parametrize(
    ("host", "other"),
    [
        ("shop.postgres.database.azure.com", False),
        ("SHOP.Postgres.Database.Azure.com.", False),
        ("shop2.postgres.database.azure.com", True),
        ("shop2.postgres.database.usgovcloudapi.net", True),
        ("pair.writer.postgres.database.azure.com", False),
        ("shop.privatelink.postgres.database.azure.com", False),
        ("10.0.0.5", False),
        ("db.example.org", False),
        (None, False),
    ],
)
def test_a_target_that_is_two_servers_is_noticed_by_its_name(host, other):
    assert bodies.another_server(host, "shop") is other


def test_batches_keep_order_size_and_leave_to_overwrite_apart():
    names = tuple("abcdefg")
    assert [batch.databases for batch in batches(names, 3, None, [])] == [tuple("abc"), tuple("def"), ("g",)]
    found = batches(names, 3, None, ["b", "g"])
    assert [(batch.number, batch.databases, batch.overwrite) for batch in found] == [
        (1, ("a", "c", "d"), False),
        (2, ("e", "f"), False),
        (3, ("b", "g"), True),
    ]
    assert [batch.databases for batch in batches(names, 8, [["g"], list("abcdef")], [])] == [("g",), tuple("abcdef")]
    check_options(names, "online", 4, [list("abcd"), list("efg")], list("efg"))


def test_what_is_left_of_groups_stays_together():
    options = Options(groups=[["a", "b"], ["c"]])
    assert [batch.databases for batch in options.batches(("b", "c"))] == [("b",), ("c",)]


def test_the_modules_defaults_are_the_types():
    usual = Options()
    for word, option in SERVICE.items():
        assert getattr(usual, word) == option.get("default"), word
    assert Options.of({word: option.get("default") for word, option in SERVICE.items()}) == usual


def test_answers_to_what_the_service_asks():
    assert bodies.answer("waitingfortargetdboverwriteconfirmation", ["a"]) == {
        "properties": {"overwriteDbsInTarget": "True"}
    }
    assert bodies.answer("waitingfordbstomigratespecification", ["a"])["properties"] == {"dbsToMigrate": ["a"]}
    assert bodies.answer("migratingdata", ["a"]) is None


def test_a_record_that_is_not_what_was_asked_for_is_told_apart():
    asked = request()
    made = body(asked)
    good = {
        "id": f"{GROUP}/flexibleServers/target/migrations/m",
        "properties": {**made["properties"], "currentStatus": {"state": "InProgress"}, "migrationMode": "offline"},
    }
    assert bodies.deviations(made, Record.read(good)) == []
    for word, value, expected in (
        ("migrationInstanceResourceId", None, "its runtime server is none instead of"),
        ("migrationMode", "Online", "its mode is online instead of offline"),
        ("migrationOption", "Migrate", "its option is migrate instead of validateandmigrate"),
        ("dbsToMigrate", ["a"], "its databases are a instead of a, b, c"),
    ):
        odd = {**good, "properties": {**good["properties"], word: value}}
        (found,) = bodies.deviations(made, Record.read(odd))
        assert expected in found


def test_the_name_is_the_hash_of_the_request():
    one, other = request(), dataclasses.replace(request(), databases=("a", "b"))
    place = identity.Place(identity.MIGRATE, 1, 1)
    assert identity.record_name("shop", one.hash, place) != identity.record_name("shop", other.hash, place)


# -- shared lists -----------------------------------------------------------------------------------------------------


def test_a_list_is_asked_for_once_by_those_who_may_wait(tmp_path):
    files, asked = SharedFiles(str(tmp_path / "kept")), []

    def ask():
        asked.append(1)
        return len(asked)

    assert [files.fetch("k", ask, 60) for _attempt in range(3)] == [1, 1, 1]
    assert SharedFiles(str(tmp_path / "kept")).fetch("k", ask, 60) == 1
    assert files.fetch("k", ask) == 2
    files.forget("k")
    assert files.fetch("k", ask, 60) == 3
    assert files.fetch("other", ask, 60) == 4
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "kept").glob("*.json")} == {0o600}


def test_nothing_is_kept_where_nothing_can_be(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    for files in (SharedFiles(None), SharedFiles(str(tmp_path / "file" / "below"))):
        with files.lock("k"):
            assert [files.fetch("k", lambda: "x", 60) for _attempt in range(2)] == ["x", "x"]


def test_a_damaged_file_is_asked_for_again(tmp_path):
    files = SharedFiles(str(tmp_path))
    files.fetch("k", lambda: 1, 60)
    for path in tmp_path.glob("*.json"):
        path.write_text("{", encoding="utf-8")
    assert files.fetch("k", lambda: 2, 60) == 2


# -- goals and watching -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "progress", "expected"),
    [
        ("completed", {"state": "completed"}, True),
        ("replicating", {"state": "completed"}, True),
        ("replicating", {"state": "replicating", "lag_seconds": 10}, True),
        ("replicating", {"state": "replicating", "lag_seconds": 11}, False),
        ("replicating", {"state": "replicating", "lag_seconds": None}, False),
        ("completed", {"state": "replicating", "lag_seconds": 0}, False),
    ],
)
def test_goals(goal, progress, expected):
    assert reached(goal, progress, 10) is expected


def test_a_goal_of_some_databases():
    progress = {
        "state": "replicating",
        "databases": [{"name": "a", "state": "completed"}, {"name": "b", "state": "replicating"}],
    }
    assert reached("completed", progress, 10, ["a"])
    assert not reached("completed", progress, 10, ["a", "b"])


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_standstill_is_told_once_per_period():
    clock = Clock()
    watching = Watching(clock, standstill=100)
    progress = {"state": "running", "phase": "data is on its way", "databases": [{"name": "a", "state": "running"}]}
    told = []
    for clock.now in range(0, 250, 10):
        told += watching.notice(progress)
    assert [words[:34] for words in told] == [
        "Nothing has moved for 1 min 40 s: ",
        "Nothing has moved for 3 min 20 s: ",
    ]
    moved = {**progress, "databases": [{"name": "a", "state": "running", "tables_done": 1}]}
    assert watching.notice(moved) == []
    for excused in ({"phase": "waits for the beginning of its window"}, {"current": [1]}):
        clock.now += 1000
        assert watching.notice({**moved, **excused}) == []


def test_a_lag_that_only_grows_is_told():
    clock = Clock()
    watching = Watching(clock, trend=100)
    told = []
    for clock.now in range(0, 400, 10):
        told += watching.falling_behind({"state": "replicating", "lag_seconds": 50 + clock.now})
    assert len(told) == 3 and "falls behind" in told[0]
    clock.now = 1000
    watching = Watching(clock, trend=100)
    for step in range(40):
        clock.now += 10
        assert watching.falling_behind({"state": "replicating", "lag_seconds": 100 + step % 3}) == []
    assert watching.falling_behind({"state": "running", "lag_seconds": None}) == []


def test_ids_that_differ_in_case_are_one_runtime_server():
    left = ResourceId.parse(f"{GROUP}/flexibleServers/Runtime")
    assert left == ResourceId.parse(f"{GROUP}/flexibleservers/runtime".replace("resourceGroups", "RESOURCEGROUPS"))
