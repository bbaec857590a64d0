# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for the end of what Azure calls an asynchronous operation.

Such an operation may fail in an answer with HTTP status 200, with a code that may be empty; its address is signed and is
used as it came.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable

from .errors import StillRunning, failed_operation
from .retrying import growing_pauses, hinted_pause

ENDED_WELL = "succeeded"
ENDED_BADLY = ("failed", "canceled", "cancelled")
# Without Azure's hint, looks begin close together and come to be this far apart.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0
UNKNOWN = "InProgress"


@dataclass(frozen=True)
class LongRunning:
    """An operation on its way: what it is about, where its status stands, and how long to wait before the first look."""

    subject: str
    status_address: str | None
    result_address: str | None
    pause: float | None


def operation_of(method: str, path: str, answer) -> LongRunning | None:
    """Return the operation that an answer says has begun; None when everything is done already."""
    headers = answer.headers
    status_address = headers.get("Azure-AsyncOperation")
    result_address = headers.get("Location")
    if not status_address and not (answer.status == 202 and result_address):
        return None
    return LongRunning(f"{method} {path}", status_address, result_address, hinted_pause(headers))


class Waiting:
    """Looks at an operation until it ends.

    :param azure: the session
    :param operation: what is waited for
    :param seconds: how long at most
    :param watch: called with seconds and status at every look
    """

    def __init__(
        self,
        azure,
        operation: LongRunning,
        seconds: float,
        watch: Callable[[float, str], None] | None = None,
        now: Callable[[], float] = time.monotonic,
    ):
        self.azure = azure
        self.operation = operation
        self.seconds = seconds
        self.watch = watch or (lambda seconds, status: None)
        self.now = now

    def until_ended(self) -> dict | None:
        """Wait for the end; return the last answer's body. Looks once at least.

        :raises OperationFailed: when it ends badly
        :raises StillRunning: when it does not end in time; it goes on, and C(details.operation) is where to look
        """
        start, pauses, hinted = self.now(), growing_pauses(FIRST_PAUSE, LONGEST_PAUSE), self.operation.pause
        while True:
            wait = next(pauses) if hinted is None else hinted
            self.azure.patience.sleep(min(wait, max(0.0, self.seconds - (self.now() - start))))
            answer = self.look()
            status, elapsed = self.status_of(answer), self.now() - start
            self.watch(elapsed, status)
            if status.lower() == ENDED_WELL:
                return answer.body
            if status.lower() in ENDED_BADLY:
                raise failed_operation(self.operation.subject, status, answer.body, answer.headers, self.azure.secrets)
            if elapsed >= self.seconds:
                raise StillRunning(
                    f"{self.operation.subject} has not ended within {self.seconds:.0f} s; its status is {status}.",
                    "It goes on. Run the task again to wait for it, or raise 'wait_timeout'.",
                    details={"operation": self.operation.status_address or self.operation.result_address},
                )
            hinted = hinted_pause(answer.headers)

    def look(self):
        """Return the newest answer about the operation."""
        return self.azure.request_address("GET", self.operation.status_address or self.operation.result_address)

    def status_of(self, answer) -> str:
        """Return the operation's status; where only its result can be asked for, 202 says that it goes on."""
        if not self.operation.status_address:
            return UNKNOWN if answer.status == 202 else ENDED_WELL
        return str((answer.body or {}).get("status") or UNKNOWN) if isinstance(answer.body, dict) else UNKNOWN
