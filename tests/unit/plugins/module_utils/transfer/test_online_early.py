# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which transactions are applied before their ends are known, in which order, and when they come from the spool after all."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import TransferFailed
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import assembler as module
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.assembler import Assembler
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.early import Early
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.pgoutput import BINARY_VALUE
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.position import Snapshot
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.spool import Spool
from online_streams import OID, begin, commit, described, insert, piece, relation, stream_commit, table

ROWS = [insert(number, "a", "b") for number in range(10)]


class Reader:
    """What reads, and in the place of what writes a list of batches: there everything succeeds unless told otherwise."""

    def __init__(self, directory, position: int = 0):
        self.written: list = []
        self.fails = False
        self.touched: dict = {}
        self.noted: list = []
        self.beside = SimpleNamespace(is_possible=True)
        self.missing = False
        self.spool = Spool(str(directory / "spool"), 1 << 20)
        self.assembler = Assembler(BINARY_VALUE, position, self.spool, self.look_up, self.hand_on)
        self.assembler.early = self.early = Early(self)
        self.note = self.noted.append

    def look_up(self, one, _types):
        if self.missing:
            raise TransferFailed("There is no such table.", "")
        return table(one)

    def hand_on(self, batch) -> None:
        self.written.append(batch)

    def wait_for(self, one) -> None:
        one.committed, one.given_up = not self.fails, self.fails
        one.ended.set()

    def feed(self, *messages: bytes) -> None:
        self.assembler.take(messages)

    @property
    def rows(self) -> list:
        """For each batch whether it was early, whether it ends a transaction, and how many changes it holds."""
        return [(batch.early is not None, batch.whole, len(batch.log)) for batch in self.written]


@pytest.fixture
def reader(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FULL_WEIGHT", 3000)
    return Reader(tmp_path)


def other(lsn: int, *names: str) -> list:
    """Return a transaction that comes whole."""
    return [begin(lsn, 702), described(relation()), *(insert(name, "a", "b") for name in names), commit(lsn)]


def test_it_is_written_as_it_comes_behind_what_was_committed_before(reader):
    reader.feed(*piece(701, described(relation()), *ROWS[:3], first=True), *other(100, "x"))
    assert reader.rows == []
    reader.feed(*piece(701, *ROWS[3:6]))
    assert reader.rows == [(False, True, 1), (True, False, 5)]
    reader.feed(*other(200, "y"), *piece(701, *ROWS[6:9]), stream_commit(701, 300))
    assert reader.rows[2:] == [(False, True, 1), (True, True, 4)]
    last = reader.written[-1]
    assert (last.transactions, last.position.end_lsn) == (1, 308)
    assert [batch.counts["inserts"] for batch in reader.written if batch.early] == [5, 4]
    assert reader.touched == {OID.to_bytes(4, "big"): 300}
    assert reader.assembler.heard_position == 308 and reader.spool.size == 0
    # The source thinks that the table has been described.
    reader.feed(begin(400), insert("z", "a", "b"), commit(400))
    reader.assembler.close()
    assert reader.rows[4:] == [(False, True, 1)]


def test_one_that_fits_into_a_batch_is_written_together_with_others(reader):
    reader.feed(*piece(701, described(relation()), *ROWS[:2], first=True), *other(100, "x"), stream_commit(701, 300))
    reader.assembler.close()
    assert reader.rows == [(False, False, 1), (False, True, 2)]


def test_one_that_cannot_be_written_early_comes_from_the_spool(reader):
    reader.fails = True
    reader.feed(*piece(701, described(relation()), *ROWS, first=True), stream_commit(701, 300))
    early = [batch for batch in reader.written if batch.early]
    late = [batch for batch in reader.written if not batch.early] + [reader.assembler.batch]
    assert [sum(len(batch.log) for batch in some) for some in (early, late)] == [10, 10]
    assert reader.touched == {} and reader.noted == []


def test_one_that_the_writer_has_given_up_is_fed_no_more(reader):
    reader.feed(*piece(701, described(relation()), *ROWS[:6], first=True))
    reader.written[0].early.given_up = True
    reader.feed(*piece(701, *ROWS))
    assert reader.rows == [(True, False, 5)]
    reader.feed(*piece(703, described(relation()), *ROWS[:6], first=True))
    assert len(reader.written) == 2 and reader.written[1].early.xid == 703


@pytest.mark.parametrize("part", [701, 704])
def test_what_the_source_takes_back_is_taken_back(reader, part):
    reader.feed(*piece(701, described(relation()), *ROWS[:6], *((row, 704) for row in ROWS[6:]), first=True))
    assert reader.rows == [(True, False, 5), (True, False, 5)]
    reader.feed(b"A" + struct.pack(">II", 701, part))
    assert reader.rows[2:] == [(True, False, 0)] and reader.written[2].early.given_up
    if part != 701:
        reader.feed(stream_commit(701, 300))
        reader.assembler.close()
        assert sum(len(batch.log) for batch in reader.written[3:]) == 6


def test_tables_that_are_emptied_altered_or_missing_wait_for_the_commit(reader):
    altered = described(relation("id a b c"))
    truncate = b"T" + struct.pack(">IBI", 1, 0, OID)
    for xid, message in ((711, truncate), (712, altered)):
        reader.written.clear()
        reader.feed(*piece(xid, described(relation()), *ROWS[:6], message, *ROWS, first=True))
        assert reader.rows == [(True, False, 5), (True, False, 0)]
    reader.feed(*other(100, "x"))
    reader.assembler.close()
    reader.written.clear()
    reader.feed(*piece(713, altered, *ROWS, first=True))
    assert reader.rows == []
    reader.assembler.known.clear()
    reader.missing = True
    reader.feed(*piece(714, described(relation()), *ROWS, first=True))
    assert reader.rows == []


def test_one_at_a_time(reader):
    reader.feed(
        *piece(701, described(relation()), *ROWS[:6], first=True), *piece(702, described(relation()), *ROWS, first=True)
    )
    assert {batch.early.xid for batch in reader.written} == {701}
    reader.feed(stream_commit(702, 200))
    assert [(batch.early, len(batch.log)) for batch in reader.written[1:]] == [(None, 5), (None, 5)]
    reader.feed(*piece(701, *ROWS), stream_commit(701, 300))
    assert reader.written[-1].early.xid == 701 and reader.written[-1].position.end_lsn == 308


def test_none_while_copies_may_hold_its_changes_already(reader):
    snapshot = Snapshot.parse(1, "690:801:690", 150)
    reader.assembler.filters = [(snapshot, frozenset([OID]))]
    reader.feed(*piece(701, described(relation()), *ROWS, first=True), *other(160, "x"))
    assert not any(early for early, _whole, _number in reader.rows)
    reader.feed(*piece(703, described(relation()), *ROWS, first=True))
    assert reader.rows == [(False, True, 1), (True, False, 5), (True, False, 5)]


def test_one_that_the_target_has_already_is_taken_back(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FULL_WEIGHT", 3000)
    reader = Reader(tmp_path, position=308)
    reader.feed(*piece(701, described(relation()), *ROWS[:6], first=True), stream_commit(701, 300))
    assert reader.rows == [(True, False, 5), (True, False, 0)] and reader.written[1].early.given_up
    assert reader.assembler.batch.transactions == 0
