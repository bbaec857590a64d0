# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base copy of a database whose changes are followed afterwards.

It sees the snapshot of a new slot, so that copy and stream fit together without a gap. When a copy goes on after a crash,
the slot is still there and has everything since: what was copied stays, what is missing is copied under a new snapshot,
and the stream leaves out for each table what its own copy has seen. Only when the slot is gone, the copies have to be
proven as in an offline migration.

What would get into the way of the changes comes at cutover: triggers, rules, policies, privileges of tables, checks that
call functions; and foreign keys, where the target would look up every row that is written.
"""

from __future__ import annotations

import contextlib
import time
from array import array

from ..._postgres.connection import rows, transaction, value
from .. import catalogue, finishing, marker, plan, resume, target_database
from ..contents import Selection
from ..database_run import FINISHED, DatabaseRun
from ..inventory import restore
from ..worker import LOCKED
from . import definitions, position, published, requirements, slot
from .pgoutput import lsn_number
from .release import release

BASE = "base copy"
DRAINED = "last change"  # the marker that the stream has come to its end
FOLLOWED_STATE, DRAINED_STATE = "replicating", "drained"
PUBLICATION = "PUBLICATION"
PUBLICATIONS = (PUBLICATION, "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA")
# Whose owner has decided what happens when rows are written, or who may see and write them.
POSTPONED = frozenset(("TRIGGER", "RULE", "EVENT TRIGGER", "POLICY", "ROW SECURITY", "ACL", *PUBLICATIONS))
XMAX = "SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())"
# A table that is not streamed would get into the way of emptying the one that it refers to.
OF_UNSTREAMED = """
SELECT k.oid FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid AND c.relkind = 'r'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'f' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_publication_tables p
                                        WHERE p.pubname = %s AND p.schemaname = n.nspname AND p.tablename = c.relname)
