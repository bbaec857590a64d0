# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing two inventories of one database."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import catalogue_system
from .expressions import DIFFERENT, EQUAL, EXPRESSIONS
from .findings import (
    ERROR,
    EXPECTED,
    EXTRA_IS_WARNING,
    NOT_COMPARABLE,
    WARNING,
    WARNING_KINDS,
    attribute_severity,
    differing,
    finding,
)
from .inventory import MAY_BE_HIDDEN, Inventory

# Kinds whose identity is made of a role's name, and how to make it again with the target's name.
ROLE_IN_IDENTITY = {
    "default privileges": lambda item, role: f"for role {role}, {item['where']}",
    "user mapping": lambda item, role: f"{item['server']} for {role}",
}
# Attributes that only help to find or rebuild an object.
LOCATORS = frozenset(
    ["table", "column", "name", "domain", "domain_base", "where", "raw_owner", "sql_definition", "arguments"]
)
# What every flexible server has, and how it differs from others.
AZURE_ADMINISTRATOR = "azure_pg_admin"
AZURE_EXTENSIONS = frozenset(["azure", "pgaadauth"])
RELATION_KINDS = frozenset(["table", "partitioned table", "view", "materialized view", "foreign table"])


@dataclass(frozen=True)
class Rules:
    """What makes a difference expected.

    I(role_map) is C({source role: target role}), I(owner_map) the same for owners only; I(superusers) are the source's
    superusers; I(users) the migration users C((source user, target user)), whose own grants are no part of what is
    migrated; I(azure) says that the target is a flexible server of Azure.
    """

    role_map: dict
    superusers: frozenset
    users: tuple
    owner_map: dict = field(default_factory=dict)
    azure: bool = False


def normalised(kind: str, objects: dict, role_map: dict, users, owner_map=None) -> dict:
    """Return I(objects) with mapped role names, access lists as sorted texts, and grants to I(users) left out."""
    owner_map = owner_map or {}

    def name(role):
        return role_map.get(role, role)

    result = {}
    for identity, attributes in objects.items():
        item = dict(attributes, raw_owner=attributes.get("owner"))
        for key in ("owner", "role"):
            if item.get(key):
                item[key] = name(item[key])
        if attributes.get("owner") in owner_map:
            item["owner"] = owner_map[attributes["owner"]]
        if "acl" in item:
            item["acl"] = sorted(
                f"{name(grantee) or '(owner)'} {privilege}{' with grant option' if grantable else ''}"
                for grantee, privilege, grantable in item["acl"]
                if grantee not in users
            )
        if kind == "policy":
            item["roles"] = sorted(map(name, item["roles"]))
        if kind in ROLE_IN_IDENTITY:
            identity = ROLE_IN_IDENTITY[kind](item, item["role"])
        if kind == "database setting" and item["role"]:
            identity = f"role {item['role']}, {identity.rpartition(', ')[2]}"
        result[identity] = item
    return result


def _owner(kind: str, name: str, source: dict, target: dict, rules: Rules) -> dict:
    """Return the finding for an owner that differs."""
    raw_owner = source["raw_owner"]
    if kind == "extension":
        return finding(
            EXPECTED,
            "extension-owner",
            kind,
            name,
            "An extension belongs to whoever installed it, on managed servers to the service's own role.",
        )
    mapped = {*rules.role_map, *rules.owner_map}
    if raw_owner in rules.superusers and raw_owner not in mapped and target["owner"] == rules.users[1]:
        return finding(
            EXPECTED,
            "superuser-owner",
            kind,
            name,
            f"Objects of the source's superuser {raw_owner} belong to the migration user {target['owner']} on the "
            "target, since no ordinary user can hand an object to a superuser.",
            remedy=f"Name the owner that you want: role_map: {{{raw_owner}: <role on the target>}}; or run on the "
            f"target, per object, ALTER ... OWNER TO <role>.",
        )
    return finding(
        WARNING,
        "owner",
        kind,
        name,
        "The owner differs.",
        attribute="owner",
        source=source["owner"],
        target=target["owner"],
        remedy="Create the role on the target and run ALTER ... OWNER TO it, or map it with role_map or owner_map.",
    )


