# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module migration decides, with a backend that only pretends."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core import status
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import (
    InvalidRequest,
    PreconditionFailed,
    TransferFailed,
)
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._module import migration, providers

REQUEST = Request.create("shop", {"host": "a"}, {"host": "b"}, ["shop"])
ONLINE = dataclasses.replace(REQUEST, mode="online")
USUAL = {"max_lag": 10, "cutover_databases": []}
ERROR = {"code": "transfer-failed", "msg": "It broke.", "hint": "Mend it.", "details": {}}


class Backend:
    """Goes through states, one per look."""

    def __init__(self, *states: str):
        self.states = list(states)
        self.done = []

    def recall(self):
        return None

    def check_identity(self):
        self.done.append("identity")

    def status(self):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        self.running = state == status.RUNNING
        return {"state": state, "error": ERROR if state == status.FAILED else None, "lag_seconds": self.lag}

    def require_ready(self):
        self.done.append("checks")
        if not self.ready:
            raise PreconditionFailed("Not ready.")
        return []

    def validate(self, dry=False):
        return {"steps": [], "findings": self.require_ready(), "pending": False}

    def planned(self, goal):
        return [] if self.states[0] in (status.RUNNING, status.COMPLETED) else ["move shop"]

    def attach(self, dry=False):
        return []

    def start(self):
        self.done.append("start")
        return ["move shop"]

    def cut_over(self):
        self.done.append("cut over")
        return ["cut over shop"]

    def timeline(self):
        return "page"

    def estimate(self, measure):
        if self.estimate_fails:
            raise ValueError("no")
        return {"measured": measure}

    estimate_fails = False
    ready = True
    lag = 0

    def cancel(self, dry=False):
        running = self.running
        if running and not dry:
            self.done.append("cancel")
        return running


@pytest.fixture
def run(monkeypatch):
    """Return a function that runs the module's action and returns C((result, what the backend was told))."""

    def go(*states, check_mode=False, record=None, ready=True, request=REQUEST, lag=0, **parameters):
        backend = Backend(*states)
        backend.ready, backend.lag = ready, lag
        monkeypatch.setitem(providers.PROVIDERS, "host", lambda *_arguments: backend)
        task = SimpleNamespace(
            request=request,
            layout=None,
            check_mode=check_mode,
            parameters={
                "state": "completed",
                "wait": True,
                "wait_timeout": 5,
                "poll_interval": 0,
                **USUAL,
                **parameters,
            },
            final_record=lambda here=False: record,
        )
        go.backend = backend
        return migration.ensure(task), backend.done

    return go


def test_first_run_checks_starts_and_waits(run):
    result, done = run(status.ABSENT, status.RUNNING, status.RUNNING, status.COMPLETED)
    assert done == ["identity", "checks", "start"]
    assert (result["changed"], result["state"]) == (True, "completed")
    assert "failure" not in result


def test_running_is_attached_to(run):
    result, done = run(status.RUNNING, status.RUNNING, status.COMPLETED)
    assert done == ["identity"]
    assert (result["changed"], result["state"]) == (False, "completed")


def test_completed_is_left_alone(run):
    result, done = run(status.COMPLETED)
    assert done == ["identity"]
    assert (result["changed"], result["state"]) == (False, "completed")


@pytest.mark.parametrize("state", [status.FAILED, status.INTERRUPTED, status.CANCELLED])
def test_what_stopped_is_resumed(run, state):
    result, done = run(state, status.COMPLETED)
    assert done == ["identity", "checks", "start"]
    assert result["changed"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (status.FAILED, "It broke. Mend it."),
        (status.CANCELLED, "The transfer was cancelled."),
        (status.INTERRUPTED, "ended without a word"),
    ],
)
def test_failure_is_told_in_its_own_words(run, state, words):
    result, _done = run(status.ABSENT, state)
    assert result["failure"].startswith(words) or words in result["failure"]
    assert result["changed"]


def test_nothing_starts_that_is_going_to_fail(run):
    with pytest.raises(PreconditionFailed):
        run(status.ABSENT, ready=False)
    assert run.backend.done == ["identity", "checks"]


def test_without_waiting(run):
    result, done = run(status.ABSENT, status.RUNNING, wait=False)
    assert done[-1] == "start"
    assert result["state"] == "running"


