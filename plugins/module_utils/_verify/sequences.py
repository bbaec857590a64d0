# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of sequences: the target must never hand out again what the source has handed out."""

from __future__ import annotations

from .._postgres.connection import rows
from .._postgres.driver import psycopg2
from .._postgres.quoting import qualified

LIST = (
    "SELECT n.nspname AS schema, c.relname AS name, s.seqincrement AS increment, "
    "(SELECT format('SELECT max(%I)::text FROM %I.%I', a.attname, tn.nspname, t.relname) FROM pg_depend d "
    "JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace "
    "JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid "
    "WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass "
    "AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 LIMIT 1) AS owned_maximum "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid "
    "WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
    "AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid "
    "AND e.deptype = 'e') ORDER BY 1, 2"
)


def read_sequences(connection, excluded_schemas=()) -> dict:
    """Return C({schema.name: {last_value, is_called, increment} or {error}}), numbers as decimal strings.

    The sequences themselves are read, not the view pg_sequences, which shows NULL where a right is missing. The
    connection is inside a transaction.
    """
    found = {}
    with connection.cursor() as cursor:
        for row in rows(connection, LIST):
            if row["schema"] in excluded_schemas:
                continue
            name = f"{row['schema']}.{row['name']}"
            cursor.execute("SAVEPOINT azpg_sequence")
            try:
                cursor.execute(f"SELECT last_value::text, is_called FROM {qualified(row['schema'], row['name'])}")
                last, called = cursor.fetchone()
            except psycopg2.Error as error:
                cursor.execute("ROLLBACK TO SAVEPOINT azpg_sequence")
                found[name] = {"error": " ".join(str(error.diag.message_primary or error).split())}
                continue
            cursor.execute("RELEASE SAVEPOINT azpg_sequence")
            found[name] = {"last_value": last, "is_called": called, "increment": str(row["increment"])}
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
