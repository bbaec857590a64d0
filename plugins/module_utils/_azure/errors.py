# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with Azure Resource Manager: one family of errors, each with what Azure itself said."""

from __future__ import annotations

import json
import re

from .._core.errors import MigrationError
from .._core.redaction import redact

# The request did not take effect; the same request is welcome a little later.
BUSY_CODES = frozenset(
    code.lower()
    for code in (
        "AnotherOperationInProgress",
        "ConflictingServerOperation",
        "OperationInProgress",
        "ResourceBusy",
        "RetryableError",
        "ServerBusy",
        "ServerIsBusy",
    )
)
TRANSIENT_STATUSES = (408, 429, 500, 502, 503, 504)


class AzureError(MigrationError):
    """Azure refused, failed, or could not be asked.

    I(azure_code) is the code that Azure gave (it may be empty), I(status) the HTTP status (None when no answer came),
    I(request_id) what Microsoft's support asks for. I(uncertain) is true when an earlier attempt of the same
    request may have taken effect, although this one was refused.

    For whoever repeats the request: I(pause) is how many seconds Azure asks to wait (None when it does not say),
    I(reached) whether anybody answered, I(may_have_worked) whether this attempt may have taken effect all the same.
    """

    code = "azure-refused"
    retryable = False
    pause: float | None = None
    reached = True
    may_have_worked = False

    def __init__(
        self,
        msg: str,
        hint: str = "",
        *,
        azure_code: str = "",
        status: int | None = None,
        request_id: str = "",
        uncertain: bool = False,
        details: dict | None = None,
    ):
        self.azure_code = azure_code
        self.status = status
        self.request_id = request_id
        self.uncertain = uncertain
        facts = {"azure_code": azure_code, "status": status, "request_id": request_id, "retryable": self.retryable}
        super().__init__(msg, hint, {**facts, **(details or {})})


class LoginFailed(AzureError):
    """No token could be had, or the token that was had is not accepted."""

    code = "azure-login-failed"


class Forbidden(AzureError):
    """The identity that is logged in lacks a right; C(details.action) names it where Azure says which."""

    code = "azure-forbidden"


class NotFound(AzureError):
    """What the request is about does not exist."""

    code = "azure-not-found"


def no_target(identifier, error: NotFound | None = None) -> NotFound:
    """Return the error for a target that is not there, with what Azure said of it."""
    said = f" ({error.azure_code})" if error is not None and error.azure_code else ""
    return NotFound(
        f"'target_server_id' names {identifier}, which does not exist, or which the identity may not see{said}.",
        "Correct it; 'az postgres flexible-server list --query [].id' prints what there is.",
        azure_code=error.azure_code if error is not None else "",
        status=error.status if error is not None else None,
    )


class NotRegistered(AzureError):
    """The subscription has not registered the resource provider."""

    code = "azure-provider-not-registered"


class Conflict(AzureError):
    """The request does not fit the state that the resource is in."""

    code = "azure-conflict"


class TryLater(AzureError):
    """Throttled, busy, or out of order for a moment; the same request may succeed later."""

    code = "azure-try-later"
    retryable = True


class Busy(TryLater):
    """The resource is being worked on; what is asked for may be welcome when that is over."""

    code = "azure-busy"


class Unreachable(AzureError):
    """No answer came: name resolution, proxy, TLS or a connection that broke."""

    code = "azure-unreachable"
    retryable = True


class Untrusted(Unreachable):
    """The endpoint's certificate is signed by nobody who is trusted here."""

    code = "azure-untrusted"
    retryable = False


class OperationFailed(AzureError):
    """A long-running operation that Azure had accepted has failed, or was cancelled."""

    code = "azure-operation-failed"


class StillRunning(AzureError):
    """A long-running operation has not ended in time; it goes on."""

    code = "azure-still-running"
    retryable = True


