# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaying changes one by one, in the order in which the source made them.

For what cannot be written as sets, such as rows that swap unique values, and to find the change that the target does not
take. The changes of a batch are copied into the stages with their numbers in the log; one anonymous block on the target
goes through them, so order costs no round trips. A row without a key is found by all that it holds.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..._postgres.driver import psycopg2
from ..transient import is_transient
from .netting import completed
from .pgoutput import DELETE, INSERT, OLD_ROW, UPDATE, Change, parse_change
from .stage import Stages, column_list
from .tables import Table
from .writer import matches, rows_for, update_statement

STEPS = 'pg_temp."azpg_steps"'
FOUND = re.compile(r"azpg change (\d+) found (\d+)")
# The hint names the change, whatever the server has against it.
BLOCK = """
DO $azpg$
DECLARE
  step record;
  found bigint := 0;
  broken text;
BEGIN
  FOR step IN SELECT n, way FROM {steps} ORDER BY n LOOP
    CASE step.way
{branches}
    END CASE;
    GET DIAGNOSTICS found = ROW_COUNT;
    IF found <> 1 THEN
      RAISE EXCEPTION USING ERRCODE = 'triggered_action_exception', MESSAGE = 'another number of rows';
    END IF;
  END LOOP;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
  RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM, CONSTRAINT = broken,
    HINT = pg_catalog.format('azpg change %s found %s', step.n, found);
END $azpg$
"""
OTHER_NUMBER = "09000"
LOCK_NOT_AVAILABLE = "55P03"


class Refused(Exception):
    """The target does not take one change: I(place) in the batch's log, I(found) rows concerned, the server's I(error)."""

    def __init__(self, place: int, found: int, error):
        super().__init__(f"change {place}: {error}")
        self.place = place
        self.found = found
        self.error = error


class Way(NamedTuple):
    """A kind of change: of which table, and of which columns the values are told."""

    table: Table
    kind: int
    places: tuple

    @property
    def before(self) -> list:
        """The stage's columns that tell the row before."""
        if self.kind == INSERT:
            return []
        if self.table.bag:
            return [f"o{place}" for place in range(len(self.table.columns))]
        return [f"k{place}" for place in self.table.key]

    @property
    def columns(self) -> list:
        """All of the stage's columns that it fills."""
        return ["n", *self.before, *(f"c{place}" for place in self.places)]

    def statement(self, stage: str) -> str:
        """Return the statement for the row of the stage that C(step.n) numbers."""
        table = self.table
        home = f"{table.only}{table.qualified}"
        if self.kind == INSERT:
            given = ", ".join(f"s.c{place}" for place in self.places)
            return (
                f"INSERT INTO {table.qualified} {column_list(table)} OVERRIDING SYSTEM VALUE"
                f" SELECT {given} FROM {stage} s WHERE s.n = step.n"
            )
        condition = matches(table, "k")
        if table.bag:
            places = range(len(table.columns))
            ours = f"ROW({', '.join(f'x.{table.name_of(place)}' for place in places)})::pg_catalog.record"
            theirs = f"ROW({', '.join(f's.o{place}' for place in places)})::pg_catalog.record"
            condition = (
                f"(t.tableoid, t.ctid) = (SELECT x.tableoid, x.ctid FROM {home} x, {stage} s WHERE s.n = step.n"
                f" AND {ours} OPERATOR(pg_catalog.*=) {theirs} LIMIT 1)"
            )
        condition = f"s.n = step.n AND {condition}"
        if self.kind == DELETE:
            return f"DELETE FROM {home} t USING {stage} s WHERE {condition}"
        return update_statement(table, self.places, f"{stage} s", condition)


def told(change: Change, table: Table) -> tuple:
    """Return C((way, values before, values)) of a change."""
    if change.kind == DELETE:
        new, places = [], ()
    else:
        new = completed(change.new, change.old) if change.old_kind == OLD_ROW else change.new
        places = tuple(place for place, value in enumerate(new) if value is not None)
    if change.kind == INSERT:
        before = []
    elif table.bag:
        before = change.old
    else:
        source = change.new if change.old is None else change.old
        before = [source[place] for place in table.key]
        if change.kind == UPDATE and all(new[place] == image for place, image in zip(table.key, before)):
            # A key that stays need not be set; a table of keys only has nothing else.
            places = tuple(place for place in places if place not in table.key) or places
    return Way(table, change.kind, places), before, [new[place] for place in places]


def replay(cursor, stages: Stages, batch) -> None:
    """Replay the log of a batch within the caller's transaction.

    :raises Refused: naming the change that the target does not take
    :raises psycopg2.Error: what the server says otherwise
    """
    rows = rows_for(batch.expected)
    ways: dict = {}
    filled: dict = {}
    steps = []
    for place, data in enumerate(batch.log):
        way, before, new = told(parse_change(data, 1, batch.expected), batch.table_of(data))
        number = ways.setdefault(way, len(ways))
        filled.setdefault(number, []).append(rows.row([rows.number(place), *before, *new]))
        steps.append(rows.row([rows.number(place), rows.number(number)]))
    branches, staged = [], set()
    for way, number in ways.items():
        stage = stages.fill(way.table, way.columns, rows.form, rows.whole(filled[number]))
        staged.add(stage)
        branches.append(f"    WHEN {number} THEN {way.statement(stage)};")
    cursor.execute(
        f"CREATE TEMPORARY TABLE {STEPS.partition('.')[2]} (n pg_catalog.int8, way pg_catalog.int8) ON COMMIT DROP"
    )
    stages.copy(f"{STEPS} (n, way)", rows.form, rows.whole(steps))
    for stage in sorted(staged):
        cursor.execute(f"CREATE INDEX ON {stage} (n)")
    try:
        cursor.execute(BLOCK.format(steps=STEPS, branches="\n".join(branches)))
    except psycopg2.Error as error:
        named = FOUND.search(error.diag.message_hint or "")
        if named is None or is_transient(error) or error.pgcode == LOCK_NOT_AVAILABLE:
            raise
        raise Refused(int(named[1]), int(named[2]) if error.pgcode == OTHER_NUMBER else 0, error) from error
    cursor.execute(f"DROP TABLE {STEPS}")
    stages.drop_all()
