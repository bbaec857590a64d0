# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server: HTTP/1.1 over TLS on loopback, one thread per connection."""

from __future__ import annotations

import contextlib
import http.server
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from tests.azure_simulator.exchanges import Log
from tests.azure_simulator.gateway import Gateway, Lost, encoded
from tests.azure_simulator.wire import Answer, Request


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "azure-simulator"
    sys_version = ""
    timeout = 120

    def setup(self) -> None:
        # The handshake is done here, in the connection's own thread, so that a slow client holds up nobody.
        if self.server.context is not None:
            self.request.settimeout(20)
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_words) -> None:
        """Write nothing to the terminal."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        raw = self.raw_requestline + str(self.headers).encode("utf-8", "replace") + body
        self.server.serve(self, request, raw)

    do_GET = do_HEAD = do_PUT = do_PATCH = do_POST = do_DELETE = _serve

    def send(self, request: Request, answer: Answer, cut: bool = False) -> bytes:
        """Send an answer, or half of it; return the bytes that went out."""
        body = encoded(answer)
        try:
            phrase = HTTPStatus(answer.status).phrase
        except ValueError:
            phrase = ""
        lines = [f"HTTP/1.1 {answer.status} {phrase}", f"Date: {self.date_time_string()}", "Server: azure-simulator"]
        lines += [f"{key}: {value}" for key, value in answer.headers.items()]
        if body:
            lines.append("Content-Type: application/json; charset=utf-8")
        if answer.status != 204:
            lines.append(f"Content-Length: {len(body)}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")
        whole = head if request.method == "HEAD" else head + body
        if cut:
            whole = head + body[: len(body) // 2]
        self.wfile.write(whole)
        self.wfile.flush()
        return whole

    def abort(self) -> None:
        """End the connection with a reset."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            plain = self.request
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            plain.close()


class Listener(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A server in a thread; `certificate` and `key` are None for plain HTTP."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(
        self,
        gateway: Gateway,
        log: Log,
        port: int,
        certificate: Path | None = None,
        key: Path | None = None,
        after: Callable | None = None,
    ):
        self.gateway = gateway
        self.log = log
        self.after = after
        self.context = None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.minimum_version = ssl.TLSVersion.TLSv1_2
            self.context.load_cert_chain(certificate, key)
        super().__init__(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        return self.server_address[1]

    def server_bind(self) -> None:
        # The base class would ask a name server for this host's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(5)

    def handle_error(self, _request, _address) -> None:
        """A client that goes away is nothing to write about."""

    def serve(self, handler: Handler, request: Request, raw: bytes) -> None:
        """Answer one request and enter it in the log."""
        exchange = self.log.begin(request, raw, time.monotonic())
        try:
            answer, exchange.trouble, delay = self.gateway.answer(request)
        except Lost as lost:
            exchange.trouble = lost.kind
            exchange.seconds = time.monotonic() - exchange.at
            if self.after is not None:
                self.after(exchange, request, None)
            if lost.partial is not None:
                exchange.raw_answer = handler.send(request, lost.partial, cut=True)
            handler.abort()
            return
        if delay:
            time.sleep(delay)
        if self.after is not None:
            self.after(exchange, request, answer)
        # The log is complete before the client can look at it.
        self.log.end(exchange, answer, encoded(answer) + str(answer.headers).encode(), time.monotonic())
        handler.send(request, answer)
