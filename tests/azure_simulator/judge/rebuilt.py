# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Providers of whom only bodies are described: Microsoft.Network, and Single Servers.

Their operations follow Resource Manager's own rules: PUT and GET of a resource, GET of a collection as `value`, PATCH of
tags, DELETE without a body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.azure_simulator.judge import books
from tests.azure_simulator.judge.schemas import ANSWER, REQUEST, Converter, document

FILES = tuple(books.DATA / "reconstructed" / f"{name}.json" for name in ("network", "privatedns", "single-server"))
ALLOWED = {
    "PUT": (200, 201, 202),
    "GET": (200,),
    "PATCH": (200, 202),
    "DELETE": (200, 202, 204),
}
TAGS = {
    "type": "object",
    "properties": {"tags": {"type": "object", "additionalProperties": {"type": "string"}}},
    "additionalProperties": False,
}
PLACE = re.compile(
    r"/subscriptions/[^/]+(?:/resourceGroups/[^/]+)?/providers/(?P<provider>[^/]+)/(?P<rest>.+)", re.IGNORECASE
)


@cache
def kinds() -> dict[str, tuple[Path, str, str]]:
    """Return `{type in small letters: (file, type, model)}`."""
    return {kind.lower(): (file, kind, model) for file in FILES for kind, model in document(file)["resources"].items()}


@cache
def schema(kind: str, side: str, many: bool) -> dict:
    """Return the strict schema of a resource, or of a list of them."""
    file, _kind, model = kinds()[kind.lower()]
    converter = Converter(side)
    one = converter.convert(file, {"$ref": f"#/definitions/{model}"})
    if many:
        properties = {"value": {"type": "array", "items": one}, "nextLink": {"type": "string"}}
        one = {"type": "object", "properties": properties, "required": ["value"], "additionalProperties": False}
    return converter.whole(one)


def find(path: str) -> tuple[str, bool] | None:
    """Return the type of resource that a path is about, and whether it is a collection; None for others."""
    place = PLACE.fullmatch(path)
    if place is None:
        return None
    parts = place["rest"].split("/")
    kind = "/".join([place["provider"], *parts[0::2]])
    many = len(parts) % 2 == 1
    if kind.lower().endswith("/all") and many:
        kind = kind[: -len("all")] + "A"
    return (kind, many) if kind.lower() in kinds() else None


def judge(kind: str, many: bool, method: str, query: dict, request, status: int, answer) -> Iterator[tuple]:
    """Yield (side, document, operation, where, schema or text, body) of everything that is to be looked at."""
    file, kind, _model = kinds()[kind.lower()]
    book, operation = f"reconstruction of {file.stem}", f"{method} {kind}" + (" (list)" if many else "")
    for name in sorted(set(query) - {"api-version", "$top", "$expand"}):
        yield "request", book, operation, "query", f"'{name}' is not described", None
    if method not in ALLOWED or (many and method != "GET"):
        yield "request", book, operation, "path", f"method {method} is not described", None
        return
    if request is not None:
        if method == "PUT":
            yield "request", book, operation, None, schema(kind, REQUEST, False), request
        elif method == "PATCH":
            yield "request", book, operation, None, TAGS, request
        else:
            yield "request", book, operation, "/", "there is a body, but none is described", None
    elif method in ("PUT", "PATCH"):
        yield "request", book, operation, "/", "there is no body", None
    if not status:
        return
    if status >= 400:
        yield "answer", book, operation, None, books.common("ErrorResponse"), answer
    elif status not in ALLOWED[method]:
        yield "answer", book, operation, "status", f"status {status} is not described", None
    elif method == "DELETE" or status in (202, 204):
        if answer not in (None, {}):
            yield "answer", book, operation, "/", f"there is a body with status {status}, but none is described", None
    else:
        yield "answer", book, operation, None, schema(kind, ANSWER, many), answer
