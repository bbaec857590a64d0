# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples: all rows are counted, and the same part of them is compared on both ends, chosen by the hash of the key.

The newest rows, where a copy that missed its last moments shows, are compared in full when the key counts up. Tables
without a key and small ones are compared in full, since a sample of them would cost as much.
"""

from __future__ import annotations

import math

from .._core.canonical import digest
from .._core.errors import InvalidRequest
from .._postgres.driver import psycopg2
from .._postgres.fingerprint import RowTooLarge, guarded, key_hash, row_hash, table_fingerprint
from .._postgres.quoting import qualified, quote_identifier
from .keys import Key, key_forms
from .tables import Table

# Below this size a table is compared in full.
SMALL = 1 << 20
NEWEST = 10_000
MOST_BITS = 20


def sample_bits(fraction: float) -> int:
    """Return b so that a part of 1/2^b of the keys, never less than I(fraction), is compared.

    :raises InvalidRequest: unless 0 < fraction <= 1
    """
    if not 0 < fraction <= 1:
        raise InvalidRequest(f"The sample's fraction is {fraction}.", "Give a number above 0, up to 1, such as 0.01.")
    return min(MOST_BITS, int(math.floor(-math.log2(fraction))))


def chance_to_miss(bits: int) -> dict:
    """Return C({number of bad rows: probability}) that none of so many bad rows is in the sample, as decimal strings."""
    left_out = 1 - 2.0**-bits
    return {str(number): f"{left_out**number:.2g}" for number in (1, 10, 100, 1000, 10_000)}


def summary(bits: int, accepted: bool) -> dict:
    """Return what the report says of its sample."""
    return {
        "fraction": f"1/{1 << bits}",
        "newest_keys": str(NEWEST),
        "full_below_bytes": str(SMALL),
        "chance_to_miss": chance_to_miss(bits),
        "accept_sample": accepted,
    }


def choose(tables: dict, keys: dict, source, bits: int) -> dict:
    """Return C({(schema, table): (key forms, the key from which on rows count as newest, or None)}) of tables to sample.

    The leaves of a partitioned table share the key and the threshold of their root, so that rows which lie in another
    leaf on the target are chosen alike. Tables that are not named are to be compared in full.
    """
    chosen, thresholds = {}, {}
    for name, table in tables.items():
        if table.facts["kind"] not in "rp" or not table.source or table.problem or table.bytes < SMALL or not bits:
            continue
        root = (table.source["root_schema"], table.source["root_name"])
        root = root if root in tables else name
        key = keys.get(root)
        forms = key_forms(key, table.forms) if key else None
        if not forms:
            continue
        if root not in thresholds:
            thresholds[root] = _threshold(source, tables[root], key)
        chosen[name] = (forms, thresholds[root])
    return chosen


def _threshold(connection, table: Table, key: Key) -> int | None:
    if not key.counts_up:
        return None
    only = "" if table.facts["kind"] == "p" else "ONLY "
    sql = f"SELECT pg_catalog.max(t.{quote_identifier(key.columns[0])}) FROM {only}{qualified(table.schema, table.name)} t"
    try:
        highest = guarded(connection, sql, table.full_name)[0][0]
    except (RowTooLarge, psycopg2.Error):
        return None  # what is wrong shows again, and is recorded, when the table itself is read
    return None if highest is None else highest - NEWEST


def sample_fingerprint(session, table: Table, side: str, chosen: tuple | None, bits: int) -> dict:
    """Return C({count, sum, expression, sampled}) of one end: all rows counted, those of the sample summed.

    C(sampled) is the number of rows that were compared, all of them for I(chosen) None; see M(choose).

    :raises RowTooLarge: when a row passes 1 GB; repeat both ends with C(table.prehash)
    """
    columns, condition = table.columns[side], getattr(table, side)["condition"] or ""
    expression = row_hash(table.forms, columns, table.prehash)
    if chosen is None or expression is None:
        count, total = table_fingerprint(session, table.schema, table.name, expression, condition=condition)
        return {"count": count, "sum": total, "expression": digest(expression or ""), "sampled": count}
    forms, newest = chosen
    tests = [f"({key_hash(forms, columns)} & {(1 << bits) - 1}) = 0"]
    tests += [f"t.{quote_identifier(forms[0][0])} > {newest}"] if newest is not None else []
    inside = f"FILTER (WHERE {' OR '.join(tests)})"
    sql = (
        f"SELECT pg_catalog.count(*), pg_catalog.count(*) {inside}, "
        f"coalesce(pg_catalog.sum({expression}) {inside}, 0)::pg_catalog.text "
        f"FROM ONLY {qualified(table.schema, table.name)} t {condition}"
    )
    count, sampled, total = guarded(session, sql, table.full_name)[0]
    return {"count": count, "sum": total, "expression": digest(expression), "sampled": sampled}
