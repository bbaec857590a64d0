# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going on after a crash: what an earlier snapshot brought is kept only where it is proven equal under the new one."""

from __future__ import annotations

from .._postgres.connection import rows, transaction
from .._postgres.quoting import qualified, quote_identifier
from . import marker, plan

CLASS_CONSTRAINT, CLASS_TRIGGER = 2606, 2620  # pg_constraint, pg_trigger
LARGE_OBJECTS = "large objects:"
AGAIN = "again:"  # before a unit's name: its table holds rows although it has no marker

# The tables themselves and the partitioned tables above them: rules for all rows are written down there.
ANCESTRY = """
WITH RECURSIVE up AS (
  SELECT c.oid FROM pg_catalog.pg_class c WHERE c.oid = ANY (%(tables)s::oid[])
  UNION
  SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition)
"""

# A foreign key of a partition may have come down from its root, where alone it can be dropped.
FOREIGN_KEYS = (
    ANCESTRY
    + """
, touching AS (
  SELECT k.oid, k.conparentid FROM pg_catalog.pg_constraint k
   WHERE k.contype = 'f' AND (k.conrelid IN (SELECT oid FROM up) OR k.confrelid IN (SELECT oid FROM up))
  UNION
  SELECT k.oid, k.conparentid FROM touching t JOIN pg_catalog.pg_constraint k ON k.oid = t.conparentid)
SELECT k.oid, n.nspname AS schema, c.relname AS relation, k.conname AS name
  FROM touching t JOIN pg_catalog.pg_constraint k ON k.oid = t.oid AND k.conparentid = 0
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""
)
TRIGGERS = (
    ANCESTRY
    + """
SELECT t.oid, n.nspname AS schema, c.relname AS relation, t.tgname AS name
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE t.tgrelid IN (SELECT oid FROM up) AND NOT t.tgisinternal
"""
)
RELATIONS = (
    ANCESTRY
    + """
SELECT c.oid, n.nspname AS schema, c.relname AS relation, pg_catalog.pg_get_userbyid(c.relowner) AS owner
  FROM up JOIN pg_catalog.pg_class c ON c.oid = up.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""
)


def keep_what_is_proven(run, late: list, repeated: list, tables: list | None = None) -> None:
    """Compare what earlier runs brought with the source; make ready for a second copy what differs.

    :param run: the M(DatabaseRun), with its workers at hand
    :param late: selections of the archive's entries that come after the data: foreign keys, triggers, privileges, the rest
    :param repeated: names of units to be done again when anything was copied again
    :param tables: those that are compared, if not all
    """
    if not run.done:
        return
    lost = vanished_portions(run)
    looked_at = run.tables if tables is None else tables
    brought = [plan.table_unit(table) for table in looked_at if table.unit in run.done]
    brought += [unit for unit in run.portions if unit.name in run.done]
    if not brought and not lost:
        return
    run.journal.event(f"Resumed: {len(brought)} finished copies are compared with the source.", database=run.database)
    answers = run.pool.run([proof(unit) for unit in brought])
    changed = [unit for unit in brought if not answers[unit.name]["equal"]]
    if changed or lost:
        make_way(run, changed, lost, late, repeated)


def proof(unit: plan.Unit) -> plan.Unit:
    """Return the unit that compares what another one copied."""
    kind = "prove " + unit.kind.replace("_", " ")
    return plan.Unit(unit.name, "prove", unit.label, unit.weight, {**unit.task, "kind": kind})


def vanished_portions(run) -> list:
    """Return the markers of large objects' portions that are cut otherwise now: objects came or went on the source."""
    known = {unit.name for unit in run.portions}
    return [name for name in run.done if name.startswith(LARGE_OBJECTS) and name not in known]


def make_way(run, changed: list, lost: list, late: list, repeated: list) -> None:
    """Take away on the target what a second copy would run into, together with all markers concerned.

    That is: the changed large objects; constraints that waited for all rows; foreign keys of and to the changed tables; their triggers and row-level security,
    and what privileges the owner may have taken from itself. All of it was brought by this migration, is in the archive
    and comes back with it; nothing else is touched.
    """
    numbers = table_numbers(changed)
    entries, statements = obstacles(run, numbers, late)
    labels = ", ".join(unit.label for unit in changed[:10]) + (" and others" if len(changed) > 10 else "")
    if changed:
        run.journal.event(f"Changed on the source since, copied again: {labels}.", "warning", run.database)
    if lost:
        run.journal.event(
            "Large objects came or went on the source since; they are copied again.", "warning", run.database
        )
    if entries:
        names = ", ".join(entry.label for entry in entries[:10]) + (" and others" if len(entries) > 10 else "")
        run.journal.event(f"Taken off the target for that, and made anew afterwards: {names}.", "info", run.database)
    run.again = {unit.name for unit in changed}
    again = [*run.again, *repeated, *lost, *(entry.unit for entry in entries)]
    again.append("large object properties")
    portions = [*lost, *(unit.name for unit in changed if unit.kind == "large_objects")]
    full = {AGAIN + unit.name: None for unit in changed if unit.kind == "table"}
    with transaction(run.target) as cursor:
        for statement in statements:
            cursor.execute(statement)
        marker.remove_markers(cursor, run.request.name, [name for name in again if name not in portions])
        marker.set_markers(cursor, run.request.name, full)
    for name in portions:
        unlink(run, name)
    for name in again:
        run.done.pop(name, None)
    run.done.update(full)


