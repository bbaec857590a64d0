# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating the schema on the target from the archive's entries."""

from __future__ import annotations

import itertools
import re

from .._core.errors import TransferFailed
from .._postgres.connection import rows
from .._postgres.driver import psycopg2
from .._postgres.quoting import quote_identifier
from . import marker
from .catalogue import CREATORS, PUBLISHERS, owners_by_schema
from .contents import HEAP, RELATION_PRIVILEGES, Contents, Entry
from .roles import RolePlan
from .searching import UNRESOLVED, with_schema
from .statements import COMMENTS_ONLY, split_statements, target_text

BATCH_ENTRIES = 50
INSUFFICIENT_PRIVILEGE = "42501"
# What only a superuser can create, and what never holds rows: the rest arrives without them.
SUPERUSERS_OWN = frozenset(
    (
        "ACCESS METHOD", "CAST", "CONVERSION", "EVENT TRIGGER", "FOREIGN DATA WRAPPER", "FUNCTION", "AGGREGATE",
        "OPERATOR CLASS", "OPERATOR FAMILY", "PROCEDURAL LANGUAGE", "PUBLICATION", "PUBLICATION TABLES IN SCHEMA",
        "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE", "TRANSFORM",
    )
)  # fmt: skip
# What may be left out when it needs something of the above. Tables are not here: rows are never left behind.
FOLLOWERS = SUPERUSERS_OWN | frozenset(
    (
        "ACL", "COMMENT", "DEFAULT", "FOREIGN TABLE", "INDEX", "OPERATOR", "PROCEDURE", "PUBLICATION TABLE", "SERVER",
        "STATISTICS", "TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY", "TRIGGER", "USER MAPPING",
    )
)  # fmt: skip


def session_settings(contents: Contents, server_version: int) -> dict:
    """Return the session settings under which pg_dump's text means what it says."""
    return {
        "default_tablespace": "",
        **({"default_table_access_method": HEAP} if server_version >= 120000 else {}),
        "search_path": "",
        "standard_conforming_strings": contents.standard_conforming_strings,
        "check_function_bodies": "off",
        "xmloption": "content",
        "row_security": "off",
        "client_min_messages": "warning",
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "synchronous_commit": "off",
    }


ABOUT_DATABASE = ("DATABASE", "DATABASE PROPERTIES", "ACL", "COMMENT", "SECURITY LABEL")


def is_about_database(entry: Entry) -> bool:
    """Return whether an entry describes the database itself rather than something in it."""
    return entry.type in ("DATABASE", "DATABASE PROPERTIES") or (
        entry.type in ("ACL", "COMMENT", "SECURITY LABEL") and entry.name.startswith("DATABASE ")
    )


def is_table_privilege(entry: Entry) -> bool:
    """Return whether an entry sets privileges of a relation.

    Those come after the data: an owner may have taken a right from itself that loading needs.
    """
    return entry.type == "ACL" and entry.name.startswith(RELATION_PRIVILEGES)


def is_tolerated(entry: Entry) -> bool:
    """Return whether a refusal of this entry loses nothing: a comment on an extension belongs to who installed it."""
    return entry.type == "COMMENT" and entry.name.startswith("EXTENSION ")


def server_words(error) -> str:
    """Return what the server says, without the statement: a user mapping's may hold a password."""
    parts = [error.diag.message_primary or str(error), error.diag.message_detail]
    return " ".join(" ".join(part for part in parts if part).split())


