# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of the matrix, what is put on a source, and how it is moved to a target."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import psycopg2
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from schema import BASIS, OBJECTS, SHAPES, USER_TYPES
from values import BUILT_IN, CONTRIB, LATER, LIKE_ARRAYS, NOT_MOVABLE

from tools.lab.binaries import obtain
from tools.lab.cluster import Cluster

SOURCES = (10, 11, 12, 13, 14, 15, 16, 17, 18)
TARGETS = (17, 18)
USER, PASSWORD = "mig", "migrates the matrix"
TYPED, LATIN = "typed", "latin"
DATABASES = (TYPED, LATIN)
SMALL = {"shared_buffers": "32MB", "autovacuum": "off"}

#: Settings that change how values print, for the migration user and for the database, on either end.
SETTINGS = {
    "source": {
        "DateStyle": "SQL, DMY",
        "IntervalStyle": "sql_standard",
        "TimeZone": "Asia/Kathmandu",
        "extra_float_digits": "-3",
        "bytea_output": "escape",
        "search_path": "app, typed, public",
        "lc_monetary": "C",
        "xmloption": "document",
        "default_transaction_isolation": "serializable",
        "statement_timeout": "50",
        "quote_all_identifiers": "on",
        "standard_conforming_strings": "off",
        "client_encoding": "LATIN1",
    },
    "target": {
        "DateStyle": "German",
        "IntervalStyle": "postgres_verbose",
        "TimeZone": "America/St_Johns",
        "extra_float_digits": "0",
        "bytea_output": "hex",
        "search_path": "public, pg_temp",
        "lc_monetary": "C.UTF-8",
        "xmloption": "content",
        "enable_seqscan": "off",
        "default_transaction_read_only": "on",
        "array_nulls": "off",
    },
}

BUILT_IN_TYPES = """
SELECT t.typname::text FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = 'pg_catalog' AND t.typtype IN ('b', 'r', 'm') AND t.typname !~ '^_' ORDER BY 1
"""


def literal(text: str) -> str:
    """Return a string constant; standard_conforming_strings is on here."""
    return "'" + text.replace("'", "''") + "'"


