# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of a verification, and how grave they are."""

from __future__ import annotations

from fnmatch import fnmatchcase

from . import catalogue_system

ERROR, WARNING, EXPECTED, NOT_COMPARABLE = "error", "warning", "expected", "not_comparable"

LONGEST_VALUE = 400

# Properties whose difference leaves data and their rules intact.
WARNING_ATTRIBUTES = frozenset(
    "owner acl options storage compression statistics_target tablespace access_method cost rows version position "
    "clustered connection_limit text library toast_options row_identifiers support".split()
)
# Kinds whose every difference leaves data and their rules intact.
WARNING_KINDS = frozenset(
    [
        "database",
        "database setting",
        "comment",
        "security label",
        "extended statistics",
        "default privileges",
        "user mapping",
        "publication",
        "subscription",
        "language",
        "foreign-data wrapper",
        "foreign server",
        "conversion",
        catalogue_system.PRIVILEGE,
        catalogue_system.FUNCTION,
    ]
)
# Kinds of which the target may hold more than the source without changing what the application sees.
EXTRA_IS_WARNING = frozenset(
    [
        "schema",
        "extension",
        "function",
        "procedure",
        "aggregate",
        "window function",
        "operator",
        "operator class",
        "operator family",
        "cast",
        "type",
        "collation",
        "text search configuration",
        "text search dictionary",
        "text search parser",
        "text search template",
    ]
)


def differing(attribute: str) -> str:
    """Return C(owner differs) or C(options differ)."""
    words = attribute.replace("_", " ")
    return f"{words} differ" if words.endswith("s") and not words.endswith("ss") else f"{words} differs"


def finding(
    severity: str,
    rule: str,
    kind: str,
    name: str,
    msg: str,
    *,
    attribute: str = "",
    source=None,
    target=None,
    remedy: str = "",
) -> dict:
    """Return one finding; I(source) and I(target) are what each end holds, shortened, never a row's value."""
    return {
        "severity": severity,
        "rule": rule,
        "kind": kind,
        "object": name,
        "attribute": attribute,
        "msg": msg,
        "source": shorten(source),
        "target": shorten(target),
        "remedy": remedy,
    }


def shorten(text) -> str:
    """Return I(text) as a string of bearable length; None becomes an empty one."""
    if text is None:
        return ""
    text = text if isinstance(text, str) else str(text)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + " ..."


def attribute_severity(kind: str, attribute: str) -> str:
    """Return how grave a difference in I(attribute) of an object of I(kind) is."""
    if kind in ("view", "materialized view") and attribute == "options":
        return ERROR  # security_barrier, security_invoker and check_option decide who sees and writes which rows
    return WARNING if kind in WARNING_KINDS or attribute in WARNING_ATTRIBUTES else ERROR


def is_ignored(item: dict, patterns) -> dict | None:
    """Return the first of the user's ignore patterns that fits a finding.

    A pattern is a dictionary with any of C(rule), C(kind), C(object), C(attribute), each with shell wildcards; all
    that are given have to fit, and an empty one fits nothing.
    """
    for pattern in patterns:
        words = {key: text for key, text in pattern.items() if key in ("rule", "kind", "object", "attribute") and text}
        if words and all(fnmatchcase(item[key], text) for key, text in words.items()):
            return pattern
    return None


def sort_out(findings: list, patterns=()) -> dict:
    """Return C({errors, warnings, expected, not_comparable, ignored}).

    Expected differences come as C([{rule, n, msg, remedy, objects}]), one entry per rule; the others as findings.
    """
    sorted_out = {"errors": [], "warnings": [], "expected": [], "not_comparable": [], "ignored": []}
    rules = {}
    for item in findings:
        if item["severity"] != EXPECTED and is_ignored(item, patterns):
            sorted_out["ignored"].append(item)
        elif item["severity"] == EXPECTED:
            entry = rules.setdefault(
                item["rule"],
                {"rule": item["rule"], "n": 0, "msg": item["msg"], "remedy": item["remedy"], "objects": []},
            )
            entry["n"] += 1
            entry["objects"].append(f"{item['kind']} {item['object']}".strip())
        else:
            place = {ERROR: "errors", WARNING: "warnings", NOT_COMPARABLE: "not_comparable"}[item["severity"]]
            sorted_out[place].append(item)
    sorted_out["expected"] = [rules[rule] for rule in sorted(rules)]
    return sorted_out