def test_check_mode_looks_but_does_not_start(run):
    result, done = run(status.ABSENT, check_mode=True)
    assert done == ["identity", "checks"]
    assert (result["changed"], result["state"]) == (True, "absent")
    result, _done = run(status.FAILED, check_mode=True)
    assert result["changed"] and "failure" not in result


def test_waiting_has_an_end(run):
    with pytest.raises(TransferFailed, match="within 0 s; it goes on") as caught:
        run(status.RUNNING, wait_timeout=0)
    assert caught.value.details["migration"]["state"] == "running"


def test_validated_only_checks(run):
    result, done = run(status.ABSENT, state="validated")
    assert done == ["identity", "checks"]
    assert result["changed"] is False


def test_cancel_stops_what_runs(run):
    result, done = run(status.RUNNING, status.CANCELLED, state="cancelled")
    assert done == ["identity", "cancel"]
    assert (result["changed"], result["state"]) == (True, "cancelled")


def test_cancel_in_check_mode(run):
    result, done = run(status.RUNNING, state="cancelled", check_mode=True)
    assert done == ["identity"]
    assert result["changed"]


@pytest.mark.parametrize("state", [status.ABSENT, status.FAILED, status.CANCELLED, status.INTERRUPTED])
def test_cancel_twice_changes_nothing(run, state):
    result, done = run(state, state="cancelled")
    assert done == ["identity"]
    assert result["changed"] is False


def test_completed_cannot_be_cancelled(run):
    with pytest.raises(InvalidRequest, match="nothing to cancel"):
        run(status.COMPLETED, state="cancelled")


def test_final_record_ends_every_question(run):
    kept = {"state": "completed", "timeline": "kept"}
    result, done = run(status.ABSENT, record={"migration": kept})
    assert done == []
    assert result == {
        "changed": False,
        "state": "decommissioned",
        "migration": kept,
        "timeline": "kept",
        "estimate": {},
        "findings": [],
        "diff": {"before": "", "after": "", "before_header": "migration", "after_header": "migration"},
    }


def test_estimate_is_measured_only_where_that_is_asked_for(run):
    assert run(status.ABSENT, state="validated")[0]["estimate"] == {"measured": True}
    assert run(status.ABSENT, state="validated", check_mode=True)[0]["estimate"] == {"measured": False}
    assert run(status.ABSENT, status.COMPLETED)[0]["estimate"] == {"measured": False}
    for state in (status.FAILED, status.COMPLETED):
        assert run(state, state="validated")[0]["estimate"] == {}


def test_no_start_fails_for_want_of_an_estimate(run, monkeypatch):
    monkeypatch.setattr(Backend, "estimate_fails", True)
    result, done = run(status.ABSENT, status.COMPLETED)
    assert "start" in done and result["estimate"] == {} and result["timeline"] == "page"


def test_what_waits_for_its_turn_is_begun_when_it_is_due(run):
    result, done = run(status.ABSENT, status.RUNNING, status.QUEUED, status.RUNNING, status.COMPLETED)
    assert done == ["identity", "checks", "start", "start"]
    assert result["diff"]["after"] == "move shop\nmove shop\n"


def test_online_replicates_until_the_cutover_is_asked_for(run):
    result, done = run(status.ABSENT, status.RUNNING, status.REPLICATING, request=ONLINE, state="replicating")
    assert done == ["identity", "checks", "start"]
    assert (result["changed"], result["state"]) == (True, "replicating")
    result, done = run(status.REPLICATING, request=ONLINE, state="replicating")
    assert (done, result["changed"]) == (["identity"], False)
    result, done = run(status.REPLICATING, status.RUNNING, status.COMPLETED, request=ONLINE)
    assert done == ["identity", "cut over"]
    assert (result["changed"], result["state"]) == (True, "completed")


def test_replicating_far_behind_is_not_what_was_asked_for(run):
    with pytest.raises(TransferFailed, match="has not come to replicate within 0 s"):
        run(status.REPLICATING, request=ONLINE, state="replicating", lag=11, wait_timeout=0)
    with pytest.raises(InvalidRequest, match="'mode' is 'offline'"):
        run(status.ABSENT, state="replicating")


def test_service_options_are_refused_where_nobody_reads_them():
    usual = {"batch_size": 8, "on_busy": "wait", "overwrite_databases": [], "jobs": 4}
    providers.refuse_service_options(usual)
    with pytest.raises(InvalidRequest, match="overwrite_databases"):
        providers.refuse_service_options({**usual, "overwrite_databases": ["shop"]})
