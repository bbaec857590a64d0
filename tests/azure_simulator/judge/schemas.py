# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Swagger's schemas made into JSON Schema that is strict: nothing unknown, nothing read-only in requests.

Swagger leaves objects open and says `readOnly` and `x-ms-mutability` for people; here both are enforced. An object that
inherits by `allOf` is made into one object first, because an object that is closed cannot be one of several parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REQUEST, ANSWER = "request", "answer"
KEPT = (
    "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "uniqueItems", "format",
    "multipleOf",
)  # fmt: skip


@cache
def document(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def pointed(whole: dict, pointer: str) -> dict:
    """Return what a JSON pointer leads to."""
    found = whole
    for part in pointer.strip("/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


class Converter:
    """Converts the schemas of files into one JSON Schema with `definitions`, for one side of an exchange."""

    def __init__(self, side: str):
        self.side = side
        self.definitions: dict[str, dict] = {}

    def whole(self, schema: dict) -> dict:
        """Return a schema that stands alone."""
        return {**schema, "definitions": self.definitions}

    def resolve(self, file: Path, schema: dict) -> tuple[Path, dict, str | None]:
        """Follow a reference; return file, schema, and a key for what was referred to."""
        key = None
        while "$ref" in schema:
            place, _hash, pointer = schema["$ref"].partition("#")
            file = (file.parent / place).resolve() if place else file
            key = f"{file.name}{pointer}".replace("/", ".").replace("~", "-")
            schema = pointed(document(file), pointer)
        return file, schema, key

    def convert(self, file: Path, schema: dict) -> dict:
        """Return the strict form of a schema; references become definitions."""
        file, schema, key = self.resolve(file, schema)
        if key is None:
            return self._plain(file, schema)
        if key not in self.definitions:
            self.definitions[key] = {}
            self.definitions[key].update(self._plain(file, schema))
        return {"$ref": f"#/definitions/{key}"}

    def _plain(self, file: Path, schema: dict) -> dict:
        if schema.get("type") == "array":
            found = {"type": "array", "items": self.convert(file, schema.get("items", {}))}
        elif self._is_object(schema):
            found = self._object(file, schema)
        else:
            found = {"type": schema["type"]} if "type" in schema else {}
        found.update({word: schema[word] for word in KEPT if word in schema})
        if schema.get("x-nullable") and "type" in found:
            found["type"] = [found["type"], "null"]
            if "enum" in found:
                found["enum"] = [*found["enum"], None]
        return found

    @staticmethod
    def _is_object(schema: dict) -> bool:
        return schema.get("type") == "object" or any(
            word in schema for word in ("properties", "allOf", "additionalProperties")
        )

    def _object(self, file: Path, schema: dict) -> dict:
        properties, required, more = {}, set(), None
        for part_file, part in self._parts(file, schema):
            for name, one in part.get("properties", {}).items():
                properties[name] = (part_file, one)
            required |= set(part.get("required", []))
            if "additionalProperties" in part:
                more = (part_file, part["additionalProperties"])
        found: dict = {"type": "object"}
        if properties:
            shown = {name: self.convert(*place) for name, place in properties.items() if self._belongs(*place)}
            found["properties"] = shown
            found["additionalProperties"] = False
            found["required"] = sorted(required & set(shown))
        if more is not None:
            found["additionalProperties"] = self.convert(*more) if isinstance(more[1], dict) else bool(more[1])
        return found

    def _parts(self, file: Path, schema: dict) -> Iterator[tuple[Path, dict]]:
        """Yield the schema's ancestors, and itself last."""
        for one in schema.get("allOf", []):
            part_file, part, _key = self.resolve(file, one)
            yield from self._parts(part_file, part)
        yield file, schema

    def _belongs(self, file: Path, schema: dict) -> bool:
        """Whether a property may be seen on this side."""
        _file, target, _key = self.resolve(file, schema)
        read_only = schema.get("readOnly") or target.get("readOnly")
        mutability = schema.get("x-ms-mutability") or target.get("x-ms-mutability")
        if self.side == REQUEST:
            return not read_only and (mutability is None or set(mutability) != {"read"})
        return mutability is None or "read" in mutability
