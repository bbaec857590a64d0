# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What many changes of a table come to in the end, row by row.

A row is known by the key that it has now, and remembers the key that it had when the batch began, its origin; a row that
was inserted since has none. So an update of a row that has been inserted is an insert, a row that comes and goes leaves
nothing, and keys may wander from row to row. Most messages are kept as they came and taken apart only when they are
still there at the end. Of a table without a key only copies of whole rows are counted.

Rows whose keys stay do not mind each other, so order matters only among the changes of one row: what is told of rows
that have but one kind of change is taken in as a whole, without a look at each.
"""

from __future__ import annotations

import struct
from operator import itemgetter

from .pgoutput import (
    BINARY_VALUE,
    DELETE,
    FIRST_VALUE,
    INSERT,
    NEW_ROW,
    NULL,
    NULL_VALUE,
    OLD_ROW,
    ROW,
    UPDATE,
    StreamError,
    values,
)
from .tables import Table

INSERT_BYTE, UPDATE_BYTE = b"I", b"U"
INSERTED = (INSERT, NEW_ROW)
# Bytes of the binary form of types that always have as many: bool, int8, int2, int4, oid, float4, float8, date, time, timestamp,
# timestamptz, uuid.
SIZES = {16: 1, 20: 8, 21: 2, 23: 4, 26: 4, 700: 4, 701: 8, 1082: 4, 1083: 8, 1114: 8, 1184: 8, 2950: 16}
UNCHANGED_BYTE = b"u"  # may be anything else too; a message without it has no value that is not told


class Unordered(Exception):
    """These changes make sense in their own order only."""


def first_key(data: bytes) -> bytes:
    """Return the image of the first value of a message's row."""
    return data[FIRST_VALUE + 1 : FIRST_VALUE + 5 + int.from_bytes(data[FIRST_VALUE + 1 : FIRST_VALUE + 5], "big")]


def leading_key(number: int):
    """Return a function that joins the first I(number) images of a message's row."""

    def key(data: bytes) -> bytes:
        parts, position = [], FIRST_VALUE
        for _value in range(number):
            end = position + 5 + int.from_bytes(data[position + 1 : position + 5], "big")
            parts.append(data[position + 1 : end])
            position = end
        return b"".join(parts)

    return key


def scattered_key(places: tuple, expected: int):
    """Return a function that joins the images at I(places) of a message's row."""

    def key(data: bytes) -> bytes:
        found = values(data, ROW, expected)[0]
        return b"".join([found[place] for place in places])

    return key


def fixed_key(sizes: list):
    """Return a function that joins the first images of a message's row, whose values have I(sizes) bytes."""
    if len(sizes) == 1:
        return itemgetter(slice(FIRST_VALUE + 1, FIRST_VALUE + 5 + sizes[0]))
    cut = struct.Struct("".join(f"x{size + 4}s" for size in sizes)).unpack_from
    return lambda data: b"".join(cut(data, FIRST_VALUE))


def key_function(table: Table, expected: int):
    """Return the function that finds the key in a message with one row; None for a table without a key."""
    if table.bag:
        return None
    sizes = [SIZES.get(table.relation.columns[place].type_oid) for place in table.key]
    if expected == BINARY_VALUE and table.key == tuple(range(len(table.key))) and None not in sizes:
        return fixed_key(sizes)
    if table.key == (0,):
        return first_key
    if table.key == tuple(range(len(table.key))):
        return leading_key(len(table.key))
    return scattered_key(table.key, expected)


def completed(new: list, old: list) -> list:
    """Return I(new) with the values that have not changed taken from I(old)."""
    return [before if value is None else value for value, before in zip(new, old)]


