# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables are streamed, and what is done with those whose changed rows could not be found again.

A published table without a replica identity would make every UPDATE and DELETE of the application fail on the source. So
such a table stops the migration before anything is done, unless its user has decided: FULL lets the source write down all
of the old row, EXCLUDE leaves the table out of the stream and copies it at cutover, when nobody writes any more. Unlogged
tables, which leave no trace in the log, are always copied then.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..._core.errors import PreconditionFailed
from ..._postgres.connection import rows
from ..._postgres.driver import psycopg2
from ..._postgres.quoting import qualified
from ..catalogue import NOT_OF_EXTENSION, USER_SCHEMAS

FAIL, FULL, EXCLUDE = CHOICES = ("fail", "full", "exclude")
IDENTITY_WORDS = {"d": "DEFAULT", "n": "NOTHING", "f": "FULL"}
LOCK_SECONDS, PATIENCE_SECONDS = 5, 120
NAMED = 20

TABLES = f"""
SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name, c.relpersistence = 'u' AS unlogged,
       c.relreplident::text AS identity, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS own,
       CASE c.relreplident
         WHEN 'f' THEN true
         WHEN 'd' THEN EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary
                                  AND i.indimmediate AND i.indisvalid)
         WHEN 'i' THEN EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident
                                  AND i.indisvalid)
         ELSE false END AS found
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {USER_SCHEMAS} AND {NOT_OF_EXTENSION}
 ORDER BY c.oid
"""


@dataclass(frozen=True)
class SourceTable:
    """A table of the source, as far as its changes are concerned.

    I(identity) is the letter of the catalogue, I(found) whether changed rows can be found again by it, I(own) whether the
    migration's user may act as the owner.
    """

    oid: int
    schema: str
    name: str
    unlogged: bool
    identity: str
    owner: str
    own: bool
    found: bool

    @property
    def label(self) -> str:
        """The table as people name it."""
        return f"{self.schema}.{self.name}"

    @property
    def qualified(self) -> str:
        """The table for SQL."""
        return qualified(self.schema, self.name)


@dataclass(frozen=True)
class Choice:
    """What is done with which table; I(late) are copied at cutover, I(full) get another identity first."""

    streamed: tuple
    full: tuple
    late: tuple

    @property
    def published(self) -> list:
        """The names of the tables to publish, C([(schema, name)])."""
        return [(table.schema, table.name) for table in self.streamed]


def read(source) -> list:
    """Return every table with rows of its own as a M(SourceTable)."""
    return [SourceTable(**row) for row in rows(source, TABLES)]


def choose(tables: list, database: str, usual: str = FAIL, wishes: dict | None = None) -> Choice:
    """Decide.

    :param usual: what is done with tables without identity: C(fail), C(full) or C(exclude)
    :param wishes: C({schema.table: full or exclude}) for single ones; C(exclude) may name any table
    :raises PreconditionFailed: naming the tables that nobody has decided about, and names that there are not
    """
    wishes = wishes or {}
    labels = {table.label for table in tables}
    unknown = sorted(name for name in wishes if name not in labels)
    if unknown:
        raise PreconditionFailed(
            f"Database {database} has no table {', '.join(unknown)}, which 'table_identity' names.",
            "Write each as schema.table, as the source names it, or leave it out.",
            {"database": database, "tables": unknown},
        )
    streamed, full, late, undecided = [], [], [], []
    for table in tables:
        wish = wishes.get(table.label)
        if table.unlogged or wish == EXCLUDE:
            late.append(table)
        elif table.found:
            streamed.append(table)
        elif (wish or usual) == FULL:
            full.append(table)
            streamed.append(table)
        elif (wish or usual) == EXCLUDE:
            late.append(table)
        else:
            undecided.append(table.label)
    if undecided:
        shown = ", ".join(undecided[:NAMED]) + (f" and {len(undecided) - NAMED} more" if len(undecided) > NAMED else "")
        raise PreconditionFailed(
            f"Database {database}: tables without a replica identity cannot be streamed: {shown}. In a publication they would "
            "make the application's UPDATE and DELETE fail.",
            "Add a primary key, or ALTER TABLE ... REPLICA IDENTITY USING INDEX on the source. Or let the migration decide with "
            "'without_identity' or 'table_identity': 'full' sets REPLICA IDENTITY FULL for the time of the migration, "
            "'exclude' copies the table at cutover instead.",
            {"database": database, "tables": undecided},
        )
    return Choice(tuple(streamed), tuple(full), tuple(late))


def foreign(choice: Choice) -> list:
    """Return the labels of the tables that the migration's user may not publish, with their owners."""
    return [f"{table.label} of {table.owner}" for table in choice.streamed if not table.own]


def set_full(source, table: SourceTable, tick=lambda: None) -> None:
    """Give a table the identity FULL; whoever holds it is waited for in short attempts, so that nobody queues behind.

    :raises PreconditionFailed: when it stays locked
    """
    change_identity(source, table.qualified, "FULL", tick)


def change_identity(session, table: str, words: str, tick=lambda: None) -> None:
    """Change the identity of a table, given as SQL, in short attempts.

    :raises PreconditionFailed: when it stays locked
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with session.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
                try:
                    cursor.execute(f"ALTER TABLE {table} REPLICA IDENTITY {words}")
                finally:
                    if not session.closed:
                        cursor.execute("SET lock_timeout = 0")
            return
        except psycopg2.errors.LockNotAvailable:
            tick()
            if time.monotonic() > deadline:
                raise PreconditionFailed(
                    f"Table {table} has been locked for {PATIENCE_SECONDS} s; its replica identity cannot be changed.",
                    "End the transaction that holds it (pg_locks names it), then run the migration again.",
                    {"table": table},
                ) from None
            time.sleep(1)
