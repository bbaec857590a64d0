# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may stand where a PostgreSQL server is expected, and a network that is slow."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from pathlib import Path


@contextlib.contextmanager
def swallowing():
    """Yield a port whose connections are never answered: its queue is full, so that further requests are dropped."""
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        for _number in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


@contextlib.contextmanager
def listening(answer: bytes | None):
    """Yield a port where somebody listens who gives one I(answer) to everything, or none at all."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        kept = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _address = listener.accept()
                    kept.append(client)
                    if answer is not None:
                        client.recv(1024)
                        client.sendall(answer)
                        client.close()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for client in kept:
                client.close()


class SlowRoad:
    """A TCP proxy that holds back what it passes on, and lets only so many bytes per second through."""

    def __init__(self, host: str, port: int, delay: float = 0.0, rate: float = 0.0):
        self.upstream, self.delay, self.rate = (host, port), delay, rate
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> SlowRoad:
        return self

    def __exit__(self, *_unused) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self.listener.accept()
                server = socket.create_connection(self.upstream)
                for one, other in ((client, server), (server, client)):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one, other) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 14):
                time.sleep(self.delay + (len(data) / self.rate if self.rate else 0))
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


def certificate(directory: Path, *, days: int, name: str = "localhost", starts: str = "") -> tuple:
    """Make a self-signed certificate and return C((certificate, key)); a negative number of I(days) makes an ended one."""
    directory.mkdir(parents=True, exist_ok=True)
    key, made, request = directory / "key.pem", directory / "certificate.pem", directory / "request.pem"
    config = directory / "openssl.cnf"
    config.write_text(
        "[ca]\ndefault_ca=mine\n[mine]\ndatabase=index\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256\npolicy=any\n"
        f"x509_extensions=names\nunique_subject=no\n[any]\ncommonName=supplied\n[names]\nsubjectAltName=DNS:{name}\n"
        "basicConstraints=CA:TRUE\n[req]\ndistinguished_name=dn\n[dn]\n",
        encoding="ascii",
    )
    (directory / "index").write_text("", encoding="ascii")
    (directory / "serial").write_text("01\n", encoding="ascii")
    now = time.time()
    begin, end = (now - 40 * 86400, now + days * 86400)
    moments = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(moment)) for moment in (begin, end)]
    for command in (
        ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request],
        ["ca", "-selfsign", "-batch", "-notext", "-keyfile", key, "-in", request, "-out", made]
        + ["-startdate", starts or moments[0], "-enddate", moments[1]],
    ):
        done = subprocess.run(
            ["openssl", command[0], "-config", config, *command[1:]],
            cwd=directory,
            capture_output=True,
            text=True,
            umask=0o077,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return made, key
