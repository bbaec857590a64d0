# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each ansible-core in turn with an environment of its own, one pair of servers for all, and the results as a page."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import pytest
from versions import CORES, controller, runtime

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "cores.md"
sys.path.insert(0, str(ROOT / "tests" / "integration"))
pytest_plugins = ["support.lab"]


@pytest.fixture(scope="session", params=CORES, ids=lambda core: core.minor)
def core(request):
    """Each version in turn."""
    return request.param


@pytest.fixture(scope="session")
def programs(core) -> Path:
    """The folder of the version's programs."""
    return controller(core)


@pytest.fixture(scope="session")
def interpreter(core) -> Path:
    """Python on the runtime host."""
    return runtime(core.runtime)


@pytest.fixture(scope="session")
def results(request):
    """Where the versions leave what they found, by minor; the page is written when all passed everything."""
    found: dict = {core.minor: {"core": core} for core in CORES}
    yield found
    complete = all({"version", "documented", "sanity", "site"} <= set(item) for item in found.values())
    if complete and not request.session.testsfailed:
        PAGE.write_text(page(found), encoding="utf-8")


def page(found: dict) -> str:
    """Return the results as a page."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    lines = [
        "# Versions of ansible-core",
        "",
        f"Written by `make test-cores` on {datetime.date.today().isoformat()}, commit {commit or 'unknown'}.",
        "",
        "- *syntax*: playbooks whose syntax this version accepts, those of the AWX pattern and the examples included.",
        "- *documented*: modules and roles whose documentation this version reads.",
        "- *specification*: a role refuses a missing option before it does anything.",
        "- *site*: seconds of `azpg.migrate.site` between two real servers, modules run by the runtime host's Python; a second",
        "  run changed nothing.",
        "- *sanity*: sanity tests of this version's `ansible-test`, without ignore entries.",
        "",
        "| ansible-core | Python | Python of the runtime host | syntax | documented | specification | site | sanity |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for item in found.values():
        lines.append(
            f"| {item['version']} | {item['core'].python} | {item['core'].runtime} | {item['syntax']} | {item['documented']} "
            f"| {item['specification']} | {item['site']:.0f} s | {item['sanity']} |"
        )
    return "\n".join([*lines, ""])
