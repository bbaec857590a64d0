# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rest of a database at cutover: everything that the stream does not carry, or that had to wait for its end.

Until the application may write again stands: sequences, large objects and tables that were not streamed, where they
differ; foreign keys and checks, as yet without a look at old rows; triggers, rules, policies, privileges. Afterwards,
beside the application: constraints are validated, materialised views refreshed, and what was borrowed is given back.
"""

from __future__ import annotations

import itertools
import os
import re

from ..._core.errors import TransferFailed
from ..._postgres.connection import rows, value
from ..._postgres.driver import psycopg2
from ..._postgres.quoting import qualified, quote_identifier
from .. import catalogue, finishing, marker, plan, resume, schema
from ..contents import Selection
from ..database_run import FINISHED, STEP_UNITS, DatabaseRun
from . import definitions, published
from .base import OnlineDatabaseRun, is_postponed
from .release import SET_WRITABLE, release

PUBLISHED = "SELECT schemaname AS schema, tablename AS name FROM pg_catalog.pg_publication_tables WHERE pubname = %s"
UNVALIDATED = """
SELECT n.nspname AS schema, COALESCE(c.relname, t.typname) AS object, k.conname AS name, c.oid IS NULL AS of_domain
  FROM pg_catalog.pg_constraint k
  LEFT JOIN pg_catalog.pg_class c ON c.oid = k.conrelid LEFT JOIN pg_catalog.pg_type t ON t.oid = k.contypid
  JOIN pg_catalog.pg_namespace n ON n.oid = COALESCE(c.relnamespace, t.typnamespace)
 WHERE NOT k.convalidated AND k.contype IN ('f', 'c') AND {enforced} AND n.nspname !~ '^pg_' ORDER BY 1, 2, 3