def full_tables(done: dict) -> set:
    """Return the names of the units whose tables hold rows on the target that have to go before they are copied again."""
    return {name[len(AGAIN) :] for name in done if name.startswith(AGAIN)}


def unlink(run, portion: str) -> None:
    """Remove the large objects of a portion with its marker; each takes a lock, so portions do not share a transaction."""
    with transaction(run.target) as cursor:
        cursor.execute(
            "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid BETWEEN %s::oid AND %s::oid",
            portion[len(LARGE_OBJECTS) :].split("-"),
        )
        marker.remove_markers(cursor, run.request.name, [portion])


def table_numbers(changed: list) -> list:
    """Return the numbers that the changed tables, and the leaves carried through them, have on the source."""
    tables = [table for unit in changed for table in unit.tables]
    return [oid for table in tables for oid in (table.oid, *table.leaves)]


def obstacles(run, numbers: list, late: list) -> tuple:
    """Return C((entries, statements)): what is on the target already and stands in the way, and what takes it away.

    Which constraint or trigger an entry of the archive speaks of is told by its number on the source.
    """
    if not numbers:
        return [], []
    late = [entry for some in late for entry in some if entry.unit in run.done]
    there = {(entry.catalogue, entry.oid): entry for entry in late}
    entries, statements = [], []

    def take(catalogue: int, row: dict) -> bool:
        entry = there.get((catalogue, row["oid"]))
        if entry:
            entries.append(entry)
        return bool(entry)

    tables = {"tables": numbers}
    for row in rows(run.source, FOREIGN_KEYS, tables):
        if take(CLASS_CONSTRAINT, row):
            relation = qualified(row["schema"], row["relation"])
            statements.append(f"ALTER TABLE {relation} DROP CONSTRAINT IF EXISTS {quote_identifier(row['name'])}")
    inherited = inherited_triggers(run)
    for row in rows(run.source, TRIGGERS, tables):
        # What came down from a root goes with it; only its own setting, such as being disabled, has to be made again.
        if take(CLASS_TRIGGER, row) and row["oid"] not in inherited:
            relation = qualified(row["schema"], row["relation"])
            statements.append(f"DROP TRIGGER IF EXISTS {quote_identifier(row['name'])} ON {relation}")
    relations = {row["oid"]: row for row in rows(run.source, RELATIONS, tables)}
    names = {(row["schema"], row["relation"]): row for row in relations.values()}
    for entry in late:
        found = relation_of(entry, names)
        if found and entry.type == "ROW SECURITY":
            statements.append(f"ALTER TABLE {qualified(found['schema'], found['relation'])} DISABLE ROW LEVEL SECURITY")
            entries.append(entry)
        elif found and entry.type == "ACL":
            owner = run.roles.names.get(found["owner"], found["owner"]) or run.roles.user
            relation = qualified(found["schema"], found["relation"])
            statements.append(f"GRANT ALL ON TABLE {relation} TO {quote_identifier(owner)}")
            entries.append(entry)
    for check in run.checks:  # all of them, since they may read any table; those of parents come first
        if check.add.unit in run.done:
            statements.append(check.gone)
            entries.append(check.add)
    taken = {entry.number for entry in entries}
    entries += [entry for entry in late if entry.type == "COMMENT" and taken.intersection(entry.dependencies)]
    return entries, statements


def inherited_triggers(run) -> set:
    """Return the numbers of the source's triggers that partitions have from their roots."""
    if run.source.server_version < 130000:
        return set()  # up to 12 these are internal, and the archive does not know them
    return {row["oid"] for row in rows(run.source, "SELECT oid FROM pg_catalog.pg_trigger WHERE tgparentid <> 0")}


def relation_of(entry, names: dict) -> dict | None:
    """Return the changed table that an entry for row-level security or table privileges speaks of, or None."""
    name = entry.name[len("TABLE ") :] if entry.type == "ACL" and entry.name.startswith("TABLE ") else entry.name
    return names.get((entry.schema, name))