"""
WAL = "SELECT pg_catalog.pg_current_wal_insert_lsn()::text"


def is_postponed(entry) -> bool:
    """Return whether an entry of the archive comes at cutover."""
    if entry.type == "RULE" and entry.text.lstrip().startswith("CREATE OR REPLACE VIEW"):
        return False  # a view that had to wait for a primary key
    return entry.type in POSTPONED


class TablesVanished(Exception):
    """Tables, C([(schema, name)]), could not be copied, since the snapshot does not show their rows any more."""

    def __init__(self, tables: list):
        names = [f"{schema}.{name}" for schema, name in sorted(tables)]
        super().__init__(", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else ""))
        self.tables = tables


class OnlineDatabaseRun(DatabaseRun):
    """Carries one database up to where its changes can be followed."""

    outcome = FOLLOWED_STATE
    live = True

    def __init__(self, context, database: str, number: int):
        super().__init__(context, database, number)
        self.number = number
        self.publication = slot.name_of(self.request.name, self.request.hash, database)
        self.snapshot = None
        self.snapshot_number = 0
        self.stream: position.Stream | None = None
        self.must_prove = False
        self.emptied: frozenset = frozenset()

    def run(self) -> None:
        """Carry the database, under one snapshot after the other until all tables could be seen."""
        run = self
        while True:
            try:
                DatabaseRun.run(run)
                return
            except TablesVanished as vanished:
                self.journal.event(
                    f"Emptied or rewritten on the source before they were copied, and copied under a new snapshot: {vanished}.",
                    "info",
                    self.database,
                )
                emptied = run.emptied.union(vanished.tables)
                run = type(self)(self.context, self.database, self.number)
                run.emptied = emptied  # which may happen again, so each is copied beneath a lock

    def carry_within(self, stack) -> None:
        """Carry the database; one that has cut over is left with nothing of the migration on the source."""
        super().carry_within(stack)
        if FINISHED in self.done:
            release(self.source, self.journal, self.database, self.tick)
            self.journal.database(self.database, "done")
        elif DRAINED in self.done:
            self.journal.database(self.database, DRAINED_STATE)

    # -- sessions and the snapshot ------------------------------------------------------------------------------------

    def open(self, stack) -> None:
        """Open both control sessions, claim the target's database, and take a snapshot that fits the stream."""
        self.source = self.control(stack, "source", self.database)
        properties = catalogue.read_database(self.source)
        with self.context.session("target", doing="creation of the database") as administration:
            target_database.ensure_database(administration.connection, properties, self.roles, self.journal)
        self.target = self.control(stack, "target", self.database)
        self.done = target_database.claim(
            self.target, self.database, self.request.name, self.request.hash, self.journal
        )
        restore(self.done, self.journal)
        if FINISHED in self.done or DRAINED in self.done:
            return
        requirements.check_target_database(self.target, self.database)
        position.prepare(self.target)
        self.stream = position.read(self.target, self.request.name)
        state = slot.read_slot(self.source, self.stream.slot) if self.stream else None
        if self.stream is None or self.stream.slot != self.publication or state is None or state.lost:
            self.begin_stream()
            self.emptied = frozenset()  # what a snapshot beside the slot has to wait for has not been waited for
        elif BASE not in self.done:
            self.take_snapshot_beside_slot()
        self.must_prove = not self.stream.proven
        if BASE not in self.done:
            self.journal.database(self.database, "running", self.snapshot)
        self.keep_inventory()

    def wishes(self) -> dict:
        """Return what the user wants of single tables of this database, C({schema.table: word})."""
        found = {}
        for name, word in (self.context.options.get("table_identity") or {}).items():
            database, slash, table = name.partition("/")
            if slash and database == self.database:
                found[table] = word
            elif not slash and len(self.request.databases) == 1:
                found[name] = word
        return found

    def begin_stream(self) -> None:
        """Make publication and slot, after whatever an earlier attempt has left of them, and import the slot's snapshot."""
        if self.stream is not None:
            self.journal.event(
                f"Replication slot {self.stream.slot} is gone, and with it changes that have not been applied. A new one is "
                "made; what was copied is compared with the source, and copied again where it differs.",
                "warning",
                self.database,
            )
        requirements.check_source(self.source, 1)
        usual = self.context.options.get("without_identity") or published.FAIL
        choice = published.choose(published.read(self.source), self.database, usual, self.wishes())
        requirements.check_source_database(self.source, self.database, published.foreign(choice))
        for table in choice.full:
            self.make_full(table)
        name = self.publication
        for kind in ("replication slot", "publication"):
            self.journal.creating("source", self.database, kind, name)
        self.keep_inventory()
        slot.drop_slot(self.source, name)
        slot.publish(self.source, name, choice.published)
        self.journal.created("source", self.database, "publication", name)
        with contextlib.closing(self.open_replication()) as replication:
            system = slot.system_of(replication)
            made = self.create_slot(replication, name)
            self.journal.created("source", self.database, "replication slot", name)
            with self.source.cursor() as cursor:
                cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor.execute("SET TRANSACTION SNAPSHOT %s", (made.snapshot,))
            content = value(self.source, "SELECT pg_catalog.txid_current_snapshot()::text")
            # The walker may go now: the snapshot lives on in this transaction.
            self.snapshot = value(self.source, "SELECT pg_catalog.pg_export_snapshot()")
        with self.context.session("source", self.database, "the number of the next transaction") as other:
            following = value(other.connection, XMAX)
        self.stream = position.Stream(
            system, name, name, following, made.position, made.position, None, proven=not self.brought()
        )
        self.snapshot_number = position.enter(self.target, self.request.name, self.stream, content, [BASE])
        self.done.pop(BASE, None)
        self.journal.event(
            f"Changes of {len(choice.streamed)} tables are kept by replication slot {name} from now on.",
            database=self.database,
        )

    def brought(self) -> bool:
        """Return whether an earlier run has brought rows."""
        return any(name.startswith(("table:", resume.LARGE_OBJECTS)) for name in self.done)

    def make_full(self, table: published.SourceTable) -> None:
        """Let the source write down whole rows of a table for the time of the migration."""
        words = published.IDENTITY_WORDS.get(table.identity, "DEFAULT")
        name = f"{table.qualified} {words}"
        self.journal.creating("source", self.database, "replica identity", name)
        self.keep_inventory()
        published.set_full(self.source, table, self.context.tick)
        self.journal.created("source", self.database, "replica identity", name)
        self.journal.event(
            f"Table {table.label} has REPLICA IDENTITY FULL on the source for the time of the migration.",
            "warning",
            self.database,
        )

    def open_replication(self):
        """Return a replication connection to the source."""
        return self.context.sessions.open("source", self.database, role="slot", replication=True)

    def create_slot(self, replication, name: str) -> slot.Made:
        """Make the slot; who keeps it waiting is named."""
        waiting = slot.holders(self.source)
        if waiting:
            self.journal.event(
                f"The replication slot waits for the end of open transactions: {waiting}.", "info", self.database
            )
        return slot.create_slot(replication, name, self.context.tick)

    def take_snapshot_beside_slot(self) -> None:
        """Take an ordinary snapshot that sees every transaction which the slot does not have.

        A transaction may have written its commit before the slot's first position and be seen a moment later only, so
        all that were open then are waited for.
        """
        said = False
        while True:
            with self.source.cursor() as cursor:
                cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            content = value(self.source, "SELECT pg_catalog.txid_current_snapshot()::text")
            if int(content.split(":")[0]) >= self.stream.first_xid:
                break
            with self.source.cursor() as cursor:
                cursor.execute("COMMIT")
            if not said:
                said = True
                self.journal.event(
                    f"Transactions that were open when the slot was made are waited for: {slot.holders(self.source)}.",
                    "warning",
                    self.database,
                )
            time.sleep(1)
            self.context.tick()
        self.snapshot = value(self.source, "SELECT pg_catalog.pg_export_snapshot()")
        after = lsn_number(value(self.source, WAL))
        self.snapshot_number = position.enter_snapshot(self.target, self.request.name, content, after)

    # -- what is carried when -----------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Find out what there is to do, without the migration's own publication."""
        super().prepare()
        publications = list(self.post_data.of_kinds(*PUBLICATIONS))
        own = {entry.number for entry in publications if entry.type == PUBLICATION and entry.name == self.publication}
        self.own = own | {entry.number for entry in publications if own.intersection(entry.dependencies)}
        kept = array("I", (place for place in self.rest.places if self.post_data.numbers[place] not in self.own))
        self.rest = Selection(self.post_data, kept)

    def described(self):
        """Yield the entries that describe what the source has."""
        yield from self.pre_data
        yield from (entry for entry in self.post_data if entry.number not in self.own)

    def late_tables(self) -> set:
        """Create all tables before the rows come: one that has been emptied by then is copied by the next run only."""
        return set()

    def carry(self) -> None:
        """Do the base copy, unless it has been done."""
        if BASE in self.done:
            self.journal.finished(self.database, {unit: (count, None) for unit, count in self.done.items()})
            return
        self.prepare()
        found = definitions.digests(self.described())
        writer = self.create()
        definitions.remember(self.target, self.request.name, found)
        last_foreign_keys, late_analyses = self.copy(writer)
        self.pool.run(last_foreign_keys)
        self.step("other objects", lambda: writer.run(self.early_rest(), keep_going=True))
        self.refresh()
        self.step("settings", lambda: self.write_settings(writer))
        self.analyze(late_analyses)
        self.keep_inventory()
        finishing.report(self, writer)
        self.mark(BASE)

    def early_rest(self):
        """Yield what of the archive's last entries does not get into the way of changes."""
        late = {entry.number for entry in self.rest if is_postponed(entry)}
        for entry in self.rest:
            if entry.number not in late and not late.intersection(entry.dependencies):
                yield entry

    def begin_work(self) -> None:
        """Tell the workers what it is about."""
        super().begin_work()
        mixed = self.snapshot_number > 1 and not self.must_prove
        self.foreign_keys_wait = mixed or not self.as_replica

    def more_settings(self) -> dict:
        """Return the settings of the workers' sessions that markers take the snapshot's number from."""
        return {position.NUMBER_SETTING: str(self.snapshot_number)}

    def keep_what_is_there(self) -> None:
        """Keep what earlier runs brought: the stream has what came since; unless the stream is a new one."""
        if self.must_prove:
            super().keep_what_is_there()
            position.prove(self.target, self.request.name, self.snapshot_number)
        elif self.snapshot_number > 1:
            self.clear_the_way()

    def clear_the_way(self) -> None:
        """Take away foreign keys and the like that would refuse what is yet to be copied; they come back with the rest."""
        missing = [plan.table_unit(table) for table in self.tables if table.unit not in self.done]
        late = [self.foreign_keys, self.privileges, self.rest]
        entries, statements = resume.obstacles(self, resume.table_numbers(missing), late)
        if not statements:
            return
        names = [entry.unit for entry in entries]
        with transaction(self.target) as cursor:
            for statement in statements:
                cursor.execute(statement)
            marker.remove_markers(cursor, self.request.name, names)
        for name in names:
            self.done.pop(name, None)

    def look_at(self, answers: dict, graph: list) -> None:
        """Draw conclusions from what the workers answered.

        :raises TablesVanished: when tables have to be copied under another snapshot
        """
        super().look_at(answers, graph)
        late = {name for answer in answers.values() for name in answer.get("later", ())}
        if late:
            raise TablesVanished([(table.schema, table.name) for table in self.tables if table.unit in late])

    def arrange(self, keys: Selection, foreign_keys: Selection, lost: set) -> tuple:
        """Return what is left to do in its order; foreign keys may have to wait for the cutover."""
        places = array("I")
        if not self.foreign_keys_wait:
            late = {row["oid"] for row in rows(self.source, OF_UNSTREAMED, (self.publication,))}
            places.extend(place for place in foreign_keys.places if self.post_data.oids[place] not in late)
        # Not together with others, which would wait for the lock as well.
        self.again |= {table.unit for table in self.tables if (table.schema, table.name) in self.emptied}
        return super().arrange(keys, Selection(self.post_data, places), lost)

    def copying(self, table) -> plan.Unit:
        """Return the unit that copies a table."""
        unit = super().copying(table)
        if (table.schema, table.name) in self.emptied:
            unit.task = {**unit.task, "kind": LOCKED}
        return unit

    def mark(self, unit: str) -> None:
        """Set the marker that says all is done, and remember it."""
        super().mark(unit)
        self.done[unit] = None
