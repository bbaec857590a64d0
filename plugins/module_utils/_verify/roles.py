# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles that the migrated databases refer to, and who is a member of whom."""

from __future__ import annotations

from .._postgres.connection import rows
from .findings import WARNING, differing, finding

# Roles that own something in the database or are named in an access list, a policy or a setting of it.
REFERENCED = """
SELECT DISTINCT r.rolname::text AS name FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
WHERE d.refclassid = 'pg_authid'::regclass AND (d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
   OR (d.classid = 'pg_database'::regclass AND d.objid = (SELECT oid FROM pg_database WHERE datname = current_database())))
UNION
SELECT r.rolname::text FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
ROLES = """
SELECT r.rolname::text AS name, r.rolsuper AS superuser, r.rolinherit AS inherit, r.rolcreaterole AS create_role,
       r.rolcreatedb AS create_database, r.rolcanlogin AS login, r.rolreplication AS replication,
       r.rolbypassrls AS bypass_row_security, r.rolconnlimit AS connection_limit,
       extract(epoch FROM CASE WHEN isfinite(r.rolvaliduntil) THEN r.rolvaliduntil END)::int8::text AS valid_until,
       (SELECT array_agg(c ORDER BY c) FROM unnest(r.rolconfig) c) AS settings
FROM pg_roles r WHERE r.rolname !~ '^pg_'
"""

PARAMETERS = (
    "SELECT p.parname AS parameter, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END AS role, "
    "a.privilege_type || CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END AS privilege "
    "FROM pg_parameter_acl p CROSS JOIN LATERAL aclexplode(p.paracl) a WHERE a.grantee <> 10"  # the bootstrap superuser
)


def read_referenced(connection) -> set:
    """Return the names of the roles that the current database refers to."""
    return {row["name"] for row in rows(connection, REFERENCED)}


def read_roles(connection) -> dict:
    """Return C({roles: {name: attributes}, members: {(group, member): options}, parameters}) of the whole server.

    C(parameters) is a set of C((parameter, role, privilege)), None before 15, which knows no such grants.

    Passwords are not visible to ordinary users and not compared. The options of a membership are C(admin), and from
    16 on C(inherit) and C(set).
    """
    roles = {row.pop("name"): row for row in rows(connection, ROLES)}
    modern = ", m.inherit_option AS inherit, m.set_option AS set" if connection.server_version >= 160000 else ""
    members = {}
    # From 16 on one membership may be granted several times by different grantors; the strongest counts.
    for row in rows(
        connection,
        f"SELECT g.rolname::text AS g, u.rolname::text AS u, m.admin_option AS admin{modern} FROM pg_auth_members m "
        "JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles u ON u.oid = m.member",
    ):
        key = (row.pop("g"), row.pop("u"))
        known = members.setdefault(key, row)
        members[key] = {option: known[option] or row[option] for option in row}
    parameters = None
    if connection.server_version >= 150000:
        parameters = {(row["parameter"], row["role"], row["privilege"]) for row in rows(connection, PARAMETERS)}
    return {"roles": roles, "members": members, "parameters": parameters}


def concerned(source: dict, referenced: set, users) -> set:
    """Return the source's roles that matter: those referred to, their groups and their members, not I(users).

    Superusers are left out: no ordinary migration user can make one, and their objects have a rule of their own.
    """
    wanted, before = set(referenced), set()
    while wanted != before:
        before = set(wanted)
        for group, member in source["members"]:
            if member not in users and (member in wanted or group in wanted):
                wanted |= {group, member}
    known = source["roles"]
    return {name for name in wanted if name in known and name not in users and not known[name]["superuser"]}


def _parameters(source: dict, target: dict, names: set, role_map: dict) -> list:
    """Return warnings for rights to set parameters (SET, ALTER SYSTEM) that roles have on the source only."""
    if source["parameters"] is None or target["parameters"] is None:
        return []
    return [
        finding(
            WARNING,
            "parameter-acl",
            "role",
            role_map.get(role, role),
            f"The right {privilege} on parameter {parameter} is missing.",
            attribute="parameters",
            source=f"{privilege} ON PARAMETER {parameter}",
            remedy=_grant(parameter, role_map.get(role, role), privilege),
        )
        for parameter, role, privilege in sorted(source["parameters"])
        if role in {*names, "PUBLIC"} and (parameter, role_map.get(role, role), privilege) not in target["parameters"]
    ]


def _grant(parameter: str, role: str, privilege: str) -> str:
    right, grantable, _rest = privilege.partition(" with grant option")
    name = role if role == "PUBLIC" else f'"{role}"'
    return f"GRANT {right} ON PARAMETER {parameter} TO {name}{grantable.upper()}."


def compare_roles(source: dict, target: dict, referenced: set, role_map: dict, users) -> tuple:
    """Return C((number of roles compared, number of memberships compared, findings)); all are warnings."""
    names = concerned(source, referenced, users)
    findings = []
    for name in sorted(names):
        mapped = role_map.get(name, name)
        left, right = source["roles"][name], target["roles"].get(mapped)
        if right is None:
            findings.append(
                finding(
                    WARNING,
                    "role-missing",
                    "role",
                    mapped,
                    "The role does not exist on the target; what it owned or was granted there is lost.",
                    source="present",
                    remedy=f'CREATE ROLE "{mapped}" on the target, or map it with role_map.',
                )
            )
            continue
        for key in sorted(set(left) & set(right)):
            if left[key] != right[key]:
                findings.append(
                    finding(
                        WARNING,
                        "role-attribute",
                        "role",
                        mapped,
                        f"The role's {differing(key)}.",
                        attribute=key,
                        source=left[key],
                        target=right[key],
                        remedy="ALTER ROLE on the target.",
                    )
                )
    findings += _parameters(source, target, names, role_map)
    compared = 0
    for (group, member), options in sorted(source["members"].items()):
        if member not in names or group in users:
            continue
        compared += 1
        key = (role_map.get(group, group), role_map.get(member, member))
        right = target["members"].get(key)
        shared = sorted(set(options) & set(right or {}))
        differs = [option for option in shared if options[option] != right[option]]
        if right is None and key[1] in target["roles"] or differs:
            findings.append(
                finding(
                    WARNING,
                    "membership",
                    "role",
                    f"{key[1]} in {key[0]}",
                    "The membership is missing." if right is None else f"Its options differ: {', '.join(differs)}.",
                    attribute="membership",
                    source=options,
                    target=right,
                    remedy=f'GRANT "{key[0]}" TO "{key[1]}".',
                )
            )
    return len(names), compared, findings
