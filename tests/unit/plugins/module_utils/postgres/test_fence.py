# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence's decisions, without a server: what is revoked and given back, and what a measurement is worth."""

from __future__ import annotations

import json

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import PreconditionFailed
from ansible_collections.azpg.migrate.plugins.module_utils._postgres import fence as module
from ansible_collections.azpg.migrate.plugins.module_utils._postgres import fence_measure, fence_record
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.fence_record import METHODS

OWNER, USER = "owner", "mig"


def database(connect, read_only=None) -> dict:
    words = {"name": 'a "b"', "oid": 7, "owner": OWNER, "read_only": read_only, "connect": connect, "may_alter": True}
    return {**words, "unwritten": False}


def record(methods=METHODS) -> dict:
    return {"methods": list(methods), "notes": [], "missing": [], "databases": {}, "user": USER}


def before(found, user=USER, methods=METHODS) -> tuple:
    made = record(methods)
    return fence_record._before(found, user, made), made["notes"]


def follow(connect: list, statements: list) -> list:
    """Return a list of rights after GRANT and REVOKE statements of the owner."""
    there = {item[0]: item for item in connect}
    for sql in statements:
        words = sql.partition(' ON DATABASE "a ""b""" ')[2].split()
        name = None if words[1] == "PUBLIC" else words[1].strip('"')
        if sql.startswith("GRANT"):
            there[name] = [name, "OPTION" in words, OWNER]
        else:
            del there[name]
    return sorted(there.values(), key=lambda item: item[0] or "")


@pytest.mark.parametrize(
    "connect",
    [
        [[None, False, OWNER], [OWNER, False, OWNER]],
        [[OWNER, False, OWNER]],
        [[None, False, OWNER], [OWNER, False, OWNER], ["app", True, OWNER], ["reader", False, OWNER]],
        [[OWNER, False, OWNER], [USER, False, OWNER], ["app", False, OWNER]],
    ],
)
def test_what_is_revoked_is_given_back_exactly(connect):
    connect = sorted(connect, key=lambda item: item[0] or "")
    entry, notes = before(database(connect))
    assert notes == []
    shut = module.revocations(entry, database(connect), 'a "b"')
    fenced = follow(connect, shut)
    assert [item[0] for item in fenced] == [USER]
    assert module.revocations(entry, database(fenced), 'a "b"') == []
    # The migration user gets its own right before others lose theirs, and loses it last.
    assert not shut[0].startswith("REVOKE") or USER in [item[0] for item in connect]
    given = module.grants(entry, database(fenced), 'a "b"')
    assert follow(fenced, given) == connect
    assert module.grants(entry, database(connect), 'a "b"') == []


def test_rights_that_others_granted_stay_and_are_noted():
    entry, notes = before(
        database([[None, False, OWNER], [OWNER, False, OWNER], ["app", True, OWNER], ["x", False, "app"]])
    )
    assert entry["revoke"] == [[None, False], [OWNER, False]]
    assert len(notes) == 1 and "app" in notes[0]


def test_the_owner_keeps_its_own_right_when_it_migrates():
    entry, notes = before(database([[None, False, OWNER], [OWNER, False, OWNER]]), user=OWNER)
    assert entry["revoke"] == [[None, False]] and entry["grant"] == []
    assert "its owner owner is the migration user" in notes[0]


def test_privileges_that_were_written_nowhere_are_remembered():
    assert before({**database([[None, False, OWNER]]), "unwritten": True})[0]["unwritten"] is True
    assert before(database([[None, False, OWNER]]))[0]["unwritten"] is False


def test_nothing_is_revoked_unless_asked():
    entry, _notes = before(database([[None, False, OWNER]]), methods=["read_only"])
    assert entry["revoke"] == entry["grant"] == []
    assert json.loads(json.dumps(entry)) == entry


def test_a_read_only_default_of_before_is_noted():
    assert "unfence will leave it so" in before(database([], read_only="on"))[1][0]


def entry(**words) -> dict:
    plain = {
        "read_only": {"value": "on", "error": ""},
        "may_connect": [],
        "overrides": [],
        "sessions": [],
        "prepared": [],
    }
    return {**plain, **words}


def session(**words) -> dict:
    plain = {"pid": 5, "user": "app", "application": "shop", "writing": False, "hidden": False, "newer": True}
    return {**plain, **words}


def judged(moved=False, **words) -> tuple:
    evidence = {"open": [], "unknown": [], "missing": [], "position": {"moved": moved}}
    fence_measure._judge("shop", entry(**words), evidence)
    return evidence["open"], evidence["unknown"], evidence["missing"]


APP = [{"name": "app", "superuser": False}]
BOSS = [{"name": "postgres", "superuser": True}]
WRITABLE = {"value": "off", "error": ""}


@pytest.mark.parametrize(
    ("words", "open_words", "unknown_words"),
    [
        ({}, None, None),
        ({"may_connect": APP}, None, None),
        ({"read_only": WRITABLE, "may_connect": BOSS}, None, None),
        ({"read_only": WRITABLE, "may_connect": APP}, "app may log in", None),
        ({"overrides": ["app"]}, "wins over the database's", None),
        ({"prepared": ["one"]}, "prepared transactions", None),
        ({"sessions": [session()]}, None, None),
        ({"sessions": [session()], "moved": True}, "transactions that write end", None),
        ({"sessions": [session(writing=True)]}, "holds a transaction", None),
        ({"sessions": [session(newer=False)]}, "older than the fence", None),
        ({"sessions": [session(newer=None)]}, "not known to be younger", None),
        ({"sessions": [session()], "read_only": WRITABLE}, "without a read-only default", None),
        ({"sessions": [session(newer=None, hidden=True)]}, None, "hides when it began"),
        ({"read_only": {"value": None, "error": "refused"}}, None, "no new session could be opened"),
    ],
)
def test_what_a_measurement_says(words, open_words, unknown_words):
    found = judged(**words)
    for sentences, wanted in zip(found, (open_words, unknown_words)):
        assert [wanted in sentence for sentence in sentences] == ([True] if wanted else []), found


def test_hidden_details_name_the_right_that_shows_them():
    assert "pg_read_all_stats" in judged(sessions=[session(newer=None, hidden=True)])[2][0]


@pytest.mark.parametrize(
    "stored", [{"format": "x"}, {"format": fence_record.FORMAT, "server": {"address": "a:1", "system_identifier": "2"}}]
)
def test_a_record_of_another_server_is_refused(stored):
    with pytest.raises(PreconditionFailed, match="another server"):
        fence_record.same_server({"address": "a:1", "system_identifier": "1"}, stored)