class KeyedChanges:
    """Changes of a table whose rows have keys.

    I(live) is C({key: row}), where a row is a message with one row at the usual place (of an INSERT: the row is new; of
    an UPDATE: it was there under this key) or C((origin or None, values)). I(gone) holds the origins of deleted rows.
    """

    def __init__(self, table: Table, expected: int):
        self.table = table
        self.expected = expected
        self.key_of = key_function(table, expected)
        self.toastable = table.toastable
        self.live: dict = {}
        self.gone: dict = {}

    def take(self, lanes: dict) -> set | None:
        """Take in what can be taken in without order.

        :param lanes: messages by how they begin, C({(kind, what the first row is): messages in order})
        :return: the keys of the rows whose changes have to be taken in one by one, in their order; None for all
        """
        if any(kind == UPDATE and row != NEW_ROW for kind, row in lanes):
            return None
        found, disputed = [], set()
        for (kind, _row), messages in lanes.items():
            keys = list(map(self.key_of, messages))
            last = dict(zip(keys, messages))
            if len(last) < len(messages) and (kind != UPDATE or self.leaves_out(messages)):
                disputed.update(several(keys))
            for _kind, others in found:
                disputed.update(others.keys() & last.keys())
            found.append((kind, last))
        for kind, last in found:
            for key in disputed:
                last.pop(key, None)
            if kind == DELETE:
                self.gone.update(dict.fromkeys(last))
            else:
                self.live.update(last)
        return disputed

    def leaves_out(self, messages: list) -> bool:
        """Return whether an UPDATE leaves out values that have not changed."""
        return self.toastable and any(
            None in values(data, ROW, self.expected)[0] for data in messages if UNCHANGED_BYTE in data
        )

    def insert(self, data: bytes) -> None:
        """Take in an INSERT."""
        key = self.key_of(data)
        if key in self.live:
            raise Unordered
        if key in self.gone and self.table.replaceable:
            del self.gone[key]
            data = UPDATE_BYTE + data[1:]
        self.live[key] = data

    def update(self, data: bytes) -> None:
        """Take in an UPDATE."""
        if data[5] != NEW_ROW:
            self.update_with_old(data)
            return
        key = self.key_of(data)
        known = self.live.get(key)
        if known is None:
            if key in self.gone:
                raise Unordered
            self.live[key] = data
        elif isinstance(known, tuple) or (self.toastable and UNCHANGED_BYTE in data):
            self.merge(key, key, values(data, ROW, self.expected)[0])
        else:  # all values are told again
            self.live[key] = data if known[0] != INSERT else INSERT_BYTE + data[1:]

    def update_with_old(self, data: bytes) -> None:
        """Take in an UPDATE that tells the old row or its key; the key may be another one now."""
        old_key = self.key_of(data)
        old, position = values(data, ROW, self.expected)
        if data[position] != NEW_ROW:
            raise StreamError(f"A row is of kind {chr(data[position])!r}, expected 'N'.")
        new = values(data, position + 1, self.expected)[0]
        if data[5] == OLD_ROW:
            new = completed(new, old)
        for place in self.table.key:
            if new[place] is None:  # a key that is so long that it lies out of line
                new[place] = old[place]
        self.merge(old_key, b"".join([new[place] for place in self.table.key]), new)

    def merge(self, old_key: bytes, key: bytes, new: list) -> None:
        """Lay the values I(new) over the row that has been known by I(old_key), and know it by I(key) from now on."""
        known = self.live.pop(old_key, None)
        if key in self.live or (known is None and old_key in self.gone):
            raise Unordered
        if known is None:
            self.live[key] = (old_key, new)
            return
        origin, old = self.apart(old_key, known)
        self.live[key] = (origin, completed(new, old))

    def delete(self, data: bytes) -> None:
        """Take in a DELETE."""
        key = self.key_of(data)
        known = self.live.pop(key, None)
        if known is None:
            if key in self.gone:
                raise Unordered
            self.gone[key] = None
        elif isinstance(known, tuple):
            if known[0] is not None:
                self.gone[known[0]] = None
        elif known[0] != INSERT:
            self.gone[key] = None

    def apart(self, key: bytes, row) -> tuple:
        """Return C((origin or None, values)) of a row of I(live)."""
        if isinstance(row, tuple):
            return row
        return (None if row[0] == INSERT else key), values(row, ROW, self.expected)[0]

    def inserts(self) -> list:
        """Return the rows that are new: messages, or lists of values."""
        return [
            row if row.__class__ is bytes else row[1]
            for row in self.live.values()
            if (row[0] == INSERT if row.__class__ is bytes else row[0] is None)
        ]

    def updates(self) -> dict:
        """Return the rows that stay under their keys, C({places of the values that are told: rows}).

        A row is a list of values, or a message where all of them are told.
        """
        every = tuple(range(len(self.table.columns)))
        whole: list = []
        found: dict = {every: whole}
        for key, row in self.live.items():
            if row.__class__ is bytes:
                if row[0] == INSERT:
                    continue
                if not self.toastable or UNCHANGED_BYTE not in row:
                    whole.append(row)
                    continue
                new = values(row, ROW, self.expected)[0]
            else:
                origin, new = row
                if origin != key:
                    continue
            told = every if None not in new else tuple(place for place in every if new[place] is not None)
            found.setdefault(told, []).append(new)
        return {places: rows for places, rows in found.items() if rows}

    def moves(self) -> dict:
        """Return the rows that have another key than before, C({places: [(origin, values)]})."""
        every = tuple(range(len(self.table.columns)))
        found: dict = {}
        for key, row in self.live.items():
            if isinstance(row, tuple) and row[0] is not None and row[0] != key:
                told = tuple(place for place in every if row[1][place] is not None)
                found.setdefault(told, []).append(row)
        return found


