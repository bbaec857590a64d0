# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds exchanges against the descriptions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

from jsonschema import Draft4Validator, FormatChecker

from tests.azure_simulator.judge import books, rebuilt
from tests.azure_simulator.judge.deviations import TABLE, Deviation
from tests.azure_simulator.judge.violation import Violation

DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)")
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
ARM_ID = re.compile(r"/subscriptions/[^/]+(/.*)?", re.IGNORECASE)
SHORT = 160

FORMATS = FormatChecker(formats=())
FORMATS.checks("date-time")(lambda text: not isinstance(text, str) or DATE_TIME.fullmatch(text) is not None)
FORMATS.checks("uuid")(lambda text: not isinstance(text, str) or GUID.fullmatch(text) is not None)
FORMATS.checks("arm-id")(lambda text: not isinstance(text, str) or ARM_ID.fullmatch(text) is not None)
FORMATS.checks("int32")(lambda number: not isinstance(number, int) or -(2**31) <= number < 2**31)
FORMATS.checks("int64")(lambda number: not isinstance(number, int) or -(2**63) <= number < 2**63)

POLL = re.compile(r"/locations/[^/]+/azureAsyncOperation/[^/]+$", re.IGNORECASE)
RESULT = re.compile(r"/locations/[^/]+/operationResults/[^/]+$", re.IGNORECASE)


def findings(schema: dict, body: object) -> Iterator[tuple[str, str]]:
    """Yield where and what of everything that a schema does not allow in a body."""
    validator = Draft4Validator(schema, format_checker=FORMATS)
    for error in sorted(validator.iter_errors(body), key=lambda one: list(map(str, one.absolute_path))):
        where = "/" + "/".join(str(part) for part in error.absolute_path)
        text = error.message
        yield where, text if len(text) <= SHORT else f"{text[:SHORT]}… ({error.validator})"


#: What only Resource Manager itself answers, or the authority; nobody has described it here.
UNDESCRIBED = re.compile(
    r"/(common|metadata)/.*|/[^/]+/(oauth2|v2\.0|discovery)/.*|/tenants|/subscriptions(/[^/]+)?(/locations)?"
    r"|/subscriptions/[^/]+/resourceGroups(/[^/]+)?(/resources)?|/subscriptions/[^/]+/providers(/[^/]+)?(/register)?"
    r"|.*/providers/Microsoft\.Resources/tags/default|.*/providers/Microsoft\.Authorization/permissions"
    r"|/subscriptions/[^/]+/providers/Microsoft\.Network/locations/.*|.*/privateDnsOperation(Statuses|Results)/.*",
    re.IGNORECASE,
)
#: The body of a 202 of the PostgreSQL provider, as recorded.
ACCEPTED = {
    "type": "object",
    "properties": {"operation": {"type": "string"}, "startTime": {"type": "string", "format": "date-time"}},
    "required": ["operation", "startTime"],
    "additionalProperties": False,
}


