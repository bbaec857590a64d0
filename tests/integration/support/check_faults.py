# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a source database: how it is made, and everything that may be said of it, by provider and mode.

A finding that is not named here for a provider and mode is a mistake, just as one that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

HOST, AZURE = ("host",), ("azure",)
OFFLINE, ONLINE = ("offline",), ("online",)


@dataclass(frozen=True)
class Expect:
    """A finding: its rule and status, words of it, and where it is expected."""

    rule: str
    status: str = "failed"
    found: str = ""
    remedy: str = ""
    code: str | None = None
    providers: tuple = HOST + AZURE
    modes: tuple = OFFLINE + ONLINE


@dataclass(frozen=True)
class Fault:
    """A database with one thing wrong: SQL of a superuser, and what that must lead to.

    C({name}) in the SQL stands for the database; I(since) and I(until) bound the source's major versions.
    """

    sql: str
    expects: tuple
    options: str = ""
    undo: str = ""
    since: int = 0
    until: int = 99


# An extension without objects that takes another one's name and version.
POSE = "CREATE EXTENSION pose; UPDATE pg_extension SET extname = '{}', extversion = '{}' WHERE extname = 'pose'"


def pose(name: str, version: str) -> str:
    """Return the SQL that makes the database seem to hold an extension."""
    return POSE.format(name, version)


BASE_TYPE = """
CREATE TYPE shop.odd; CREATE FUNCTION shop.odd_in(cstring) RETURNS shop.odd LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION shop.odd_out(shop.odd) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE shop.odd (INPUT = shop.odd_in, OUTPUT = shop.odd_out); ALTER TYPE shop.odd OWNER TO app;
ALTER FUNCTION shop.odd_in(cstring) OWNER TO app; ALTER FUNCTION shop.odd_out(shop.odd) OWNER TO app
"""

