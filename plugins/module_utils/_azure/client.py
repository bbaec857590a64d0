# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure Resource Manager as the provider uses it: JSON in and out, in the words of the wire.

A path or a resource id says what is meant. Requests about PostgreSQL flexible servers go through the operations of
azure-mgmt-postgresqlflexibleservers, everything else through a pipeline of azure-mgmt-core; callers do not see which.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable
from urllib.parse import quote

from .._core.errors import InvalidRequest
from .._core.redaction import redact
from .._core.resource_id import ResourceId
from .credentials import Credentials, find_credentials
from .errors import NotFound, Unreachable, Untrusted, parse, refusal
from .libraries import load
from .long_running import Waiting, operation_of
from .operations import find_operation
from .pipeline import POSTGRESQL_VERSION, Pipelines, check_host
from .retrying import Patience, hinted_pause
from .tokens import Tokens

# One version per provider or kind; the longest prefix counts.
API_VERSIONS = {
    "microsoft.dbforpostgresql/flexibleservers": POSTGRESQL_VERSION,
    "microsoft.dbforpostgresql": POSTGRESQL_VERSION,
    "microsoft.dbforpostgresql/servers": "2017-12-01",
    "microsoft.network": "2023-09-01",
    "microsoft.network/privatednszones": "2020-06-01",
    "microsoft.authorization": "2022-04-01",
    "": "2022-09-01",
}
# Not found may mean that nobody may look, or that the question was wrong; these are no answer to "is it there?".
NO_ABSENCE = frozenset(
    ("subscriptionnotfound", "invalidsubscriptionid", "invalidresourcetype", "noregisteredproviderfound")
)
READING = ("GET", "HEAD")


@dataclass(frozen=True)
class Answer:
    """What came back: I(body) is parsed JSON, or None for an empty one; header names in any case."""

    status: int
    body: object
    headers: Mapping = field(repr=False)


def api_version_of(path: str) -> str:
    """Return the api-version with which a path is asked for."""
    kind = path.split("?", maxsplit=1)[0].lower()
    namespace, marker, rest = kind.rpartition("/providers/")
    words = rest.split("/") if marker else []
    name = "/".join(words[:2])
    for prefix in (name, words[0] if words else "", ""):
        if prefix in API_VERSIONS:
            return API_VERSIONS[prefix]
    raise AssertionError(f"no api-version for {path} below {namespace}")


