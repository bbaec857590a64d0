# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the rows of the source are still those that were verified, told by reading the source alone.

A transaction identifier that moved says only that somebody, somewhere on the server, wrote: another database, or
autovacuum. So the counters of every migrated table are looked at next, and the tables that moved, or of which the
counters cannot tell, are read again and compared with the sums that the report holds.
"""

from __future__ import annotations

import time

from .._core.canonical import digest
from .._core.errors import MigrationError
from .._core.request import Request
from .._postgres.connection import value
from .._postgres.driver import psycopg2
from .._postgres.fingerprint import RowTooLarge, read_columns, row_hash, table_fingerprint, with_expressions
from .client_hash import client_fingerprint, table_query
from .formats import CLIENT, HELPER_SCHEMAS, rests_on_full
from .identity import counters
from .large_objects import read_alike
from .session import open_session, settings, settle
from .tables import Table, read_tables, skip_reason

PASSED, DIFFERS, IMPOSSIBLE = "passed", "differs", "impossible"

LARGE_OBJECTS = "pg_catalog.pg_largeobject"

# What a session reports when it ends arrives within a moment.
COUNTERS_ARRIVE = 1.0  # seconds

# Sessions may keep counters to themselves while they live (up to a minute, before 15 until their next statement), so
# only those that have provably done nothing since are harmless. Server processes without a user are no writers.
BUSY_SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND pid <> ALL (%s::int[]) "
    "AND usesysid IS NOT NULL AND (state IS DISTINCT FROM 'idle' OR state_change IS NULL "
    "OR state_change > %s::timestamptz)"
)


def proof_holds(stored: dict | None, live: dict | None) -> bool:
    """Return whether two write positions prove that no row on the whole server was written between them."""
    if not stored or not live or not stored.get("xmax"):
        return False
    return stored["xmax"] == live.get("xmax") and stored.get("xip") == [] == live.get("xip")


def counters_tell(connection, entry: dict, stored: dict, live: dict, now: dict, own=()) -> bool:
    """Return whether counters that did not move prove that nothing was written to the current database.

    I(own) are process numbers of sessions that are known to write nothing.
    """
    return (
        stored.get("track_counts") == live.get("track_counts") == "on"
        and stored.get("postmaster_start") == live.get("postmaster_start")
        and entry["counters"].get("stats_reset") == now["stats_reset"]
        and value(connection, BUSY_SESSIONS, (list(own), stored["taken_at"])) == 0
    )


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
    time.sleep(COUNTERS_ARRIVE)
    oldest = min(report["source"]["version"], report["target"]["version"])
    for entry in report["databases"]:
        try:
            connection = open_session(request.source, "source", entry["name"], settings(oldest))
            try:
                _database(connection, entry, report, live, result, progress or (lambda line: None))
            finally:
                connection.close()
        except (MigrationError, psycopg2.Error, KeyError, TypeError, ValueError) as error:
            text = " ".join(str(error).split())
            outcome = DIFFERS if result["differences"] else IMPOSSIBLE
            return {**result, "outcome": outcome, "reason": f"database {entry.get('name')}: {text}"}
    if result["differences"]:
        result["outcome"] = DIFFERS
    return result


def _database(connection, entry: dict, report: dict, live: dict, result: dict, progress) -> None:
    before = entry["counters"]["tables"]
    now = counters(connection)
    told = counters_tell(connection, entry, report["source"]["static_proof"], live, now)
    connection.rollback()
    settle(connection, settings(min(report["source"]["version"], report["target"]["version"])))
    tables = read_tables(connection, None, left_out(report))
    known = {(table["schema"], table["table"]): table for table in entry["tables"]}
    skipped = {item["name"] for item in entry["skipped"]}

    def differs(name, sentence):
        result["differences"].append({"database": entry["name"], "object": name, "msg": sentence})

    for key, table in tables.items():
        stored = known.get(key)
        # A materialised view holds nothing that the tables do not hold, a partitioned root nothing but its leaves.
        if table.source["kind"] in "mp" or (stored is None and (skip_reason(table) or table.full_name in skipped)):
            continue
        counter = quoted(connection, key)
        if stored is not None and told and counter in before and before[counter] == now["tables"].get(counter):
            continue
        result["read"] += 1
        progress(f"{entry['name']}: reading {table.full_name} again")
        if stored is None:
            if table_fingerprint(connection, *key, None)[0]:
                differs(table.full_name, "The table was made after the verification and holds rows.")
            continue
        sentence = _table(connection, table, stored)
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


def quoted(connection, key: tuple) -> str:
    """Return the name under which counters keep a table."""
    return value(connection, "SELECT format('%%I.%%I', %s::text, %s::text)", key)


def _table(connection, table: Table, stored: dict) -> str:
    """Return a sentence when the rows are no longer those of the report, else an empty text."""
    key = (table.schema, table.name)
    columns = with_expressions(read_columns(connection, *key), stored["overrides"])
    forms = [tuple(item) for item in stored["forms"]]
    if {name for name, _form in forms} != {column.name for column in columns}:
        return "The table's columns have changed."
    table.forms, table.columns, table.source["condition"] = forms, {"source": columns}, stored["condition"]
    in_client = stored["method"] == CLIENT
    expression = row_hash(forms, columns, stored["prehash"])
    used = table_query(table, "source") if in_client and forms else expression
    if digest(used or "") != stored["expression"][0]:
        return "The types of the table's columns have changed."
    try:
        if in_client:
            found = client_fingerprint(connection, table, "source", stored["raw"])
            count, total = found["count"], found["sum"]
        else:
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
