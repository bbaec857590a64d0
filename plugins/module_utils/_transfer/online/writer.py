# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing what a batch comes to as few statements: per table its deletes, then moved keys, updates and inserts.

Deletes come first and inserts last, so that a unique value that one row gives up is free for another one. Every
statement has to concern exactly as many rows as it was given; if one does not, M(NotAsExpected) sends the batch to its
replay in order, which finds out which row it is.
"""

from __future__ import annotations

from .netting import KeyedChanges
from .pgoutput import BINARY_VALUE
from .rows import BinaryRows, TextRows, split_images
from .stage import Stages, column_list
from .tables import Table


class NotAsExpected(Exception):
    """A statement concerned another number of rows than the source's changes."""


def rows_for(expected: int):
    """Return the form in which rows are copied."""
    return BinaryRows if expected == BINARY_VALUE else TextRows


def matches(table: Table, prefix: str) -> str:
    """Return the condition under which a row of the table, C(t), is the one of the stage, C(s)."""
    return " AND ".join(f"t.{table.name_of(place)} = s.{prefix}{place}" for place in table.key)


def assignments(table: Table, places) -> str:
    """Return what UPDATE sets."""
    return ", ".join(f"{table.name_of(place)} = s.c{place}" for place in places)


def update_statement(table: Table, places, staged: str, condition: str) -> str:
    """Return the statement that gives rows the values I(places) of the stage.

    No UPDATE may set an identity column that is always generated, so a row that has one is taken away and put back.

    :param staged: a FROM item C(s)
    :param condition: under which a row C(t) is the one of the stage
    """
    home = f"{table.only}{table.qualified}"
    if not table.fixed.intersection(places):
        return f"UPDATE {home} t SET {assignments(table, places)} FROM {staged} WHERE {condition}"
    kept = [place for place in range(len(table.columns)) if place not in places]
    values = [f"t.{table.name_of(place)} AS v{place}" for place in kept] + [
        f"s.c{place} AS v{place}" for place in places
    ]
    order = [*kept, *places]
    return (
        f"WITH gone AS (DELETE FROM {home} t USING {staged} WHERE {condition} RETURNING {', '.join(values)})"
        f" INSERT INTO {table.qualified} ({', '.join(table.name_of(place) for place in order)}) OVERRIDING SYSTEM VALUE"
        f" SELECT {', '.join(f'v{place}' for place in order)} FROM gone"
    )


class SetWriter:
    """Writes batches in the transaction of one session of the target."""

    def __init__(self, cursor, stages: Stages, expected: int):
        self.cursor = cursor
        self.stages = stages
        self.rows = rows_for(expected)
        self.uses = 0

    def write(self, net: list) -> None:
        """Write what the changes of tables come to, see M(batch.Batch.net).

        :raises NotAsExpected: when rows are missing on the target
        :raises psycopg2.Error: what the server says
        """
        self.uses = 0
        for changes in net:
            if isinstance(changes, KeyedChanges):
                self.delete(changes.table, list(changes.gone))
                for places, rows in changes.moves().items():
                    self.move(changes.table, places, rows)
                for places, rows in changes.updates().items():
                    self.update(changes.table, places, rows)
            else:
                self.delete_copies(changes.table, changes.deletes())
            self.insert(changes.table, changes.inserts())

    def stage(self, table: Table, columns: list, rows: list) -> str:
        """Copy rows, see M(rows), into the table's stage; return the FROM item that finds them there, C(s)."""
        self.uses += 1
        content = self.rows.whole(self.rows.copied(rows, [self.rows.number(self.uses)]))
        name = self.stages.fill(table, ["n", *columns], self.rows.form, content)
        return f"(SELECT * FROM {name} WHERE n = {self.uses}) s"

    def expect(self, number: int, table: Table, what: str) -> None:
        """Compare the number of rows that the last statement concerned with what it should have been."""
        if self.cursor.rowcount != number:
            raise NotAsExpected(f"{table.label}: {what} of {number} rows found {self.cursor.rowcount}")

    def delete(self, table: Table, keys: list) -> None:
        """Delete the rows with the keys that they had when the batch began."""
        if keys:
            number = len(table.key)
            rows = [[key] for key in keys] if number == 1 else [split_images(key, number) for key in keys]
            staged = self.stage(table, self.key_columns(table), rows)
            self.cursor.execute(
                f"DELETE FROM {table.only}{table.qualified} t USING {staged} WHERE {matches(table, 'k')}"
            )
            self.expect(len(keys), table, "delete")

    @staticmethod
    def key_columns(table: Table) -> list:
        """Return the stage's columns for the key of before."""
        return [f"k{place}" for place in table.key]

    def move(self, table: Table, places: tuple, rows: list) -> None:
        """Update rows, C([(origin, values)]), whose keys change."""
        images = [split_images(origin, len(table.key)) + [values[place] for place in places] for origin, values in rows]
        staged = self.stage(table, self.key_columns(table) + [f"c{place}" for place in places], images)
        self.cursor.execute(update_statement(table, places, staged, matches(table, "k")))
        self.expect(len(rows), table, "update of keys")

    def update(self, table: Table, places: tuple, rows: list) -> None:
        """Update rows that keep their keys; I(places) are those of the values that are told, the key among them."""
        changing = [place for place in places if place not in table.key]
        if not changing:
            return
        whole = len(places) == len(table.columns)
        images = rows if whole else [[values[place] for place in places] for values in rows]
        staged = self.stage(table, [f"c{place}" for place in places], images)
        self.cursor.execute(update_statement(table, changing, staged, matches(table, "c")))
        self.expect(len(rows), table, "update")

    def insert(self, table: Table, rows: list) -> None:
        """Insert rows."""
        if rows:
            content = self.rows.whole(self.rows.copied(rows, []))
            self.stages.copy(f"{table.qualified} {column_list(table)}", self.rows.form, content)
            self.expect(len(rows), table, "insert")

    def delete_copies(self, table: Table, rows: list) -> None:
        """Delete copies of whole rows, C([(row, number)]), of a table without a key.

        Rows are compared by their images, as every type allows; a digest of their text finds the candidates.
        """
        if not rows:
            return
        places = range(len(table.columns))
        row, number = self.rows.row, self.rows.number
        content = self.rows.whole([row([number(copies), *images]) for images, copies in rows])
        name = self.stages.fill(table, ["n", *(f"c{place}" for place in places)], self.rows.form, content)
        ours = f"ROW({', '.join(f't.{table.name_of(place)}' for place in places)})::pg_catalog.record"
        theirs = f"ROW({', '.join(f's.c{place}' for place in places)})::pg_catalog.record"
        self.cursor.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on")
        self.cursor.execute(
            "WITH found AS (SELECT t.tableoid AS home, t.ctid AS place, s.n,"
            f" pg_catalog.row_number() OVER (PARTITION BY s.ctid) AS copy FROM {name} s"
            f" JOIN {table.only}{table.qualified} t"
            f" ON pg_catalog.md5({ours}::pg_catalog.text) = pg_catalog.md5({theirs}::pg_catalog.text)"
            f" AND {ours} OPERATOR(pg_catalog.*=) {theirs})"
            f" DELETE FROM {table.only}{table.qualified} t USING found"
            " WHERE t.ctid = found.place AND t.tableoid = found.home AND found.copy <= found.n"
        )
        self.expect(sum(copies for _images, copies in rows), table, "delete")
        self.cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
