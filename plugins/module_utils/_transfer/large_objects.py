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
       m.lomacl IS NOT NULL AS has_acl,
       array(SELECT pg_catalog.concat_ws(' ', a.privilege_type, a.is_grantable::text,
                CASE WHEN a.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END)
               FROM pg_catalog.aclexplode(m.lomacl) a WHERE a.grantee <> m.lomowner) AS grants
  FROM pg_catalog.pg_largeobject_metadata m ORDER BY m.oid
"""


def property_statements(source, plan: RolePlan) -> list:
    """Return the SQL that gives every large object of the target its owner, privileges and comment."""
    statements = []
    for row in rows(source, PROPERTIES):
        item = f"LARGE OBJECT {row['oid']}"
        owner = plan.names.get(row["owner"], row["owner"])
        if owner:
            statements.append(f"ALTER {item} OWNER TO {quote_identifier(owner)}")
        for grant in row["grants"]:
            privilege, grantable, *grantee = grant.split(" ", 2)
            role = plan.names.get(grantee[0], grantee[0]) if grantee else None
            if grantee and role is None:
                continue
            option = " WITH GRANT OPTION" if grantable == "true" else ""
            to = quote_identifier(role) if role else "PUBLIC"
            statements.append(f"GRANT {privilege} ON {item} TO {to}{option}")
        if row["comment"]:
            statements.append(f"COMMENT ON {item} IS {quote_literal(row['comment'])}")
    return statements