class CountedRows:
    """Changes of a table whose rows have no key: how many copies of a row there are more, or less.

    Rows are known as they came, so equal ones are equal byte by byte.
    """

    def __init__(self, table: Table, expected: int):
        self.table = table
        self.expected = expected
        self.copies: dict = {}
        self.new: list = []

    def take(self, lanes: dict) -> set | None:
        """Take in what can be taken in without order; see M(KeyedChanges.take)."""
        if len(lanes) == 1 and INSERTED in lanes:
            self.new = lanes[INSERTED]
            return set()
        return None

    def insert(self, data: bytes) -> None:
        """Take in an INSERT."""
        row = data[ROW:]
        self.copies[row] = self.copies.get(row, 0) + 1

    def update(self, data: bytes) -> None:
        """Take in an UPDATE."""
        if data[5] != OLD_ROW:
            raise StreamError(f"An UPDATE of {self.table.label}, which has no key, does not tell the old row.")
        old, position = values(data, ROW, self.expected)
        self.remove(data[ROW:position])
        row = data[position + 1 :]
        if UNCHANGED_BYTE in row:
            row = joined(completed(values(row, 0, self.expected)[0], old), self.expected)
        self.copies[row] = self.copies.get(row, 0) + 1

    def delete(self, data: bytes) -> None:
        """Take in a DELETE."""
        self.remove(data[ROW:])

    def remove(self, row: bytes) -> None:
        """Count a copy less."""
        self.copies[row] = self.copies.get(row, 0) - 1

    def inserts(self) -> list:
        """Return the rows to insert, each as often as it is needed: messages, or lists of values."""
        return self.new or [
            images
            for row, number in self.copies.items()
            if number > 0
            for images in [values(row, 0, self.expected)[0]] * number
        ]

    def deletes(self) -> list:
        """Return the rows to delete, C([(row, number of copies)])."""
        return [(values(row, 0, self.expected)[0], -number) for row, number in self.copies.items() if number < 0]


def joined(images: list, kind: int) -> bytes:
    """Return a row as it comes in a message."""
    mark, none = bytes([kind]), bytes([NULL_VALUE])
    parts = [none if image == NULL else mark + image for image in images]
    return b"".join((len(images).to_bytes(2, "big"), *parts))


def several(keys: list) -> set:
    """Return what is there more than once."""
    seen: set = set()
    return {key for key in keys if key in seen or seen.add(key)}


def add(changes, data: bytes) -> None:
    """Have I(changes), of either kind, take in a change after all that came before."""
    kind = data[0]
    if kind == UPDATE:
        changes.update(data)
    elif kind == INSERT:
        changes.insert(data)
    else:
        changes.delete(data)


def changes_of(table: Table, expected: int):
    """Return an empty collection of changes of a table."""
    return CountedRows(table, expected) if table.bag else KeyedChanges(table, expected)
