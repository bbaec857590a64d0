# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the engine over all cases between two servers, and what each case is asked afterwards."""

from __future__ import annotations

import io

from tests.fidelity.arena import OWNERS, Arena, Outcome, identifier
from tests.fidelity.cases import CASES, Case

MAIN = "fidelity"
REPORTED = "reported"
ODD = "Odd \"näme\" 'of' a \\ 🐘 database"
LATIN = "latin"
EVERY_LETTER = "".join(map(chr, range(0xA0, 0x100)))
# A failed build leaves an invalid index; one statement cannot be part of a transaction.
INVALID = "CREATE UNIQUE INDEX CONCURRENTLY invalid_one ON reported_by_hand.twice (id)"
BY_HAND = """
CREATE SCHEMA reported_by_hand AUTHORIZATION app_owner;
CREATE TABLE reported_by_hand.twice (id int);
ALTER TABLE reported_by_hand.twice OWNER TO app_owner;
INSERT INTO reported_by_hand.twice VALUES (1), (1);
"""
# There is no provider in these builds, so the label is put into the catalogue by hand.
LABEL = """
INSERT INTO pg_seclabel (objoid, classoid, objsubid, provider, label)
  VALUES ('reported_by_hand.twice'::regclass, 'pg_class'::regclass, 0, 'dummy', 'secret');
"""


class Carried:
    """The two servers after both runs: one of what has to arrive whole, one of what has to be named."""

    def __init__(self, arena: Arena):
        self.arena = arena
        self.major = arena.majors[0]
        fill(arena)
        self.outcomes: dict[str, Outcome] = {}
        self.reports: dict[str, dict] = {}
        for name, databases in ((MAIN, [MAIN, ODD, LATIN]), (REPORTED, [REPORTED])):
            request = arena.request(name, databases)
            self.outcomes[name] = arena.carry(request)
            if self.outcomes[name].code == 0:
                self.reports[name] = arena.verify(request)

    def looks(self, case: Case, side: str) -> list:
        """Return what a case's queries print on one side."""
        return [show(self.arena, side, home(case), case.name, look) for look in case.looks]


def home(case: Case) -> str:
    """Return the database that a case lies in."""
    return REPORTED if case.topic == REPORTED else MAIN


def findings(report: dict) -> list:
    """Return a report's findings of every severity, and what it says of tables and sequences, as texts."""
    sections = [entry["schema"] for entry in report["databases"]] + [report["roles"]]
    found = [
        f"{severity} {item['rule']} {item['kind']} {item['object']}: {item['msg']} [{item['source']}] [{item['target']}]"
        for section in sections
        for severity in ("errors", "not_comparable", "warnings")
        for item in section.get(severity, [])
    ]
    for entry in report["databases"]:
        found += [f"error {entry['error']}"] if entry["error"] else []
        found += [f"table {item['name']}: {item['msg']}" for item in entry["tables"] if item["verdict"] != "MATCH"]
        found += [
            f"sequence {item['name']}: {item['msg']}" for item in entry["sequences"] if item["verdict"] != "MATCH"
        ]
        if entry["large_objects"].get("verdict", "MATCH") != "MATCH":
            found.append(f"large objects: {entry['large_objects']}")
    return found


def show(arena: Arena, side: str, database: str, schema: str, query: str) -> str:
    """Return the rows of a query as COPY prints them, with I(schema) as search path."""
    printed = io.StringIO()
    with arena.session(side, database) as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path = " + identifier(schema))
        cursor.execute("SET extra_float_digits = 0; SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'")
        cursor.copy_expert(f"COPY ({query}) TO STDOUT", printed)
    return printed.getvalue()


def run_case(arena: Arena, database: str, case: Case) -> None:
    """Make what a case needs on the source."""
    with arena.session("source", database) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {case.name} AUTHORIZATION app_owner")
        if not case.superuser:
            cursor.execute("SET ROLE app_owner")
        cursor.execute("SET client_min_messages = warning; SET check_function_bodies = off")
        cursor.execute(f"SET search_path = {case.name}")
        try:
            cursor.execute(case.sql)
        except Exception as error:
            raise AssertionError(f"case {case.id}: {error}") from None


def fill(arena: Arena) -> None:
    """Make the source's databases."""
    for name in (MAIN, REPORTED):
        arena.run("source", f"CREATE DATABASE {name} OWNER app_owner")
    for case in CASES:
        if case.is_for(arena.majors[0]):
            run_case(arena, home(case), case)
    arena.run("source", BY_HAND, REPORTED)
    arena.run("source", LABEL, REPORTED)
    try:
        arena.run("source", INVALID, REPORTED)
    except Exception as error:
        assert "could not create unique index" in str(error), error
    fill_odd(arena)
    fill_latin(arena)


