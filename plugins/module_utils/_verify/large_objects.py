# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large objects: contents by fingerprint, owners and access lists by name."""

from __future__ import annotations

import struct
from hashlib import blake2b

from .._postgres.connection import rows, value
from .._postgres.driver import psycopg2
from .._postgres.fingerprint import SEED, RowTooLarge
from .catalogue import acl, role
from .pool import both_ends

# Pieces of one object are hashed one by one from this size on; lo_get() cannot return more than 1 GB at once.
PIECE = 64 * 1024 * 1024

WHOLE = (
    "SELECT count(*) AS count, coalesce(sum(hashint8extended(hash_array_extended("
    f"ARRAY[oidsend(m.oid), lo_get(m.oid)], {SEED}), 1)), 0)::text AS sum FROM pg_largeobject_metadata m"
)
PIECES = (
    "WITH RECURSIVE piece(number, hash, ended) AS ("
    f"SELECT 0::int8, hash_array_extended(ARRAY[p], {SEED}), length(p) < {PIECE} FROM lo_get(%(oid)s, 0, {PIECE}) p UNION ALL "
    f"SELECT number + 1, hashint8extended(hash_array_extended(ARRAY[int8send(hash), p], {SEED}), 1), "
    f"length(p) < {PIECE} FROM piece CROSS JOIN LATERAL lo_get(%(oid)s, (number + 1) * {PIECE}, {PIECE}) p WHERE NOT ended"
    ") SELECT hash::text FROM piece WHERE ended"
)
OWNERS = (
    f"SELECT m.oid::text AS oid, {role('m.lomowner')} AS owner, {acl('m.lomacl', 'L', 'm.lomowner')} AS acl "
    "FROM pg_largeobject_metadata m ORDER BY m.oid"
)


def count_large_objects(connection) -> int:
    """Return how many there are; everybody may know that."""
    return value(connection, "SELECT count(*) FROM pg_largeobject_metadata")


def read_large_objects(connection, counts_only: bool = False, in_pieces: bool = False, hashed_by=None) -> dict:
    """Return C({count, sum, owners} or {count, error}); the sum is a decimal string, empty when only counting.

    C(owners) is C({oid: {owner, acl}}). The connection is inside a transaction.

    :param in_pieces: hash every object piece by piece, for objects of 1 GB and more; both ends must do the same
    :param hashed_by: the function that adds up the hashes, called with a cursor and the object identifiers
    :raises RowTooLarge: when an object needs I(in_pieces)
    """
    result = {"count": count_large_objects(connection), "sum": "", "owners": {}}
    if counts_only:
        return result
    result["owners"] = {row["oid"]: {"owner": row["owner"], "acl": row["acl"]} for row in rows(connection, OWNERS)}
    hashed_by = _in_pieces if in_pieces else hashed_by
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT azpg_large_objects")
        try:
            result["sum"] = hashed_by(cursor, result["owners"]) if hashed_by else rows(connection, WHOLE)[0]["sum"]
        except psycopg2.Error as error:
            cursor.execute("ROLLBACK TO SAVEPOINT azpg_large_objects")
            text = " ".join(str(error.diag.message_primary or error).split())
            if not hashed_by and ("too large" in text or "invalid memory alloc" in text or error.pgcode == "54000"):
                raise RowTooLarge("A large object passes 1 GB.", "Read the objects of both ends in pieces.") from error
            result["error"] = text
            return result
        cursor.execute("RELEASE SAVEPOINT azpg_large_objects")
    return result


def _in_pieces(cursor, objects) -> str:
    total = 0
    for oid in objects:
        cursor.execute(PIECES, {"oid": int(oid)})
        cursor.execute(
            "SELECT hashint8extended(hash_array_extended(ARRAY[oidsend(%s::oid), int8send(%s::int8)], %s), 1)",
            (oid, cursor.fetchone()[0], SEED),
        )
        total += cursor.fetchone()[0]
    return str(total)


def read_alike(method: str, *ends, counts_only: bool = False) -> tuple:
    """Return what M(read_large_objects) gives for each of the sessions I(ends), read in the same way.

    :param method: C(server), or C(client) to hash the contents here
    """
    if method == "client":
        return _at_once(ends, counts_only, client_large_objects)
    try:
        return _at_once(ends, counts_only, None)
    except RowTooLarge:
        return _at_once(ends, counts_only, _in_pieces)


def _at_once(ends: tuple, counts_only: bool, hashed_by) -> tuple:
    found = both_ends(
        lambda number: read_large_objects(ends[number], counts_only, hashed_by=hashed_by), range(len(ends))
    )
    return tuple(found[number] for number in range(len(ends)))


def client_large_objects(cursor, oids) -> str:
    """Return the sum of hashes of large objects, computed here from pieces, as a decimal string."""
    total = 0
    for oid in oids:
        state = blake2b(digest_size=16, usedforsecurity=False)
        state.update(struct.pack("!Q", int(oid)))
        offset, size = 0, PIECE
        while size == PIECE:
            cursor.execute("SELECT pg_catalog.lo_get(%s::pg_catalog.oid, %s, %s)", (oid, offset, PIECE))
            piece = bytes(cursor.fetchone()[0])
            state.update(piece)
            size = len(piece)
            offset += size
        total += int.from_bytes(state.digest(), "big")
    return str(total % (1 << 128))


def compare_large_objects(source: dict, target: dict) -> tuple:
    """Return C((verdict, msg)) for the contents; owners are compared by C(parity.compare_owned)."""
    if source["count"] != target["count"]:
        return "MISMATCH", f"The source has {source['count']} large objects, the target {target['count']}."
    for side, end in (("source", source), ("target", target)):
        if "error" in end:
            return "INCOMPLETE", f"The {side} does not show its large objects: {end['error']}."
    if source["sum"] != target["sum"]:
        return "MISMATCH", "The contents or numbers of large objects differ."
    return "MATCH", ""
