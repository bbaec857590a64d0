# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles: what the databases refer to, brought to the target as far as its administrator may."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._core.errors import PrivilegeMissing
from .._postgres.connection import rows, transaction, value
from .._postgres.driver import psycopg2
from .._postgres.quoting import quote_identifier, quote_literal
from .._postgres.roles import REFERENCED, is_system_role

NEEDED = f"""
{REFERENCED}
SELECT n.rolname AS name, n.rolsuper AS superuser, n.rolinherit AS inherit, n.rolcreaterole AS createrole,
       n.rolcreatedb AS createdb, n.rolcanlogin AS login, n.rolreplication AS replication,
       n.rolbypassrls AS bypassrls, n.rolconnlimit AS connection_limit, CASE WHEN isfinite(n.rolvaliduntil)
            THEN pg_catalog.to_char(n.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'
            ELSE n.rolvaliduntil::text END AS valid_until,
       pg_catalog.shobj_description(n.oid, 'pg_authid') AS comment, n.owns,
       (SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s WHERE s.setrole = n.oid AND s.setdatabase = 0) AS settings
  FROM needed n ORDER BY n.rolname
"""

UNOWNABLE = """
SELECT rolname AS name FROM pg_catalog.pg_roles WHERE rolsuper OR rolname ~ '^(rds|azure|cloudsql|alloydb)'
"""

MEMBERSHIPS = """
SELECT g.rolname AS role, u.rolname AS member, pg_catalog.bool_or(m.admin_option) AS admin, {options}
  FROM pg_catalog.pg_auth_members m
  JOIN pg_catalog.pg_roles g ON g.oid = m.roleid JOIN pg_catalog.pg_roles u ON u.oid = m.member
 GROUP BY 1, 2 ORDER BY 1, 2
"""
# From 16 on a membership says whether the member inherits and may act as the role; before, both followed from others.
OPTIONS = "pg_catalog.bool_or(m.inherit_option) AS inherit, pg_catalog.bool_or(m.set_option) AS set"
NO_OPTIONS = "NULL::boolean AS inherit, NULL::boolean AS set"

# Only superusers, and who was given the right, may read these.
VERIFIERS = "SELECT rolname AS name, rolpassword AS verifier FROM pg_catalog.pg_authid WHERE rolpassword IS NOT NULL"
MAY_READ = """
SELECT pg_catalog.has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT')
   AND pg_catalog.has_column_privilege('pg_catalog.pg_authid', 'rolname', 'SELECT')
"""


@dataclass(frozen=True)
class RolePlan:
    """The roles of the source as they are to be on the target.

    I(roles): attributes by name; I(memberships): C((role, member, admin, inherit, set)), the last two None where a
    server does not know them; I(names): C({source role: target role}),
    with None for a superuser of the source that is not mapped, whose objects will belong to the migration's own user;
    I(user): the migration's user on the target; I(unavailable): roles that it turned out not to be able to act for;
    I(verifiers): C({source role: password as the source keeps it}) of those that could be read, never to be printed;
    I(left_out): C((source role, entry)) of statements that name a role without a counterpart.
    """

    roles: dict
    memberships: tuple
    names: dict
    user: str = ""
    unavailable: set = field(default_factory=set)
    left_out: set = field(default_factory=set)
    verifiers: dict = field(default_factory=dict, repr=False)

    @property
    def owners(self) -> list:
        """The target's names of the roles that own objects."""
        owning = {self.names.get(name) for name, role in self.roles.items() if role["owns"]}
        return sorted(owning - {None})


def read_plan(source, target, databases: list, role_map: dict) -> RolePlan:
    """Read from the source which roles the databases need, and from the target who will create what they own.

    The source's migration user is left out unless it owns objects there: it exists for the migration only.
    """
    user = value(source, "SELECT current_user")
    found = {row["name"]: row for row in rows(source, NEEDED, (list(databases),))}
    roles = {
        name: row for name, row in found.items() if not is_system_role(name) and not (name == user and not row["owns"])
    }
    names = {name: name for name in found if not is_system_role(name)}
    for row in rows(source, UNOWNABLE):
        # pg_database_owner and its like exist everywhere; other system roles and superusers only where they are.
        if not row["name"].startswith("pg_"):
            names[row["name"]] = None
    names.update(role_map)
    memberships = tuple(
        (row["role"], row["member"], row["admin"], row["inherit"], row["set"])
        for row in read_memberships(source)
        if row["member"] in roles
        and not roles[row["member"]]["superuser"]
        and (row["role"] in roles or row["role"].startswith("pg_"))
    )
    verifiers = {}
    if value(source, MAY_READ):
        verifiers = {row["name"]: row["verifier"] for row in rows(source, VERIFIERS) if row["name"] in roles}
    return RolePlan(roles, memberships, names, value(target, "SELECT current_user"), verifiers=verifiers)


