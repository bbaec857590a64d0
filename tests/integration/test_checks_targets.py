# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the target: what it holds, what its user may, what it is set to, what it can be made to hold."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks import locales, probes
from ansible_collections.azpg.migrate.plugins.module_utils._checks.context import Context
from support.check_faults import pose
from support.checks import of_rule, session, shows, the_only, troubles

# -- what is there ----------------------------------------------------------------------------------------------------


@shows("target-database-empty")
def test_a_target_database_that_holds_tables(checked_pair):
    checked_pair.run("target", "CREATE DATABASE one OWNER mig")
    assert troubles(checked_pair.check()) == []
    checked_pair.run("target", "CREATE SCHEMA old AUTHORIZATION mig; CREATE TABLE old.orders (id int)", "one")
    finding = the_only(checked_pair.check(), "target-database-empty")
    assert finding.found == "holds 2 objects: table old.orders, schema old"
    assert 'DROP DATABASE "one"' in finding.remedy
    assert finding.code == "603101"
    assert troubles(checked_pair.check(own_databases={"one"})) == []


@shows("target-database-empty")
def test_the_service_takes_no_database_that_exists(checked_pair):
    checked_pair.run("target", "CREATE DATABASE one OWNER mig")
    with checked_pair.ready("azure"):
        finding = the_only(checked_pair.check(provider="azure"), "target-database-empty")
        assert finding.code == "603101" and "provider: host" in finding.remedy
        assert troubles(checked_pair.check(provider="azure", own_databases={"one"})) == []
        assert troubles(checked_pair.check(provider="azure", overwrite={"one"})) == []


@shows("service-overwrite-drop")
def test_a_database_that_is_replaced_and_belongs_to_somebody_else(checked_pair):
    with checked_pair.undone("target", "CREATE ROLE third", "DROP ROLE third"):
        checked_pair.run("target", "CREATE DATABASE one OWNER third")
        with checked_pair.ready("azure"):
            finding = the_only(checked_pair.check(provider="azure", overwrite={"one"}), "service-overwrite-drop")
        checked_pair.servers.clean()
    assert finding.code == "603117" and 'GRANT "third" TO "mig";' in finding.remedy


@shows("service-overwrite-sessions")
def test_a_database_that_is_replaced_and_in_use(checked_pair):
    checked_pair.run("target", "CREATE DATABASE one OWNER mig")
    with checked_pair.ready("azure"), session(checked_pair.target):
        finding = the_only(checked_pair.check(provider="azure", overwrite={"one"}), "service-overwrite-sessions")
        assert finding.code == "603111" and 'GRANT pg_signal_backend TO "mig";' in finding.remedy
        assert "1 session of postgres" in finding.found
        with checked_pair.undone("target", "GRANT pg_signal_backend TO mig", "REVOKE pg_signal_backend FROM mig"):
            assert troubles(checked_pair.check(provider="azure", overwrite={"one"})) == []


@shows("target-writable")
def test_a_read_only_target(checked_pair):
    with checked_pair.undone(
        "target",
        "ALTER ROLE mig SET default_transaction_read_only = on",
        "ALTER ROLE mig RESET default_transaction_read_only",
    ):
        finding = the_only(checked_pair.check(), "target-writable", item="postgres")
    assert "default_transaction_read_only is on" in finding.found


# -- what the user may ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["host", "azure"])
@shows("target-database-creatable")
def test_a_target_user_without_createdb(checked_pair, provider):
    with (
        checked_pair.ready(provider),
        checked_pair.undone("target", "ALTER ROLE mig NOCREATEDB", "ALTER ROLE mig CREATEDB"),
    ):
        finding = the_only(checked_pair.check(provider=provider), "target-database-creatable")
    assert finding.remedy.startswith('On the target: ALTER ROLE "mig" CREATEDB;')


