# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating the schema on the target from the archive's entries."""

from __future__ import annotations

import re

from .._core.errors import TransferFailed
from .._postgres.connection import rows
from .._postgres.driver import psycopg2
from .._postgres.quoting import quote_identifier
from . import marker
from .archive import Entry, Section
from .roles import RolePlan

BATCH_ENTRIES = 50
OWNER = re.compile(
    r'^(ALTER [^\n]* OWNER TO )("(?:[^"]|"")+"|[^\s";]+);(?=\s*(?:SET default_[a-z_]+ = [^\n]*;\s*)*\Z)', re.MULTILINE
)
ROLE_NAME = r'("(?:[^"]|"")+"|[^\s";]+)'
GRANT = re.compile(
    rf"^((?:GRANT|REVOKE|ALTER DEFAULT) [^\n]* (?:TO|FROM) ){ROLE_NAME}((?: WITH GRANT OPTION)?;)$", re.MULTILINE
)
FOR_ROLE = re.compile(rf"^(ALTER DEFAULT PRIVILEGES FOR ROLE ){ROLE_NAME}( [^\n]*;)$", re.MULTILINE)
COMMENTS_ONLY = re.compile(r"(?:--[^\n]*\n?|\s)*")
AUTHORIZATION = re.compile(r"^SET SESSION AUTHORIZATION (.*);$", re.MULTILINE)
# The kinds of entries whose text pg_dump ends with the owner's statement; session defaults of the next entry may follow.
OWNED_TYPES = frozenset(
    (
        "AGGREGATE", "COLLATION", "CONVERSION", "DOMAIN", "EVENT TRIGGER", "FOREIGN DATA WRAPPER", "FOREIGN TABLE",
        "FUNCTION", "MATERIALIZED VIEW", "OPERATOR", "OPERATOR CLASS", "OPERATOR FAMILY", "PROCEDURAL LANGUAGE",
        "PROCEDURE", "PUBLICATION", "SCHEMA", "SEQUENCE", "SERVER", "STATISTICS", "TABLE", "TEXT SEARCH CONFIGURATION",
        "TEXT SEARCH DICTIONARY", "TYPE", "VIEW",
    )
)  # fmt: skip
KEYWORD_GRANTEES = ("PUBLIC", "CURRENT_USER", "SESSION_USER")


def session_settings(section: Section) -> dict:
    """Return the session settings under which pg_dump's text means what it says."""
    return {
        "search_path": "",
        "standard_conforming_strings": section.standard_conforming_strings,
        "check_function_bodies": "off",
        "xmloption": "content",
        "row_security": "off",
        "client_min_messages": "warning",
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "synchronous_commit": "off",
    }


def unquote(identifier: str) -> str:
    """Return the name that a plain or quoted identifier stands for."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier


def target_text(entry: Entry, plan: RolePlan) -> str:
    """Return the text of an entry with the roles as they are on the target.

    A statement that names a superuser of the source without a counterpart is left out: the object stays with the
    migration's user, which the verification reports. The ordinary user of a managed server may not set the session's
    authorization, but may act as the role.
    """

    def owner(match) -> str:
        name = plan.names.get(unquote(match[2]), unquote(match[2]))
        # What the migration's user creates is its own already.
        return f"{match[1]}{quote_identifier(name)};" if name and name != plan.user else ""

    def grantee(match) -> str:
        if match[2].upper() in KEYWORD_GRANTEES:
            return match[0]
        name = plan.names.get(unquote(match[2]), unquote(match[2]))
        return f"{match[1]}{quote_identifier(name)}{match[3]}" if name else ""

    def grantor(match) -> str:
        name = plan.names.get(unquote(match[1]), unquote(match[1]))
        # Who cannot be acted for gives way to the owner: the privilege arrives, the name of its giver does not.
        return f"SET LOCAL ROLE {quote_identifier(name)};" if name and name not in plan.unavailable else ""

    text = entry.text
    if entry.type in ("ACL", "DEFAULT ACL"):
        text = FOR_ROLE.sub(grantee, GRANT.sub(grantee, text))
        text = AUTHORIZATION.sub(grantor, text)
        return text.replace("RESET SESSION AUTHORIZATION;", "RESET ROLE;")
    return OWNER.sub(owner, text) if entry.type in OWNED_TYPES else text


def grantors(entries: list) -> list:
    """Return the source's names of the roles that gave privileges which they held themselves without owning."""
    texts = (entry.text for entry in entries if entry.type in ("ACL", "DEFAULT ACL"))
    return sorted({unquote(name) for text in texts for name in AUTHORIZATION.findall(text) if name != "DEFAULT"})


