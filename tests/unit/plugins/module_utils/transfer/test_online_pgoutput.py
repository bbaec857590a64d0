# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every message of the protocol, put together by hand as the server's documentation describes it."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import pgoutput
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.pgoutput import (
    BINARY_VALUE,
    NULL,
    TEXT_VALUE,
)

NOON = 820_497_600_000_000  # microseconds from 2000 to 2026-01-01 12:00 UTC


def text(words: str) -> bytes:
    return words.encode() + b"\0"


def value(content: bytes, kind: bytes = b"b") -> bytes:
    return kind + struct.pack(">i", len(content)) + content


def row(*values: bytes) -> bytes:
    return struct.pack(">H", len(values)) + b"".join(values)


def test_begin_and_commit():
    begin = pgoutput.parse(b"B" + struct.pack(">QqI", 0x16B3748, NOON, 741))
    assert (begin.final_lsn, begin.xid, begin.committed_at) == (0x16B3748, 741, pgoutput.EPOCH + NOON / 1e6)
    commit = pgoutput.parse(b"C" + struct.pack(">BQQq", 0, 100, 148, NOON))
    assert (commit.commit_lsn, commit.end_lsn) == (100, 148)


def test_positions_are_written_as_the_server_does():
    assert pgoutput.lsn_text(0x1_016B_3748) == "1/16B3748"
    assert pgoutput.lsn_number("1/16B3748") == 0x1_016B_3748
    assert pgoutput.lsn_number(pgoutput.lsn_text(2**63)) == 2**63


def test_relation_and_type():
    content = struct.pack(">I", 16385) + text("app") + text('Odd " näme') + b"d" + struct.pack(">H", 2)
    content += b"\1" + text("id") + struct.pack(">Ii", 23, -1) + b"\0" + text("mood") + struct.pack(">Ii", 16400, -1)
    found = pgoutput.parse(b"R" + content)
    assert (found.oid, found.schema, found.name, found.identity) == (16385, "app", 'Odd " näme', "d")
    assert [(column.name, column.type_oid, column.key) for column in found.columns] == [
        ("id", 23, True),
        ("mood", 16400, False),
    ]
    assert pgoutput.parse(b"Y" + struct.pack(">I", 16400) + text("app") + text("mood")) == (16400, "app", "mood")
    # What belongs to the server has no schema in the stream.
    assert pgoutput.parse(b"Y" + struct.pack(">I", 16401) + text("") + text("text")).schema == "pg_catalog"


def test_rows_keep_their_images():
    head = struct.pack(">I", 16385)
    change = pgoutput.parse(b"I" + head + b"N" + row(value(b"\0\0\0\7"), b"n", value(b"")))
    assert change == (pgoutput.INSERT, 16385, None, None, [b"\0\0\0\4\0\0\0\7", NULL, b"\0\0\0\0"])
    change = pgoutput.parse(b"U" + head + b"K" + row(value(b"1"), b"n") + b"N" + row(value(b"2"), b"u"))
    assert (change.old_kind, change.old) == (pgoutput.OLD_KEY, [b"\0\0\0\x011", NULL])
    assert change.new == [b"\0\0\0\x012", None]
    change = pgoutput.parse(b"D" + head + b"O" + row(value(b"x", b"t")), TEXT_VALUE)
    assert (change.old_kind, change.old, change.new) == (pgoutput.OLD_ROW, [b"\0\0\0\1x"], None)


def test_values_of_the_other_kind_are_refused():
    with pytest.raises(pgoutput.StreamError, match="'t', expected 'b'"):
        pgoutput.values(row(value(b"1", b"t")), 0, BINARY_VALUE)


def test_truncate_and_message():
    found = pgoutput.parse(b"T" + struct.pack(">IBII", 2, 3, 16385, 16390))
    assert found == ((16385, 16390), True, True)
    content = b"\1" + struct.pack(">Q", 99) + text("azpg_migrate") + struct.pack(">I", 3) + b"a\0b"
    assert pgoutput.parse(b"M" + content) == (True, 99, "azpg_migrate", b"a\0b")


def test_pieces_of_transactions_in_progress():
    assert pgoutput.parse(b"S" + struct.pack(">IB", 741, 1)) == (741, True)
    assert pgoutput.parse(b"E") == ()
    assert pgoutput.parse(b"c" + struct.pack(">IBQQq", 741, 0, 100, 148, NOON))[:3] == (741, 100, 148)
    # Version 4 may add where and when.
    assert pgoutput.parse(b"A" + struct.pack(">IIQq", 741, 742, 90, NOON)) == (741, 742)
    inside = b"I" + struct.pack(">I", 742) + struct.pack(">I", 16385) + b"N" + row(value(b"1"))
    assert pgoutput.owner(inside) == 742
    assert pgoutput.parse(inside, streamed=True) == pgoutput.parse(inside[:1] + inside[5:])


def test_a_transaction_in_pieces_ends_as_if_it_had_come_whole():
    message = b"c" + struct.pack(">IBQQq", 741, 0, 100, 148, NOON)
    begun, ended = pgoutput.as_if_whole(message)
    parsed = pgoutput.parse(message)
    assert pgoutput.parse(begun) == (100, parsed.committed_at, 741)
    assert pgoutput.parse(ended) == (100, 148, parsed.committed_at)
    with pytest.raises(pgoutput.StreamError, match="cut off"):
        pgoutput.as_if_whole(message[:-1])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"b" + struct.pack(">QQqI", 1, 2, NOON, 7) + text("gid"), ("b", 7, 1, 2, "gid")),
        (b"P" + struct.pack(">BQQqI", 0, 1, 2, NOON, 7) + text("gid"), ("P", 7, 1, 2, "gid")),
        (b"K" + struct.pack(">BQQqI", 0, 1, 2, NOON, 7) + text("gid"), ("K", 7, 1, 2, "gid")),
        (b"r" + struct.pack(">BQQqqI", 0, 1, 2, NOON, NOON, 7) + text("gid"), ("r", 7, 1, 2, "gid")),
        (b"p" + struct.pack(">BQQqI", 0, 1, 2, NOON, 7) + text("gid"), ("p", 7, 1, 2, "gid")),
    ],
)
def test_two_phase_commit(data, expected):
    assert pgoutput.parse(data) == expected


def test_origins():
    assert pgoutput.parse(b"O" + struct.pack(">Q", 5) + text("elsewhere")) == (5, "elsewhere")


@pytest.mark.parametrize(
    "data", [b"?", b"B\0", b"R" + struct.pack(">I", 1), b"I\0\0\0\1X", b"T\0\0\0\2\0", b"U\0\0\0\1K\0\1b\0\0\0\1xZ"]
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(pgoutput.StreamError):
        pgoutput.parse(data)
