# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One database from its snapshot to its statistics."""

from __future__ import annotations

import contextlib
import itertools
import os
import time

from .._core.units import human_bytes
from .._postgres.connection import value
from . import (
    batching,
    catalogue,
    deferred_checks,
    early_foreign_keys,
    effort,
    finishing,
    inventory,
    key_indexes,
    load_settings,
    marker,
    plan,
    resume,
    roles,
    schema,
    searching,
    splitting,
    statements,
    target_database,
)
from .archive import SECTIONS, dump_schema, list_section, read_section
from .background import Background, result
from .contents import Numbered, Selection
from .effort import read_efforts
from .large_objects import large_object_grantors
from .pool import AGAIN, LAST, Pool
from .trace import CONTROL

KEEP_ALIVE_SECONDS = 30
STEP_UNITS = (
    "schema", "large object properties", "sequences", "extension tables", "checks", "other objects", "comments",
    "settings",
)  # fmt: skip
FINISHED = "database"


class DatabaseRun:
    """Carries one database; every step looks at the target's markers first, so it can be run again after any crash."""

    outcome = "done"  # what the journal says of the database afterwards
    live = False  # whether an application writes to the source meanwhile
    margin = 0  # steps that sequences are put further than the source's

    def __init__(self, context, database: str, number: int):
        self.context = context
        self.request = context.request
        self.journal = context.journal
        self.roles = context.roles
        self.database = database
        self.archive_file = os.path.join(context.layout.directory, f"schema-{number}.dump")
        self.last_sign = time.monotonic()
        self.pool = None
        self.pre_data = self.post_data = None
        self.source = self.target = None
        self.controls: list = []
        self.done: dict = {}
        self.again: set = set()

    def run(self) -> None:
        """Carry the database.

        :raises MigrationError: with what stands in the way
        :raises psycopg2.Error: when a connection is lost; a new run goes on from there
        """
        try:
            with contextlib.ExitStack() as stack:
                self.carry_within(stack)
        finally:
            if os.path.exists(self.archive_file):
                os.unlink(self.archive_file)

    def carry_within(self, stack) -> None:
        """Open the sessions, carry the database and close them, whatever happens."""
        self.context.watch.database = self.database
        try:
            self.open(stack)
            stack.callback(self.close_archive)
            if FINISHED not in self.done:
                self.carry()
            else:  # a journal that was lost and is new does not know it
                self.journal.finished(self.database, {unit: (count, None) for unit, count in self.done.items()})
            self.journal.database(self.database, self.outcome)
        finally:
            if self.pool is not None:
                self.pool.close()

    def close_archive(self) -> None:
        """Close the files of the archive's text."""
        for part in (self.pre_data, self.post_data):
            if part is not None:
                part.close()

    def control(self, stack, side: str, database: str | None):
        """Open a control session for as long as I(stack) lasts."""
        subject = stack.enter_context(self.context.session(side, database, "beginning"))
        self.controls.append(subject)
        return subject.connection

    def open(self, stack) -> None:
        """Open both control sessions, export the snapshot and make the target database this migration's own."""
        self.source = self.control(stack, "source", self.database)
        with self.source.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self.snapshot = value(self.source, "SELECT pg_catalog.pg_export_snapshot()")
        properties = catalogue.read_database(self.source)
        self.journal.database(self.database, "running", self.snapshot)
        with self.context.session("target", doing="creation of the database") as administration:
            target_database.ensure_database(administration.connection, properties, self.roles, self.journal)
        self.target = self.control(stack, "target", self.database)
        self.done = target_database.claim(
            self.target, self.database, self.request.name, self.request.hash, self.journal
        )
        inventory.restore(self.done, self.journal)
        self.keep_inventory()

    def keep_inventory(self) -> None:
        """Write down on the target what has been created there, in case that the journal is lost."""
        with self.target.cursor() as cursor:
            inventory.keep(cursor, self.request.name, self.done, self.journal)

    def tick(self) -> None:
        """Keep the snapshot's session alive through firewalls that forget silent connections, and hear the engine."""
        self.context.tick()
        for control in self.controls:
            control.check()  # the snapshot ends with its session, and all that is copied under it would be in vain
        self.context.observer.look(self.source, self.target, self.pool)
        if time.monotonic() - self.last_sign > KEEP_ALIVE_SECONDS:
            self.last_sign = time.monotonic()
            value(self.source, "SELECT 1")
            value(self.target, "SELECT 1")

    def carry(self) -> None:
        """Do everything that has no marker yet."""
        self.prepare()
        writer = self.create()
        last_foreign_keys, late_analyses = self.copy(writer)
        self.finish(writer, last_foreign_keys, late_analyses)

    def prepare(self) -> None:
        """Find out what there is to do, and enter it in the journal."""
        self.journal.begin_span(self.database, CONTROL, "catalogue", "step", "definitions from the source", 0, 0)
        with Background(self.context) as background:
            dump = background.start(dump_schema, self.database, self.snapshot, self.archive_file)
            self.start_pool()
            self.read_catalogue()
            result(dump, self.tick)
            lists = [background.start(list_section, self.archive_file, section) for section in SECTIONS]
            sections = [
                background.start(read_section, self.archive_file, section, listed.result)
                for section, listed in zip(SECTIONS, lists)
            ]
            self.pre_data, self.post_data = (result(section, self.tick) for section in sections)
        # What pg_dump itself writes after the rows need not be put off.
        late = {entry.oid for entry in self.post_data.of_kinds("CHECK CONSTRAINT")}
        self.checks = [check for check in self.checks if check.add.oid not in late]
        privileges = (part.of_kinds("ACL", "DEFAULT ACL") for part in (self.pre_data, self.post_data))
        givers = {*statements.grantors(itertools.chain(*privileges)), *large_object_grantors(self.source)}
        roles.join_grantors(self.target, self.roles, sorted(givers), self.journal)
        self.keys, self.foreign_keys, self.rest = plan.split_post_data(self.post_data)
        self.privileges = [entry for entry in self.pre_data.of_kinds("ACL") if schema.is_table_privilege(entry)]
        self.journal.plan(self.database, self.planned(self.keys, self.foreign_keys), whole=True)
        self.journal.expect(self.database, self.efforts.totals)
        self.journal.end_span(CONTROL, "done")
        self.journal.event(
            f"{len(self.tables)} tables, {human_bytes(sum(table.bytes for table in self.tables))}, "
            f"{len(self.pre_data) + len(self.post_data)} schema entries.",
            database=self.database,
        )

    def create(self) -> schema.SchemaWriter:
        """Create what has to be there before the rows; return who writes the rest."""
        writer = self.create_schema()
        self.lost = writer.drop_followers(self.keys)
        return writer

    def copy(self, writer: schema.SchemaWriter) -> tuple:
        """Bring the rows, keys and foreign keys; return C((foreign keys that come last, statistics that do))."""
        self.begin_work()
        self.keep_what_is_there()
        self.settle()
        graph, last_foreign_keys, late_analyses = self.arrange(self.keys, self.foreign_keys, self.lost)
        answers = self.pool.run(graph, lambda unit, answer: self.relieve(unit, answer, writer, late_analyses))
        self.look_at(answers, graph)
        self.step("large object properties", lambda: finishing.set_large_object_properties(self))
        self.step("sequences", lambda: finishing.set_sequences(self, self.margin))
        self.step("extension tables", lambda: finishing.carry_extension_tables(self))
        return last_foreign_keys, late_analyses

    def look_at(self, answers: dict, graph: list) -> None:
        """Draw conclusions from what the workers answered."""
        finishing.name_failures(self, answers, graph, "has no statistics, ANALYZE failed")

    def keep_what_is_there(self) -> None:
        """Keep what earlier runs brought where it is proven to be what the source has now."""
        repeated = [*(unit.name for unit in self.refreshes), *(relation.unit for relation in self.analyzed)]
        resume.keep_what_is_proven(self, [self.foreign_keys, self.privileges, self.rest], repeated)

    def finish(self, writer: schema.SchemaWriter, last_foreign_keys: list, late_analyses: list) -> None:
        """Bring everything that comes after the rows."""
        self.pool.run(last_foreign_keys)
        self.step("checks", lambda: finishing.restore_checks(self, writer))
        self.step("other objects", lambda: writer.run(itertools.chain(self.privileges, self.rest), keep_going=True))
        self.refresh()
        self.step("comments", lambda: finishing.comment_on_multiranges(self))
        self.step("settings", lambda: self.write_settings(writer))
        self.analyze(late_analyses)
        schema.revoke_helper_grants(self.source, self.target, self.roles, self.journal, self.database)
        self.keep_inventory()
        finishing.report(self, writer)
        self.mark(FINISHED)

    def refresh(self) -> None:
        """Fill the materialised views."""
        refreshes = self.open_units(self.refreshes)
        finishing.name_failures(
            self, self.pool.run(refreshes), refreshes, "could not be filled by REFRESH MATERIALIZED VIEW"
        )

    def write_settings(self, writer: schema.SchemaWriter) -> None:
        """Write what the source has set for the database as a whole."""
        about = self.pre_data.of_kinds(*(kind for kind in schema.ABOUT_DATABASE if kind != "DATABASE"))
        writer.run([entry for entry in about if schema.is_about_database(entry)], keep_going=True)

    def analyze(self, units: list) -> None:
        """Gather the statistics that are left."""
        late = plan.batch_statistics(units)
        finishing.name_failures(self, self.pool.run(late), late, "has no statistics, ANALYZE failed")

    def read_catalogue(self) -> None:
        """Read what the source holds, while pg_dump does the same in its own way."""
        self.tables = catalogue.read_tables(self.source)
        self.portions = plan.large_object_units(catalogue.read_large_objects(self.source))
        self.search_path = searching.read_search_path(self.source)
        self.functions = searching.read_functions(self.source)
        self.checks = deferred_checks.read_checks(self.source)
        self.efforts = read_efforts(self.source, self.tables)
        self.key_indexes = {}
        if self.context.options["jobs"] > 1:
            self.key_indexes = key_indexes.read_key_indexes(self.source, self.tables)
        self.refreshes = finishing.refresh_units(self)
        self.analyzed = catalogue.read_analyzed(self.source, self.tables)
        self.candidates = early_foreign_keys.read_candidates(self.source)
        for unit in self.portions:
            unit.weight = self.efforts.totals["large_objects"][2] / len(self.portions)
        # No row of the snapshot is ahead of them, and pg_dump takes longer than all of this.
        self.sequences = None if self.live else catalogue.read_sequences(self.source)
        self.tick()

    def planned(self, keys: Selection, foreign_keys: Selection):
        """Yield what the journal is told of every unit: C((unit, kind, label, bytes, work))."""
        for name in STEP_UNITS:
            yield name, "step", name, 0, 0
        for table in self.tables:
            yield table.unit, "table", table.label, table.bytes, effort.table_work(table.bytes)
        for unit in (*self.portions, *self.refreshes):
            yield unit.name, unit.kind, unit.label, unit.bytes_total, unit.weight
        for kind, entries in (("key", keys), ("foreign_key", foreign_keys)):
            for entry in entries:
                yield entry.unit, kind, entry.label, 0, self.efforts.of_object(entry.catalogue, entry.oid)
        for relation in self.analyzed:
            yield relation.unit, "statistics", relation.label, 0, effort.statistics_work(relation.bytes)

    def open_units(self, units: list) -> list:
        """Return those that have no marker yet."""
        return [unit for unit in units if unit.name not in self.done]

    def text(self, entry) -> str:
        """Return the SQL of an entry as the target is to run it."""
        return statements.target_text(entry, self.roles)

    def arrange(self, keys: Selection, foreign_keys: Selection, lost: set) -> tuple:
        """Return what is left to do in its order: C((graph, foreign keys after it, statistics at the end)).

        :param lost: numbers of keys that cannot be built
        """
        jobs, work = self.context.options["jobs"], self.efforts.of_object
        tables = [table for table in self.tables if table.unit not in self.done]
        # These hold rows, however they are copied now.
        self.again |= splitting.half_done(tables, self.done) | resume.full_tables(self.done)
        small = [table for table in tables if batching.is_small(table) and table.unit not in self.again]
        batches = batching.Batches(small, self.pre_data, self.post_data, self.text)
        batches.create(self.creation)
        large = [self.copying(table) for table in tables if table.oid not in batches.place_of]
        copies = plan.Copies(self.tables, self.pre_data, self.post_data)
        place_of = {table.oid: unit.name for unit in (*large, *batches.units) for table in unit.tables}

        known = {name.partition(":")[0] for name in self.done}

        def is_open(place: int) -> bool:
            if self.post_data.numbers[place] in lost:
                return False
            return self.post_data.kind(place) not in known or self.post_data[place].unit not in self.done

        alone = batches.build(keys, is_open, copies, self.functions, work)
        graph = batches.units + large
        units = plan.key_units(alone, copies, place_of, self.text, work, self.functions)
        graph += key_indexes.spread(units, alone, self.key_indexes, self.done)
        graph += self.open_units(self.portions)
        analyzed = [relation for relation in self.analyzed if relation.unit not in self.done]
        early, late_analyses = plan.join_statistics(
            graph, [finishing.statistics_unit(self, one) for one in batches.analyze(analyzed, self.functions)]
        )
        graph += early
        left = Selection(self.post_data, [place for place in foreign_keys.places if is_open(place)])
        units = plan.foreign_key_units(left, copies, self.text, work)
        oids = [self.post_data.oids[place] for place in left.places]
        candidates = self.candidates if self.as_replica else {}
        graph, last = early_foreign_keys.arrange(graph, units, oids, candidates, jobs)
        graph = splitting.split_wide_tables(graph, jobs)
        splitting.empty_half_done(self.target, self.request.name, graph, self.done, self.again)
        return graph, last, late_analyses

    def copying(self, table) -> plan.Unit:
        """Return the unit that copies a table."""
        unit = plan.table_unit(table)
        unit.weight = effort.table_work(unit.bytes_total)
        return unit

    def relieve(self, unit: plan.Unit, answer: dict, writer: schema.SchemaWriter, late_analyses: list) -> str | None:
        """Say whether a unit that has failed is to be tried again; from a batch is taken what can be done in another way.

        :return: see M(pool.Pool.run)
        :raises TransferFailed: naming the entry that the target refuses
        """
        batch = unit.content if isinstance(unit.content, batching.Batch) else None
        if batch and (batch.creates or batch.analyzes):
            creates, batch.creates = Selection(self.pre_data, batch.creates), ()
            late_analyses += [finishing.statistics_unit(self, relation) for relation in batch.analyzes]
            batch.analyzes = []
            writer.run(creates)  # with an eye on each entry
            lost = writer.drop_followers(Selection(self.post_data, batch.builds))
            batch.builds = [place for place in batch.builds if self.post_data.numbers[place] not in lost]
            return AGAIN
        # A function may read a table that is still to come, which no catalogue tells.
        return LAST if self.creation.tables and answer["sqlstate"] in searching.UNRESOLVED else None

    def create_schema(self) -> schema.SchemaWriter:
        """Create what must be there before the data."""
        self.begin("schema")
        self.journal.begin_span(self.database, CONTROL, "schema", "step", "schema", 0, 0)
        for name, content in schema.session_settings(self.pre_data, self.target.server_version).items():
            with self.target.cursor() as cursor:
                cursor.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, content))
        known = [Numbered.flags(part.numbers) for part in (self.pre_data, self.post_data)]
        writer = schema.SchemaWriter(
            self.target, self.request.name, self.roles, self.done, lambda number: any(part[number] for part in known),
            self.search_path,
        )  # fmt: skip
        writer.run(self.pre_data.of_kinds("SCHEMA"))
        schema.helper_grants(self.source, self.target, self.roles, self.journal, self.database)
        self.keep_inventory()
        self.creation = batching.Creation(self.pre_data, self.late_tables())
        writer.put_off = self.creation.late()
        writer.run(
            entry
            for entry in self.creation.others()
            if entry.type != "SCHEMA" and not schema.is_about_database(entry) and not schema.is_table_privilege(entry)
        )
        if writer.put_off is None:
            self.creation = batching.Creation(self.pre_data, set())
        writer.put_off = None
        writer.run([check.drop for check in self.checks])
        self.journal.finished(self.database, {"schema": (len(self.pre_data), None)})
        self.journal.end_span(CONTROL, "done")
        return writer

    def late_tables(self) -> set:
        """Return the numbers of the tables that may be created in a batch: small ones of which nothing is there yet."""
        checked = {check.table for check in self.checks}
        found = {table.oid for table in self.tables if batching.is_small(table) and table.alone} - checked
        if any(name.startswith("TABLE:") for name in self.done):  # what was created by an earlier run is there
            found -= {entry.oid for entry in self.pre_data.of_kinds("TABLE") if entry.unit in self.done}
        return found

    def start_pool(self) -> None:
        """Start the workers' processes; they are at hand when the schema is."""
        self.pool = Pool(
            self.context.engine,
            self.context.options["jobs"],
            self.database,
            self.journal,
            self.tick,
            self.context.watch,
        )

    def begin_work(self) -> None:
        """Tell the workers what it is about; they connect now that the schema is there, so that none has to digest it."""
        options = self.context.options
        rate = options.get("max_bytes_per_second")
        settings = load_settings.choose(self.target, options, self.post_data.standard_conforming_strings)
        self.as_replica = load_settings.REPLICA in settings
        settings.update(self.more_settings())
        self.pool.begin(
            {
                "request": self.request.as_dict(),
                "secrets": self.request.secrets,
                "database": self.database,
                "snapshot": self.snapshot,
                "search_path": self.search_path,
                "runner": str(self.context.sessions.runner),
                "labels": {side: self.context.sessions.label(side, "").rstrip() for side in ("source", "target")},
                "settings": settings,
                "source_version": self.source.server_version,
                "psql": self.context.programs.optional("psql"),
                "rate": rate / options["jobs"] if rate else None,
                "live": self.live,
            }
        )

    def more_settings(self) -> dict:
        """Return further settings of the workers' sessions on the target."""
        return {}

    def settle(self) -> None:
        """Enter in the journal what the target's markers say is done; it takes no notice of what is no unit of its own."""
        if self.done:
            sizes = {unit.name: unit.bytes_total for unit in (*self.portions, *self.refreshes)}
            sizes.update((table.unit, table.bytes) for table in self.tables)
            known = {name: (rows, sizes.get(name, 0)) for name, rows in self.done.items()}
            self.journal.finished(self.database, known)

    def begin(self, name: str) -> None:
        """Say what the control sessions do from now on."""
        self.journal.started(self.database, name)
        for control in self.controls:
            control.doing = name

    def step(self, name: str, action) -> None:
        """Run one step of the control session; steps are cheap and may be repeated."""
        self.begin(name)
        self.journal.begin_span(self.database, CONTROL, name, "step", name, 0, 0)
        action()
        self.journal.finished(self.database, {name: (None, None)})
        self.journal.end_span(CONTROL, "done")
        self.tick()

    def mark(self, unit: str) -> None:
        """Set the marker that says all is done; it waits for the disk, and so for all that was committed before it.

        Everything else is committed without waiting: what a crash of the target takes, it takes with its markers.
        """
        with self.target.cursor() as cursor:
            cursor.execute("BEGIN; SET LOCAL synchronous_commit = on")
            marker.set_markers(cursor, self.request.name, {unit: None})
            cursor.execute("COMMIT")
