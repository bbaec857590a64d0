# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owners, privileges and settings on the target, made what they are on the source after somebody else carried the objects.

Only what differs is changed, and the statements that do it are what check mode shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .._postgres.connection import transaction, value
from .._postgres.quoting import quote_identifier
from .rights_catalogue import Item, read_defaults, read_rights, read_settings
from .roles import RolePlan, attempt, setting_value

OBJECTS_AT_ONCE = 200  # each takes a place in the target's lock table until the transaction ends
# The words of statements where they are not the catalogue's own in capitals.
ALTER_WORDS = {"foreign-data wrapper": "FOREIGN DATA WRAPPER", "statistics object": "STATISTICS"}
GRANT_WORDS = {
    "table": "TABLE", "view": "TABLE", "materialized view": "TABLE", "foreign table": "TABLE", "table column": "TABLE",
    "aggregate": "FUNCTION", "foreign-data wrapper": "FOREIGN DATA WRAPPER", "server": "FOREIGN SERVER",
}  # fmt: skip
DEFAULT_WORDS = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES", "n": "SCHEMAS", "L": "LARGE OBJECTS"}
PUBLIC_DEFAULTS = {"f": {(None, "EXECUTE", False)}, "T": {(None, "USAGE", False)}}
MAINTAIN_SINCE = 170000
ORDER = {"database": 0, "schema": 1}


@dataclass
class Change:
    """Statements that belong together: what they change, and as whom; None is the migration's user.

    I(schema) is one in which I(creator) has to be allowed to create while the owner changes.
    """

    label: str
    statements: list
    actor: str | None = None
    schema: str | None = None
    creator: str | None = None


@dataclass
class Rights:
    """What is to be changed in one database, and whom the migration's user has to act for."""

    database: str
    changes: list = field(default_factory=list)
    actors: set = field(default_factory=set)
    left_out: set = field(default_factory=set)

    @property
    def shown(self) -> list:
        """All statements, for people; a setting's value may be nobody's business."""
        found = [statement for change in self.changes for statement in change.statements]
        return [re.sub(r"( SET \S+ TO ).*", r"\1...", statement, flags=re.DOTALL) for statement in found]


def wanted_acl(item: Item, plan: RolePlan, left_out: set, without_maintain: bool) -> frozenset:
    """Return a source's privileges with the target's roles; those of roles without a counterpart are left out."""
    found = set()
    for grantor, grantee, privilege, grantable in item.acl:
        if without_maintain and privilege == "MAINTAIN":
            continue
        receiver = plan.names.get(grantee, grantee) if grantee else grantee
        if grantee and receiver is None:
            left_out.add((grantee, f"{item.type} {item.identity}"))
            continue
        giver = plan.names.get(grantor, grantor) if grantor else None
        found.add((giver, receiver, privilege, grantable))
    return frozenset(found)


def without_givers(acl: frozenset, users: tuple, owner: str) -> set:
    """Return privileges without who gave them; those of the migration's own users are nobody's business."""
    return {
        ("" if receiver == owner else receiver, privilege, grantable)
        for _giver, receiver, privilege, grantable in acl
        if receiver not in users
    }


def read_changes(source, target, database: str, plan: RolePlan) -> Rights:
    """Compare both ends of a database and return what has to change on the target.

    :param source: session in the database, its search path empty; I(target) likewise
    """
    rights = Rights(database)
    left, right = read_rights(source), read_rights(target)
    versions = (source.server_version, target.server_version)
    user = value(source, "SELECT current_user")
    users = (plan.names.get(user, user), plan.user)
    for key, item in sorted(left.items(), key=lambda pair: (ORDER.get(pair[0][0], 2), *pair[0])):
        other = right.get(key) or without_column_privileges(item, right)
        if other is None:
            continue
        rights_of(rights, item, other, plan, versions, users)
    for key, other in right.items():
        if key not in left and other.type == "table column":
            rights_of(rights, Item(*other.key[:1], other.schema, *other.key[1:], other.owner, frozenset(), False, True),
                      other, plan, versions, users)  # fmt: skip
    default_changes(rights, read_defaults(source), read_defaults(target), plan, users)
    setting_changes(rights, read_settings(source), read_settings(target), plan)
    return rights


