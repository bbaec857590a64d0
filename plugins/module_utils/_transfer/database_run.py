# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One database from its snapshot to its statistics."""

from __future__ import annotations

import contextlib
import os
import time

from .._core.units import human_bytes
from .._postgres.connection import value
from . import (
    catalogue,
    deferred_checks,
    early_foreign_keys,
    finishing,
    inventory,
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
from .archive import dump_schema, read_section
from .background import Background, result
from .effort import read_efforts
from .large_objects import large_object_grantors
from .pool import Pool
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

    def __init__(self, context, database: str, number: int):
        self.context = context
        self.request = context.request
        self.journal = context.journal
        self.roles = context.roles
        self.database = database
        self.archive_file = os.path.join(context.layout.directory, f"schema-{number}.dump")
        self.last_sign = time.monotonic()
        self.pool = None
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
            if FINISHED not in self.done:
                self.carry()
            else:  # a journal that was lost and is new does not know it
                self.journal.finished(self.database, {unit: (count, None) for unit, count in self.done.items()})
            self.journal.database(self.database, self.outcome)
        finally:
            if self.pool is not None:
                self.pool.close()

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
        last_foreign_keys, late_analyses = self.copy()
        self.finish(writer, last_foreign_keys, late_analyses)

    def prepare(self) -> None:
        """Find out what there is to do, and enter it in the journal."""
        self.journal.begin_span(self.database, CONTROL, "catalogue", "step", "definitions from the source", (), 0)
        with Background(self.context) as background:
            dump = background.start(dump_schema, self.database, self.snapshot, self.archive_file)
            self.start_pool()
            self.read_catalogue()
            result(dump, self.tick)
            sections = [
                background.start(read_section, self.archive_file, section) for section in ("pre-data", "post-data")
            ]
            self.pre_data, self.post_data = (self.own_part(result(section, self.tick)) for section in sections)
        # What pg_dump itself writes after the rows need not be put off.
        late = {entry.oid for entry in self.post_data.entries if entry.type == "CHECK CONSTRAINT"}
        self.checks = [check for check in self.checks if check.add.oid not in late]
        entries = [*self.pre_data.entries, *self.post_data.entries]
        givers = {*statements.grantors(entries), *large_object_grantors(self.source)}
        roles.join_grantors(self.target, self.roles, sorted(givers), self.journal)
        self.keys, self.foreign_keys, rest = plan.split_post_data(self.post_data.entries)
        self.rest = [entry for entry in self.pre_data.entries if schema.is_table_privilege(entry)] + rest
        self.about = [entry for entry in self.pre_data.entries if schema.is_about_database(entry)]
        texts = {entry.number: statements.target_text(entry, self.roles) for entry in self.post_data.entries}
        self.key_units = plan.key_units(self.keys, self.pre_data.entries, self.tables, texts, self.functions)
        self.foreign_key_units = plan.foreign_key_units(
            self.foreign_keys, self.keys, self.pre_data.entries, self.tables, texts
        )
        everything = self.everything()
        self.enter(everything, [*self.keys, *self.foreign_keys])
        self.journal.prune(self.database, {*STEP_UNITS, *(unit.name for unit in everything)})
        self.journal.end_span(CONTROL, "done")
        self.journal.event(
            f"{len(self.tables)} tables, {human_bytes(sum(table.bytes for table in self.tables))}, "
            f"{len(entries)} schema entries.",
            database=self.database,
        )

    def own_part(self, section):
        """Return what of a section of the archive is to be brought: all of it."""
        return section

    def everything(self) -> list:
        """Return all units."""
        return [*self.units, *self.key_units, *self.foreign_key_units, *self.refreshes, *self.analyses]

    def create(self) -> schema.SchemaWriter:
        """Create what has to be there before the rows; return who writes the rest."""
        writer = self.create_schema()
        # Tens of thousands of tables have hundreds of thousands of entries; most of them are done with here.
        self.pre_data = None
        lost = writer.drop_followers(self.keys)
        self.key_units = [unit for unit in self.key_units if unit.name not in lost]
        return writer

    def copy(self) -> tuple:
        """Bring the rows, keys and foreign keys; return C((foreign keys that come last, statistics that do))."""
        self.begin_work()
        self.keep_what_is_there()
        self.settle(self.everything())
        graph, last_foreign_keys, late_analyses = self.arrange(
            self.key_units, self.foreign_key_units, self.foreign_keys
        )
        self.look_at(self.pool.run(graph), graph)
        self.step("large object properties", lambda: finishing.set_large_object_properties(self))
        self.step("sequences", lambda: finishing.set_sequences(self))
        self.step("extension tables", lambda: finishing.carry_extension_tables(self))
        return last_foreign_keys, late_analyses

    def look_at(self, answers: dict, graph: list) -> None:
        """Draw conclusions from what the workers answered."""
        finishing.name_failures(self, answers, graph, "has no statistics, ANALYZE failed")

    def keep_what_is_there(self) -> None:
        """Keep what earlier runs brought where it is proven to be what the source has now."""
        repeated = [*self.refreshes, *self.analyses]
        resume.keep_what_is_proven(self, self.units, [*self.foreign_keys, *self.rest], repeated)

    def finish(self, writer: schema.SchemaWriter, last_foreign_keys: list, late_analyses: list) -> None:
        """Bring everything that comes after the rows."""
        self.pool.run(last_foreign_keys)
        self.step("checks", lambda: finishing.restore_checks(self, writer))
        self.step("other objects", lambda: writer.run(self.rest, keep_going=True))
        self.refresh()
        self.step("comments", lambda: finishing.comment_on_multiranges(self))
        self.step("settings", lambda: writer.run([e for e in self.about if e.type != "DATABASE"], keep_going=True))
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

    def analyze(self, units: list) -> None:
        """Gather the statistics that are left."""
        late = plan.batch_statistics(units)
        finishing.name_failures(self, self.pool.run(late), late, "has no statistics, ANALYZE failed")

    def read_catalogue(self) -> None:
        """Read what the source holds, while pg_dump does the same in its own way."""
        self.tables = catalogue.read_tables(self.source)
        self.units = plan.table_units(self.tables)
        self.units += plan.large_object_units(catalogue.read_large_objects(self.source))
        self.search_path = searching.read_search_path(self.source)
        self.functions = searching.read_functions(self.source)
        self.checks = deferred_checks.read_checks(self.source)
        self.refreshes = finishing.refresh_units(self)
        analyzed = catalogue.read_analyzed(self.source)
        self.analyses = plan.statistics_units(analyzed)
        for unit, row in zip(self.analyses, analyzed):
            finishing.maintains(self, unit, row["schema"], row["oid"])
        self.efforts = read_efforts(self.source, self.tables)
        self.candidates = early_foreign_keys.read_candidates(self.source)
        self.enter([*self.units, *self.refreshes, *self.analyses], [])
        self.tick()

    def enter(self, units: list, entries: list) -> None:
        """Enter units in the journal with the work that each is."""
        works = self.efforts.of_units(units, entries)
        self.journal.plan(self.database, [(name, "step", name, 0) for name in STEP_UNITS])
        self.journal.plan(self.database, ((unit.name, unit.kind, unit.label, unit.bytes_total) for unit in units))
        self.journal.weigh(self.database, works)
        self.journal.expect(self.database, self.efforts.totals)
        for unit in units:
            if unit.kind != "statistics":  # whose batches are measured by size
                unit.weight = works.get(unit.name, unit.weight)

    def open_units(self, units: list) -> list:
        """Return those that have no marker yet."""
        return [unit for unit in units if unit.name not in self.done]

    def arrange(self, key_units: list, foreign_key_units: list, foreign_keys: list) -> tuple:
        """Return what is left to do in its order: C((graph, foreign keys after it, statistics at the end))."""
        jobs = self.context.options["jobs"]
        copies = self.open_units([unit for unit in self.units if unit.kind == "table"])
        # These hold rows, however they are copied now.
        self.again |= splitting.half_done(copies, self.done) | resume.full_tables(self.done)
        graph = plan.batch_small_tables(copies, self.open_units(key_units), self.again)
        graph += self.open_units([unit for unit in self.units if unit.kind != "table"])
        early, late_analyses = plan.join_statistics(graph, self.open_units(self.analyses))
        graph += early
        left = [(unit, entry) for unit, entry in zip(foreign_key_units, foreign_keys) if unit.name not in self.done]
        candidates = self.candidates if self.as_replica else {}
        graph, last = early_foreign_keys.arrange(
            graph, [unit for unit, _entry in left], [entry for _unit, entry in left], candidates, jobs
        )
        graph = splitting.split_wide_tables(graph, jobs)
        splitting.empty_half_done(self.target, self.request.name, graph, self.done, self.again)
        return graph, last, late_analyses

    def create_schema(self) -> schema.SchemaWriter:
        """Create what must be there before the data."""
        self.begin("schema")
        self.journal.begin_span(self.database, CONTROL, "schema", "step", "schema", (), 0)
        for name, content in schema.session_settings(self.pre_data).items():
            with self.target.cursor() as cursor:
                cursor.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, content))
        known = [entry.number for entry in (*self.pre_data.entries, *self.post_data.entries)]
        writer = schema.SchemaWriter(self.target, self.request.name, self.roles, self.done, known, self.search_path)
        entries = [entry for entry in self.pre_data.entries if not schema.is_about_database(entry)]
        writer.run([entry for entry in entries if entry.type == "SCHEMA"])
        schema.helper_grants(
            self.source, self.target, [*entries, *self.post_data.entries], self.roles, self.journal, self.database
        )
        self.keep_inventory()
        writer.run([entry for entry in entries if entry.type != "SCHEMA" and not schema.is_table_privilege(entry)])
        writer.run([check.drop for check in self.checks])
        self.journal.finished(self.database, {"schema": (len(entries), None)})
        self.journal.end_span(CONTROL, "done")
        return writer

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

    def settle(self, units: list) -> None:
        """Enter in the journal what the target's markers say is done."""
        known = {unit.name: (self.done[unit.name], unit.bytes_total) for unit in units if unit.name in self.done}
        self.journal.finished(self.database, known)

    def begin(self, name: str) -> None:
        """Say what the control sessions do from now on."""
        self.journal.started(self.database, name)
        for control in self.controls:
            control.doing = name

    def step(self, name: str, action) -> None:
        """Run one step of the control session; steps are cheap and may be repeated."""
        self.begin(name)
        self.journal.begin_span(self.database, CONTROL, name, "step", name, (), 0)
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
