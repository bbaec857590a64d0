# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has not moved for a while: what the servers say of it, and what follows."""

from __future__ import annotations

import time

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import ConnectionFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import heartbeat
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.heartbeat import Look, Watch, judge
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.probe import NoAnswer
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.sessions import Sessions

LABELS = {"source": "s w1", "target": "t w1"}


def row(label: str, pid: int = 7, **words) -> dict:
    return {
        "pid": pid, "label": label, "state": "active", "wait_type": None, "wait": None, "since": "noon", "client": True,
        "blocked_by": None, "blockers": None, **words,
    }  # fmt: skip


CLIENT = {"wait_type": "Client", "wait": "ClientRead"}


def test_a_lock_is_told_with_its_holder():
    blocked = row("t w1", wait_type="Lock", blocked_by=["9"], blockers="process 9 of user bob (psql)")
    verdict, words, _signature = judge(Look({"source": [row("s w1", **CLIENT)], "target": [blocked]}), LABELS)
    assert verdict == "blocked"
    assert words == "on the target it waits for a lock held by process 9 of user bob (psql)"


@pytest.mark.parametrize("wait", [{}, {"wait_type": "IO", "wait": "DataFileRead"}], ids=["processor", "disk"])
def test_a_server_at_work_is_not_stuck(wait):
    idle = row("s w1", state="idle in transaction", **CLIENT)
    assert judge(Look({"source": [idle], "target": [row("t w1", **wait)]}), LABELS)[0] == "working"


def test_two_servers_that_wait_for_this_host_are_still():
    look = Look({"source": [row("s w1", **CLIENT)], "target": [row("t w1", **CLIENT)]})
    verdict, _words, signature = judge(look, LABELS)
    assert verdict == "still"
    assert judge(look, LABELS)[2] == signature
    moved = Look({"source": [row("s w1", **CLIENT)], "target": [row("t w1", **{**CLIENT, "since": "later"})]})
    assert judge(moved, LABELS)[2] != signature


def test_silence_is_no_excuse_and_a_shut_door_is():
    verdict, words, _signature = judge(Look({"source": None, "target": []}), LABELS)
    assert (verdict, words) == ("still", "the source does not answer")
    assert judge(Look({"target": []}, {"source"}), LABELS)[0] == "unseen"


def test_one_busy_side_excuses_a_silent_one():
    assert judge(Look({"source": None, "target": [row("t w1")]}), LABELS)[0] == "working"


class Subject:
    """Has not moved for an hour."""

    allowance = 0.0
    holds_main_thread = False

    def __init__(self, labels: dict):
        self.names = labels
        self.struck = ""

    def what(self) -> str:
        return "table app.t"

    def moved(self) -> float:
        return time.monotonic() - 3600

    def labels(self) -> dict:
        return self.names

    def strike(self, words: str) -> None:
        self.struck = words


@pytest.fixture
def watch(monkeypatch):
    """A watch whose servers say what the test puts into I(said), and note who is ended."""
    end, other = ({"host": host, "user": "u", "password": "unsaid"} for host in "st")
    request = Request.create("shop", end, other, ["shop"])
    sentences: list = []
    watch = Watch(Sessions(request), lambda sentence, _database: sentences.append(sentence), ["unsaid"])
    watch.sentences, watch.said, watch.ended = sentences, set(), []
    watch.servers = {"source": [], "target": []}

    def ask(_endpoint, side, *_words, **_more):
        if isinstance(watch.servers[side], Exception):
            raise watch.servers[side]
        return watch.servers[side]

    monkeypatch.setattr(heartbeat, "ask", ask)
    monkeypatch.setattr(
        heartbeat, "terminate", lambda _sessions, side, pids: watch.ended.extend((side, p) for p in pids)
    )
    return watch


def worker(watch, role: str = "w1") -> Subject:
    subject = Subject({side: watch.sessions.label(side, role) for side in ("source", "target")})
    watch.watch(subject)
    return subject


def test_two_looks_alike_condemn(watch):
    one = worker(watch)
    label = watch.sessions.label("target", "w1")
    watch.servers = {"source": NoAnswer(), "target": [row(label, 8, **CLIENT)]}
    watch.look(watch.silent_ones())
    assert not one.struck and not watch.sentences
    watch.look(watch.silent_ones())
    assert one.struck == "the source does not answer"
    assert ("target", 8) in watch.ended
    assert "table app.t has not moved for 3600 s: the source does not answer." in watch.sentences[0]


def test_a_lock_is_written_down_once_and_nobody_is_ended(watch):
    one = worker(watch)
    label = watch.sessions.label("target", "w1")
    watch.servers["target"] = [row(label, wait_type="Lock", blocked_by=["9"], blockers="process 9 of user bob (psql)")]
    for _look in range(4):
        watch.look(watch.silent_ones())
    assert watch.sentences == [
        "table app.t waits: on the target it waits for a lock held by process 9 of user bob (psql)."
    ]
    assert not one.struck and not watch.ended


def test_a_server_that_lets_nobody_look_condemns_nobody(watch):
    one = worker(watch)
    watch.servers["source"] = ConnectionFailed("too many clients", "", {"cause": "slots"})
    for _look in range(4):
        watch.look(watch.silent_ones())
    assert not one.struck and len(watch.sentences) == 1


def test_sessions_of_workers_that_are_gone_are_ended(watch):
    worker(watch)
    rows = [row(watch.sessions.label("target", role), pid) for role, pid in (("w1", 1), ("w9", 9), ("control", 5))]
    watch.servers["target"] = rows
    watch.look(watch.silent_ones())
    assert watch.ended == [("target", 9)]


def test_patience_grows_with_a_throttle(watch):
    one = worker(watch)
    one.allowance = 7200.0
    assert watch.silent_ones() == []
