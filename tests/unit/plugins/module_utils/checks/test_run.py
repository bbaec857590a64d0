# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selection, cascades, weights and acceptance, with rules that need no server."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks import context, report
from ansible_collections.azpg.migrate.plugins.module_utils._checks.context import Context
from ansible_collections.azpg.migrate.plugins.module_utils._checks.registry import RULES
from ansible_collections.azpg.migrate.plugins.module_utils._checks.rule import Rule, blind, fine, listed, violated
from ansible_collections.azpg.migrate.plugins.module_utils._checks.run import run_checks
from ansible_collections.azpg.migrate.plugins.module_utils._checks.selection import Selection
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import (
    ConnectionFailed,
    InvalidRequest,
    PrivilegeMissing,
)
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint, Request
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.connection import failure
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.driver import psycopg2

IDS = [rule.id for rule in RULES]


def rule(rule_id, look, **words):
    return Rule(
        **{
            "id": rule_id,
            "title": rule_id,
            "level": "server",
            "side": "source",
            "look": look,
            "expected": "peace",
            "remedy": "make peace",
            "documentation": "https://www.postgresql.org/docs/current/",
            "clean": "all is well",
            **words,
        }
    )


def say_nothing(*_arguments):
    return ()


def say_no(*arguments):
    return [violated(arguments[1] if len(arguments) > 1 else "server", "war")]


def raising(error):
    def look(*_arguments):
        raise error

    return look


@pytest.fixture
def request_():
    return Request.create("shop", {"host": "a"}, {"host": "b"}, ["one", "two"])


@pytest.fixture
def check(request_, tmp_path):
    def run(*rules, **words):
        return run_checks(request_, Layout.create("shop", str(tmp_path)), rules=rules, **words)

    return run


def brief(findings):
    return [(finding.rule, finding.status, finding.object, finding.because) for finding in findings]


def test_a_rule_without_observations_succeeded(check):
    (finding,) = check(rule("calm", say_nothing))
    assert (finding.status, finding.object, finding.found, finding.expected) == (
        "succeeded",
        "a:5432",
        "all is well",
        "peace",
    )
    assert finding.remedy == ""


def test_a_violation_takes_the_rules_own_words(check):
    (finding,) = check(rule("calm", say_no, code="603000"))
    assert (finding.status, finding.found, finding.remedy, finding.code) == ("failed", "war", "make peace", "603000")


def test_consequences_are_skipped_because_of_the_root(check):
    findings = check(
        rule("root", say_no),
        rule("middle", say_nothing, needs=("root",)),
        rule("leaf", say_nothing, needs=("middle",)),
        rule("other", say_nothing),
    )
    assert brief(findings) == [
        ("root", "failed", "server", ""),
        ("middle", "skipped", "a:5432", "root"),
        ("leaf", "skipped", "a:5432", "root"),
        ("other", "succeeded", "a:5432", ""),
    ]


def test_a_fault_of_one_database_does_not_hide_the_other(check):
    def look(_context, database):
        return [violated(database, "war")] if database == "one" else ()

    findings = check(
        rule("root", look, each_database=True), rule("leaf", say_nothing, needs=("root",), each_database=True)
    )
    assert brief(findings) == [
        ("root", "failed", "one", ""),
        ("root", "succeeded", "two", ""),
        ("leaf", "skipped", "one", "root"),
        ("leaf", "succeeded", "two", ""),
    ]


def test_a_warning_stops_nothing(check):
    findings = check(rule("root", say_no, severity="warning"), rule("leaf", say_nothing, needs=("root",)))
    assert [finding.status for finding in findings] == ["warning", "succeeded"]


def test_a_rule_that_could_not_look_is_skipped_and_stops_nothing(check):
    findings = check(
        rule("root", lambda _context: [blind("server", "hidden", remedy="GRANT")]),
        rule("leaf", say_nothing, needs=("root",)),
    )
    assert [(finding.status, finding.remedy) for finding in findings] == [("skipped", "GRANT"), ("succeeded", "")]


