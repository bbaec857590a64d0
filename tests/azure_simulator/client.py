# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain client for tests of the simulator itself: a token, and calls whose answers are looked at as they are."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from tests.azure_simulator import versions


@dataclass
class Reply:
    """What came back; `body` is parsed JSON, None for none."""

    status: int
    body: object
    headers: dict = field(default_factory=dict)

    @property
    def code(self) -> str | None:
        """The code of an error."""
        return self.body.get("error", {}).get("code") if isinstance(self.body, dict) else None


class Client:
    """Calls one simulator as its service principal."""

    def __init__(self, azure, agent: str = "tests"):
        self.azure = azure
        self.agent = agent
        self.context = ssl.create_default_context(cafile=azure.certificate)
        self.token: str | None = None
        self._connections: dict[str, http.client.HTTPConnection] = {}

    def raw(self, method: str, url: str, body: bytes | None = None, headers: dict | None = None) -> Reply:
        """Send one request as it is; `url` is an address or a path. Raises OSError where the connection is lost."""
        parts = urlsplit(url if "://" in url else self.azure.url + url)
        connection = self._connection(parts)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, {"User-Agent": self.agent, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self._connections.pop(parts.netloc).close()
            raise
        found = {key.lower(): value for key, value in answer.getheaders()}
        with contextlib.suppress(ValueError):
            return Reply(answer.status, json.loads(text), found)
        return Reply(answer.status, text.decode("utf-8", "replace") or None, found)

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        """Return a connection that stays open from one request to the next."""
        if parts.netloc not in self._connections:
            words = {"timeout": 30} if parts.scheme == "http" else {"timeout": 30, "context": self.context}
            kind = http.client.HTTPConnection if parts.scheme == "http" else http.client.HTTPSConnection
            self._connections[parts.netloc] = kind(parts.hostname, parts.port, **words)
        return self._connections[parts.netloc]

    def log_in(self, **form) -> Reply:
        """Ask for a token, with a secret unless the form says otherwise."""
        given = {
            "grant_type": "client_credentials",
            "client_id": self.azure.client_id,
            "client_secret": self.azure.client_secret,
            "scope": f"{self.azure.url}/.default",
            **form,
        }
        fields = {key: value for key, value in given.items() if value is not None}
        path = f"/{self.azure.tenant_id}/oauth2/v2.0/token"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.raw("POST", path, urlencode(fields).encode(), kind)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        version: str | None = versions.PINNED,
        headers: dict | None = None,
        **query,
    ) -> Reply:
        """Send a request of Resource Manager; `path` may be an address, which is used as it is."""
        if self.token is None:
            self.token = self.log_in().body["access_token"]
        if "://" not in path:
            words = {**({"api-version": version} if version else {}), **query}
            path = quote(path, safe="/%") + ("?" + urlencode(words) if words else "")
        data = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if data is not None else {}
        return self.raw(method, path, data, {"Authorization": f"Bearer {self.token}", **kind, **(headers or {})})

    def get(self, path: str, **words) -> Reply:
        return self.call("GET", path, **words)

    def finish(self, reply: Reply, timeout: float = 30.0) -> dict:
        """Poll the operation that a reply started until it has ended; return the last body."""
        end = time.monotonic() + timeout
        while True:
            found = self.call("GET", reply.headers["azure-asyncoperation"])
            if found.status >= 400 or found.body["status"] != "InProgress":
                return found.body
            if time.monotonic() > end:
                raise TimeoutError(f"the operation has not ended: {found.body}")
            time.sleep(0.01)
