# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams taken apart however they are cut, the search for rows that differ, samples, and what a recheck rests on."""

from __future__ import annotations

import random
import struct

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.azpg.migrate.plugins.module_utils._verify import drill_search
from ansible_collections.azpg.migrate.plugins.module_utils._verify.client_hash import (
    SIGNATURE,
    BinaryRows,
    StreamBroken,
    row_digest,
    short_digest,
)
from ansible_collections.azpg.migrate.plugins.module_utils._verify.drill_probe import conditions, image_of, mask
from ansible_collections.azpg.migrate.plugins.module_utils._verify.drill_search import search
from ansible_collections.azpg.migrate.plugins.module_utils._verify.formats import rests_on_full
from ansible_collections.azpg.migrate.plugins.module_utils._verify.page_differences import differences
from ansible_collections.azpg.migrate.plugins.module_utils._verify.sample import chance_to_miss, sample_bits

ROWS = [[b"a", None, b""], [b"", b"\x00" * 300, b"\xff\xff"], [None, None, None], [b"PGCOPY", b"\n", b"x"]]


def stream_of(rows: list, extension: bytes = b"") -> bytes:
    body = b"".join(struct.pack("!h", len(fields)) + image_of(fields) for fields in rows)
    return SIGNATURE + struct.pack("!ii", 0, len(extension)) + extension + body + struct.pack("!h", -1)


def taken_apart(data: bytes, cuts) -> list:
    found = []
    rows = BinaryRows(lambda image, fields: found.append((image, fields)), with_fields=True)
    for begin, end in zip([0, *cuts], [*cuts, len(data)]):
        rows.write(data[begin:end])
    rows.finish()
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 19, 64, 10_000])
@pytest.mark.parametrize("extension", [b"", b"more"])
def test_streams_are_taken_apart_however_they_are_cut(size, extension):
    data = stream_of(ROWS, extension)
    found = taken_apart(data, range(size, len(data), size))
    assert [fields for _image, fields in found] == ROWS
    assert [image for image, _fields in found] == [image_of(fields) for fields in ROWS]


def test_a_table_without_rows_and_rows_without_fields():
    assert taken_apart(stream_of([]), []) == []
    assert taken_apart(stream_of([[], []]), [20]) == [(b"", []), (b"", [])]


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-1], lambda data: data[:-3], lambda data: data[:10], lambda data: b""]
)
def test_a_stream_that_ends_early_is_an_error(spoil):
    with pytest.raises(StreamBroken):
        taken_apart(spoil(stream_of(ROWS)), [])


@pytest.mark.parametrize("data", [b"x" * 30, stream_of(ROWS) + b"more"])
def test_a_stream_that_is_none_is_an_error(data):
    with pytest.raises(StreamBroken):
        taken_apart(data, [])


def test_hashes_tell_null_from_nothing_and_where_fields_end():
    images = [[b"", None], [None, b""], [b"ab", b"c"], [b"a", b"bc"], [b"abc"], [b"abc", None]]
    assert len({row_digest(image_of(fields)) for fields in images}) == len(images)
    assert len({short_digest(fields) for fields in images}) == len(images)
    assert -(1 << 63) <= short_digest([b"x"]) < 1 << 63


class Rows:
    """A probe over C({identity: row hash}); it counts what is asked of it."""

    key = ["id"]

    def __init__(self, rows: dict):
        self.all, self.asked, self.most = rows, 0, 0

    def buckets(self, depth, paths=()):
        self.asked += 1
        found = {}
        for identity, row in self.all.items():
            if depth == 1 or identity & mask(depth - 1) in paths:
                count, total = found.get(identity & mask(depth), (0, 0))
                found[identity & mask(depth)] = (count + 1, total + row)
        return {path: (count, str(total)) for path, (count, total) in found.items()}

    def rows(self, depth, paths, limit):
        found = [(one, row, 1) for one, row in self.all.items() if one & mask(depth) in paths][:limit]
        self.most = max(self.most, len(found))
        return found