class Server:
    """A running server of one major version with the roles of the matrix."""

    def __init__(self, major: int, cache: Path, directory: Path):
        self.major = major
        clients = obtain(max(major, 14), cache)
        self.cluster = Cluster(obtain(major, cache), directory / "server", settings=SMALL, client_prefix=clients)
        self.cluster.create()
        self.cluster.start()
        self.run(
            'CREATE ROLE app_owner; CREATE ROLE app_reader; CREATE ROLE "Odd Role"; '
            f"CREATE ROLE {USER} LOGIN BYPASSRLS PASSWORD '{PASSWORD}'; GRANT app_owner TO {USER}"
        )
        self.version = self.ask("SHOW server_version")[0][0].split()[0]
        self.number = int(self.ask("SHOW server_version_num")[0][0])

    def close(self) -> None:
        """Stop the server and remove it."""
        self.cluster.destroy()

    @contextlib.contextmanager
    def session(self, dbname: str = "postgres"):
        """Yield a superuser's cursor in autocommit mode."""
        connection = psycopg2.connect(**self.cluster.connection(dbname=dbname))
        connection.autocommit = True
        try:
            connection.set_client_encoding("UTF8")
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def run(self, sql: str, dbname: str = "postgres") -> None:
        """Run SQL as the superuser."""
        with self.session(dbname) as cursor:
            cursor.execute(sql)

    def ask(self, sql: str, dbname: str = "postgres") -> list:
        """Return the rows of a query of the superuser."""
        with self.session(dbname) as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def endpoint(self) -> dict:
        """Return the connection words of the migration user."""
        words = self.cluster.connection(USER, PASSWORD)
        words.pop("dbname")
        return words

    # -- what a source holds ------------------------------------------------------------------------------------------

    def make_types(self, statements: list, extensions: list) -> None:
        """Make the database of types."""
        self.run(f"CREATE DATABASE {TYPED} OWNER app_owner TEMPLATE template0 ENCODING 'UTF8'")
        with self.session(TYPED) as cursor:
            for extension in extensions:
                cursor.execute(f"CREATE EXTENSION {extension} SCHEMA public")
            for statement in statements:
                try:
                    cursor.execute(statement)
                except psycopg2.Error as error:
                    raise AssertionError(f"PostgreSQL {self.version}: {error}\n{statement[:500]}") from None

    def fill(self) -> None:
        """Make the databases of a source."""
        self.make_types(self.statements(), [extension for extension in CONTRIB if self.offers(extension)])
        self.run(
            f"CREATE DATABASE {LATIN} OWNER app_owner TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        with self.session(LATIN) as cursor:
            if self.offers("hstore"):
                cursor.execute("CREATE EXTENSION hstore SCHEMA public; CREATE EXTENSION citext SCHEMA public")
            cursor.execute(latin_statements())

    def offers(self, extension: str) -> bool:
        """Tell whether this server can have an extension."""
        return bool(self.ask(f"SELECT 1 FROM pg_available_extensions WHERE name = '{extension}'"))

    def types(self) -> list:
        """Return the built-in types that can be moved; a type of which no values are known is an error."""
        found = [row[0] for row in self.ask(BUILT_IN_TYPES) if row[0] not in NOT_MOVABLE]
        unknown = sorted(set(found) - set(BUILT_IN))
        assert not unknown, f"PostgreSQL {self.version} has types without values in the matrix: {unknown}"
        return found

    def statements(self) -> list:
        """Return what fills the database of types."""
        made = [sql for since, sql in BASIS if since <= self.number]
        made.append("SET ROLE app_owner")
        for name in self.types():
            values = list(BUILT_IN[name])
            since, later = LATER.get(name, (0, []))
            values += later if since <= self.number else []
            made += table_of(
                f"is_{name}", f'pg_catalog."{name}"', [literal(value) for value in values], name in LIKE_ARRAYS
            )
        for since, statements, *_rest in USER_TYPES.values():
            made += statements if since <= self.number else []
        for name, (since, _statements, kind, values) in USER_TYPES.items():
            # Arrays of domains came with 11.
            alone = kind.endswith("[]") or (name.startswith("domain_") and self.number < 110000)
            made += table_of(f"own_{name}", kind, values, alone) if since <= self.number else []
        for extension, types in CONTRIB.items():
            if self.offers(extension):
                for name, values in types.items():
                    alone = name == "lo" and self.number < 110000  # a domain
                    made += table_of(f"contrib_{name}", f"public.{name}", [literal(value) for value in values], alone)
        for since, sql in SHAPES + OBJECTS:
            made += [sql] if since <= self.number else []
        return made


def table_of(name: str, kind: str, values: list, no_arrays: bool) -> list:
    """Return the statements that make a table with a type's values, NULL, and arrays of them."""
    array = "" if no_arrays else f", a {kind}[]"
    made = [f'CREATE TABLE typed."{name}" (id integer PRIMARY KEY, v {kind}{array})']
    rows = [(value, f"ARRAY[{value}]::{kind}[]") for value in values]
    rows.append(("NULL", f"ARRAY[[{values[0]}, NULL], [NULL, {values[-1]}]]::{kind}[]"))
    rows.append(("NULL", "'{}'"))
    rows.append(("NULL", f"array_fill(NULL::{kind}, ARRAY[3], ARRAY[-1])::{kind}[]"))
    rows.append(("NULL", "NULL"))
    for number, (value, several) in enumerate(rows, 1):
        more = "" if no_arrays else f", {several}"
        made.append(f'INSERT INTO typed."{name}" VALUES ({number}, {value}{more})')
    return made


def latin_statements() -> str:
    """Return what fills the database in LATIN1: every printable character, in every type that holds text."""
    every = "".join(map(chr, range(0xA0, 0x100)))
    return f"""
        SET ROLE app_owner;
        CREATE SCHEMA "größe";
        CREATE TYPE "größe"."stärke" AS ENUM ('schwach', 'mäßig', 'groß');
        CREATE DOMAIN "größe"."straße" AS varchar(120) CHECK (VALUE <> 'ä');
        CREATE TYPE "größe".ort AS (name text, "stärke" "größe"."stärke");
        CREATE TABLE "größe"."tür" (id integer PRIMARY KEY, t text, v varchar(200), c char(100), n name, "straße" "größe"."straße",
            s "größe"."stärke", o "größe".ort, a text[], sa "größe"."stärke"[], j json, b jsonb, x xml, ts tsvector, q tsquery,
            p jsonb DEFAULT '{{"é": 1}}', CONSTRAINT "prüfung" CHECK (t <> 'ÿ'));
        INSERT INTO "größe"."tür" VALUES (1, {literal(every)}, {literal(every)}, {literal(every)}, {literal(every[-31:])},
            {literal(every)}, 'groß', ROW({literal(every)}, 'mäßig'), ARRAY[{literal(every)}, NULL, 'é'], '{{groß,NULL}}',
            {literal('{"' + "é" + '": "' + every + '"}')}, {literal('{"' + "é" + '": "' + every + '"}')},
            {literal("<a>" + every + "</a>")}, 'é:1A ÿ', {literal("'é' & 'ÿ':*")}),
            (2, '', '', '', '', NULL, NULL, NULL, '{{}}', '{{}}', 'null', 'null', '<a/>', '', '');
        CREATE INDEX "tür_idx" ON "größe"."tür" (lower(t)) WHERE t <> 'ö';
        CREATE VIEW "größe"."übersicht" AS SELECT t || 'ß' AS "ü" FROM "größe"."tür" WHERE s = 'mäßig';
        CREATE FUNCTION "größe"."zähle"("wörter" text) RETURNS integer LANGUAGE sql AS $$ SELECT length('äöü' || $1) $$;
        COMMENT ON TABLE "größe"."tür" IS 'Gemäß Prüfung';
        CREATE TABLE "größe".viel AS SELECT g AS id, chr(160 + g % 96) || g AS t FROM generate_series(1, 5000) g;
        RESET ROLE;
        DO $do$ BEGIN
            IF EXISTS (SELECT FROM pg_extension WHERE extname = 'hstore') THEN
                CREATE TABLE "größe".fremd (h public.hstore, c public.citext);
                ALTER TABLE "größe".fremd OWNER TO app_owner;
                INSERT INTO "größe".fremd VALUES ('"é"=>"ÿß"', 'GRÖßE');
            END IF;
        END $do$;
    """


def request(source: Server, target: Server, databases) -> Request:
    """Return the request that the verification gets."""
    return Request.create("matrix", source.endpoint(), target.endpoint(), list(databases))


def make_afresh(source: Server, target: Server) -> None:
    """Run on the target what was run on the source, in the place of what was moved."""
    target.run(f"DROP DATABASE {TYPED} WITH (FORCE)")
    target.make_types(source.statements(), [extension for extension in CONTRIB if source.offers(extension)])
    target.run("ANALYZE", TYPED)


def move(source: Server, target: Server, directory: Path) -> None:
    """Bring the source's databases to the target with the target's pg_dump and pg_restore, and count objects up first.

    The types made and dropped beforehand give every enum another object identifier than it has on the source.
    """
    for name in DATABASES:
        target.run(f"DROP DATABASE IF EXISTS {name}")
        target.run(f"CREATE DATABASE {name} OWNER app_owner TEMPLATE template0 ENCODING 'UTF8'")
        noise = "; ".join(f"CREATE TYPE noise{number} AS ENUM ('a', 'b')" for number in range(20))
        target.run(f"BEGIN; {noise}; ROLLBACK", name)
        archive = str(directory / f"{name}.dump")
        programs = target.cluster.client_prefix / "bin"
        with source.cluster.environment(dbname=name) as environment:
            subprocess.run([programs / "pg_dump", "-Fc", "-Z0", "-f", archive], env=environment, check=True)
        with target.cluster.environment() as environment:
            command = [programs / "pg_restore", "-d", name, "--exit-on-error", archive]
            subprocess.run(command, env=environment, check=True)
        Path(archive).unlink()
        target.run("ANALYZE", name)


def set_apart(server: Server, side: str, databases, undo: bool = False) -> None:
    """Give role and databases settings that change how values print, or take them away again."""
    for number, (name, text) in enumerate(SETTINGS[side].items()):
        # Both places count; the role's setting wins, so each carries every second one.
        places = [f"DATABASE {item}" for item in databases] if number % 2 else [f"ROLE {USER}"]
        value = text if name in ("search_path", "DateStyle") else literal(text)
        for place in places:
            server.run(f"ALTER {place} RESET {name}" if undo else f"ALTER {place} SET {name} = {value}")
