# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that call functions of users wait until all rows are there.

Such a function may read another table, whose rows may come later. So these constraints are taken from the new, empty
tables and put back, and with that checked, when everything has been copied.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._postgres.connection import rows
from .._postgres.driver import psycopg2
from .._postgres.quoting import qualified, quote_identifier, quote_literal
from .contents import Entry
from .searching import with_schema

CHECKS = """
WITH RECURSIVE depth AS (
  SELECT c.oid, 0 AS level FROM pg_catalog.pg_class c
   WHERE c.relkind IN ('r', 'p') AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid)
  UNION ALL
  SELECT h.inhrelid, depth.level + 1 FROM depth JOIN pg_catalog.pg_inherits h ON h.inhparent = depth.oid)
SELECT k.oid, c.oid AS relation, k.conname AS name, COALESCE(n.nspname, tn.nspname) AS schema, COALESCE(c.relname, t.typname) AS object,
       c.oid IS NULL AS of_domain, COALESCE((SELECT max(level) FROM depth WHERE depth.oid = c.oid), 0) AS level,
       pg_catalog.pg_get_constraintdef(k.oid) AS definition, pg_catalog.obj_description(k.oid, 'pg_constraint') AS comment
  FROM pg_catalog.pg_constraint k
  LEFT JOIN pg_catalog.pg_class c ON c.oid = k.conrelid AND c.relkind IN ('r', 'p')
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_type t ON t.oid = k.contypid LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
 WHERE k.contype = 'c' AND k.convalidated AND k.conislocal AND {enforced} AND (c.oid IS NOT NULL OR t.oid IS NOT NULL)
   AND COALESCE(n.nspname, tn.nspname) !~ '^pg_' AND COALESCE(n.nspname, tn.nspname) <> 'information_schema'
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.objid = COALESCE(c.oid, t.oid) AND x.deptype = 'e')
   AND EXISTS (
     SELECT 1 FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid
       JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
      WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objid = k.oid
        AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND pn.nspname <> 'pg_catalog'
        AND (c.oid IS NOT NULL OR p.provolatile <> 'i')
        AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.classid = d.refclassid AND x.objid = p.oid
                           AND x.deptype = 'e'))
   -- A domain that is part of another type takes no new constraint once a table has a column of that type.
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type ct ON ct.oid = a.atttypid
                    WHERE t.oid IS NOT NULL AND (ct.oid = t.typarray OR ct.typbasetype IN (t.oid, t.typarray)))
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class cc ON cc.oid = a.attrelid AND cc.relkind = 'c'
                    WHERE a.atttypid = t.oid)
 ORDER BY level, k.oid
"""


@dataclass(frozen=True)
class Check:
    """One constraint: the entries that take it away and put it back, the words for the latter without a check,
    and those that take it away wherever it may be. I(table) is the number of its table, None for a domain's."""

    label: str
    table: int | None
    drop: Entry
    add: Entry
    unchecked: str
    gone: str


def entry(number: int, kind: str, row: dict, text: str) -> Entry:
    """Return an entry as if pg_dump had written it, so that it gets a marker like all others."""
    return Entry(-number, 2606, row["oid"], (), f"{row['object']} {row['name']}", kind, row["schema"], "", text)


def read_checks(source) -> list:
    """Return the constraints to put off, those of parents before those of their children."""
    enforced = "k.conenforced" if source.server_version >= 180000 else "true"
    found = []
    for number, row in enumerate(rows(source, CHECKS.format(enforced=enforced)), 1):
        words = "DOMAIN" if row["of_domain"] else "TABLE"
        name = qualified(row["schema"], row["object"])
        change = f"ALTER {words} {name}"
        constraint = quote_identifier(row["name"])
        add = f"{change} ADD CONSTRAINT {constraint} {row['definition']}"
        comment = ""
        if row["comment"]:
            on = f"DOMAIN {name}" if row["of_domain"] else name
            comment = f"COMMENT ON CONSTRAINT {constraint} ON {on} IS {quote_literal(row['comment'])};"
        found.append(
            Check(
                f"{row['schema']}.{row['object']}.{row['name']}",
                row["relation"],
                entry(2 * number, "CHECK AWAY", row, f"{change} DROP CONSTRAINT {constraint};"),
                entry(2 * number + 1, "CHECK BACK", row, f"{add};\n{comment}"),
                f"{add} NOT VALID;\n{comment}",
                f"{change} DROP CONSTRAINT IF EXISTS {constraint};",
            )
        )
    return found


def restore_checks(writer, checks: list, path: str) -> list:
    """Put the constraints back, children first so that a parent's takes in its children's; return warnings.

    One that the rows do not meet, as can be when a function's tables have changed since, is put back unchecked.
    """
    warnings = []
    for check in reversed(checks):
        if check.add.unit in writer.done:
            continue
        try:
            writer.execute([check.add])
            continue
        except psycopg2.Error as error:
            if error.pgcode is None or writer.target.closed:
                raise
        refusal = ""
        try:
            writer.execute([check.add], with_schema(path, check.add.schema))
            continue
        except psycopg2.Error as error:
            if error.pgcode is None or writer.target.closed:
                raise
            refusal = error.diag.message_primary
        writer.execute([check.add._replace(text=check.unchecked)])
        warnings.append(
            f"Constraint {check.label} was created NOT VALID, since its function does not accept every row: {refusal}. Put rows "
            "or function right, then run ALTER ... VALIDATE CONSTRAINT on the target."
        )
    return warnings
