# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From messages to batches, what waits on the spool, and what is left out."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import assembler as module
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import spool as spool_module
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.assembler import Assembler
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.netting import Unordered
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.pgoutput import BINARY_VALUE, StreamError
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.position import Snapshot
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.spool import Spool, SpoolFull
from online_streams import (
    OID,
    begin,
    commit,
    delete,
    described,
    insert,
    piece,
    relation,
    stream_commit,
    streamed,
    table,
    update,
)


class Bench:
    """An assembler and the batches that it has handed on."""

    def __init__(self, directory, position: int = 0, limit: int = 1 << 20):
        self.batches: list = []
        self.spool = Spool(str(directory / "spool"), limit)
        self.assembler = Assembler(BINARY_VALUE, position, self.spool, self.table_of, self.batches.append)
        self.known: list = []

    def table_of(self, one, _types):
        self.known.append(one)
        return table(one)

    def feed(self, *messages: bytes) -> Bench:
        self.assembler.take(messages)
        return self


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_batch_ends_on_a_commit(bench):
    bench.feed(begin(100), described(relation()), insert(1, "a", "b"), commit(100), begin(200), insert(2, "a", "b"))
    bench.assembler.close()
    assert bench.batches == [] and not bench.assembler.is_between
    bench.feed(commit(200))
    bench.assembler.close()
    (batch,) = bench.batches
    assert (batch.whole, batch.transactions, batch.position.end_lsn, len(batch.log)) == (True, 2, 208, 2)
    assert batch.counts == {"inserts": 2, "updates": 0, "deletes": 0, "truncates": 0}
    assert [batch.transaction_of(place) for place in (0, 1)] == [(100, 700), (200, 700)]


def test_a_large_transaction_is_cut_and_only_its_end_is_whole(bench, monkeypatch):
    monkeypatch.setattr(module, "FULL_WEIGHT", 3000)
    bench.feed(begin(100, 7), described(relation()), *(insert(number, "a", "b") for number in range(10)), commit(100))
    bench.assembler.close()
    assert [batch.whole for batch in bench.batches] == [False, False, True]
    assert sum(len(batch.log) for batch in bench.batches) == 10
    assert bench.batches[-1].position.end_lsn == 108 and bench.batches[0].position is None
    assert {batch.transaction_of(0) for batch in bench.batches} == {(100, 7)}


def test_transactions_without_changes_end_a_batch_too(bench):
    bench.assembler.close_weight = 1000
    for number in range(12):
        bench.feed(begin(100 + 10 * number), commit(100 + 10 * number))
    assert [batch.transactions for batch in bench.batches] == [5, 5] and bench.batches[0].is_empty


def test_what_was_applied_already_is_left_out(tmp_path):
    bench = Bench(tmp_path, position=108)
    bench.feed(
        begin(100),
        described(relation()),
        insert(1, "a", "b"),
        commit(100),
        begin(108),
        insert(2, "a", "b"),
        commit(108),
    )
    bench.assembler.close()
    assert [len(batch.log) for batch in bench.batches] == [1]


def test_tables_are_emptied_in_their_place(bench):
    truncate = b"T" + struct.pack(">IBI", 1, 1, OID)
    bench.feed(begin(100), described(relation()), insert(1, "a", "b"), truncate, insert(2, "a", "b"), commit(100))
    bench.assembler.close()
    first, second = bench.batches
    assert (len(first.log), len(first.truncate[0]), first.truncate[1:], first.whole) == (1, 1, (True, False), False)
    assert (len(second.log), second.truncate, second.whole) == (1, None, True)


@pytest.mark.parametrize("change", [insert(1, "a", "b"), b"T" + struct.pack(">IBI", 1, 0, OID)], ids=["row", "emptied"])
def test_a_change_of_a_table_that_was_not_described_is_no_change_to_pass_over(bench, change):
    with pytest.raises(StreamError, match="came before its description"):
        bench.feed(begin(100), change, commit(100))


def test_a_table_that_is_described_anew_ends_what_was_gathered_of_it(bench):
    bench.feed(
        begin(100),
        described(relation()),
        insert(1, "a", "b"),
        described(relation("id a b c")),
        insert(2, "a", "b", "c"),
    )
    assert [len(batch.log) for batch in bench.batches] == [1]
    assert len(bench.known) == 2