def is_about_database(entry: Entry) -> bool:
    """Return whether an entry describes the database itself rather than something in it."""
    return entry.type in ("DATABASE", "DATABASE PROPERTIES") or (
        entry.type in ("ACL", "COMMENT", "SECURITY LABEL") and entry.name.startswith("DATABASE ")
    )


def is_table_privilege(entry: Entry) -> bool:
    """Return whether an entry sets privileges of a relation.

    Those come after the data: an owner may have taken a right from itself that loading needs.
    """
    return entry.type == "ACL" and entry.name.startswith(("TABLE ", "COLUMN ", "SEQUENCE "))


def is_tolerated(entry: Entry) -> bool:
    """Return whether a refusal of this entry loses nothing: a comment on an extension belongs to who installed it."""
    return entry.type == "COMMENT" and entry.name.startswith("EXTENSION ")


class SchemaWriter:
    """Runs entries in one session of the target, each exactly once, in transactions of at most 50 entries."""

    def __init__(self, target, migration: str, plan: RolePlan, done: dict):
        self.target = target
        self.migration = migration
        self.plan = plan
        self.done = done
        self.refused: list = []

    def run(self, entries: list, keep_going: bool = False) -> None:
        """Run the I(entries) that have no marker yet, in order.

        :param keep_going: collect refusals in I(refused) as C((entry, message)) instead of stopping at the first
        :raises TransferFailed: naming the entry and giving the server's own message
        """
        waiting = [entry for entry in entries if entry.unit not in self.done]
        for start in range(0, len(waiting), BATCH_ENTRIES):
            batch = waiting[start : start + BATCH_ENTRIES]
            try:
                self.execute(batch)
            except psycopg2.Error as error:
                if error.pgcode is None or self.target.closed:
                    raise
                for entry in batch:
                    self.run_alone(entry, keep_going)

    def run_alone(self, entry: Entry, keep_going: bool) -> None:
        """Run one entry, and say which one it was when the server refuses it."""
        try:
            self.execute([entry])
        except psycopg2.Error as error:
            if error.pgcode is None or self.target.closed:
                raise
            message = " ".join(str(error).split())
            if is_tolerated(entry) or keep_going:
                self.refused.append((entry, message))
                return
            raise TransferFailed(
                f"The target refused {entry.label}: {message}",
                "Put the cause right on source or target, then run the migration again: it goes on from here.",
                {"entry": entry.label, "sqlstate": error.pgcode},
            ) from None

    def execute(self, entries: list) -> None:
        """Run entries and their markers in one transaction."""
        with self.target.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
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
        self.done.update({entry.unit: None for entry in entries})


def helper_grants(source, target, entries: list, plan: RolePlan, journal, database: str) -> None:
    """Let every future owner create in its schemas, which ALTER ... OWNER TO demands, where the target does not yet.

    What the source itself does not grant is taken back by M(revoke_helper_grants) at the end.
    """
    pairs = {(entry.schema, plan.names.get(entry.owner, entry.owner)) for entry in entries if entry.owner}
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


def revoke_helper_grants(target, journal, database: str) -> None:
    """Take back what M(helper_grants) gave."""
    for thing in journal.creations("target", "schema privilege"):
        if thing["database"] != database or thing["state"] == "removed":
            continue
        schema, owner = re.fullmatch(r'("(?:[^"]|"")+") (.*)', thing["name"], re.DOTALL).groups()
        with target.cursor() as cursor:
            cursor.execute(f"REVOKE CREATE ON SCHEMA {schema} FROM {quote_identifier(owner)}")
        journal.removed("target", database, "schema privilege", thing["name"])