def test_a_target_database_of_somebody_else(checked_pair):
    checked_pair.run("target", "CREATE DATABASE one")
    finding = the_only(checked_pair.check(), "target-database-creatable")
    assert 'lacks CREATE ON DATABASE "one"' in finding.found
    assert 'GRANT CREATE ON DATABASE "one" TO "mig";' in finding.remedy


@shows("target-roles-creatable")
def test_a_missing_role_without_createrole(checked_pair):
    with checked_pair.undone(
        "target",
        "DROP ROLE app; ALTER ROLE mig NOCREATEROLE",
        "CREATE ROLE app; GRANT app TO mig; ALTER ROLE mig CREATEROLE",
    ):
        finding = the_only(checked_pair.check(), "target-roles-creatable", item=checked_pair.address("target"))
        assert "1 role missing on the target (app)" in finding.found
        assert 'CREATE ROLE "app"' in finding.remedy
        assert troubles(checked_pair.check(role_map={"app": "mig"})) == []


@shows("target-roles-creatable")
def test_the_service_always_wants_createrole(checked_pair):
    with (
        checked_pair.ready("azure"),
        checked_pair.undone("target", "ALTER ROLE mig NOCREATEROLE", "ALTER ROLE mig CREATEROLE"),
    ):
        finding = the_only(
            checked_pair.check(provider="azure"), "target-roles-creatable", item=checked_pair.address("target")
        )
    assert finding.code == "603116" and 'ALTER ROLE "mig" CREATEROLE;' in finding.remedy


@shows("target-roles-administered")
def test_a_role_that_the_target_user_is_no_member_of(checked_pair):
    with checked_pair.undone("target", "REVOKE app FROM mig", "GRANT app TO mig"):
        finding = the_only(checked_pair.check(), "target-roles-administered", item=checked_pair.address("target"))
    assert 'GRANT "app" TO "mig";' in finding.remedy


@shows("target-role-passwords")
def test_a_role_that_will_need_a_password(checked_pair):
    with checked_pair.undone("source", "CREATE ROLE web LOGIN", "DROP ROLE web"):
        checked_pair.run("source", "GRANT SELECT ON shop.customer TO web", "one")
        finding = the_only(checked_pair.check(), "target-role-passwords", "warning", checked_pair.address("target"))
        checked_pair.run("source", "REVOKE ALL ON shop.customer FROM web", "one")
    assert '\\password "web"' in finding.remedy
    # Where the source's user may read passwords, they come along.
    readable = "CREATE ROLE web LOGIN PASSWORD 'web'; GRANT SELECT ON pg_authid TO mig"
    with checked_pair.undone("source", readable, "REVOKE SELECT ON pg_authid FROM mig; DROP ROLE web"):
        checked_pair.run("source", "GRANT SELECT ON shop.customer TO web", "one")
        finding = of_rule(checked_pair.check(), "target-role-passwords")
        checked_pair.run("source", "REVOKE ALL ON shop.customer FROM web", "one")
    assert finding.status == "succeeded" and finding.found.endswith("their passwords travel: web")


@shows("role-map-names")
def test_a_role_map_of_unknown_roles(checked_pair):
    finding = the_only(
        checked_pair.check(role_map={"ap": "mig"}), "role-map-names", item=checked_pair.address("source")
    )
    assert finding.found.endswith(": ap")


@shows("role-password-hashes")
def test_passwords_in_md5_that_the_target_does_not_take(checked_pair):
    source = "SET password_encryption = md5; CREATE ROLE web LOGIN PASSWORD 'web'; GRANT SELECT ON pg_authid TO mig"
    target = "ALTER ROLE mig SET azure.accepted_password_auth_method = 'scram-sha-256'"
    with (
        checked_pair.undone("source", source, "REVOKE SELECT ON pg_authid FROM mig; DROP ROLE web"),
        checked_pair.undone("target", f"CREATE ROLE web; {target}", "DROP ROLE web; ALTER ROLE mig RESET ALL"),
    ):
        checked_pair.run("source", "GRANT SELECT ON shop.customer TO web", "one")
        finding = the_only(checked_pair.check(), "role-password-hashes", "warning", checked_pair.address("target"))
        checked_pair.run("source", "REVOKE ALL ON shop.customer FROM web", "one")
    assert "1 role with a password in MD5: web; the target accepts scram-sha-256" in finding.found


