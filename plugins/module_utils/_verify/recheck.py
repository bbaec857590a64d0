# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the rows of the source are still those that were verified, told by reading the source alone.

A transaction identifier that moved says only that somebody, somewhere on the server, wrote: another database, or
autovacuum. So the counters of every migrated table are looked at next, and the tables that moved, or of which the
counters cannot tell, are read again and compared with the sums that the report holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .._core.canonical import digest
from .._core.errors import MigrationError
from .._core.request import Request
from .._postgres.connection import connect, quiet_settings
from .._postgres.driver import psycopg2
from .._postgres.fingerprint import RowTooLarge, read_all_columns, row_hash, table_fingerprint, with_expressions
from .arrival import await_counters, counters_tell, moment
from .client_hash import client_fingerprint, table_query
from .formats import CLIENT, HELPER_SCHEMAS, rests_on_full
from .identity import counter_names, counters
from .large_objects import read_alike
from .session import open_session, settings, settle
from .tables import Table, read_tables, skip_reason

PASSED, DIFFERS, IMPOSSIBLE = "passed", "differs", "impossible"

LARGE_OBJECTS = "pg_catalog.pg_largeobject"


def proof_holds(stored: dict | None, live: dict | None) -> bool:
    """Return whether two write positions prove that no row on the whole server was written between them."""
    if not stored or not live or not stored.get("xmax"):
        return False
    return stored["xmax"] == live.get("xmax") and stored.get("xip") == [] == live.get("xip")


def recheck(request: Request, report: dict, live: dict, progress=None) -> dict:
    """Compare the source's rows with the report's sums where they may have changed.

    Return C({outcome, read, differences, reason}): the outcome is C(passed), C(differs) or C(impossible); C(read) is
    the number of tables that were read again; C(differences) names tables with a sentence each.

    :param live: the source's write position now
    """
    result = {"outcome": PASSED, "read": 0, "differences": [], "reason": ""}
    if not rests_on_full(report):
        reason = f"a report of mode {report.get('mode')!r} does not hold the sums of all rows"
        return {**result, "outcome": IMPOSSIBLE, "reason": reason}
    name = request.databases[0]
    try:
        oldest = min(report["source"]["version"], report["target"]["version"])
        active = _activity(request, report)
        for entry in report["databases"]:
            name = entry["name"]
            connection = open_session(request.source, "source", name, settings(oldest))
            try:
                told = _Counters(counters(connection), live, active.get(name))
                _database(connection, entry, report, told, result, progress or (lambda line: None))
            finally:
                connection.close()
    except (MigrationError, psycopg2.Error, KeyError, TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        outcome = DIFFERS if result["differences"] else IMPOSSIBLE
        return {**result, "outcome": outcome, "reason": f"database {name}: {text}"}
    if result["differences"]:
        result["outcome"] = DIFFERS
    return result


def _activity(request: Request, report: dict) -> dict:
    """Return when sessions on the source did something last, having waited for counters; see M(await_counters)."""
    since = moment(report["source"]["static_proof"].get("taken_at"))
    dbname = request.source.dbname or request.databases[0]
    connection = connect(request.source, "source", dbname, settings=quiet_settings())
    try:
        return await_counters(connection, request.databases, since)
    finally:
        connection.close()


@dataclass(frozen=True)
class _Counters:
    """The counters of one database now, with what tells their worth: see M(counters_tell)."""

    now: dict
    live: dict
    last: datetime | None


def _database(connection, entry: dict, report: dict, found: _Counters, result: dict, progress) -> None:
    before, now = entry["counters"]["tables"], found.now
    told = counters_tell(entry, report["source"]["static_proof"], found.live, now, found.last)
    connection.rollback()
    settle(connection, settings(min(report["source"]["version"], report["target"]["version"])))
    tables = read_tables(connection, None, left_out(report))
    columns = read_all_columns(connection)
    names = counter_names(connection, list(tables))
    known = {(table["schema"], table["table"]): table for table in entry["tables"]}
    skipped = {item["name"] for item in entry["skipped"]}

    def differs(name, sentence):
        result["differences"].append({"database": entry["name"], "object": name, "msg": sentence})

    for key, table in tables.items():
        stored = known.get(key)
        # A materialised view holds nothing that the tables do not hold, a partitioned root nothing but its leaves.
        if table.source["kind"] in "mp" or (stored is None and (skip_reason(table) or table.full_name in skipped)):
            continue
        if stored is not None:
            sentence, expression = _definition(table, stored, columns.get(key, []))
            if sentence:  # of a column that was added or dropped counters say nothing
                differs(table.full_name, sentence)
                continue
            counter = names[key]
            if told and counter in before and before[counter] == now["tables"].get(counter):
                continue
        result["read"] += 1
        progress(f"{entry['name']}: reading {table.full_name} again")
        if stored is None:
            if table_fingerprint(connection, *key, None)[0]:
                differs(table.full_name, "The table was made after the verification and holds rows.")
            continue
        sentence = _rows(connection, table, stored, expression)
        if sentence:
            differs(table.full_name, sentence)
    for key, stored in known.items():
        if key not in tables and stored["rows"][0] not in ("", "0"):
            differs(stored["name"], "The table is gone.")
    if not told or before.get(LARGE_OBJECTS) != now["tables"].get(LARGE_OBJECTS):
        _large_objects(connection, entry, differs)


def left_out(report: dict | None) -> set:
    """Return the schemas that a report left out."""
    found = [item["what"] for item in (report or {}).get("excluded") or []]
    return {*HELPER_SCHEMAS, *(what.partition(" ")[2] for what in found if what.startswith("schema "))}


def _definition(table: Table, stored: dict, columns: list) -> tuple:
    """Return C((sentence, expression)): what of the columns is no longer as in the report, or how to read the rows."""
    columns = with_expressions(columns, stored["overrides"])
    forms = [tuple(item) for item in stored["forms"]]
    if {name for name, _form in forms} != {column.name for column in columns}:
        return "The table's columns have changed.", None
    table.forms, table.columns, table.source["condition"] = forms, {"source": columns}, stored["condition"]
    expression = row_hash(forms, columns, stored["prehash"])
    used = table_query(table, "source") if stored["method"] == CLIENT and forms else expression
    if digest(used or "") != stored["expression"][0]:
        return "The types of the table's columns have changed.", None
    return "", expression


def _rows(connection, table: Table, stored: dict, expression: str | None) -> str:
    """Return a sentence when the rows are no longer those of the report, else an empty text."""
    try:
        if stored["method"] == CLIENT:
            found = client_fingerprint(connection, table, "source", stored["raw"])
            count, total = found["count"], found["sum"]
        else:
            key = (table.schema, table.name)
            count, total = table_fingerprint(connection, *key, expression, condition=stored["condition"])
    except RowTooLarge:
        return "A row has grown beyond 1 GB."
    if str(count) != stored["rows"][0]:
        return f"The table had {stored['rows'][0]} rows when it was verified and has {count} now."
    return "" if total == stored["sum"][0] else "The contents of rows have changed."


def _large_objects(connection, entry: dict, differs) -> None:
    stored = entry["large_objects"]["source"]
    now = read_alike(entry["large_objects"]["method"], connection)[0]
    if "error" in now:
        raise ValueError(f"large objects cannot be read: {now['error']}")
    if (now["count"], now["sum"]) != (stored["count"], stored["sum"]):
        differs("large objects", f"There were {stored['count']} when they were verified; now they are others.")
