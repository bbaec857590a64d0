# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of a stream, and tables that they are about, for tests that need no server."""

from __future__ import annotations

import struct

from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.pgoutput import (
    BINARY_VALUE,
    Column,
    Relation,
)
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.tables import Table, TargetColumn

UNCHANGED = object()
OID = 16385


def image(content) -> bytes:
    """Return a value as it comes in a row."""
    if content is UNCHANGED:
        return b"u"
    if content is None:
        return b"n"
    data = str(content).encode()
    return b"b" + struct.pack(">i", len(data)) + data


def sized(content) -> bytes:
    """Return the image of a value with its length in front."""
    return image(content)[1:]


def row(values) -> bytes:
    """Return a row."""
    return struct.pack(">H", len(values)) + b"".join(map(image, values))


def insert(*values, oid: int = OID) -> bytes:
    """Return an INSERT."""
    return b"I" + struct.pack(">I", oid) + b"N" + row(values)


def update(*values, key=None, old=None, oid: int = OID) -> bytes:
    """Return an UPDATE; I(key) is the old key as a row, I(old) the whole old row."""
    before = b"K" + row(key) if key else b"O" + row(old) if old else b""
    return b"U" + struct.pack(">I", oid) + before + b"N" + row(values)


def delete(*values, whole: bool = False, oid: int = OID) -> bytes:
    """Return a DELETE."""
    return b"D" + struct.pack(">I", oid) + (b"O" if whole else b"K") + row(values)


def begin(lsn: int, xid: int = 700) -> bytes:
    """Return that a transaction begins."""
    return b"B" + struct.pack(">QqI", lsn, 0, xid)


def commit(lsn: int) -> bytes:
    """Return that it ends."""
    return b"C" + struct.pack(">BQQq", 0, lsn, lsn + 8, 0)


def streamed(data: bytes, xid: int) -> bytes:
    """Return a message as it comes within a piece of a transaction in progress."""
    return data[:1] + struct.pack(">I", xid) + data[1:]


def piece(xid: int, *messages: bytes, first: bool = False) -> list:
    """Return a piece; messages are C((message, part's xid)) or messages of the transaction itself."""
    inside = [streamed(*one) if isinstance(one, tuple) else streamed(one, xid) for one in messages]
    return [b"S" + struct.pack(">IB", xid, first), *inside, b"E"]


def stream_commit(xid: int, lsn: int) -> bytes:
    """Return that a transaction which came in pieces has committed."""
    return b"c" + struct.pack(">IBQQq", xid, 0, lsn, lsn + 8, 0)


def relation(names: str = "id a b", key: str = "id", identity: str = "d", oid: int = OID) -> Relation:
    """Return a table as the stream describes it."""
    columns = tuple(Column(name, 25, -1, name in key.split()) for name in names.split())
    return Relation(oid, "app", "t", identity, columns)


def described(one: Relation) -> bytes:
    """Return the message that describes a table."""
    content = (
        struct.pack(">I", one.oid) + one.schema.encode() + b"\0" + one.name.encode() + b"\0" + one.identity.encode()
    )
    content += struct.pack(">H", len(one.columns))
    for column in one.columns:
        content += bytes([column.key]) + column.name.encode() + b"\0" + struct.pack(">Ii", column.type_oid, -1)
    return b"R" + content


def target_column(name: str, **words) -> TargetColumn:
    """Return a column of the target."""
    given = {
        "type_oid": 25, "type_text": "text", "type_schema": "pg_catalog", "type_name": "text", "generated": False,
        "identity": "", "toastable": True, "is_root": False, "binary": True, "primary_key": name == "id", **words,
    }  # fmt: skip
    return TargetColumn(name, **given)


def table(one: Relation | None = None, **words) -> Table:
    """Return a table with its counterpart; I(words) go to C(target_column), by column's name."""
    one = one or relation()
    columns = [target_column(column.name, **words.get(column.name, {})) for column in one.columns]
    return Table(one, "app", "t", columns, {})


__all__ = ["BINARY_VALUE"]
