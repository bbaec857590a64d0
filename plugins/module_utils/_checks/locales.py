# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: encodings, locales and collations that the target must know."""

from __future__ import annotations

import re

from .._postgres.quoting import quote_identifier
from .context import SOURCE, TARGET, Context
from .rule import OPERATOR, Rule, fine, listed, violated

PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin", "d": "default"}

COLLATIONS_USED = """
SELECT DISTINCT cn.nspname::text AS schema, c.collname::text AS name FROM (
  SELECT a.attcollation AS collation FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class r ON r.oid = a.attrelid
   WHERE a.attnum > 0 AND NOT a.attisdropped AND r.oid >= 16384 AND r.relkind IN ('r', 'p', 'm', 'v', 'f', 'c')
  UNION SELECT pg_catalog.unnest(i.indcollation::oid[]) FROM pg_catalog.pg_index i WHERE i.indexrelid >= 16384
  UNION SELECT t.typcollation FROM pg_catalog.pg_type t WHERE t.typtype = 'd' AND t.oid >= 16384
) u JOIN pg_catalog.pg_collation c ON c.oid = u.collation JOIN pg_catalog.pg_namespace cn ON cn.oid = c.collnamespace
WHERE c.collname <> 'default' AND cn.nspname = 'pg_catalog' ORDER BY 1, 2
"""


def collations(context: Context) -> list:
    """Return the collations that the target's server has."""
    provider = "c.collprovider::text" if context.major(TARGET) >= 10 else "'c'"
    return context.cached(
        "target collations",
        lambda: context.server(TARGET).rows(
            "SELECT c.collname::text AS name, c.collcollate::text AS collate,"
            f" {provider} AS provider FROM pg_catalog.pg_collation c"
            " WHERE c.collnamespace = 'pg_catalog'::pg_catalog.regnamespace"
        ),
    )


def plain(locale: str | None) -> str:
    """Return a locale's name in the spelling of C(locale -a): C(en_US.UTF-8) and C(en_US.utf8) are the same."""
    name, dot, encoding = (locale or "").partition(".")
    encoding, at, modifier = encoding.partition("@")
    return name + dot + re.sub(r"[^a-z0-9]", "", encoding.lower()) + at + modifier


def target_locales(context: Context) -> set:
    """Return the operating system's locales that the target is known to have."""
    found = {plain(row["collate"]) for row in collations(context) if row["provider"] in ("c", "d") and row["collate"]}
    found |= {plain(row["name"]) for row in collations(context) if row["provider"] == "c"}
    found |= {plain(row[key]) for row in context.databases(TARGET).values() for key in ("collate", "ctype")}
    return found | {"C", "POSIX"}


def describe(row: dict) -> str:
    """Return encoding and locale of a database as people read them."""
    provider = PROVIDERS.get(row["provider"], row["provider"])
    locale = f", {row['locale']}" if row["locale"] else ""
    return f"{row['encoding']}, {row['collate']}, {row['ctype']} ({provider}{locale})"


def database_locale(context: Context, database: str):
    """The target has the locale of the source's database."""
    source = context.databases(SOURCE)[database]
    if context.on_target(database):
        return
    known = target_locales(context)
    missing = sorted({name for name in (source["collate"], source["ctype"]) if plain(name) not in known})
    if missing:
        yield violated(
            database,
            f"the database has {describe(source)}; the target knows no locale {listed(missing)}",
            remedy="Install the locale on the target's host (locale-gen, or the package glibc-langpack-...) and restart "
            f"it; or create the database with another one: CREATE DATABASE {quote_identifier(database)} TEMPLATE "
            f"template0 ENCODING '{source['encoding']}' LOCALE 'C';",
        )
    else:
        yield fine(database, describe(source))


def database_encoding(context: Context, database: str):
    """A database that exists on the target already has encoding and locale of the source's."""
    if not context.on_target(database):
        yield fine(database, "does not exist on the target yet")
        return
    source, target = context.databases(SOURCE)[database], context.databases(TARGET)[database]
    found = f"{describe(target)} on the target, {describe(source)} on the source"
    drop = f"On the target, when it is empty: DROP DATABASE {quote_identifier(database)}; the migration makes it anew"
    if source["encoding"] != target["encoding"]:
        yield violated(database, found, severity="failed", remedy=f"{drop}.")
    elif any(plain(source[key]) != plain(target[key]) for key in ("collate", "ctype")) or any(
        (source[key] or "") != (target[key] or "") for key in ("provider", "locale")
    ):
        yield violated(database, found, remedy=f"{drop}; or accept that text sorts and compares differently there.")
    else:
        yield fine(database, found)


