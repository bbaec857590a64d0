# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving a migration up: by its name, and never one that runs, or that is completed and not proven wrong."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core import status
from ansible_collections.azpg.migrate.plugins.module_utils._core.canonical import digest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import GateRefused, InvalidRequest
from ansible_collections.azpg.migrate.plugins.module_utils._core.files import make_private_directory, write_json
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._module.giving_up import check_abandonment
from ansible_collections.azpg.migrate.plugins.module_utils._verify.formats import ALGORITHMS, FORMAT

REQUEST = Request.create("shop", {"host": "a"}, {"host": "b", "port": 6000}, ["shop", "billing"])
PARAMETERS = {"evidence": None, "signing_key": None, "allowed_signers": None, "signer": None}


@pytest.fixture
def task(tmp_path):
    layout = Layout.create("shop", str(tmp_path / "state"), str(tmp_path / "archive"))
    return SimpleNamespace(request=REQUEST, layout=layout, parameters=dict(PARAMETERS))


def write_report(task, **words) -> dict:
    """Write a verification report where the newest one lies."""
    content = {
        "format": FORMAT,
        "algorithm": ALGORITHMS[0],
        "request_hash": REQUEST.hash,
        "verdict": "MISMATCH",
        **words,
    }
    report = {"sha256": digest(content), **content}
    make_private_directory(task.layout.report_directory)
    write_json(task.layout.verification_file, report)
    return report


@pytest.mark.parametrize("confirm", [None, "", "Shop", "other"])
def test_giving_up_takes_the_migrations_name(task, confirm):
    with pytest.raises(InvalidRequest, match="needs its name") as caught:
        check_abandonment(task, {"state": status.FAILED}, "abandoned", confirm)
    assert "confirm: shop" in caught.value.hint
    assert caught.value.details == {"state": "failed"}


@pytest.mark.parametrize("outcome", ["abandoned", "rolled_back"])
@pytest.mark.parametrize(("state", "words"), [(status.RUNNING, "is running"), (status.COMPLETED, "is completed")])
def test_what_runs_or_is_complete_is_not_given_up(task, outcome, state, words):
    with pytest.raises(InvalidRequest, match=words) as caught:
        check_abandonment(task, {"state": state}, outcome, "shop")
    assert caught.value.details == {"state": state}


@pytest.mark.parametrize("outcome", ["abandoned", "rolled_back"])
@pytest.mark.parametrize("state", [status.FAILED, status.CANCELLED, status.INTERRUPTED])
def test_what_stopped_can_be_given_up(task, outcome, state):
    assert check_abandonment(task, {"state": state}, outcome, "shop") is None


@pytest.mark.parametrize("verdict", ["MISMATCH", "INCOMPLETE", "ERROR"])
def test_what_is_complete_and_not_proven_equal_can_be_given_up_and_not_undone(task, verdict):
    report = write_report(task, verdict=verdict)
    completed = {"state": status.COMPLETED}
    assert check_abandonment(task, completed, "abandoned", "shop") == report
    with pytest.raises(InvalidRequest, match="is completed"):
        check_abandonment(task, completed, "rolled_back", "shop")
    with pytest.raises(InvalidRequest, match="needs its name"):
        check_abandonment(task, completed, "abandoned", None)


@pytest.mark.parametrize(
    "words",
    [
        {"verdict": "MATCH"},
        {"verdict": "MATCH_WITH_OVERRIDES"},
        {"verdict": None},
        {"request_hash": "another"},
        {"format": "another"},
        {"sha256": "edited"},
    ],
    ids=str,
)
def test_a_report_that_proves_it_or_is_no_report_of_it_does_not_give_a_completed_migration_up(task, words):
    report = write_report(task, **{word: text for word, text in words.items() if word != "sha256"})
    write_json(task.layout.verification_file, {**report, **words})
    with pytest.raises(InvalidRequest, match="is completed"):
        check_abandonment(task, {"state": status.COMPLETED}, "abandoned", "shop")


def test_where_reports_are_to_be_signed_an_unsigned_one_does_not_give_it_up_either(task):
    write_report(task)
    task.parameters["signing_key"] = "a key of sixteen letters"
    with pytest.raises(GateRefused, match="signature-missing"):
        check_abandonment(task, {"state": status.COMPLETED}, "abandoned", "shop")


def test_evidence_that_is_not_to_be_believed_does_not_either(task):
    task.parameters["evidence"] = {"format": "other"}
    with pytest.raises(GateRefused, match="evidence-format"):
        check_abandonment(task, {"state": status.COMPLETED}, "abandoned", "shop")