class Azure:
    """A session with Resource Manager.

    :param pipelines: the clients that carry requests
    :param secrets: taken out of everything that is shown
    :param patience: how failed attempts are repeated
    """

    def __init__(self, pipelines: Pipelines, secrets=(), patience: Patience | None = None):
        self.pipelines = pipelines
        self.secrets = list(secrets)
        self.patience = patience or Patience()
        # How many requests were sent, by method; repeated ones count.
        self.sent: dict = {}

    @classmethod
    def login(
        cls, parameters: Mapping, subscription_id: str | None = None, environment: Mapping | None = None
    ) -> Azure:
        """Return a session as the options of C(_module.arguments.AZURE) ask for; no token is fetched yet.

        :param parameters: the module's parameters
        :param subscription_id: the subscription that the work is about
        :param environment: instead of the process's own
        :raises InvalidRequest: for credentials that are incomplete, or of another subscription
        :raises DependencyMissing: when Microsoft's libraries are missing
        """
        asked = parameters.get("subscription_id")
        if asked and subscription_id and asked.lower() != subscription_id.lower():
            raise InvalidRequest(
                f"'subscription_id' is {asked}, but the target is in {subscription_id}.",
                "Leave 'subscription_id' out, or correct 'target_server_id'.",
            )
        return cls.with_credentials(find_credentials(parameters, environment))

    @classmethod
    def with_credentials(cls, credentials: Credentials) -> Azure:
        """Return a session for credentials that were found."""
        # Without a handler Python prints warnings of the library to the module's output; the error that is raised says more.
        logging.getLogger("azure").addHandler(logging.NullHandler())
        cloud = credentials.find_cloud()
        pipelines = Pipelines(Tokens(credentials, cloud), cloud, credentials.ca_certificates)
        return cls(pipelines, credentials.secrets)

    def close(self) -> None:
        """Close every connection."""
        self.pipelines.close()

    def get(self, path: str | ResourceId, api_version: str | None = None) -> dict | None:
        """Return a resource, or None when there is none.

        :raises AzureError: when Azure does not say which of the two
        """
        try:
            return self.request("GET", path, api_version=api_version).body
        except NotFound as error:
            if error.azure_code.lower() in NO_ABSENCE:
                raise
            return None

    def list(self, path: str | ResourceId, api_version: str | None = None, **query: str) -> list:
        """Return every entry of a collection, all its pages.

        :param query: more words of the query, for example C(migrationListFilter="All")
        :raises AzureError: also when what the collection belongs to does not exist
        """
        page = self.request("GET", path, api_version=api_version, query=query).body or {}
        entries = list(page.get("value") or [])
        seen = set()
        while page.get("nextLink") and page["nextLink"] not in seen:
            seen.add(page["nextLink"])
            page = self.request_address("GET", page["nextLink"]).body or {}
            entries += page.get("value") or []
        return entries

    def put(self, path: str | ResourceId, body: dict, api_version: str | None = None) -> tuple:
        """Create or replace a resource; return C((status, body)) of the first answer."""
        answer = self.request("PUT", path, body, api_version)
        return answer.status, answer.body

    def patch(self, path: str | ResourceId, body: dict, api_version: str | None = None) -> tuple:
        """Change a resource; return C((status, body)) of the first answer."""
        answer = self.request("PATCH", path, body, api_version)
        return answer.status, answer.body

    def delete(self, path: str | ResourceId, api_version: str | None = None) -> tuple:
        """Delete a resource, or cancel a migration; return C((status, body)) of the first answer, 404 for none there."""
        try:
            answer = self.request("DELETE", path, api_version=api_version)
        except NotFound as error:
            if error.azure_code.lower() in NO_ABSENCE:
                raise
            return 404, None
        return answer.status, answer.body

    def post(self, path: str | ResourceId, body: dict | None = None, api_version: str | None = None):
        """Send an action; return the body of the first answer."""
        return self.request("POST", path, body, api_version).body

    def finish(
        self,
        method: str,
        path: str | ResourceId,
        body: dict | None = None,
        *,
        api_version: str | None = None,
        seconds: float = 3600.0,
        watch: Callable[[float, str], None] | None = None,
        wait_when_busy: bool = True,
    ) -> dict | None:
        """Send a request that starts a long-running operation, and wait for its end.

        :param method: PUT, PATCH, DELETE or POST
        :param seconds: how long to wait at most
        :param watch: called with the seconds since the start and the operation's status, at every look
        :param wait_when_busy: False to raise Busy at once when something else is done to the resource
        :return: after PUT and PATCH the resource as it is then, else None
        :raises OperationFailed: when the operation fails, also when it says so in an answer with HTTP status 200
        :raises StillRunning: when it takes longer; it goes on
        """
        try:
            answer = self.request(method, path, body, api_version, wait_when_busy=wait_when_busy)
        except NotFound as error:
            if method != "DELETE" or error.azure_code.lower() in NO_ABSENCE:
                raise
            return None
        started = operation_of(method, str(path), answer)
        if started:
            Waiting(self, started, seconds, watch).until_ended()
        return self.get(path, api_version) if method in ("PUT", "PATCH") else None

    def request(
        self,
        method: str,
        path: str | ResourceId,
        body: dict | None = None,
        api_version: str | None = None,
        query: Mapping | None = None,
        wait_when_busy: bool = True,
    ) -> Answer:
        """Send a request until an answer comes that is not worth another attempt.

        :raises AzureError: for an answer with an error status, or none
        """
        text, words = str(path), dict(query or {})
        operation = None
        if api_version in (None, POSTGRESQL_VERSION):
            operation = find_operation(method, text, words)
        content = None if body is None else json.dumps(body).encode("utf-8")
        library = self.library(operation)
        if library is not None:

            def attempt():
                return operation.call(library, content, words)

        else:
            address = self.pipelines.cloud.resource_manager + quote(text, safe="/:@!$&'()*+,;=-._~")
            parameters = {"api-version": api_version or api_version_of(text), **words}

            def attempt():
                return self.send(method, address, content, parameters)

        return self.patience.run(lambda: self.answer_of(method, text, attempt), wait_when_busy)

    def library(self, operation):
        """Return the client of the library whose operation this is; None when there is no such operation, or library."""
        if operation is None:
            return None
        if operation.of_single_server:
            return self.pipelines.single_servers(operation.subscription_id)
        return self.pipelines.postgresql(operation.subscription_id)

    def request_address(self, method: str, address: str) -> Answer:
        """Send a request to an address that Azure gave, which is used as it is; see M(request)."""
        check_host(address, self.pipelines.cloud)
        return self.patience.run(
            lambda: self.answer_of(
                method, address.split("?", maxsplit=1)[0], lambda: self.send(method, address, None, {})
            )
        )

    def send(self, method: str, address: str, content: bytes | None, parameters: Mapping):
        """Send one request through the general pipeline and return the raw answer."""
        headers = {"Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        request = load("azure.core.rest").HttpRequest(
            method, address, params=parameters, headers=headers, content=content
        )
        answer = self.pipelines.general.send_request(request)
        answer.read()
        return answer

    def answer_of(self, method: str, subject: str, attempt: Callable[[], object]) -> Answer:
        """Make one attempt, and turn what comes of it into an answer or one of our errors.

        The error says for M(Patience) how long to wait and whether the attempt may have worked.
        """
        core = load("azure.core.exceptions")
        self.sent[method] = self.sent.get(method, 0) + 1
        try:
            raw = attempt()
        except core.AzureError as error:
            raw = getattr(error, "response", None)
            if raw is None or isinstance(error, core.DecodeError):
                raise self.no_answer(method, subject, error) from None
        status, headers = raw.status_code, raw.headers
        body = parse(raw.text())
        if status < 400:
            return Answer(status, body, headers)
        problem = refusal(method, subject, status, body, headers, self.secrets)
        problem.pause = hinted_pause(headers)
        problem.may_have_worked = method not in READING and status >= 500
        raise problem

    def no_answer(self, method: str, subject: str, error: Exception) -> Unreachable:
        """Return the error for a request that brought no answer."""
        core = load("azure.core.exceptions")
        words = redact(" ".join(str(error).split()), self.secrets)
        kind = Untrusted if "CERTIFICATE_VERIFY_FAILED" in words else Unreachable
        problem = kind(
            f"{method} {subject} brought no answer from {self.pipelines.cloud.resource_manager}: {words}",
            "Check name resolution, the proxy (HTTPS_PROXY, NO_PROXY), and 'ca_certificates' if one opens TLS on the way.",
        )
        problem.reached = False
        problem.may_have_worked = method not in READING and not isinstance(error, core.ServiceRequestError)
        return problem
