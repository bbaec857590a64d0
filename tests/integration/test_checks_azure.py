# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module of the checks with provider azure: its rules and Azure's own in one report, and what the migration itself made."""

from __future__ import annotations

import json

from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._module import premigration_check as checking
from ansible_collections.azpg.migrate.plugins.modules import premigration_check


def words_of(server_words: dict) -> dict:
    """Return libpq's words without the database, as a user gives them."""
    return {word: value for word, value in server_words.items() if word != "dbname"}


def test_one_report_of_sql_and_of_the_control_plane(make, checked_pair, tmp_path):
    shop = make(["one"])
    ends = {
        "source": words_of(checked_pair.source.connection("mig", "source")),
        "target": words_of(checked_pair.target.connection("mig", "target")),
    }
    with checked_pair.ready("azure"):
        task = shop.task(premigration_check.SPECIFICATION, **ends, fail_on="never", report_directory=str(tmp_path))
        result = checking.check(task)
        assert {"source-reachable", "service-target-admin"} <= {finding["rule"] for finding in result["findings"]}
        azure = [finding for finding in result["findings"] if finding["rule"].startswith("azure-")]
        assert azure and all(finding["who"] and finding["documentation"] for finding in azure)
        assert [
            finding["rule"] for finding in result["findings"] if finding["status"] == "failed" and finding not in azure
        ] == []
        assert (
            json.loads((tmp_path / "premigration.json").read_text(encoding="utf-8"))["findings"] == result["findings"]
        )
        # What the service has begun to carry is the migration's own, also when it is looked at again.
        checked_pair.run("target", "CREATE DATABASE one OWNER mig")
        request = task.request
        assert isinstance(request, Request) and checking.begun(task) == frozenset()
        again = checking.check(task)
        assert "target-database-empty" in {
            finding["rule"] for finding in again["findings"] if finding["status"] == "failed"
        }
        told = shop.task(premigration_check.SPECIFICATION, **ends, fail_on="never", overwrite_databases=["one"])
        found = {finding["rule"]: finding["status"] for finding in checking.check(told)["findings"]}
        assert found["target-database-empty"] == "succeeded"
        shop.source, shop.destination = ends["source"], ends["target"]
        assert shop.ensure()["state"] == "completed"
        assert checking.begun(shop.task(premigration_check.SPECIFICATION)) == {"one"}
        last = checking.check(shop.task(premigration_check.SPECIFICATION, fail_on="never"))
        assert last["begun"] == ["one"]
        found = {finding["rule"]: finding["status"] for finding in last["findings"]}
        assert found["target-database-empty"] == "succeeded"
        # A host without a login to Azure has to be told.
        for begun, status in (([], "failed"), (last["begun"], "succeeded")):
            task = shop.task(premigration_check.SPECIFICATION, fail_on="never", ask_azure=False, begun=begun)
            result = checking.check(task)
            assert not [finding for finding in result["findings"] if finding["rule"].startswith("azure-")]
            found = {finding["rule"]: finding["status"] for finding in result["findings"]}
            assert found["target-database-empty"] == status