class SchemaWriter:
    """Runs entries in one session of the target, each exactly once, in transactions of at most 50 entries.

    I(refused) collects C((entry, message)) that stop the migration in the end; I(left_out) those without which it is
    still whole: what only a superuser may create and what needs it, comments and privileges on what an extension
    brought, single settings.

    I(put_off) are entries that are to be run later, together with rows; they are run at once, and I(put_off) is None, when
    an entry turns out to need them, as a function's body does not say that it reads a table.

    :param known: tells of a number whether an entry has it
    """

    def __init__(self, target, migration: str, plan: RolePlan, done: dict, known=None, search_path: str = ""):
        self.target = target
        self.migration = migration
        self.plan = plan
        self.done = done
        self.known = known
        self.search_path = search_path
        self.put_off = None
        self.refused: list = []
        self.left_out: list = []
        self.missing: dict = {}

    def run(self, entries, keep_going: bool = False) -> None:
        """Run the I(entries) that have no marker yet, in order.

        :param keep_going: collect refusals instead of stopping at the first
        :raises TransferFailed: naming the entry and giving the server's own message
        """
        waiting = (entry for entry in entries if entry.unit not in self.done)
        while batch := list(itertools.islice(waiting, BATCH_ENTRIES)):
            try:
                self.execute(batch)
            except psycopg2.Error as error:
                if error.pgcode is None or self.target.closed:
                    raise
                for entry in batch:
                    self.run_alone(entry, keep_going)

    def run_alone(self, entry: Entry, keep_going: bool) -> None:
        """Run one entry, and say which one it was when the server refuses it."""
        if entry.type == "DATABASE PROPERTIES":
            self.run_settings(entry)
            return
        try:
            try:
                self.execute([entry])
            except psycopg2.Error as error:
                if error.pgcode not in UNRESOLVED or not self.search_path or self.target.closed:
                    raise
                self.execute([entry], with_schema(self.search_path, entry.schema))
        except psycopg2.Error as error:
            if error.pgcode is None or self.target.closed:
                raise
            if error.pgcode in UNRESOLVED and self.put_off:
                needed, self.put_off = self.put_off, None
                self.run(needed)
                self.run_alone(entry, keep_going)
                return
            message = server_words(error)
            if self.is_dispensable(entry, error.pgcode):
                cause = next((self.missing[number] for number in entry.dependencies if number in self.missing), None)
                self.missing[entry.number] = entry.label
                self.left_out.append((entry, f"it needs {cause}, which was refused" if cause else message))
                return
            if keep_going:
                self.refused.append((entry, message))
                return
            raise TransferFailed(
                f"The target refused {entry.label}: {message}",
                "Put the cause right on source or target, then run the migration again: it goes on from here.",
                {"entry": entry.label, "sqlstate": error.pgcode},
            ) from None

    def is_dispensable(self, entry: Entry, sqlstate: str) -> bool:
        """Return whether the migration may end well without an entry that the target refused."""
        if is_tolerated(entry) or (entry.type in FOLLOWERS and self.missing.keys() & set(entry.dependencies)):
            return True
        if sqlstate != INSUFFICIENT_PRIVILEGE:
            return False
        if entry.type == "ACL":
            # Privileges on something that is no entry itself: an extension brought it, and its owner is another.
            return self.known is not None and not any(map(self.known, entry.dependencies))
        return entry.type in SUPERUSERS_OWN

    def drop_followers(self, entries) -> set:
        """Give up those of I(entries) that need what the target refused; return their numbers."""
        lost: set = set()
        for entry in entries if self.missing else ():
            cause = next((self.missing[number] for number in entry.dependencies if number in self.missing), None)
            if cause and entry.type in FOLLOWERS:
                self.missing[entry.number] = entry.label
                self.left_out.append((entry, f"it needs {cause}, which was refused"))
                lost.add(entry.number)
        return lost

    def run_settings(self, entry: Entry) -> None:
        """Run the statements of an entry one by one: a setting that the target refuses must not keep others away."""
        for statement in split_statements(target_text(entry, self.plan)):
            try:
                with self.target.cursor() as cursor:
                    cursor.execute(statement)
            except psycopg2.Error as error:
                if error.pgcode is None or self.target.closed:
                    raise
                self.left_out.append((entry, f"'{statement.partition(' TO ')[0]}': {server_words(error)}"))
        with self.target.cursor() as cursor:
            marker.set_markers(cursor, self.migration, {entry.unit: None})

    def execute(self, entries: list, search_path: str | None = None) -> None:
        """Run entries and their markers in one transaction, under a search path if one is given."""
        with self.target.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                if search_path:
                    cursor.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (search_path,))
                texts = [target_text(entry, self.plan) for entry in entries]
                script = "\n".join(text for text in texts if not COMMENTS_ONLY.fullmatch(text.strip()))
                if script:
                    cursor.execute(script)  # one round trip for all of them
                marker.set_markers(cursor, self.migration, {entry.unit: None for entry in entries})
                cursor.execute("COMMIT")
            except BaseException:
                if not self.target.closed:
                    cursor.execute("ROLLBACK")
                raise