"""
NOT_VALID = re.compile(r"(\s(?:NOT VALID|NOT ENFORCED))?;\s*\Z")


def unvalidated(text: str) -> str:
    """Return the text of a foreign key so that old rows are not looked at, where the server can do that."""
    if not text.lstrip().startswith("ALTER TABLE ONLY "):
        return text  # of a partitioned table
    return NOT_VALID.sub(lambda found: f"{found[1] or ' NOT VALID'};", text.rstrip())


class FinalRun(OnlineDatabaseRun):
    """What is left of a database; I(start) while changes still flow, I(complete) after the last one, I(tidy) at the end."""

    def start(self, stack) -> None:
        """Open the sessions and find out what is left; nothing is changed."""
        self.context.watch.database = self.database
        self.open(stack)
        stack.callback(self.close_archive)
        if FINISHED not in self.done:
            self.take_snapshot()
            self.prepare()

    def begin_stream(self) -> None:
        """Do not begin a new stream: a cutover needs the one that there was.

        :raises TransferFailed: always
        """
        raise TransferFailed(
            f"Replication slot {self.publication} is gone or has lost log: changes of database {self.database} are missing.",
            "Run the migration with state=replicating: a new slot is made, and only what differs is copied again.",
            {"slot": self.publication, "lost": True},
        )

    live = False  # nobody writes when rows are copied

    def leave_pool(self) -> None:
        """End the workers."""
        if self.pool is not None:
            self.pool.close()
            self.pool = None

    def leave(self) -> None:
        """End what is at work for this database."""
        self.leave_pool()
        if os.path.exists(self.archive_file):
            os.unlink(self.archive_file)

    def take_snapshot(self) -> None:
        """Take a new snapshot of the source in the place of the last one."""
        with self.source.cursor() as cursor:
            if self.source.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE:
                cursor.execute("COMMIT")
            cursor.execute(SET_WRITABLE)
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self.snapshot = value(self.source, "SELECT pg_catalog.pg_export_snapshot()")

    def prepare(self) -> None:
        """Find out what is left to do."""
        super().prepare()
        streamed = {(row["schema"], row["name"]) for row in rows(self.source, PUBLISHED, (self.publication,))}
        self.unstreamed = [
            table
            for table in self.tables
            if (table.schema, table.name) not in streamed
            and not (table.tree and self.is_streamed_tree(table, streamed))
        ]

    def is_streamed_tree(self, table, streamed: set) -> bool:
        """Return whether the leaves of a partitioned table are streamed."""
        names = rows(
            self.source,
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.oid = ANY (%s::oid[])",
            (list(table.leaves),),
        )
        return all((row["nspname"], row["relname"]) in streamed for row in names)

    def differences(self) -> list:
        """Return sentences about definitions that have changed on the source and are not on the target."""
        late_foreign_keys = {entry.unit for entry in self.foreign_keys}
        checks = {check.add.unit for check in self.checks}
        return definitions.settle(
            self,
            self.described(),
            lambda entry: is_postponed(entry) or entry.unit in late_foreign_keys or entry.unit in checks,
        )

    # -- while nobody writes ------------------------------------------------------------------------------------------

    def complete(self, margin: int) -> None:
        """Bring everything without which the application cannot go on."""
        if self.pool is None:
            self.start_pool()
        self.take_snapshot()
        self.portions = plan.large_object_units(catalogue.read_large_objects(self.source))
        self.sequences = catalogue.read_sequences(self.source)  # they have moved since the preparation
        self.margin = margin
        self.writer = self.create()
        last_foreign_keys, self.late_analyses = self.copy(self.writer)
        self.pool.run(last_foreign_keys)
        self.step("checks", self.add_checks)
        late = itertools.chain(self.privileges, self.rest)
        self.step("other objects", lambda: self.writer.run(late, keep_going=True))

    def keep_what_is_there(self) -> None:
        """Compare what was not streamed: large objects, and tables that were left out."""
        late = [self.foreign_keys, self.privileges, self.rest]
        resume.keep_what_is_proven(self, late, [], self.unstreamed)

    def text(self, entry) -> str:
        """Return the SQL of an entry as the target is to run it; foreign keys do not look at rows yet."""
        text = super().text(entry)
        return unvalidated(text) if entry.type == plan.FOREIGN_KEY else text

    def arrange(self, keys: Selection, foreign_keys: Selection, lost: set) -> tuple:
        """Return what is left to do in its order."""
        candidates, self.candidates = self.candidates, {}  # tables are full: there is no empty moment to use
        try:
            return DatabaseRun.arrange(self, keys, foreign_keys, lost)
        finally:
            self.candidates = candidates

    def add_checks(self) -> None:
        """Put back the checks that waited, without a look at old rows."""
        for check in reversed(self.checks):
            if check.add.unit not in self.writer.done:
                self.writer.execute([check.add._replace(text=check.unchecked)])

    # -- beside the application ---------------------------------------------------------------------------------------

    def tidy(self) -> None:
        """Do what need not keep the application waiting, and give back what was borrowed."""
        self.validate()
        self.forget(self.refreshes)
        self.refresh()
        self.step("comments", lambda: finishing.comment_on_multiranges(self))
        self.analyze(self.late_analyses)
        schema.revoke_helper_grants(self.source, self.target, self.roles, self.journal, self.database)
        finishing.report(self, self.writer)
        self.restore_identities("target", self.target)
        self.keep_inventory()
        self.mark(FINISHED)

    def leave_source(self) -> None:
        """Take back what was made on the source, once the target is finished; only then the database is done."""
        self.release()
        self.journal.finished(self.database, dict.fromkeys(STEP_UNITS, (None, None)))
        self.journal.database(self.database, "done")

    def forget(self, units: list) -> None:
        """Take back the markers of units that have to be done once more."""
        names = [unit.name for unit in units]
        with self.target.cursor() as cursor:
            marker.remove_markers(cursor, self.request.name, names)
        for name in names:
            self.done.pop(name, None)

    def validate(self) -> None:
        """Let the target look at old rows: the constraints that the source has validated."""
        known = {tuple(row.values()) for row in rows(self.source, self.unvalidated_query(self.source))}
        for row in rows(self.target, self.unvalidated_query(self.target)):
            if tuple(row.values()) in known:
                continue
            words = "DOMAIN" if row["of_domain"] else "TABLE"
            name, constraint = qualified(row["schema"], row["object"]), quote_identifier(row["name"])
            try:
                with self.target.cursor() as cursor:
                    cursor.execute(f"ALTER {words} {name} VALIDATE CONSTRAINT {constraint}")
            except psycopg2.Error as error:
                if error.pgcode is None or self.target.closed:
                    raise
                self.journal.event(
                    f"Constraint {row['schema']}.{row['object']}.{row['name']} stays NOT VALID: {schema.server_words(error)}. "
                    "Put rows or function right, then run ALTER ... VALIDATE CONSTRAINT on the target.",
                    "warning",
                    self.database,
                )
            self.tick()

    @staticmethod
    def unvalidated_query(session) -> str:
        """Return the query for constraints that have not looked at old rows."""
        return UNVALIDATED.format(enforced="k.conenforced" if session.server_version >= 180000 else "true")

    def restore_identities(self, side: str, session) -> None:
        """Give back the replica identities that were changed for the migration."""
        for thing in self.journal.creations("source", "replica identity"):
            if thing["database"] == self.database and (side == "target" or thing["state"] != "removed"):
                table, _blank, words = thing["name"].rpartition(" ")
                published.change_identity(session, table, words, self.context.tick)
                if side == "source":
                    self.journal.removed("source", self.database, "replica identity", thing["name"])

    def release(self) -> None:
        """Take back everything that was made on the source."""
        with self.context.session("source", self.database, "removal of slot and publication") as session:
            release(session.connection, self.journal, self.database, self.context.tick)
