# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-running operations: 202, two signed addresses, polls, and an end that may be a failure inside a 200."""

from __future__ import annotations

import base64
import secrets
import threading
import traceback
from collections.abc import Callable
from urllib.parse import quote

from tests.azure_simulator import wire
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, ArmError, Request

ROUTES = Routes()
POSTGRESQL = "Microsoft.DBforPostgreSQL"


class OperationFailed(Exception):
    """An operation that ends `Failed`; Azure's code may be an empty string."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Operation:
    """One operation.

    `finish` makes its effect when its time has come; `work`, if given, runs in a thread of its own from the start and
    must have ended before. `result` is what its Location says in the end. `location` is spelled as Azure does.
    """

    def __init__(
        self,
        cloud: Cloud,
        name: str,
        seconds: float,
        finish: Callable[[], None] | None = None,
        *,
        work: Callable[[], None] | None = None,
        result: object = None,
        retry_after: float | None = None,
        abandon: Callable[[], None] | None = None,
    ):
        self.cloud = cloud
        self.id = wire.new_guid()
        self.name = name
        self.started = cloud.clock.now()
        self.due = self.started + seconds
        self.status = "InProgress"
        self.error: dict | None = None
        self.result = result
        self.retry_after = retry_after
        self.stalled = False
        self.failing: tuple[str, str] | None = None
        self._finish = finish
        self._abandon = abandon
        self._thread = None
        self._trouble: BaseException | None = None
        # Azure signs its addresses; who changes them, or makes them up from the id, is refused.
        self.signature = {
            "t": str(round(self.started * 10_000_000)),
            "c": secrets.token_urlsafe(48),
            "s": secrets.token_urlsafe(96),
            "h": secrets.token_urlsafe(32),
        }
        cloud.operations[self.id] = self
        if work is not None:
            self._thread = threading.Thread(target=self._work, args=(work,), daemon=True)
            self._thread.start()

    def _work(self, work) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is told by whoever polls
            self._trouble = error

    @property
    def ended(self) -> bool:
        return self.status != "InProgress"

    def advance(self, now: float) -> None:
        """End it if its time has come."""
        if self.ended or self.stalled or now < self.due or (self._thread is not None and self._thread.is_alive()):
            return
        try:
            if self.failing:
                raise OperationFailed(*self.failing)
            if self._trouble is not None:
                raise self._trouble
            if self._finish is not None:
                self._finish()
            self.status = "Succeeded"
        except OperationFailed as error:
            self._fail(error.code, error.message)
        except Exception as error:  # noqa: BLE001 - a defect of the simulator must be seen, not swallowed
            self.cloud.failures.append(traceback.format_exc())
            self._fail("InternalServerError", f"An unexpected error occured while processing the request: {error}")

    def _fail(self, code: str, message: str) -> None:
        self.status, self.error = "Failed", {"code": code, "message": message}
        if self._abandon is not None:
            self._abandon()

    def query(self, version: str) -> str:
        return f"api-version={version}&" + "&".join(f"{key}={quote(value)}" for key, value in self.signature.items())

    def check(self, request: Request) -> None:
        """Refuse an address that is not the one that was given out."""
        if any(request.query.get(key) != value for key, value in self.signature.items()):
            raise ArmError(
                403, "InvalidOperationSignature", "The signature of the operation's address is missing or was changed."
            )


def accepted(operation: Operation, request: Request, location: str) -> Answer:
    """Return the 202 of the PostgreSQL provider; `location` is a region in the spelling that Azure uses here."""
    cloud = operation.cloud
    base = (
        f"{cloud.url}/subscriptions/{cloud.subscription_id}/providers/{POSTGRESQL}/locations/{wire.escaped(location)}"
    )
    query = operation.query(request.api_version or "")
    headers = {
        "Azure-AsyncOperation": f"{base}/azureAsyncOperation/{operation.id}?{query}",
        "Location": f"{base}/operationResults/{operation.id}?{query}",
        "x-ms-request-id": operation.id,
    }
    if operation.retry_after is not None:
        headers["Retry-After"] = cloud.clock.retry_after(operation.retry_after)
    return Answer(202, {"operation": operation.name, "startTime": wire.short_stamp(operation.started)}, headers)


def _find(cloud: Cloud, request: Request, identifier: str) -> Operation:
    operation = cloud.operations.get(identifier.lower())
    if operation is None:
        raise ArmError(404, "OperationNotFound", f"The operation '{identifier}' was not found.", cause="service")
    operation.check(request)
    operation.advance(cloud.clock.now())
    return operation


BASE = "/subscriptions/{subscription}/providers/Microsoft.DBforPostgreSQL/locations/{location}"


@ROUTES.on("GET", BASE + "/azureAsyncOperation/{operation}")
def poll(cloud: Cloud, request: Request, operation: str, **_names) -> Answer:
    found = _find(cloud, request, operation)
    body = {"name": found.id, "status": found.status, "startTime": wire.short_stamp(found.started)}
    headers = {}
    if found.error is not None:
        body["error"] = found.error
    if not found.ended and found.retry_after is not None:
        headers["Retry-After"] = cloud.clock.retry_after(found.retry_after)
    return Answer(200, body, headers)


@ROUTES.on("GET", BASE + "/operationResults/{operation}")
def result(cloud: Cloud, request: Request, operation: str, location: str, **_names) -> Answer:
    found = _find(cloud, request, operation)
    if not found.ended:
        return accepted(found, request, location)
    if found.error is not None:
        raise ArmError(400, found.error["code"], found.error["message"], cause="service")
    return Answer(200, found.result)


# -- the operations of the network provider -------------------------------------------------------------------------


def network_headers(operation: Operation, request: Request, location: str) -> dict:
    """Return the header of a change to a network: only the address of the operation."""
    cloud = operation.cloud
    base = f"{cloud.url}/subscriptions/{cloud.subscription_id}/providers/Microsoft.Network/locations/{location}"
    return {"Azure-AsyncOperation": f"{base}/operations/{operation.id}?{operation.query(request.api_version or '')}"}


def dns_headers(operation: Operation, request: Request, group: str) -> dict:
    """Return the headers of a change to private DNS; its operations have long names and lie in the group."""
    cloud = operation.cloud
    base = f"{cloud.url}/subscriptions/{cloud.subscription_id}/resourceGroups/{group}/providers/Microsoft.Network"
    text = f"FrontEndAsyncOperation;{operation.name};{operation.id}"
    name, query = base64.b64encode(text.encode()).decode(), operation.query(request.api_version or "")
    return {
        "Azure-AsyncOperation": f"{base}/privateDnsOperationStatuses/{name}?{query}",
        "Location": f"{base}/privateDnsOperationResults/{name}?{query}",
    }


@ROUTES.on(
    "GET", "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/operations/{operation}"
)
def poll_network(cloud: Cloud, request: Request, operation: str, **_names) -> Answer:
    found = _find(cloud, request, operation)
    return Answer(200, {"status": found.status, **({"error": found.error} if found.error else {})})


GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network"


def _dns_operation(cloud: Cloud, request: Request, name: str) -> Operation:
    try:
        identifier = base64.b64decode(name, validate=True).decode().split(";")[-1]
    except ValueError:
        identifier = name
    return _find(cloud, request, identifier)


@ROUTES.on("GET", GROUP + "/privateDnsOperationStatuses/{name}")
def poll_dns(cloud: Cloud, request: Request, name: str, group: str, **_names) -> Answer:
    found = _dns_operation(cloud, request, name)
    if not found.ended:
        return Answer(202, {"status": found.status}, dns_headers(found, request, group))
    return Answer(200, {"status": found.status, **({"error": found.error} if found.error else {})})


@ROUTES.on("GET", GROUP + "/privateDnsOperationResults/{name}")
def result_dns(cloud: Cloud, request: Request, name: str, group: str, **_names) -> Answer:
    found = _dns_operation(cloud, request, name)
    if not found.ended:
        return Answer(202, {}, dns_headers(found, request, group))
    return Answer(200, found.result)
