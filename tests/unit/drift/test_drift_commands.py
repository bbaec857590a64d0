# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of the documentation is run, or its like is tested, or it is said why not."""

from __future__ import annotations

import re

import drift_facts as facts
import pytest

from tests.commands.documents import RULES, commands, documents, rule_of
from tools.house import run_tests

ALL = [command for document in documents() for command in commands(document)]


def test_there_are_commands():
    assert len(ALL) > 60
    assert {command.language for command in ALL} == {"bash", "sql", "text"}


@pytest.mark.parametrize("command", ALL, ids=lambda command: f"{command.document}: {command.text[:60]}")
def test_something_becomes_of_every_command(command):
    rule = rule_of(command)
    assert rule is not None, "add a rule to tests/commands/documents.py"
    assert rule.what in ("run", "elsewhere", "listed")
    assert bool(rule.why) == (rule.what != "run")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.pattern)
def test_every_rule_is_needed(rule):
    assert any(rule_of(command) is rule for command in ALL)


def test_tests_that_are_named_are_there():
    for rule in RULES:
        for name in re.findall(r"tests/[\w/]+\.py", rule.why):
            assert (facts.ROOT / name).is_file()


def test_targets_that_are_named_are_parts_or_say_what_they_do():
    targets = set(re.findall(r"^([a-z-]+):.*##", (facts.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {match[1] for command in ALL if (match := re.match(r"make ([a-z-]+)", command.text))}
    assert named <= targets
    assert set(run_tests.PARTS) <= targets
