# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the control session does around the rows: sequences, properties of large objects, checks, comments, remarks."""

from __future__ import annotations

import itertools

from .._core.errors import TransferFailed
from .._postgres.connection import transaction
from .._postgres.quoting import qualified, quote_literal
from . import catalogue, deferred_checks, effort, extension_tables, plan, remarks, schema
from .contents import CLASS_RELATION
from .large_objects import property_statements

OBJECTS_AT_ONCE = 500  # each takes a place in the target's lock table until the transaction ends


def set_large_object_properties(run) -> None:
    """Give the large objects their owners, privileges and comments."""
    objects = property_statements(run.source, run.roles)
    for start in range(0, len(objects), OBJECTS_AT_ONCE):
        with transaction(run.target) as cursor:
            for statement in itertools.chain.from_iterable(objects[start : start + OBJECTS_AT_ONCE]):
                cursor.execute(statement)
        run.tick()


def set_sequences(run, margin: int = 0) -> None:
    """Put every sequence where the source's stands; one that is in use I(margin) steps further, if it has so many left."""
    names, numbers, called = [], [], []
    sequences = catalogue.read_sequences(run.source) if run.sequences is None else run.sequences
    for space, name, last_value, is_called in sequences:
        names.append(qualified(space, name))
        numbers.append(last_value)
        called.append(is_called)
    with run.target.cursor() as cursor:
        cursor.execute(
            "SELECT pg_catalog.count(pg_catalog.setval(s.name::pg_catalog.regclass, CASE WHEN s.called"
            " AND s.number + %s::numeric * q.seqincrement BETWEEN q.seqmin AND q.seqmax"
            " THEN s.number + %s * q.seqincrement ELSE s.number END, s.called))"
            " FROM unnest(%s::text[], %s::bigint[], %s::boolean[]) AS s(name, number, called)"
            " JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.name::pg_catalog.regclass",
            (margin, margin, names, numbers, called),
        )


def carry_extension_tables(run) -> None:
    """Carry the users' rows of extensions' configuration tables."""
    for warning in extension_tables.carry_extension_tables(run.source, run.target):
        run.journal.event(warning, "warning", run.database)


def comment_on_multiranges(run) -> None:
    """Set the comments on multirange types, which pg_dump leaves out as it does not create these types."""
    with transaction(run.target) as cursor:
        for space, name, text in catalogue.read_multirange_comments(run.source):
            cursor.execute(f"COMMENT ON TYPE {qualified(space, name)} IS {quote_literal(text)}")


def restore_checks(run, writer: schema.SchemaWriter) -> None:
    """Put back the constraints that waited for all rows."""
    for warning in deferred_checks.restore_checks(writer, run.checks, run.search_path):
        run.journal.event(warning, "warning", run.database)


def refresh_units(run) -> list:
    """Return the units that fill the materialised views, each after those that it reads."""
    views = catalogue.read_materialized_views(run.source)
    units = plan.statement_units(
        "materialized_view",
        [
            (
                f"refresh:{space}.{name}",
                f"{space}.{name}",
                size,
                # As the owner sees the rows, whatever the policies of the tables say.
                f"SET LOCAL row_security = on; REFRESH MATERIALIZED VIEW {qualified(space, name)}",
            )
            for space, name, size, _oid in views
        ],
        chained=True,
    )
    for unit, (space, _name, _size, oid) in zip(units, views):
        maintains(run, unit, space, oid)
        unit.weight = effort.view_work(unit.weight)
    return units


def statistics_unit(run, relation) -> plan.Unit:
    """Return the unit that gathers statistics of a relation (see M(catalogue.read_analyzed))."""
    unit = plan.statistics_unit(relation, effort.statistics_work(relation.bytes))
    maintains(run, unit, relation.schema, relation.oid)
    return unit


def maintains(run, unit, schema_name: str, oid: int) -> None:
    """Let a unit fail without an end to the migration, and know which functions may need a search path."""
    functions = run.functions.get((CLASS_RELATION, oid), ())
    unit.task.update(dispensable=True, schema=schema_name, functions=functions)


def name_failures(run, answers: dict, units: list, what: str) -> None:
    """Name what failed of units that may, since a server is out of reach, say."""
    labels = {unit.name: unit.label for unit in units}
    for name, answer in answers.items():
        if answer.get("warning"):
            subject = labels.get(name, name)
            sentence = f"{subject} {what}: {answer['warning']} Put the cause right and repeat this on the target."
            run.journal.event(sentence, "warning", run.database)


def report(run, writer: schema.SchemaWriter) -> None:
    """Say what has not been brought, and which objects the target refused after all the rest had been.

    :raises TransferFailed: unless every refusal is harmless
    """
    for sentence in [*remarks.read_remarks(run.source), *remarks.left_out_for_roles(run.roles.left_out)]:
        run.journal.event(sentence, "warning", run.database)
    run.roles.left_out.clear()
    for entry, message in writer.left_out:
        run.journal.event(f"{entry.label} is not on the target: {message}", "warning", run.database)
    for entry, message in writer.refused:
        run.journal.event(f"The target refused {entry.label}: {message}", "warning", run.database)
    serious = writer.refused
    if serious:
        raise TransferFailed(
            f"Database {run.database}: data and keys have arrived, but the target refused {len(serious)} objects: "
            + "; ".join(f"{entry.label}: {message}" for entry, message in serious[:5]),
            "Put the causes right and run the migration again: only these objects are tried again.",
            {"database": run.database, "refused": [entry.label for entry, _message in serious]},
        )
