# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests, answers, errors and moments in the form in which Azure writes them."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import parse_qsl, quote, unquote, urlsplit

RESOURCE_LINK = "For more details please go to https://aka.ms/ARMResourceNotFoundFix"


class ArmError(Exception):
    """An answer that is an error; `cause` is who says it: the gateway or the service behind it."""

    def __init__(self, status: int, code: str, message: str, *, cause: str | None = None, headers: dict | None = None):
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = {**({"x-ms-failure-cause": cause} if cause else {}), **(headers or {})}

    def answer(self) -> Answer:
        return Answer(self.status, {"error": {"code": self.code, "message": self.message}}, dict(self.headers))


@dataclass
class Answer:
    """Status, body (anything that JSON can say; None is no body at all) and headers besides the usual ones."""

    status: int
    body: object = None
    headers: dict = field(default_factory=dict)


@dataclass
class Request:
    """What arrived: `target` is path and query as sent, `path` without escapes, header names in lower case."""

    method: str
    target: str
    headers: dict
    body: bytes = b""

    def __post_init__(self):
        parts = urlsplit(self.target)
        self.raw_path = parts.path
        self.segments = [unquote(part) for part in parts.path.split("/") if part]
        self.path = "/" + "/".join(self.segments)
        self.raw_query = parts.query
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))

    @property
    def api_version(self) -> str | None:
        return self.query.get("api-version")

    @property
    def form(self) -> dict:
        """The fields of a form, as a token endpoint gets them."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def json(self) -> object:
        """Return the body.

        Raises ArmError with 400 where it is not JSON.
        """
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ArmError(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from None

    def document(self) -> dict:
        """Return the body where an object is needed."""
        found = self.json()
        if not isinstance(found, dict):
            raise ArmError(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'an object is needed'.",
            )
        return found


def stamp(moment: float | None = None, *, offset: bool = False) -> str:
    """Return a moment (seconds since 1970) as `2024-10-22T03:33:07.6408985Z`, or with `+00:00` at its end."""
    moment = datetime.now(timezone.utc).timestamp() if moment is None else moment
    ticks = round(moment * 10_000_000)
    seconds, fraction = divmod(ticks, 10_000_000)
    text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:07d}" + ("+00:00" if offset else "Z")


def short_stamp(moment: float) -> str:
    """Return a moment as operations say it: milliseconds without zeros at the end, `2024-11-15T07:19:52.37Z`."""
    text = stamp(moment)[:23].rstrip("0").rstrip(".")
    return text + "Z"


def new_guid() -> str:
    return str(uuid.uuid4())


def is_guid(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


def escaped(text: str) -> str:
    """Return a path segment with its blanks escaped."""
    return quote(text, safe="")


def resource_not_found(kind: str, name: str, group: str) -> ArmError:
    """Return the gateway's 404, recorded in existing_private_dns_zone.json#119."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. {RESOURCE_LINK}",
        cause="gateway",
    )


def group_not_found(group: str) -> ArmError:
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.", cause="gateway")
