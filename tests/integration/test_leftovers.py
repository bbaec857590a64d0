# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is left: catalogues of both servers and the files of the runtime host, before a migration and after its end.

However it went, completed, failed, cancelled or killed at a moment that a seed decides. AZPG_LEFTOVERS=20 tries more
seeds than `make test` does.
"""

from __future__ import annotations

import os
import random

import pytest
from support.migrations import Migration
from support.servers import ask, catalogue, contents, drop_database
from support.waiting import wait_for

SEEDS = range(int(os.environ.get("AZPG_LEFTOVERS", "0")))
# An index that the target, and only the target, cannot build.
UNBUILDABLE = """
CREATE FUNCTION app.fail(given integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $body$
BEGIN
  IF pg_catalog.current_setting('server_version_num')::integer >= 160000 THEN RAISE 'not here'; END IF;
  RETURN given;
END $body$;
CREATE INDEX unbuildable ON app.bulk_3 (app.fail(id));
"""
STEPS = """
SELECT (SELECT count(*) FROM created) + (SELECT count(*) FROM created WHERE state <> 'intended')
     + (SELECT count(*) FROM unit WHERE state <> 'pending') + (SELECT count(*) FROM unit WHERE state = 'done')
"""


def paths(one: Migration) -> list:
    """Return what lies in the migration's directories."""
    return sorted(
        str(path.relative_to(one.directory)) for top in (one.state, one.archive.parent) for path in top.rglob("*")
    )


def open_to_others(one: Migration) -> list:
    """Return what others than its owner may do anything with, in the migration's own directories."""
    tops = [top for top in (one.state, one.archive) if top.exists()]
    found = [path for top in tops for path in (top, *top.rglob("*"))]
    return [str(path) for path in found if path.lstat().st_mode & 0o077]


def steps(one: Migration) -> int:
    """Return how far the journal has come, in steps of creations and units."""
    found = one.journal(STEPS)
    return found[0][0] if found else 0


def made(one: Migration, kind: str) -> list:
    """Return what the migration has made of a kind on the target, or was about to make."""
    there = ask(one.lab.target, "SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles")
    return [name for (name,) in one.journal("SELECT name FROM created WHERE kind = ?", kind) if (name,) in there]


def begin(one: Migration, **options) -> None:
    """Provision and start."""
    one.provision()
    one.module("migration", wait=False, **options).good()


def completed(one: Migration, _moment: random.Random) -> dict:
    """Bring it to its end and prove it."""
    one.migrate()
    one.module("verification").good()
    return {}


def failed(one: Migration, _moment: random.Random) -> dict:
    """Let it meet what the target cannot do."""
    ask(one.lab.source, UNBUILDABLE, one.databases[0])
    one.provision()
    result = one.module("migration")
    assert result.failed and "not here" in result["msg"]
    return {"outcome": "rolled_back"}


def cancelled(one: Migration, moment: random.Random) -> dict:
    """Stop it somewhere."""
    begin(one, max_bytes_per_second=4_000_000)
    reach(one, moment.randint(1, 60))
    one.module("migration", state="cancelled")
    return {"outcome": "rolled_back"}


def killed(one: Migration, moment: random.Random) -> dict:
    """Kill it somewhere."""
    begin(one, max_bytes_per_second=4_000_000)
    reach(one, moment.randint(1, 60))
    if one.engine():
        one.kill_engine()
    return {"outcome": "rolled_back"}


def reach(one: Migration, number: int) -> None:
    """Wait for a step of the journal, or for the engine's end."""
    wait_for(lambda: steps(one) >= number or not one.engine(), f"step {number}")


# `make test` has time for one.
TRIALS = [(course, seed) for course in (completed, failed, cancelled, killed) for seed in SEEDS] or [(killed, 0)]


@pytest.mark.parametrize(("course", "seed"), TRIALS)
def test_nothing_is_left_on_either_server_or_on_the_runtime_host(migration, course, seed):
    one = migration(f"left-{course.__name__}-{seed}", "seed_bulk")
    lab, database = one.lab, one.databases[0]
    before = catalogue(lab.target)
    options = course(one, random.Random(f"{course.__name__} {seed}"))
    source = catalogue(lab.source), contents(lab.source, database)
    assert paths(one) and not open_to_others(one)
    if options and one.module("migration_info").good()["state"] == "completed":
        # The moment came too late.
        options = completed(one, random.Random())
    roles = made(one, "role")
    if options:
        options |= {"confirm": one.name, "drop_databases": made(one, "database"), "drop_roles": roles}
    said = one.module("cleanup", check_mode=True, **options).good()
    done = one.module("cleanup", **options).good()
    assert done["removed"] and set(done["removed"]) <= set(said["removed"]), (done["removed"], said["removed"])
    assert (catalogue(lab.source), contents(lab.source, database)) == source
    # Where a role stays, so does what the server gave its maker; no line of what is there still is without a reason.
    assert done["remaining"] == done["final_record"]["remaining"]
    assert [line.split(":")[1] for line in done["remaining"]] == [
        f" membership of the migration user in {name}" for name in ([] if options else sorted(roles))
    ]
    assert not open_to_others(one)
    # But for the archive, all is named.
    archive = f"archive/{one.name}"
    named = {os.path.relpath(path, one.directory) for path in done["kept"] if path.startswith("/")}
    records = {f"{archive}/final-record.json", f"{archive}/final-record.html"}
    assert set(paths(one)) == {archive, *records, *named}
    if not options:
        # What was moved stays, and is named; with it gone there is nothing that was not there before.
        kept = {line for line in done["kept"] if line.startswith("target: ")}
        assert kept == {f"target: database {database}", *(f"target: role {name}" for name in roles)}
        drop_database(lab.target, database)
        for name in roles:
            ask(lab.target, f'DROP ROLE "{name}"')
    assert catalogue(lab.target) == before
    assert not one.module("cleanup", **options).good()["changed"]
