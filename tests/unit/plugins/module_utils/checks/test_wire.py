# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first bytes of a connection: certificates' dates, answers that are none, names that nobody answers for."""

from __future__ import annotations

import datetime
import socket
import ssl
import struct
import subprocess
import threading

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks import wire


@pytest.mark.parametrize("days", [30, 20000], ids=["two-digit year", "four-digit year"])
def test_validity_of_a_certificate(tmp_path, days):
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), "-subj", "/CN=x"]
    command += ["-keyout", str(tmp_path / "k"), "-out", str(tmp_path / "c")]
    subprocess.run(command, check=True, capture_output=True)
    begins, ends = wire.validity(ssl.PEM_cert_to_DER_cert((tmp_path / "c").read_text(encoding="ascii")))
    assert ends - begins == datetime.timedelta(days=days)
    assert abs(datetime.datetime.now(datetime.timezone.utc) - begins) < datetime.timedelta(minutes=5)


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x03abc", b"\x30\x80" * 5, bytes(100)])
def test_what_is_no_certificate(data):
    with pytest.raises(ValueError, match="no certificate that can be read"):
        wire.validity(data)


def answering(answer: bytes):
    """Return one end of a connection whose other end answers what it is told with I(answer) and closes."""
    mine, other = socket.socketpair()
    mine.settimeout(5)

    def serve() -> None:
        other.recv(4096)
        other.sendall(answer)
        other.close()

    threading.Thread(target=serve, daemon=True).start()
    return mine


@pytest.mark.parametrize(("answer", "offered"), [(b"S", True), (b"N", False)])
def test_a_server_with_and_without_tls(answer, offered):
    assert wire.offers_tls(answering(answer)) is offered


@pytest.mark.parametrize(
    ("answer", "words"), [(b"HTTP/1.1 400", "answers with b'H'"), (b"", "closed without an answer")]
)
def test_a_listener_that_is_not_postgresql(answer, words):
    with pytest.raises(wire.NoPostgres, match=words):
        wire.offers_tls(answering(answer))


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (message(b"R", struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0"), ("SCRAM", "")),
        (message(b"R", struct.pack("!I", 5) + b"salt"), ("MD5", "")),
        (message(b"R", struct.pack("!I", 3)), ("password in clear text", "")),
        (message(b"R", struct.pack("!I", 0)), ("none", "")),
        (message(b"R", struct.pack("!I", 7)), ("GSSAPI", "")),
        (message(b"R", struct.pack("!I", 99)), ("method 99", "")),
        (message(b"E", b"SFATAL\0C28000\0Mno pg_hba.conf entry\0\0"), ("", "no pg_hba.conf entry")),
    ],
)
def test_how_a_server_wants_to_know_who_logs_in(answer, expected):
    assert wire.login_method(answering(answer), "mig", "one") == expected


def test_an_answer_of_another_kind():
    with pytest.raises(wire.NoPostgres, match="type b'Z'"):
        wire.login_method(answering(message(b"Z", b"I")), "mig", "one")


def test_names(monkeypatch):
    assert wire.addresses("127.0.0.1", 5432, 5) == ["127.0.0.1"]
    with pytest.raises(wire.NameUnknown):
        wire.addresses("nowhere.invalid", 5432, 20)
    with pytest.raises(wire.NameUnknown):
        wire.addresses("x" * 300, 5432, 20)  # no name at all
    waiting = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_words: waiting.wait(5) and [])
    with pytest.raises(wire.Silence, match="no answer from the name servers"):
        wire.addresses("slow.example", 5432, 0.05)
    waiting.set()
