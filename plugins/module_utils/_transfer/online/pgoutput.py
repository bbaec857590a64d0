# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages of PostgreSQL's own output plugin C(pgoutput), protocol versions 1 to 4, as types.

Rows stay as they came: a value is its image, text or binary as the stream was asked for, with its length of four bytes
in front, which is how a binary COPY wants it. M(values) takes a row apart; everything else is parsed whole by M(parse).
Positions in the source's log are integers, moments are seconds since 1970.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

# The first byte of each message.
BEGIN, COMMIT, ORIGIN, RELATION, TYPE = (ord(letter) for letter in "BCORY")
INSERT, UPDATE, DELETE, TRUNCATE, MESSAGE = (ord(letter) for letter in "IUDTM")
STREAM_START, STREAM_STOP, STREAM_COMMIT, STREAM_ABORT, STREAM_PREPARE = (ord(letter) for letter in "SEcAp")
BEGIN_PREPARE, PREPARE, COMMIT_PREPARED, ROLLBACK_PREPARED = (ord(letter) for letter in "bPKr")
# Of these a transaction is made, and within a streamed one each tells which transaction it belongs to.
CONTENT = frozenset((INSERT, UPDATE, DELETE, TRUNCATE, MESSAGE, RELATION, TYPE))

# Within a row: what an image is, or that there is none.
NULL_VALUE, UNCHANGED_VALUE, TEXT_VALUE, BINARY_VALUE = (ord(letter) for letter in "nutb")
# What an UPDATE or DELETE says of the row as it was: its key, or all of it.
NEW_ROW, OLD_KEY, OLD_ROW = (ord(letter) for letter in "NKO")
NULL = b"\xff\xff\xff\xff"  # a length of -1

# Where the rows of INSERT, DELETE, and of an UPDATE that says nothing of the old one begin: after message, relation, kind.
ROW = 6
FIRST_VALUE = ROW + 2  # and its first value, after the number of values

EPOCH = 946684800  # the server counts microseconds from the year 2000
TRUNCATE_CASCADE, TRUNCATE_RESTART = 1, 2
MESSAGE_TRANSACTIONAL = 1

_BEGIN = struct.Struct(">QqI")
_COMMIT = struct.Struct(">BQQq")
_COLUMN = struct.Struct(">Ii")
_STREAM_COMMIT = struct.Struct(">IBQQq")
# For who wants no types: C((final LSN, microseconds, xid)) and C((flags, commit LSN, end LSN, microseconds)).
BEGIN_FIELDS, COMMIT_FIELDS = _BEGIN.unpack_from, _COMMIT.unpack_from
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_I64 = struct.Struct(">q")


class StreamError(Exception):
    """The stream is not what the protocol says; nothing of it may be applied."""


class Begin(NamedTuple):
    """A transaction begins; I(final_lsn) is the position of its commit, I(xid) its number."""

    final_lsn: int
    committed_at: float
    xid: int


class Commit(NamedTuple):
    """A transaction has been sent whole; I(end_lsn) is the position after its commit."""

    commit_lsn: int
    end_lsn: int
    committed_at: float


class Origin(NamedTuple):
    """What follows came to the source from another server, by replication."""

    lsn: int
    name: str


class Column(NamedTuple):
    """A column as the source has it; I(key) says that it belongs to the replica identity."""

    name: str
    type_oid: int
    type_modifier: int
    key: bool


class Relation(NamedTuple):
    """A table as it is from here on; I(identity) is C(d), C(n), C(f) or C(i) as in the catalogue."""

    oid: int
    schema: str
    name: str
    identity: str
    columns: tuple


class Type(NamedTuple):
    """The name of a type that is not built in."""

    oid: int
    schema: str
    name: str


class Truncate(NamedTuple):
    """Tables were emptied."""

    relations: tuple
    cascade: bool
    restart_identity: bool


class Message(NamedTuple):
    """Somebody called C(pg_logical_emit_message)."""

    transactional: bool
    lsn: int
    prefix: str
    content: bytes