def test_copies_keep_out_what_they_have_seen(bench):
    # The copy saw transactions up to 700, and 690 was still running; at 150 of the log the snapshot had been taken.
    snapshot = Snapshot.parse(1, "690:701:690", 150)
    bench.assembler.filters = [(snapshot, frozenset([OID]))]
    bench.feed(begin(100, 699), described(relation()), insert(1, "a", "b"), commit(100))
    bench.feed(begin(110, 690), insert(2, "a", "b"), commit(110), begin(120, 701), insert(3, "a", "b"), commit(120))
    bench.assembler.close()
    (batch,) = bench.batches
    assert [batch.transaction_of(place)[1] for place in range(len(batch.log))] == [690, 701]
    bench.feed(begin(160, 699), insert(4, "a", "b"), commit(160))  # a number that has come round again
    bench.assembler.close()
    assert len(bench.batches[1].log) == 1 and bench.assembler.filters == []


def test_transactions_in_progress_wait_for_their_commit(bench):
    bench.feed(*piece(701, described(relation()), insert(1, "a", "b"), first=True))
    bench.feed(begin(100, 702), described(relation()), insert(5, "a", "b"), commit(100))
    bench.feed(*piece(701, (insert(2, "lost", "b"), 703), (update(1, "lost", "b"), 704), insert(3, "a", "b")))
    bench.feed(b"A" + struct.pack(">II", 701, 703), b"A" + struct.pack(">II", 701, 704))
    assert bench.spool.size == bench.spool.largest > 0
    bench.assembler.close()
    bench.feed(stream_commit(701, 200))
    bench.assembler.close()
    assert [len(batch.log) for batch in bench.batches] == [1, 2]
    assert bench.batches[1].position.end_lsn == 208 and bench.batches[1].transaction_of(0) == (200, 701)
    assert bench.spool.size == 0


def test_transactions_that_are_taken_back_leave_nothing(bench, tmp_path):
    bench.feed(*piece(701, described(relation()), insert(1, "a", "b"), first=True), b"A" + struct.pack(">II", 701, 701))
    bench.feed(b"A" + struct.pack(">II", 799, 799))  # one of which nothing had come
    assert bench.spool.size == 0 and list((tmp_path / "spool").iterdir()) == []


def test_the_spool_has_a_bound(tmp_path):
    bench = Bench(tmp_path, limit=100)
    with pytest.raises(SpoolFull):
        bench.feed(*piece(701, *(insert(number, "a" * 20, "b") for number in range(9)), first=True))


def test_the_spool_gives_back_what_it_was_given_in_any_sizes(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "BUFFER_BYTES", 64)
    spool = Spool(str(tmp_path / "spool"), 1 << 20)
    contents = [insert(number, "x" * (number * 7 % 200), "b") for number in range(200)]
    for number, data in enumerate(contents):
        spool.add(701, [streamed(data, 703 if number % 3 == 0 else 701)])
    spool.abort(701, 703)
    assert [data for some in spool.messages(701) for data in some] == [
        data for number, data in enumerate(contents) if number % 3
    ]


@pytest.mark.parametrize("alike", [64, 1000, 3000])
def test_the_spool_gives_back_messages_that_are_alike(tmp_path, alike):
    spool = Spool(str(tmp_path / "spool"), 1 << 24)
    contents = [insert(10000 + number, "same", "length") for number in range(alike)]
    contents += [insert(number, "x" * (number % 5), "b") for number in range(100)] + contents
    spool.add(701, [streamed(data, 701) for data in contents])
    assert [data for some in spool.messages(701) for data in some] == contents


def test_messages_come_with_their_batch(bench):
    content = b"\1" + struct.pack(">Q", 90) + b"azpg_migrate\0" + struct.pack(">I", 4) + b"wall"
    bench.feed(begin(100), b"M" + content, commit(100))
    bench.assembler.close()
    assert [message.content for message in bench.batches[0].messages] == [b"wall"]


@pytest.mark.parametrize(
    "messages",
    [
        [insert(1, "a", "b")],
        [begin(100), insert(1, "a", "b")],
        [begin(100), begin(200)],
        [commit(100)],
        [b"b" + struct.pack(">QQqI", 1, 2, 0, 7) + b"gid\0"],
    ],
)
def test_what_does_not_belong_there_is_refused(bench, messages):
    with pytest.raises(StreamError):
        bench.feed(*messages)


def test_what_makes_no_sense_as_a_set_is_kept_in_order(bench):
    bench.feed(
        begin(100),
        described(relation()),
        delete(1, None, None),
        delete(1, None, None),
        insert(9, "a", "b"),
        commit(100),
    )
    bench.assembler.close()
    with pytest.raises(Unordered):
        bench.batches[0].net()
    assert len(bench.batches[0].log) == 3
