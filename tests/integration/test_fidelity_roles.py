# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles: passwords, other names on the target, options of memberships."""

from __future__ import annotations

import contextlib
import threading

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import roles
from support.waiting import wait_for

from tests.fidelity.arena import USER, Arena
from tests.fidelity.suite import findings

ROLES = '''
CREATE ROLE group_one NOLOGIN;
CREATE ROLE group_two NOLOGIN NOINHERIT;
CREATE ROLE "Odd ""Person""" LOGIN PASSWORD 'odd secret' CONNECTION LIMIT 7 VALID UNTIL '2031-02-03 04:05:06+07' IN ROLE group_one;
CREATE ROLE old_name LOGIN PASSWORD 'old secret' CREATEDB NOINHERIT;
CREATE ROLE forever LOGIN VALID UNTIL 'infinity';
CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'boss secret';
GRANT group_one TO old_name WITH ADMIN OPTION;
GRANT group_two TO old_name;
ALTER ROLE old_name SET search_path = "$user", "odd, path";
ALTER ROLE old_name SET work_mem = '5MB';
COMMENT ON ROLE old_name IS 'it''s a role';
SET password_encryption = md5;
CREATE ROLE hashed LOGIN PASSWORD 'md5 secret';
RESET password_encryption;
'''
OBJECTS = '''
CREATE SCHEMA app AUTHORIZATION old_name;
SET ROLE old_name;
CREATE TABLE app."new
line" (id int PRIMARY KEY, v text);
INSERT INTO app."new
line" VALUES (1, 'x');
CREATE POLICY p ON app."new
line" FOR SELECT TO old_name, "Odd ""Person""" USING (true);
ALTER TABLE app."new
line" ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON app."new
line" TO group_two, "Odd ""Person""", forever, hashed;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO group_two;
RESET ROLE;
CREATE TABLE app.of_boss (id int);
ALTER TABLE app.of_boss OWNER TO boss;
INSERT INTO app.of_boss VALUES (5);
ALTER ROLE old_name IN DATABASE {0} SET work_mem = '6MB';
SELECT lo_from_bytea(700001, 'x');
ALTER LARGE OBJECT 700001 OWNER TO old_name;
GRANT SELECT ON LARGE OBJECT 700001 TO group_two;
'''
MAP = {"old_name": "New Name", "group_two": "team", "boss": "app_boss"}


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    """A source and a target with nothing but roles."""
    with contextlib.ExitStack() as stack:
        arena = Arena((14, 17), tmp_path_factory.mktemp("roles"), stack)
        arena.run("source", ROLES)
        arena.run("source", f"GRANT old_name, group_one, group_two, boss TO {USER}")
        for name in ("by_superuser", "by_ordinary"):
            arena.run("source", f"CREATE DATABASE {name} OWNER app_owner")
            arena.run("source", OBJECTS.format(name), name)
        yield arena


def can_log_in(arena: Arena, user: str, password: str) -> bool:
    """Tell whether the target lets a role in with a password."""
    try:
        psycopg2.connect(**arena.target.connection(user, password)).close()
    except psycopg2.OperationalError as error:
        assert "password authentication failed" in str(error), error
        return False
    return True


