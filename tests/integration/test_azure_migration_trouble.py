# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trouble at every step of a migration of Azure's service: it is got over, or told in the right words and healed by one more run."""

from __future__ import annotations

import itertools
import re
import time
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure import retrying
from ansible_collections.azpg.migrate.plugins.module_utils._azure.errors import Forbidden
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.backend import AzureBackend
from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.occupancy import FRESH
from support.azure_migrations import kill
from support.waiting import wait_for

# Every kind of request that an online migration makes, in the order of the way.
STEPS = {
    "list": ("GET", r"/flexibleServers/target/migrations\?"),
    "servers": ("GET", r"Microsoft.DBforPostgreSQL/flexibleServers\?"),
    "target": ("GET", r"/flexibleServers/target\?"),
    "runtime server": ("GET", r"/flexibleServers/runtime\?"),
    "name": ("POST", "checkMigrationNameAvailability"),
    "create": ("PUT", "/migrations/"),
    "look": ("GET", r"/migrations/azpg"),
    "tag": ("PATCH", "/migrations/"),
    "cut over": ("PATCH", "/migrations/"),
}
PASSING = {
    "throttled": {"retry_after": "0.05"},
    "throttled without a hint": {},
    "gateway_timeout": {},
    "gateway_timeout after it took effect": {"applied": True},
    "server_error": {},
    "server_error after it took effect": {"applied": True},
    "unavailable": {"applied": True},
    "busy": {},
    "lost_before": {},
    "lost_after": {},
    "cut_short": {},
    "slow": {"seconds": 0.2},
}


@pytest.fixture
def hasty(monkeypatch):
    """Pauses between attempts as short as the simulator's hours."""
    monkeypatch.setattr(retrying, "growing_pauses", lambda: itertools.repeat(0.02))


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_is_got_over_at_every_step(make, hasty, kind):
    shop = make()
    troubles = {}
    for step, (method, path) in STEPS.items():
        # Trouble of the cutover lets the second attempt to tag pass.
        after = 1 if step == "cut over" and kind != "slow" else 0
        troubles[step] = shop.azure.trouble.add(kind.split()[0], method=method, path=path, after=after, **PASSING[kind])
    done = shop.ensure(mode="online")
    assert (done["changed"], done["state"]) == (True, "completed")
    assert {step: trouble.hits for step, trouble in troubles.items()} == dict.fromkeys(STEPS, 1)
    assert shop.states == ["Succeeded"]
    assert shop.ensure(mode="online")["changed"] is False


@pytest.mark.parametrize("step", STEPS)
def test_what_is_refused_is_told_and_one_more_run_heals_it(make, step):
    shop = make()
    method, path = STEPS[step]
    after = 1 if step == "cut over" else 0
    shop.azure.trouble.add("refused", method=method, path=path, after=after, message="Not allowed here.")
    if step == "servers":
        # Whose other targets nobody may see, his migrations are not waited for.
        assert shop.ensure(mode="online")["state"] == "completed"
        return
    with pytest.raises(Forbidden, match="AuthorizationFailed: Not allowed here") as caught:
        shop.ensure(mode="online")
    assert re.search(path.replace(r"\?", ""), caught.value.msg)
    done = shop.ensure(mode="online")
    assert (done["changed"], done["state"]) == (True, "completed")
    assert shop.states == ["Succeeded"]


def test_trouble_while_cancelling_is_got_over(make, hasty):
    shop = make()
    shop.azure.trouble.add("slow_states", factor=50)
    shop.ensure(wait=False)
    patch = shop.azure.trouble.add("lost_after", method="PATCH", path="/migrations/")
    look = shop.azure.trouble.add("gateway_timeout", method="GET", path="/databases")
    assert shop.ensure("cancelled")["state"] == "cancelled"
    assert (patch.hits, look.hits) == (1, 1)
    assert shop.states == ["Canceled"]


@pytest.mark.parametrize("moment", ["before the answer", "after the answer"])
def test_a_controller_that_dies_while_it_begins_leaves_a_migration_to_attach_to(make, moment):
    shop = make()
    shop.azure.trouble.add("slow_states", factor=20)
    if moment == "before the answer":
        shop.azure.trouble.add("slow", method="PUT", path="/migrations/", seconds=20)
    process = shop.begin_module(poll_interval=1)
    wait_for(lambda: shop.records, "the record")
    kill(process)
    shop.azure.trouble.clear()
    done = shop.ensure()
    assert (done["changed"], done["state"]) == (False, "completed")
    assert len(shop.records) == len(shop.sent("PUT")) == 1


def test_a_controller_that_dies_while_it_cuts_over_is_replaced(make):
    shop = make()
    shop.ensure("replicating", mode="online")
    shop.azure.trouble.add("slow", method="PATCH", path="/migrations/", seconds=20)
    before = len(shop.sent("PATCH"))
    process = shop.begin_module(mode="online", poll_interval=1)
    wait_for(lambda: len(shop.sent("PATCH")) > before, "the cutover")
    kill(process)
    shop.azure.trouble.clear()
    assert shop.ensure(mode="online")["state"] == "completed"
    assert shop.states == ["Succeeded"]


