# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules return is what they say they return; check mode creates nothing; validated, cancelled and resumed."""

from __future__ import annotations

import ast

import pytest
import yaml
from support.migrations import ROOT, Migration
from support.servers import catalogue
from support.waiting import wait_for

# Keys that Ansible itself documents for every module.
COMMON = {"changed", "failed", "diff", "invocation", "warnings", "deprecations", "msg"}
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))


def documented(module: str) -> dict:
    """Return the module's documentation of its results."""
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8"))
    (text,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RETURN"
    ]
    return yaml.safe_load(text)


@pytest.fixture(scope="module")
def results(lab, tmp_path_factory):
    """Every module's results over the life of one migration, in order."""
    lab.clean_target()
    lab.new_database("contract", "seed_bulk")
    one = Migration(lab, tmp_path_factory.mktemp("contract"), "contract", ["contract"])
    found: dict = {}

    def record(label: str, module: str, **options):
        found[label] = (module, one.module(module, **options).good())
        return found[label][1]

    try:
        record("trial of provision", "runtime_server", check_mode=True)
        found["state after trial"] = ("", one.state.exists())
        record("provision", "runtime_server")
        record("provision again", "runtime_server")
        record("runtime info", "runtime_server_info")
        record("checks", "premigration_check", fail_on="never", report_directory=str(one.reports))
        record("nothing yet", "migration_info")
        before = catalogue(lab.target), sorted(one.private.iterdir())
        record("trial", "migration", check_mode=True)
        record("validated", "migration", state="validated")
        found["untouched"] = ("", (catalogue(lab.target), sorted(one.private.iterdir())) == before)
        record("started", "migration", wait=False, max_bytes_per_second=500000)
        wait_for(lambda: one.share() > 0.1, "some progress")
        record("running", "migration_info")
        record("trial of cancel", "migration", state="cancelled", check_mode=True)
        record("cancelled", "migration", state="cancelled")
        record("cancelled info", "migration_info")
        record("resumed", "migration")
        record("again", "migration")
        record("trial of verification", "verification", check_mode=True)
        found["no report"] = ("", not (one.private / "reports").exists())
        record("verified", "verification")
        record("verification info", "verification_info")
        record("trial of roles", "database_roles", check_mode=True)
        record("trial of cleanup", "cleanup", check_mode=True)
        record("cleanup", "cleanup")
        for module in MODULES:
            record(f"afterwards {module}", module)
        record("absent", "runtime_server", state="absent")
        yield found
    finally:
        one.close()


@pytest.mark.parametrize("module", MODULES)
def test_returned_keys_are_the_documented_ones(results, module):
    mine = {label: result for label, (name, result) in results.items() if name == module}
    assert len(mine) >= 2
    described = documented(module)
    for label, result in mine.items():
        keys = set(result) - COMMON
        assert keys == set(described), f"{label}: {sorted(keys ^ set(described))}"
        # A dictionary of fixed form holds what is described as always there; after the end it may be an extract.
        for key, word in described.items():
            if result[key] and isinstance(result[key], dict) and not label.startswith("afterwards"):
                always = {name for name, item in word.get("contains", {}).items() if item["returned"] == "always"}
                assert always <= set(result[key]), f"{label}: {key} lacks {always - set(result[key])}"


def changed(results, label: str) -> tuple:
    """Return whether a run changed something, and the state that it reported."""
    return results[label][1]["changed"], results[label][1]["state"]


def test_check_mode_announces_and_creates_nothing(results):
    assert results["trial of provision"][1]["changed"] and results["state after trial"][1] is False
    assert results["trial of provision"][1]["changes"] == results["provision"][1]["changes"]
    assert changed(results, "trial") == (True, "absent")
    assert results["untouched"][1] is True
    assert changed(results, "trial of cancel") == (True, "running")
    assert results["no report"][1] is True and results["trial of verification"][1]["verification"]["report"] is None
    assert results["trial of cleanup"][1]["changed"]
    assert sorted(results["trial of cleanup"][1]["removed"]) == sorted(results["cleanup"][1]["removed"])


def test_life_of_a_migration(results):
    assert changed(results, "provision again") == (False, "present")
    assert changed(results, "nothing yet") == (False, "absent")
    assert changed(results, "validated") == (False, "absent")
    assert changed(results, "started") == (True, "running")
    assert changed(results, "running") == (False, "running")
    assert changed(results, "cancelled") == (True, "cancelled")
    assert changed(results, "cancelled info") == (False, "cancelled")
    assert changed(results, "resumed") == (True, "completed")
    assert changed(results, "again") == (False, "completed")
    assert changed(results, "verified") == (False, "verified")
    assert changed(results, "cleanup") == (True, "decommissioned")
    for module in MODULES:
        assert changed(results, f"afterwards {module}") == (False, "decommissioned")
    assert changed(results, "absent") == (False, "absent")
