# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that find out by trying. They write to a server, so they run only when asked for, and take back what they made."""

from __future__ import annotations

import secrets

from .._postgres import connection as postgres
from .._postgres.driver import psycopg2
from .._postgres.quoting import quote_identifier, quote_literal
from .context import SOURCE, TARGET, Context
from .locales import describe
from .rule import ONLINE, Rule, blind, fine, listed, violated

CREATE_DATABASE = "create_database"
CREATE_SLOT = "create_slot"
PROBES = (CREATE_DATABASE, CREATE_SLOT)
SETTINGS = {"lock_timeout": "5s", "statement_timeout": "60s", "default_transaction_read_only": "off"}
# A slot is there within a second, unless a transaction that writes is open.
SLOT_SETTINGS = {**SETTINGS, "lock_timeout": "10s"}
TOO_LONG = ("55P03", "57014")


def locale_words(row: dict, major: int) -> str:
    """Return the words of CREATE DATABASE for encoding and locale of a source's database; I(major) is the target's."""
    words = f"ENCODING {quote_literal(row['encoding'])} LC_COLLATE {quote_literal(row['collate'])} LC_CTYPE {quote_literal(row['ctype'])}"
    if row["provider"] == "i" and major >= 15:
        return f"{words} LOCALE_PROVIDER icu ICU_LOCALE {quote_literal(row['locale'])}"
    if row["provider"] == "b" and major >= 17:
        return f"{words} LOCALE_PROVIDER builtin BUILTIN_LOCALE {quote_literal(row['locale'])}"
    return words


def create_database(context: Context):
    """The target makes a database of each encoding and locale that is needed, and takes it away again."""
    address = context.address(TARGET)
    if CREATE_DATABASE not in context.probes:
        yield blind(
            address,
            "not tried, since nothing is written without being asked for",
            remedy="Set 'probe: [create_database]' (not with --check): an empty database is made on the target and dropped again.",
        )
        return
    wanted: dict = {}
    for database in context.request.databases:
        if not context.on_target(database):
            row = context.databases(SOURCE)[database]
            wanted.setdefault(locale_words(row, context.major(TARGET)), (describe(row), []))[1].append(database)
    if not wanted:
        yield fine(address, "every database exists on the target already")
        return
    connection = postgres.connect(context.endpoint(TARGET), TARGET, context.server(TARGET).database, settings=SETTINGS)
    try:
        for words, (description, databases) in wanted.items():
            yield from try_one(context, connection, words, f"{description} for {listed(databases)}")
    finally:
        connection.close()


def create_slot(context: Context):
    """The source makes a slot with the output plugin that will be used, and takes it away again."""
    address = context.address(SOURCE)
    if CREATE_SLOT not in context.probes:
        yield blind(
            address,
            "not tried, since nothing is written without being asked for",
            remedy="Set 'probe: [create_slot]' (not with --check): a temporary slot is made on the source and dropped again.",
        )
        return
    if context.major(SOURCE) < 10:
        yield blind(
            address,
            f"not tried: temporary slots came with PostgreSQL 10, and the source is {context.version(SOURCE)}",
            remedy="By hand: SELECT pg_create_logical_replication_slot('azpg_trial', 'test_decoding'); SELECT "
            "pg_drop_replication_slot('azpg_trial');",
        )
        return
    database = context.request.databases[0]
    connection = postgres.connect(context.endpoint(SOURCE), SOURCE, database, settings=SLOT_SETTINGS)
    try:
        # The service uses the one or the other, as its age may be.
        for plugin in ("pgoutput", "test_decoding") if context.by_service else ("pgoutput",):
            yield try_plugin(context, connection, plugin)
    finally:
        connection.close()


def try_plugin(context: Context, connection, plugin: str):
    """Make a temporary slot, drop it, and return what came of it."""
    address, name = context.address(SOURCE), f"azpg_probe_{secrets.token_hex(4)}"
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT pg_catalog.pg_create_logical_replication_slot(%s, %s, true)", (name, plugin))
            context.written.append(f"temporary slot {name} ({plugin}) made and dropped on {address}")
            cursor.execute("SELECT pg_catalog.pg_drop_replication_slot(%s)", (name,))
        except psycopg2.Error as error:
            message = " ".join(str(error).split())
            if error.pgcode in TOO_LONG:
                return violated(
                    address,
                    f"no slot within {SLOT_SETTINGS['lock_timeout']}: an open transaction that writes keeps it waiting",
                    remedy="Let long transactions on the source end, in every database, or end them with pg_terminate_backend.",
                )
            other = plugin == "test_decoding"
            return violated(
                address,
                f"the source makes no slot with the output plugin {plugin}: {message}",
                severity="warning" if other else "",
                remedy="Install the contrib package of the source's version (postgresql-contrib)."
                if other
                else "Put right what the source's message names.",
            )
    return fine(address, f"made and dropped a slot with the output plugin {plugin}")


def try_one(context: Context, connection, words: str, description: str):
    """Make one database and drop it."""
    name = f"azpg_probe_{secrets.token_hex(4)}"
    address = context.address(TARGET)
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"CREATE DATABASE {quote_identifier(name)} TEMPLATE template0 {words}")
        except psycopg2.Error as error:
            yield violated(
                address,
                f"the target does not make a database with {description}: {' '.join(str(error).split())}",
                remedy="Install the locale on the target's host, or make the database on the target beforehand with another one: CREATE "
                "DATABASE ... TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';",
            )
            return
        context.written.append(f"database {name} made and dropped on {address}")
        try:
            cursor.execute(f"DROP DATABASE {quote_identifier(name)}")
        except psycopg2.Error as error:
            yield violated(
                address,
                f"the probe's database {name} could not be dropped: {' '.join(str(error).split())}",
                severity="warning",
                remedy=f"On the target: DROP DATABASE {quote_identifier(name)};",
            )
            return
    yield fine(address, f"made and dropped a database with {description}")


RULES = (
    Rule(
        id="target-create-database",
        title="The target makes the databases that are needed",
        level="database",
        side=TARGET,
        look=create_database,
        expected="CREATE DATABASE with the source's encoding and locale succeeds",
        remedy="Install the locale on the target's host, or make the database with another one.",
        documentation="https://www.postgresql.org/docs/current/sql-createdatabase.html",
        code="603401",
        needs=(
            "source-database-reachable",
            "target-reachable",
            "target-writable",
            "target-database-creatable",
            "database-locale",
        ),
    ),
    Rule(
        id="source-create-slot",
        title="The source makes a replication slot",
        level="server",
        side=SOURCE,
        look=create_slot,
        expected="a logical slot within seconds, with the output plugin that will be used",
        remedy="Put right what the source's message names.",
        documentation="https://www.postgresql.org/docs/current/logicaldecoding-explanation.html",
        modes=ONLINE,
        needs=(
            "source-standby-online",
            "wal-level",
            "replication-slots",
            "replication-attribute",
            "source-database-reachable",
        ),
    ),
)
