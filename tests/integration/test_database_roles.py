# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles before, owners and privileges after somebody else has carried the objects: the module database_roles on real servers."""

from __future__ import annotations

import subprocess

import pytest
from support.migrations import Migration
from support.servers import USER, ask, drop_database

ROLES = """
CREATE ROLE "The Owner" LOGIN PASSWORD 'a' CONNECTION LIMIT 7;
CREATE ROLE rights_readers NOLOGIN;
CREATE ROLE rights_clerk LOGIN PASSWORD 'b' IN ROLE rights_readers;
ALTER ROLE rights_clerk SET work_mem = '5MB';
"""
OBJECTS = '''
CREATE SCHEMA sales AUTHORIZATION "The Owner";
GRANT USAGE ON SCHEMA sales TO rights_readers, rights_clerk;
SET ROLE "The Owner";
CREATE TYPE sales.mood AS ENUM ('good', 'bad');
CREATE DOMAIN sales.short AS text CHECK (length(value) < 9);
CREATE TYPE sales.pair AS (a int, b int);
CREATE TABLE sales."odd ""one""" (id int GENERATED ALWAYS AS IDENTITY, n serial, secret text, mood sales.mood);
CREATE VIEW sales.seen AS SELECT id FROM sales."odd ""one""";
CREATE MATERIALIZED VIEW sales.kept AS SELECT 1 AS one;
CREATE SEQUENCE sales.counter;
CREATE FUNCTION sales.twice(x int, VARIADIC y int[]) RETURNS int LANGUAGE sql AS 'SELECT 2 * x';
CREATE PROCEDURE sales.act(x int) LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE sales.total(int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE OPERATOR sales.## (leftarg = int, rightarg = int, function = int4pl);
CREATE COLLATION sales.plain (locale = 'C');
CREATE TEXT SEARCH CONFIGURATION sales.words (COPY = simple);
CREATE STATISTICS sales.stats ON id, n FROM sales."odd ""one""";
CREATE TABLE sales.parts (id int) PARTITION BY RANGE (id);
CREATE TABLE sales.part_one PARTITION OF sales.parts FOR VALUES FROM (0) TO (10);
GRANT SELECT ON ALL TABLES IN SCHEMA sales TO rights_readers;
GRANT UPDATE (secret), SELECT (secret) ON sales."odd ""one""" TO rights_clerk;
GRANT INSERT ON sales.parts TO rights_clerk WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE sales.counter TO PUBLIC;
REVOKE EXECUTE ON FUNCTION sales.twice(int, int[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sales.twice(int, int[]) TO rights_clerk;
GRANT EXECUTE ON PROCEDURE sales.act(int) TO rights_clerk;
REVOKE USAGE ON TYPE sales.mood FROM PUBLIC;
REVOKE DELETE ON sales.parts FROM "The Owner";
ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO rights_readers;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
SELECT lo_from_bytea(4711, 'x');
GRANT SELECT ON LARGE OBJECT 4711 TO rights_clerk;
SET ROLE rights_clerk;
GRANT INSERT ON sales.parts TO rights_readers;
RESET ROLE;
'''
# An owner that may not create in the schema of its table, which ALTER ... OWNER TO demands.
STRANGER = """
CREATE TABLE sales.lonely (id int);
ALTER TABLE sales.lonely OWNER TO rights_clerk;
"""


@pytest.fixture
def carried(migration):
    """A migration whose objects are on the target as the migration's user made them: without owners and privileges."""
    one = migration("rights", "template0")
    lab, (name,) = one.lab, one.databases
    try:
        prepare(one)
        yield one
    finally:
        for cluster in (lab.source, lab.target):
            drop_database(cluster, name)
            for role in ('"The Owner"', "rights_clerk", "rights_readers"):
                if exists(cluster, role):
                    ask(cluster, f"DROP OWNED BY {role} CASCADE")
                    ask(cluster, f"DROP ROLE {role}")