def locale_provider(context: Context, database: str):
    """The target was built with the provider of the database's locale."""
    source = context.databases(SOURCE)[database]
    if source["provider"] == "i" and not any(row["provider"] == "i" for row in collations(context)):
        yield violated(
            database,
            f"the database's locale {source['locale']} is of ICU, and the target was built without ICU",
            remedy="Use a target built with ICU, or make the database on the target beforehand, with another order of text: "
            f"CREATE DATABASE {quote_identifier(database)} TEMPLATE template0 ENCODING '{source['encoding']}' LOCALE_PROVIDER libc "
            f"LOCALE '{source['collate']}';",
        )


def column_collations(context: Context, database: str):
    """Every built-in collation that a column, index or domain uses exists on the target."""
    known = {row["name"] for row in collations(context)}
    used = [row["name"] for row in context.rows(SOURCE, database, COLLATIONS_USED)]
    missing = [name for name in used if name not in known]
    if missing:
        yield violated(database, f"columns, indexes or domains use collations unknown to the target: {listed(missing)}")


def sql_ascii(context: Context, database: str):
    """The database says in which encoding its text is."""
    if context.databases(SOURCE)[database]["encoding"] == "SQL_ASCII":
        yield violated(
            database,
            "the database is in SQL_ASCII: nobody has ever checked that its text is of one encoding, and clients in UTF8 may fail on it",
            remedy="Find out the encoding of the text. Then, on the target, for example: CREATE DATABASE "
            f"{quote_identifier(database)} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'; and load into it what 'pg_dump "
            "--encoding=LATIN1' writes.",
        )


def database_rule(**words) -> Rule:
    """Return a rule that compares a source database with the target."""
    return Rule(
        level="database",
        side=TARGET,
        needs=("source-database-reachable", "target-reachable"),
        each_database=True,
        **words,
    )


LOCALE_PAGE = "https://www.postgresql.org/docs/current/locale.html"

RULES = (
    database_rule(
        id="database-locale",
        title="The target has the database's locale",
        look=database_locale,
        expected="the database's collation and character type among the target's locales",
        remedy="Install the locale on the target's host, or create the database with another one.",
        documentation=LOCALE_PAGE,
        clean="the database exists on the target already",
        code="603401",
    ),
    database_rule(
        id="database-encoding",
        title="A database that exists on the target has the source's encoding and locale",
        look=database_encoding,
        expected="the same encoding, collation, character type and locale provider",
        remedy="Drop the empty database on the target and let the migration create it, or accept that text sorts and "
        "compares differently there.",
        documentation="https://www.postgresql.org/docs/current/multibyte.html",
        severity="warning",
    ),
    database_rule(
        id="locale-provider",
        title="The target knows the provider of the database's locale",
        look=locale_provider,
        expected="a target built with ICU",
        remedy="Use a target built with ICU, or create the database on the target beforehand with a libc locale.",
        documentation="https://www.postgresql.org/docs/current/locale.html#LOCALE-PROVIDERS",
        clean="the target knows the provider of the database's locale",
    ),
    database_rule(
        id="encoding-unknown",
        who=OPERATOR,
        title="The database says in which encoding its text is",
        look=sql_ascii,
        expected="an encoding other than SQL_ASCII",
        remedy="Find out the encoding of the text, and load it into a database of that encoding (pg_dump --encoding=... and a target "
        "database made beforehand).",
        documentation="https://www.postgresql.org/docs/current/multibyte.html",
        clean="the database has an encoding",
        severity="warning",
    ),
    database_rule(
        id="column-collations",
        title="The target has every collation that is used",
        look=column_collations,
        expected="collations that the target has too",
        remedy="Install the locales on the target's host and run: SELECT pg_import_system_collations('pg_catalog');",
        documentation="https://www.postgresql.org/docs/current/collation.html",
        clean="the target has every collation that is used",
        code="603402",
    ),
)
