# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which roles a database needs: one answer for the checks that foresee trouble and the transfer that creates them."""

from __future__ import annotations

# Roles that belong to PostgreSQL or to a cloud provider and cannot be created elsewhere.
SYSTEM_PREFIXES = ("pg_", "rds", "azure", "cloudsql", "alloydb")

# The beginning of a query that takes a list of database names. Direct: roles that own something in the databases or are
# named in a privilege, a policy or a setting there (the server itself keeps the books); up: the groups these belong to;
# down: the members who come by their rights through them. Continued by a SELECT from "needed". A publication (a row of
# catalogue 6104) that the current user owns is the online migration's own.
REFERENCED = """
WITH RECURSIVE
wanted AS (SELECT oid, datdba FROM pg_catalog.pg_database WHERE datname = ANY (%s)),
direct AS (
  SELECT refobjid AS oid, deptype = 'o' AS owns FROM pg_catalog.pg_shdepend
   WHERE refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
     AND NOT (classid = 6104 AND refobjid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user))
     AND (dbid IN (SELECT oid FROM wanted)
          OR (classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND objid IN (SELECT oid FROM wanted)))
  UNION SELECT datdba, true FROM wanted
  UNION SELECT setrole, false FROM pg_catalog.pg_db_role_setting
         WHERE setrole <> 0 AND setdatabase IN (SELECT oid FROM wanted)),
up AS (SELECT oid FROM direct UNION
       SELECT m.roleid FROM up JOIN pg_catalog.pg_auth_members m ON m.member = up.oid),
down AS (SELECT oid FROM direct UNION
         SELECT m.member FROM down JOIN pg_catalog.pg_auth_members m ON m.roleid = down.oid),
needed AS (
  SELECT r.*, COALESCE((SELECT pg_catalog.bool_or(d.owns) FROM direct d WHERE d.oid = r.oid), false) AS owns
    FROM pg_catalog.pg_roles r WHERE r.oid IN (SELECT oid FROM up UNION SELECT oid FROM down))
"""


def is_system_role(name: str) -> bool:
    """Return whether a role belongs to the server or its provider."""
    return name.startswith(SYSTEM_PREFIXES)