def without_column_privileges(item: Item, right: dict) -> Item | None:
    """Return a column of the target that has no privileges of its own, and so is not among the items; None for others."""
    if item.type != "table column":
        return None
    kinds = ("table", "view", "materialized view", "foreign table")
    table = next((right[kind, item.identity, ""] for kind in kinds if (kind, item.identity, "") in right), None)
    return (
        Item(item.type, item.schema, item.identity, item.column, table.owner, frozenset(), False, True)
        if table
        else None
    )


def rights_of(rights: Rights, item: Item, other: Item, plan: RolePlan, versions: tuple, users: tuple) -> None:
    """Add what has to change of one object."""
    is_public = item.type == "schema" and item.identity == "public"
    owner = other.owner
    if not (item.of_extension or item.of_table or is_public):
        wanted = plan.names.get(item.owner, item.owner)
        if wanted is None:
            rights.left_out.add((item.owner, f"{item.type} {item.identity}"))
        elif wanted != owner:
            word = ALTER_WORDS.get(item.type, item.type.upper())
            statement = f"ALTER {word} {item.identity} OWNER TO {quote_identifier(wanted)}"
            change = Change(f"owner of {item.type} {item.identity}", [statement])
            change.schema, change.creator = item.schema, wanted
            rights.changes.append(change)
            rights.actors |= {wanted, owner}
            owner = wanted
    # From 15 on the schema public lets nobody else create; one that was left as it came is left so.
    if is_public and versions[0] < 150000 <= versions[1]:
        return
    old = min(versions) < MAINTAIN_SINCE
    acl = wanted_acl(item, plan, rights.left_out, old)
    present = frozenset(entry for entry in other.acl if not (old and entry[2] == "MAINTAIN"))
    # What the new owner holds as the old one's heir is the owner's.
    left, right = without_givers(acl, users, owner), without_givers(present, users, owner)
    if left != right:
        add_grants(rights, item, owner, acl, left - right, right - left)


def add_grants(rights: Rights, item: Item, owner: str, acl: frozenset, missing: set, extra: set) -> None:
    """Add the statements that give what is missing and take what is too much, each as the role that gave it."""
    word = GRANT_WORDS.get(item.type, item.type.upper())
    thing = f"{word} {item.identity}"
    column = f" ({quote_identifier(item.column)})" if item.column else ""
    by_giver: dict = {}
    for receiver, privilege, grantable in sorted(missing, key=str):
        giver = next(
            (
                entry[0]
                for entry in acl
                if ("" if entry[1] == owner else entry[1], *entry[2:]) == (receiver, privilege, grantable)
            ),
            None,
        )
        option = " WITH GRANT OPTION" if grantable else ""
        statement = f"GRANT {privilege}{column} ON {thing} TO {named(receiver, owner)}{option}"
        by_giver.setdefault(giver or owner, []).append(statement)
    for receiver, privilege, _grantable in sorted(extra, key=str):
        kept = next((entry for entry in missing if entry[:2] == (receiver, privilege)), None)
        if kept and kept[2]:
            continue  # it is given again with the option
        option = "GRANT OPTION FOR " if kept else ""
        statement = f"REVOKE {option}{privilege}{column} ON {thing} FROM {named(receiver, owner)}"
        by_giver.setdefault(owner, []).append(statement)
    label = f"privileges on {item.type} {item.identity}{column}"
    # What the owner gives comes first, since others give on what they got.
    for giver in sorted(by_giver, key=lambda name: (name != owner, name)):
        rights.changes.append(Change(label, by_giver[giver], giver))
        rights.actors.add(giver)


def named(receiver: str | None, owner: str) -> str:
    """Return a receiver as statements name it."""
    return "PUBLIC" if receiver is None else quote_identifier(receiver or owner)


