# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several migrations in one inventory: side by side, some fail and others do not, and one page tells of all."""

from __future__ import annotations

import json
import re

import pytest
from support.fleet import Fleet
from support.servers import ask, contents

NAMES = [f"fleet-{number}" for number in range(1, 6)]
# In slices of two, as somebody would who wants to see the first ones through.
SLICED = [
    {
        "name": "Move everything, two at a time",
        "hosts": "migrations:!fleet-5",
        "gather_facts": False,
        "serial": 2,
        "max_fail_percentage": 100,
        "roles": [f"azpg.migrate.{role}" for role in ("provision", "migrate", "verify", "decommission")],
    }
]


def states(page: str) -> dict:
    """Return C({name: (state, classes)}) of the page's rows."""
    rows = re.findall(
        r'<tr class="([^"]*)"><td><span class="name">([^<]+)</span>.*?<td><span class="badge[^"]*">(\w+)<', page
    )
    return {name: (state, set(classes.split())) for classes, name, state in rows}


@pytest.mark.long
def test_five_migrations_over_two_runtime_hosts(lab, clean, tmp_path):
    for name in NAMES:
        clean.new_database(name.replace("-", "_"))
    # What is in the way of this one is noticed before anything of it is moved.
    ask(lab.target, "CREATE DATABASE fleet_2")
    ask(lab.target, "CREATE TABLE somebody_elses AS SELECT 1 AS one", "fleet_2")
    one = Fleet(lab, tmp_path, NAMES, hosts=2)
    # A host that nobody answers on.
    one.write(**{"fleet-4": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}})
    playbook = tmp_path / "sliced.yml"
    playbook.write_text(json.dumps(SLICED), encoding="utf-8")
    moved = one.play(str(playbook))
    assert moved.code != 0
    assert "fleet_2" in moved.output
    # Two of a slice run side by side, and the state of one runtime host holds two migrations.
    for name in ("fleet_1", "fleet_3"):
        assert contents(lab.source, name) == contents(lab.target, name)
    assert (tmp_path / "runtime1" / "archive" / "fleet-1" / "final-record.json").exists()
    assert (tmp_path / "runtime1" / "archive" / "fleet-3" / "final-record.json").exists()

    looked = one.play("azpg.migrate.fleet").good()
    assert "5 migrations: 1 unreachable, 2 absent, 2 decommissioned; 2 proven equal" in looked.output
    assert looked.changed == 0
    page = one.page.read_text(encoding="utf-8")
    found = states(page)
    assert {name: state for name, (state, _classes) in found.items()} == {
        "fleet-1": "decommissioned",
        "fleet-2": "absent",
        "fleet-3": "decommissioned",
        "fleet-4": "unreachable",
        "fleet-5": "absent",
    }
    # Who needs somebody comes first.
    assert list(found)[0] == "fleet-4"
    assert found["fleet-1"][1] == {"all", "proven", "over"}
    assert found["fleet-4"][1] == {"all", "attention"}
    assert 'href="fleet-1/verification.html"' in page
    assert (one.reports / "fleet-1" / "verification.html").exists()
    assert clean.passwords["source"] not in page + looked.output + moved.output
    # Every migration says its own line.
    assert re.search(r"fleet-1: decommissioned, [\d.]+ kB.*, MATCH", looked.output)

    # In check mode it is the same, but for the page.
    one.page.unlink()
    again = one.play("azpg.migrate.fleet", "--check")
    assert "5 migrations: 1 unreachable, 2 absent, 2 decommissioned" in again.output
    assert not one.page.exists()
