# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cutover that is repeated: what is left to do of each database."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.database_run import FINISHED
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import cutover
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.base import DRAINED


@pytest.fixture
def attempt(monkeypatch, tmp_path):
    """An attempt for two databases, and what it does with them; the source was lost just before the first was released."""
    did = []

    class Run:
        def __init__(self, _context, database, _number):
            self.database = database
            self.done = {DRAINED, FINISHED} if database == "one" else {DRAINED}

        def start(self, _stack) -> None:
            pass

        def complete(self, _margin) -> None:
            did.append((self.database, "complete"))

        def tidy(self) -> None:
            did.append((self.database, "tidy"))

        def leave_source(self) -> None:
            did.append((self.database, "leave source"))

        def leave(self) -> None:
            pass

    monkeypatch.setattr(cutover, "FinalRun", Run)
    monkeypatch.setattr(cutover.Cutover, "read_roles", lambda _self: None)
    facts: dict = {}
    journal = SimpleNamespace(
        get=facts.get, set=lambda **values: facts.update(values), event=lambda *_words, **_more: None
    )
    context = SimpleNamespace(
        journal=journal,
        request=SimpleNamespace(databases=("one", "two")),
        layout=SimpleNamespace(cutover_file=str(tmp_path / "cutover.json")),
        following=SimpleNamespace(end=lambda _database: None, status={}),
    )
    order = {"databases": ["one", "two"], "prove": "none"}
    return SimpleNamespace(run=cutover.Cutover(context, order).run, did=did, facts=facts)


def test_a_database_that_is_finished_still_has_its_source_released(attempt):
    attempt.run()
    assert attempt.did == [
        ("two", "complete"), ("two", "tidy"), ("two", "leave source"), ("one", "leave source"),
    ]  # fmt: skip
    assert attempt.facts["cutover"]["steps"][-1]["name"] == "done"
