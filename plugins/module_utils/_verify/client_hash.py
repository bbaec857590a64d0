# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints computed here instead of in the servers, from COPY streams.

They are for servers whose hash functions are missing (10 and older) or are other ones (another byte order), and for
tables whose text the server cannot convert to UTF-8. All rows travel over the network, so this is the last resort;
both ends of a table are always read in the same way. A row is hashed to 128 bits from its binary COPY image, which is
made of the same send images that the servers hash.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Callable

from .._core.canonical import digest
from .._core.errors import MigrationError
from .._postgres.driver import psycopg2
from .._postgres.fingerprint import operand, table_fingerprint
from .._postgres.quoting import qualified
from .tables import Table

MODULUS = 1 << 128

# https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
SIGNATURE = b"PGCOPY\n\xff\r\n\x00"

SHORT, LONG = struct.Struct("!h").unpack_from, struct.Struct("!i").unpack_from

PERSON = b"azpg.migrate"


class StreamBroken(MigrationError):
    """A COPY stream is not what the format says, or ended early."""

    code = "copy-stream-broken"


def row_digest(image: bytes) -> int:
    """Return the 128-bit hash of a row's binary COPY image."""
    return int.from_bytes(blake2b(image, digest_size=16, person=PERSON, usedforsecurity=False).digest(), "big")


def short_digest(parts: list) -> int:
    """Return a signed 64-bit hash of I(parts), bytes or None each; None differs from empty bytes."""
    state = blake2b(digest_size=8, person=PERSON, usedforsecurity=False)
    for part in parts:
        state.update(b"\x00" if part is None else b"\x01" + struct.pack("!q", len(part)))
        state.update(part or b"")
    return int.from_bytes(state.digest(), "big", signed=True)


class BinaryRows:
    """A file for C(copy_expert) that takes binary COPY data apart, however it is cut, and holds one row at a time.

    I(consume) is called per row as C(consume(image, fields)): the row's bytes without the number of its fields, and
    (only with I(with_fields), else None) the fields, bytes or None each.
    """

    def __init__(self, consume: Callable, with_fields: bool = False):
        self.consume, self.with_fields = consume, with_fields
        self.rest = b""
        self.begun = self.ended = False

    def write(self, data: bytes) -> int:
        """Take the next piece of the stream."""
        buffer = self.rest + data if self.rest else data
        position = 0
        if not self.begun:
            position = self._header(buffer)
        while self.begun and not self.ended and position < len(buffer):
            end = self._row(buffer, position)
            if end is None:
                break
            position = end
        if self.ended and position < len(buffer):
            raise StreamBroken("A COPY stream goes on after its end.")
        self.rest = buffer[position:]
        return len(data)

    def finish(self) -> None:
        """Say that the stream is over.

        :raises StreamBroken: when its trailer did not come
        """
        if not self.ended or self.rest:
            raise StreamBroken("A COPY stream ended early.", "Verify again; look at the server's log if it goes on.")

    def _header(self, buffer: bytes) -> int:
        if len(buffer) < 19:
            return 0
        if buffer[:11] != SIGNATURE:
            raise StreamBroken("A COPY stream does not begin with the binary format's signature.")
        (extension,) = LONG(buffer, 15)
        if len(buffer) < 19 + extension:
            return 0
        self.begun = True
        return 19 + extension

    def _row(self, buffer: bytes, start: int):
        """Consume the row at I(start) and return where it ends, or None while it is not whole."""
        size = len(buffer)
        if size - start < 2:
            return None
        (count,) = SHORT(buffer, start)
        position = start + 2
        if count == -1:
            self.ended = True
            return position
        if count < 0:
            raise StreamBroken(f"A row of a COPY stream has {count} fields.")
        fields = [] if self.with_fields else None
        for _number in range(count):
            if size < position + 4:
                return None
            length = LONG(buffer, position)[0]
            position += 4
            if length > 0:
                position += length
                if size < position:
                    return None
            if fields is not None:
                fields.append(None if length < 0 else buffer[position - length : position])
        self.consume(buffer[start + 2 : position], fields)
        return position


def copy_query(items: list, relation: str, condition: str = "") -> str:
    """Return the COPY command for the SQL expressions I(items) over I(relation), alias C(t)."""
    return f"COPY (SELECT {', '.join(items)} FROM {relation} t {condition}) TO STDOUT (FORMAT binary)"


def operands(table: Table, side: str) -> list:
    """Return the SQL of all columns of I(table), in the order and form that both ends share."""
    known = {column.name: column for column in table.columns[side]}
    return [operand(form, known[name]) for name, form in table.forms]


def table_query(table: Table, side: str) -> str:
    """Return the COPY command that reads the whole of I(table), without child tables."""
    relation = f"ONLY {qualified(table.schema, table.name)}"
    return copy_query(operands(table, side), relation, getattr(table, side)["condition"] or "")


def stream(connection, sql: str, rows: BinaryRows, raw: bool = False) -> None:
    """Run the COPY command I(sql) into I(rows); inside a transaction an error leaves it usable.

    :param raw: take text as the server keeps it, unconverted; only if both ends have the same encoding
    :raises StreamBroken: when the stream is not whole
    :raises psycopg2.Error: what the server says
    """
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT azpg_stream")
        try:
            if raw:
                cursor.execute("SET LOCAL client_encoding = 'SQL_ASCII'")
            cursor.copy_expert(sql, rows)
        except psycopg2.Error:
            if not connection.closed:
                cursor.execute("ROLLBACK TO SAVEPOINT azpg_stream")
            raise
        # Not released: going back undoes the change of the encoding, and nothing was written.
        cursor.execute("ROLLBACK TO SAVEPOINT azpg_stream")
    rows.finish()


def same_encoding(source, target) -> bool:
    """Return whether two sessions are of databases with the same encoding."""
    return source.get_parameter_status("server_encoding") == target.get_parameter_status("server_encoding")


def client_fingerprint(connection, table: Table, side: str, raw: bool = False) -> dict:
    """Return C({count, sum, expression, method}) of one end; the sum, modulo 2^128, is a decimal string.

    Memory does not grow with the table: one row is held at a time.
    """
    method = {"method": "client", "raw": raw}
    condition = getattr(table, side)["condition"] or ""
    if not table.forms:
        count, total = table_fingerprint(connection, table.schema, table.name, None, condition=condition)
        return {"count": count, "sum": total, "expression": digest(""), **method}
    state = [0, 0]

    def consume(image: bytes, _fields) -> None:
        state[0] += 1
        state[1] += row_digest(image)

    sql = table_query(table, side)
    stream(connection, sql, BinaryRows(consume), raw)
    return {"count": state[0], "sum": str(state[1] % MODULUS), "expression": digest(sql), **method}