class Change(NamedTuple):
    """A changed row: I(old) is the row before as far as it is told, I(new) the row after; lists as of M(values).

    I(old_kind) is OLD_KEY, OLD_ROW or None.
    """

    kind: int
    relation: int
    old_kind: int | None
    old: list | None
    new: list | None


class StreamStart(NamedTuple):
    """A piece of a transaction in progress follows; I(first) marks its first one."""

    xid: int
    first: bool


class StreamStop(NamedTuple):
    """The piece ends."""


class StreamCommit(NamedTuple):
    """A transaction that was sent in pieces has committed."""

    xid: int
    commit_lsn: int
    end_lsn: int
    committed_at: float


class StreamAbort(NamedTuple):
    """A transaction that is sent in pieces, or the part I(subxid) of it, is taken back."""

    xid: int
    subxid: int


class Prepared(NamedTuple):
    """A message of two-phase commit: C(b), C(P), C(K), C(r) or C(p). The migration does not ask for them."""

    kind: str
    xid: int
    lsn: int
    end_lsn: int
    gid: str


def moment(microseconds: int) -> float:
    """Return a server's moment as seconds since 1970."""
    return EPOCH + microseconds / 1_000_000


def lsn_text(lsn: int) -> str:
    """Return a position as the server writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lsn_number(text: str) -> int:
    """Return the number behind a position as the server writes it."""
    high, _slash, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def values(data: bytes, position: int, expected: int) -> tuple:
    """Take apart the row whose number of values stands at I(position); return C((values, position after it)).

    A value is its image with its length in front, NULL for none, and None where it is out of line and has not changed.

    :param expected: BINARY_VALUE or TEXT_VALUE, as the stream was asked for
    :raises StreamError: when an image is of the other kind
    """
    number = (data[position] << 8) | data[position + 1]
    position += 2
    found = []
    for _value in range(number):
        kind = data[position]
        if kind == expected:
            end = position + 5 + int.from_bytes(data[position + 1 : position + 5], "big")
            found.append(data[position + 1 : end])
            position = end
        elif kind == NULL_VALUE:
            found.append(NULL)
            position += 1
        elif kind == UNCHANGED_VALUE:
            found.append(None)
            position += 1
        else:
            raise StreamError(f"A value is of kind {chr(kind)!r}, expected {chr(expected)!r}.")
    return found, position


def _text(data: bytes, position: int) -> tuple:
    end = data.index(0, position)
    return data[position:end].decode("utf-8"), end + 1


def _relation(data: bytes, at: int) -> Relation:
    oid = _U32.unpack_from(data, at)[0]
    schema, at = _text(data, at + 4)
    name, at = _text(data, at)
    identity = chr(data[at])
    number = _U16.unpack_from(data, at + 1)[0]
    at += 3
    columns = []
    for _column in range(number):
        key = bool(data[at] & 1)
        column, at = _text(data, at + 1)
        type_oid, modifier = _COLUMN.unpack_from(data, at)
        at += 8
        columns.append(Column(column, type_oid, modifier, key))
    return Relation(oid, schema or "pg_catalog", name, identity, tuple(columns))


def _type(data: bytes, at: int) -> Type:
    oid = _U32.unpack_from(data, at)[0]
    schema, at = _text(data, at + 4)
    return Type(oid, schema or "pg_catalog", _text(data, at)[0])


def _truncate(data: bytes, at: int) -> Truncate:
    number, options = struct.unpack_from(">IB", data, at)
    relations = struct.unpack_from(f">{number}I", data, at + 5)
    return Truncate(relations, bool(options & TRUNCATE_CASCADE), bool(options & TRUNCATE_RESTART))


def _message(data: bytes, at: int) -> Message:
    flags, lsn = struct.unpack_from(">BQ", data, at)
    prefix, at = _text(data, at + 9)
    size = _U32.unpack_from(data, at)[0]
    return Message(bool(flags & MESSAGE_TRANSACTIONAL), lsn, prefix, data[at + 4 : at + 4 + size])


def parse_change(data: bytes, at: int, expected: int) -> Change:
    """Take apart an INSERT, UPDATE or DELETE whose relation stands at I(at); for I(expected) see M(values)."""
    kind, relation = data[0], _U32.unpack_from(data, at)[0]
    at += 4
    old_kind = old = new = None
    if data[at] in (OLD_KEY, OLD_ROW):
        old_kind = data[at]
        old, at = values(data, at + 1, expected)
    if kind != DELETE:
        if data[at] != NEW_ROW:
            raise StreamError(f"A row is of kind {chr(data[at])!r}, expected 'N'.")
        new, at = values(data, at + 1, expected)
    return Change(kind, relation, old_kind, old, new)


def _prepared(data: bytes) -> Prepared:
    kind = chr(data[0])
    flags = 0 if kind == "b" else 1
    lsn, end_lsn = struct.unpack_from(">QQ", data, 1 + flags)
    at = 1 + flags + 16 + (16 if kind == "r" else 8)
    return Prepared(kind, _U32.unpack_from(data, at)[0], lsn, end_lsn, _text(data, at + 4)[0])


def parse(data: bytes, expected: int = BINARY_VALUE, streamed: bool = False):
    """Return a message as one of the types above.

    :param expected: BINARY_VALUE or TEXT_VALUE, as the stream was asked for
    :param streamed: whether the message came between a start and a stop, and so tells its transaction (see M(owner))
    :raises StreamError: for what is no message of the protocol
    """
    kind = data[0]
    try:
        if kind == BEGIN:
            final_lsn, at, xid = _BEGIN.unpack_from(data, 1)
            return Begin(final_lsn, moment(at), xid)
        if kind == COMMIT:
            _flags, lsn, end_lsn, at = _COMMIT.unpack_from(data, 1)
            return Commit(lsn, end_lsn, moment(at))
        if kind in CONTENT:
            at = 5 if streamed else 1
            if kind == RELATION:
                return _relation(data, at)
            if kind == TYPE:
                return _type(data, at)
            if kind == TRUNCATE:
                return _truncate(data, at)
            if kind == MESSAGE:
                return _message(data, at)
            return parse_change(data, at, expected)
        if kind == ORIGIN:
            return Origin(_U64.unpack_from(data, 1)[0], _text(data, 9)[0])
        if kind == STREAM_START:
            return StreamStart(_U32.unpack_from(data, 1)[0], bool(data[5]))
        if kind == STREAM_STOP:
            return StreamStop()
        if kind == STREAM_COMMIT:
            xid, _flags, lsn, end_lsn, at = _STREAM_COMMIT.unpack_from(data, 1)
            return StreamCommit(xid, lsn, end_lsn, moment(at))
        if kind == STREAM_ABORT:
            return StreamAbort(*struct.unpack_from(">II", data, 1))
        if kind in (BEGIN_PREPARE, PREPARE, COMMIT_PREPARED, ROLLBACK_PREPARED, STREAM_PREPARE):
            return _prepared(data)
    except (struct.error, IndexError, ValueError) as error:
        raise StreamError(f"A message of kind {chr(kind)!r} is cut off or malformed: {error}") from None
    raise StreamError(f"The stream holds a message of unknown kind {chr(kind)!r}.")


def owner(data: bytes) -> int:
    """Return the number of the transaction, or part of one, that a message between start and stop belongs to."""
    return _U32.unpack_from(data, 1)[0]


def as_if_whole(data: bytes) -> tuple:
    """Return the BEGIN and the COMMIT of a transaction that was sent in pieces, from its STREAM_COMMIT.

    :raises StreamError: when that is cut off
    """
    if len(data) < 1 + _STREAM_COMMIT.size:
        raise StreamError(f"A message of kind 'c' is cut off after {len(data)} bytes.")
    return b"B" + data[6:14] + data[22:30] + data[1:5], b"C" + data[5:]
