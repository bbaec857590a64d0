# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_dump's text of an entry with the roles as they are called on the target.

Names may hold anything, line ends and semicolons included, so statements are taken apart token by token. Only kinds of
entries are taken apart whose text has no dollar quotes: privileges, policies, user mappings, settings.
"""

from __future__ import annotations

import re

from .._postgres.quoting import quote_identifier
from .contents import Entry
from .roles import RolePlan

QUOTED = r'"(?:[^"]|"")*"'
ROLE = rf'(?:{QUOTED}|[^\s";,]+)'
# An E before the quote makes backslashes count.
STRING = r"(?:\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')"
TOKEN = re.compile(rf"--[^\n]*|{QUOTED}|{STRING}|;|[^\"';]", re.DOTALL)
COMMENTS_ONLY = re.compile(r"(?:--[^\n]*\n?|\s)*")
KEYWORD_GRANTEES = ("PUBLIC", "CURRENT_USER", "SESSION_USER")

# What pg_dump writes after an owner's statement: session defaults for the next entry.
OWNER = re.compile(
    rf'(ALTER (?:[^"\';]|{QUOTED})* OWNER TO )({ROLE});(?=\s*(?:SET default_[a-z_]+ = [^\n]*;\s*)*\Z)', re.DOTALL
)
GRANT = re.compile(
    rf"((?:GRANT|REVOKE|ALTER DEFAULT)\s(?:[^\"']|{QUOTED})*?\s(?:TO|FROM)\s)({ROLE})((?:\sWITH GRANT OPTION)?)\Z",
    re.DOTALL,
)
FOR_ROLE = re.compile(rf"(ALTER DEFAULT PRIVILEGES FOR ROLE )({ROLE})(\s.*)\Z", re.DOTALL)
AUTHORIZATION = re.compile(rf"SET SESSION AUTHORIZATION ({ROLE})\Z", re.DOTALL)
NAME = rf"(?:{QUOTED}|[^\s\"';.]+)"
POLICY = re.compile(
    rf"(\s*CREATE POLICY {NAME} ON {NAME}\.{NAME}(?: AS (?:PERMISSIVE|RESTRICTIVE))?(?: FOR [A-Z]+)? TO )"
    rf"({ROLE}(?:, {ROLE})*)(?=\s(?:USING|WITH CHECK) \(|;)",
    re.DOTALL,
)
USER_MAPPING = re.compile(rf"(\s*CREATE USER MAPPING FOR )({ROLE})(\s)", re.DOTALL)
ROLE_SETTING = re.compile(rf"(ALTER ROLE )({ROLE})(\sIN DATABASE .*)\Z", re.DOTALL)
# From the minor versions of November 2026 on servers keep options of their own with columns, which begin with pg_; client
# programs of before repeat them, and servers of before refuse them.
COLUMN_OPTIONS = re.compile(r"(ALTER (?:FOREIGN )?TABLE .* SET \()([^()'\"]*)\)", re.DOTALL)
INTERNAL = re.compile(r"[(\s]pg_\w+=")
# The kinds of entries whose text pg_dump ends with the owner's statement.
OWNED_TYPES = frozenset(
    (
        "AGGREGATE", "COLLATION", "CONVERSION", "DOMAIN", "EVENT TRIGGER", "FOREIGN DATA WRAPPER", "FOREIGN TABLE",
        "FUNCTION", "MATERIALIZED VIEW", "OPERATOR", "OPERATOR CLASS", "OPERATOR FAMILY", "PROCEDURAL LANGUAGE",
        "PROCEDURE", "PUBLICATION", "SCHEMA", "SEQUENCE", "SERVER", "STATISTICS", "TABLE", "TEXT SEARCH CONFIGURATION",
        "TEXT SEARCH DICTIONARY", "TYPE", "VIEW",
    )
)  # fmt: skip


def unquote(identifier: str) -> str:
    """Return the name that a plain or quoted identifier stands for."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier


def split_statements(text: str) -> list:
    """Return the statements of a text without their semicolons; comments between them are left out."""
    found, parts = [], []
    for token in TOKEN.findall(text):
        if token == ";":
            found.append("".join(parts).strip())
            parts = []
        elif not token.startswith("--"):
            parts.append(token)
    return [statement for statement in [*found, "".join(parts).strip()] if statement]


def without_internal_options(text: str) -> str:
    """Return the text of an entry that has columns without options of its columns that only servers set."""
    if not INTERNAL.search(text):
        return text
    kept = []
    for statement in split_statements(text):
        match = COLUMN_OPTIONS.fullmatch(statement)
        if match:
            options = [option for option in match[2].split(", ") if not option.startswith("pg_")]
            statement = f"{match[1]}{', '.join(options)})" if options else ""
        if statement:
            kept.append(f"{statement};\n")
    return "".join(kept)


