# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' rows in the configuration tables of extensions."""

from __future__ import annotations

import contextlib

import pytest

from tests.fidelity.arena import Arena
from tests.fidelity.suite import findings

CONTROL = (
    "default_version = '1.0'\nsuperuser = {superuser}\ntrusted = {trusted}\nrelocatable = false\nschema = {name}\n"
)
SCRIPT = """
CREATE TABLE setting (name text PRIMARY KEY, value text, own boolean NOT NULL DEFAULT true);
INSERT INTO setting VALUES ('built in', 'as shipped', false);
CREATE TABLE detail (name text REFERENCES setting, number serial, twice int GENERATED ALWAYS AS (length(name) * 2) STORED);
CREATE TABLE all_rows (id int PRIMARY KEY);
INSERT INTO all_rows VALUES (1);
CREATE TABLE internal (id int);
SELECT pg_catalog.pg_extension_config_dump('detail', '');
SELECT pg_catalog.pg_extension_config_dump('detail_number_seq', '');
SELECT pg_catalog.pg_extension_config_dump('all_rows', '');
SELECT pg_catalog.pg_extension_config_dump('setting', 'WHERE own');
"""
ROWS = """
INSERT INTO {0}.setting VALUES ('mine', E'a\\nb');
INSERT INTO {0}.detail (name) VALUES ('mine'), ('built in');
INSERT INTO {0}.all_rows VALUES (2);
INSERT INTO {0}.internal VALUES (7);
"""


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    """Servers that offer two extensions: one that its creator owns, and one whose tables the superuser owns."""
    folder = tmp_path_factory.mktemp("offered")
    (folder / "extension").mkdir()
    for name, superuser, trusted in (("fid_own", "false", "false"), ("fid_trusted", "true", "true")):
        control = CONTROL.format(name=name, superuser=superuser, trusted=trusted)
        (folder / "extension" / f"{name}.control").write_text(control, encoding="utf-8")
        (folder / "extension" / f"{name}--1.0.sql").write_text(SCRIPT, encoding="utf-8")
    for path in (folder.parent, folder, folder / "extension"):
        path.chmod(0o755)
    with contextlib.ExitStack() as stack:
        settings = {"extension_control_path": f"{folder}:$system"}
        yield Arena((18, 18), tmp_path_factory.mktemp("extensions"), stack, settings)


def make(arena: Arena, database: str, extension: str) -> None:
    """Make a database whose extension holds rows of users."""
    arena.run("source", f"CREATE DATABASE {database} OWNER app_owner")
    arena.run("source", f"CREATE SCHEMA {extension} AUTHORIZATION app_owner; CREATE EXTENSION {extension}", database)
    arena.run("source", f"GRANT SELECT ON ALL TABLES IN SCHEMA {extension} TO app_owner", database)
    arena.run("source", f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {extension} TO app_owner", database)
    arena.run("source", ROWS.format(extension), database)


def test_rows_of_users_arrive_once(arena):
    make(arena, "owned", "fid_own")
    request = arena.request("owned", ["owned"])
    outcome = arena.carry(request).good()
    assert outcome.warnings == []
    assert len(arena.both("SELECT * FROM fid_own.setting ORDER BY name", "owned")) == 2
    assert len(arena.both("SELECT * FROM fid_own.detail ORDER BY number", "owned")) == 2
    assert arena.both("SELECT id FROM fid_own.all_rows ORDER BY 1", "owned") == [(1,), (2,)]
    arena.both("SELECT last_value, is_called FROM fid_own.detail_number_seq", "owned")
    # What the extension does not name as the users' is the extension's own affair.
    assert arena.ask("target", "SELECT count(*) FROM fid_own.internal", "owned") == [(0,)]
    report = arena.verify(request)
    assert [text for text in findings(report) if "fid_own" in text] == []
    assert report["verdict"] == "MATCH"


def test_rows_that_the_target_refuses_are_named(arena):
    make(arena, "trusted", "fid_trusted")
    request = arena.request("trusted", ["trusted"])
    outcome = arena.carry(request).good()
    assert outcome.warned("fid_trusted.setting", "configuration table", "permission denied")
    assert outcome.warned("fid_trusted.detail", "permission denied")
    assert arena.verify(request)["verdict"] != "MATCH"
