# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying the content of large objects, which keep their numbers."""

from __future__ import annotations

from .._postgres.connection import transaction
from .._postgres.driver import psycopg2
from . import marker
from .relay import Throttle, relay

SLICE_BYTES = 8 << 20

# The beginnings of all objects of a unit come in one stream of binary rows; one that is longer goes on in slices.
BEGINNINGS = """
COPY (SELECT n.oid, pg_catalog.lo_get(n.oid, 0, {size}) FROM unnest('{{{numbers}}}'::oid[]) AS n(oid))
  TO STDOUT (FORMAT binary)
"""
STAGE = """
CREATE TEMPORARY TABLE azpg_large_object (number oid, content bytea) ON COMMIT DROP;
ALTER TABLE pg_temp.azpg_large_object ALTER content SET STORAGE EXTERNAL;
"""
CREATE = """
SELECT number::bigint, pg_catalog.length(content)
  FROM pg_temp.azpg_large_object, LATERAL (SELECT pg_catalog.lo_from_bytea(number, content)) AS made
"""


def copy_large_objects(source, target, numbers: list, migration: str, unit: str, throttle: Throttle, progress) -> tuple:
    """Carry large objects in one transaction with the unit's marker; memory stays small whatever an object's size.

    :return: C((objects, bytes))
    """
    with source.cursor() as source_cursor, transaction(target) as target_cursor:
        marker.take(target_cursor, migration, [unit])
        long_ones = copy_beginnings(source_cursor, target_cursor, numbers, throttle, progress)
        carried = throttle.carried
        for number, offset in long_ones:
            while True:
                source_cursor.execute(
                    "SELECT pg_catalog.lo_get(%s::oid, %s::bigint, %s)", (number, offset, SLICE_BYTES)
                )
                piece = source_cursor.fetchone()[0]
                if offset == 0:
                    target_cursor.execute("SELECT pg_catalog.lo_from_bytea(%s::oid, %s)", (number, piece))
                elif piece:
                    target_cursor.execute("SELECT pg_catalog.lo_put(%s::oid, %s::bigint, %s)", (number, offset, piece))
                offset += len(piece)
                carried += len(piece)
                throttle.carry(len(piece))
                progress(carried)
                if len(piece) < SLICE_BYTES:
                    break
        marker.set_markers(target_cursor, migration, {unit: len(numbers)})
    return len(numbers), carried


def copy_beginnings(source_cursor, target_cursor, numbers: list, throttle: Throttle, progress) -> list:
    """Carry the first 8 MB of every object at once; return what is left, C([(number, offset)]).

    Who may not create temporary tables on the target has everything left.
    """
    target_cursor.execute("SAVEPOINT stage")
    try:
        target_cursor.execute(STAGE)
    except psycopg2.errors.InsufficientPrivilege:
        target_cursor.execute("ROLLBACK TO SAVEPOINT stage")
        return [(number, 0) for number in numbers]
    copy_out = BEGINNINGS.format(size=SLICE_BYTES, numbers=",".join(map(str, numbers)))
    copy_in = "COPY pg_temp.azpg_large_object FROM STDIN (FORMAT binary)"
    relay(source_cursor, copy_out, target_cursor, copy_in, throttle, progress)
    target_cursor.execute(CREATE)
    return [(number, size) for number, size in target_cursor.fetchall() if size == SLICE_BYTES]


def images(session, first: int, last: int) -> list:
    """Return what the large objects from number I(first) to I(last) hold: C([(number, offset, bytes, SHA-256)]) of slices.

    A large object can be longer than the server reads at once, 1 GB.
    """
    piece = "SELECT pg_catalog.length(p), pg_catalog.sha256(p) FROM pg_catalog.lo_get(%s::oid, %s::bigint, %s) AS p"
    found = []
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT m.oid::bigint, pg_catalog.length(p), pg_catalog.sha256(p) FROM pg_catalog.pg_largeobject_metadata m"
            " CROSS JOIN LATERAL pg_catalog.lo_get(m.oid, 0, %s) AS p WHERE m.oid BETWEEN %s::oid AND %s::oid ORDER BY m.oid",
            (SLICE_BYTES, first, last),
        )
        for number, size, image in cursor.fetchall():
            found.append((number, 0, size, bytes(image)))
            offset = size
            while size == SLICE_BYTES:
                cursor.execute(piece, (number, offset, SLICE_BYTES))
                size, image = cursor.fetchone()
                found.append((number, offset, size, bytes(image)))
                offset += size
    return found
