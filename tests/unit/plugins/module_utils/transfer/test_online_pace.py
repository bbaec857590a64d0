# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the reader of a stream sleeps instead of waiting for its socket."""

from __future__ import annotations

import contextlib
import socket

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import pace as module
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.pace import Pace


@pytest.fixture
def ends(monkeypatch):
    """Two ends of a connection on this host, which counts as near however slow the host is."""
    monkeypatch.setattr(module, "NEAR_MICROSECONDS", 60_000_000)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        here = stack.enter_context(socket.create_connection(listener.getsockname()))
        there = stack.enter_context(contextlib.closing(listener.accept()[0]))
        yield here, there


def bring(ends: tuple, size: int) -> None:
    """Let so many bytes arrive."""
    here, there = ends
    while size:
        part = min(size, 16_000)
        there.sendall(b"x" * part)
        assert len(here.recv(part, socket.MSG_WAITALL)) == part
        size -= part


def test_who_has_taken_much_sleeps(ends):
    pace = Pace(ends[0])
    assert pace.is_near and not pace.pause()
    bring(ends, 100)
    assert not pace.pause(), "a single word has to wake"
    bring(ends, 200_000)
    assert pace.pause()
    assert not pace.pause(), "nothing has come meanwhile"


def buffer(ends: tuple) -> int:
    """Return how much the kernel may keep for this end."""
    return ends[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def test_the_window_of_a_near_source_stays_small(ends):
    Pace(ends[0])
    bring(ends, 1_000_000)
    assert buffer(ends) == 2 * module.WINDOW_BYTES  # the kernel counts what it needs itself


def test_the_window_of_a_far_source_is_left_alone(ends, monkeypatch):
    monkeypatch.setattr(module, "NEAR_MICROSECONDS", 0)
    before = buffer(ends)
    pace = Pace(ends[0])
    assert buffer(ends) == before
    bring(ends, 200_000)
    assert not pace.pause()


def test_no_sleep_where_the_window_is_what_everybody_waits_for(ends):
    pace = Pace(ends[0])
    seen = []
    for _turn in range(module.FULL_AT_MOST + 2):
        bring(ends, module.WINDOW_BYTES)
        seen.append(pace.pause())
    assert seen == [True] * module.FULL_AT_MOST + [False] * 2
    pace.hurried = 0
    for _turn in range(2 * module.FULL_AT_MOST):
        bring(ends, 4 * module.WINDOW_BYTES)
        assert pace.pause()


def test_without_tcp_nothing_is_near():
    with contextlib.ExitStack() as stack:
        here, _there = (stack.enter_context(contextlib.closing(end)) for end in socket.socketpair())
        assert not Pace(here).is_near
