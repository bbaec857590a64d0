# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saying which change the target did not take, and what it held instead. Values other than those of keys are not told."""

from __future__ import annotations

from ..._core.errors import TransferFailed
from ..._postgres.driver import psycopg2
from ..._postgres.quoting import qualified
from .ordered import Refused, told
from .pgoutput import DELETE, INSERT, UPDATE, lsn_text, parse_change
from .stage import Stages
from .tables import Table
from .writer import rows_for

VERBS = {INSERT: "INSERT", UPDATE: "UPDATE", DELETE: "DELETE"}
REMEDY = (
    "Somebody has changed the target, or a constraint there that the source does not have keeps the row out. Put the row "
    "right on the target, then run the migration again: it goes on with this very transaction."
)
LONGEST_KEY = 200
DIFFERING_SHOWN = 10


def explain(cursor, stages: Stages, batch, refused: Refused) -> TransferFailed:
    """Return the error for a change that the target refused; the caller's transaction is clean and will be rolled back.

    C(details) is C({table, key, operation, commit_lsn, xid, target, differing, sqlstate}); C(target) is C(no such row),
    C(the same row), C(another row) or C(unknown), and C(differing) names the columns of another row that differ.
    """
    data = batch.log[refused.place]
    table = batch.table_of(data)
    change = parse_change(data, 1, batch.expected)
    lsn, xid = batch.transaction_of(refused.place)
    details = {
        "table": table.label, "key": "", "operation": VERBS[change.kind], "commit_lsn": lsn_text(lsn), "xid": xid,
        "target": "unknown", "differing": [], "sqlstate": refused.error.pgcode,
    }  # fmt: skip
    try:
        details.update(looked_up(cursor, stages, table, change, batch.expected, refused.error))
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        details["target"] = f"unknown ({first_line(error)})"
    said = {"no such row": "the target has no such row", "the same row": "the target holds that row already"}
    held = said.get(details["target"], f"the target holds {details['target']}")
    if details["differing"]:
        held += f", which differs in {', '.join(details['differing'])}"
    reason = "" if refused.error.diag.message_primary == "another number of rows" else f" {first_line(refused.error)}:"
    return TransferFailed(
        f"The target does not take a change of {table.label}, {details['key'] or 'a row without key'}:{reason} the source's "
        f"{details['operation']} was committed at {details['commit_lsn']} by transaction {xid}; {held}.",
        REMEDY,
        details,
    )


def first_line(error) -> str:
    """Return what the server says in the first place."""
    return " ".join((error.diag.message_primary or str(error)).split()).rstrip(".")


def looked_up(cursor, stages: Stages, table: Table, change, expected: int, error) -> dict:
    """Return what the target holds in the place of a change's row, C({key, target, differing})."""
    way, before, new = told(change, table)
    rows = rows_for(expected)
    content = rows.whole([rows.row([rows.number(1), *before, *new])])
    stage = stages.fill(table, way.columns, rows.form, content)
    prefix, places = ("c", table.key) if change.kind == INSERT else ("k", table.key)
    if table.bag:
        return {"target": "another row" if change.kind == INSERT else "no such row"}
    names = ", ".join(table.columns[place].name for place in places)
    cursor.execute(f"SELECT {', '.join(f'{prefix}{place}::pg_catalog.text' for place in places)} FROM {stage}")
    shown = ", ".join(str(value) for value in cursor.fetchone())
    found = {"key": f"({names}) = ({shown[:LONGEST_KEY]})"}
    columns = list(table.key)
    if change.kind == INSERT and error.pgcode == "23505":
        columns = columns_of_constraint(cursor, table, error.diag.constraint_name) or columns
    condition = " AND ".join(f"t.{table.name_of(place)} = s.{prefix}{place}" for place in columns)
    compared = [place for place in way.places if place not in columns]
    tests = ", ".join(
        f"t.{table.name_of(place)}::pg_catalog.text IS DISTINCT FROM s.c{place}::pg_catalog.text" for place in compared
    )
    cursor.execute(
        f"SELECT ARRAY[{tests}]::boolean[] FROM {table.only}{table.qualified} t, {stage} s WHERE {condition} LIMIT 1"
    )
    row = cursor.fetchone()
    if row is None:
        return {**found, "target": "no such row"}
    differing = [table.columns[place].name for place, differs in zip(compared, row[0]) if differs]
    if not differing:
        return {**found, "target": "the same row"}
    return {**found, "target": "another row", "differing": differing[:DIFFERING_SHOWN]}


def columns_of_constraint(cursor, table: Table, name: str | None) -> list:
    """Return the places of the columns of a unique index of the table."""
    if not name:
        return []
    cursor.execute(
        "SELECT a.attname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])"
        " WHERE c.relname = %s AND i.indrelid = pg_catalog.to_regclass(%s)",
        (name, qualified(table.schema, table.name)),
    )
    known = {row[0] for row in cursor.fetchall()}
    return [place for place, column in enumerate(table.columns) if column.name in known]
