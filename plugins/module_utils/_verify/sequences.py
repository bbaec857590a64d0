# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of sequences: the target must never hand out again what the source has handed out."""

from __future__ import annotations

from .._postgres.connection import rows
from .._postgres.driver import psycopg2
from .._postgres.fingerprint import guarded
from .._postgres.quoting import qualified, quote_identifier, quote_literal
from .findings import WARNING, finding

# Sequences that are read in one call.
TOGETHER = 200
BY_COLUMN = 50

# Sequences that feed a column of integers that leads an index, so that its highest value is found at once.
FEEDING = (
    "SELECT n.nspname AS schema, c.relname AS name, s.seqincrement AS increment, tn.nspname AS table_schema, "
    "tc.relname AS table_name, a.attname AS column_name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_sequence s ON s.seqrelid = c.oid JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid "
    "AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 "
    "JOIN pg_class tc ON tc.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = tc.relnamespace "
    "JOIN pg_attribute a ON a.attrelid = tc.oid AND a.attnum = d.refobjsubid "
    "WHERE c.relkind = 'S' AND NOT s.seqcycle AND a.atttypid IN (20, 21, 23) AND n.nspname !~ '^pg_' "
    "AND EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam "
    "WHERE i.indrelid = tc.oid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree') "
    "ORDER BY 1, 2"
)

LIST = (
    "SELECT n.nspname AS schema, c.relname AS name, {increment} AS increment "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace {joined} "
    "WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
    "AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid "
    "AND e.deptype = 'e') ORDER BY 1, 2"
)


def read_sequences(connection, excluded_schemas=()) -> dict:
    """Return C({schema.name: {last_value, is_called, increment} or {error}}), numbers as decimal strings.

    The sequences themselves are read, not the view pg_sequences, which shows NULL where a right is missing. The
    connection is inside a transaction.
    """
    words = {"increment": "s.seqincrement", "joined": "JOIN pg_sequence s ON s.seqrelid = c.oid"}
    if connection.server_version < 100000:
        words = {"increment": "s.increment", "joined": "CROSS JOIN LATERAL pg_sequence_parameters(c.oid) s"}
    listed = [row for row in rows(connection, LIST.format(**words)) if row["schema"] not in excluded_schemas]
    found = {}
    for start in range(0, len(listed), TOGETHER):
        found.update(_values(connection, listed[start : start + TOGETHER]))
    return found


def _values(connection, listed: list) -> dict:
    """Read the values of some sequences in one call; when that fails, one by one, to tell whose fault it is."""
    queries = [
        f"SELECT {number}, last_value::text, is_called FROM {qualified(row['schema'], row['name'])}"
        for number, row in enumerate(listed)
    ]
    try:
        values = {number: item for number, *item in guarded(connection, " UNION ALL ".join(queries), "a sequence")}
    except psycopg2.Error as error:
        if len(listed) > 1:
            return {name: item for row in listed for name, item in _values(connection, [row]).items()}
        text = " ".join(str(error.diag.message_primary or error).split())
        return {f"{listed[0]['schema']}.{listed[0]['name']}": {"error": text}}
    return {
        f"{row['schema']}.{row['name']}": {
            "last_value": values[number][0],
            "is_called": values[number][1],
            "increment": str(row["increment"]),
        }
        for number, row in enumerate(listed)
    }


def behind_columns(connection, sequences: dict) -> list:
    """Return a warning for each sequence whose next value the column that it feeds holds already, or has passed.

    An INSERT that takes its number from it fails on a unique column then. The connection is inside a transaction.

    :param sequences: what M(read_sequences) returned of this end
    """
    listed = [row for row in rows(connection, FEEDING) if "error" not in sequences.get(_name(row), {"error": ""})]
    findings = []
    for start in range(0, len(listed), BY_COLUMN):
        findings += _passed(connection, listed[start : start + BY_COLUMN], sequences)
    return findings


def _name(row: dict) -> str:
    return f"{row['schema']}.{row['name']}"


def _passed(connection, listed: list, sequences: dict) -> list:
    queries = [
        f"SELECT {number}, pg_catalog.{'max' if row['increment'] > 0 else 'min'}({quote_identifier(row['column_name'])}) "
        f"FROM {qualified(row['table_schema'], row['table_name'])}"
        for number, row in enumerate(listed)
    ]
    try:
        extremes = dict(guarded(connection, " UNION ALL ".join(queries), "a column"))
    except psycopg2.Error:
        # What may not be read is said, and counted, where the table itself is read.
        return [item for row in listed for item in _passed(connection, [row], sequences)] if len(listed) > 1 else []
    found = []
    for number, row in enumerate(listed):
        following, extreme = next_value(sequences[_name(row)]), extremes[number]
        if extreme is None or (extreme < following if row["increment"] > 0 else extreme > following):
            continue
        column = f"{row['table_schema']}.{row['table_name']}.{row['column_name']}"
        found.append(
            finding(
                WARNING,
                "sequence-behind-column",
                "sequence",
                _name(row),
                f"The next value of the sequence on the target is {following}, and column {column} goes to {extreme} already.",
                remedy=f"SELECT setval({quote_literal(qualified(row['schema'], row['name'])).strip()}, {extreme}) on the target, "
                "unless the source has it so.",
            )
        )
    return found


def next_value(item: dict) -> int:
    """Return what nextval() would give, leaving bounds aside."""
    return int(item["last_value"]) + (int(item["increment"]) if item["is_called"] else 0)


def is_behind(source: dict, target: dict) -> bool:
    """Return whether the target would hand out a value that the source has handed out, whatever the direction."""
    left, right = next_value(source), next_value(target)
    return right > left if int(source["increment"]) < 0 else right < left


def compare_sequences(source: dict, target: dict) -> list:
    """Return one entry per sequence of either end: C({name, source, target, verdict, msg}).

    C(verdict) is MATCH, AHEAD (the target has gone on, which is right after the switch-over), MISMATCH or INCOMPLETE.
    """
    entries = []
    for name in sorted(set(source) | set(target)):
        left, right = source.get(name), target.get(name)
        verdict, msg = "MATCH", ""
        if left is None or right is None:
            verdict, msg = "MISMATCH", f"The sequence exists only on the {'source' if left else 'target'}."
        elif "error" in left or "error" in right:
            side = "source" if "error" in left else "target"
            verdict, msg = (
                "INCOMPLETE",
                f"The {side} does not show its value: {(left if side == 'source' else right)['error']}",
            )
        elif is_behind(left, right):
            verdict = "MISMATCH"
            msg = f"The target's next value {next_value(right)} is behind the source's {next_value(left)}."
        elif next_value(left) != next_value(right):
            verdict, msg = "AHEAD", f"The target's next value is {next_value(right)}, the source's {next_value(left)}."
        entries.append({"name": name, "source": left, "target": right, "verdict": verdict, "msg": msg})
    return entries