def problem_of(body) -> dict:
    """Return C({code, message, details}) of an error body; texts are empty where Azure says nothing."""
    if isinstance(body, dict):
        problem = body.get("error", body)
        if isinstance(problem, str):  # the login endpoint's form
            return {"code": problem, "message": str(body.get("error_description") or ""), "details": []}
        if isinstance(problem, dict):
            return {
                "code": str(problem.get("code") or ""),
                "message": " ".join(str(problem.get("message") or "").split()),
                "details": [item for item in problem.get("details") or [] if isinstance(item, dict)],
            }
    return {"code": "", "message": "", "details": []}


def parse(text: str):
    """Return a body's JSON, or None when there is none."""
    try:
        return json.loads(text) if text.strip() else None
    except ValueError:
        return None


def refusal(method: str, subject: str, status: int, body, headers, secrets=(), uncertain: bool = False) -> AzureError:
    """Return the error for an answer with an error status.

    :param method: of the request, I(subject) what it was about, as people read it
    :param status: HTTP status; I(body) the parsed answer or None, I(headers) those of the answer
    :param secrets: taken out of whatever Azure said
    """
    problem = problem_of(body)
    azure_code, words = problem["code"], redact(problem["message"], secrets)
    more = "; ".join(redact(str(item.get("message") or item.get("code")), secrets) for item in problem["details"])
    said = f"{azure_code}: {words}" if azure_code and words else azure_code or words or "no explanation"
    said += f" ({more})" if more else ""
    kind, hint = classify(status, azure_code, words)
    return kind(
        f"Azure refused {method} {subject} with HTTP status {status}: {said}",
        hint,
        azure_code=azure_code,
        status=status,
        request_id=request_id_of(headers),
        uncertain=uncertain,
        details=lacking(words) if kind is Forbidden else None,
    )


def lacking(words: str) -> dict:
    """Return C({action, scope}) of Azure's sentence about a right that is lacking, as far as it says them."""
    action = re.search(r"perform action '([^']+)'", words)
    scope = re.search(r"over scope '([^']+)'", words)
    found = {"action": action, "scope": scope}
    return {word: match.group(1) for word, match in found.items() if match}


def request_id_of(headers) -> str:
    """Return the number under which Microsoft's support finds a request; an empty text when there is none."""
    return str(headers.get("x-ms-correlation-request-id") or headers.get("x-ms-request-id") or "")


def classify(status: int, azure_code: str, words: str) -> tuple:
    """Return C((class, hint)) for an error answer."""
    code = azure_code.lower()
    if code == "missingsubscriptionregistration":
        return NotRegistered, (
            "Register the provider once per subscription, which this collection does not do by itself: "
            "az provider register --namespace Microsoft.DBforPostgreSQL --wait"
        )
    if status == 401:
        return LoginFailed, "Check tenant, client id and cloud_environment; the token is not accepted here."
    if status == 403:
        return Forbidden, "Give the identity a role that contains the action; see the guide to provider azure."
    if code in BUSY_CODES:
        return (
            Busy,
            "Something else is done to it. Azure was asked again until patience ended; run the task again later.",
        )
    if status in TRANSIENT_STATUSES:
        return TryLater, "Azure was asked again until patience ended; run the task again later."
    if status == 404:
        return NotFound, "Check the resource id, and that the identity may see it."
    if status == 409:
        return Conflict, "Look at the resource's state, then run the task again."
    return AzureError, ""


def failed_operation(subject: str, status: str, body, headers, secrets=()) -> OperationFailed:
    """Return the error for a long-running operation that ended as I(status), C(Failed) or C(Canceled)."""
    problem = problem_of(body if isinstance(body, dict) and "error" in body else {})
    azure_code, words = problem["code"], redact(problem["message"], secrets)
    said = f"{azure_code}: {words}" if azure_code and words else azure_code or words or "Azure gives no reason"
    return OperationFailed(
        f"{subject} ended as {status}: {said}",
        "Look at the activity log of the resource group for more.",
        azure_code=azure_code,
        status=200,
        request_id=request_id_of(headers),
    )