class Judge:
    """Judges one exchange at a time; `deviations` is the table that excuses, which a test may leave out."""

    def __init__(self, deviations: tuple[Deviation, ...] = TABLE):
        self.deviations = deviations
        self.used: dict[Deviation, int] = {}
        self._seen: set[tuple] = set()

    def judge(
        self,
        method: str,
        path: str,
        query: str,
        request: object,
        status: int,
        answer: object,
        *,
        number: int = 0,
        client: str = "",
    ) -> tuple[str | None, list[Violation]]:
        """Return the operation's name and what is wrong with an exchange.

        Bodies are parsed JSON, None for none; `status` 0 means that there was no answer; `client` is what the request
        says of its sender.
        """
        words = dict(parse_qsl(query, keep_blank_values=True))
        name, found = self._judged(method, path, words, request, status, answer)
        line = f"{method} {path} -> {status}"
        violations = [Violation(number, *one, line) for one in found]
        return name, [one for one in violations if not self._excused(one, client)]

    def _judged(
        self, method: str, path: str, query: dict, request, status: int, answer
    ) -> tuple[str | None, list[tuple]]:
        if UNDESCRIBED.fullmatch(path):
            return None, []
        if POLL.search(path):
            return "poll", self._poll(status, answer)
        if RESULT.search(path):
            return "result", []
        rebuilt_kind = rebuilt.find(path)
        if rebuilt_kind is not None:
            return self._rebuilt(*rebuilt_kind, method, query, request, status, answer)
        return self._described(query.get("api-version", ""), method, path, query, request, status, answer)

    def _excused(self, violation: Violation, client: str) -> bool:
        for deviation in self.deviations:
            if deviation.fits(violation, client):
                self.used[deviation] = self.used.get(deviation, 0) + 1
                return True
        return False

    def _rebuilt(self, kind: str, many: bool, method: str, query: dict, request, status: int, answer):
        found, name = [], f"{method} {kind}"
        for side, book, name, where, what, body in rebuilt.judge(kind, many, method, query, request, status, answer):
            if where is not None:
                found.append((side, book, name, where, what))
            elif body is None:
                found.append((side, book, name, "/", f"there is no body with status {status}"))
            else:
                found += [(side, book, name, *one) for one in self._once((side, name, status), what, body)]
        return name, found

    def _described(self, version: str, method: str, path: str, query: dict, request, status: int, answer):
        operation, values = books.find(version, method, [part for part in path.split("/") if part])
        if operation is None:
            text = f"no operation {method} {path} is described"
            return None, [("request", f"version {version}", "?", "path", text)]
        found = list(self._of_request(version, operation, values, query, request))
        if status:
            found += self._of_answer(version, operation, status, answer)
        return operation.id, found

    def _poll(self, status: int, answer) -> list[tuple]:
        name = "OperationStatusResult" if status == 200 else "ErrorResponse"
        return [("answer", "common types v5", "poll", *one) for one in findings(books.common(name), answer)]

    def _of_request(self, version: str, operation: books.Operation, values: dict, query: dict, body) -> Iterator[tuple]:
        known = set()
        for parameter in operation.parameters:
            place, name = parameter.get("in"), parameter["name"]
            if place == "path":
                yield from self._parameter(operation, parameter, values.get(name), "path")
            elif place == "query":
                known.add(name)
                yield from self._parameter(operation, parameter, query.get(name), "query")
        for name in sorted(set(query) - known):
            yield "request", operation.document, operation.id, "query", f"'{name}' is not described"
        document, schema, needed = books.request_schema(version, operation)
        if schema is None:
            if body is not None:
                yield "request", document, operation.id, "/", "there is a body, but none is described"
        elif body is None:
            if needed:
                yield "request", document, operation.id, "/", "there is no body"
        else:
            for where, text in self._once((version, operation.id, "request"), schema, body):
                yield "request", document, operation.id, where, text

    def _parameter(self, operation: books.Operation, parameter: dict, text: str | None, place: str) -> Iterator[tuple]:
        if text is None:
            if parameter.get("required"):
                yield "request", operation.document, operation.id, place, f"'{parameter['name']}' is missing"
            return
        words = {
            word: parameter[word]
            for word in ("pattern", "minLength", "maxLength", "enum", "format")
            if word in parameter
        }
        for _where, message in findings(words, text):
            yield "request", operation.document, operation.id, place, f"{parameter['name']}: {message}"

    def _of_answer(self, version: str, operation: books.Operation, status: int, body) -> Iterator[tuple]:
        document, schema, allowed = books.answer_schema(version, operation, status)
        if not allowed:
            yield "answer", document, operation.id, "status", f"status {status} is not described"
        elif schema is None:
            if body is not None:
                yield (
                    "answer",
                    document,
                    operation.id,
                    "/",
                    f"there is a body with status {status}, but none is described",
                )
            if body is not None and status == 202:
                for where, text in findings(ACCEPTED, body):
                    yield "answer", document, operation.id, where, text
        elif body is None:
            yield "answer", document, operation.id, "/", f"there is no body with status {status}"
        else:
            for where, text in self._once((version, operation.id, status), schema, body):
                yield "answer", document, operation.id, where, text

    def _once(self, key: tuple, schema: dict, body) -> Iterator[tuple[str, str]]:
        """Judge a body; one that was found good before is not judged again."""
        text = json.dumps(body, sort_keys=True, default=str)
        mark = (*key, hash(text))
        if mark in self._seen:
            return
        found = list(findings(schema, body))
        if not found:
            self._seen.add(mark)
        yield from found
