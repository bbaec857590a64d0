# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions that find what they call only through a search path.

Everything is created and filled with an empty search path, in which pg_dump's text means what it says. A function that
a generated column, a check, an index or a materialised view calls may rely on the application's path, though. What
fails for that reason is tried again with a path that names the source's schemas; the verification compares the
outcome. From 17 on, building an index and filling a materialised view ignore the session's path: there the functions
are given the path for the length of the transaction.
"""

from __future__ import annotations

from .._postgres.connection import rows, value
from .._postgres.quoting import quote_identifier

# Undefined function, table, object, column; invalid schema name.
UNRESOLVED = ("42883", "42P01", "42704", "42703", "3F000")

CONFIGURED = """
SELECT (SELECT substr(c, 13) FROM pg_catalog.unnest(s.setconfig) c WHERE c LIKE 'search\\_path=%')
  FROM pg_catalog.pg_db_role_setting s
 WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
"""
SCHEMAS = """
SELECT nspname AS name FROM pg_catalog.pg_namespace
 WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname <> 'public', nspname
"""
# Functions without a path of their own that an index, a constraint's index or a materialised view calls directly; those
# of its indexes count for a table too, since ANALYZE calls them.
FUNCTIONS = """
WITH RECURSIVE reach(view, relation) AS (
  SELECT oid, oid FROM pg_catalog.pg_class WHERE relkind = 'm'
  UNION
  SELECT r.view, d.refobjid FROM reach r
    JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.relation
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
     AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind = 'v'),
used(catalogue, oid, function) AS (
  SELECT 1259, r.view, d.refobjid FROM reach r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.relation
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
     AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION
  SELECT 1259, d.objid, d.refobjid FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind IN ('i', 'I')
   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION
  SELECT 1259, i.indrelid, d.refobjid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_index i ON i.indexrelid = d.objid
   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION
  SELECT 2606, k.oid, d.refobjid FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_constraint k ON k.conindid = d.objid AND k.contype = 'x'
   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
SELECT u.catalogue, u.oid, pg_catalog.array_agg(p.oid::pg_catalog.regprocedure::text ORDER BY p.oid) AS functions
  FROM used u JOIN pg_catalog.pg_proc p ON p.oid = u.function JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND p.prokind = 'f'
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.unnest(p.proconfig) c WHERE c LIKE 'search\\_path=%')
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                      AND x.objid = p.oid AND x.deptype = 'e')
 GROUP BY 1, 2
"""


def read_search_path(source) -> str:
    """Return a path for what needs one: the source database's own setting, then public and all other schemas."""
    configured = value(source, CONFIGURED)
    schemas = ", ".join(quote_identifier(row["name"]) for row in rows(source, SCHEMAS))
    return ", ".join(part for part in (configured, schemas) if part)


def with_schema(path: str, schema: str) -> str:
    """Return the path with an object's own schema in front."""
    return ", ".join(part for part in (quote_identifier(schema) if schema not in ("", "-") else "", path) if part)


def read_functions(source) -> dict:
    """Return C({(catalogue, oid): (function, ...)}): what indexes and materialised views call, as ALTER FUNCTION wants it."""
    return {(row["catalogue"], row["oid"]): tuple(row["functions"]) for row in rows(source, FUNCTIONS)}


def lend_path(text: str, functions, path: str) -> str:
    """Return I(text) between statements that give functions the path and take it back, all for one transaction."""
    if not functions:
        return text
    # Two workers that lend to the same function at once would disturb each other.
    before = ["SELECT pg_catalog.pg_advisory_xact_lock(8029386194026)"]
    before += [f"ALTER FUNCTION {function} SET search_path = {path}" for function in functions]
    after = [f"ALTER FUNCTION {function} RESET search_path" for function in functions]
    return ";\n".join([*before, text.rstrip().rstrip(";"), *after])
