# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions that the source sends while they are in progress wait on this host's disk for their commit.

Nothing here has to outlive the process: what has not been applied is sent again.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator
from itertools import chain

BUFFER_BYTES = 1 << 18
ALIKE = 512  # messages that are looked at together, or an eighth of them
_HEAD = struct.Struct(">I")


class SpoolFull(Exception):
    """The transactions in progress take more room than they may."""


class Spooled:
    """A transaction in progress: its file, its size, and which parts of it have been taken back."""

    def __init__(self, path: str):
        self.path = path
        # It is closed by its owner, the spool.
        self.file = open(path, "wb", BUFFER_BYTES)  # noqa: SIM115
        self.size = 0
        self.aborted: set = set()  # the parts' numbers, as they come in messages


class Spool:
    """All transactions in progress, by their numbers."""

    def __init__(self, directory: str, limit: int):
        """Begin with an empty directory.

        :param directory: a private one, which is emptied
        :param limit: bytes that all transactions together may take
        """
        self.directory = directory
        self.limit = limit
        self.found: dict = {}
        self.size = 0
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory, 0o700)

    def add(self, xid: int, messages: list) -> None:
        """Keep messages of a transaction as they came.

        :raises SpoolFull: when there is no room for it
        """
        kept = self.found.get(xid)
        if kept is None:
            kept = self.found[xid] = Spooled(os.path.join(self.directory, str(xid)))
        sizes = list(map(len, messages))
        size = sum(sizes) + len(sizes) * _HEAD.size
        if self.size + size > self.limit:
            raise SpoolFull
        kept.file.write(b"".join(chain.from_iterable(zip(map(_HEAD.pack, sizes), messages))))
        kept.size += size
        self.size += size

    @property
    def largest(self) -> int:
        """The size of the largest transaction in progress, in bytes."""
        return max((kept.size for kept in list(self.found.values())), default=0)

    def abort(self, xid: int, part: int) -> None:
        """Take back a transaction, or a part of it."""
        if part == xid:
            self.forget(xid)
        elif xid in self.found:
            self.found[xid].aborted.add(_HEAD.pack(part))

    def messages(self, xid: int) -> Iterator[list]:
        """Yield what is left of a transaction's messages, as if it had been sent whole, some at a time."""
        kept = self.found.get(xid)
        if kept is None:
            return
        kept.file.flush()
        with open(kept.path, "rb", 0) as stream:
            rest, wanted = b"", BUFFER_BYTES
            while True:
                block = rest + stream.read(wanted)
                if len(block) == len(rest):
                    return
                found, rest, wanted = apart(block, kept.aborted)
                yield found

    def forget(self, xid: int) -> None:
        """Remove a transaction."""
        kept = self.found.pop(xid, None)
        if kept:
            kept.file.close()
            os.unlink(kept.path)
            self.size -= kept.size

    def close(self) -> None:
        """Remove all."""
        for xid in list(self.found):
            self.forget(xid)
        shutil.rmtree(self.directory, ignore_errors=True)


def apart(block: bytes, aborted: set) -> tuple:
    """Take a piece of a file apart; return C((messages, the rest of the piece, how much to read next)).

    Each message is there with its size and, behind its kind, the number of the part of the transaction that it belongs to.
    """
    found, at, end = [], 0, len(block)
    size_of = _HEAD.unpack_from
    while at + _HEAD.size <= end:
        begins = at + _HEAD.size
        following = begins + size_of(block, at)[0]
        if following > end:
            return found, block[at:], max(BUFFER_BYTES, following - end)
        alike = 0 if aborted else number_alike(block, at, following - at)
        if alike:
            cut = struct.Struct(f"4xs4x{following - begins - 5}s").iter_unpack
            found += map(b"".join, cut(block[at : at + alike * (following - at)]))
            at += alike * (following - at)
            continue
        if not aborted or block[begins + 1 : begins + 5] not in aborted:
            found.append(block[begins : begins + 1] + block[begins + 5 : following])
        at = following
    return found, block[at:], BUFFER_BYTES


def number_alike(block: bytes, at: int, size: int) -> int:
    """Return how many messages from I(at) on have the size of the first one, with its head; 0 when they are few or not known."""
    for number in (ALIKE, ALIKE // 8):
        end = at + number * size
        if end <= len(block) and all(
            block[at + place : end : size] == block[at + place : at + place + 1] * number for place in range(_HEAD.size)
        ):
            return number
    return 0
