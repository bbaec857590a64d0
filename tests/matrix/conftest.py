# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server per major version for as long as its pairs are compared, and the results as a page."""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pairs import SOURCES, TARGETS, Server

from tools.lab.binaries import CACHE

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "matrix.md"
# What the tests share with those of one pair of servers, and assertions that tell what they saw; both before it is imported.
sys.path.append(str(ROOT / "tests" / "integration"))
pytest.register_assert_rewrite("tests.fidelity.suite", "tests.streams.suite")
PARTS = ("# Verification across major versions", "## Online migrations across major versions")
TITLE = re.compile("^(#+ .*)$", re.MULTILINE)


@pytest.fixture(scope="session")
def targets(tmp_path_factory):
    """The targets, by major version; they run for the whole session."""
    servers = {major: Server(major, CACHE, tmp_path_factory.mktemp(f"target{major}")) for major in TARGETS}
    try:
        yield servers
    finally:
        for server in servers.values():
            server.close()


@pytest.fixture(scope="session", params=SOURCES, ids=lambda major: f"from{major}")
def source(request, tmp_path_factory):
    """A source of each major version in turn, with its databases filled."""
    server = Server(request.param, CACHE, tmp_path_factory.mktemp(f"source{request.param}"))
    try:
        server.fill()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def results(request):
    """Where the pairs leave what they found; the page is written when every pair left something."""
    found = {}
    yield found
    wanted = sum(source <= target for source in SOURCES for target in TARGETS)
    if len(found) == wanted and not request.session.testsfailed:
        write_part(PARTS[0], page(found))


def write_part(title: str, text: str) -> None:
    """Put a part of the page in the place of what there was of it."""
    pieces = TITLE.split(PAGE.read_text(encoding="utf-8"))[1:]
    known = {**dict(zip(pieces[::2], pieces[1::2])), title: text}
    parts = [f"{name}\n\n{known[name].strip()}\n" for name in PARTS if name in known]
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def written() -> str:
    """Return the words that say when and from what a part was written."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return f"Written by `make test-matrix` on {datetime.date.today().isoformat()}, commit {commit or 'unknown'}."


def page(found: dict) -> str:
    """Return the results of verification."""
    lines = [
        f"{written()} Each source was moved with the target's own",
        "pg_dump and pg_restore, between servers on one machine, and compared with mode `full` by an ordinary user.",
        "",
        "- *hashed by*: the servers, or for a source that is too old for it, this program, to which all rows travel.",
        "- *types*: built-in types, each in a table of its own with values at its edges, NULL, and arrays of them.",
        "- *own*: enums, domains, composites, ranges and arrays of these, plus types of extensions that both servers offer.",
        "- *equal*: tables whose fingerprints agree, of those compared; every pair says MATCH, with no error and nothing",
        "  that could not be compared.",
        "- *settings*: the same with other DateStyle, TimeZone, extra_float_digits, bytea_output, search_path and more set for",
        "  role and database on each end.",
        "- *LATIN1*: a database in LATIN1 against one in UTF8.",
        "- *afresh*: the statements that made the source's database of types, run on the target too: nothing was dumped.",
        "  What differs then calls another function there: EXTRACT before 14, SIMILAR TO before 13, current_user before 12.",
        "- *faults*: tables of which one value was changed on the target; every one was found.",
        "",
        "| source | target | hashed by | types | own | equal | objects | warnings | settings | LATIN1 | afresh | faults | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for _pair, item in sorted(found.items()):
        lines.append(
            f"| {item['source']} | {item['target']} | {item['method']} | {item['types']} | {item['own']} | {item['equal']} | {item['objects']} "
            f"| {item['warnings']} | {item['settings']} | {item['latin']} | {item['afresh']} | {item['faults']} | {item['seconds']:.0f} |"
        )
    moved = sorted({note for item in found.values() for note in item["notes"]})
    return "\n".join([*lines, "", "Not in the matrix:", "", *(f"- {note}" for note in moved), ""])