def prepare(one) -> None:
    """Make roles and objects on the source, the roles on the target, and carry the objects."""
    lab, (name,) = one.lab, one.databases
    ask(lab.source, ROLES)
    ask(lab.source, f'ALTER DATABASE {name} OWNER TO "The Owner"')
    lab.source.psql(OBJECTS + STRANGER, dbname=name)
    for statement in (
        f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO rights_readers, {USER}",
        f"ALTER DATABASE {name} SET work_mem = '7MB'",
        f'ALTER ROLE rights_clerk IN DATABASE {name} SET search_path = sales, "odd, one"',
        f'GRANT "The Owner", rights_clerk TO {USER}',
    ):
        ask(lab.source, statement)
    one.module("database_roles", state="present").good()
    carry(lab, name)


def exists(cluster, role: str) -> bool:
    return bool(ask(cluster, f"SELECT 1 FROM pg_roles WHERE quote_ident(rolname) = '{role}'"))


def carry(lab, name: str) -> None:
    """Carry a database with PostgreSQL's own programs, as the migration's user and without owners and privileges."""
    programs = lab.target.prefix / "bin"
    with lab.source.environment(None, None, name) as environment:
        command = [programs / "pg_dump", "--no-owner", "--no-privileges"]
        dump = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    base = [programs / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    for database, text in (("postgres", f"CREATE DATABASE {name}"), (name, dump)):
        with lab.target.environment(USER, lab.passwords["target"], database) as environment:
            subprocess.run(base, input=text, text=True, check=True, env=environment, capture_output=True)


def differences(one) -> list:
    """Return what verification says of owners, privileges, roles and settings, but for passwords."""
    one.module("verification", check="schema", fail_on="never").good()
    report = one.report()
    found = [
        finding
        for entry in report["databases"]
        for words in ("errors", "warnings")
        for finding in entry["schema"].get(words, [])
    ]
    found += report.get("roles", {}).get("findings", [])
    return [
        f"{finding['kind']} {finding['object']}: {finding['rule']} {finding.get('source')} {finding.get('target')}"
        for finding in found
    ]


def test_owners_and_privileges_become_those_of_the_source(carried):
    before = differences(carried)
    assert len(before) > 20
    told = carried.module("database_roles", state="restored", check_mode=True).good()
    assert told["changed"] and told["remarks"] == []
    assert 'ALTER TABLE sales."odd ""one""" OWNER TO "The Owner"' in told["steps"]
    assert all("7MB" not in step for step in told["steps"])
    assert differences(carried) == before

    done = carried.module("database_roles", state="restored").good()
    assert done["remarks"] == []
    assert done["steps"] == told["steps"]
    assert differences(carried) == []

    again = carried.module("database_roles", state="restored").good()
    assert (again["changed"], again["steps"]) == (False, [])
    # Verification reads as a member of the owners; afterwards nothing of that is left.
    assert {name for (name,) in lent(carried)} == {'"The Owner"', "rights_clerk"}
    told = carried.module("database_roles", state="returned", check_mode=True).good()
    assert sorted(told["steps"]) == [
        f"end the membership of {USER} in The Owner",
        f"end the membership of {USER} in rights_clerk",
    ]
    assert carried.module("database_roles", state="returned").good()["changed"]
    assert lent(carried) == []
    assert carried.module("database_roles", state="returned").good()["changed"] is False


def lent(one) -> list:
    """Return the roles that the migration's user may act for on the target, by its own doing."""
    return ask(
        one.lab.target,
        f"SELECT roleid::regrole FROM pg_auth_members WHERE member = '{USER}'::regrole AND grantor = '{USER}'::regrole"
        " AND roleid::regrole::text IN ('\"The Owner\"', 'rights_clerk', 'rights_readers') AND (inherit_option OR set_option)",
    )


def test_a_clerk_may_do_what_he_may_on_the_source(carried):
    carried.module("database_roles", state="restored").good()
    (name,) = carried.databases
    grantor = ask(
        carried.lab.target,
        "SELECT a.grantor::regrole::text FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = 'sales.parts'::regclass"
        " AND a.grantee = 'rights_readers'::regrole AND a.privilege_type = 'INSERT'",
        name,
    )
    assert grantor == [("rights_clerk",)]
    columns = ask(
        carried.lab.target,
        'SELECT attacl::text FROM pg_attribute WHERE attrelid = \'sales."odd ""one"""\'::regclass AND attname = \'secret\'',
        name,
    )
    assert columns == [('{"rights_clerk=rw/\\"The Owner\\""}',)]
    assert ask(carried.lab.target, "SELECT has_schema_privilege('rights_clerk', 'sales', 'CREATE')", name) == [(False,)]


def test_what_was_lent_is_given_back_also_where_nobody_has_noted_it(carried):
    carried.module("database_roles", state="restored").good()
    (carried.private / "lent-memberships.json").unlink()
    assert carried.module("database_roles", state="returned").good()["changed"]
    assert lent(carried) == []


def test_of_several_migrations_that_lend_the_same_the_last_takes_it_back(carried):
    first = carried
    second = Migration(first.lab, first.directory, "rights-too", first.databases)
    first.module("database_roles", state="restored").good()
    second.module("database_roles", state="restored").good()
    assert first.module("database_roles", state="returned").good()["changed"] is False
    assert {name for (name,) in lent(first)} == {'"The Owner"', "rights_clerk"}
    assert second.module("database_roles", state="returned").good()["changed"]
    assert lent(first) == []


def test_what_has_no_counterpart_is_told_and_the_rest_is_done(carried):
    (name,) = carried.databases
    ask(carried.lab.source, "CREATE ROLE rights_boss SUPERUSER")
    try:
        ask(carried.lab.source, "ALTER TABLE sales.part_one OWNER TO rights_boss", name)
        done = carried.module("database_roles", state="restored").good()
        assert any("names rights_boss, which has no counterpart" in words for words in done["remarks"]), done
        mapped = carried.module("database_roles", state="restored", role_map={"rights_boss": "rights_clerk"}).good()
        assert mapped["steps"] == [
            "ALTER TABLE sales.part_one OWNER TO rights_clerk".replace("rights_clerk", '"rights_clerk"')
        ]
    finally:
        ask(carried.lab.source, 'ALTER TABLE sales.part_one OWNER TO "The Owner"', name)
        ask(carried.lab.source, "DROP ROLE rights_boss")


def test_where_only_owner_and_application_may_connect_the_owner_opens_the_door(carried):
    # As the service leaves a database whose roles are there: with the source's owner and privileges, and no way in for us.
    (name,) = carried.databases
    for statement in (
        f'ALTER DATABASE {name} OWNER TO "The Owner"',
        f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO rights_clerk",
    ):
        ask(carried.lab.target, statement)
    assert ask(carried.lab.target, f"SELECT has_database_privilege('{USER}', '{name}', 'CONNECT')") == [(False,)]
    told = carried.module("database_roles", state="restored", check_mode=True).good()
    assert told["steps"] == [
        f"make {USER} a member of The Owner, rights_clerk, since only they and the application may connect to {name}, and "
        "compare owners and privileges there"
    ]
    done = carried.module("database_roles", state="restored").good()
    assert done["changed"] and done["remarks"] == []
    assert differences(carried) == []
    again = carried.module("database_roles", state="restored").good()
    assert (again["changed"], again["steps"]) == (False, [])
    # What was lent for that is given back with the rest, and the door is shut again for whoever has no right of its own.
    assert carried.module("database_roles", state="returned").good()["changed"]
    assert lent(carried) == []


def test_before_the_databases_are_there(migration):
    one = migration("early")
    told = one.module("database_roles", state="restored", check_mode=True).good()
    assert told["state"] == "pending"
    failed = one.module("database_roles", state="restored")
    assert failed.failed and "The target has no database early" in failed["msg"]
    assert one.module("database_roles", state="present").good()["state"] == "present"
    assert one.module("database_roles", state="present").good()["changed"] is False
