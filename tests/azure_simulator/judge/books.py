# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The descriptions by version: which operations there are, and which schema judges which body.

| version asked for | operations and status codes | bodies |
|---|---|---|
| 2024-08-01 and the previews up to 2024-11-01 | specification 2024-08-01 | the same |
| 2025-08-01 | reconstruction of 2026-10-01, else specification 2024-08-01 | Bicep types of 2025-08-01 where they have the resource, else the same |
| 2026-04-01-preview, 2026-10-01 | reconstruction of 2026-10-01, else specification 2024-08-01 | the same |

The part about migrations is the same in 2025-08-01, 2026-04-01-preview and 2026-10-01.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.azure_simulator.judge.bicep import Bicep
from tests.azure_simulator.judge.schemas import ANSWER, REQUEST, Converter, document

DATA = Path(__file__).parent.parent / "data"
SPECIFICATION = DATA / "specification/postgresql/resource-manager/Microsoft.DBforPostgreSQL/stable/2024-08-01"
COMMON = DATA / "specification/common-types/resource-management/v5/types.json"
RECONSTRUCTED = DATA / "reconstructed/postgresql-2026-10-01.json"
BICEP = DATA / "bicep-types-az/2025-08-01.json"
METHODS = ("get", "put", "patch", "post", "delete", "head")


@dataclass(frozen=True)
class Operation:
    """One operation of one description."""

    document: str
    id: str
    method: str
    segments: tuple[str, ...]
    file: Path
    words: dict = field(hash=False, compare=False)

    def match(self, segments: list[str]) -> dict | None:
        """Return the values of the path's parameters, or None."""
        if len(segments) != len(self.segments):
            return None
        values = {}
        for wanted, found in zip(self.segments, segments):
            if wanted.startswith("{"):
                values[wanted[1:-1]] = found
            elif wanted.lower() != found.lower():
                return None
        return values

    @property
    def parameters(self) -> list[dict]:
        converter = Converter(REQUEST)
        return [converter.resolve(self.file, one)[1] for one in self.words.get("parameters", [])]

    @property
    def kind(self) -> str | None:
        """The resource type that the path is about, where it names one resource."""
        lower = [part.lower() for part in self.segments]
        if "providers" not in lower:
            return None
        rest = self.segments[lower.index("providers") + 1 :]
        if len(rest) < 3 or len(rest) % 2 == 0:
            return None
        return "/".join([rest[0], *rest[1::2]])

    @property
    def action(self) -> str | None:
        """The last part of the path where it is a verb."""
        return self.segments[-1] if self.method == "POST" else None


@cache
def operations(name: str, files: tuple[Path, ...]) -> tuple[Operation, ...]:
    """Return the operations of files, as one description."""
    return tuple(_operations(name, files))


def _operations(name: str, files: tuple[Path, ...]) -> Iterator[Operation]:
    for file in files:
        for path, entries in document(file).get("paths", {}).items():
            segments = tuple(part for part in path.split("/") if part)
            for method in METHODS:
                if method in entries:
                    words = {**entries[method]}
                    words["parameters"] = [*entries.get("parameters", []), *words.get("parameters", [])]
                    yield Operation(name, words["operationId"], method.upper(), segments, file, words)


def specification() -> tuple[Operation, ...]:
    return operations("specification 2024-08-01", tuple(sorted(SPECIFICATION.glob("*.json"))))


def reconstruction() -> tuple[Operation, ...]:
    return operations("reconstruction 2026-10-01", (RECONSTRUCTED,))


def of_version(version: str) -> tuple[Operation, ...]:
    """Return the operations that judge a version, the more fitting ones first."""
    if version < "2025":
        return specification()
    return (*reconstruction(), *specification())


def find(version: str, method: str, segments: list[str]) -> tuple[Operation | None, dict]:
    """Return the operation of a request with the values of its path, or None."""
    for operation in of_version(version):
        if operation.method == method:
            values = operation.match(segments)
            if values is not None:
                return operation, values
    return None, {}


@cache
def request_schema(version: str, operation: Operation) -> tuple[str, dict | None, bool]:
    """Return which description judges the body of a request, its schema (None: no body), and whether one is needed."""
    body = next((one for one in operation.parameters if one.get("in") == "body"), None)
    if body is None:
        return operation.document, None, False
    if version == "2025-08-01" and operation.method in ("PUT", "POST"):
        bicep = Bicep(BICEP, REQUEST)
        found = bicep.resource(operation.kind) if operation.kind else bicep.function(operation.action or "", "input")
        if found is not None:
            return "Bicep types 2025-08-01", found, bool(body.get("required"))
    converter = Converter(REQUEST)
    return (
        operation.document,
        converter.whole(converter.convert(operation.file, body["schema"])),
        bool(body.get("required")),
    )


@cache
def answer_schema(version: str, operation: Operation, status: int) -> tuple[str, dict | None, bool]:
    """Return which description judges an answer, its schema (None: no body), and whether the status is allowed."""
    responses = operation.words["responses"]
    words = responses.get(str(status))
    if words is None and status >= 400:
        words = responses.get("default")
    if words is None:
        return operation.document, None, False
    if "schema" not in words:
        return operation.document, None, True
    if version == "2025-08-01" and status < 300:
        bicep = Bicep(BICEP, ANSWER)
        found = bicep.resource(operation.kind) if operation.kind else bicep.function(operation.action or "", "output")
        if found is not None:
            return "Bicep types 2025-08-01", found, True
    converter = Converter(ANSWER)
    return operation.document, converter.whole(converter.convert(operation.file, words["schema"])), True


@cache
def common(name: str, side: str = ANSWER) -> dict:
    """Return a definition of the common types."""
    converter = Converter(side)
    return converter.whole(converter.convert(COMMON, document(COMMON)["definitions"][name]))


def plain_pattern(text: str) -> re.Pattern:
    return re.compile(text)
