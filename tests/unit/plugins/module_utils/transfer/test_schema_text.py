# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an entry's text becomes on the target: owners, grantees, and privileges given by others."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.contents import Entry
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.roles import RolePlan
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.schema import (
    is_about_database,
    is_table_privilege,
    is_tolerated,
    session_settings,
)
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.statements import grantors, target_text, unquote
from transfer_texts import contents_of

PLAN = RolePlan(
    roles={},
    memberships=(),
    names={"app_owner": "app_owner", "old name": "New Name", "postgres": None, "bob": "bob"},
)


def entry(kind: str, text: str, name: str = "t") -> Entry:
    return Entry(1, 0, 0, (), name, kind, "app", "app_owner", text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ALTER TABLE app.t OWNER TO app_owner;", 'ALTER TABLE app.t OWNER TO "app_owner";'),
        ('ALTER TABLE app.t OWNER TO "old name";', 'ALTER TABLE app.t OWNER TO "New Name";'),
        ("ALTER TABLE app.t OWNER TO postgres;", ""),
        # A role that no database refers to elsewhere keeps its name.
        ("ALTER TABLE app.t OWNER TO pg_database_owner;", 'ALTER TABLE app.t OWNER TO "pg_database_owner";'),
        ('ALTER TABLE app."x OWNER TO y" OWNER TO app_owner;', 'ALTER TABLE app."x OWNER TO y" OWNER TO "app_owner";'),
    ],
    ids=["same", "mapped", "superuser", "system", "odd-name"],
)
def test_owner(before, after):
    text = "CREATE TABLE app.t (id int);\n\n\n{}\n"
    assert target_text(entry("TABLE", text.format(before)), PLAN) == text.format(after)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ("pg_attver=26505312", None),
        ("pg_attver=1, n_distinct=5", "n_distinct=5"),
        ("n_distinct=-0.5, pg_x=1", "n_distinct=-0.5"),
    ],
)
def test_options_that_servers_keep_for_themselves_stay_behind(options, left):
    create = "CREATE TABLE app.t (id int DEFAULT f('; SET (pg_attver=1);'::text))"
    column = 'ALTER TABLE ONLY app."t ALTER\nCOLUMN" ALTER COLUMN id SET ({})'
    statements = [create, column.format(options), "ALTER TABLE app.t OWNER TO app_owner"]
    wanted = [create, *([column.format(left)] if left else []), 'ALTER TABLE app.t OWNER TO "app_owner"']
    text = target_text(entry("TABLE", "".join(f"{one};\n\n" for one in statements)), PLAN)
    assert text == "".join(f"{one};\n" for one in wanted)


def test_owner_statement_inside_a_body_is_left_alone():
    body = "CREATE FUNCTION app.f() AS $$\nALTER TABLE app.t OWNER TO postgres;\n$$;\n\n\n"
    text = target_text(entry("FUNCTION", body + "ALTER FUNCTION app.f() OWNER TO app_owner;\n"), PLAN)
    assert text == body + 'ALTER FUNCTION app.f() OWNER TO "app_owner";\n'


def test_what_the_migrations_user_creates_is_its_own_already():
    plan = RolePlan({}, (), PLAN.names, user="bob")
    assert (
        target_text(entry("TABLE", "CREATE TABLE t ();\n\nALTER TABLE t OWNER TO bob;\n"), plan)
        == "CREATE TABLE t ();\n\n\n"
    )


def test_comment_that_reads_like_an_owner_statement_is_left_alone():
    text = "COMMENT ON TABLE app.t IS 'do not\nALTER TABLE x OWNER TO bob;\n';\n"
    assert target_text(entry("COMMENT", text), PLAN) == text


def test_session_defaults_of_the_next_entry_may_follow_the_owner():
    text = "CREATE TABLE app.t ();\n\n\nALTER TABLE app.t OWNER TO {};\n\nSET default_tablespace = '';\n\n"
    assert target_text(entry("TABLE", text.format("bob")), PLAN) == text.format('"bob"')


def test_text_without_owner_is_left_alone():
    text = "CREATE INDEX i ON app.t USING btree (id);\n"
    assert target_text(entry("INDEX", text), PLAN) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("GRANT SELECT ON TABLE app.t TO bob;", 'GRANT SELECT ON TABLE app.t TO "bob";'),
        ('GRANT ALL ON TABLE app.t TO "old name";', 'GRANT ALL ON TABLE app.t TO "New Name";'),
        (
            "GRANT SELECT ON TABLE app.t TO bob WITH GRANT OPTION;",
            'GRANT SELECT ON TABLE app.t TO "bob" WITH GRANT OPTION;',
        ),
        ("REVOKE ALL ON TABLE app.t FROM bob;", 'REVOKE ALL ON TABLE app.t FROM "bob";'),
        ("GRANT SELECT ON TABLE app.t TO PUBLIC;", "GRANT SELECT ON TABLE app.t TO PUBLIC;"),
        ("REVOKE ALL ON FUNCTION app.f() FROM PUBLIC;", "REVOKE ALL ON FUNCTION app.f() FROM PUBLIC;"),
        ("GRANT SELECT ON TABLE app.t TO postgres;", ""),
        ("GRANT SELECT ON TABLE app.t TO postgres WITH GRANT OPTION;", ""),
        ('GRANT SELECT ON TABLE app."t TO x" TO bob;', 'GRANT SELECT ON TABLE app."t TO x" TO "bob";'),
        ('GRANT SELECT(a) ON TABLE app.t TO "old name";', 'GRANT SELECT(a) ON TABLE app.t TO "New Name";'),
    ],
)
def test_grantees(before, after):
    assert target_text(entry("ACL", before + "\n"), PLAN) == (after + "\n" if after else "")


