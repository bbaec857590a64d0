# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quoting, and telling apart the ways in which a login fails."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.connection import connection_words, failure
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.quoting import (
    qualified,
    quote_identifier,
    quote_literal,
)

ENDPOINT = Endpoint(host="db.example", port=5433, user="me", password="hush hush")


def test_identifiers_are_always_quoted():
    assert quote_identifier("user") == '"user"'
    assert quote_identifier('odd "one"') == '"odd ""one"""'
    assert qualified("Odd Schema", "t.x") == '"Odd Schema"."t.x"'


def test_literals_read_the_same_under_both_settings():
    assert quote_literal("it's") == "'it''s'"
    assert quote_literal("a\\b'c") == " E'a\\\\b''c'"
    assert quote_literal("") == "''"


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ("name", 'could not translate host name "db.example" to address: Name or service not known'),
        ("refused", 'connection to server at "db.example" (192.0.2.1), port 5433 failed: Connection refused'),
        ("timeout", 'connection to server at "db.example", port 5433 failed: timeout expired'),
        ("timeout", 'connection to server at "db.example" failed: No route to host'),
        ("password", 'FATAL:  password authentication failed for user "me"'),
        ("password", "fe_sendauth: no password supplied"),
        ("database", 'FATAL:  database "shop" does not exist'),
        ("role", 'FATAL:  role "me" does not exist'),
        ("hba", 'FATAL:  no pg_hba.conf entry for host "192.0.2.9", user "me", database "shop", no encryption'),
        ("tls", "SSL error: certificate verify failed"),
        ("tls", "server does not support SSL, but SSL was required"),
        ("connect-privilege", 'FATAL:  permission denied for database "shop"'),
        ("slots", "FATAL:  sorry, too many clients already"),
        ("starting", "FATAL:  the database system is starting up"),
        ("other", "something nobody has seen before"),
    ],
)
def test_causes(cause, message):
    error = failure(ENDPOINT, "source", "shop", message)
    assert error.details["cause"] == cause
    assert error.hint
    assert "source db.example:5433, database shop, user me" in error.msg
    assert message.split(": ")[-1].strip() in error.msg


def test_message_is_one_line_without_the_password():
    error = failure(ENDPOINT, "target", "shop", "first line\n\tsecond: hush hush\n")
    assert error.msg.endswith("first line second: ********")


def test_connection_words_have_deadlines_and_keepalives():
    words = connection_words(ENDPOINT, None, "azpg.migrate source")
    assert words["dbname"] == "postgres"
    assert words["password"] == "hush hush"
    assert words["connect_timeout"] == 15
    assert words["keepalives"] == 1
    assert words["application_name"] == "azpg.migrate source"
    assert connection_words(Endpoint(host="a", dbname="own"), None, "x")["dbname"] == "own"
    assert connection_words(Endpoint(host="a", connect_timeout=3), "given", "x")["connect_timeout"] == 3
