# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log: every request with its answer; secrets masked where one reads, bytes kept where one looks for leaks."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from tests.azure_simulator.wire import Answer, Request

MASK = "(masked)"
SECRET_NAMES = re.compile(r"password|secret(?!parameters)|token|assertion|authorization", re.IGNORECASE)


def masked(value: object) -> object:
    """Return JSON with the texts under names of secrets replaced."""
    if isinstance(value, dict):
        return {
            key: MASK if isinstance(one, str) and one and SECRET_NAMES.search(key) else masked(one)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [masked(one) for one in value]
    return value


def parsed(body: bytes, kind: str) -> object:
    """Return a body as JSON or form says it, or as text, with secrets masked; None for an empty one."""
    if not body:
        return None
    if "form" in kind:
        return masked(dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))
    try:
        return masked(json.loads(body))
    except ValueError:
        return body.decode("utf-8", "replace")


@dataclass
class Exchange:
    """One request with its answer; `status` is 0 where the connection ended without one."""

    number: int
    at: float
    method: str
    path: str
    query: dict
    request_headers: dict
    request: object
    raw_request: bytes
    status: int = 0
    headers: dict = field(default_factory=dict)
    answer: object = None
    raw_answer: bytes = b""
    trouble: str | None = None
    operation: str | None = None
    seconds: float = 0.0

    @property
    def line(self) -> str:
        """Method, path and status, for messages."""
        return f"{self.method} {self.path} -> {self.status or 'connection lost'}"


class Log:
    """All exchanges, in the order in which the requests arrived."""

    def __init__(self):
        self.exchanges: list[Exchange] = []
        self._lock = threading.Lock()

    def begin(self, request: Request, raw: bytes, at: float) -> Exchange:
        """Enter a request that has arrived."""
        headers = {key: MASK if SECRET_NAMES.search(key) else value for key, value in request.headers.items()}
        kind = request.headers.get("content-type", "")
        query = masked(request.query)
        with self._lock:
            exchange = Exchange(
                len(self.exchanges) + 1, at, request.method, request.path, query, headers,
                parsed(request.body, kind), raw,
            )  # fmt: skip
            self.exchanges.append(exchange)
        return exchange

    @staticmethod
    def end(exchange: Exchange, answer: Answer, raw: bytes, at: float) -> None:
        """Enter the answer."""
        exchange.status = answer.status
        exchange.headers = {key.lower(): value for key, value in answer.headers.items()}
        exchange.answer = masked(answer.body)
        exchange.raw_answer = raw
        exchange.seconds = at - exchange.at

    def calls(self, method: str | None = None, path: str | None = None) -> list[Exchange]:
        """Return the exchanges of a method whose path matches a regular expression."""
        with self._lock:
            return [
                one
                for one in self.exchanges
                if (method is None or one.method == method.upper())
                and (path is None or re.search(path, one.path, re.IGNORECASE))
            ]

    def leaks(self, secret: str) -> dict:
        """Return `{"requests": numbers, "answers": numbers}` of the exchanges whose bytes hold a secret.

        It is looked for as it is, as JSON writes it and as a form writes it.
        """
        from urllib.parse import quote, quote_plus

        forms = {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}
        needles = [form.encode() for form in forms]
        with self._lock:
            return {
                side: [one.number for one in self.exchanges if any(needle in getattr(one, raw) for needle in needles)]
                for side, raw in (("requests", "raw_request"), ("answers", "raw_answer"))
            }