@shows("service-target-admin")
def test_a_user_who_is_no_administrator_of_the_flexible_server(checked_pair):
    with checked_pair.ready("azure"):
        with checked_pair.undone("target", "REVOKE azure_pg_admin FROM mig", "GRANT azure_pg_admin TO mig"):
            finding = the_only(
                checked_pair.check(provider="azure"), "service-target-admin", item=checked_pair.address("target")
            )
        assert finding.code == "603115" and 'GRANT azure_pg_admin TO "mig";' in finding.remedy
        with checked_pair.undone(
            "target",
            "REVOKE azure_pg_admin FROM mig; ALTER ROLE azure_pg_admin RENAME TO nobody",
            "ALTER ROLE nobody RENAME TO azure_pg_admin; GRANT azure_pg_admin TO mig",
        ):
            finding = the_only(
                checked_pair.check(provider="azure"), "service-target-admin", item=checked_pair.address("target")
            )
        assert "no flexible server" in finding.found and "provider: host" in finding.remedy


@shows("service-target-visibility")
def test_a_user_who_may_not_see_settings(checked_pair):
    with (
        checked_pair.ready("azure"),
        checked_pair.undone("target", "REVOKE pg_read_all_stats FROM mig", "GRANT pg_read_all_stats TO mig"),
    ):
        finding = the_only(
            checked_pair.check(provider="azure"), "service-target-visibility", "warning", checked_pair.address("target")
        )
    assert finding.remedy == 'On the target: GRANT pg_read_all_stats TO "mig";'


@shows("service-target-memberships")
def test_a_target_user_who_is_a_member_of_more_than_it_needs(checked_pair):
    with (
        checked_pair.ready("azure"),
        checked_pair.undone("target", "CREATE ROLE third; GRANT third TO mig", "DROP ROLE third"),
    ):
        finding = the_only(
            checked_pair.check(provider="azure"),
            "service-target-memberships",
            "warning",
            checked_pair.address("target"),
        )
        # What the user makes by itself gives it a membership that is none.
        checked_pair.run("target", "REVOKE third FROM mig; SET ROLE mig; CREATE ROLE fourth; RESET ROLE")
        try:
            assert troubles(checked_pair.check(provider="azure")) == []
        finally:
            checked_pair.run("target", "DROP ROLE fourth")
    assert finding.code == "603706" and 'REVOKE "third" FROM "mig";' in finding.remedy


@shows("service-public-schema")
def test_a_schema_public_of_somebody_else(checked_pair):
    owner = ("ALTER SCHEMA public OWNER TO third", "ALTER SCHEMA public OWNER TO pg_database_owner; DROP ROLE third")
    checked_pair.run("target", "CREATE DATABASE one OWNER mig")
    with checked_pair.ready("azure"):
        assert troubles(checked_pair.check(provider="azure", own_databases={"one"})) == []
        checked_pair.run("target", "CREATE ROLE third")
        with checked_pair.undone("target", *owner, "one"):
            finding = the_only(checked_pair.check(provider="azure", own_databases={"one"}), "service-public-schema")
            assert troubles(checked_pair.check(provider="azure", overwrite={"one"})) == []
        assert finding.code == "603708" and "in database one of the target" in finding.found
        assert "ALTER SCHEMA public OWNER TO azure_pg_admin;" in finding.remedy
        checked_pair.servers.clean()
        checked_pair.servers.create("one")
        checked_pair.run("target", "CREATE ROLE third")
        with checked_pair.undone("target", *owner):
            finding = the_only(checked_pair.check(provider="azure"), "service-public-schema")
    assert "and in template1" in finding.remedy


