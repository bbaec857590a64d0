# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way rows are read, with which settings, and how results of pieces add up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._verify import run
from ansible_collections.azpg.migrate.plugins.module_utils._verify.pool import put_together
from ansible_collections.azpg.migrate.plugins.module_utils._verify.session import settings
from ansible_collections.azpg.migrate.plugins.module_utils._verify.summary import overall, reason


@pytest.mark.parametrize(
    ("source", "target", "canaries", "used"),
    [
        (90500, 170000, True, "client"),
        (90624, 180000, True, "client"),
        (100023, 170000, True, "client"),
        (110022, 170000, True, "server"),
        (110022, 170000, False, "client"),
        (180000, 100023, True, "client"),
    ],
)
def test_servers_without_the_hashes_are_read_here(monkeypatch, source, target, canaries, used):
    asked = []
    monkeypatch.setattr(run, "check_canaries", lambda end: asked.append(end.server_version) or canaries)
    ends = [SimpleNamespace(server_version=version) for version in (source, target)]
    found = {side: run._canary(end) for side, end in zip(("source", "target"), ends)}
    assert run._method("auto", found) == used
    assert all(version >= 110000 for version in asked), "a server without the functions was asked for them"
    assert run._method("server", found) == "server" and run._method("client", found) == "client"


def test_settings_that_a_server_does_not_know_are_left_out():
    assert "jit" not in settings(100023) and settings(110000)["jit"] == "off"
    assert settings(110000)["extra_float_digits"] == "0" and settings(120000)["extra_float_digits"] == "3"


def test_parts_add_up_and_an_error_stays():
    part = {"count": 2, "sum": str(2**63), "seconds": "0.5", "expression": "e"}
    both = put_together(put_together(None, part), part)
    assert (both["count"], both["sum"], both["seconds"], both["pieces"]) == (4, str(2**64), "1.000", 2)
    failed = {"error": "no", "code": "42501", "seconds": "0.1"}
    assert put_together(part, failed) == put_together(failed, part) == failed


def report(**fence) -> dict:
    return {
        "mode": "full",
        "source": {"fence": fence or None},
        "databases": [
            {"verdict": "MATCH", "sequences": [], "large_objects": {}, "error": None, "inventory": {"union": 2}}
        ],
        "totals": {"match": 1, "mismatch": 0, "incomplete": 0, "tables": 1, "not_comparable": 0, "skipped": ["x"]},
    }


def test_a_table_that_is_in_no_list_spoils_the_verdict():
    for union, verdict in ((2, "MATCH"), (3, "ERROR"), (1, "ERROR")):
        one = report()
        one["databases"][0]["inventory"]["union"] = union
        assert overall(one) == verdict


def test_a_fence_that_fell_spoils_the_verdict():
    assert overall(report()) == overall(report(verdict="fenced", open=[], unknown=[])) == "MATCH"
    for verdict in ("open", "unknown", None):
        fallen = report(verdict=verdict, open=["somebody writes"], unknown=[])
        assert overall(fallen) == "INCOMPLETE"
        assert "did not hold" in reason({**fallen, "verdict": "INCOMPLETE"})