def _access(kind: str, name: str, source: dict, target: dict, versions: tuple) -> dict | None:
    """Return the finding for access lists that differ; MAINTAIN exists from 17 on and needs both ends to have it."""
    left, right = set(source["acl"]), set(target["acl"])
    if min(versions) < 170000:
        left, right = ({item for item in side if " MAINTAIN" not in item} for side in (left, right))
    missing, extra = sorted(left - right), sorted(right - left)
    if not missing and not extra:
        return None
    return finding(
        WARNING,
        "acl",
        kind,
        name,
        "The privileges differ.",
        attribute="acl",
        source="only here: " + ", ".join(missing) if missing else "",
        target="only here: " + ", ".join(extra) if extra else "",
        remedy="GRANT on the target what is missing, REVOKE what is too much.",
    )


def _system_privileges(left: dict, right: dict, versions: tuple) -> list:
    """Return the findings for grants on the system's and extensions' objects that are on the source only.

    What a managed service has granted besides, on its own servers, is its own affair.
    """
    findings = []
    for name, item in left.items():
        lost = {words for words in item["acl"] if min(versions) >= 170000 or " MAINTAIN" not in words}
        lost -= set(right.get(name, {}).get("acl", ()))
        if lost:
            findings.append(
                finding(
                    WARNING,
                    "system-privilege",
                    catalogue_system.PRIVILEGE,
                    name,
                    "A grant on an object of the system or of an extension is missing, or one that was taken away is there.",
                    attribute="acl",
                    source="only here: " + ", ".join(sorted(lost)),
                    remedy="GRANT, or REVOKE what is said to be taken away, on the target, if its service lets you.",
                )
            )
    return findings


def _attributes(kind: str, name: str, source: dict, target: dict, rules, versions, canonicaliser) -> list:
    """Return the findings for one object that is on both ends."""
    if kind == "schema" and name == "public" and rules.azure and target["owner"] == AZURE_ADMINISTRATOR:
        return [
            finding(
                EXPECTED,
                "azure-public-schema",
                kind,
                name,
                "On a flexible server the schema public belongs to azure_pg_admin.",
                remedy="Where the application creates objects in it: GRANT CREATE ON SCHEMA public TO <role>.",
            )
        ]
    if (
        kind == "schema"
        and name == "public"
        and versions[0] < 150000 <= versions[1]
        and (source["owner"], source["acl"]) != (target["owner"], target["acl"])
    ):
        return [
            finding(
                EXPECTED,
                "public-schema-defaults",
                kind,
                name,
                "From 15 on the schema public belongs to pg_database_owner and lets nobody else create objects.",
                remedy="Where the application creates objects in it: GRANT CREATE ON SCHEMA public TO <role>.",
            )
        ]
    findings = []
    for attribute in sorted(set(source) & set(target) - LOCATORS):
        left, right = source[attribute], target[attribute]
        if left == right:
            continue
        if attribute == "tablespace" and rules.azure:
            findings.append(
                finding(
                    EXPECTED,
                    "azure-tablespace",
                    kind,
                    name,
                    "A flexible server has one tablespace; what lay in others lies there.",
                )
            )
            continue
        if attribute == "acl":
            item = _access(kind, name, source, target, versions)
            findings += [item] if item else []
            continue
        if attribute == "owner":
            findings.append(_owner(kind, name, source, target, rules))
            continue
        severity, msg = attribute_severity(kind, attribute), f"The {differing(attribute)}."
        if attribute in EXPRESSIONS.get(kind, ()):
            relation = canonicaliser.compare(kind, name, attribute, source, target) if canonicaliser else DIFFERENT
            if relation == EQUAL:
                continue
            if relation != DIFFERENT and versions[0] // 10000 != versions[1] // 10000:
                severity, msg = NOT_COMPARABLE, f"The {attribute} prints differently, and {relation}."
        findings.append(
            finding(
                severity,
                f"{kind.replace(' ', '-')}-{attribute.replace('_', '-')}",
                kind,
                name,
                msg,
                attribute=attribute,
                source=left,
                target=right,
                remedy=f"Bring the {kind} on the target in line with the source.",
            )
        )
    return findings