def take_roles_away(arena: Arena, database: str) -> None:
    """Leave the target as it was."""
    arena.run("target", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    names = f"SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname NOT IN ('postgres', '{USER}')"
    for (name,) in arena.ask("target", names):
        arena.run("target", 'DROP ROLE "' + name.replace('"', '""') + '"')


def test_passwords_and_other_names_with_a_superuser_on_the_source(arena):
    """Verifiers travel, role_map holds everywhere a role can be named, and no verifier is shown."""
    arena.run("target", "CREATE ROLE app_boss NOLOGIN; GRANT app_boss TO " + USER)
    request = arena.request("by-superuser", ["by_superuser"], superuser=True, role_map=MAP)
    outcome = arena.carry(request).good()
    assert can_log_in(arena, "New Name", "old secret")
    assert not can_log_in(arena, "New Name", "wrong")
    assert [row[0] for row in arena.ask("target", "SELECT rolpassword FROM pg_authid WHERE rolname = 'hashed'")] == (
        [row[0] for row in arena.ask("source", "SELECT rolpassword FROM pg_authid WHERE rolname = 'hashed'")]
    )
    assert outcome.warned("hashed", "MD5")
    assert outcome.warned("without a password", "forever")
    assert not outcome.warned("without a password", "New Name")
    attributes = "SELECT rolconnlimit, rolvaliduntil, rolinherit FROM pg_roles WHERE rolname = %s"
    assert arena.both(attributes, parameters=('Odd "Person"',))[0][0] == 7
    assert arena.both("SELECT rolvaliduntil = 'infinity' FROM pg_roles WHERE rolname = 'forever'") == [(True,)]
    settings = "SELECT rolconfig, rolcreatedb, rolinherit, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s"
    assert arena.ask("target", settings, parameters=("New Name",)) == arena.ask(
        "source", settings, parameters=("old_name",)
    )
    named = """
    SELECT (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'app."new\nline"'::regclass),
           (SELECT string_agg(r::regrole::text, ', ' ORDER BY r::regrole::text) FROM pg_policy, unnest(polroles) r),
           (SELECT string_agg(DISTINCT a.grantee::regrole::text, ', ' ORDER BY a.grantee::regrole::text) FROM pg_class, aclexplode(relacl) a
             WHERE oid = 'app."new\nline"'::regclass),
           (SELECT string_agg(defaclrole::regrole || ' ' || a.grantee::regrole, ', ') FROM pg_default_acl, aclexplode(defaclacl) a),
           (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'app.of_boss'::regclass),
           (SELECT string_agg(setrole::regrole::text, ', ') FROM pg_db_role_setting WHERE setdatabase <> 0),
           (SELECT pg_get_userbyid(lomowner) FROM pg_largeobject_metadata)
    """
    assert arena.ask("target", named, "by_superuser") == [
        ('New Name', '"New Name", "Odd ""Person"""', '"New Name", "Odd ""Person""", forever, hashed, team',
         '"New Name" team', "app_boss", '"New Name"', "New Name")
    ]  # fmt: skip
    assert arena.ask("target", "SELECT 1 FROM pg_roles WHERE rolname IN ('old_name', 'group_two', 'boss')") == []
    admin = "SELECT m.admin_option FROM pg_auth_members m WHERE roleid = 'group_one'::regrole AND member = '\"New Name\"'::regrole"
    assert (True,) in arena.ask("target", admin)
    text = outcome.log + "".join(outcome.warnings)
    journal = (arena.directory / "state-by-superuser" / "migrations" / "by-superuser" / "journal.sqlite").read_bytes()
    for (verifier,) in arena.ask("source", "SELECT rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL"):
        assert verifier not in text and verifier.encode() not in journal
    assert findings(arena.verify(request)) == []
    take_roles_away(arena, "by_superuser")


def test_passwords_that_cannot_be_read_are_named(arena):
    request = arena.request("by-ordinary", ["by_ordinary"])
    outcome = arena.carry(request).good()
    assert outcome.warned("without a password", "old_name", 'Odd "Person"', "hashed")
    assert arena.ask(
        "target", "SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL AND rolname !~ 'postgres|migrator'"
    ) == [(0,)]
    # What a superuser owns stays with the migration's user, and that is said.
    assert outcome.warned("Role boss", "no counterpart", "app.of_boss")
    owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'app.of_boss'::regclass"
    assert arena.ask("target", owner, "by_ordinary") == [(USER,)]
    take_roles_away(arena, "by_ordinary")


def test_membership_options_arrive_between_servers_that_know_them(tmp_path):
    with contextlib.ExitStack() as stack:
        arena = Arena((17, 18), tmp_path, stack)
        arena.run(
            "source",
            f"CREATE ROLE g; CREATE ROLE m LOGIN; GRANT g TO m WITH ADMIN FALSE, INHERIT FALSE, SET FALSE; GRANT g TO {USER}",
        )
        arena.run("source", "CREATE DATABASE one OWNER g")
        arena.run(
            "source",
            "SET ROLE g; CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS x; GRANT USAGE ON SCHEMA s TO m",
            "one",
        )
        request = arena.request("options", ["one"])
        arena.carry(request).good()
        options = "SELECT admin_option, inherit_option, set_option FROM pg_auth_members WHERE member = 'm'::regrole"
        assert arena.both(options) == [(False, False, False)]
        assert findings(arena.verify(request)) == []


class Entries:
    """Stands where the engine has its journal."""

    def __init__(self):
        self.made, self.gone = [], []

    def creating(self, _side, _database, kind, name):
        self.made.append((kind, name))

    created = creating

    def removed(self, _side, _database, kind, name):
        self.gone.append((kind, name))


def beaten(arena, rival: str, work) -> None:
    """Do I(work) with a session while another one has done the same and not yet committed; end when both are through."""
    failures = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # handed to the test
            failures.append(error)

    with arena.session("target", user=USER) as other:
        with other.cursor() as cursor:
            cursor.execute(f"BEGIN; {rival}")
            thread = threading.Thread(target=run)
            thread.start()
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_for(lambda: arena.ask("target", waits) == [(1,)] or not thread.is_alive(), "the one who comes second")
            cursor.execute("COMMIT")
        thread.join(30)
    assert not failures and not thread.is_alive(), failures


def test_another_migration_may_create_the_same_roles_at_the_same_moment(arena):
    entries, remarks = Entries(), []
    with arena.session("source", "by_superuser") as source, arena.session("target", user=USER) as target:
        plan = roles.read_plan(source, target, ["by_superuser"], {"boss": USER})
        beaten(arena, "CREATE ROLE group_one", lambda: remarks.extend(roles.create_roles(target, plan, entries)))
        assert ("role", "group_one") in entries.gone and ("role", "group_two") not in entries.gone
        assert not [remark for remark in remarks if "refused" in remark], remarks
        member = f"GRANT old_name TO {USER}"
        beaten(arena, member, lambda: roles.join_owners(target, plan, entries))
        # Newer servers let the second one wait and find it done, others refuse it.
        assert arena.ask("target", f"SELECT pg_has_role('{USER}', 'old_name', 'USAGE')") == [(True,)]
    take_roles_away(arena, "by_superuser")
