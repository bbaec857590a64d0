# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an application does to its rows arrives on the target, in each of the ways in which changes can be carried."""

from __future__ import annotations

import contextlib
import os

import pytest
from support.lab import CACHE

from tests.streams.cases import CASES
from tests.streams.pipe import Pipe
from tools.lab.binaries import obtain
from tools.lab.cluster import Cluster

MAJORS = tuple(int(word) for word in os.environ.get("AZPG_STREAM_MAJORS", "16,18").split(","))
# A transaction of more than 64 kB is sent while it is in progress.
SETTINGS = {"autovacuum": "off", "logical_decoding_work_mem": "64kB"}
WAYS = {
    "binary": {},
    "text": {"binary": False},
    "in order": {"ordered": True},
    "whole transactions": {"streaming": False},
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """A source and a target."""
    directory = tmp_path_factory.mktemp("streams")
    with contextlib.ExitStack() as stack:
        old = {} if MAJORS[0] >= 13 else {"logical_decoding_work_mem": None}
        settings = [{**SETTINGS, **old}, {"autovacuum": "off"}]
        yield tuple(
            stack.enter_context(
                Cluster(
                    obtain(major, CACHE),
                    directory / side,
                    settings={word: text for word, text in some.items() if text},
                    client_prefix=obtain(max(*MAJORS, 14), CACHE),
                )
            )
            for side, major, some in zip(("source", "target"), MAJORS, settings)
        )


@pytest.fixture
def pipe(servers, tmp_path):
    """Two empty databases and what carries changes from one to the other."""
    for server in servers:
        server.psql(
            "DROP DATABASE IF EXISTS stream WITH (FORCE)" if server is servers[1] else "DROP DATABASE IF EXISTS stream"
        )
        server.psql("CREATE DATABASE stream")
    found = Pipe(*servers, "stream", tmp_path)
    yield found
    found.end()


@pytest.mark.parametrize("way", WAYS)
def test_changes_arrive(pipe, way):
    binary = WAYS[way].get("binary", True) and MAJORS[0] >= 14
    cases = [case for case in CASES if case.since <= MAJORS[0] and not (case.text and binary)]
    for word, choice in WAYS[way].items():
        setattr(pipe, word, choice)
    for case in cases:
        pipe.both(f"CREATE SCHEMA {case.name}; SET search_path = {case.name};\n{case.tables}")
    pipe.begin()
    replayed = 0
    for number in range(max(len(case.rounds) for case in cases)):
        for case in cases:
            if number < len(case.rounds):
                pipe.run("source", f"SET search_path = {case.name};\n{case.rounds[number]};")
        follower = pipe.catch_up()
        replayed += follower.counts.replayed
        assert pipe.differences() == {}, f"after round {number + 1}"
    assert replayed, "some of the cases have to be replayed in order"
