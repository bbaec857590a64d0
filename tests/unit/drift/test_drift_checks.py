# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the checks is the rules' own, and every rule is shown by a test or named with the reason why not."""

from __future__ import annotations

import ast
import importlib.util
import sys

import drift_facts as facts
from ansible_collections.azpg.migrate.plugins.module_utils._checks.registry import RULES

from tools.house import checks_page

INTEGRATION = facts.ROOT / "tests" / "integration"


def marked(path) -> set:
    """Return the rules that a file's tests are marked to show."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            words = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            if node.func.id == "shows":
                found.update(words)
            elif node.func.id == "both_sides":
                found.update(f"{side}-{word}" for word in words for side in ("source", "target"))
    return found


def shown() -> set:
    """Return the rules that a test shows: by its mark, or by a database of the table of faults."""
    spec = importlib.util.spec_from_file_location("check_faults", INTEGRATION / "support" / "check_faults.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_faults"] = module
    spec.loader.exec_module(module)
    found = module.rules_shown()
    for path in INTEGRATION.glob("test_checks_*.py"):
        found |= marked(path)
    return found


def test_the_page_is_current():
    assert checks_page.PAGE.read_text(encoding="utf-8") == checks_page.page(), "run `make checks-page`"


def test_every_rule_is_on_the_page_once():
    grouped = [rule.id for modules in checks_page.GROUPS.values() for module in modules for rule in module.RULES]
    assert sorted(grouped) == sorted(rule.id for rule in RULES)


def test_every_rule_is_shown_by_a_test_or_finds_no_fault():
    assert shown() == {rule.id for rule in RULES} - set(checks_page.WITHOUT_FAULT)


def test_exceptions_are_rules():
    known = {rule.id for rule in RULES}
    assert set(checks_page.WITHOUT_FAULT) <= known
    assert set(checks_page.STAND_INS) <= known - set(checks_page.WITHOUT_FAULT)


# The error codes that Microsoft documents for the migration service.
DOCUMENTED = {
    *range(603000, 603002),
    *range(603100, 603118),
    *range(603400, 603411),
    603413,
    *range(603700, 603710),
}


def test_every_error_code_of_the_service_is_foreseen_or_has_a_reason_why_not():
    foreseen = {int(code) for code in checks_page.rules_by_code()}
    never = {int(code) for code in checks_page.UNFORESEEN}
    assert not foreseen & never
    assert foreseen | never == DOCUMENTED
