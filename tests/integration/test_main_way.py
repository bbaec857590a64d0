# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From nothing to a proven migration: the playbooks, whole and one by one, twice, and after everything is over."""

from __future__ import annotations

import json

from ansible_collections.azpg.migrate.plugins.module_utils._core.canonical import digest
from support.migrations import Migration
from support.servers import USER, ask, catalogue, contents

from tools.lab import dataset

# PostgreSQL 16 and later make the creator of a role its administrator, who neither inherits its rights nor acts for it.
MEMBERSHIPS = f"""
SELECT roleid::regrole::text FROM pg_auth_members
 WHERE member = '{USER}'::regrole AND (inherit_option OR set_option OR NOT admin_option OR grantor = member)
"""


def tree(one: Migration) -> list:
    """Return all paths of the migration's directories."""
    return sorted(str(path) for top in (one.state, one.archive.parent, one.reports) for path in top.rglob("*"))


def answers(cluster) -> dict:
    """Return what the application's queries are answered."""
    return dataset.answers(lambda database: cluster.connection(dbname=database))


def test_site_twice_and_again_when_the_source_is_gone(lab, application, migration):
    one = migration("application", databases=application)
    before = {name: contents(lab.source, name) for name in application}, catalogue(lab.source)
    # Twice: provision, migrate and decommission change something the first time, nothing does the second time.
    assert one.play("site", "site", azpg_poll_interval=2).good().changes == [3, 0]
    # Everything arrived, and the application gets the same answers.
    asked = answers(lab.source)
    assert len(asked) >= 30
    assert [str(difference) for difference in dataset.compare_answers(asked, answers(lab.target))] == []
    # The source is as it was.
    assert ({name: contents(lab.source, name) for name in application}, catalogue(lab.source)) == before
    assert [row for row in before[1]["server"] if row[0] == "slot"] == []
    # Nothing of the migration is left on the target or on the runtime host, but what is meant to stay.
    for name in application:
        assert ask(lab.target, "SELECT to_regnamespace('azpg_migrate')", name) == [(None,)]
    assert ask(lab.target, MEMBERSHIPS) == []
    assert not one.state.exists()
    record = json.loads((one.archive / "final-record.json").read_text(encoding="utf-8"))
    assert record["sha256"] == digest({key: item for key, item in record.items() if key != "sha256"})
    assert record["verification"]["verdict"] == "MATCH"
    names = {path.name for path in one.archive.iterdir()}
    assert {"final-record.json", "journal.sqlite", "verification.json", "verification.html"} <= names
    fetched = one.reports / "application" / "verification.json"
    assert fetched.read_bytes() == (one.archive / "verification.json").read_bytes()
    # Once more when the target is in use and the source has been switched off: the final record is all it takes.
    ask(lab.target, "CREATE TABLE public.later AS SELECT 1 AS one", "shop")
    lab.source.stop()
    try:
        over = one.play("site").good()
    finally:
        lab.source.start()
    assert over.changed == 0
    # Nobody takes what was proven then for a look at the servers now.
    ended = f"Decommissioned on {record['finished_at']}: this is what was proven then; nothing was compared now."
    assert f"MATCH: {ended}" in over.output
    # Each phase says so: provision, premigration, migrate and decommission.
    assert over.output.count("nothing was connected to and nothing was") == 4
    assert not one.state.exists()


def test_every_playbook_alone_and_twice_and_in_check_mode(migration):
    one = migration("single")
    lab = one.lab

    def trial(*playbooks: str, changes: list) -> None:
        servers, paths = (catalogue(lab.source), catalogue(lab.target)), tree(one)
        assert one.play(*playbooks, "--check", "--diff").good().changes == changes
        assert (catalogue(lab.source), catalogue(lab.target)) == servers, f"{playbooks} --check wrote to a server"
        assert tree(one) == paths, f"{playbooks} --check wrote to the runtime host"

    # A playbook named twice runs twice, each time on its own; it may change something the first time only.
    trial("provision", changes=[1])
    assert one.play("provision", "provision", "premigration", "premigration").good().changes == [1, 0, 0, 0]
    trial("premigration", "migrate", changes=[0, 1])
    assert one.play("migrate", "migrate", "verify", "verify").good().changes == [1, 0, 0, 0]
    trial("verify", "decommission", changes=[0, 1])
    assert one.play("decommission", "decommission").good().changes == [1, 0]
    assert contents(lab.source, "single") == contents(lab.target, "single")
    assert not one.state.exists() and (one.archive / "final-record.json").exists()