def read_memberships(session) -> list:
    """Return who is a member of whom as C([{role, member, admin, inherit, set}])."""
    options = OPTIONS if session.server_version >= 160000 else NO_OPTIONS
    return rows(session, MEMBERSHIPS.format(options=options))


def is_rivalry(error) -> bool:
    """Return whether the server says that another session has made the same role or membership at the same moment.

    Depending on who looked when, that is duplicate_object, unique_violation, or an internal error about a tuple.
    """
    return error.pgcode in ("42710", "23505") or (error.pgcode == "XX000" and "concurrently" in str(error))


def attempt(target, statement: str) -> str | None:
    """Run one statement; return the server's complaint when a right is missing, a setting is refused, or another session
    does the same, else None.

    A transaction that is open goes on after a refusal.
    """
    inside = target.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE
    with target.cursor() as cursor:
        if inside:
            cursor.execute("SAVEPOINT attempt")
        try:
            cursor.execute(statement)
        except psycopg2.Error as error:
            if error.pgcode and (error.pgcode[:2] in ("42", "22", "0L") or is_rivalry(error)):
                if inside:
                    cursor.execute("ROLLBACK TO SAVEPOINT attempt")
                return error.diag.message_primary
            raise
        if inside:
            cursor.execute("RELEASE SAVEPOINT attempt")
    return None


def attributes(role: dict) -> list:
    """Return C((plain attributes, attributes that the server may refuse)) of CREATE ROLE."""
    plain = ["LOGIN" if role["login"] else "NOLOGIN", "INHERIT" if role["inherit"] else "NOINHERIT"]
    if role["connection_limit"] != -1:
        plain.append(f"CONNECTION LIMIT {role['connection_limit']}")
    if role["valid_until"]:
        plain.append(f"VALID UNTIL {quote_literal(role['valid_until'])}")
    special = [word.upper() for word in ("createdb", "createrole", "replication", "bypassrls") if role[word]]
    return [plain, special]


def missing_roles(target, plan: RolePlan) -> dict:
    """Return the roles that the target lacks as C({source name: target name})."""
    existing = {row["rolname"] for row in rows(target, "SELECT rolname FROM pg_catalog.pg_roles")}
    names = {name: plan.names.get(name) for name in plan.roles}
    return {name: final for name, final in names.items() if final is not None and final not in existing}


def create_roles(target, plan: RolePlan, journal) -> list:
    """Create the roles that the target lacks, with memberships, settings and comments; return warnings for people.

    Roles that are there already keep their attributes and passwords, also those that another migration to the same target
    creates meanwhile. A password is carried as the source keeps it, where its user may read that; an ordinary user may not.
    """
    warnings, without = [], []
    for name, final in missing_roles(target, plan).items():
        role = plan.roles[name]
        identifier = quote_identifier(final)
        journal.creating("target", None, "role", final)
        plain, special = attributes(role)
        statements = [f"ALTER ROLE {identifier} {attribute}" for attribute in special]
        if role["comment"]:
            statements.append(f"COMMENT ON ROLE {identifier} IS {quote_literal(role['comment'])}")
        for setting in role["settings"] or ():
            parameter, _equals, content = setting.partition("=")
            statements.append(f"ALTER ROLE {identifier} SET {parameter} TO {setting_value(parameter, content)}")
        # All or nothing: a role that exists is taken for one that was there before.
        try:
            with transaction(target) as cursor:
                cursor.execute(f"CREATE ROLE {identifier} {' '.join(plain)}")
                for statement in statements:
                    complaint = attempt(target, statement)
                    if complaint:
                        # A setting's value may be nobody's business.
                        warnings.append(f"Role {final}: '{statement.partition(' TO ')[0]}' was refused: {complaint}")
                if role["login"] and not set_password(target, final, plan.verifiers.get(name), name, warnings):
                    without.append(final)
        except psycopg2.Error as error:
            if not is_rivalry(error):
                raise
            journal.removed("target", None, "role", final)
            continue
        journal.created("target", None, "role", final)
    if without:
        warnings.append(
            f"Roles were created without a password: {', '.join(without)}. Set one on the target before they log in."
        )
    warnings += grant_memberships(target, plan)
    return warnings


def set_password(target, name: str, verifier: str | None, source_name: str, warnings: list) -> bool:
    """Give a role the password that the source keeps; return whether it has one now. No message shows the verifier.

    One made by MD5 holds the role's name, so it is of no use under another one.
    """
    if verifier is None or not verifier.startswith(("SCRAM-SHA-256$", "md5")):
        return False
    if verifier.startswith("md5") and name != source_name:
        return False
    complaint = attempt(target, f"ALTER ROLE {quote_identifier(name)} PASSWORD {quote_literal(verifier)}")
    if complaint:
        warnings.append(f"Role {name}: the target refused its password: {complaint.replace(verifier, '***')}")
    elif verifier.startswith("md5"):
        warnings.append(
            f"Role {name} has a password in MD5, which a server that asks for SCRAM does not accept: set it anew on the target."
        )
    return not complaint


