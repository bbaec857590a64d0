# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: how much there is, how long it will take, and what stands in the way of taking it in parts."""

from __future__ import annotations

from .._core.units import count_of, human_bytes, human_seconds
from .._postgres.quoting import qualified
from .catalogue import USER_SCHEMA, not_of_extension
from .context import SOURCE, TARGET, Context
from .rule import AZURE, Rule, blind, fine, listed, violated

TARGET_DISK_FACTOR = 1.25
LARGEST = 5
HOUR = 3600.0
# The service gives up a migration after a week.
SERVICE_LIFETIME_SECONDS = 7 * 24 * HOUR
# Gigabytes and hours that Microsoft measured on four cores; what lies between goes in a straight line.
SERVICE_PACE = ((1, 1 / 60), (5, 3 / 60), (10, 8 / 60), (50, 35 / 60), (100, 1.0), (500, 4.0), (1000, 7.0))
# Tables above so many megabytes are taken in parts by the service, where a key allows it.
SERVICE_SPLIT_MB = 20480

# Main fork and TOAST of every table; other forks are small, and a hundred thousand tables are asked for.
TABLE_SIZES = f"""
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name,
       pg_catalog.pg_relation_size(c.oid)
       + CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_catalog.pg_relation_size(c.reltoastrelid) END AS bytes
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND {USER_SCHEMA} AND {not_of_extension("pg_class", "c.oid")}
ORDER BY bytes DESC NULLS LAST LIMIT 200
"""

# A single column of a small whole number, unique for every row, is what the service takes a table apart by.
SPLITTABLE = """
SELECT i.indrelid AS oid FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = ANY (%s) AND i.indisunique AND i.indnatts = 1 AND i.indpred IS NULL AND i.indisvalid
AND a.atttypid IN ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype)
"""


def source_bytes(context: Context) -> int:
    """Return the bytes of the databases to be moved, as far as the user may see them."""
    known = context.databases(SOURCE)
    return sum((known.get(database) or {}).get("bytes") or 0 for database in context.request.databases)


def database_size(context: Context, database: str):
    """How large the database is, and what the target's disk needs for it."""
    size = context.databases(SOURCE)[database]["bytes"]
    need = human_bytes(size * TARGET_DISK_FACTOR)
    yield fine(
        database, f"{human_bytes(size)} on the source; plan {need} of disk on the target ({TARGET_DISK_FACTOR} times)"
    )


def disk_needed(context: Context):
    """What all databases together need at the target and on the host that carries the data."""
    total = source_bytes(context)
    estimate = context.estimate()
    runtime = estimate.get("runtime_disk_bytes") if estimate else None
    words = f"; {human_bytes(runtime)} on the runtime server" if runtime else ""
    yield fine(
        context.address(TARGET),
        f"{count_of(len(context.request.databases), 'database')} of {human_bytes(total)} together: "
        f"{human_bytes(total * TARGET_DISK_FACTOR)} on the target's disk{words}",
        expected=f"{human_bytes(total * TARGET_DISK_FACTOR)} free on the target's disk, which SQL cannot tell",
    )


def largest(context: Context, database: str) -> list:
    """Return the largest tables of a source database, see M(TABLE_SIZES): whoever estimates has seen them all already."""
    known = context.estimate().get("largest", {})
    return known[database] if database in known else context.cached_rows(SOURCE, database, TABLE_SIZES)


def largest_tables(context: Context, database: str):
    """Which tables decide how long it takes."""
    rows = [row for row in largest(context, database) if row["bytes"]][:LARGEST]
    if not rows:
        yield fine(database, "no table holds anything")
        return
    total = context.databases(SOURCE)[database]["bytes"] or 1
    names = listed(
        f"{qualified(row['schema'], row['name'])} {human_bytes(row['bytes'])} ({100 * row['bytes'] / total:.0f} %)"
        for row in rows
    )
    yield fine(database, names)


def split_size(context: Context) -> int:
    """Return the bytes above which the service takes a table in parts, as the target is set."""
    set_there = context.server(TARGET).value(
        "SELECT pg_catalog.current_setting('azure.migration_table_split_size', true)"
    )
    digits = "".join(character for character in set_there or "" if character.isdigit())
    return int(digits or SERVICE_SPLIT_MB) << 20


