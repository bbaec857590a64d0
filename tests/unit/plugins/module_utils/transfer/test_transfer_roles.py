# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and databases: the statements that bring them to the target."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.roles import is_system_role
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.roles import (
    RolePlan,
    attributes,
    setting_value,
)
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.target_database import creation_statement

ROLE = {
    "login": False,
    "inherit": True,
    "connection_limit": -1,
    "valid_until": None,
    "createdb": False,
    "createrole": False,
    "replication": False,
    "bypassrls": False,
    "owns": False,
}


@pytest.mark.parametrize(
    ("parameter", "content", "value"),
    [
        ("work_mem", "8MB", "'8MB'"),
        ("search_path", 'app, "Odd Schema", public', 'app, "Odd Schema", public'),
        ("Search_Path", "app", "app"),
        ("search_path", "", "''"),
        ("application_name", "it's", "'it''s'"),
        ("DateStyle", "ISO, DMY", "'ISO, DMY'"),
        ("local_preload_libraries", '"a", "b"', '"a", "b"'),
    ],
)
def test_settings_that_are_lists_are_stored_quoted(parameter, content, value):
    assert setting_value(parameter, content) == value


def test_plain_attributes_and_those_that_a_server_may_refuse():
    assert attributes(ROLE) == [["NOLOGIN", "INHERIT"], []]
    role = {
        **ROLE,
        "login": True,
        "inherit": False,
        "connection_limit": 0,
        "valid_until": "2100-01-01 00:00:00+00",
        "createdb": True,
        "replication": True,
        "bypassrls": True,
    }
    assert attributes(role) == [
        ["LOGIN", "NOINHERIT", "CONNECTION LIMIT 0", "VALID UNTIL '2100-01-01 00:00:00+00'"],
        ["CREATEDB", "REPLICATION", "BYPASSRLS"],
    ]


@pytest.mark.parametrize(
    "name", ["pg_read_all_data", "rdsadmin", "azure_pg_admin", "cloudsqlsuperuser", "alloydbadmin"]
)
def test_roles_of_servers_and_services(name):
    assert is_system_role(name)
    assert not is_system_role("my_" + name)


def test_owners_are_the_targets_names_without_those_that_are_dropped():
    owning = {**ROLE, "owns": True}
    plan = RolePlan(
        roles={"a": owning, "b": ROLE, "postgres": owning, "c": owning, "d": owning},
        memberships=(),
        names={"a": "z", "b": "b", "postgres": None, "c": "c", "d": "c"},
    )
    assert plan.owners == ["c", "z"]


PLAN = RolePlan({}, (), {"app_owner": "Shop Owner", "postgres": None})
DATABASE = {
    "name": "Shop's",
    "encoding": "UTF8",
    "collate": "de_DE.UTF-8",
    "ctype": "C",
    "provider": "libc",
    "locale": None,
    "owner": "app_owner",
    "connection_limit": -1,
}
LOCALE = "CREATE DATABASE \"Shop's\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'de_DE.UTF-8' LC_CTYPE 'C'"


@pytest.mark.parametrize(
    ("changes", "version", "end"),
    [
        ({}, 140000, ' OWNER "Shop Owner"'),
        ({}, 170000, ' LOCALE_PROVIDER libc OWNER "Shop Owner"'),
        (
            {"provider": "icu", "locale": "de-DE"},
            160000,
            " LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' OWNER \"Shop Owner\"",
        ),
        (
            {"provider": "icu", "locale": "und", "rules": "&V << w <<< W"},
            160000,
            " LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&V << w <<< W' OWNER \"Shop Owner\"",
        ),
        (
            {"provider": "builtin", "locale": "C.UTF-8"},
            170000,
            " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' OWNER \"Shop Owner\"",
        ),
        ({"owner": "postgres"}, 140000, ""),
        ({"owner": "unknown"}, 140000, ' OWNER "unknown"'),
        ({"connection_limit": 7}, 140000, ' OWNER "Shop Owner" CONNECTION LIMIT 7'),
    ],
    ids=["libc-14", "libc-17", "icu", "icu-rules", "builtin", "superuser", "unknown-owner", "limit"],
)
def test_database_is_created_like_the_sources(changes, version, end):
    assert creation_statement({**DATABASE, **changes}, PLAN, version) == LOCALE + end
