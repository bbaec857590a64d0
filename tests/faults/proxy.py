# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that can be cut: a TCP proxy on loopback between the engine and a server."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

PIECE = 1 << 16
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of no time at all: the peer is sent a reset


class Proxy:
    """Passes everything on until it is told to refuse, or to swallow, connections and what flows through them."""

    def __init__(self, host: str, port: int):
        self.upstream = (host, port)
        self.open = threading.Event()
        self.open.set()
        self.ended = False
        self.pairs: list = []
        self.listener = None
        self.port = 0
        self._listen()

    def _listen(self) -> None:
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        self.listener.listen(64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener) -> None:
        while True:
            try:
                client, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client) -> None:
        self.open.wait()
        try:
            server = socket.create_connection(self.upstream, timeout=10)
            server.settimeout(None)
        except OSError:
            reset(client)
            return
        pair = (client, server)
        self.pairs.append(pair)
        for one, other in (pair, pair[::-1]):
            threading.Thread(target=self._pump, args=(one, other, pair), daemon=True).start()

    def _pump(self, one, other, pair) -> None:
        try:
            while True:
                data = one.recv(PIECE)
                self.open.wait()  # what has been read is held back, what follows stays where it is
                if not data:
                    other.shutdown(socket.SHUT_WR)
                    return
                other.sendall(data)
        except OSError:
            for end in pair:
                reset(end)
        finally:
            if pair in self.pairs and all(is_over(end) for end in pair):
                self._forget(pair)

    def _forget(self, pair) -> None:
        with contextlib.suppress(ValueError):
            self.pairs.remove(pair)
        for end in pair:
            end.close()

    def swallow(self) -> None:
        """From now on nothing comes through and nobody is told."""
        self.open.clear()

    def release(self) -> None:
        """Let everything go on where it stopped."""
        self.open.set()

    def cut(self) -> None:
        """Reset all connections."""
        for pair in list(self.pairs):
            for end in pair:
                reset(end)
            self._forget(pair)

    def refuse(self) -> None:
        """Reset all connections and listen no more."""
        shut(self.listener)
        self.cut()

    def restore(self) -> None:
        """Undo everything."""
        self.release()
        if self.listener.fileno() < 0:
            self._listen()

    def close(self) -> None:
        """End the proxy."""
        self.refuse()
        self.open.set()


def is_over(end) -> bool:
    """Tell whether a socket is closed, or its peer has closed."""
    if end.fileno() < 0:
        return True
    try:
        return end.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def shut(end) -> None:
    """Shut and close a socket, so that whoever waits on it in another thread wakes up."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def reset(end) -> None:
    """Close a connection with a reset."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RD)
    end.close()