class Renamer:
    """Puts the target's roles into texts, and enters in the plan which statements it left out.

    A statement that names a superuser of the source without a counterpart is left out: the object stays with the
    migration's user. The ordinary user of a managed server may not set the session's authorization, but may act as
    the role.
    """

    def __init__(self, plan: RolePlan):
        self.plan = plan

    def name(self, identifier: str) -> str | None:
        """Return the target's name of the source's role, unquoted, or None when it has none."""
        name = unquote(identifier)
        return self.plan.names.get(name, name)

    def text(self, entry: Entry) -> str:
        """Return the text of an entry with the roles as they are on the target."""
        if entry.type in ("ACL", "DEFAULT ACL"):
            return self._each(entry, self._privilege)
        if entry.type == "DATABASE PROPERTIES":
            return self._each(entry, self._setting)
        if entry.type == "POLICY":
            return self._policy(entry)
        if entry.type == "USER MAPPING":
            return self._user_mapping(entry)
        if entry.type in ("TABLE", "FOREIGN TABLE", "MATERIALIZED VIEW", "VIEW"):
            entry = entry._replace(text=without_internal_options(entry.text))
        return self._owner(entry) if entry.type in OWNED_TYPES else entry.text

    def _each(self, entry: Entry, change) -> str:
        changed = [change(entry, statement) for statement in split_statements(entry.text)]
        return "".join(f"{statement};\n" for statement in changed if statement)

    def _lost(self, entry: Entry, identifier: str) -> str:
        self.plan.left_out.add((unquote(identifier), entry.label))
        return ""

    def _owner(self, entry: Entry) -> str:
        # The last statement that fits: a name or a function's body may hold something that looks like one.
        start = len(entry.text)
        while (start := entry.text.rfind("ALTER ", 0, start)) >= 0:
            match = OWNER.match(entry.text, start)
            if match and (start == 0 or entry.text[start - 1] == "\n"):
                name = self.name(match[2])
                # The schema public is the target's own already.
                if name is None and (entry.type, entry.name) != ("SCHEMA", "public"):
                    self._lost(entry, match[2])
                # What the migration's user creates is its own already.
                keep = name and name != self.plan.user
                statement = f"{match[1]}{quote_identifier(name)};" if keep else ""
                return entry.text[:start] + statement + entry.text[match.end() :]
        return entry.text

    def _privilege(self, entry: Entry, statement: str) -> str:
        match = AUTHORIZATION.match(statement)
        if match:
            name = self.name(match[1])
            # Who cannot be acted for gives way to the owner: the privilege arrives, the name of its giver does not.
            return f"SET LOCAL ROLE {quote_identifier(name)}" if name and name not in self.plan.unavailable else ""
        if statement == "RESET SESSION AUTHORIZATION":
            return "RESET ROLE"
        for pattern in (GRANT, FOR_ROLE):
            match = pattern.match(statement)
            if match and match[2].upper() not in KEYWORD_GRANTEES:
                name = self.name(match[2])
                if not name:
                    return self._lost(entry, match[2])
                statement = f"{match[1]}{quote_identifier(name)}{match[3]}"
        return statement

    def _setting(self, entry: Entry, statement: str) -> str:
        match = ROLE_SETTING.match(statement)
        if not match:
            return statement
        name = self.name(match[2])
        return f"{match[1]}{quote_identifier(name)}{match[3]}" if name else self._lost(entry, match[2])

    def _policy(self, entry: Entry) -> str:
        match = POLICY.search(entry.text)
        if not match:
            return entry.text
        kept = []
        for role in re.findall(ROLE, match[2]):
            name = self.name(role)
            if role.upper() in KEYWORD_GRANTEES:
                kept.append(role)
            elif name:
                kept.append(quote_identifier(name))
            else:
                self._lost(entry, role)
        # A policy for superusers alone never had an effect; without its roles it would hold for everybody.
        return entry.text[: match.start()] + match[1] + ", ".join(kept) + entry.text[match.end() :] if kept else ""

    def _user_mapping(self, entry: Entry) -> str:
        match = USER_MAPPING.search(entry.text)
        if not match or match[2].upper() in KEYWORD_GRANTEES:
            return entry.text
        name = self.name(match[2])
        if not name:
            return self._lost(entry, match[2])
        return USER_MAPPING.sub(lambda found: f"{found[1]}{quote_identifier(name)}{found[3]}", entry.text, count=1)


def target_text(entry: Entry, plan: RolePlan) -> str:
    """Return the text of an entry with the roles as they are on the target; see M(Renamer)."""
    return Renamer(plan).text(entry)


def grantors(entries: list) -> list:
    """Return the source's names of the roles that gave privileges which they held themselves without owning."""
    found = set()
    for entry in entries:
        if entry.type in ("ACL", "DEFAULT ACL"):
            for statement in split_statements(entry.text):
                match = AUTHORIZATION.match(statement)
                if match and match[1] != "DEFAULT":
                    found.add(unquote(match[1]))
    return sorted(found)