def setting_value(parameter: str, content: str) -> str:
    """Return a stored setting as ALTER ... SET wants it: lists are stored quoted and must not be quoted again."""
    if parameter.lower() in ("search_path", "session_preload_libraries", "local_preload_libraries", "temp_tablespaces"):
        return content or "''"
    return quote_literal(content)


def missing_memberships(target, plan: RolePlan) -> list:
    """Return C((group, member, statement)) for the memberships that the target lacks."""
    missing = []
    present = {(row["role"], row["member"]): row for row in read_memberships(target)}
    for role, member, admin, inherit, may_set in plan.memberships:
        group, user = plan.names.get(role, role), plan.names.get(member)
        if group is None or user is None or group == user:
            continue
        known = present.get((group, user))
        if known and (known["admin"] or not admin):
            continue
        option = " WITH ADMIN OPTION" if admin else ""
        if inherit is not None and target.server_version >= 160000:
            option = f" WITH ADMIN {admin}, INHERIT {inherit}, SET {may_set}"
        missing.append((group, user, f"GRANT {quote_identifier(group)} TO {quote_identifier(user)}{option}"))
    return missing


def grant_memberships(target, plan: RolePlan) -> list:
    """Grant the memberships that the target lacks; return warnings."""
    refused = {}
    for group, user, statement in missing_memberships(target, plan):
        complaint = attempt(target, statement)
        if complaint:
            refused[group, user] = complaint
    missing = {(group, user) for group, user, _statement in missing_memberships(target, plan)} if refused else set()
    return [
        f"Membership of {user} in {group} was refused: {complaint}"
        for (group, user), complaint in refused.items()
        if (group, user) in missing
    ]


def join_owners(target, plan: RolePlan, journal) -> None:
    """Make the migration's user a member of every role that is to own objects, so that it may hand them over.

    :raises PrivilegeMissing: naming the role, and the statement that an administrator of the target has to run
    """
    for role, (statement, complaint) in join(target, plan.owners, journal).items():
        user = value(target, "SELECT current_user")
        raise PrivilegeMissing(
            f"The target's user {user} may not act for role {role}, which owns objects: {complaint}",
            f"Let an administrator of the target run: {statement};",
            {"role": role, "statement": statement},
        )


def join_grantors(target, plan: RolePlan, names: list, journal) -> None:
    """Make the migration's user a member of the roles that gave privileges on objects of others, where it may."""
    mapped = {plan.names.get(name, name) for name in names} - {None}
    for role, (statement, complaint) in join(target, sorted(mapped), journal).items():
        plan.unavailable.add(role)
        journal.event(
            f"Privileges that {role} gave will appear as given by the owner: {complaint} ('{statement}')", "warning"
        )


def join(target, names: list, journal) -> dict:
    """Make the current user able to act for roles; return C({role: (statement, complaint)}) where that was refused."""
    if value(target, "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"):
        return {}
    user = value(target, "SELECT current_user")
    may_set = "SET" if target.server_version >= 160000 else "MEMBER"
    options = " WITH INHERIT TRUE, SET TRUE" if target.server_version >= 160000 else ""
    existing = {row["rolname"] for row in rows(target, "SELECT rolname FROM pg_catalog.pg_roles")}
    refused = {}
    for name in names:
        statement = f"GRANT {quote_identifier(name)} TO {quote_identifier(user)}{options}"
        if name not in existing:
            refused[name] = (statement, "the role does not exist")
            continue
        usable = "SELECT pg_catalog.pg_has_role(%s, 'USAGE') AND pg_catalog.pg_has_role(%s, %s)"
        if value(target, usable, (name, name, may_set)):
            continue
        journal.creating("target", None, "membership", name)
        complaint = attempt(target, statement)
        if not complaint:
            journal.created("target", None, "membership", name)
            continue
        journal.removed("target", None, "membership", name)
        # Another migration with the same user may have been quicker.
        if not value(target, usable, (name, name, may_set)):
            refused[name] = (statement, complaint)
    return refused


def granted_by_oneself(target, names: list) -> list:
    """Return those of the roles I(names) whose membership the current user has given itself."""
    return [
        name
        for name in names
        if value(
            target,
            "SELECT count(*) > 0 FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid"
            " JOIN pg_catalog.pg_roles u ON u.oid = m.member JOIN pg_catalog.pg_roles b ON b.oid = m.grantor"
            " WHERE g.rolname = %s AND u.rolname = current_user"
            " AND (current_setting('server_version_num')::int < 160000 OR b.rolname = current_user)",
            (name,),
        )
    ]


def leave_owners(target, owners: list) -> list:
    """Take back the memberships that M(join_owners) gave to the migration's user; return the roles left."""
    left = granted_by_oneself(target, owners)
    for owner in left:
        with target.cursor() as cursor:
            cursor.execute(f"REVOKE {quote_identifier(owner)} FROM CURRENT_USER")
    return left
