# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source and a target with migration users, small databases to move, and a look at what a server holds."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import psycopg2

from tools.lab.cluster import Cluster

USER = "migrator"

# Three tables with keys, a foreign key, a view, a sequence, a large object: little data, many kinds.
SMALL = """
SET ROLE app_owner;
CREATE SCHEMA app;
CREATE TABLE app.parent (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE app.child (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent integer NOT NULL REFERENCES app.parent, note text);
CREATE TABLE app.quiet (id integer PRIMARY KEY, amount numeric);
CREATE INDEX ON app.child (parent);
CREATE VIEW app.names AS SELECT name FROM app.parent;
INSERT INTO app.parent SELECT g, 'parent ' || g FROM generate_series(1, 50) g;
INSERT INTO app.child (parent, note) SELECT 1 + g % 50, md5(g::text) FROM generate_series(1, 500) g;
INSERT INTO app.quiet SELECT g, g / 7.0 FROM generate_series(1, 100) g;
SELECT lo_from_bytea(0, 'a large object');
"""

# Six tables of about 1.4 MB each, too large to be put together, which a throttle stretches over some seconds.
BULK = """
SET ROLE app_owner;
CREATE SCHEMA app;
DO $do$ BEGIN
  FOR number IN 1..6 LOOP
    EXECUTE format('CREATE TABLE app.bulk_%s (id integer PRIMARY KEY, note text)', number);
    EXECUTE format('INSERT INTO app.bulk_%s SELECT g, (SELECT string_agg(md5(g::text || h::text), %L)
                      FROM generate_series(1, 30) h) FROM generate_series(1, 1400) g', number, '');
  END LOOP;
END $do$;
"""

# app.hold() waits on the target, and only there, for whoever holds the advisory lock 1 in the database.
HOLD = """
CREATE FUNCTION app.hold(given integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $body$
BEGIN
  IF pg_catalog.current_setting('server_version_num')::integer >= 160000 THEN
    PERFORM pg_catalog.pg_advisory_xact_lock_shared(1);
  END IF;
  RETURN given;
END $body$;
"""
# So does the foreign key of app.held, which comes after all indexes of its table.
HELD = (
    SMALL
    + HOLD
    + """
CREATE TABLE app.held (id integer PRIMARY KEY, note text, parent integer REFERENCES app.parent);
INSERT INTO app.held SELECT g, repeat(md5(g::text), 30), 1 + g % 50 FROM generate_series(1, 1400) g;
ALTER TABLE app.held ALTER note SET STORAGE EXTERNAL;
CREATE INDEX held_index ON app.held (app.hold(id));
"""
)

SEEDS = {"seed_small": SMALL, "seed_bulk": BULK, "seed_held": HELD}

WHOLE_SERVER = """
SELECT 'database', datname, pg_get_userbyid(datdba), datacl::text FROM pg_database
UNION ALL SELECT 'role', rolname, (rolsuper, rolcreatedb, rolcreaterole, rolcanlogin, rolbypassrls)::text,
  rolconfig::text FROM pg_roles
UNION ALL SELECT 'member', roleid::regrole::text, member::regrole::text, grantor::regrole::text FROM pg_auth_members
UNION ALL SELECT 'slot', slot_name, database, plugin FROM pg_replication_slots
UNION ALL SELECT 'setting', setdatabase::text, setrole::text, setconfig::text FROM pg_db_role_setting
ORDER BY 1, 2, 3, 4
"""
OBJECTS = """
SELECT n.nspname, c.relname, c.relkind::text, pg_get_userbyid(c.relowner), c.relacl::text
  FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid
 WHERE n.nspname !~ '^pg_(toast|temp)' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
UNION ALL SELECT 'publication', pubname, '', '', '' FROM pg_publication
UNION ALL SELECT n.nspname, p.proname, 'function', pg_get_userbyid(p.proowner), p.proacl::text
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid >= 16384
ORDER BY 1, 2, 3
"""
TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'azpg_migrate') ORDER BY 1
"""
OWN_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND datname !~ '^template' ORDER BY 1"


def write_secrets(path: Path, content: dict) -> None:
    """Write variables to a file that only its owner may read, from its first moment."""
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        json.dump(content, stream)


@contextlib.contextmanager
def session(cluster: Cluster, dbname: str = "postgres"):
    """Give a superuser's session outside transactions."""
    connection = psycopg2.connect(**cluster.connection(dbname=dbname))
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def run(connection, sql: str, parameters=None) -> list:
    """Run a statement and return its rows, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def ask(cluster: Cluster, sql: str, dbname: str = "postgres") -> list:
    """Run a statement as superuser and return its rows."""
    with session(cluster, dbname) as connection:
        return run(connection, sql)


def catalogue(cluster: Cluster) -> dict:
    """Return what the server holds: databases, roles, memberships, settings, slots, and the objects of each database."""
    found = {"server": ask(cluster, WHOLE_SERVER)}
    for (name,) in ask(cluster, OWN_DATABASES):
        found[name] = ask(cluster, OBJECTS, name)
    return found


def contents(cluster: Cluster, database: str) -> dict:
    """Return number of rows and a sum over them for each table."""
    with session(cluster, database) as connection:
        return {
            table: run(connection, f"SELECT count(*), COALESCE(sum(hashtext(t::text)::bigint), 0) FROM {table} AS t")[0]
            for (table,) in run(connection, TABLES)
        }


def drop_database(cluster: Cluster, name: str) -> None:
    """Drop a database, whoever is connected."""
    with session(cluster) as connection:
        force = " WITH (FORCE)" if connection.server_version >= 130000 else ""
        if not force:  # the server waits some seconds for those who are told to go
            run(connection, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        run(connection, f'DROP DATABASE IF EXISTS "{name}"{force}')


class Lab:
    """The two servers; I(passwords) are those of the migration user on each."""

    def __init__(self, source: Cluster, target: Cluster, passwords: dict):
        self.source = source
        self.target = target
        self.passwords = passwords

    def endpoint(self, side: str, **words) -> dict:
        """Return libpq's words for the migration user; I(words) win."""
        cluster = self.source if side == "source" else self.target
        found = cluster.connection(USER, self.passwords[side])
        found.pop("dbname")
        return {**found, **words}

    def clean_target(self) -> None:
        """Take away every database and role that a test left on the target."""
        for (name,) in ask(self.target, OWN_DATABASES):
            if name != "postgres":
                drop_database(self.target, name)
        names = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname NOT IN ('postgres', 'migrator')"
        for (name,) in ask(self.target, names):
            ask(self.target, f'DROP ROLE "{name}"')

    def new_database(self, name: str, seed: str = "seed_small") -> str:
        """Make a database on the source, filled like a seed, owned by an ordinary role."""
        drop_database(self.source, name)
        ask(self.source, f"CREATE DATABASE {name} OWNER app_owner TEMPLATE {seed}")
        return name

    def empty_on_target(self, name: str) -> None:
        """Make an empty database with the source's owner on the target, as an administrator may have done."""
        ask(self.target, "CREATE ROLE app_owner")
        ask(self.target, f"GRANT app_owner TO {USER}")
        ask(self.target, f"CREATE DATABASE {name} OWNER app_owner TEMPLATE template0")