def fill_odd(arena: Arena) -> None:
    """Make a database whose name has everything in it."""
    arena.run("source", f"CREATE DATABASE {identifier(ODD)} OWNER {OWNERS[1]} CONNECTION LIMIT 50")
    arena.run("source", f"SET ROLE {OWNERS[1]}; CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS id", ODD)
    arena.run("source", f"ALTER DATABASE {identifier(ODD)} SET work_mem = '9MB'")
    arena.run("source", f"GRANT CONNECT ON DATABASE {identifier(ODD)} TO app_owner")
    arena.run("source", f"COMMENT ON DATABASE {identifier(ODD)} IS 'odd'")


def fill_latin(arena: Arena) -> None:
    """Make a database in LATIN1 with every printable letter."""
    arena.run(
        "source",
        f"CREATE DATABASE {LATIN} OWNER app_owner TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    arena.run("source", 'SET ROLE app_owner; CREATE SCHEMA "größe"; CREATE TABLE "größe"."straße" ("ß" text)', LATIN)
    arena.run("source", f"INSERT INTO \"größe\".\"straße\" VALUES ('{EVERY_LETTER}'), ('plain')", LATIN)
    arena.run("source", 'COMMENT ON TABLE "größe"."straße" IS \'Größe\'', LATIN)


class Fidelity:
    """The tests; a module that inherits them gives the fixture I(carried)."""

    def test_everything_matches(self, carried):
        """The run ends well, the verdict is MATCH, and no finding is one that no case expects."""
        carried.outcomes[MAIN].good()
        report = carried.reports[MAIN]
        expected = [words for case in CASES if home(case) == MAIN for words in (*case.found, *case.perhaps)]
        expected.append(("extension-version",))  # the newer server brings a newer one
        assert unexpected(findings(report), expected) == []
        assert report["verdict"] == "MATCH"
        assert carried.outcomes[MAIN].warnings == []

    def test_nothing_is_named_that_should_have_arrived(self, carried):
        carried.outcomes[REPORTED].good()
        expected = [words for case in CASES if home(case) == REPORTED for words in case.found]
        by_hand = [("invalid-index-on-source", "invalid_one"), ("security label", "reported_by_hand.twice")]
        assert unexpected(findings(carried.reports[REPORTED]), expected + by_hand) == []
        assert carried.reports[REPORTED]["verdict"] == "MISMATCH"

    def test_case(self, carried, case):
        if not case.is_for(carried.major):
            assert case.oldest > carried.major or case.newest < carried.major
            return  # no server of that major can have such a thing; test_most_cases_apply counts
        outcome = carried.outcomes[home(case)].good()
        before = carried.looks(case, "source")
        assert all(before), "a query of the case returns nothing"
        assert carried.looks(case, "target") == before
        for words in case.warned:
            assert outcome.warned(*words), f"no warning with {words}:\n" + "\n".join(outcome.warnings)
        found = findings(carried.reports[home(case)])
        mine = [text for text in found if case.name in text]
        assert unexpected(mine, (*case.found, *case.perhaps)) == []
        for words in case.found:
            assert any(all(word in text for word in words) for text in found), (
                f"no finding with {words}:\n" + "\n".join(found)
            )

    def test_most_cases_apply(self, carried):
        assert sum(case.is_for(carried.major) for case in CASES) >= 70

    def test_invalid_index_is_named_and_not_made(self, carried):
        index = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('reported_by_hand.invalid_one')"
        assert carried.arena.ask("source", index, REPORTED) == [(False,)]
        assert carried.outcomes[REPORTED].warned("invalid on the source", "reported_by_hand.invalid_one")
        assert carried.arena.ask("target", index, REPORTED) == []

    def test_security_label_is_named(self, carried):
        assert carried.outcomes[REPORTED].warned("Security labels", "reported_by_hand.twice", "dummy")

    def test_no_secret_is_shown(self, carried):
        for outcome in carried.outcomes.values():
            assert "unread" not in outcome.log + "".join(outcome.warnings)

    def test_odd_database(self, carried):
        whole = (
            "SELECT pg_get_userbyid(datdba), datconnlimit, shobj_description(oid, 'pg_database'), (SELECT setconfig FROM "
            "pg_db_role_setting WHERE setdatabase = d.oid), has_database_privilege('app_owner', oid, 'CONNECT') "
            "FROM pg_database d WHERE datname = %s"
        )
        assert carried.arena.both(whole, parameters=(ODD,))[0][:3] == ("other_owner", 50, "odd")
        assert carried.arena.both("SELECT id FROM s.t", ODD) == [(1,)]

    def test_latin1_stays_latin1(self, carried):
        encoding = "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = %s"
        assert carried.arena.both(encoding, parameters=(LATIN,)) == [("LATIN1", "C")]
        rows = carried.arena.both('SELECT "ß" FROM "größe"."straße" ORDER BY 1', LATIN)
        assert (EVERY_LETTER,) in rows


def unexpected(texts: list, expected) -> list:
    """Return the texts that no tuple of words fits."""
    return [text for text in texts if not any(all(word in text for word in words) for words in expected)]