def test_errors_become_findings(check):
    lost = ConnectionFailed("gone", "", {"side": "target", "cause": "timeout"})
    absent = ConnectionFailed("gone", "", {"side": "source", "cause": "database"})
    findings = check(
        rule("lost", raising(lost)),
        rule("absent", raising(absent)),
        rule("known", raising(PrivilegeMissing("no right", "grant it"))),
        rule("odd", raising(psycopg2.DataError("what a mess"))),
    )
    assert brief(findings[:2]) == [
        ("lost", "skipped", "a:5432", "target-reachable"),
        ("absent", "skipped", "a:5432", "source-database-reachable"),
    ]
    assert (findings[2].status, findings[2].found, findings[2].remedy) == ("failed", "no right", "grant it")
    assert findings[3].status == "failed"
    assert "what a mess" in findings[3].found


def test_only_runs_what_is_needed_and_says_when_that_fails(check):
    rules = (rule("root", say_no), rule("leaf", say_nothing, needs=("root",)), rule("other", say_no))
    assert brief(check(*rules, only=["lea*"])) == [
        ("root", "failed", "server", ""),
        ("leaf", "skipped", "a:5432", "root"),
    ]


def test_only_is_silent_about_needs_that_are_met(check):
    rules = (rule("root", say_nothing), rule("leaf", say_nothing, needs=("root",)))
    assert brief(check(*rules, only=["leaf"])) == [("leaf", "succeeded", "a:5432", "")]


def test_exclude_does_not_run_the_rule(check):
    rules = (rule("root", say_no), rule("leaf", say_nothing, needs=("root",)))
    assert brief(check(*rules, exclude=["root"])) == [("leaf", "succeeded", "a:5432", "")]


def test_rules_of_another_mode_or_provider_are_left_out(check):
    assert check(rule("online", say_no, modes=("online",)), rule("azure", say_no, providers=("azure",))) == []


@pytest.mark.parametrize("option", ["only", "exclude", "severities", "accept"])
def test_unknown_ids_name_the_closest(option):
    value = {
        "severities": {"source-readabel": "warning"},
        "accept": [{"rule": "source-readabel", "reason": "x", "until": "2030-01-01"}],
    }.get(option, ["source-readabel"])
    with pytest.raises(InvalidRequest) as raised:
        Selection.create(IDS, **{option: value})
    assert option in raised.value.msg
    assert "'source-readable'" in raised.value.hint


def test_patterns_select():
    selection = Selection.create(IDS, only=["source-*"], exclude=["*-readable"])
    assert selection.wants("source-version")
    assert not selection.wants("source-readable")
    assert not selection.wants("target-version")


def test_severity_override_weighs_violations_only(check):
    rules = (rule("calm", say_no), rule("fine", lambda _context: [fine("server", "peace")]))
    assert [finding.status for finding in check(*rules, severities={"*": "warning"})] == ["warning", "succeeded"]


def test_an_overridden_failure_still_stops_what_needs_it(check):
    findings = check(rule("root", say_no), rule("leaf", say_nothing, needs=("root",)), severities={"root": "warning"})
    assert [finding.status for finding in findings] == ["warning", "skipped"]


def test_unknown_severity_is_refused():
    with pytest.raises(InvalidRequest, match="fatal"):
        Selection.create(IDS, severities={"*": "fatal"})


def test_acceptance(check):
    entry = {"rule": "calm", "object": "serv*", "reason": "agreed with the owner", "until": "2999-12-31"}
    (finding,) = check(rule("calm", say_no), accept=[entry])
    assert (finding.status, finding.because) == ("skipped", "accepted")
    assert finding.found == "war (accepted until 2999-12-31: agreed with the owner)"


def test_acceptance_expires(check):
    entry = {"rule": "calm", "reason": "agreed", "until": datetime.date(2020, 1, 1)}
    (finding,) = check(rule("calm", say_no), accept=[entry])
    assert finding.status == "failed"
    assert finding.found == "war (the acceptance expired on 2020-01-01)"


@pytest.mark.parametrize(
    "entry",
    [
        {"rule": "source-readable", "until": "2030-01-01"},
        {"rule": "source-readable", "reason": "x", "until": "soon"},
        {"rule": "source-readable", "reason": "x", "until": "2030-01-01", "who": "me"},
    ],
)
def test_incomplete_acceptance_is_refused(entry):
    with pytest.raises(InvalidRequest):
        Selection.create(IDS, accept=[entry])