def default_changes(rights: Rights, left: dict, right: dict, plan: RolePlan, users: tuple) -> None:
    """Add what has to change of default privileges."""
    for (role, schema, letter), acl in sorted(left.items(), key=str):
        giver = plan.names.get(role, role)
        if giver is None or letter not in DEFAULT_WORDS:
            rights.left_out.add((role, "default privileges"))
            continue
        item = Item("default privileges", schema, f"of {role}", "", role, acl, False, False)
        wanted = without_givers(wanted_acl(item, plan, rights.left_out, True), users, giver)
        present = without_givers(right.get((giver, schema, letter), frozenset()), users, giver)
        present = {entry for entry in present if entry[1] != "MAINTAIN"}
        if (giver, schema, letter) not in right and schema is None:
            # Without an entry a role has everything on what is its own, and everybody what PostgreSQL gives.
            wanted = {entry for entry in wanted if entry[0] != ""}
            present = PUBLIC_DEFAULTS.get(letter, set())
        place = f" IN SCHEMA {quote_identifier(schema)}" if schema else ""
        head = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote_identifier(giver)}{place}"
        statements = [
            f"{head} GRANT {privilege} ON {DEFAULT_WORDS[letter]} TO {named(receiver, giver)}"
            + (" WITH GRANT OPTION" if grantable else "")
            for receiver, privilege, grantable in sorted(wanted - present, key=str)
        ]
        statements += [
            f"{head} REVOKE {privilege} ON {DEFAULT_WORDS[letter]} FROM {named(receiver, giver)}"
            for receiver, privilege, _grantable in sorted(present - wanted, key=str)
            if (receiver, privilege) not in {entry[:2] for entry in wanted}
        ]
        if statements:
            rights.changes.append(Change(f"default privileges of {giver}", statements, giver))
            rights.actors.add(giver)


def setting_changes(rights: Rights, left: dict, right: dict, plan: RolePlan) -> None:
    """Add what has to change of the settings of the database, and of roles in it."""
    name = quote_identifier(rights.database)
    for role, settings in sorted(left.items(), key=str):
        mapped = plan.names.get(role, role) if role else None
        if role and mapped is None:
            rights.left_out.add((role, "settings"))
            continue
        head = f"ALTER ROLE {quote_identifier(mapped)} IN DATABASE {name}" if role else f"ALTER DATABASE {name}"
        present = right.get(mapped, {})
        for parameter, content in sorted(settings.items()):
            if present.get(parameter) != content:
                statement = f"{head} SET {parameter} TO {setting_value(parameter, content)}"
                rights.changes.append(Change(f"setting {parameter}{f' of {mapped}' if role else ''}", [statement]))


def apply(target, rights: Rights) -> list:
    """Make the changes; return a sentence for each that the target refused.

    :param target: session in the database
    """
    refused = []
    for start in range(0, len(rights.changes), OBJECTS_AT_ONCE):
        with transaction(target) as cursor:
            for change in rights.changes[start : start + OBJECTS_AT_ONCE]:
                cursor.execute("SAVEPOINT change")
                complaint = make(target, cursor, change)
                if complaint:
                    cursor.execute("ROLLBACK TO SAVEPOINT change")
                    refused.append(f"{rights.database}: {change.label} was refused: {complaint}")
    return refused


def make(target, cursor, change: Change) -> str | None:
    """Make one change; return the target's complaint, or None."""
    lent = None
    if change.creator and change.schema:
        lent = lend_create(target, cursor, change)
    if change.actor:
        complaint = attempt(target, f"SET LOCAL ROLE {quote_identifier(change.actor)}")
        if complaint:
            return complaint
    for statement in change.statements:
        complaint = attempt(target, statement)
        if complaint:
            return complaint
    cursor.execute("RESET ROLE")
    return attempt(target, f"REVOKE CREATE ON SCHEMA {lent} FROM {quote_identifier(change.creator)}") if lent else None


def lend_create(target, cursor, change: Change) -> str | None:
    """Let a future owner create in its schema for the length of the transaction, which ALTER ... OWNER TO demands.

    Return the schema when that was needed.
    """
    cursor.execute(
        "SELECT pg_catalog.has_schema_privilege(%s, n.oid, 'CREATE'), pg_catalog.quote_ident(n.nspname)"
        " FROM pg_catalog.pg_namespace n WHERE n.nspname = %s OR pg_catalog.quote_ident(n.nspname) = %s",
        (change.creator, change.schema, change.schema),
    )
    row = cursor.fetchone()
    if row is None or row[0]:
        return None
    complaint = attempt(target, f"GRANT CREATE ON SCHEMA {row[1]} TO {quote_identifier(change.creator)}")
    return None if complaint else row[1]
