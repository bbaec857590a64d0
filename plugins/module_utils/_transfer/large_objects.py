# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, privileges and comment of large objects; their content is carried by M(copying)."""

from __future__ import annotations

from .._postgres.connection import rows
from .._postgres.quoting import quote_identifier, quote_literal
from .roles import RolePlan

PROPERTIES = """
SELECT m.oid, pg_catalog.pg_get_userbyid(m.lomowner) AS owner, pg_catalog.obj_description(m.oid, 'pg_largeobject') AS comment,
       m.lomacl IS NOT NULL AS has_acl
  FROM pg_catalog.pg_largeobject_metadata m ORDER BY m.oid
"""
# What the owner gave comes first, since others give on what they got.
GRANTS = """
SELECT m.oid, CASE WHEN a.grantor <> m.lomowner THEN pg_catalog.pg_get_userbyid(a.grantor) END AS grantor,
       CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END AS grantee, a.grantee = m.lomowner AS to_owner,
       a.privilege_type AS privilege, a.is_grantable AS grantable
  FROM pg_catalog.pg_largeobject_metadata m CROSS JOIN LATERAL pg_catalog.aclexplode(m.lomacl) a
 ORDER BY m.oid, a.grantor <> m.lomowner, 2, 3, 5
"""


def large_object_grantors(source) -> list:
    """Return the source's names of the roles that gave privileges on large objects without owning these."""
    return sorted({row["grantor"] for row in rows(source, GRANTS)} - {None})


def property_statements(source, plan: RolePlan) -> list:
    """Return the SQL that gives every large object of the target its owner, privileges and comment: a list per object."""
    objects = []
    grants: dict = {}
    for row in rows(source, GRANTS):
        grants.setdefault(row["oid"], []).append(row)
    for row in rows(source, PROPERTIES):
        statements = []
        item = f"LARGE OBJECT {row['oid']}"
        owner = plan.names.get(row["owner"], row["owner"])
        if owner:
            statements.append(f"ALTER {item} OWNER TO {quote_identifier(owner)}")
        else:
            plan.left_out.add((row["owner"], item.lower()))
        if row["comment"]:
            statements.append(f"COMMENT ON {item} IS {quote_literal(row['comment'])}")
        mine = grants.get(row["oid"], [])
        owners = {grant["privilege"] for grant in mine if grant["to_owner"]}
        for grant in mine:
            if not grant["to_owner"]:
                statements += grant_statements(item, grant, plan)
        for privilege in ("SELECT", "UPDATE"):
            if row["has_acl"] and owner and privilege not in owners:
                statements.append(f"REVOKE {privilege} ON {item} FROM {quote_identifier(owner)}")
        objects.append(statements)
    return objects


def grant_statements(item: str, grant: dict, plan: RolePlan) -> list:
    """Return the statements for one privilege, given by who gave it on the source where that role can be acted for."""
    role = plan.names.get(grant["grantee"], grant["grantee"]) if grant["grantee"] else None
    if grant["grantee"] and role is None:
        plan.left_out.add((grant["grantee"], item.lower()))
        return []
    option = " WITH GRANT OPTION" if grant["grantable"] else ""
    statement = f"GRANT {grant['privilege']} ON {item} TO {quote_identifier(role) if role else 'PUBLIC'}{option}"
    grantor = plan.names.get(grant["grantor"], grant["grantor"]) if grant["grantor"] else None
    if not grantor or grantor in plan.unavailable:
        return [statement]
    return [f"SET LOCAL ROLE {quote_identifier(grantor)}", statement, "RESET ROLE"]