def test_report(check, request_):
    rules = (rule("calm", say_no), rule("fine", say_nothing, side="target", who="somebody"))
    findings = check(*rules)
    data = report.to_json(request_, findings, rules, estimate={"seconds": 5}, seconds=1.26)
    assert data["format"] == "azpg.migrate/checks/2"
    assert (data["seconds"], data["estimate"]) == (1.3, {"seconds": 5})
    assert [item["who"] for item in data["findings"]] == ["database administrator", "somebody"]
    assert data["findings"][0]["documentation"].startswith("https://")
    assert data["request_hash"] == request_.hash
    assert data["summary"]["verdict"] == "failed"
    assert data["summary"]["counts"] == {"succeeded": 1, "skipped": 0, "warning": 0, "failed": 1}
    assert data["summary"]["by_side"]["target"]["succeeded"] == 1
    assert data["summary"]["rules"] == {"failed": ["calm"], "warning": []}
    assert data["findings"][0]["rule"] == "calm"


def test_listed_counts_the_rest():
    assert listed("abc") == "a, b, c"
    assert listed("abcde", 2) == "a, b and 3 more"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            'connection to server at "x" (::1), port 1 failed: Connection refused Is the server running? '
            'connection to server at "x" (127.0.0.1), port 1 failed: FATAL: password authentication failed for user "m"',
            "password",
        ),
        ('connection to server at "x" (::1), port 1 failed: Connection refused', "refused"),
        ("something else", "other"),
    ],
)
def test_the_last_address_tells_the_cause(text, cause):
    assert failure(Endpoint(host="db"), "source", "shop", text).details["cause"] == cause


def test_a_failed_connection_is_not_tried_again(request_, tmp_path, monkeypatch):
    calls = []

    def connect(endpoint, side, dbname, settings):
        calls.append(dbname)
        raise ConnectionFailed("no", "", {"side": side, "cause": "refused"})

    monkeypatch.setattr("ansible_collections.azpg.migrate.plugins.module_utils._postgres.connection.connect", connect)
    context = Context(request_, Layout.create("shop", str(tmp_path)))
    for database in ("one", "two", "one"):
        with pytest.raises(ConnectionFailed):
            context.session("source", database)
    with pytest.raises(ConnectionFailed):
        context.server("source")
    assert calls == ["one"]


class Connection:
    closed = 0

    def close(self):
        self.closed = 1


def test_few_sessions_are_open_at_a_time(request_, tmp_path, monkeypatch):
    opened = []

    def connect(endpoint, side, dbname, settings):
        opened.append((side, dbname, Connection()))
        return opened[-1][2]

    monkeypatch.setattr("ansible_collections.azpg.migrate.plugins.module_utils._postgres.connection.connect", connect)
    context = Context(request_, Layout.create("shop", str(tmp_path)), open_sessions=2)
    for database in ("one", "two", "one", "three", "one"):
        context.session("source", database)
    context.session("target", "one")
    assert [(side, name, connection.closed) for side, name, connection in opened] == [
        ("source", "one", 0),
        ("source", "two", 1),
        ("source", "three", 0),
        ("target", "one", 0),
    ]
    context.close()
    assert all(connection.closed for _side, _name, connection in opened)


def test_findings_come_in_the_order_of_the_registry(check):
    findings = check(
        rule("first", say_nothing, each_database=True),
        rule("late", say_nothing, needs=("first",)),
        rule("second", say_nothing, each_database=True),
        rule("server", say_nothing),
    )
    assert [(finding.rule, finding.object) for finding in findings] == [
        ("first", "one"),
        ("first", "two"),
        ("late", "a:5432"),
        ("second", "one"),
        ("second", "two"),
        ("server", "a:5432"),
    ]


class Opened:
    """What stands for a connection here."""

    closed = False

    def __init__(self, tried, side):
        tried.append(side)

    def close(self):
        pass


@pytest.mark.parametrize("broken", ["source-name", "source-port", "source-tls", "source-reachable"])
def test_nobody_waits_twice_for_a_server_that_does_not_answer(check, monkeypatch, broken):
    tried = []
    monkeypatch.setattr(context.postgres, "connect", lambda _endpoint, side, *_more, **_words: Opened(tried, side))
    findings = check(
        rule(broken, say_no),
        rule("of-the-source", lambda found: [fine("it", str(found.server("source")))]),
        rule("of-the-target", lambda found: [fine("it", str(found.server("target")))]),
    )
    assert [finding.status for finding in findings] == ["failed", "skipped", "succeeded"]
    assert findings[1].because and tried == ["target"]
