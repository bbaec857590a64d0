# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary tables of the target's session, into which rows are copied before a statement takes them from there.

A stage has a column C(c0), C(c1), ... for each column of the table that the stream sends, C(k0), C(k1), ... for the key
that a row had before, or C(o0), C(o1), ... for all of the row before where there is no key, and C(n), a number that says
what the row is for. They have the types of the table, so what is copied is read as the table would read it.
"""

from __future__ import annotations

import io

from ..._postgres.quoting import quote_identifier
from .tables import Table

MOST_STAGES = 48  # each is emptied at every commit
COPY_BYTES = 1 << 18


class Stages:
    """The stages of one session."""

    def __init__(self, cursor):
        self.cursor = cursor
        self.names: dict = {}
        self.filled: set = set()
        self.number = 0

    def forget(self) -> None:
        """Drop whatever there may be, after a rollback, which may have taken back the making of some."""
        self.cursor.execute("DISCARD TEMP")
        self.names = {}
        self.filled.clear()

    def drop_all(self) -> None:
        """Drop all of them."""
        for name in self.names.values():
            self.cursor.execute(f"DROP TABLE IF EXISTS {name}")
        self.names = {}
        self.filled.clear()

    def of(self, table: Table) -> str:
        """Return the qualified name of a table's stage, which is made when there is none."""
        name = self.names.get(table.relation)
        if name is None:
            if len(self.names) >= MOST_STAGES:
                self.drop_all()
            self.number += 1
            name = self.names[table.relation] = f'pg_temp."azpg_stage_{self.number}"'
            self.cursor.execute(self.creation(table, name))
        return name

    @staticmethod
    def creation(table: Table, name: str) -> str:
        """Return the statement that makes a stage."""
        words = ["0::pg_catalog.int8 AS n"]
        words += [f"t.{table.name_of(place)} AS c{place}" for place in range(len(table.columns))]
        words += [f"t.{table.name_of(place)} AS k{place}" for place in table.key]
        if table.bag:
            words += [f"t.{table.name_of(place)} AS o{place}" for place in range(len(table.columns))]
        return (
            f"CREATE TEMPORARY TABLE {name.partition('.')[2]} ON COMMIT DELETE ROWS AS"
            f" SELECT {', '.join(words)} FROM {table.only}{table.qualified} t WITH NO DATA"
        )

    def fill(self, table: Table, columns: list, form: str, content: bytes) -> str:
        """Copy rows into a table's stage; return the stage's name."""
        name = self.of(table)
        self.filled.add(name)
        self.copy(f"{name} ({', '.join(columns)})", form, content)
        return name

    def copy(self, into: str, form: str, content: bytes) -> int:
        """Copy rows into a relation with its column list; return how many came."""
        self.cursor.copy_expert(f"COPY {into} FROM STDIN (FORMAT {form})", io.BytesIO(content), COPY_BYTES)
        return self.cursor.rowcount

    def empty(self) -> None:
        """Empty what was filled while the transaction goes on."""
        if self.filled:
            self.cursor.execute(f"TRUNCATE {', '.join(sorted(self.filled))}")
        self.filled.clear()


def column_list(table: Table) -> str:
    """Return the parenthesised names of the columns that the stream sends; empty for a table without columns."""
    return f"({', '.join(quote_identifier(column.name) for column in table.columns)})" if table.columns else ""