FAULTS = {
    "schema": Fault(
        "CREATE SCHEMA closed AUTHORIZATION other; CREATE TABLE closed.t (id int PRIMARY KEY); ALTER TABLE closed.t OWNER TO app;"
        "GRANT SELECT ON closed.t TO mig",
        (
            Expect(
                "source-schema-usage",
                found='1 schema: "closed"',
                remedy='GRANT USAGE ON SCHEMA "closed" TO "mig";',
                code="603110",
            ),
        ),
    ),
    "table": Fault(
        "SET ROLE app; CREATE TABLE shop.shut (id int PRIMARY KEY); REVOKE SELECT ON shop.shut FROM mig, app",
        (
            Expect(
                "source-readable",
                found='table "shop"."shut" of app',
                remedy='GRANT SELECT ON TABLE "shop"."shut" TO "mig";',
                code="603110",
            ),
        ),
    ),
    "sequence": Fault(
        "REVOKE SELECT ON SEQUENCE shop.invoice_id_seq FROM mig, app",
        (
            Expect(
                "source-readable",
                found='sequence "shop"."invoice_id_seq" of app',
                remedy='GRANT SELECT ON SEQUENCE "shop"."invoice_id_seq" TO "mig";',
            ),
        ),
    ),
    "many tables": Fault(
        "SET ROLE app; DO $$ BEGIN FOR i IN 1..30 LOOP EXECUTE format('CREATE TABLE shop.t%s (i int PRIMARY KEY);"
        " REVOKE SELECT ON shop.t%1$s FROM mig, app', i); END LOOP; END $$",
        (
            Expect(
                "source-readable",
                found="cannot read 30 relations",
                remedy='GRANT SELECT ON ALL TABLES IN SCHEMA "shop" TO "mig";',
            ),
        ),
    ),
    "large object": Fault(
        "SELECT lo_create(4711); ALTER LARGE OBJECT 4711 OWNER TO other",
        (
            Expect(
                "source-large-objects-readable",
                found="1 large object: 4711",
                remedy='GRANT SELECT ON LARGE OBJECT 4711 TO "mig";',
                code="603110",
            ),
            Expect("not-streamed", "warning", found="1 large object", modes=ONLINE),
        ),
    ),
    "row-level security": Fault(
        "ALTER TABLE shop.customer ENABLE ROW LEVEL SECURITY; ALTER TABLE shop.customer FORCE ROW LEVEL SECURITY",
        (
            Expect(
                "source-row-security",
                found='1 table from user mig: "shop"."customer"',
                remedy='ALTER ROLE "mig" BYPASSRLS;',
            ),
        ),
    ),
    "superuser's view": Fault(
        "CREATE VIEW shop.audit AS SELECT 1",
        (
            Expect(
                "superuser-owned-objects",
                "warning",
                found="postgres owns 1 (for example shop.audit)",
                remedy="Say with 'role_map' who owns them on the target: {{postgres: mig}}",
            ),
        ),
    ),
    "extension's right": Fault(
        "CREATE EXTENSION pageinspect",
        (
            Expect(
                "extensions-installable",
                found="may not install pageinspect",
                remedy='CREATE EXTENSION IF NOT EXISTS "pageinspect";',
                providers=HOST,
            ),
            Expect(
                "extensions-allow-listed",
                found="not in azure.extensions of the target: pageinspect",
                remedy="--name azure.extensions --value citext,keeper,pageinspect,pg_cron",
                code="603108",
                providers=AZURE,
            ),
        ),
    ),
    "event trigger": Fault(
        "CREATE FUNCTION shop.noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "ALTER FUNCTION shop.noted() OWNER TO app;"
        "CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE PROCEDURE shop.noted()",
        (Expect("event-triggers", found="noted", remedy='DROP EVENT TRIGGER "noted";', providers=HOST),),
    ),
    "function in internal": Fault(
        "CREATE FUNCTION shop.c_like(text) RETURNS int LANGUAGE internal AS 'textlen';"
        "ALTER FUNCTION shop.c_like(text) OWNER TO app",
        (
            Expect(
                "superuser-only-objects",
                found="1 object that only a superuser can create: function in internal shop.c_like",
                remedy="target.user",
                providers=HOST,
            ),
            Expect(
                "service-languages",
                found="internal (1 function)",
                remedy="DROP FUNCTION",
                code="603413",
                providers=AZURE,
            ),
        ),
    ),
    "language": Fault(
        "CREATE TRUSTED LANGUAGE odd HANDLER plpgsql_call_handler; ALTER LANGUAGE odd OWNER TO app",
        (
            Expect("superuser-only-objects", found="language odd", remedy="target.user", providers=HOST),
            Expect(
                "service-languages",
                found="odd (0 functions)",
                remedy='DROP LANGUAGE "odd" CASCADE;',
                code="603413",
                providers=AZURE,
            ),
        ),
    ),
    "base type": Fault(
        BASE_TYPE, (Expect("superuser-only-objects", found="base type shop.odd", remedy="target.user", code=""),)
    ),
    "collation of a user": Fault(
        "SET ROLE app; CREATE COLLATION shop.mine (LOCALE = 'C')",
        (
            Expect(
                "service-user-collations",
                found="1 user-defined collation: shop.mine",
                remedy="DROP COLLATION shop.mine; Or migrate with 'provider: host'",
                code="603403",
                providers=AZURE,
            ),
        ),
    ),
    "cast with a function": Fault(
        "SET ROLE app; CREATE FUNCTION shop.width(shop.span) RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE CAST (shop.span AS int) WITH FUNCTION shop.width(shop.span)",
        (
            Expect(
                "service-user-casts",
                found="1 user-defined cast: (shop.span AS integer)",
                remedy="Or migrate with 'provider: host'",
                code="603409",
                providers=AZURE,
            ),
        ),
    ),
    "cast without a function": Fault(
        "CREATE TYPE shop.level AS ENUM ('low', 'high'); ALTER TYPE shop.level OWNER TO app;"
        "CREATE TYPE shop.mood AS ENUM ('bad'); ALTER TYPE shop.mood OWNER TO app;"
        "CREATE TYPE shop.row1 AS (a int); ALTER TYPE shop.row1 OWNER TO app;"
        "INSERT INTO pg_cast (castsource, casttarget, castfunc, castcontext, castmethod{oid})"
        " SELECT 'shop.level'::regtype, 'shop.mood'::regtype, 0, 'e', 'b'{oid_value}",
        (
            Expect("superuser-only-objects", found="cast without function", providers=HOST),
            Expect(
                "service-user-casts",
                found="(shop.level AS shop.mood)",
                remedy="DROP CAST (shop.level AS shop.mood);",
                providers=AZURE,
            ),
        ),
    ),
    "rights on system catalogs": Fault(
        "GRANT SELECT ON pg_catalog.pg_authid TO other",
        (
            Expect(
                "service-catalog-grants",
                found="SELECT on pg_catalog.pg_authid for other",
                remedy='REVOKE SELECT ON pg_catalog.pg_authid FROM "other";',
                code="603410",
                providers=AZURE,
            ),
        ),
    ),
    "extension in a system schema": Fault(
        "CREATE EXTENSION pg_trgm SCHEMA pg_catalog",
        (
            Expect(
                "service-system-schema-extensions",
                found="pg_trgm in pg_catalog",
                remedy='CREATE EXTENSION "pg_trgm" SCHEMA public;',
                code="603407",
                providers=AZURE,
            ),
        ),
    ),
    "pgaadauth": Fault(
        pose("pgaadauth", "1.8"),
        (
            Expect("extensions-available", found="cannot install pgaadauth 1.8", providers=HOST),
            Expect(
                "service-refused-extensions",
                found="pgaadauth",
                remedy="Or migrate with 'provider: host'",
                code="603405",
                providers=AZURE,
            ),
        ),
    ),
    "an extension that nobody offers": Fault(
        pose("nobody_offers_this", "2.1"),
        (Expect("extensions-available", found="the target cannot install nobody_offers_this 2.1", code="603405"),),
    ),
    "an extension that the service does not publish": Fault(
        "CREATE EXTENSION seg",
        (
            Expect("extensions-installable", found="seg", providers=HOST, modes=()),
            Expect(
                "service-unpublished-extensions",
                found="nor allowed on the target: seg",
                remedy='DROP EXTENSION "seg";',
                code="603405",
                providers=AZURE,
            ),
        ),
    ),
    "an extension that must be loaded": Fault(
        pose("pgaudit", "1.6"),
        (
            Expect(
                "extensions-preloaded",
                found="not in shared_preload_libraries of the target: pgaudit",
                remedy="--name shared_preload_libraries --value timescaledb,pg_cron,pgaudit and restart",
                code="603109",
                providers=AZURE,
            ),
        ),
    ),
    "an extension that is older on the target": Fault(
        "CREATE EXTENSION strange",
        (Expect("extension-versions", "warning", found="older on the target: strange 1.10 (target 1.9)"),),
    ),
    "PostGIS that is older on the target": Fault(
        pose("postgis", "3.6.0"),
        (
            Expect("extension-versions", "warning", found="postgis 3.6.0 (target 3.5.2)", providers=HOST),
            Expect(
                "service-postgis-version",
                found="PostGIS 3.6.0 on the source, 3.5.2 on the target",
                remedy="newer major version",
                code="603406",
                providers=AZURE,
            ),
        ),
    ),
    "topologies": Fault(
        pose("postgis_topology", "3.5.2"),
        (Expect("postgis-topology", "warning", found="topology_id_seq", remedy="SELECT setval("),),
    ),
    "pg_partman": Fault(
        pose("pg_partman", "4.7.4"),
        (
            Expect("pg-partman-version", found="pg_partman 4.7.4 on the source, 5.0.1 on the target"),
            Expect("scheduled-jobs", "warning", found="pg_partman"),
        ),
    ),
    "pg_cron": Fault(
        pose("pg_cron", "1.6"), (Expect("scheduled-jobs", "warning", found="pg_cron may run jobs", remedy="cron.job"),)
    ),
    "pg_repack": Fault(
        pose("pg_repack", "1.5"),
        (
            Expect(
                "service-pg-repack", "warning", found="pg_repack", remedy="DROP EXTENSION pg_repack;", providers=AZURE
            ),
        ),
    ),
    "TimescaleDB": Fault(
        pose("timescaledb", "2.19"),
        (
            Expect("timescaledb-online", found="timescaledb", remedy="mode: offline", modes=ONLINE),
            Expect("scheduled-jobs", "warning", found="timescaledb"),
        ),
    ),
    "rows of an extension": Fault(
        "SET ROLE app; CREATE EXTENSION keeper SCHEMA shop",
        (
            Expect(
                "extension-data",
                "warning",
                found="1 table of extensions hold rows that are not carried: shop.kept of keeper",
                remedy="COPY shop.kept TO STDOUT; COPY shop.kept FROM STDIN;",
            ),
        ),
    ),
    "function that reads files": Fault(
        "SET ROLE app; CREATE FUNCTION shop.motd() RETURNS text LANGUAGE plpgsql AS"
        " 'BEGIN RETURN pg_read_file(''/etc/motd''); END'",
        (
            Expect(
                "file-functions",
                "warning",
                found="1 function that reach for files or programs of the server's host: shop.motd",
            ),
        ),
    ),
    "type that 12 dropped": Fault(
        "SET ROLE app; CREATE TABLE shop.ancient (id int PRIMARY KEY, since abstime)",
        (Expect("removed-in-target-version", found="column shop.ancient.since of type abstime", remedy="timestamptz"),),
        until=12,
    ),
    "operator that 14 dropped": Fault(
        "CREATE FUNCTION shop.faculty(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION shop.faculty(int) OWNER TO app;"
        "CREATE OPERATOR shop.!!! (LEFTARG = int, PROCEDURE = shop.faculty); ALTER OPERATOR shop.!!! (int, NONE) OWNER TO app",
        (Expect("removed-in-target-version", found="postfix operator shop.!!!", remedy="before the operand"),),
        until=14,
    ),
    "aggregate that 14 dropped": Fault(
        "SET ROLE app; CREATE AGGREGATE shop.gather (anyelement) (SFUNC = array_append, STYPE = anyarray, INITCOND = '{{}}')",
        (Expect("removed-in-target-version", found="aggregate shop.gather(anyelement)", remedy="anycompatiblearray"),),
        until=14,
    ),
    "table with oids": Fault(
        "SET ROLE app; CREATE TABLE shop.old (id int PRIMARY KEY) WITH OIDS",
        (Expect("tables-with-oids", remedy="ALTER TABLE shop.old SET WITHOUT OIDS;", code="603404"),),
        until=12,
    ),
    "setting of a function that is unknown": Fault(
        "UPDATE pg_proc SET proconfig = '{{gone_setting=1}}' WHERE proname = 'kept'",
        (
            Expect(
                "settings-known",
                found="the target has no setting gone_setting of function shop.kept",
                remedy="ALTER FUNCTION",
            ),
        ),
    ),
    "setting of the database that is unknown": Fault(
        "ALTER DATABASE {name} SET work_mem = '8MB';"
        "UPDATE pg_db_role_setting SET setconfig = '{{gone_setting=1}}' WHERE setdatabase = (SELECT oid FROM pg_database WHERE"
        " datname = '{name}')",
        (Expect("settings-known", "warning", found="gone_setting of database {name}", remedy="ALTER DATABASE"),),
        undo="ALTER DATABASE {name} RESET ALL",
    ),
    "publication": Fault(
        "CREATE PUBLICATION news FOR TABLE shop.customer",
        (Expect("source-publications", "warning", found="1 publication: news", remedy="subscribers"),),
    ),
    "subscription": Fault(
        "CREATE SUBSCRIPTION {name} CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false);"
        "ALTER SUBSCRIPTION {name} SET (slot_name = 's'); ALTER SUBSCRIPTION {name} ENABLE",
        (
            Expect(
                "source-subscriptions",
                "warning",
                found="1 subscription write into",
                remedy='ALTER SUBSCRIPTION "{name}" DISABLE;',
            ),
        ),
        undo="ALTER SUBSCRIPTION {name} DISABLE; ALTER SUBSCRIPTION {name} SET (slot_name = NONE); DROP SUBSCRIPTION {name}",
    ),
    "constraint": Fault(
        "ALTER TABLE shop.customer ADD CONSTRAINT named CHECK (name <> '') NOT VALID",
        (
            Expect(
                "not-valid-constraints",
                "warning",
                found="shop.customer.named",
                remedy="ALTER TABLE shop.customer VALIDATE CONSTRAINT named;",
            ),
        ),
    ),
    "collation that the target lacks": Fault(
        "CREATE COLLATION shop.elsewhere (LOCALE = 'C');"
        "UPDATE pg_collation SET collnamespace = 'pg_catalog'::regnamespace WHERE collname = 'elsewhere';"
        "ALTER TABLE shop.customer ADD COLUMN other text COLLATE elsewhere",
        (
            Expect(
                "column-collations",
                found="unknown to the target: elsewhere",
                remedy="pg_import_system_collations",
                code="603402",
            ),
        ),
    ),
    "security label": Fault(
        "INSERT INTO pg_seclabel VALUES ('shop.customer'::regclass, 'pg_class'::regclass, 0, 'selinux', 'secret')",
        (
            Expect(
                "security-labels",
                "warning",
                found="security labels of the provider selinux",
                remedy="shared_preload_libraries",
            ),
        ),
    ),
    "index": Fault(
        "CREATE INDEX broken ON shop.customer (name);"
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.broken'::regclass",
        (
            Expect(
                "invalid-indexes",
                "warning",
                found="1 index marked invalid: shop.broken",
                remedy="REINDEX INDEX shop.broken;",
            ),
        ),
    ),
    "sequence's end": Fault(
        "SELECT setval('shop.invoice_id_seq', 2147483000)",
        (
            Expect(
                "sequences-near-end",
                "warning",
                found="shop.invoice_id_seq at 2147483000 of 2147483647",
                remedy="ALTER SEQUENCE",
            ),
        ),
    ),
    "foreign table": Fault(
        "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;"
        "CREATE FOREIGN TABLE shop.distant (id int) SERVER far; ALTER FOREIGN TABLE shop.distant OWNER TO app;"
        "ALTER SERVER far OWNER TO mig",
        (
            Expect(
                "foreign-tables",
                "warning",
                found='server far, foreign table "shop"."distant"',
                remedy="SERVER far OPTIONS (user '...'",
            ),
            # Whoever has foreign tables has the extension that they need.
            Expect("extensions-installable", found="postgres_fdw", providers=HOST),
            Expect(
                "service-refused-extensions",
                found="postgres_fdw, which the service takes from Single Server only",
                remedy="Or migrate with 'provider: host'",
                providers=AZURE,
            ),
        ),
    ),
    "unlogged table": Fault(
        "SET ROLE app; CREATE UNLOGGED TABLE shop.cache (id int PRIMARY KEY)",
        (Expect("not-streamed", "warning", found="1 unlogged table (cache)", modes=ONLINE),),
    ),
    "table without a key": Fault(
        "SET ROLE app; CREATE TABLE shop.log (line text); CREATE TABLE shop.mail (address text NOT NULL);"
        "CREATE UNIQUE INDEX mail_address ON shop.mail (address)",
        (
            Expect(
                "replica-identity",
                found="2 tables without replica identity: shop.log, shop.mail",
                remedy="ALTER TABLE shop.log REPLICA IDENTITY FULL; ALTER TABLE shop.mail REPLICA IDENTITY USING INDEX"
                ' "mail_address";',
                modes=ONLINE,
            ),
        ),
    ),
    "table of somebody else": Fault(
        "CREATE TABLE shop.theirs (id int PRIMARY KEY); ALTER TABLE shop.theirs OWNER TO other; GRANT SELECT ON shop.theirs TO mig",
        (
            Expect(
                "publication-rights",
                found="user mig is no member of the owners other (1 table)",
                remedy='GRANT "other" TO "mig";',
                providers=HOST,
                modes=ONLINE,
            ),
            Expect("publication-rights", "warning", providers=AZURE, modes=ONLINE),
        ),
    ),
    "trigger that always fires": Fault(
        "SET ROLE app; CREATE FUNCTION shop.heard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER heard BEFORE INSERT ON shop.customer FOR EACH ROW EXECUTE PROCEDURE shop.heard();"
        "ALTER TABLE shop.customer ENABLE ALWAYS TRIGGER heard",
        (Expect("always-triggers", "warning", found="trigger heard of shop.customer", providers=AZURE, modes=ONLINE),),
    ),
    "materialized view": Fault(
        "SET ROLE app; CREATE MATERIALIZED VIEW shop.numbers AS SELECT count(*) FROM shop.customer",
        (
            Expect(
                "service-materialized-views",
                "warning",
                remedy='REFRESH MATERIALIZED VIEW "shop"."numbers";',
                providers=AZURE,
                modes=ONLINE,
            ),
        ),
    ),
    "broken-off migration": Fault(
        "CREATE SCHEMA pgcopydb AUTHORIZATION app",
        (Expect("earlier-attempts", "warning", found="schema pgcopydb", remedy='DROP SCHEMA "pgcopydb" CASCADE;'),),
    ),
    "template": Fault(
        "ALTER DATABASE {name} IS_TEMPLATE true",
        (Expect("system-databases", "warning", found="the database is a template"),),
    ),
    "database of somebody else": Fault(
        "ALTER DATABASE {name} OWNER TO other",
        (
            Expect(
                "service-database-owner",
                found="the database belongs to other, and user mig is no member of that role",
                remedy='GRANT "other" TO "mig";',
                code="603110",
                providers=AZURE,
            ),
        ),
    ),
    "timeout": Fault(
        "ALTER DATABASE {name} SET statement_timeout = '5min'",
        (
            Expect(
                "service-source-timeouts",
                "warning",
                found="statement_timeout = 5 min 0 s",
                remedy='ALTER ROLE "mig" SET statement_timeout = 0;',
                providers=AZURE,
            ),
        ),
    ),
    "large table without a number": Fault(
        "SET ROLE app; CREATE TABLE shop.texts (id text PRIMARY KEY, body text);"
        "INSERT INTO shop.texts SELECT g::text, repeat(md5(g::text), 10) FROM generate_series(1, 8000) g",
        (
            Expect(
                "service-table-split",
                "warning",
                found='"shop"."texts" (',
                remedy='ALTER TABLE "shop"."texts" ADD COLUMN azpg_split bigserial;',
                providers=AZURE,
            ),
        ),
    ),
    "read-only database": Fault(
        "ALTER DATABASE {name} SET default_transaction_read_only = on",
        (
            Expect(
                "source-read-only",
                found="default_transaction_read_only is on for user mig",
                remedy="ALTER DATABASE ... RESET default_transaction_read_only",
                code="603112",
                providers=AZURE,
            ),
        ),
    ),
    "encoding that is none": Fault(
        "SELECT 1",
        (Expect("encoding-unknown", "warning", found="SQL_ASCII", remedy="ENCODING 'UTF8' LOCALE 'C';"),),
        options="TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
    ),
}


# What is looked at on a source of another version too, beside what only an old one can have: queries that differ by version.
EVERYWHERE = (
    "table",
    "sequence",
    "large object",
    "function in internal",
    "language",
    "cast with a function",
    "publication",
    "sequence's end",
    "table without a key",
    "table of somebody else",
)


def old_ones() -> set:
    """Return the names of the faults that only old sources have, and of those that are looked at everywhere."""
    return {name for name, fault in FAULTS.items() if fault.until < 99} | set(EVERYWHERE)


def rules_shown() -> set:
    """Return the ids of all rules whose fault is made here."""
    return {expect.rule for fault in FAULTS.values() for expect in fault.expects if expect.modes}
