# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many rows of binary values at once from messages to what COPY reads.

A row of a message differs from one of COPY by the letter in front of each value, and by NULL. Messages that are equally long
mostly have their values in the same places: of these, one look at the first tells where to cut, a few slices with a stride
prove that it holds for all, and the cutting is done for all of them in one go.
"""

from __future__ import annotations

import struct

from .pgoutput import BINARY_VALUE, FIRST_VALUE, NULL, NULL_VALUE, ROW, StreamError, values

LEAST_ROWS = 16  # below, one by one is quicker
MARK = 5  # bytes in front of a value: its letter and its length


class Shape:
    """Where the values of a message lie; I(head) goes in front of the values of each row.

    I(copied) is C(None) when such a row cannot be copied as it is, since values are not told.
    """

    def __init__(self, message: bytes, head: bytes):
        self.size = len(message)
        self.message = message
        self.marks = [ROW, ROW + 1]
        words, pieces = [f">{FIRST_VALUE}x"], [head.replace(b"%", b"%%")]
        nulls = False
        self.is_whole = True
        place = FIRST_VALUE
        for _value in range(int.from_bytes(message[ROW:FIRST_VALUE], "big")):
            kind = message[place]
            if kind == BINARY_VALUE:
                size = int.from_bytes(message[place + 1 : place + MARK], "big")
                self.marks += range(place, place + MARK)
                words.append(f"x{size + MARK - 1}s")
                pieces.append(b"%b")
                place += MARK + size
            else:
                self.marks.append(place)
                self.is_whole = self.is_whole and kind == NULL_VALUE
                words.append("x")
                pieces.append(NULL)
                nulls = True
                place += 1
        self.is_whole = self.is_whole and place == self.size
        self.cut = struct.Struct("".join(words)).iter_unpack
        self.head = head
        self.form = b"".join(pieces) if nulls else None

    def copied(self, block: bytes, number: int) -> bytes | None:
        """Return I(number) messages, one after the other in I(block), as rows; None when one of them has another shape."""
        size, message = self.size, self.message
        if not self.is_whole or any(block[mark::size] != message[mark : mark + 1] * number for mark in self.marks):
            return None
        if self.form is None:
            return self.head + self.head.join(map(b"".join, self.cut(block)))
        return b"".join(map(self.form.__mod__, self.cut(block)))


def copied(messages: list, before: list) -> list:
    """Return messages with one row each, at the usual place, as pieces of what COPY reads.

    :param before: images that each row has in front of its own values
    :raises StreamError: when a value is not told, or is none in binary form
    """
    by_size: dict = {}
    for message in messages:
        size = len(message)
        if size in by_size:
            by_size[size].append(message)
        else:
            by_size[size] = [message]
    pieces = []
    for group in by_size.values():
        found = None
        if len(group) >= LEAST_ROWS:
            number = int.from_bytes(group[0][ROW:FIRST_VALUE], "big")
            head = (number + len(before)).to_bytes(2, "big") + b"".join(before)
            found = Shape(group[0], head).copied(b"".join(group), len(group))
        if found is None:
            pieces += [one_row(message, before) for message in group]
        else:
            pieces.append(found)
    return pieces


def one_row(message: bytes, before: list) -> bytes:
    """Return one message as a row."""
    images = before + values(message, ROW, BINARY_VALUE)[0]
    if None in images:
        raise StreamError("A value that is needed was not told.")
    return len(images).to_bytes(2, "big") + b"".join(images)
