# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of sessions, questions with a deadline, bytes that the kernel counts, and programs that end with the engine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import ConnectionFailed, TransferFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint, Request
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import client_program, pulse
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.probe import NoAnswer, ask
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.process import start_time
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.sessions import Runner, Sessions
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.transient import is_transient

END, OTHER = ({"host": host, "user": "u", "password": "unsaid"} for host in "st")


def test_a_runner_is_known_by_its_sessions_names():
    sessions = Sessions(Request.create("a" * 63, END, OTHER, ["shop"]), Runner("01234567", 4194303, 4294967295))
    label = sessions.label("target", "w123")
    assert len(label) <= 63 and label.endswith(" w123")
    assert Runner.parse(label[len(sessions.family("target")) :].split(" ")[0]) == sessions.runner
    assert Runner.parse("something else") is None


def test_this_process_is_here_and_alive():
    me = Runner.of_this_process()
    assert me.is_here and me.is_alive
    assert not Runner(me.host, me.pid, me.started + 1).is_alive
    assert not Runner("00000000", me.pid, me.started).is_here


def test_another_request_of_the_same_name_is_another_family():
    one, two = (Sessions(Request.create("shop", END, OTHER, [name])) for name in ("a", "b"))
    assert one.family("source") != two.family("source")


@pytest.mark.parametrize("listening", [True, False])
def test_a_silent_server_is_given_up_in_time(listening):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if listening:
            listener.listen(1)  # the kernel accepts, nobody answers
        end = Endpoint(host="127.0.0.1", port=listener.getsockname()[1], user="u")
        begun = time.monotonic()
        with pytest.raises(NoAnswer):
            ask(end, "source", "SELECT 1", seconds=0.5)
        assert time.monotonic() - begun < 5


def test_the_kernel_counts_bytes():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        with socket.create_connection(listener.getsockname()) as one, listener.accept()[0] as other:
            before = pulse.bytes_moved(one.fileno())
            other.sendall(b"x" * 1000)
            one.recv(1000, socket.MSG_WAITALL)
            assert pulse.bytes_moved(one.fileno()) - before == 1000
    with socket.socketpair()[0] as local:
        assert pulse.bytes_moved(local.fileno()) == 0
    assert pulse.bytes_moved(10**6) == 0


def test_the_pulse_beats_only_when_something_moved(monkeypatch):
    monkeypatch.setattr(pulse, "PULSE_SECONDS", 0.01)
    beats, counts = [], iter([1, 1, 1, 2, 2])
    monkeypatch.setattr(pulse, "bytes_moved", lambda _descriptor: next(counts, 2))
    pulse.start(lambda: [0], lambda: beats.append(1))
    time.sleep(0.3)
    assert len(beats) == 2


def test_a_program_that_takes_bytes_stirs_and_one_that_waits_does_not():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        cat.stdin.write(b"x")
        cat.stdin.flush()
        cat.stdout.read(1)
        time.sleep(0.2)
        before = pulse.stirrings(cat.pid)
        time.sleep(0.3)
        assert before and pulse.stirrings(cat.pid) == before
        cat.stdin.write(b"x")
        cat.stdin.flush()
        cat.stdout.read(1)
        time.sleep(0.1)
        assert pulse.stirrings(cat.pid) > before
        cat.stdin.close()
    assert pulse.stirrings(cat.pid) == 0


def test_the_pulse_beats_when_a_program_stirs(monkeypatch):
    monkeypatch.setattr(pulse, "PULSE_SECONDS", 0.01)
    beats, counts = [], iter([1, 1, 2, 2, 3])
    monkeypatch.setattr(pulse, "stirrings", lambda _pid: next(counts, 3))
    pulse.start(list, lambda: beats.append(1), lambda: [1])
    time.sleep(0.3)
    assert len(beats) == 3


@pytest.mark.parametrize(
    ("cause", "passes"),
    [("timeout", True), ("starting", True), ("other", True), ("tls", True), ("password", False), ("role", False)],
)
def test_which_failed_connections_may_pass(cause, passes):
    assert is_transient(ConnectionFailed("x", "", {"cause": cause})) is passes


def test_which_other_failures_may_pass():
    assert not is_transient(TransferFailed("x"))
    assert is_transient(TransferFailed("x", "", {"transient": True}))
    assert not is_transient(ValueError("x"))
    assert not is_transient(psycopg2.ProgrammingError("no results to fetch"))
    # As it comes when a network is reset while changes flow.
    assert is_transient(psycopg2.DatabaseError("error with status PGRES_COPY_BOTH and no message from the libpq"))


def context(tick=lambda: None) -> SimpleNamespace:
    return SimpleNamespace(tick=tick, watch=None)


def script(tmp_path, text: str) -> list:
    path = tmp_path / "pg_dump"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return [str(path)]


def test_a_program_that_lost_its_connection_may_be_run_again(tmp_path):
    command = script(tmp_path, "echo 'pg_dump: error: server closed the connection unexpectedly' >&2; exit 1")
    with pytest.raises(ConnectionFailed) as caught:
        client_program.run_program(command, {"PATH": "/bin:/usr/bin"}, (), [], context(), "label")
    assert is_transient(caught.value)


def test_a_program_is_ended_when_the_engine_is_asked_to_stop(tmp_path):
    class Enough(Exception):
        pass

    def tick():
        raise Enough

    command = script(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    with pytest.raises(Enough):
        client_program.run_program(command, {"PATH": "/bin:/usr/bin"}, (), [], context(tick))
    assert start_time(int((tmp_path / "pid").read_text())) is None


def test_a_program_dies_with_its_engine(tmp_path):
    command = script(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    parent = (
        "import sys; from types import SimpleNamespace;"
        f"from {client_program.__name__} import run_program;"
        f"run_program({command!r}, {{'PATH': '/bin:/usr/bin'}}, (), [], SimpleNamespace(tick=lambda: None, watch=None))"
    )
    engine = subprocess.Popen(
        [sys.executable, "-c", parent], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    try:
        deadline = time.monotonic() + 20
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < deadline and engine.poll() is None
            time.sleep(0.05)
        child = int(Path(tmp_path / "pid").read_text())
        engine.send_signal(signal.SIGKILL)
        engine.wait()
        while start_time(child) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        engine.kill()
        engine.wait()
