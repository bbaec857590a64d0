# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collations of ICU, which only the builds of 11 to 13 have: so the target is the same major as the source."""

from __future__ import annotations

import contextlib

from tests.fidelity.arena import Arena
from tests.fidelity.suite import findings

MAKE = """
SET ROLE app_owner;
CREATE SCHEMA app;
CREATE COLLATION app.loose (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
CREATE COLLATION app.german (PROVIDER = icu, LOCALE = 'de-u-co-phonebk');
CREATE TABLE app.t (loose text COLLATE app.loose UNIQUE, german text COLLATE app.german);
INSERT INTO app.t VALUES ('a', 'Ähre'), ('B', 'Az'), ('c', 'Zebra');
CREATE INDEX ON app.t (german);
"""


def test_non_deterministic_collation(tmp_path):
    with contextlib.ExitStack() as stack:
        arena = Arena((13, 13), tmp_path, stack)
        arena.run("source", "CREATE DATABASE icu OWNER app_owner")
        arena.run("source", MAKE, "icu")
        request = arena.request("icu", ["icu"])
        assert arena.carry(request).good().warnings == []
        collations = "SELECT collname, collprovider, collisdeterministic FROM pg_collation WHERE collnamespace = 'app'::regnamespace ORDER BY 1"
        assert arena.both(collations, "icu") == [("german", "i", True), ("loose", "i", False)]
        assert arena.both("SELECT german FROM app.t WHERE loose = 'b'", "icu") == [("Az",)]
        arena.both("SELECT german FROM app.t ORDER BY german", "icu")
        report = arena.verify(request)
        assert (report["verdict"], findings(report)) == ("MATCH", [])
