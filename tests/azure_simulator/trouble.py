# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trouble on demand: which requests or migrations it strikes, and how often."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from tests.azure_simulator.wire import Answer, ArmError, Request

#: Kinds that change the answer to a request.
ANSWERS = {
    "throttled", "gateway_timeout", "server_error", "unavailable", "busy", "refused",
    "lost_before", "lost_after", "cut_short", "slow",
}  # fmt: skip
#: Kinds that change what the request started.
OPERATIONS = {"operation_fails", "operation_stalls"}
#: Kinds that change the course of a migration; hits count migrations.
MIGRATIONS = {"frozen", "lags", "slow_states", "migration_fails", "validation_fails", "validation_warns"}
#: Kinds after which the request took effect although the answer does not say so, unless `applied` says otherwise.
ONLY_AFTER = {"lost_after", "cut_short", "slow"}

GATEWAY_TIMEOUT = (
    "The gateway did not receive a response from 'Microsoft.DBforPostgreSQL' within the specified time period."
)
WORDS = {
    "method", "path", "times", "after", "when", "retry_after", "applied", "code", "message", "status", "seconds",
    "factor", "database", "phase", "kind_of_check",
}  # fmt: skip


class Trouble:
    """One kind of trouble and whom it strikes; see README.md for the words."""

    def __init__(self, owner: Troubles, kind: str, words: dict):
        unknown = sorted(set(words) - WORDS)
        if kind not in ANSWERS | OPERATIONS | MIGRATIONS or unknown:
            raise ValueError(f"unknown trouble {kind!r}" if not unknown else f"unknown words {unknown} for {kind!r}")
        self.kind = kind
        self.method: str | None = words.get("method")
        self.path: str | None = words.get("path")
        self.left: int | None = words.get("times", 1)
        self.passing: int = words.get("after", 0)
        self.when: Callable[[], bool] | None = words.get("when")
        self.words = words
        self.hits = 0
        self._owner = owner
        self._struck: set[str] = set()

    @property
    def applied(self) -> bool:
        """Whether the request takes effect before the trouble strikes."""
        return self.kind in ONLY_AFTER or bool(self.words.get("applied"))

    def _meets(self, method: str, text: str) -> bool:
        if self.method is not None and self.method.upper() != method:
            return False
        if self.path is not None and not re.search(self.path, text, re.IGNORECASE):
            return False
        return self.when is None or bool(self.when())

    def strikes(self, method: str, text: str) -> bool:
        """Whether it strikes this request; counts it if so."""
        if self.left == 0 or not self._meets(method, text):
            return False
        if self.passing:
            self.passing -= 1
            return False
        self.left = None if self.left is None else self.left - 1
        self.hits += 1
        return True

    def strikes_migration(self, identifier: str) -> bool:
        """Whether it strikes this migration, now and until it is removed."""
        key = identifier.lower()
        if key in self._struck:
            return self.when is None or bool(self.when())
        if not self.strikes("PUT" if self.method is None else self.method.upper(), identifier):
            return False
        self._struck.add(key)
        return True

    def remove(self) -> None:
        self._owner.remove(self)

    # -- what is answered instead ----------------------------------------------------------------------------------

    def answer(self) -> Answer:
        """Return the answer of a kind that has one."""
        code, message, retry_after = (self.words.get(word) for word in ("code", "message", "retry_after"))
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        if self.kind == "throttled":
            text = message or "Number of requests for subscription exceeded the limit. Please try again later."
            error = ArmError(429, code or "TooManyRequests", text, cause="gateway", headers=headers)
        elif self.kind == "gateway_timeout":
            text = message or GATEWAY_TIMEOUT
            error = ArmError(504, code or "GatewayTimeout", text, cause="service", headers=headers)
        elif self.kind == "server_error":
            text = message or "An unexpected error occured while processing the request. Tracking ID: '0'"
            error = ArmError(500, code or "InternalServerError", text, cause="service", headers=headers)
        elif self.kind == "unavailable":
            text = message or "The service is unavailable now, try again later."
            error = ArmError(503, code or "ServiceUnavailable", text, cause="service", headers=headers)
        elif self.kind == "busy":
            text = (
                message
                or "Cannot complete operation because the server is busy processing another operation. Try again later."
            )
            error = ArmError(409, code or "ServerIsBusy", text, cause="service", headers=headers)
        else:
            text = message or "The client does not have authorization to perform this action."
            status = self.words.get("status", 403)
            error = ArmError(status, code or "AuthorizationFailed", text, cause="gateway", headers=headers)
        return error.answer()


class Troubles:
    """All trouble that waits for its moment."""

    def __init__(self):
        self.list: list[Trouble] = []
        self._lock = threading.RLock()

    def add(self, kind: str, **words) -> Trouble:
        """Ask for trouble; the table in README.md says what kinds and words there are."""
        trouble = Trouble(self, kind, words)
        with self._lock:
            self.list.append(trouble)
        return trouble

    def remove(self, trouble: Trouble) -> None:
        with self._lock:
            self.list = [one for one in self.list if one is not trouble]

    def clear(self) -> None:
        """Remove all."""
        with self._lock:
            self.list = []

    def for_request(self, request: Request, kinds: set[str]) -> Trouble | None:
        """Return the first trouble of these kinds that strikes a request."""
        about_token = "oauth2" in request.path.lower() or "openid" in request.path.lower()
        with self._lock:
            for trouble in self.list:
                if trouble.kind not in kinds or (about_token and trouble.path is None):
                    continue
                if trouble.strikes(request.method, request.path + "?" + request.raw_query):
                    return trouble
        return None

    def for_migration(self, kind: str, identifier: str) -> Trouble | None:
        """Return the first trouble of a kind that strikes a migration."""
        with self._lock:
            for trouble in self.list:
                if trouble.kind == kind and trouble.strikes_migration(identifier):
                    return trouble
        return None
