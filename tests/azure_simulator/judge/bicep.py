# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types that Microsoft generates for Bicep, made into JSON Schema for one side of an exchange.

A file is a list; types refer to each other by position. Properties carry flags: 1 required, 2 read-only, 4 write-only,
8 fixed when a deployment begins (id, type and the version itself, which bodies do not carry as such).
"""

from __future__ import annotations

from pathlib import Path

from tests.azure_simulator.judge.schemas import REQUEST, document

REQUIRED, READ_ONLY, WRITE_ONLY = 1, 2, 4
#: What a resource has of Resource Manager: in answers, and not in requests.
ENVELOPE = ("id", "name", "type")


class Bicep:
    """The resource types of one file, for one side."""

    def __init__(self, file: Path, side: str):
        self.side = side
        self.types = document(file)
        self.definitions: dict[str, dict] = {}

    def resource(self, kind: str) -> dict | None:
        """Return the strict schema of a resource type such as `Microsoft.DBforPostgreSQL/flexibleServers`, or None."""
        for one in self.types:
            if one["$type"] == "ResourceType" and one["name"].partition("@")[0].lower() == kind.lower():
                position = one["body"]["$ref"].rsplit("/", 1)[-1]
                found = self._object(self.types[int(position)], ENVELOPE)
                return {**found, "definitions": self.definitions}
        return None

    def function(self, name: str, side_word: str) -> dict | None:
        """Return the schema of the `input` or `output` of a function such as `checkNameAvailability`, or None."""
        for one in self.types:
            if one["$type"] == "ResourceFunctionType" and one["name"].lower() == name.lower() and side_word in one:
                return {**self._convert(one[side_word]), "definitions": self.definitions}
        return None

    def _convert(self, reference: dict) -> dict:
        position = reference["$ref"].rsplit("/", 1)[-1]
        one = self.types[int(position)]
        if one["$type"] != "ObjectType":
            return self._simple(one)
        if position not in self.definitions:
            self.definitions[position] = {}
            self.definitions[position].update(self._object(one))
        return {"$ref": f"#/definitions/{position}"}

    def _simple(self, one: dict) -> dict:
        kind = one["$type"]
        if kind == "StringLiteralType":
            return {"enum": [one["value"]]}
        if kind == "UnionType":
            choices = [self._convert(element) for element in one["elements"]]
            literals = [value for choice in choices for value in choice.get("enum", [])]
            # "or any text" stands for values that are yet to come: none of them is known today.
            return {"enum": literals} if literals else {"anyOf": choices}
        if kind == "ArrayType":
            lengths = {"minItems": one.get("minLength"), "maxItems": one.get("maxLength")}
            items = {"type": "array", "items": self._convert(one["itemType"])}
            return {**items, **{word: value for word, value in lengths.items() if value is not None}}
        if kind == "StringType":
            words = {word: one[word] for word in ("minLength", "maxLength", "pattern") if one.get(word) is not None}
            return {"type": "string", **words}
        if kind == "IntegerType":
            words = {"minimum": one.get("minValue"), "maximum": one.get("maxValue")}
            return {"type": "integer", **{word: value for word, value in words.items() if value is not None}}
        return {"BooleanType": {"type": "boolean"}, "AnyType": {}}.get(kind, {})

    def _object(self, one: dict, envelope: tuple[str, ...] = ()) -> dict:
        """Return an object; `envelope` are properties that belong to answers and are never required."""
        properties, required = {}, []
        for name, place in one["properties"].items():
            flags = place["flags"]
            if envelope and name == "apiVersion":
                continue
            if flags & (READ_ONLY if self.side == REQUEST else WRITE_ONLY) or (
                name in envelope and self.side == REQUEST
            ):
                continue
            properties[name] = self._convert(place["type"])
            if flags & REQUIRED and name not in envelope:
                required.append(name)
        found: dict = {
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
            "required": sorted(required),
        }
        if "additionalProperties" in one:
            found["additionalProperties"] = self._convert(one["additionalProperties"])
        return found
