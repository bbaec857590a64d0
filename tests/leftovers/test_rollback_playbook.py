# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that undoes a migration, with everything that it can have to undo."""

from __future__ import annotations

import json
import shutil

import pytest
from support.servers import catalogue, contents


def written(found: dict, database: str) -> dict:
    """Return a catalogue in which the privileges of a database, those by default, are written where nothing was written."""
    usual = "{{=Tc/{0},{0}=CTc/{0}}}"
    (row,) = [row for row in found["server"] if row[:2] == ("database", database)]
    assert row[3] is None, "these are not the privileges by default"
    server = [(*row[:3], usual.format(row[2])) if one == row else one for one in found["server"]]
    return {**found, "server": server}


def test_playbook_undoes_a_running_migration_and_nothing_is_left_of_it(migration):
    one = migration("undone", "seed_bulk")
    lab, database = one.lab, one.databases[0]
    before = catalogue(lab.source), catalogue(lab.target), contents(lab.source, database)
    one.module("runtime_server").good()
    one.module("verification", fence="up", fail_on="never", databases=[database])
    one.half_way()
    roles = one.made("role")
    assert one.made("database") == [database] and roles
    words = {"azpg_confirm": "undone", "azpg_drop_databases": [database], "azpg_drop_roles": roles}
    unconfirmed = one.play("rollback", **{**words, "azpg_confirm": "other"})
    assert unconfirmed.code and "needs its name" in unconfirmed.output
    looked = one.play("rollback", "--check", "--diff", **words).good()
    assert looked.changes == [1] and f"target: database {database}" in looked.output
    assert one.play("rollback", "rollback", **words).good().changes == [1, 0]
    after = catalogue(lab.source), catalogue(lab.target), contents(lab.source, database)
    # One difference there is, and it is told.
    assert after == (written(before[0], database), *before[1:])
    assert not one.state.exists()
    record = json.loads((one.archive / "final-record.json").read_text(encoding="utf-8"))
    assert record["outcome"] == "rolled_back"
    (told,) = record["remaining"]
    assert told.startswith(
        f"source: the privileges of database {database}, those by default, stand in its catalogue now"
    )
    assert set(record["removed"]) >= {f"target: database {database}", *(f"target: role {name}" for name in roles)}


@pytest.mark.parametrize("gone", ["the journal", "all of it"])
def test_a_rollback_after_the_runtime_host_is_lost(migration, gone):
    one = migration("lost", "seed_bulk")
    lab, database = one.lab, one.databases[0]
    before = catalogue(lab.source), catalogue(lab.target), contents(lab.source, database)
    one.half_way()
    roles = one.made("role")
    one.module("migration", state="cancelled").good()
    if gone == "the journal":
        for path in one.private.glob("journal.sqlite*"):
            path.unlink()
    else:
        shutil.rmtree(one.state)
    words = {"outcome": "rolled_back", "confirm": one.name, "drop_databases": [database], "drop_roles": roles}
    stranger = one.module("cleanup", **{**words, "drop_roles": ["postgres"]})
    assert stranger.failed and "has not made" in stranger["msg"]
    told = one.module("cleanup", **words, check_mode=True).good()
    done = one.module("cleanup", **words).good()
    # The directory is made anew for the journal of what is taken back.
    assert {line for line in done["removed"] if not line.startswith("runtime server: ")} <= set(told["removed"])
    assert (catalogue(lab.source), catalogue(lab.target), contents(lab.source, database)) == before
    assert not one.state.exists()
    assert not one.module("cleanup", **words).good()["changed"]