def pair(number: int, bad: int) -> tuple:
    chance = random.Random(1)
    source = {chance.getrandbits(64) - (1 << 63): chance.getrandbits(60) for _number in range(number)}
    target = dict(source)
    for identity in list(source)[:bad]:
        target[identity] += 1
    return Rows(source), Rows(target)


@pytest.mark.parametrize(("number", "bad"), [(1, 1), (500, 3), (20_000, 3), (20_000, 100), (3_000, 3_000)])
def test_the_search_finds_all_and_holds_few_rows(monkeypatch, number, bad):
    monkeypatch.setattr(drill_search, "MOST_ROWS", 200)
    source, target = pair(number, bad)
    found = search({"source": source, "target": target}, limit=30_000)
    assert found.complete and found.counts == {"missing": 0, "unexpected": 0, "changed": bad}
    assert {identity for _kind, identity, _copies in found.listed} == set(list(source.all)[:bad])
    assert max(source.most, target.most) <= 200


def test_the_search_stops_and_estimates(monkeypatch):
    monkeypatch.setattr(drill_search, "MOST_ROWS", 500)
    source, target = pair(20_000, 10_000)
    found = search({"source": source, "target": target}, limit=100)
    assert len(found.listed) == 100 and not found.complete
    assert 8_000 < found.estimate < 12_500
    assert source.asked <= 3


def test_rows_with_one_and_the_same_key_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(drill_search, "MOST_ROWS", 10)

    class Same(Rows):
        def buckets(self, depth, paths=()):
            return {5: (1000, str(self.all[5]))}

        def rows(self, depth, paths, limit):
            return [(5, self.all[5], 1)] * min(limit, 1000)

    found = search({"source": Same({5: 1}), "target": Same({5: 2})}, limit=100)
    assert not found.complete and found.listed == [] and sum(level.left for level in found.levels.values()) == 1000


def test_missing_and_unexpected_rows():
    source, target = Rows({1: 1, 2: 2, 3: 3}), Rows({2: 2, 3: 4, 5: 5})
    found = search({"source": source, "target": target}, 10)
    assert sorted(kind for kind, _identity, _copies in found.listed) == ["changed", "missing", "unexpected"]


def test_conditions_of_configuration_tables():
    assert conditions("WHERE a OR b") == ["(a OR b)"] and conditions("") == conditions(None) == []


@pytest.mark.parametrize(("fraction", "bits"), [(1, 0), (0.5, 1), (0.3, 1), (0.01, 6), (1e-9, 20)])
def test_a_sample_is_never_smaller_than_asked(fraction, bits):
    assert sample_bits(fraction) == bits


@pytest.mark.parametrize("fraction", [0, -1, 1.01])
def test_impossible_samples(fraction):
    with pytest.raises(InvalidRequest):
        sample_bits(fraction)


def test_the_chance_to_miss():
    assert chance_to_miss(1) == {"1": "0.5", "10": "0.00098", "100": "7.9e-31", "1000": "9.3e-302", "10000": "0"}
    assert chance_to_miss(6)["100"] == "0.21"


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"mode": "full"}, True),
        ({"mode": "counts"}, False),
        ({"mode": "sample", "accept_sample": True}, False),
        ({"mode": "recheck"}, False),
        ({"mode": "recheck", "base": {"chain": []}}, False),
        ({"mode": "recheck", "base": {"chain": [{"mode": "full"}]}}, True),
        ({"mode": "recheck", "base": {"chain": [{"mode": "recheck"}, {"mode": "full"}]}}, True),
        ({"mode": "recheck", "base": {"chain": [{"mode": "recheck"}]}}, False),
        ({"mode": "recheck", "base": {"chain": [{"mode": "counts"}, {"mode": "full"}]}}, False),
        ({"mode": "counts", "base": {"chain": [{"mode": "full"}]}}, False),
    ],
)
def test_what_a_report_rests_on(report, expected):
    assert rests_on_full(report) is expected


def test_a_failed_search_is_said_on_the_page():
    assert "&lt;b&gt;" in differences({"error": "<b>", "differences": []})
    assert differences(None) == ""
