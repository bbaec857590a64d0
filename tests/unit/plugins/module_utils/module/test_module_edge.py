# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where library code meets Ansible: specifications, the diff, abandonment, and the summary for people."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.azpg.migrate.plugins.action.migration import ActionModule
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import MigrationError
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint, Request
from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import ENDPOINT, REQUEST, merged
from ansible_collections.azpg.migrate.plugins.module_utils._module.cleanup import summary
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import difference
from ansible_collections.azpg.migrate.plugins.module_utils._module.verification import concluded, digest_of
from ansible_collections.azpg.migrate.plugins.module_utils._module.verifier import raise_for


def test_an_option_is_specified_once():
    assert merged({"a": {}}, {"b": {}}, c={}) == {"a": {}, "b": {}, "c": {}}
    with pytest.raises(ValueError, match="Option a is specified twice"):
        merged({"a": {}}, a={})


def test_connection_words_are_those_of_the_endpoint():
    assert set(ENDPOINT) == set(Endpoint.__dataclass_fields__)


def test_passwords_are_hidden_by_ansible():
    secret = {name for name, option in ENDPOINT.items() if option.get("no_log")}
    assert secret == {"password"}
    assert REQUEST["source"]["options"] is ENDPOINT


def test_difference_is_text_by_line():
    assert difference(["a", "b"], [], "things") == {
        "before": "a\nb\n",
        "after": "",
        "before_header": "things",
        "after_header": "things",
    }


def task():
    request = Request.create("shop", {"host": "a"}, {"host": "b", "port": 6000}, ["shop", "billing"])
    return SimpleNamespace(request=request)


PROGRESS = {
    "tables_done": 56,
    "rows_done": 1000,
    "bytes_done": 232_000_000,
    "elapsed_seconds": 56,
    "bytes_per_second": 9_700_000,
    "warnings": ["Role bob was created without a password."],
}
PROVEN = {
    "verdict": "MATCH",
    "reason": "All agree.",
    "totals": {"match": 64, "tables": 64},
    "report": "/archive/shop/verification.json",
}


def test_summary_says_what_moved_how_fast_what_was_proven_and_where():
    lines = summary(task(), {"migration": PROGRESS, "verification": PROVEN, "removed": ["x"], "kept": ["y", "z"]})
    assert lines == [
        "Moved: shop, billing from a:5432 to b:6000.",
        "       56 tables, 1000 rows, 232 MB in 56 s, 9.7 MB/s while copying.",
        "Proven: MATCH. 64 of 64 tables equal row by row (partitioned tables and materialised views count as well); All agree.",
        "Removed: 1 thing of the migration: x.",
        "Kept: y; z.",
        "Report: /archive/shop/verification.json",
        "To do: 1 warning, Role bob was created without a password.",
    ]


def test_summary_of_what_was_given_up():
    (line,) = summary(task(), {"migration": PROGRESS, "verification": {}, "removed": [], "kept": []})
    assert "abandoned" in line and "keeps what had arrived" in line


def test_summary_of_what_was_given_up_since_it_is_proven_wrong():
    verification = {"verdict": "MISMATCH", "reason": "A row is missing.", "report": "/archive/shop/verification.json"}
    content = {"outcome": "abandoned", "migration": PROGRESS, "verification": verification, "removed": [], "kept": []}
    assert summary(task(), content) == [
        "Migration shop was abandoned; the target keeps what had arrived.",
        "Not proven: MISMATCH. A row is missing.",
        "Report: /archive/shop/verification.json",
    ]


def test_report_in_short_is_bounded():
    tables = [{"name": f"t{number}", "verdict": "MISMATCH"} for number in range(1000)]
    errors = [{"rule": "missing"}] * 1000
    report = {
        "verdict": "MISMATCH",
        "reason": "Much is missing.",
        "sha256": "0",
        "totals": {},
        "finished_at": "2026-05-01T12:00:00Z",
        "databases": [
            {
                "name": "shop",
                "verdict": "MISMATCH",
                "schema": {"errors": errors, "warnings": errors},
                "tables": [*tables, {"name": "fine", "verdict": "MATCH"}],
            }
        ],
    }
    (database,) = digest_of(report, "/r.json")["databases"]
    assert len(database["tables"]) == len(database["errors"]) == 20
    assert database["warnings"] == 1000


def test_a_database_that_the_target_does_not_have_is_not_migrated_yet():
    problem = {
        "code": "connection-failed",
        "msg": "No.",
        "hint": "Correct 'databases'.",
        "details": {"cause": "database"},
    }
    for side, words in (("target", "not been migrated yet"), ("source", "No. Correct")):
        with pytest.raises(MigrationError, match=words):
            raise_for({**problem, "details": {**problem["details"], "side": side}})


@pytest.mark.parametrize(
    ("proven", "words"),
    [
        (PROVEN, "this is what was proven then; nothing was compared now. All agree."),
        ({"verdict": "MATCH", "sha256": "0"}, "this is what was proven then; nothing was compared now."),
        ({}, "nothing was proven then; nothing was compared now."),
    ],
)
def test_what_the_final_record_answers_says_that_it_is_no_look_at_the_servers(proven, words):
    result = concluded({"finished_at": "2026-05-01T12:00:00Z", "verification": proven})
    assert (result["changed"], result["state"]) == (False, "decommissioned")
    assert result["verification"]["reason"] == f"Decommissioned on 2026-05-01T12:00:00Z: {words}"
    assert result["verification"]["verdict"] == proven.get("verdict", "INCOMPLETE")
    assert result["verification"]["report"] == proven.get("report")


@pytest.mark.parametrize("value", [False, "no", "False", "off", "0", 0])
def test_false_for_the_action_plugin(value):
    assert ActionModule._boolean(value) is False


@pytest.mark.parametrize("value", [True, "yes", "true", 1])
def test_true_for_the_action_plugin(value):
    assert ActionModule._boolean(value) is True