@pytest.mark.parametrize(
    ("phase", "code"),
    [("PerformingPreRequisiteSteps", 603000), ("ValidationInProgress", 603100), ("MigratingData", 603110)],
)
def test_a_failure_of_any_phase_is_explained_and_healed_by_one_more_run(make, phase, code):
    shop = make()
    shop.azure.trouble.add("migration_fails", code=code, message="It did not work.", phase=phase, database="shop")
    failed = shop.ensure()
    assert failed["state"] == "failed"
    error = failed["migration"]["error"]
    assert str(code) in failed["failure"]
    assert error["details"]["explanations"][0]["remedy"] in failed["failure"]
    assert shop.inform()["state"] == "failed"
    done = shop.ensure()
    assert (done["changed"], done["state"]) == (True, "completed")
    assert shop.states == ["Failed", "Succeeded"]


def test_a_failure_after_every_database_has_arrived_is_a_warning(make):
    shop = make()
    shop.azure.trouble.add("migration_fails", code=603706, message="Clean-up failed.", phase="CompletingMigration")
    done = shop.ensure()
    assert done["state"] == "completed"
    assert any("603706: Clean-up failed." in words for words in done["migration"]["warnings"])
    assert shop.ensure()["changed"] is False


def test_a_validation_that_fails_within_the_migration_is_told_by_database(make):
    shop = make()
    shop.azure.trouble.add(
        "validation_fails", code=603404, message="Tables WITH OIDS.", kind_of_check="SchemaValidation"
    )
    failed = shop.ensure()
    assert "shop: 603404: Tables WITH OIDS." in failed["failure"]
    assert "SET WITHOUT OIDS" in failed["failure"]
    assert failed["migration"]["error"]["details"]["findings"][0]["object"] == "shop"
    assert shop.states == ["ValidationFailed"]
    assert shop.ensure()["state"] == "completed"


def test_warnings_of_the_validation_stop_nothing(make):
    shop = make()
    shop.azure.trouble.add("validation_warns", message="No primary key.", code="", kind_of_check="SchemaValidation")
    done = shop.ensure("validated")
    assert [one["found"] for one in done["findings"] if one["status"] == "warning"] == ["No primary key."]
    assert shop.ensure()["state"] == "completed"


def test_deadlines_are_told_before_they_pass(make):
    shop = make()
    shop.ensure("replicating", mode="online")
    (record,) = shop.records
    assert shop.inform(mode="online")["migration"]["warnings"] == []
    progress = shop.inform(mode="online")["migration"]
    assert progress["deadlines"]["cut_over_by"] < progress["deadlines"]["ends_by"]
    since = datetime.now(timezone.utc) - timedelta(hours=50)
    shop.service.patch(
        record["id"], {"tags": {**record["tags"], "azpg-replicating-since": f"{since:%Y-%m-%dT%H:%M:%SZ}"}}
    )
    # Somebody else has changed the record: for half a second what was read before that is as good as new.
    time.sleep(FRESH)
    (warning,) = shop.inform(mode="online")["migration"]["warnings"]
    assert re.search(r"the service gives up at .*: 2[12] h \d+ min left. Complete it with 'state: completed'", warning)


def test_a_migration_that_the_service_gave_up_is_run_again(make):
    shop = make()
    shop.ensure("replicating", mode="online")
    shop.azure.age(shop.records[0]["id"], hours=80)
    shop.azure.wait_for(shop.records[0]["id"], "Failed")
    assert "waited for the cutover for more than 3 days" in shop.inform(mode="online")["migration"]["error"]["msg"]
    assert shop.ensure(mode="online")["state"] == "completed"


def test_a_standstill_of_the_service_is_noticed(make, monkeypatch):
    from ansible_collections.azpg.migrate.plugins.module_utils._core import watching
    from ansible_collections.azpg.migrate.plugins.module_utils._module import migration

    shop = make()
    shop.azure.trouble.add("frozen", when=lambda: len(looks) < 20)
    looks = []
    real = AzureBackend.status

    def counted(self):
        looks.append(1)
        return real(self)

    monkeypatch.setattr(AzureBackend, "status", counted)
    monkeypatch.setattr(migration, "Watching", lambda: watching.Watching(standstill=0.5))
    done = shop.ensure()
    assert done["state"] == "completed"
    assert [words for words in done["migration"]["warnings"] if words.startswith("Nothing has moved for")]


def test_an_unknown_state_counts_as_running_and_is_told(make, monkeypatch):
    from ansible_collections.azpg.migrate.plugins.module_utils._azure.migrations.record import Record

    shop = make()
    shop.create_by_hand("odd")
    (wire,) = shop.records
    wire["properties"]["currentStatus"] = {"state": "Pondering"}
    record = Record.read(wire)
    assert (record.state, record.active) == ("running", True)
