# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of one request: trouble, token, version, registration, the function that answers, the usual headers."""

from __future__ import annotations

import json
import traceback

from tests.azure_simulator import operations, versions, wire
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.resources import groups
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.trouble import ANSWERS, OPERATIONS, Troubles
from tests.azure_simulator.wire import Answer, ArmError, Request

TAGS = "/providers/microsoft.resources/tags/default"
PERMISSIONS = "/providers/microsoft.authorization/permissions"
#: What is answered without a token: how to get one.
OPEN = ("/metadata/", "oauth2", ".well-known", "/common/discovery")


class Lost(Exception):
    """The connection ends here; `kind` is the trouble, `partial` what of the answer is still sent."""

    def __init__(self, kind: str, partial: Answer | None = None):
        super().__init__(f"connection lost: {kind}")
        self.kind = kind
        self.partial = partial


class Gateway:
    """Answers requests; `judge` is asked about each exchange, if there is one."""

    def __init__(self, cloud: Cloud, routes: Routes, troubles: Troubles):
        self.cloud = cloud
        self.routes = routes
        self.troubles = troubles

    def answer(self, request: Request) -> tuple[Answer, str | None, float]:
        """Return answer, kind of trouble or None, and seconds to wait before it is sent.

        Raises Lost where the connection is to end instead.
        """
        trouble = self.troubles.for_request(request, ANSWERS)
        if trouble is None:
            return self._served(request), None, 0.0
        if trouble.kind == "lost_before":
            raise Lost(trouble.kind)
        if not trouble.applied:
            return self._dressed(request, trouble.answer()), trouble.kind, 0.0
        served = self._served(request)
        if trouble.kind == "slow":
            return served, trouble.kind, float(trouble.words.get("seconds", 2.0))
        if trouble.kind in ("lost_after", "cut_short"):
            raise Lost(trouble.kind, served if trouble.kind == "cut_short" else None)
        return self._dressed(request, trouble.answer()), trouble.kind, 0.0

    def _served(self, request: Request) -> Answer:
        with self.cloud.lock:
            self.cloud.tick()
            before = set(self.cloud.operations)
            try:
                answer = self._routed(request)
            except ArmError as error:
                answer = error.answer()
            except Exception as error:  # noqa: BLE001 - a defect of the simulator: told to the caller and to the test
                self.cloud.failures.append(f"{request.method} {request.target}\n{traceback.format_exc()}")
                answer = ArmError(500, "InternalServerError", f"defect of the simulator: {error!r}").answer()
            for identifier in set(self.cloud.operations) - before:
                self._spoil(request, self.cloud.operations[identifier])
        return self._dressed(request, answer)

    def _spoil(self, request: Request, operation: operations.Operation) -> None:
        trouble = self.troubles.for_request(request, OPERATIONS)
        if trouble is None:
            return
        if trouble.kind == "operation_stalls":
            operation.stalled = True
        else:
            message = trouble.words.get("message", "The operation could not be completed.")
            operation.failing = (str(trouble.words.get("code", "")), message)

    def _routed(self, request: Request) -> Answer:
        lower = request.path.lower()
        is_open = any(word in lower for word in OPEN)
        if not is_open:
            self._check_token(request)
        if lower.endswith(TAGS):
            versions.check_present(request)
            return groups.tags_handler(self.cloud, request, request.path[: -len(TAGS)])
        if lower.endswith(PERMISSIONS) and request.method == "GET":
            return groups.permissions(self.cloud, request.path[: -len(PERMISSIONS)])
        route, values, known = self.routes.find(request.method, request.segments)
        if not is_open:
            versions.check_present(request)
        if route is None and known:
            raise ArmError(
                405,
                "HttpMethodNotAllowed",
                f"The http method '{request.method}' is not supported for this resource type.",
            )
        if route is None:
            raise ArmError(
                404,
                "InvalidResourceType",
                f"The path '{request.path}' is nothing that this simulator knows.",
                cause="gateway",
            )
        cloud = self.cloud.seen_from(values.get("subscription", self.cloud.subscription_id))
        if cloud is None:
            raise ArmError(
                404,
                "SubscriptionNotFound",
                f"The subscription '{values['subscription']}' could not be found.",
                cause="gateway",
            )
        if route.provider:
            versions.check(request, route)
            self._check_registration(route.provider)
        return route.handler(cloud, request, **{key: value for key, value in values.items() if key != "subscription"})

    def _check_token(self, request: Request) -> None:
        scheme, _blank, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.cloud.tokens.get(token, 0) > self.cloud.clock.now():
            return
        if not token:
            code, text = "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
        else:
            code, text = "InvalidAuthenticationToken", "The access token is invalid or has expired."
        challenge = f'Bearer authorization_uri="{self.cloud.url}/{self.cloud.tenant_id}", error="invalid_token"'
        raise ArmError(401, code, text, cause="gateway", headers={"WWW-Authenticate": challenge})

    def _check_registration(self, provider: str) -> None:
        if self.cloud.registrations.get(provider.lower()) == "Registered":
            return
        raise ArmError(
            409,
            "MissingSubscriptionRegistration",
            f"The subscription is not registered to use namespace '{provider}'. "
            "See https://aka.ms/rps-not-found for how to register subscriptions.",
            cause="gateway",
        )

    def _dressed(self, request: Request, answer: Answer) -> Answer:
        """Add the headers that come with every answer of Resource Manager."""
        if any(word in request.path.lower() for word in OPEN):
            return answer
        identifier = wire.new_guid()
        usual = {"Cache-Control": "no-cache", "Pragma": "no-cache", "x-ms-request-id": identifier}
        usual["x-ms-correlation-request-id"] = identifier
        if answer.status < 400:
            usual.update(limits(request))
        answer.headers = {**usual, **answer.headers}
        return answer


def limits(request: Request) -> dict:
    """Return how much of the limits is left, as recorded: always the same numbers."""
    if "/privatedns" in request.path.lower() or "subscriptions" not in request.path.lower():
        return {}
    prefix = "x-ms-ratelimit-remaining-subscription-"
    if request.method in ("GET", "HEAD"):
        return {prefix + "global-reads": "16499"}
    if request.method == "DELETE":
        return {prefix + "deletes": "799", prefix + "global-deletes": "11999"}
    return {prefix + "writes": "799", prefix + "global-writes": "11999"}


def encoded(answer: Answer) -> bytes:
    return b"" if answer.body is None else json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode()
