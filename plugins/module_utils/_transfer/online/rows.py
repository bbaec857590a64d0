# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as COPY takes them, made of images that have their length in front."""

from __future__ import annotations

import re
import struct

from . import shapes
from .pgoutput import NULL, ROW, TEXT_VALUE, values

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
TRAILER = b"\xff\xff"
_U16 = struct.Struct(">H").pack
_U32 = struct.Struct(">I").pack
_U64 = struct.Struct(">Q").pack
SPECIAL = re.compile(rb"[\x08\x09\x0a\x0b\x0c\x0d\\]")
ESCAPES = {8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 12: b"\\f", 13: b"\\r", 92: b"\\\\"}


def split_images(data: bytes, number: int) -> list:
    """Return the images that lie one after the other in I(data)."""
    found, position = [], 0
    for _image in range(number):
        size = int.from_bytes(data[position : position + 4], "big", signed=True)
        end = position + 4 + max(size, 0)
        found.append(data[position:end])
        position = end
    return found


def escaped(match) -> bytes:
    """Return what stands for a special byte in the text form."""
    return ESCAPES[match[0][0]]


def text_value(image: bytes) -> bytes:
    """Return the text form of a value."""
    if image == NULL:
        return b"\\N"
    content = image[4:]
    return SPECIAL.sub(escaped, content) if SPECIAL.search(content) else content


class BinaryRows:
    """The binary form."""

    form = "binary"

    @staticmethod
    def row(images: list) -> bytes:
        """Return a row."""
        return _U16(len(images)) + b"".join(images)

    @classmethod
    def copied(cls, found: list, before: list) -> list:
        """Return rows, messages or lists of images, as pieces of what COPY reads, each with I(before) in front."""
        pieces = shapes.copied([one for one in found if one.__class__ is bytes], before)
        return pieces + [cls.row(before + one) for one in found if one.__class__ is not bytes]

    @staticmethod
    def number(value: int) -> bytes:
        """Return the image of a bigint."""
        return b"\0\0\0\x08" + _U64(value)

    @staticmethod
    def whole(found: list) -> bytes:
        """Return all that COPY is to read."""
        return b"".join((SIGNATURE, *found, TRAILER))


class TextRows:
    """The text form, for values whose binary images differ between servers, or that come as text."""

    form = "text"

    @staticmethod
    def row(images: list) -> bytes:
        """Return a row."""
        return b"\t".join(map(text_value, images)) + b"\n"

    @classmethod
    def copied(cls, found: list, before: list) -> list:
        """Return rows, messages or lists of images, as pieces of what COPY reads, each with I(before) in front."""
        return [cls.row(before + (values(one, ROW, TEXT_VALUE)[0] if one.__class__ is bytes else one)) for one in found]

    @staticmethod
    def number(value: int) -> bytes:
        """Return the image of a bigint."""
        text = str(value).encode()
        return _U32(len(text)) + text

    @staticmethod
    def whole(found: list) -> bytes:
        """Return all that COPY is to read."""
        return b"".join(found)
