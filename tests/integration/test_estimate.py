# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimate before the start, and how it stands up to the run."""

from __future__ import annotations

import time

from support.servers import ask, catalogue

FACTOR = 2.5
DATA = """
SET ROLE app_owner;
CREATE SCHEMA app;
CREATE TABLE app.customers (id integer PRIMARY KEY, name text, note text);
CREATE TABLE app.orders (id integer PRIMARY KEY, customer integer, amount numeric, note text);
CREATE TABLE app.notes (id integer PRIMARY KEY, body text);
INSERT INTO app.customers SELECT g, md5(g::text), repeat(md5((g + 1)::text), 3) FROM generate_series(1, 150000) g;
INSERT INTO app.orders SELECT g, 1 + g % 150000, g / 7.0, repeat(md5(g::text), 2) FROM generate_series(1, 550000) g;
INSERT INTO app.notes SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 60000) g;
CREATE INDEX ON app.orders (customer);
CREATE INDEX ON app.orders (note);
CREATE INDEX ON app.customers (name);
ALTER TABLE app.orders ADD FOREIGN KEY (customer) REFERENCES app.customers;
ANALYZE;
"""


def test_estimate_is_near_and_leaves_nothing_behind(migration):
    one = migration("estimate")
    name = one.databases[0]
    ask(one.lab.source, f"DROP DATABASE {name}")
    ask(one.lab.source, f"CREATE DATABASE {name} OWNER app_owner")
    one.lab.source.psql(DATA, dbname=name)
    size = ask(one.lab.source, f"SELECT pg_database_size('{name}')")[0][0]
    assert 180_000_000 < size < 300_000_000
    one.provision()
    before = catalogue(one.lab.source), catalogue(one.lab.target)
    trial = one.module("migration", state="validated", check_mode=True).good()["estimate"]
    begun = time.monotonic()
    result = one.module("migration", state="validated").good()
    assert time.monotonic() - begun < 15
    assert (catalogue(one.lab.source), catalogue(one.lab.target)) == before
    assert not (one.private / "journal.sqlite").exists()
    found = result["estimate"]
    assert not result["changed"] and result["state"] == "absent"
    # In check mode nothing is measured.
    assert any("assumed" in words for words in trial["basis"])
    assert not any("measured)" in words for words in trial["basis"])
    assert sum("(measured" in words for words in found["basis"]) == 3
    for estimate in (trial, found):
        assert 0.9 * size < estimate["bytes"] < size
        assert estimate["target_disk_bytes"] == int(1.25 * estimate["bytes"])
        assert 1_000_000 < estimate["runtime_disk_bytes"] < 100_000_000
        assert estimate["seconds_low"] < estimate["seconds"] < estimate["seconds_high"]
    begun = time.monotonic()
    done = one.module("migration", poll_interval=0).good()
    took = time.monotonic() - begun
    (run,) = one.journal("SELECT finished - started FROM run")
    assert took / FACTOR <= found["seconds"] <= took * FACTOR, (
        f"estimated {found}, took {took:.1f} s, engine {run[0]:.1f} s"
    )
    assert run[0] / FACTOR <= found["seconds"] <= run[0] * FACTOR, f"estimated {found}, took {run[0]:.1f} s"
    # What has begun is not estimated any more.
    assert 0.98 < done["estimate"]["bytes"] / found["bytes"] < 1.02  # a vacuum may have come by
    assert one.module("migration", state="validated").good()["estimate"] == {}
