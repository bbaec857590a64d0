# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runtime host over SSH, as an ordinary user and as one who becomes root: ready, used, and left as it was."""

from __future__ import annotations

import json

import pytest
from support.remote import traces, variables
from support.servers import catalogue, contents

from tools.lab.host import ADMINISTRATOR, ORDINARY


@pytest.mark.parametrize(
    ("user", "state"),
    [(ORDINARY, f"/home/{ORDINARY}/.local/state/azpg-migrate"), (ADMINISTRATOR, "/var/lib/azpg-migrate")],
    ids=["ordinary-user", "become"],
)
def test_the_whole_way_over_ssh_leaves_the_archive_and_nothing_else(migration, host, user, state):
    one = migration(f"over-ssh-{user}")
    words = variables(one, host, user, ansible_become=user == ADMINISTRATOR)
    before, source = traces(host), catalogue(one.lab.source)
    played = one.play("provision", "migrate", "verify", "decommission", **words).good()
    assert played.changes == [1, 1, 0, 1]
    assert contents(one.lab.source, one.databases[0]) == contents(one.lab.target, one.databases[0])
    assert catalogue(one.lab.source) == source
    after = traces(host)
    new = {path for path in after if after[path] != before.get(path)}
    print(sorted(new))
    record = json.loads(host.run(f"cat {state}/archive/{one.name}/final-record.json"))
    assert record == {}