def test_privileges_given_by_somebody_else_are_given_as_that_role():
    text = "SET SESSION AUTHORIZATION bob;\nGRANT SELECT ON TABLE app.t TO bob;\nRESET SESSION AUTHORIZATION;\n"
    assert target_text(entry("ACL", text), PLAN) == (
        'SET LOCAL ROLE "bob";\nGRANT SELECT ON TABLE app.t TO "bob";\nRESET ROLE;\n'
    )


@pytest.mark.parametrize("grantor", ["postgres", "carol"], ids=["superuser", "refused"])
def test_privileges_given_by_who_cannot_be_acted_for_are_given_by_the_owner(grantor):
    plan = RolePlan({}, (), PLAN.names, unavailable={"carol"})
    text = f"SET SESSION AUTHORIZATION {grantor};\nGRANT SELECT ON TABLE app.t TO bob;\nRESET SESSION AUTHORIZATION;\n"
    assert target_text(entry("ACL", text), plan) == 'GRANT SELECT ON TABLE app.t TO "bob";\nRESET ROLE;\n'


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("TABLE", 'ALTER TABLE app."a\nb" OWNER TO "old name";\n', 'ALTER TABLE app."a\nb" OWNER TO "New Name";\n'),
        (
            "ACL",
            'GRANT SELECT ON TABLE app."a\n; TO bob" TO "old name" WITH GRANT OPTION;\n',
            'GRANT SELECT ON TABLE app."a\n; TO bob" TO "New Name" WITH GRANT OPTION;\n',
        ),
        (
            "POLICY",
            'CREATE POLICY "p TO x" ON app."a\nb" AS RESTRICTIVE FOR SELECT TO PUBLIC, "old name", postgres USING ((v = \'a TO b\'));\n',
            'CREATE POLICY "p TO x" ON app."a\nb" AS RESTRICTIVE FOR SELECT TO PUBLIC, "New Name" USING ((v = \'a TO b\'));\n',
        ),
        ("POLICY", "CREATE POLICY p ON app.t TO postgres USING (true);\n", ""),
        ("POLICY", "CREATE POLICY p ON app.t USING (true);\n", "CREATE POLICY p ON app.t USING (true);\n"),
        (
            "USER MAPPING",
            "CREATE USER MAPPING FOR \"old name\" SERVER s OPTIONS (password 'x');\n",
            "CREATE USER MAPPING FOR \"New Name\" SERVER s OPTIONS (password 'x');\n",
        ),
        (
            "DATABASE PROPERTIES",
            "ALTER DATABASE d SET a TO 'x; y';\nALTER ROLE \"old name\" IN DATABASE d SET a TO E'\\';';\n"
            "ALTER ROLE postgres IN DATABASE d SET a TO 'b';\n",
            "ALTER DATABASE d SET a TO 'x; y';\nALTER ROLE \"New Name\" IN DATABASE d SET a TO E'\\';';\n",
        ),
    ],
    ids=["owner", "grant", "policy", "policy-of-superusers", "policy-of-all", "user-mapping", "settings"],
)
def test_roles_are_renamed_wherever_they_stand_and_whatever_the_names_hold(kind, before, after):
    assert target_text(entry(kind, before), PLAN) == after


def test_grantors_are_found_under_their_own_names():
    text = "SET SESSION AUTHORIZATION {};\nGRANT SELECT ON TABLE app.t TO bob;\nRESET SESSION AUTHORIZATION;\n"
    entries = [entry("ACL", text.format(name)) for name in ("bob", '"old name"', "bob")]
    assert grantors([*entries, entry("COMMENT", text.format("eve"))]) == ["bob", "old name"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            'ALTER DEFAULT PRIVILEGES FOR ROLE "old name" IN SCHEMA app GRANT SELECT ON TABLES TO bob;',
            'ALTER DEFAULT PRIVILEGES FOR ROLE "New Name" IN SCHEMA app GRANT SELECT ON TABLES TO "bob";',
        ),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT SELECT ON TABLES TO postgres;", ""),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON TABLES TO bob;", ""),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner REVOKE ALL ON FUNCTIONS FROM PUBLIC;",
            'ALTER DEFAULT PRIVILEGES FOR ROLE "app_owner" REVOKE ALL ON FUNCTIONS FROM PUBLIC;',
        ),
    ],
    ids=["mapped", "to-superuser", "of-superuser", "public"],
)
def test_default_privileges(before, after):
    assert target_text(entry("DEFAULT ACL", before + "\n"), PLAN) == (after + "\n" if after else "")


def test_unquote():
    assert unquote("plain") == "plain"
    assert unquote('"odd ""one"""') == 'odd "one"'


def test_kinds_of_entries():
    assert is_about_database(entry("DATABASE", ""))
    assert is_about_database(entry("ACL", "", "DATABASE shop"))
    assert not is_about_database(entry("ACL", "", "TABLE database"))
    for name in ("TABLE t", "COLUMN t.a", "SEQUENCE s"):
        assert is_table_privilege(entry("ACL", "", name))
    assert not is_table_privilege(entry("ACL", "", "FUNCTION f()"))
    assert not is_table_privilege(entry("COMMENT", "", "TABLE t"))
    assert is_tolerated(entry("COMMENT", "", "EXTENSION pg_trgm"))
    assert not is_tolerated(entry("COMMENT", "", "TABLE t"))


def test_settings_under_which_the_text_means_what_it_says():
    contents = contents_of("SET standard_conforming_strings = off;\n")
    settings = session_settings(contents, 110000)
    assert "default_table_access_method" not in settings, "11 does not know it"
    assert session_settings(contents, 120000)["default_table_access_method"] == "heap"
    assert settings["standard_conforming_strings"] == "off"
    assert settings["search_path"] == ""
    assert settings["check_function_bodies"] == "off"
