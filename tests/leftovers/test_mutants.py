# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards in front of source and target are taken away, one after the other, and a test has to notice each time."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UTILS = "plugins/module_utils"
GATE, DELETION = f"{UTILS}/_verify/gate.py", f"{UTILS}/_azure/deletion.py"
ENDS = "tests/leftovers/test_single_options.py"
UNIT = "tests/unit/plugins/module_utils"

NAMED = (
    f"{UTILS}/_transfer/undoing.py",
    'if (kind, name) not in made or (kind == "database" and name not in request.databases):',
    "if False:",
)
MARKS = (f"{UTILS}/_transfer/undoing.py", "if owner != (request.name, request.hash):", "if False:")
IDENTITY = (
    f"{UTILS}/_transfer/backend.py",
    'if stored is None or stored["request"]["hash"] == self.request.hash:',
    "if True:",
)
# Each is one guard of the host provider, or two that stand behind each other.
GUARDS = {
    "only what the migration has made can be named": [NAMED],
    "a database has to bear the migration's marks": [MARKS],
    "neither of both": [NAMED, MARKS],
    "whoever turns source and target round asks for another migration": [IDENTITY, MARKS],
    "the migration's name has to be typed": [(f"{UTILS}/_module/giving_up.py", "if confirm != name:", "if False:")],
    "what is completed is not undone": [
        (f"{UTILS}/_module/giving_up.py", "if state != status.COMPLETED:", "if True:"),
    ],
    "check mode changes nothing": [
        (
            f"{UTILS}/_module/cleanup.py",
            'if task.check_mode:\n        return result(True, {}, plan["remove"]',
            'if False:\n        return result(True, {}, plan["remove"]',
        ),
    ],
    "an abandoned migration leaves the target as it is": [
        (f"{UTILS}/_module/rollback.py", "return (*keeper.clean(True), [])", "return (*keeper.clean(False), [])"),
    ],
    "a gate that is shut stays shut": [
        (f"{UTILS}/_module/gate.py", "    if against:\n        reasons", "    if False:\n        reasons"),
    ],
    "force quotes the newest report": [(f"{UTILS}/_verify/forcing.py", "if force != known:", "if False:")],
}
# Of provider azure, beside the conditions of the module itself.
WORDS = {
    "the id of an end": [(DELETION, "identifier == server.id or ", "")],
    "the name of an end, made from its id": [(DELETION, 'f"{server.id.name}.{suffix}".lower(), ', "")],
    "the address of an end": [(DELETION, ", server.fqdn.lower()}", "}")],
    "capitals in an address": [(DELETION, '(endpoint.host or "").lower()', '(endpoint.host or "")')],
    "the dot at the end of an address": [(DELETION, '.rstrip(".")', "")],
    "the delegation of a subnet": [(DELETION, ' and delegations == ["microsoft.dbforpostgresql/flexibleservers"]', "")],
    "the name of a subnet": [(DELETION, "name.lower() == derived_name(request) and ", "")],
}


def conditions(path: str) -> list:
    """Return a mutant for each condition of a file under which something is refused: it never holds."""
    text = (ROOT / path).read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.If) and re.search(r"refusal\(|Verdict\(|_whole|return side", ast.unparse(node.body)):
            begin = starts[node.test.lineno - 1] + node.test.col_offset
            end = starts[node.test.end_lineno - 1] + node.test.end_col_offset
            found.append((f"line {node.test.lineno}: {text[begin:end]}", text[:begin] + "False" + text[end:]))
    return found


def notice(tmp_path: Path, changes: dict, *arguments: str, **more: str) -> str:
    """Run tests with changed files, C({path: text}), in the place of those of the checkout; return what they say.

    :raises AssertionError: when none of them fails
    """
    home = tmp_path / "ansible_collections" / "azpg" / "migrate"
    shutil.copytree(ROOT / "plugins", home / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in changes.items():
        (home / path).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-x", "-q", f"--basetemp={tmp_path / 'tests'}"),
            *("-o", f"pythonpath=. {tmp_path}", "-o", f"cache_dir={tmp_path / 'cache'}", *arguments),
        ],
        cwd=ROOT,
        env={**os.environ, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and re.search(r"\b1 failed\b", done.stdout), f"nobody noticed:\n{done.stdout[-3000:]}"
    return done.stdout


def changed(words: list) -> dict:
    """Return C({path: text}) with words replaced; each has to be there exactly once."""
    found: dict = {}
    for path, old, new in words:
        text = found.get(path) or (ROOT / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}"
        found[path] = text.replace(old, new)
    return found


@pytest.mark.parametrize("guard", GUARDS)
def test_no_option_is_tried_in_vain(tmp_path, guard):
    output = notice(tmp_path, changed(GUARDS[guard]), ENDS)
    assert "AssertionError" in output, output[-3000:]


@pytest.mark.parametrize(("what", "text"), conditions(DELETION))
def test_every_condition_of_a_deletion_in_azure_is_needed(tmp_path, what, text):
    notice(tmp_path, {DELETION: text}, f"{UNIT}/azure/test_azure_deletion.py")


@pytest.mark.parametrize("word", WORDS)
def test_every_word_by_which_an_end_is_known_is_needed(tmp_path, word):
    notice(tmp_path, changed(WORDS[word]), f"{UNIT}/azure/test_azure_deletion.py")


@pytest.mark.parametrize(("what", "text"), conditions(GATE))
def test_every_condition_of_the_gate_is_needed(tmp_path, what, text):
    notice(tmp_path, {GATE: text}, f"{UNIT}/verify/test_gate.py", f"{UNIT}/module/test_giving_up.py")
