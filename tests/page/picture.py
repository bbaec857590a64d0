# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pixels of a PNG file."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Picture:
    """A decoded PNG with 8 bits per channel, RGB or RGBA, not interlaced: what browsers write."""

    def __init__(self, data: bytes):
        assert data.startswith(SIGNATURE), "no PNG"
        position, packed = len(SIGNATURE), b""
        while position < len(data):
            length, kind = struct.unpack(">I4s", data[position : position + 8])
            body = data[position + 8 : position + 8 + length]
            if kind == b"IHDR":
                self.width, self.height, depth, colour, _deflate, _filter, interlaced = struct.unpack(">IIBBBBB", body)
                assert depth == 8 and colour in (2, 6) and not interlaced, (depth, colour, interlaced)
                self.channels = 3 if colour == 2 else 4
            elif kind == b"IDAT":
                packed += body
            position += length + 12
        self.lines = self._unfilter(zlib.decompress(packed))

    def _unfilter(self, raw: bytes) -> list:
        step, stride = self.channels, self.width * self.channels
        lines, above = [], bytearray(stride)
        for row in range(self.height):
            start = row * (stride + 1)
            kind, line = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
            for index in range(stride):
                left = line[index - step] if index >= step else 0
                up = above[index]
                corner = above[index - step] if index >= step else 0
                if kind == 1:
                    line[index] = (line[index] + left) & 255
                elif kind == 2:
                    line[index] = (line[index] + up) & 255
                elif kind == 3:
                    line[index] = (line[index] + (left + up) // 2) & 255
                elif kind == 4:
                    guess = left + up - corner
                    nearest = min((left, up, corner), key=lambda value, guess=guess: abs(guess - value))
                    line[index] = (line[index] + nearest) & 255
            lines.append(line)
            above = line
        return lines

    def at(self, x: float, y: float) -> tuple:
        """Return the colour of a point as (red, green, blue)."""
        start = int(x) * self.channels
        return tuple(self.lines[int(y)][start : start + 3])


def contrast(one: tuple, other: tuple) -> float:
    """Return the contrast ratio of two colours, 1 to 21, as the accessibility guidelines define it."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: tuple) -> float:
    parts = [value / 255 for value in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