def unsplittable_tables(context: Context, database: str):
    """Every large table has a key by which the service can take it in parts."""
    limit = split_size(context)
    large = [row for row in largest(context, database) if (row["bytes"] or 0) > limit]
    if not large:
        return
    can = {row["oid"] for row in context.rows(SOURCE, database, SPLITTABLE, ([row["oid"] for row in large],))}
    whole = [row for row in large if row["oid"] not in can]
    if whole:
        names = [qualified(row["schema"], row["name"]) for row in whole]
        sizes = listed(f"{name} ({human_bytes(row['bytes'])})" for name, row in zip(names, whole))
        add = " ".join(
            f"ALTER TABLE {name} ADD COLUMN azpg_split bigserial; CREATE UNIQUE INDEX CONCURRENTLY ON {name} (azpg_split);"
            for name in names[:LARGEST]
        )
        yield violated(
            database,
            f"{count_of(len(whole), 'table')} above {human_bytes(limit)} without a unique column of whole numbers: {sizes}; each "
            "is copied by one process alone",
            remedy=f"Accept the time it takes; or, where the application bears a new column, in the source's database {database}: "
            f"{add}",
        )


def service_seconds(size: int) -> float:
    """Return how long Azure's service took for that many bytes in Microsoft's own measurements, in between by proportion."""
    gigabytes = size / 1e9
    (low, begin), (high, end) = SERVICE_PACE[-2:]
    for left, right in zip(SERVICE_PACE, SERVICE_PACE[1:]):
        if gigabytes <= right[0]:
            (low, begin), (high, end) = left, right
            break
    return max(60.0, HOUR * (begin + (gigabytes - low) * (end - begin) / (high - low)))


def duration(context: Context):
    """How long the copy will take."""
    total = source_bytes(context)
    address = "source and target"
    if context.by_service:
        seconds = service_seconds(total)
        found = (
            f"about {human_seconds(seconds)} for {human_bytes(total)}, as Microsoft measured the service with four cores; a "
            "rehearsal tells more"
        )
        if seconds > SERVICE_LIFETIME_SECONDS:
            yield violated(address, f"{found}; the service gives up after {human_seconds(SERVICE_LIFETIME_SECONDS)}")
        else:
            yield fine(address, found)
        return
    estimate = context.estimate()
    if "failure" in estimate:
        yield blind(
            address,
            f"{human_bytes(total)} to copy; how long it takes was not to be seen: {estimate['failure']}",
            remedy="Put right what the message names, or run again when the server is quieter.",
        )
        return
    if not estimate:
        yield fine(address, f"{human_bytes(total)} to copy; no estimate was asked for")
        return
    yield fine(
        address,
        f"about {human_seconds(estimate['seconds'])} ({human_seconds(estimate['seconds_low'])} to "
        f"{human_seconds(estimate['seconds_high'])}), from {'; '.join(estimate['basis'])}",
    )


PRACTICES = (
    "https://learn.microsoft.com/azure/postgresql/migrate/migration-service/best-practices-migration-service-postgresql"
)

RULES = (
    Rule(
        id="database-size",
        title="Size of the database",
        level="database",
        side=SOURCE,
        look=database_size,
        expected=f"{TARGET_DISK_FACTOR} times its size free on the target's disk, which SQL cannot tell",
        remedy="Enlarge the target's disk.",
        documentation=PRACTICES,
        severity="warning",
        needs=("source-database-reachable",),
        each_database=True,
    ),
    Rule(
        id="largest-tables",
        title="The largest tables",
        level="table",
        side=SOURCE,
        look=largest_tables,
        expected="nothing in particular",
        remedy="Take old rows out of the largest tables before the migration.",
        documentation=PRACTICES,
        severity="warning",
        needs=("source-database-reachable",),
        each_database=True,
    ),
    Rule(
        id="service-table-split",
        title="Large tables can be copied in parts by the service",
        level="table",
        side=SOURCE,
        look=unsplittable_tables,
        expected="a unique index on one column of smallint, integer or bigint for every table above the split size",
        remedy="Add a unique column of whole numbers, or accept the time it takes.",
        documentation=PRACTICES,
        clean="every table above the split size has a key to take it apart by",
        severity="warning",
        providers=AZURE,
        needs=("source-database-reachable", "target-reachable"),
        each_database=True,
    ),
    Rule(
        id="disk-needed",
        title="Disk that is needed",
        level="server",
        side=TARGET,
        look=disk_needed,
        expected=f"{TARGET_DISK_FACTOR} times the size of all databases free on the target's disk",
        remedy="Enlarge the target's disk.",
        documentation=PRACTICES,
        severity="warning",
        needs=("source-database-reachable",),
    ),
    Rule(
        id="estimated-duration",
        title="Time that the copy will take",
        level="server",
        side="both",
        look=duration,
        expected=f"less than {human_seconds(SERVICE_LIFETIME_SECONDS)} with the service",
        remedy="Migrate fewer databases at a time, take old data out first, or use a larger target while it lasts.",
        documentation=PRACTICES,
        needs=("source-database-reachable",),
    ),
)