def _missing(kind: str, name: str, item: dict) -> dict:
    if kind == "index" and not item["valid"]:
        return finding(
            WARNING,
            "invalid-index-on-source",
            kind,
            name,
            "The index is invalid on the source (an index build that failed); a dump leaves it out.",
            remedy="Drop it on the source, or build it anew on the target.",
        )
    severity = WARNING if kind in WARNING_KINDS else ERROR
    return finding(
        severity,
        "missing",
        kind,
        name,
        f"The {kind} is missing on the target.",
        source="present",
        remedy=f"Create the {kind} on the target, or run the migration again.",
    )


def _unexpected(kind: str, name: str, rules: Rules) -> dict:
    if kind == "extension" and rules.azure and name in AZURE_EXTENSIONS:
        return finding(
            EXPECTED, "azure-extension", kind, name, "The service itself has put the extension into the database."
        )
    severity = WARNING if kind in WARNING_KINDS or kind in EXTRA_IS_WARNING else ERROR
    return finding(
        severity,
        "unexpected",
        kind,
        name,
        f"The {kind} exists only on the target.",
        target="present",
        remedy="Drop it on the target unless you put it there on purpose; then list it under 'ignore'.",
    )


def compare_inventories(source: Inventory, target: Inventory, rules: Rules, canonicaliser=None) -> list:
    """Return the findings for everything that is not the same on both ends.

    :param canonicaliser: an M(Canonicaliser) on the target, or None to compare expressions as text only
    """
    findings = []
    one_sided = set()
    versions = (source.version, target.version)
    for kind in source.objects:
        unreadable = [
            (side, end.unreadable[kind])
            for side, end in (("source", source), ("target", target))
            if kind in end.unreadable
        ]
        if unreadable:
            findings += [
                finding(
                    WARNING if kind in MAY_BE_HIDDEN else NOT_COMPARABLE,
                    "unreadable",
                    kind,
                    f"on the {side}",
                    f"The {side} does not show objects of this kind: {message}",
                    remedy="Grant the migration user the right to read the catalogue, or compare by hand.",
                )
                for side, message in unreadable
            ]
            continue
        left = normalised(kind, source.objects[kind], rules.role_map, rules.users, rules.owner_map)
        right = normalised(kind, target.objects[kind], {}, rules.users)
        if kind == catalogue_system.PRIVILEGE:
            findings += _system_privileges(left, right, versions)
            continue
        for name, item in left.items():
            if item.get("table") in one_sided:
                continue  # said once, of the relation
            if name in right:
                findings += _attributes(kind, name, item, right[name], rules, versions, canonicaliser)
            else:
                findings.append(_missing(kind, name, item))
        extra = [name for name, item in right.items() if name not in left and item.get("table") not in one_sided]
        if kind == catalogue_system.FUNCTION:
            extra = []  # a managed service's own
        findings += [_unexpected(kind, name, rules) for name in extra]
        if kind in RELATION_KINDS:
            one_sided |= set(left) ^ set(right)
        if kind == "index":
            findings += [
                finding(
                    ERROR,
                    "invalid-index",
                    kind,
                    name,
                    "The index is invalid on the target: queries do not use it, "
                    "and a unique one does not guarantee uniqueness.",
                    remedy="REINDEX INDEX it on the target.",
                )
                for name, item in right.items()
                if name not in left and not item["valid"]
            ]
    return findings


def object_counts(source: Inventory, target: Inventory) -> dict:
    """Return C({kind: [source, target]}) for every kind, also those of which there are none."""
    return {kind: [len(objects), len(target.objects.get(kind, {}))] for kind, objects in sorted(source.objects.items())}