# -- what the target is set to ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("migration_skip_large_objects", "1 large object"),
        ("migration_skip_extensions", "uses citext"),
        ("migration_copy_with_binary", "binary"),
    ],
)
@shows("service-migration-parameters")
def test_a_setting_of_the_service_that_leaves_something_out(checked_pair, setting, found):
    if checked_pair.servers.majors[0] == checked_pair.servers.majors[1] and "binary" in setting:
        pytest.skip("needs two majors")
    checked_pair.run("source", "SELECT lo_create(1); GRANT SELECT ON LARGE OBJECT 1 TO mig", "one")
    with (
        checked_pair.ready("azure"),
        checked_pair.undone(
            "target", f"ALTER ROLE mig SET azure.{setting} = 'on'", f"ALTER ROLE mig RESET azure.{setting}"
        ),
    ):
        finding = the_only(checked_pair.check(provider="azure"), "service-migration-parameters", "warning")
    assert f"azure.{setting} is on" in finding.found and found in finding.found
    assert f"--name azure.{setting} --value off" in finding.remedy


@shows("service-replication-origins")
def test_no_room_for_positions_on_the_target(checked_pair):
    name = "max_active_replication_origins" if checked_pair.servers.majors[1] >= 18 else "max_replication_slots"
    with checked_pair.settings("target", **{name: 1}), checked_pair.ready("azure", "online"):
        finding = the_only(
            checked_pair.check(provider="azure", mode="online"),
            "service-replication-origins",
            item=checked_pair.address("target"),
        )
    assert finding.found == f"{name} = 1, 0 in use" and f"--name {name} --value 2" in finding.remedy


@shows("service-temporary-tablespaces")
def test_temporary_files_on_the_local_disk(checked_pair):
    name = "azure.enable_temp_tablespaces_on_local_ssd"
    with (
        checked_pair.ready("azure", "online"),
        checked_pair.undone("target", f"ALTER ROLE mig SET {name} = 'on'", f"ALTER ROLE mig RESET {name}"),
    ):
        finding = the_only(
            checked_pair.check(provider="azure", mode="online"),
            "service-temporary-tablespaces",
            "warning",
            checked_pair.address("target"),
        )
    assert name in finding.found


@shows("service-target-timeouts")
def test_a_timeout_of_a_database_that_is_replaced(checked_pair):
    checked_pair.run("target", "CREATE DATABASE one OWNER mig")
    checked_pair.run("target", "ALTER DATABASE one SET idle_in_transaction_session_timeout = '30s'")
    with checked_pair.ready("azure"):
        finding = the_only(
            checked_pair.check(provider="azure", overwrite={"one"}), "service-target-timeouts", "warning"
        )
    assert "idle_in_transaction_session_timeout = 30 s" in finding.found
    assert 'ALTER ROLE "mig" SET idle_in_transaction_session_timeout = 0;' in finding.remedy


def test_settings_for_the_load_are_advice_and_no_trouble(checked_pair):
    with checked_pair.ready("azure"):
        finding = of_rule(checked_pair.check(provider="azure"), "service-load-settings")
    assert finding.status == "succeeded"
    assert "--name max_wal_size --value 65536" in finding.remedy


@pytest.mark.parametrize("side", ["source", "target"])
def test_keepalives_are_advice_and_no_trouble(checked_pair, side):
    rule = f"service-{side}-keepalives"
    with checked_pair.ready("azure"):
        finding = of_rule(checked_pair.check(provider="azure", only=[rule]), rule)
        assert finding.status == "succeeded" and "tcp_keepalives_idle = 7200" in finding.found
        assert ("ALTER SYSTEM SET" if side == "source" else "--name tcp_keepalives_idle --value 10") in finding.remedy
        advised = "tcp_keepalives_idle = 10; ALTER ROLE mig SET tcp_keepalives_interval = 10; ALTER ROLE mig SET tcp_keepalives_count = 60"
        undo = "; ".join(f"ALTER ROLE mig RESET tcp_keepalives_{word}" for word in ("idle", "interval", "count"))
        with checked_pair.undone(side, f"ALTER ROLE mig SET {advised}", undo):
            finding = of_rule(checked_pair.check(provider="azure", only=[rule]), rule)
    assert finding.found.endswith("tcp_keepalives_count = 60") and not finding.remedy