def helper_grants(source, target, plan: RolePlan, journal, database: str) -> None:
    """Let every future owner create in its schemas, which ALTER ... OWNER TO demands, where the target does not yet.

    An owner of publications needs the same of the database. What the source itself does not grant is taken back by
    M(revoke_helper_grants) at the end.
    """
    # From the catalogue, not from the archive, whose headings show names without their line ends.
    pairs = {(schema, plan.names.get(owner, owner)) for schema, owner in owners_by_schema(source)}
    granted = {
        (row["schema"], plan.names.get(row["role"], row["role"]))
        for row in rows(
            source,
            "SELECT n.nspname AS schema, pg_catalog.pg_get_userbyid(a.grantee) AS role FROM pg_catalog.pg_namespace n,"
            " LATERAL pg_catalog.aclexplode(n.nspacl) a WHERE a.privilege_type = 'CREATE' AND a.grantee <> 0",
        )
    }
    known = {row["nspname"] for row in rows(target, "SELECT nspname FROM pg_catalog.pg_namespace")}
    for schema, owner in sorted(pair for pair in pairs if pair[0] in known and pair[1]):
        with target.cursor() as cursor:
            cursor.execute("SELECT pg_catalog.has_schema_privilege(%s, %s, 'CREATE')", (owner, schema))
            if cursor.fetchone()[0]:
                continue
            if (schema, owner) not in granted:
                journal.creating("target", database, "schema privilege", f"{quote_identifier(schema)} {owner}")
            cursor.execute(f"GRANT CREATE ON SCHEMA {quote_identifier(schema)} TO {quote_identifier(owner)}")
    publishers = {plan.names.get(row["owner"], row["owner"]) for row in rows(source, PUBLISHERS)} - {None}
    for owner in sorted(publishers):
        with target.cursor() as cursor:
            cursor.execute("SELECT pg_catalog.has_database_privilege(%s, current_database(), 'CREATE')", (owner,))
            if not cursor.fetchone()[0]:
                journal.creating("target", database, "database privilege", owner)
                name = quote_identifier(database)
                cursor.execute(f"GRANT CREATE ON DATABASE {name} TO {quote_identifier(owner)}")


def revoke_helper_grants(source, target, plan: RolePlan, journal, database: str) -> None:
    """Take back what M(helper_grants) gave."""
    for thing in journal.creations("target", "schema privilege"):
        if thing["database"] != database or thing["state"] == "removed":
            continue
        schema, owner = re.fullmatch(r'("(?:[^"]|"")+") (.*)', thing["name"], re.DOTALL).groups()
        with target.cursor() as cursor:
            cursor.execute(f"REVOKE CREATE ON SCHEMA {schema} FROM {quote_identifier(owner)}")
        journal.removed("target", database, "schema privilege", thing["name"])
    kept = {plan.names.get(row["owner"], row["owner"]) for row in rows(source, CREATORS)}
    for thing in journal.creations("target", "database privilege"):
        if thing["database"] != database or thing["state"] == "removed":
            continue
        if thing["name"] not in kept:
            with target.cursor() as cursor:
                name = quote_identifier(database)
                cursor.execute(f"REVOKE CREATE ON DATABASE {name} FROM {quote_identifier(thing['name'])}")
        journal.removed("target", database, "database privilege", thing["name"])
