# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many messages at once as rows of COPY: the same as one by one."""

from __future__ import annotations

import random

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import shapes
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.pgoutput import StreamError
from online_streams import UNCHANGED, insert, sized, update

N = sized(7)


def rows_of(pieces: list, columns: int) -> list:
    """Take apart what COPY reads."""
    data, at, found = b"".join(pieces), 0, []
    while at < len(data):
        assert int.from_bytes(data[at : at + 2], "big") == columns
        begins, at = at, at + 2
        for _column in range(columns):
            size = int.from_bytes(data[at : at + 4], "big", signed=True)
            at += 4 + max(0, size)
        found.append(data[begins:at])
    return sorted(found)


@pytest.mark.parametrize("before", [[], [N]])
@pytest.mark.parametrize(
    "contents",
    [
        [("abcd", number, "%s%b") for number in range(10, 90)],
        [("abcd", number, None) for number in range(10, 90)],
        [(None, number, None) for number in range(10, 90)],
        [("50%", None, number) for number in range(10, 90)],
        [(None, None, None)] * 40,
        # Equally long, but the values lie elsewhere, or there is NULL: found by the stride, or by nothing else.
        [("a" * (number % 7), "b" * (6 - number % 7), "c") for number in range(80)],
        [("abcd", None, "n") if number % 40 else (None, "abcd", "n") for number in range(80)],
        [("abcdbbbbb", "b") if number else ("abcd", "bbbbbb") for number in range(40)],
        [("x" * number, "y") for number in range(60)],
        [()] * 20,
    ],
)
def test_many_at_once_are_as_one_by_one(contents, before):
    messages = [insert(*row) for row in contents]
    expected = sorted(shapes.one_row(message, before) for message in messages)
    assert rows_of(shapes.copied(messages, before), len(contents[0]) + len(before)) == expected


def test_any_rows():
    for seed in range(150):
        dice = random.Random(seed)
        letters = "abnu%\0\1\2\3\4"
        lengths = [dice.randint(0, 3) for _column in range(dice.randint(1, 5))]
        messages = []
        for _row in range(dice.randint(1, 120)):
            lot = [size if dice.random() < 0.9 else size + dice.randint(0, 2) for size in lengths]
            row = ["".join(dice.choices(letters, k=size)) if dice.random() < 0.95 else None for size in lot]
            messages.append(update(*row))
        found = rows_of(shapes.copied(messages, [N]), len(lengths) + 1)
        assert found == sorted(shapes.one_row(message, [N]) for message in messages), f"seed {seed}"


@pytest.mark.parametrize("number", [1, 40])
def test_a_value_that_is_not_told_is_missed(number):
    with pytest.raises(StreamError, match="not told"):
        shapes.copied([update(1, UNCHANGED, "b")] * number, [])
