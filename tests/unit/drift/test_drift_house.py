# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house: who may import whom, which Python, and words that belong in no file."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import drift_facts as facts
import pytest

UTILS = facts.ROOT / "plugins" / "module_utils"

# Room: the rooms that it may use besides itself.
ARROWS = {
    "_core": set(),
    "_postgres": {"_core"},
    "_checks": {"_core", "_postgres"},
    "_verify": {"_core", "_postgres"},
    "_transfer": {"_core", "_postgres"},
    # Of the checks only the vocabulary: its rules are asked of Resource Manager.
    "_azure": {"_core", "_checks"},
    "_module": {"_core", "_postgres", "_checks", "_verify", "_transfer", "_azure"},
}
# Libraries that a room may use.
LIBRARIES = {"_azure": {"azure"}}
SOURCES = sorted(path.relative_to(facts.ROOT).as_posix() for path in (facts.ROOT / "plugins").rglob("*.py"))
LIBRARY = [name for name in SOURCES if re.match(r"plugins/module_utils/_\w+/", name)]
PREFIX = f"ansible_collections.{facts.COLLECTION}.plugins.module_utils."
# In two pieces, or this line would be read as a licence itself.
LICENCE = ": ".join(("SPDX-License-Identifier", "GPL-3.0-or-later"))
# Absolute paths of a developer's machine.
MACHINE_PATH = re.compile(r"/(?:work|root|home/[a-z]+)/[\w.]")


def imported(name: str):
    """Yield the full names of the modules that a file imports, wherever in the file."""
    path = facts.ROOT / name
    package = "ansible_collections.azpg.migrate." + path.parent.relative_to(facts.ROOT).as_posix().replace("/", ".")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            full = ".".join(part for part in (base, node.module) if part)
            # "from . import x" names modules, "from .x import y" names one.
            yield from [f"{full}.{alias.name}" for alias in node.names] if not node.module else [full]


def room_of(full: str) -> str | None:
    """Return the room of the house that a module's full name lies in."""
    return full[len(PREFIX) :].split(".")[0] if full.startswith(PREFIX) else None


def test_every_room_is_known():
    rooms = {path.name for path in UTILS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == set(ARROWS)


@pytest.mark.parametrize("name", LIBRARY)
def test_arrows_point_one_way(name):
    room = Path(name).relative_to("plugins/module_utils").parts[0]
    used = {room_of(full) for full in imported(name)} - {None, room}
    assert used <= ARROWS[room]


@pytest.mark.parametrize("name", LIBRARY)
def test_only_the_edge_knows_ansible(name):
    room = Path(name).relative_to("plugins/module_utils").parts[0]
    tops = {full.split(".")[0] for full in imported(name)}
    assert "ansible" not in tops or room == "_module"
    # The engine runs from a zip archive with this interpreter's standard library and psycopg2, and nothing else.
    foreign = tops - set(sys.stdlib_module_names) - {"ansible", "ansible_collections"}
    assert foreign <= ({"psycopg2"} if name.endswith("_postgres/driver.py") else LIBRARIES.get(room, set()))


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith("plugins/module_utils/")])
def test_plugins_use_no_provider_directly(name):
    rooms = {room_of(full) for full in imported(name)} - {None}
    # What runs on the controller beside the modules speaks of migrations in their common words.
    beside = ("plugins/action/", "plugins/filter/", "plugins/plugin_utils/")
    assert rooms <= {"_module"} | ({"_core"} if name.startswith(beside) else set())


@pytest.mark.parametrize("name", SOURCES)
def test_syntax_is_that_of_python_3_9(name):
    ast.parse((facts.ROOT / name).read_text(encoding="utf-8"), filename=name, feature_version=(3, 9))


@pytest.mark.parametrize("name", [name for name in SOURCES if (facts.ROOT / name).stat().st_size])
def test_every_source_has_licence_and_lazy_annotations(name):
    text = (facts.ROOT / name).read_text(encoding="utf-8")
    assert LICENCE in text
    assert "from __future__ import annotations" in text


def test_licence_text_is_where_galaxy_and_where_reuse_look_for_it():
    wanted = (facts.ROOT / "LICENSE").read_bytes()
    assert (facts.ROOT / "LICENSES" / "GPL-3.0-or-later.txt").read_bytes() == wanted


def test_no_file_mentions_a_path_of_a_developers_machine():
    found = []
    for name in facts.project_files():
        try:
            text = (facts.ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {match[0]}" for match in MACHINE_PATH.finditer(text)]
    assert found == []
