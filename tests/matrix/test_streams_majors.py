# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes from other majors of the source: what an application does to its rows, and an online migration as a whole."""

from __future__ import annotations

import contextlib
import secrets

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.stream import protocol
from conftest import CACHE, PARTS, write_part, written
from support.online import CHANGES, make
from support.servers import SEEDS, USER, Lab, ask, contents

from tests.streams.suite import WAYS, carry, empty, start
from tools.lab import dataset

SOURCES, TARGET = (11, 13, 15, 17), 18


@pytest.fixture(scope="module")
def results(request):
    """Where the tests leave what they found, C({major: {}}); the part of the page is written when all have left something."""
    found: dict = {major: {} for major in SOURCES}
    yield found
    if all(len(item) == len(WAYS) + 1 for item in found.values()) and not request.session.testsfailed:
        write_part(PARTS[1], page(found))


def page(found: dict) -> str:
    """Return the results."""
    lines = [
        f"{written()} Changes are followed from each",
        f"source to PostgreSQL {TARGET}, in every way in which they can be carried; after each round of changes both sides are compared",
        "row by row. Then a sample application is migrated online as a whole, changed before the cutover, and verified.",
        "",
        "- *cases*: databases' edges that an application's changes can meet: keys that change and swap, values out of line, columns of",
        "  all kinds, emptied tables, partitions, rows without a key, transactions in progress, and more.",
        "- *binary*, *text*, *in order*, *whole transactions*: rounds of changes, batches that had to be replayed in order, and bytes of",
        "  the largest transaction that waited on disk for its commit. Before 14 values come as text, and transactions as a whole.",
        "- *migration*: the verdict on all tables after the cutover.",
        "",
        f"| source | target | protocol | cases | {' | '.join(WAYS)} | migration |",
        f"|---|---|---|---|{'---|' * len(WAYS)}---|",
    ]
    for item in found.values():
        migration = item["migration"]
        ways = [item[way] for way in WAYS]
        told = [f"{one['rounds']} rounds equal, {one['replayed']} replayed, {one['spooled']:,} bytes" for one in ways]
        cases = sorted({one["cases"] for one in ways})
        lines.append(
            f"| {' | '.join(migration['versions'])} | {migration['protocol']} | {' to '.join(map(str, cases))} "
            f"| {' | '.join(told)} | {migration['verdict']} of {migration['tables']} tables |"
        )
    return "\n".join([*lines, ""])


@pytest.fixture(scope="module", params=SOURCES, ids=lambda major: f"from{major}")
def servers(request, tmp_path_factory):
    """A source of each major in turn, and a target."""
    with contextlib.ExitStack() as stack:
        yield request.param, start((request.param, TARGET), tmp_path_factory.mktemp("streams"), CACHE, stack)


@pytest.mark.parametrize("way", WAYS)
def test_changes_arrive(servers, tmp_path, way, results):
    major, pair = servers
    pipe = empty(pair, tmp_path)
    try:
        seen = carry(pipe, way, major)
        assert seen["replayed"], "some of the cases have to be replayed in order"
        assert bool(seen["spooled"]) == (major >= 14 and way != "whole transactions")
        results[major][way] = seen
    finally:
        pipe.end()


def test_a_whole_migration(servers, tmp_path, results):
    major, (source, target) = servers
    passwords = {side: secrets.token_urlsafe(18) for side in ("source", "target")}
    dataset.create_roles(source)
    dataset.create_source_user(source, USER, passwords["source"])
    dataset.create_target_user(target, USER, passwords["target"])
    ask(source, "CREATE DATABASE seed_small OWNER app_owner")
    source.psql(SEEDS["seed_small"], dbname="seed_small")
    one = make(Lab(source, target, passwords), tmp_path, "majors", without_identity="full")
    try:
        one.replicate()
        one.source(CHANGES)
        assert one.module("migration").good()["state"] == "completed"
        assert one.left_on_source() == []
        assert contents(source, "majors") == contents(target, "majors")
        found = one.module("verification").good()["verification"]
        assert found["verdict"] == "MATCH", found["reason"]
        versions = [
            ask(server, "SELECT split_part(current_setting('server_version'), ' ', 1)")[0][0]
            for server in (source, target)
        ]
        spoken = protocol(ask(source, "SELECT current_setting('server_version_num')::int")[0][0])
        results[major]["migration"] = {
            "versions": versions, "protocol": spoken, "verdict": found["verdict"], "tables": len(contents(target, "majors")),
        }  # fmt: skip
    finally:
        one.close()
