# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All cases of streams between two servers, in one way of carrying changes."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.streams.cases import CASES
from tests.streams.pipe import Pipe
from tools.lab.binaries import obtain
from tools.lab.cluster import Cluster

# Ways in which changes can be carried.
WAYS = {
    "binary": {},
    "text": {"binary": False},
    "in order": {"ordered": True},
    "whole transactions": {"streaming": False},
}
# A transaction of more than 64 kB is sent while it is in progress, where the source can.
EAGER = {"logical_decoding_work_mem": "64kB"}


def start(majors: tuple, directory: Path, cache: Path, stack: contextlib.ExitStack) -> tuple:
    """Return a source and a target of two majors, which end with I(stack)."""
    settings = [{"autovacuum": "off", **(EAGER if majors[0] >= 13 else {})}, {"autovacuum": "off"}]
    client = obtain(max(*majors, 14), cache)
    return tuple(
        stack.enter_context(Cluster(obtain(major, cache), directory / side, settings=some, client_prefix=client))
        for side, major, some in zip(("source", "target"), majors, settings)
    )


def empty(servers: tuple, directory: Path) -> Pipe:
    """Return what carries changes between two databases that are made anew."""
    for server in servers:
        server.psql("DROP DATABASE IF EXISTS stream")
        server.psql("CREATE DATABASE stream")
    return Pipe(*servers, "stream", directory)


def carry(pipe: Pipe, way: str, major: int) -> dict:
    """Carry all cases, round by round, and demand that source and target are equal after each; return what there was of it.

    C({cases, rounds, replayed, spooled}): the last two are batches that were replayed in order, and bytes of the largest
    transaction that waited in progress.
    """
    for word, choice in WAYS[way].items():
        setattr(pipe, word, choice)
    binary = pipe.binary and major >= 14
    cases = [case for case in CASES if case.since <= major and not (case.text and binary)]
    for case in cases:
        pipe.both(f"CREATE SCHEMA {case.name}; SET search_path = {case.name};\n{case.tables}")
    pipe.begin()
    seen = {"cases": len(cases), "rounds": max(len(case.rounds) for case in cases), "replayed": 0, "spooled": 0}
    for number in range(seen["rounds"]):
        for case in cases:
            if number < len(case.rounds):
                pipe.run("source", f"SET search_path = {case.name};\n{case.rounds[number]}")
        follower = pipe.catch_up()
        seen["replayed"] += follower.counts.replayed
        seen["spooled"] = max(seen["spooled"], pipe.spooled)
        assert pipe.differences() == {}, f"after round {number + 1}"
    return seen