@shows("extensions-preloaded", "extensions-allow-listed")
def test_a_flexible_target_has_its_lists_for_the_host_provider_too(checked_pair):
    checked_pair.run("source", pose("pgaudit", "1.6"), "one")
    grants = ("GRANT pg_read_all_settings TO mig", "REVOKE pg_read_all_settings FROM mig")
    with checked_pair.undone("target", *grants):
        finding = the_only(checked_pair.check(), "extensions-preloaded")
        assert finding.remedy.startswith("ALTER SYSTEM SET shared_preload_libraries = ") and finding.code == "603109"
        allowed = "ALTER ROLE mig SET azure.extensions = 'citext'"
        with checked_pair.undone("target", allowed, "ALTER ROLE mig RESET ALL"):
            found = {finding.rule for finding in troubles(checked_pair.check())}
    assert found == {"extensions-preloaded", "extensions-allow-listed"}


# -- encodings and locales --------------------------------------------------------------------------------------------


@shows("database-encoding")
def test_another_encoding_on_the_target(checked_pair):
    checked_pair.run("target", "CREATE DATABASE one OWNER mig TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    finding = the_only(checked_pair.check(), "database-encoding")
    assert finding.found == "LATIN1, C, C (libc) on the target, UTF8, C.UTF-8, C.UTF-8 (libc) on the source"
    assert 'DROP DATABASE "one";' in finding.remedy


def test_another_locale_on_the_target(checked_pair):
    checked_pair.run("target", "CREATE DATABASE one OWNER mig TEMPLATE template0 LOCALE 'C'")
    the_only(checked_pair.check(), "database-encoding", "warning")


@shows("database-locale")
def test_a_locale_that_the_target_does_not_have(checked_pair, monkeypatch):
    # Both servers share one operating system here, so they cannot differ in what it offers.
    monkeypatch.setattr(locales, "target_locales", lambda _context: {"C"})
    finding = the_only(checked_pair.check(), "database-locale")
    assert finding.found == "the database has UTF8, C.UTF-8, C.UTF-8 (libc); the target knows no locale C.UTF-8"
    assert finding.code == "603401"


@shows("locale-provider")
def test_a_target_without_icu(checked_pair, monkeypatch):
    # Every build for 14 and newer has ICU, and no older one can be the target of a database with such a locale.
    real = locales.collations
    monkeypatch.setattr(locales, "collations", lambda context: [row for row in real(context) if row["provider"] != "i"])
    known = Context.databases

    def databases(self, side):
        rows = known(self, side)
        return (
            {name: {**row, "provider": "i", "locale": "de-AT"} for name, row in rows.items()}
            if side == "source"
            else rows
        )

    monkeypatch.setattr(Context, "databases", databases)
    finding = the_only(checked_pair.check(), "locale-provider")
    assert "the target was built without ICU" in finding.found
    assert "ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C.UTF-8';" in finding.remedy


# -- trying it out ----------------------------------------------------------------------------------------------------


def leftovers(checked_pair) -> list:
    return checked_pair.run("target", "SELECT datname FROM pg_database WHERE datname LIKE 'azpg%'")


@shows("target-create-database")
def test_a_database_is_made_and_dropped_when_asked_for(checked_pair):
    checked_pair.run(
        "source", "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' OWNER app"
    )
    written: list = []
    findings = checked_pair.check(databases=["one", "latin"], probes={"create_database"}, written=written)
    assert troubles(findings) == []
    made = [finding.found for finding in findings if finding.rule == "target-create-database"]
    assert sorted(made) == [
        "made and dropped a database with LATIN1, C, C (libc) for latin",
        "made and dropped a database with UTF8, C.UTF-8, C.UTF-8 (libc) for one",
    ]
    assert len(written) == 2 and leftovers(checked_pair) == []
    # A target that can make none.
    with checked_pair.undone(
        "target", "ALTER DATABASE template0 RENAME TO away", "ALTER DATABASE away RENAME TO template0"
    ):
        written = []
        finding = the_only(
            checked_pair.check(probes={"create_database"}, written=written),
            "target-create-database",
            item=checked_pair.address("target"),
        )
    assert 'template database "template0" does not exist' in finding.found
    assert finding.code == "603401" and written == [] and leftovers(checked_pair) == []


@shows("source-create-slot")
def test_a_slot_is_made_and_dropped_when_asked_for(checked_pair, monkeypatch):
    monkeypatch.setitem(probes.SLOT_SETTINGS, "lock_timeout", "300ms")
    probing = {"mode": "online", "provider": "azure", "probes": {"create_slot"}, "only": ["source-create-slot"]}
    slots = "SELECT count(*) FROM pg_replication_slots"
    with checked_pair.ready("azure", "online"):
        written: list = []
        findings = checked_pair.check(**probing, written=written)
        assert troubles(findings) == [] and len(written) == 2
        plugins = [finding.found.rpartition(" ")[2] for finding in findings]
        assert plugins == ["pgoutput", "test_decoding"] and checked_pair.run("source", slots) == [(0,)]
        # Without the contrib package.
        library = next(checked_pair.source.prefix.rglob("test_decoding.so"))
        library.rename(library.with_suffix(".away"))
        try:
            finding = the_only(
                checked_pair.check(**probing), "source-create-slot", "warning", checked_pair.address("source")
            )
        finally:
            library.with_suffix(".away").rename(library)
        assert "output plugin test_decoding" in finding.found and "postgresql-contrib" in finding.remedy
        # While somebody writes.
        with session(checked_pair.source, "INSERT INTO shop.customer (name) VALUES ('c')"):
            findings = checked_pair.check(**{**probing, "provider": "host"})
        finding = the_only(findings, "source-create-slot", item=checked_pair.address("source"))
        assert "no slot within 300ms" in finding.found
        assert checked_pair.run("source", slots) == [(0,)]


def test_nothing_is_tried_without_being_asked_for(checked_pair):
    finding = of_rule(checked_pair.check(), "target-create-database")
    assert finding.status == "skipped" and "probe: [create_database]" in finding.remedy


# -- remedies ---------------------------------------------------------------------------------------------------------


def test_the_granted_remedy_helps(checked_pair):
    checked_pair.run("source", "REVOKE SELECT ON ALL TABLES IN SCHEMA shop FROM mig", "one")
    finding = the_only(checked_pair.check(), "source-readable")
    checked_pair.run("source", finding.remedy.split(": ", 1)[1].split(" Or once")[0], "one")
    assert troubles(checked_pair.check()) == []


def test_row_level_security_does_not_hide_from_bypassrls(checked_pair):
    checked_pair.run("source", "ALTER TABLE shop.customer ENABLE ROW LEVEL SECURITY", "one")
    assert [finding.rule for finding in troubles(checked_pair.check())] == ["source-row-security"]
    with checked_pair.undone("source", "ALTER ROLE mig BYPASSRLS", "ALTER ROLE mig NOBYPASSRLS"):
        assert troubles(checked_pair.check()) == []


def test_unlogged_tables_are_named(checked_pair):
    checked_pair.run("source", "SET ROLE app; CREATE UNLOGGED TABLE shop.cache (id int PRIMARY KEY)", "one")
    assert of_rule(checked_pair.check(), "unlogged-tables").found.startswith('1 unlogged table: "shop"."cache"')
