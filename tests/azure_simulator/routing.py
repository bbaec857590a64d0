# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which function answers which request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """One line of the table; `provider` is the namespace whose registration and versions count, or None."""

    method: str
    segments: tuple[str, ...]
    handler: Callable
    provider: str | None

    def match(self, segments: list[str]) -> dict | None:
        """Return the values of the names in braces, or None. As in Azure, case does not count outside braces."""
        if len(segments) != len(self.segments):
            return None
        values = {}
        for wanted, found in zip(self.segments, segments):
            if wanted.startswith("{"):
                values[wanted[1:-1]] = found
            elif wanted.lower() != found.lower():
                return None
        return values


class Routes:
    """A table of routes that functions enter themselves into."""

    def __init__(self):
        self.routes: list[Route] = []

    def on(self, method: str, template: str):
        """Enter the decorated function for a method and a path with names in braces.

        It is called with the cloud, the request, and the values of the names, and returns an Answer.
        """
        segments = tuple(part for part in template.split("/") if part)
        lower = [part.lower() for part in segments]
        provider = segments[lower.index("providers") + 1] if "providers" in lower[:-1] else None
        if provider and provider.startswith("{"):
            provider = None

        def enter(function):
            self.routes.append(Route(method, segments, function, provider))
            return function

        return enter

    def find(self, method: str, segments: list[str]) -> tuple[Route | None, dict, bool]:
        """Return route, values, and whether the path exists for any method."""
        known = False
        for route in self.routes:
            values = route.match(segments)
            if values is not None:
                if route.method == method:
                    return route, values, True
                known = True
        return None, {}, known


def every(*tables: Routes) -> Routes:
    """Return one table that holds the routes of all."""
    whole = Routes()
    for table in tables:
        whole.routes += table.routes
    return whole
