# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One database from its snapshot to its statistics."""

from __future__ import annotations

import contextlib
import os
import time

from .._core.errors import TransferFailed
from .._core.units import human_bytes
from .._postgres.connection import value
from .._postgres.quoting import qualified, quote_literal
from . import catalogue, marker, plan, resume, roles, schema, target_database
from .archive import dump_schema, read_section
from .effort import read_efforts
from .large_objects import property_statements
from .pool import Pool
from .trace import CONTROL

KEEP_ALIVE_SECONDS = 30
STEP_UNITS = ("schema", "large object properties", "sequences", "other objects", "settings")
FINISHED = "database"


class DatabaseRun:
    """Carries one database; every step looks at the target's markers first, so it can be run again after any crash."""

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
            self.journal.database(self.database, "done")
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
        self.journal.begin_span(self.database, CONTROL, "catalogue", "step", "definitions from the source", (), 0)
        dump_schema(self.context, self.database, self.snapshot, self.archive_file)
        self.pre_data = read_section(self.context, self.archive_file, "pre-data")
        self.post_data = read_section(self.context, self.archive_file, "post-data")
        entries = [*self.pre_data.entries, *self.post_data.entries]
        roles.join_grantors(self.target, self.roles, schema.grantors(entries), self.journal)
        self.tables = catalogue.read_tables(self.source)
        keys, foreign_keys, rest = plan.split_post_data(self.post_data.entries)
        rest = [entry for entry in self.pre_data.entries if schema.is_table_privilege(entry)] + rest
        texts = {entry.number: schema.target_text(entry, self.roles) for entry in self.post_data.entries}
        self.tick()
        units = plan.table_units(self.tables)
        units += plan.large_object_units(catalogue.read_large_objects(self.source))
        key_units = plan.key_units(keys, self.pre_data.entries, self.tables, texts)
        foreign_key_units = plan.foreign_key_units(foreign_keys, self.pre_data.entries, self.tables, texts)
        refresh_units = self.refresh_units()
        analyze_units = self.analyze_units()
        everything = [*units, *key_units, *foreign_key_units, *refresh_units, *analyze_units]
        self.journal.plan(self.database, [(name, "step", name, 0) for name in STEP_UNITS])
        self.journal.plan(self.database, [(unit.name, unit.kind, unit.label, unit.bytes_total) for unit in everything])
        efforts = read_efforts(self.source, self.tables)
        self.journal.weigh(self.database, efforts.of_units(everything, [*keys, *foreign_keys]))
        self.journal.expect(self.database, efforts.totals)
        self.journal.end_span(CONTROL, "done")
        self.journal.event(
            f"{len(self.tables)} tables, {human_bytes(sum(table.bytes for table in self.tables))}, "
            f"{len(self.pre_data.entries) + len(self.post_data.entries)} schema entries.",
            database=self.database,
        )

        writer = self.create_schema()
        self.start_pool()
        resume.keep_what_is_proven(self, units, [*foreign_keys, *rest], [*refresh_units, *analyze_units])
        copies = [unit for unit in units if unit.kind == "table" and unit.name not in self.done]
        pending_keys = [unit for unit in key_units if unit.name not in self.done]
        self.settle([*units, *key_units])
        self.pool.run(
            plan.batch_small_tables(copies, pending_keys, self.again)
            + [unit for unit in units if unit.kind != "table" and unit.name not in self.done]
        )
        self.step("large object properties", self.set_large_object_properties)
        self.step("sequences", self.set_sequences)
        self.work(foreign_key_units)
        self.step("other objects", lambda: writer.run(rest, keep_going=True))
        self.work(refresh_units)
        about = [entry for entry in self.pre_data.entries if schema.is_about_database(entry)]
        self.step("settings", lambda: writer.run([e for e in about if e.type != "DATABASE"], keep_going=True))
        self.settle(analyze_units)
        self.pool.run(plan.batch_statistics([unit for unit in analyze_units if unit.name not in self.done]))
        schema.revoke_helper_grants(self.target, self.journal, self.database)
        self.report_refusals(writer)
        self.mark(FINISHED)

    def create_schema(self) -> schema.SchemaWriter:
        """Create what must be there before the data."""
        self.begin("schema")
        self.journal.begin_span(self.database, CONTROL, "schema", "step", "schema", (), 0)
        for name, content in schema.session_settings(self.pre_data).items():
            with self.target.cursor() as cursor:
                cursor.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, content))
        writer = schema.SchemaWriter(self.target, self.request.name, self.roles, self.done)
        entries = [entry for entry in self.pre_data.entries if not schema.is_about_database(entry)]
        writer.run([entry for entry in entries if entry.type == "SCHEMA"])
        schema.helper_grants(
            self.source, self.target, [*entries, *self.post_data.entries], self.roles, self.journal, self.database
        )
        writer.run([entry for entry in entries if entry.type != "SCHEMA" and not schema.is_table_privilege(entry)])
        self.journal.finished(self.database, {"schema": (len(entries), None)})
        self.journal.end_span(CONTROL, "done")
        return writer

    def start_pool(self) -> None:
        """Start the workers; they connect after the schema is there, so that none has to digest its creation."""
        strings = self.post_data.standard_conforming_strings
        options = self.context.options
        rate = options.get("max_bytes_per_second")
        order = {
            "request": self.request.as_dict(),
            "secrets": self.request.secrets,
            "database": self.database,
            "snapshot": self.snapshot,
            "runner": str(self.context.sessions.runner),
            "labels": {side: self.context.sessions.label(side, "").rstrip() for side in ("source", "target")},
            "settings": {
                "synchronous_commit": "off",
                "maintenance_work_mem": options["maintenance_work_mem"],
                "standard_conforming_strings": strings,
                "check_function_bodies": "off",
                "client_min_messages": "error",  # see copying.Receiver
            },
            "rate": rate / options["jobs"] if rate else None,
        }
        self.pool = Pool(self.context.engine, options["jobs"], order, self.journal, self.tick, self.context.watch)

    def work(self, units: list) -> None:
        """Let the workers do the units that have no marker yet."""
        self.settle(units)
        self.pool.run([unit for unit in units if unit.name not in self.done])

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
        """Set a marker of the control session."""
        with self.target.cursor() as cursor:
            marker.set_markers(cursor, self.request.name, {unit: None})

    def in_transaction(self, statements: list) -> None:
        """Run statements in one transaction of the control session."""
        with self.target.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                for statement in statements:
                    cursor.execute(statement)
                cursor.execute("COMMIT")
            except BaseException:
                if not self.target.closed:
                    cursor.execute("ROLLBACK")
                raise

    def set_large_object_properties(self) -> None:
        """Give the large objects their owners, privileges and comments."""
        self.in_transaction(property_statements(self.source, self.roles))

    def set_sequences(self) -> None:
        """Put every sequence where the source's stands."""
        self.in_transaction(
            [
                f"SELECT pg_catalog.setval({quote_literal(qualified(space, name))}::regclass, {last}, {str(called).lower()})"
                for space, name, last, called in catalogue.read_sequences(self.source)
            ]
        )

    def refresh_units(self) -> list:
        """Return the units that fill the materialised views, each after those that it reads."""
        return plan.statement_units(
            "materialized_view",
            [
                (
                    f"refresh:{space}.{name}",
                    f"{space}.{name}",
                    size,
                    f"REFRESH MATERIALIZED VIEW {qualified(space, name)}",
                )
                for space, name, size in catalogue.read_materialized_views(self.source)
            ],
            chained=True,
        )

    def analyze_units(self) -> list:
        """Return the units that gather statistics."""
        return plan.statement_units(
            "statistics",
            [
                (f"analyze:{space}.{name}", f"{space}.{name}", size, f"ANALYZE {qualified(space, name)}")
                for space, name, size in catalogue.read_analyzed(self.source)
            ],
        )

    def report_refusals(self, writer: schema.SchemaWriter) -> None:
        """Say which objects the target refused after all the rest has been brought.

        :raises TransferFailed: unless every refusal is harmless
        """
        for entry, message in writer.refused:
            self.journal.event(f"The target refused {entry.label}: {message}", "warning", self.database)
        serious = [(entry, message) for entry, message in writer.refused if not schema.is_tolerated(entry)]
        if serious:
            raise TransferFailed(
                f"Database {self.database}: data and keys have arrived, but the target refused {len(serious)} objects: "
                + "; ".join(f"{entry.label}: {message}" for entry, message in serious[:5]),
                "Put the causes right and run the migration again: only these objects are tried again.",
                {"database": self.database, "refused": [entry.label for entry, _message in serious]},
            )
