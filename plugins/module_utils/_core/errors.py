# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of exceptions that library code raises; the edge turns them into C(fail_json)."""

from __future__ import annotations


class MigrationError(Exception):
    """A problem that a person has to know about.

    :param msg: what is wrong, naming the object, the value found and the value expected
    :param hint: what to do next; empty when there is nothing sensible to advise
    :param details: JSON-serialisable facts for machines, never a secret
    """

    code = "migration-error"

    def __init__(self, msg: str, hint: str = "", details: dict | None = None):
        super().__init__(msg)
        self.msg = msg
        self.hint = hint
        self.details = details or {}

    def as_dict(self) -> dict:
        """Return C({code, msg, hint, details}), the form in which an error crosses a process or module edge."""
        return {"code": self.code, "msg": self.msg, "hint": self.hint, "details": self.details}

    def __str__(self) -> str:
        # What a server or a library said may end without a full stop.
        stop = "." if self.msg and self.hint and self.msg[-1].isalnum() else ""
        return f"{self.msg}{stop} {self.hint}".strip()


class InvalidRequest(MigrationError):
    """What the user asked for contradicts itself or cannot be done."""

    code = "invalid-request"


class ConnectionFailed(MigrationError):
    """A server could not be reached, or refused the login; C(details.cause) tells which."""

    code = "connection-failed"


def is_target_database_absent(details: dict) -> bool:
    """Return whether an error's C(details) say that the target has no database of this name: it has not been migrated yet."""
    return (details.get("side"), details.get("cause")) == ("target", "database")


class PrivilegeMissing(MigrationError):
    """The user that was given lacks a right."""

    code = "privilege-missing"


class PreconditionFailed(MigrationError):
    """Something must be put right before the step may run; nothing has been changed."""

    code = "precondition-failed"


class DependencyMissing(MigrationError):
    """A library or a client program is missing or too old on the host that executes the task."""

    code = "dependency-missing"


class TransferFailed(MigrationError):
    """The transfer stopped; what had been done is recorded and the run can be resumed."""

    code = "transfer-failed"


class VerificationFailed(MigrationError):
    """A verification ended without a report, or cannot begin because another one runs."""

    code = "verification-failed"


class GateRefused(MigrationError):
    """The gate in front of deletion stays shut; C(details.reasons) lists every reason."""

    code = "gate-refused"
